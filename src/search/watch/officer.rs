//! What is kept of one officer's searches, so that a new one changes a few counts and none of the others is looked at.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use uuid::Uuid;

use super::{
    Alert, End, HOUR, KNOWN_CASE, LETTERS_OF_ONE_PERSON, LOOK_BACK, MANY_IN_A_CASE, MANY_PEOPLE, MAX_KEPT,
    NIGHT_PEOPLE, NIGHT_WITHIN, Rule, SITTING, SearchMark,
    asked::{Question, dictionary_order},
    looked_up::{LookedUp, Whom},
    people::{Numbers, PeopleWindow},
    take_if,
    walk::Walk,
};
use crate::{clock::Timestamp, domain::organization::OrganizationCode};

/// A search to be added.
pub(super) struct New {
    pub(super) request: Uuid,
    pub(super) at: Timestamp,
    pub(super) question: Question,
    /// As it is compared; empty where there is none.
    pub(super) case_reference: String,
    pub(super) own_name: bool,
    /// It showed children, all of them the organization's own.
    pub(super) own_children: bool,
    /// Children shown, with their owners.
    pub(super) found: Vec<(Uuid, OrganizationCode)>,
}

/// The recent searches of an officer.
pub(super) struct OfficerHistory {
    searches: VecDeque<SeenSearch>,
    /// Place of the first search; the others follow.
    first: usize,
    /// The latest moment of any search.
    latest: Timestamp,
    told: BTreeMap<Rule, Timestamp>,
    /// Before the last search.
    told_before: BTreeMap<Rule, Timestamp>,
    cases: HashMap<Arc<str>, Case>,
    /// Numbers given to cases and questions; none is given twice.
    numbered: usize,
    looked_up: HashMap<Whom, LookedUp>,
    // Searches about the organization's own children or under the reference of a case known for long are not in these.
    hour: PeopleWindow,
    day: PeopleWindow,
    night: PeopleWindow,
    walk: Walk,
}

struct SeenSearch {
    request: Uuid,
    at: Timestamp,
    question: Question,
    case_reference: Arc<str>,
    numbers: Numbers,
    own_name: bool,
    /// Each once.
    whom: Vec<Whom>,
    found: Vec<(Uuid, OrganizationCode)>,
}

/// The kept searches under one reference, or under none.
struct Case {
    number: usize,
    marks: VecDeque<SearchMark>,
    /// Number of each question, and how often it was asked.
    questions: BTreeMap<Question, (usize, usize)>,
}

/// A series of searches, found but not yet listed.
enum Series<'a> {
    People(&'a PeopleWindow),
    Case(&'a Case),
    /// A search and those that showed one of the same children.
    SameChildren,
    LookedUp(&'a LookedUp),
    /// From the name of this number on.
    Walk(usize),
}

/// What the newest search brought about, as far as only its coming tells.
struct Added {
    many_in_hour: bool,
    many_in_day: bool,
    many_at_night: bool,
    many_in_case: bool,
    walk: Option<usize>,
}

impl Default for OfficerHistory {
    fn default() -> Self {
        let [hour, day] = MANY_PEOPLE.map(|(least, within)| PeopleWindow::new(least, within));
        Self {
            searches: VecDeque::new(),
            first: 0,
            latest: Timestamp::from_micros(i64::MIN),
            told: BTreeMap::new(),
            told_before: BTreeMap::new(),
            cases: HashMap::new(),
            numbered: 0,
            looked_up: HashMap::new(),
            hour,
            day,
            night: PeopleWindow::new(NIGHT_PEOPLE, NIGHT_WITHIN),
            walk: Walk::default(),
        }
    }
}

impl OfficerHistory {
    /// Adds a search and says what it completes. One of the same request as the last takes its place.
    pub(super) fn observe(&mut self, mut new: New) -> Vec<Alert> {
        if self.searches.back().is_some_and(|last| last.request == new.request) {
            self.remove(End::Last);
            self.told.clone_from(&self.told_before);
        }
        self.told_before.clone_from(&self.told);
        // Two searches at once may come in another order than that of their times: what is kept is in order.
        self.latest = self.latest.max(new.at);
        new.at = self.latest;
        let from = new.at.as_micros() - LOOK_BACK;
        while self.searches.front().is_some_and(|seen| seen.at.as_micros() < from) || self.searches.len() >= MAX_KEPT {
            self.remove(End::First);
        }
        if self.has_just_asked(&new) {
            return Vec::new();
        }
        let added = self.add(new);
        self.alerts(&added)
    }

    /// When the officer last searched.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.searches.back().map(|last| last.at)
    }

    /// The same question with the same answer in one sitting: it adds nothing, and pushes nothing out of memory.
    fn has_just_asked(&self, new: &New) -> bool {
        self.searches.back().is_some_and(|last| {
            new.at.as_micros() - last.at.as_micros() <= SITTING
                && last.question == new.question
                && *last.case_reference == *new.case_reference
                && last.found == new.found
        })
    }

    fn add(&mut self, new: New) -> Added {
        let mark = SearchMark { place: self.first + self.searches.len(), at: new.at };
        let (case_reference, numbers, many_in_case, is_known_case) = self.add_to_case(&new, mark);
        let mut whom = Vec::new();
        for one in who_was_looked_up(&new) {
            let looked_up = self.looked_up.entry(one.clone()).or_default();
            if looked_up.marks().next_back().is_none_or(|last| last.place != mark.place) {
                looked_up.add(mark, numbers.case, new.own_name);
                whom.push(one);
            }
        }
        let is_fresh = !new.own_children && !is_known_case;
        let is_night = !(6..22).contains(&new.at.hour_in_japan());
        let step = new.question.names.first().map(|name| dictionary_order(name)).unwrap_or_default();
        let New { request, at, question, own_name, found, .. } = new;
        self.searches.push_back(SeenSearch { request, at, question, case_reference, numbers, own_name, whom, found });
        Added {
            many_in_hour: is_fresh && self.hour.add(mark, numbers),
            many_in_day: is_fresh && self.day.add(mark, numbers),
            many_at_night: is_fresh && is_night && self.night.add(mark, numbers),
            many_in_case,
            walk: if is_fresh && !step.is_empty() { self.walk.add(step, mark) } else { None },
        }
    }

    /// Returns its reference and numbers, whether it is one question too many for a case, and whether the case has been
    /// known for long.
    fn add_to_case(&mut self, new: &New, mark: SearchMark) -> (Arc<str>, Numbers, bool, bool) {
        let is_named = !new.case_reference.is_empty();
        let known = self.cases.get_key_value(new.case_reference.as_str());
        let reference =
            known.map_or_else(|| Arc::from(new.case_reference.as_str()), |(reference, _)| reference.clone());
        let numbered = &mut self.numbered;
        let mut next = || {
            *numbered += 1;
            *numbered
        };
        let case = self.cases.entry(reference.clone()).or_insert_with(|| Case {
            number: next(),
            marks: VecDeque::new(),
            questions: BTreeMap::new(),
        });
        let is_known = is_named && case.marks.front().is_some_and(|first| mark.micros() - first.micros() > KNOWN_CASE);
        case.marks.push_back(mark);
        let (question, asked) = case.questions.entry(new.question.clone()).or_insert_with(|| (next(), 0));
        *asked += 1;
        let numbers = Numbers { case: is_named.then_some(case.number), question: *question };
        let is_many = is_named && *asked == 1 && case.questions.len() >= MANY_IN_A_CASE;
        (reference, numbers, is_many, is_known)
    }

    /// Removes the search at an end from wherever it was counted.
    fn remove(&mut self, end: End) {
        let (seen, place) = match end {
            End::First => (self.searches.pop_front(), self.first),
            End::Last => (self.searches.pop_back(), self.first + self.searches.len()),
        };
        let Some(seen) = seen else { return };
        self.first += usize::from(end == End::First);
        if let Some(case) = self.cases.get_mut(&seen.case_reference) {
            take_if(&mut case.marks, end, |mark| mark.place == place);
            if let Some((_, asked)) = case.questions.get_mut(&seen.question) {
                *asked -= 1;
                if *asked == 0 {
                    case.questions.remove(&seen.question);
                }
            }
            if case.marks.is_empty() {
                self.cases.remove(&seen.case_reference);
            }
        }
        for one in &seen.whom {
            if let Some(looked_up) = self.looked_up.get_mut(one) {
                looked_up.remove(place, end, seen.numbers.case, seen.own_name);
                if looked_up.is_empty() {
                    self.looked_up.remove(one);
                }
            }
        }
        self.hour.remove(place, end);
        self.day.remove(place, end);
        self.night.remove(place, end);
        self.walk.remove(place, end);
    }

    fn alerts(&mut self, added: &Added) -> Vec<Alert> {
        let rules = [
            (Rule::ManyNames, self.many_names(added)),
            (Rule::Walk, added.walk.map(Series::Walk)),
            (Rule::AtNight, added.many_at_night.then_some(Series::People(&self.night))),
            (Rule::OwnName, self.own_name()),
            (Rule::Repeated, self.repeated()),
        ];
        let alerts: Vec<Alert> = rules.into_iter().filter_map(|(rule, series)| self.alert(rule, &series?)).collect();
        self.told.extend(alerts.iter().filter(|alert| alert.is_news).map(|alert| (alert.rule, self.latest)));
        alerts
    }

    fn alert(&self, rule: Rule, series: &Series<'_>) -> Option<Alert> {
        let is_untold = |told: &Timestamp| self.latest.as_micros() - told.as_micros() > HOUR;
        let is_news = self.told.get(&rule).is_none_or(is_untold);
        // A series is gone through only where it is reported, at most once an hour.
        let untold: Vec<&SeenSearch> = if is_news {
            self.marks(series).filter_map(|mark| self.searches.get(mark.place - self.first)).collect()
        } else {
            self.searches.back().into_iter().collect()
        };
        let found: BTreeSet<&(Uuid, OrganizationCode)> = untold.iter().flat_map(|seen| &seen.found).collect();
        Some(Alert { rule, since: self.since(series)?, is_news, found: found.into_iter().cloned().collect() })
    }

    /// The longest of the series that ask for many people.
    fn many_names(&self, added: &Added) -> Option<Series<'_>> {
        let in_time = [(added.many_in_hour, &self.hour), (added.many_in_day, &self.day)];
        let in_time = in_time.map(|(is_many, people)| (is_many, people.marks().len(), Series::People(people)));
        let case = self.searches.back().and_then(|last| self.cases.get(&last.case_reference));
        let of_case = case.map(|case| (added.many_in_case, case.marks.len(), Series::Case(case)));
        let all = in_time.into_iter().chain(of_case).filter(|(is_many, ..)| *is_many);
        all.max_by_key(|(_, length, _)| *length).map(|(.., series)| series)
    }

    /// The officer's own family name; or, in whatever spelling, a child who was shown for it.
    fn own_name(&self) -> Option<Series<'_>> {
        let is_asked_for = self.searches.back().is_some_and(|last| last.own_name);
        (is_asked_for || self.same_children().any(LookedUp::has_own_name)).then_some(Series::SameChildren)
    }

    /// One of the children shown, or the one asked for in vain.
    fn repeated(&self) -> Option<Series<'_>> {
        let whom = self.searches.back().map(|last| last.whom.as_slice()).unwrap_or_default();
        let mut looked_up = whom.iter().filter_map(|one| self.looked_up.get(one));
        looked_up.find(|looked_up| looked_up.is_repeated()).map(Series::LookedUp)
    }

    /// The searches for each of the children whom the last one showed.
    fn same_children(&self) -> impl Iterator<Item = &LookedUp> {
        let whom = self.searches.back().map(|last| last.whom.as_slice()).unwrap_or_default();
        let children = whom.iter().filter(|one| matches!(one, Whom::Child(_)));
        children.filter_map(|child| self.looked_up.get(child))
    }

    /// When a series began.
    fn since(&self, series: &Series<'_>) -> Option<Timestamp> {
        let first = match series {
            Series::SameChildren => {
                let firsts = self.same_children().filter_map(|looked_up| looked_up.marks().next());
                firsts.min_by_key(|mark| mark.place)
            }
            _ => self.marks(series).next(),
        };
        first.map(|mark| mark.at).or(self.last())
    }

    /// The searches of a series.
    fn marks<'a>(&'a self, series: &Series<'a>) -> Box<dyn Iterator<Item = SearchMark> + 'a> {
        match series {
            Series::People(people) => Box::new(people.marks()),
            Series::Case(case) => Box::new(case.marks.iter().copied()),
            Series::SameChildren => Box::new(self.same_children().flat_map(LookedUp::marks)),
            Series::LookedUp(looked_up) => Box::new(looked_up.marks()),
            Series::Walk(number) => Box::new(self.walk.marks_from(*number)),
        }
    }
}

/// The children shown; or, where there is none, the names if they mean one person.
fn who_was_looked_up(new: &New) -> impl Iterator<Item = Whom> {
    let names = &new.question.names;
    let letters = names.first().map_or(0, Vec::len);
    let is_in_vain = new.found.is_empty() && letters >= LETTERS_OF_ONE_PERSON;
    let in_vain = is_in_vain.then(|| Whom::Nobody(names.clone()));
    new.found.iter().map(|(child, _)| Whom::Child(*child)).chain(in_vain)
}
