//! Patterns of searching that an auditor should see: fishing, walks through the alphabet, series at night, one's own
//! name, one child again and again.
//!
//! Kept in memory, for each officer, as long as the longest rule looks back; what it notices is written to the ledger
//! and told by the operation. The thresholds are in `docs/matching.md`; `make attack` measures them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::{
    pattern::Pattern,
    query::{BirthCriterion, Query},
    symbol::Symbol,
};
use crate::{clock::Timestamp, domain::organization::OrganizationCode};

/// What was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        match self {
            Self::ManyNames => "many_names",
            Self::Walk => "walk",
            Self::AtNight => "at_night",
            Self::OwnName => "own_name",
            Self::Repeated => "repeated",
        }
    }
}

/// One search, as the watch sees it.
pub struct Search<'a> {
    /// Id of the request. A request that is decided again takes the place of itself.
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
    /// Not told within the last hour.
    pub is_news: bool,
    /// Children shown, with their owners: in the series where it is news, else in the last search.
    pub found: Vec<(Uuid, OrganizationCode)>,
}

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Searches kept for each officer.
const MOST_KEPT: usize = 512;
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

/// What was asked: the names, and when the child was born.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    names: Vec<Vec<Symbol>>,
    birth: Option<BirthCriterion>,
}

struct Seen {
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
struct Officer {
    searches: VecDeque<Seen>,
    told: BTreeMap<Rule, Timestamp>,
    /// Before the last search.
    told_before: BTreeMap<Rule, Timestamp>,
}

/// The recent searches of every officer of a node.
#[derive(Default)]
pub struct Watch(Mutex<HashMap<(OrganizationCode, String), Officer>>);

impl Watch {
    /// Adds a search and says what it completes.
    pub fn observe(&self, search: Search<'_>) -> Vec<Alert> {
        let Search { request, organization, officer, officer_name, at, query, case_reference, found } = search;
        let patterns: Vec<&Pattern> = [&query.child, &query.guardian, &query.relative].into_iter().flatten().collect();
        let own_name = patterns.iter().any(|pattern| pattern.begins_with_family_name(officer_name));
        let case_reference = reference(case_reference);
        let names: Vec<Vec<Symbol>> = patterns.iter().map(|pattern| pattern.name()).collect();
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
        known.searches.push_back(Seen {
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

    /// Forgets officers who have not searched for longer than any rule looks back.
    pub fn forget_idle(&self, now: Timestamp) {
        let mut officers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        officers.retain(|_, officer| {
            officer.searches.back().is_some_and(|last| last.at.as_micros() > now.as_micros() - LOOK_BACK)
        });
    }
}

/// A reference as it is compared; empty where it refers to nothing.
fn reference(written: &str) -> String {
    let text: String = written.nfkc().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let nothing = [
        "なし",
        "無し",
        "無",
        "未定",
        "未",
        "新規",
        "受理前",
        "確認",
        "確認中",
        "不明",
        "none",
        "na",
        "new",
        "test",
        "テスト",
        "0",
        "1",
    ];
    if nothing.contains(&text.as_str()) { String::new() } else { text }
}

/// A name in kana with its long vowels written out; empty for any other.
fn dictionary_order(name: &[Symbol]) -> Vec<Symbol> {
    let mut before = None;
    let letters = name.iter().map(|letter| {
        let vowel = before.replace(*letter).and_then(Symbol::ending_vowel).map(Symbol::of);
        if *letter == Symbol::LONG { vowel.unwrap_or(*letter) } else { *letter }
    });
    if name.iter().all(|letter| letter.is_kana()) { letters.collect() } else { Vec::new() }
}

/// People whom some questions are about, where a few spellings under one reference are one person.
fn people<'a>(searches: impl Iterator<Item = &'a Seen>) -> usize {
    let mut cases: BTreeMap<&str, BTreeSet<&Question>> = BTreeMap::new();
    for seen in searches {
        cases.entry(&seen.case_reference).or_default().insert(&seen.question);
    }
    let of_case = |(case, questions): (&&str, &BTreeSet<&Question>)| {
        if case.is_empty() { questions.len() } else { questions.len().div_ceil(SPELLINGS) }
    };
    cases.iter().map(of_case).sum()
}

fn sittings<'a>(searches: impl Iterator<Item = &'a Seen>) -> usize {
    let mut last = i64::MIN;
    let begins = |seen: &&Seen| {
        let apart = seen.at.as_micros().saturating_sub(std::mem::replace(&mut last, seen.at.as_micros()));
        apart > SITTING
    };
    searches.filter(begins).count()
}

impl Officer {
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
        while self.searches.front().is_some_and(|seen| seen.at.as_micros() < micros) || self.searches.len() >= MOST_KEPT
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
        let seen: Vec<&Seen> = series.iter().filter_map(|at| self.searches.get(*at)).collect();
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
    fn fresh(&self, at: Timestamp, micros: i64) -> Vec<(usize, &Seen)> {
        let from = at.as_micros() - micros;
        let within = self.searches.iter().enumerate().skip_while(|(_, seen)| seen.at.as_micros() < from);
        within.filter(|(_, seen)| seen.is_fresh).collect()
    }

    /// A series that the last search makes longer by a person, where it has that many.
    fn adds_to_people(&self, series: &[(usize, &Seen)], least: usize) -> Option<Vec<usize>> {
        let (last, before) = series.split_last()?;
        let is_last = last.0 + 1 == self.searches.len();
        let of = |series: &[(usize, &Seen)]| people(series.iter().map(|(_, seen)| *seen));
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
        let of_case: Vec<(usize, &Seen)> =
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
        let longest = |follows: fn(&Seen, &Seen) -> bool| {
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
        let shares = |seen: &Seen| seen.found.iter().any(|(record, _)| last.found.iter().any(|(f, _)| f == record));
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

    fn looked_up(&self, is_it: impl Fn(&Seen) -> bool) -> Vec<(usize, &Seen)> {
        self.searches.iter().enumerate().filter(|(_, seen)| is_it(seen)).collect()
    }
}

fn places(series: &[(usize, &Seen)]) -> Vec<usize> {
    series.iter().map(|(place, _)| *place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Desk {
        watch: Watch,
        now: i64,
        number: u128,
    }

    impl Desk {
        /// In the afternoon.
        fn new() -> Self {
            Self::at_hour(14)
        }

        fn at_hour(hour: i64) -> Self {
            let midnight_in_japan = 1_799_938_800_000_000;
            Self { number: 0, watch: Watch::default(), now: midnight_in_japan + hour * HOUR }
        }

        fn search(&mut self, name: &str, case: &str, minutes: i64, found: &[(Uuid, OrganizationCode)]) -> Vec<Rule> {
            self.now += minutes * MINUTE;
            let query = Query { child: Pattern::of(name), ..Query::default() };
            self.number += 1;
            let alerts = self.watch.observe(Search {
                request: Uuid::from_u128(self.number),
                organization: &OrganizationCode::ministry(),
                officer: "o1",
                officer_name: "早乙女 結",
                at: Timestamp::from_micros(self.now),
                query: &query,
                case_reference: case,
                found: found.to_vec(),
            });
            alerts.into_iter().map(|alert| alert.rule).collect()
        }
    }

    const NAMES: [&str; 14] =
        ["佐藤", "加藤", "高橋", "伊藤", "田中", "渡辺", "山本", "中村", "小林", "吉田", "山田", "木村", "林", "井上"];

    #[test]
    fn many_names_are_noticed_and_one_family_in_many_spellings_is_not() {
        let mut desk = Desk::new();
        let mut all = Vec::new();
        for spelling in ["高橋花子", "タカハシハナコ", "髙橋", "花子 高橋", "高橋花", "ハナコ", "たかはし"]
        {
            all.extend(desk.search(spelling, "R8-1", 2, &[]));
        }
        assert!(all.is_empty(), "{all:?}");
        for (number, name) in NAMES.iter().enumerate() {
            all.extend(desk.search(name, &format!("R8-{number}x"), 2, &[]));
        }
        assert!(all.contains(&Rule::ManyNames));
        let mut slow = Desk::new();
        for (number, name) in NAMES.iter().enumerate() {
            assert!(slow.search(name, &format!("R8-{number}x"), 25, &[]).is_empty(), "a day's work");
        }
    }

    #[test]
    fn walks_nights_own_name_and_repetition_are_noticed() {
        let mut desk = Desk::new();
        let walk = ["アオキ", "アサノ", "アベ", "イトウ", "ウエノ", "エンドウ", "オカダ"];
        let rules: Vec<Vec<Rule>> = walk.iter().map(|name| desk.search(name, "R8-9", 10, &[])).collect();
        assert_eq!(rules.last().unwrap(), &[Rule::Walk]);
        let mut desk = Desk::new();
        let down = ["ワタナベ", "ヤマダ", "ノムラ", "コーノ", "コウダ", "佐藤", "キノ", "アオキ", "アイダ"];
        let rules: Vec<Vec<Rule>> = down.iter().map(|name| desk.search(name, "R8-9", 10, &[])).collect();
        assert_eq!(rules.last().unwrap(), &[Rule::Walk], "downwards, one name beside it");
        let mut desk = Desk::at_hour(2);
        let night: Vec<Rule> = (0..6).flat_map(|n| desk.search(NAMES[n], &format!("R8-{n}x"), 5, &[])).collect();
        assert_eq!(night, [Rule::AtNight]);
        let mut desk = Desk::new();
        assert_eq!(desk.search("早乙女", "R8-1", 1, &[]), [Rule::OwnName]);
        assert_eq!(desk.search("サオトメ", "R8-1", 1, &[]), Vec::<Rule>::new(), "its reading is not known");
        let mut desk = Desk::new();
        let child = [(Uuid::from_u128(7), OrganizationCode::operator())];
        let again: Vec<Rule> = (0..4).flat_map(|n| desk.search("佐藤", &format!("R8-{n}"), 600, &child)).collect();
        assert_eq!(again, [Rule::Repeated]);
        let mut desk = Desk::new();
        let again: Vec<Rule> = (0..3).flat_map(|_| desk.search("佐藤", "なし", 600, &child)).collect();
        assert_eq!(again, [Rule::Repeated]);
        let mut desk = Desk::new();
        let in_vain: Vec<Rule> = (0..4).flat_map(|n| desk.search("早川鏡花", &format!("R8-{n}"), 600, &[])).collect();
        assert_eq!(in_vain, [Rule::Repeated], "whom nothing is registered of");
        let mut desk = Desk::new();
        let reload: Vec<Rule> = (0..9).flat_map(|_| desk.search("佐藤", "なし", 1, &child)).collect();
        assert!(reload.is_empty(), "one sitting");
        let mut desk = Desk::new();
        let casework: Vec<Rule> = (0..5).flat_map(|_| desk.search("佐藤", "R8-55", 600, &child)).collect();
        assert!(casework.is_empty(), "one case, one reference");
    }
}
