//! The criteria of a search.

use super::fold::{FoldedName, fold};
use crate::domain::{calendar::PartialDate, case_record::NameForm};

/// How well a name answers a fragment; better ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// The whole name.
    Exact,
    /// The whole family or given name.
    WholeName,
    Prefix,
    Fragment,
}

/// A folded fragment of a name.
#[derive(Clone)]
pub struct Fragment(String);

impl Fragment {
    pub fn of(text: &str) -> Self {
        Self(fold(text))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// Length in folded characters: what is really there to search on.
    pub fn len(&self) -> usize {
        self.0.chars().count()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The best rank of one form of a name, if it answers at all.
    pub fn rank(&self, name: &FoldedName) -> Option<Rank> {
        if name.whole == self.0 {
            return Some(Rank::Exact);
        }
        if name.parts.contains(&self.0) {
            return Some(Rank::WholeName);
        }
        if name.whole.starts_with(&self.0) || name.parts.iter().any(|part| part.starts_with(&self.0)) {
            return Some(Rank::Prefix);
        }
        name.whole.contains(&self.0).then_some(Rank::Fragment)
    }

    /// The best rank among the forms of one person, and the form that gave it.
    pub fn best(&self, names: &[FoldedName]) -> Option<(Rank, NameForm)> {
        names.iter().filter_map(|name| self.rank(name).map(|rank| (rank, name.form))).min()
    }
}

/// What is known of the birth date.
#[derive(Clone, Copy)]
pub enum BirthCriterion {
    /// A day, a month or a year, as far as it is written.
    On(PartialDate),
    /// From and to, both included.
    Between(PartialDate, PartialDate),
}

impl BirthCriterion {
    /// Says enough to stand beside a single character: not a span of more than a year.
    fn is_narrow(self) -> bool {
        match self {
            Self::On(_) => true,
            Self::Between(from, to) => to.year - from.year <= 1,
        }
    }

    pub fn admits(self, birth: PartialDate) -> bool {
        match self {
            Self::On(date) => date.may_equal(birth),
            Self::Between(from, to) => {
                let first = (birth.year, birth.month.unwrap_or(12), birth.day.unwrap_or(31));
                let last = (birth.year, birth.month.unwrap_or(1), birth.day.unwrap_or(1));
                first >= (from.year, from.month.unwrap_or(1), from.day.unwrap_or(1))
                    && last <= (to.year, to.month.unwrap_or(12), to.day.unwrap_or(31))
            }
        }
    }
}

/// A search, ready to run.
pub struct Query {
    pub child: Option<Fragment>,
    pub guardian: Option<Fragment>,
    pub birth: Option<BirthCriterion>,
    pub sex: Option<String>,
}

impl Query {
    /// Too little to search on: fewer than two characters of a name, or fewer than one with a birth date that is
    /// known at least to the year.
    pub fn is_too_broad(&self) -> bool {
        let longest = [&self.child, &self.guardian].into_iter().flatten().map(Fragment::len).max().unwrap_or(0);
        longest < if self.birth.is_some_and(BirthCriterion::is_narrow) { 1 } else { 2 }
    }
}
