//! Patterns of searching that an auditor should see: fishing, walks through the alphabet, series at night, one's own
//! name, one child again and again.
//!
//! Kept in memory, for each officer, as long as the longest rule looks back; what it notices is written to the ledger
//! and reported by the operation. The thresholds are in `docs/matching.md`; `make attack` measures them.
//!
//! Reading order: `officer` keeps the searches and applies the rules, over what `asked` makes of a search, `people` and
//! `looked_up` count and `walk` keeps in order. `plain` is the same rules over a list, for the tests.

mod asked;
mod looked_up;
mod officer;
mod people;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod tests;
mod walk;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use uuid::Uuid;

use self::{
    asked::Question,
    officer::{New, OfficerHistory},
};
use super::{pattern::Pattern, query::Query, symbol::Symbol};
use crate::{clock::Timestamp, domain::organization::OrganizationCode};

/// What was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// Many distinct names in little time, or under one case reference.
    ManyNames,
    /// Names one after another in the order of the alphabet.
    Walk,
    /// A series of names at night.
    AtNight,
    /// The officer's own family name.
    OwnName,
    /// One child again and again: under changing or empty case references, or sitting after sitting.
    Repeated,
}

impl Rule {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One search, as the watch sees it.
pub struct WatchedSearch<'a> {
    /// Id of the request. A request that is decided again replaces itself.
    pub request: Uuid,
    pub organization: &'a OrganizationCode,
    pub officer: &'a str,
    /// The officer's name, for [`Rule::OwnName`].
    pub officer_name: &'a str,
    pub at: Timestamp,
    pub query: &'a Query,
    pub case_reference: &'a str,
    /// Children shown, with their owners. Empty where the search was refused.
    pub found: Vec<(Uuid, OrganizationCode)>,
}

/// A pattern that a search completes or goes on with.
#[derive(Debug)]
pub struct Alert {
    pub rule: Rule,
    /// When the series began.
    pub since: Timestamp,
    /// Not reported within the last hour.
    pub is_news: bool,
    /// Children shown, with their owners: in the series where it is news, else in the last search.
    pub found: Vec<(Uuid, OrganizationCode)>,
}

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Searches kept for each officer.
const MAX_KEPT: usize = 512;
const LOOK_BACK: i64 = 7 * DAY;
/// Spellings under one case reference that count as one person.
const SPELLINGS: usize = 4;
/// People in an hour, and in a day.
const MANY_PEOPLE: [(usize, i64); 2] = [(12, HOUR), (24, DAY)];
/// Distinct questions under one case reference, as long as the watch looks back.
const MANY_IN_A_CASE: usize = 16;
const WALK: usize = 7;
const WALK_WITHIN: i64 = 3 * HOUR;
/// Of the names within a walk, so many in a hundred are its steps.
const WALK_PERCENT: usize = 70;
const NIGHT_PEOPLE: usize = 6;
const NIGHT_WITHIN: i64 = HOUR;
/// References under which one child is looked up.
const REPEATED_REFERENCES: usize = 4;
/// Sittings in which one child is looked up, without a reference and with.
const REPEATED_UNREFERENCED: usize = 3;
const REPEATED_SITTINGS: usize = 6;
/// Searches further apart are not of one sitting.
const SITTING: i64 = HOUR;
/// A reference that was used so long ago already is of a case that is being worked on.
const KNOWN_CASE: i64 = 12 * HOUR;
/// Letters from which on a name asked for means one person.
const LETTERS_OF_ONE_PERSON: usize = 4;

/// The place of a search among those of its officer, and when it was made.
#[derive(Clone, Copy)]
struct SearchMark {
    place: usize,
    at: Timestamp,
}

impl SearchMark {
    fn micros(self) -> i64 {
        self.at.as_micros()
    }
}

/// What is kept in order is taken away at its ends alone: the first is forgotten, the last taken back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

fn take_if<T>(queue: &mut VecDeque<T>, end: End, is_it: impl Fn(&T) -> bool) -> Option<T> {
    match end {
        End::First => queue.pop_front_if(|first| is_it(first)),
        End::Last => queue.pop_back_if(|last| is_it(last)),
    }
}

/// The recent searches of every officer of a node.
#[derive(Default)]
pub struct Watch(Mutex<HashMap<(OrganizationCode, String), OfficerHistory>>);

impl Watch {
    /// Adds a search and says what it completes.
    ///
    /// It costs as much as finding a place among the officer's recent searches (up to [`MAX_KEPT`]), not as going
    /// through them; but for a walk, which is gone back along, and for a series that must be reported.
    pub fn observe(&self, search: WatchedSearch<'_>) -> Vec<Alert> {
        let WatchedSearch { request, organization, officer, officer_name, at, query, case_reference, found } = search;
        let patterns: Vec<&Pattern> = [&query.child, &query.guardian, &query.relative].into_iter().flatten().collect();
        let new = New {
            request,
            at,
            question: Question { names: patterns.iter().map(|pattern| pattern.name()).collect(), birth: query.birth },
            case_reference: asked::reference(case_reference),
            own_name: patterns.iter().any(|pattern| pattern.begins_with_family_name(officer_name)),
            own_children: !found.is_empty() && found.iter().all(|(_, owner)| owner == organization),
            found,
        };
        let key = (organization.clone(), officer.to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().observe(new)
    }

    /// Forgets officers who have not searched for longer than any rule looks back.
    pub fn forget_idle(&self, now: Timestamp) {
        let mut officers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        officers.retain(|_, officer| officer.last().is_some_and(|at| at.as_micros() > now.as_micros() - LOOK_BACK));
    }
}
