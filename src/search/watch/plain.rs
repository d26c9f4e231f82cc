//! The rules of the watch over a plain list of searches, gone through anew for each: as `docs/matching.md` states them.
//! The watch must notice the same.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use super::{
    asked::{Question, dictionary_order, reference},
    *,
};

struct PlainSearch {
    request: Uuid,
    at: Timestamp,
    night: bool,
    question: Question,
    /// The first name as a dictionary orders it; empty where it is not in kana.
    step: Vec<Symbol>,
    case_reference: String,
    own_name: bool,
    /// Neither about the organization's own children nor under the reference of a case known for long.
    is_fresh: bool,
    found: Vec<(Uuid, OrganizationCode)>,
}

#[derive(Default)]
struct PlainHistory {
    searches: VecDeque<PlainSearch>,
    told: BTreeMap<Rule, Timestamp>,
    /// Before the last search.
    told_before: BTreeMap<Rule, Timestamp>,
}

/// The recent searches of every officer of a node.
#[derive(Default)]
pub(super) struct Plain(Mutex<HashMap<(OrganizationCode, String), PlainHistory>>);

impl Plain {
    /// Adds a search and says what it completes.
    pub(super) fn observe(&self, search: WatchedSearch<'_>) -> Vec<Alert> {
        let WatchedSearch { request, organization, officer, officer_name, at, query, case_reference, found } = search;
        let patterns: Vec<&Pattern> = [&query.child, &query.guardian, &query.relative].into_iter().flatten().collect();
        let own_name = patterns.iter().any(|pattern| pattern.begins_with_family_name(officer_name));
        let case_reference = reference(case_reference);
        let names = patterns.iter().map(|pattern| pattern.name()).collect();
        let own_children = !found.is_empty() && found.iter().all(|(_, owner)| owner == organization);
        let mut officers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = officers.entry((organization.clone(), officer.to_owned())).or_default();
        known.take_back(request);
        known.forget_before(at.as_micros() - LOOK_BACK);
        let question = Question { names, birth: query.birth };
        if known.has_just_asked(&question, &case_reference, &found, at) {
            return Vec::new();
        }
        let is_fresh = !own_children && !known.has_long_known(&case_reference, at);
        known.searches.push_back(PlainSearch {
            request,
            at,
            night: !(6..22).contains(&at.hour_in_japan()),
            step: question.names.first().map(|name| dictionary_order(name)).unwrap_or_default(),
            question,
            case_reference,
            own_name,
            is_fresh,
            found,
        });
        let rules = [
            (Rule::ManyNames, known.many_names(at)),
            (Rule::Walk, known.walk(at)),
            (Rule::AtNight, known.at_night(at)),
            (Rule::OwnName, known.own_name()),
            (Rule::Repeated, known.repeated()),
        ];
        rules.into_iter().filter_map(|(rule, series)| known.alert(rule, series?, at)).collect()
    }
}

/// People whom some questions are about, where a few spellings under one reference are one person.
fn people<'a>(searches: impl Iterator<Item = &'a PlainSearch>) -> usize {
    let mut cases: BTreeMap<&str, BTreeSet<&Question>> = BTreeMap::new();
    for seen in searches {
        cases.entry(&seen.case_reference).or_default().insert(&seen.question);
    }
    let of_case = |(case, questions): (&&str, &BTreeSet<&Question>)| {
        if case.is_empty() { questions.len() } else { questions.len().div_ceil(SPELLINGS) }
    };
    cases.iter().map(of_case).sum()
}

fn sittings<'a>(searches: impl Iterator<Item = &'a PlainSearch>) -> usize {
    let mut last = i64::MIN;
    let begins = |seen: &&PlainSearch| {
        let apart = seen.at.as_micros().saturating_sub(std::mem::replace(&mut last, seen.at.as_micros()));
        apart > SITTING
    };
    searches.filter(begins).count()
}

impl PlainHistory {
    fn take_back(&mut self, request: Uuid) {
        if self.searches.pop_back_if(|last| last.request == request).is_some() {
            self.told.clone_from(&self.told_before);
        }
        self.told_before.clone_from(&self.told);
    }

    /// The same question with the same answer in one sitting: it adds nothing, and pushes nothing out of memory.
    fn has_just_asked(
        &self,
        question: &Question,
        case_reference: &str,
        found: &[(Uuid, OrganizationCode)],
        at: Timestamp,
    ) -> bool {
        self.searches.back().is_some_and(|last| {
            at.as_micros() - last.at.as_micros() <= SITTING
                && last.question == *question
                && last.case_reference == case_reference
                && last.found == found
        })
    }

    fn forget_before(&mut self, micros: i64) {
        while self.searches.front().is_some_and(|seen| seen.at.as_micros() < micros) || self.searches.len() >= MAX_KEPT
        {
            self.searches.pop_front();
        }
    }

    fn has_long_known(&self, case_reference: &str, at: Timestamp) -> bool {
        let long_ago = at.as_micros() - KNOWN_CASE;
        !case_reference.is_empty()
            && self
                .searches
                .iter()
                .take_while(|seen| seen.at.as_micros() < long_ago)
                .any(|seen| seen.case_reference == case_reference)
    }

    fn alert(&mut self, rule: Rule, series: Vec<usize>, at: Timestamp) -> Option<Alert> {
        let seen: Vec<&PlainSearch> = series.iter().filter_map(|at| self.searches.get(*at)).collect();
        let since = seen.first()?.at;
        let is_news = self.told.get(&rule).is_none_or(|told| at.as_micros() - told.as_micros() > HOUR);
        let untold = if is_news { seen.as_slice() } else { seen.get(seen.len() - 1..).unwrap_or_default() };
        let mut found: Vec<(Uuid, OrganizationCode)> = untold.iter().flat_map(|seen| seen.found.clone()).collect();
        found.sort();
        found.dedup();
        if is_news {
            self.told.insert(rule, at);
        }
        Some(Alert { rule, since, is_news, found })
    }

    /// Fresh searches within a time before a moment, with their places.
    fn fresh(&self, at: Timestamp, micros: i64) -> Vec<(usize, &PlainSearch)> {
        let from = at.as_micros() - micros;
        let within = self.searches.iter().enumerate().skip_while(|(_, seen)| seen.at.as_micros() < from);
        within.filter(|(_, seen)| seen.is_fresh).collect()
    }

    /// A series that the last search makes longer by a person, where it has that many.
    fn adds_to_people(&self, series: &[(usize, &PlainSearch)], least: usize) -> Option<Vec<usize>> {
        let (last, before) = series.split_last()?;
        let is_last = last.0 + 1 == self.searches.len();
        let of = |series: &[(usize, &PlainSearch)]| people(series.iter().map(|(_, seen)| *seen));
        let now = of(series);
        (is_last && now >= least && now > of(before)).then(|| places(series))
    }

    fn many_names(&self, at: Timestamp) -> Option<Vec<usize>> {
        let in_time =
            MANY_PEOPLE.iter().filter_map(|(least, within)| self.adds_to_people(&self.fresh(at, *within), *least));
        in_time.chain(self.many_in_a_case()).max_by_key(Vec::len)
    }

    fn many_in_a_case(&self) -> Option<Vec<usize>> {
        let last = self.searches.back().filter(|last| !last.case_reference.is_empty())?;
        let of_case: Vec<(usize, &PlainSearch)> =
            self.searches.iter().enumerate().filter(|(_, seen)| seen.case_reference == last.case_reference).collect();
        let (_, before) = of_case.split_last()?;
        let questions: BTreeSet<&Question> = before.iter().map(|(_, seen)| &seen.question).collect();
        let is_many = questions.len() + 1 >= MANY_IN_A_CASE && !questions.contains(&last.question);
        is_many.then(|| places(&of_case))
    }

    /// The longest run of names in order, up or down, that the last one ends; a few in between may be out of order.
    fn walk(&self, at: Timestamp) -> Option<Vec<usize>> {
        let mut steps = self.fresh(at, WALK_WITHIN);
        steps.retain(|(_, seen)| !seen.step.is_empty());
        steps.dedup_by(|(_, a), (_, b)| a.step == b.step);
        steps.last().filter(|(place, _)| place + 1 == self.searches.len())?;
        let longest = |follows: fn(&PlainSearch, &PlainSearch) -> bool| {
            // For each name: the length of the longest run that it ends, and the name before it in that run.
            let mut runs: Vec<(usize, Option<usize>)> = Vec::with_capacity(steps.len());
            for (at, (_, seen)) in steps.iter().enumerate() {
                let earlier = steps.iter().zip(&runs).enumerate().take(at);
                let best = earlier.filter(|(_, ((_, earlier), _))| follows(seen, earlier));
                let best = best.map(|(place, (_, (length, _)))| (*length, place)).max();
                runs.push(best.map_or((1, None), |(length, place)| (length + 1, Some(place))));
            }
            let (length, _) = *runs.last()?;
            let mut first = runs.len() - 1;
            while let Some((_, Some(before))) = runs.get(first) {
                first = *before;
            }
            let names = steps.len() - first;
            (length >= WALK && length * 100 >= names * WALK_PERCENT)
                .then(|| places(steps.get(first..).unwrap_or_default()))
        };
        longest(|later, earlier| later.step > earlier.step)
            .or_else(|| longest(|later, earlier| later.step < earlier.step))
    }

    fn at_night(&self, at: Timestamp) -> Option<Vec<usize>> {
        let mut series = self.fresh(at, NIGHT_WITHIN);
        series.retain(|(_, seen)| seen.night);
        self.adds_to_people(&series, NIGHT_PEOPLE)
    }

    /// The officer's own family name; or, in whatever spelling, a child who was shown for it.
    fn own_name(&self) -> Option<Vec<usize>> {
        let last = self.searches.back()?;
        let shares =
            |seen: &PlainSearch| seen.found.iter().any(|(record, _)| last.found.iter().any(|(f, _)| f == record));
        let mut series = self.looked_up(shares);
        if last.found.is_empty() {
            series.push((self.searches.len() - 1, last));
        }
        series.iter().any(|(_, seen)| seen.own_name).then(|| places(&series))
    }

    /// One of the children shown, or the one asked for in vain.
    fn repeated(&self) -> Option<Vec<usize>> {
        let last = self.searches.back()?;
        let letters = last.question.names.first().map_or(0, Vec::len);
        let in_vain = (last.found.is_empty() && letters >= LETTERS_OF_ONE_PERSON)
            .then(|| self.looked_up(|seen| seen.found.is_empty() && seen.question.names == last.question.names));
        let shown =
            last.found.iter().map(|(record, _)| self.looked_up(|seen| seen.found.iter().any(|(f, _)| f == record)));
        shown.chain(in_vain).find_map(|series| {
            let seen = || series.iter().map(|(_, seen)| *seen);
            let references: BTreeSet<&str> = seen().map(|seen| seen.case_reference.as_str()).collect();
            let unreferenced = seen().filter(|seen| seen.case_reference.is_empty());
            let repeated = references.len() >= REPEATED_REFERENCES
                || sittings(unreferenced) >= REPEATED_UNREFERENCED
                || sittings(seen()) >= REPEATED_SITTINGS;
            repeated.then(|| places(&series))
        })
    }

    fn looked_up(&self, is_it: impl Fn(&PlainSearch) -> bool) -> Vec<(usize, &PlainSearch)> {
        self.searches.iter().enumerate().filter(|(_, seen)| is_it(seen)).collect()
    }
}

fn places(series: &[(usize, &PlainSearch)]) -> Vec<usize> {
    series.iter().map(|(place, _)| *place).collect()
}
