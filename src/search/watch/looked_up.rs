//! How often one child was looked up.

use std::{collections::VecDeque, sync::Arc};

use uuid::Uuid;

use super::{
    End, REPEATED_REFERENCES, REPEATED_SITTINGS, REPEATED_UNREFERENCED, SITTING, SearchMark, Symbol, people::Tally,
    take_if,
};

/// Whom a search was about.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Whom {
    /// A child that was shown.
    Child(Uuid),
    /// Names that were asked for in vain.
    Nobody(Arc<[Vec<Symbol>]>),
}

/// The kept searches about one of them.
#[derive(Default)]
pub(super) struct LookedUp {
    all: Sittings,
    unreferenced: Sittings,
    /// Numbers of the case references; `None` is one of them.
    references: Tally<Option<usize>>,
    /// Searches for the officer's own name.
    own_names: usize,
}

impl LookedUp {
    /// Adds the newest search, once.
    pub(super) fn add(&mut self, mark: SearchMark, case: Option<usize>, own_name: bool) {
        self.all.add(mark);
        if case.is_none() {
            self.unreferenced.add(mark);
        }
        self.references.add(case);
        self.own_names += usize::from(own_name);
    }

    /// Removes the search of this place, which is at that end.
    pub(super) fn remove(&mut self, place: usize, end: End, case: Option<usize>, own_name: bool) {
        self.all.remove(place, end);
        self.unreferenced.remove(place, end);
        self.references.remove(&case);
        self.own_names -= usize::from(own_name);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.marks.is_empty()
    }

    pub(super) fn has_own_name(&self) -> bool {
        self.own_names > 0
    }

    /// Again and again: under changing references, or sitting after sitting.
    pub(super) fn is_repeated(&self) -> bool {
        self.references.distinct() >= REPEATED_REFERENCES
            || self.unreferenced.sittings >= REPEATED_UNREFERENCED
            || self.all.sittings >= REPEATED_SITTINGS
    }

    /// The searches, the earliest first.
    pub(super) fn marks(&self) -> impl DoubleEndedIterator<Item = SearchMark> + '_ {
        self.all.marks.iter().copied()
    }
}

/// Searches in order, and in how many sittings they were made.
#[derive(Default)]
struct Sittings {
    marks: VecDeque<SearchMark>,
    sittings: usize,
}

impl Sittings {
    fn add(&mut self, mark: SearchMark) {
        self.sittings += usize::from(are_apart(self.marks.back(), Some(&mark)));
        self.marks.push_back(mark);
    }

    /// One at an end is a sitting of its own where the one beside it is of another.
    fn remove(&mut self, place: usize, end: End) {
        let Some(removed) = take_if(&mut self.marks, end, |mark| mark.place == place) else { return };
        let is_sitting = match end {
            End::First => are_apart(Some(&removed), self.marks.front()),
            End::Last => are_apart(self.marks.back(), Some(&removed)),
        };
        self.sittings -= usize::from(is_sitting);
    }
}

/// Whether two searches that follow each other are of two sittings; so is one without the other.
fn are_apart(earlier: Option<&SearchMark>, later: Option<&SearchMark>) -> bool {
    earlier.zip(later).is_none_or(|(earlier, later)| later.micros() - earlier.micros() > SITTING)
}
