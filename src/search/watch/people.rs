//! How many people the searches of a while ask for.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use super::{End, SPELLINGS, SearchMark, take_if};

/// How often each of some things is there; what is not there any more is not kept.
pub(super) struct Tally<T>(HashMap<T, usize>);

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Tally<T> {
    /// Returns how often it is there now.
    pub(super) fn add(&mut self, thing: T) -> usize {
        let count = self.0.entry(thing).or_default();
        *count += 1;
        *count
    }

    /// Returns how often it is still there.
    pub(super) fn remove(&mut self, thing: &T) -> usize {
        let left = self.0.get_mut(thing).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            self.0.remove(thing);
        }
        left
    }

    /// How many different ones there are.
    pub(super) fn distinct(&self) -> usize {
        self.0.len()
    }
}

/// Numbers of a case reference and of a question under it.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// `None` where the search has no reference.
    pub(super) case: Option<usize>,
    pub(super) question: usize,
}

/// The searches of the last while and the people whom they ask for: a few spellings under one reference are one person.
///
/// Each search is counted once as it comes and once as it leaves, whatever else is there.
pub(super) struct PeopleWindow {
    /// Microseconds that it looks back.
    within: i64,
    /// People from which on they are many.
    least: usize,
    searches: VecDeque<(SearchMark, Numbers)>,
    questions: Tally<usize>,
    /// Different questions of each case.
    of_case: Tally<usize>,
    people: usize,
}

impl PeopleWindow {
    pub(super) fn new(least: usize, within: i64) -> Self {
        let (questions, of_case) = (Tally::default(), Tally::default());
        Self { within, least, searches: VecDeque::new(), questions, of_case, people: 0 }
    }

    /// Adds the newest search. Returns whether it asks for one person more, and they are many.
    pub(super) fn add(&mut self, mark: SearchMark, numbers: Numbers) -> bool {
        let from = mark.micros() - self.within;
        while let Some((_, numbers)) = self.searches.pop_front_if(|(mark, _)| mark.micros() < from) {
            self.subtract(numbers);
        }
        self.searches.push_back((mark, numbers));
        let before = self.people;
        if self.questions.add(numbers.question) == 1 {
            // The first, the fifth, the ninth question of a case is about one person more.
            let is_one_more = numbers.case.is_none_or(|case| self.of_case.add(case) % SPELLINGS == 1);
            self.people += usize::from(is_one_more);
        }
        self.people > before && self.people >= self.least
    }

    /// Removes the search of this place if it is at that end.
    pub(super) fn remove(&mut self, place: usize, end: End) {
        if let Some((_, numbers)) = take_if(&mut self.searches, end, |(mark, _)| mark.place == place) {
            self.subtract(numbers);
        }
    }

    /// The searches, the earliest first.
    pub(super) fn marks(&self) -> impl ExactSizeIterator<Item = SearchMark> + '_ {
        self.searches.iter().map(|(mark, _)| *mark)
    }

    fn subtract(&mut self, numbers: Numbers) {
        if self.questions.remove(&numbers.question) == 0 {
            let is_one_less = numbers.case.is_none_or(|case| self.of_case.remove(&case).is_multiple_of(SPELLINGS));
            self.people -= usize::from(is_one_less);
        }
    }
}
