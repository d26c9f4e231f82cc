//! Patterns of searching that an auditor should see: fishing, walks through the alphabet, series at night, one's own
//! name, one child again and again.
//!
//! Kept in memory, for each officer, as long as the longest rule looks back; what it notices is written to the ledger
//! and told by the operation. The thresholds are in `docs/matching.md`; `make attack` measures them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use uuid::Uuid;

use super::{
    pattern::{Pattern, Rank},
    query::Query,
    symbol::Symbol,
};
use crate::{
    clock::Timestamp,
    domain::{case_record::NameForm, organization::OrganizationCode},
};

/// What was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Many distinct names in little time.
    ManyNames,
    /// Names one after another in the order of the alphabet.
    Walk,
    /// A series of names at night.
    AtNight,
    /// The officer's own family name.
    OwnName,
    /// One child again and again, under changing or empty case references.
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
    pub organization: &'a OrganizationCode,
    pub officer: &'a str,
    /// The officer's name, for [`Rule::OwnName`].
    pub officer_name: &'a str,
    pub at: Timestamp,
    pub query: &'a Query,
    pub case_reference: &'a str,
    /// Children shown, with their owners.
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
/// Spellings of one case's names that count as one.
const SPELLINGS: usize = 4;
const MANY_NAMES: usize = 12;
const MANY_NAMES_WITHIN: i64 = HOUR;
/// Names under one case reference in a day.
const MANY_IN_A_CASE: usize = 10;
const WALK: usize = 7;
const WALK_WITHIN: i64 = 2 * HOUR;
const NIGHT_NAMES: usize = 6;
const NIGHT_WITHIN: i64 = HOUR;
const REPEATED: usize = 4;
const REPEATED_UNREFERENCED: usize = 3;

struct Seen {
    at: Timestamp,
    night: bool,
    name: Vec<Symbol>,
    case_reference: String,
    found: Vec<(Uuid, OrganizationCode)>,
}

#[derive(Default)]
struct Officer {
    searches: VecDeque<Seen>,
    told: BTreeMap<Rule, Timestamp>,
}

/// The recent searches of every officer of a node.
#[derive(Default)]
pub struct Watch(Mutex<HashMap<(OrganizationCode, String), Officer>>);

impl Watch {
    /// Adds a search and says what it completes.
    pub fn observe(&self, search: Search<'_>) -> Vec<Alert> {
        let Search { organization, officer, officer_name, at, query, case_reference, found } = search;
        let mut officers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = officers.entry((organization.clone(), officer.to_owned())).or_default();
        known.forget_before(at.as_micros() - LOOK_BACK);
        let name = [&query.child, &query.guardian, &query.relative].into_iter().flatten().next().map(Pattern::name);
        known.searches.push_back(Seen {
            at,
            night: !(6..22).contains(&at.hour_in_japan()),
            name: name.unwrap_or_default(),
            case_reference: reference(case_reference),
            found,
        });
        let mut rules = vec![
            (Rule::ManyNames, known.many_names(at)),
            (Rule::Walk, known.walk(at)),
            (Rule::AtNight, known.at_night(at)),
            (Rule::Repeated, known.repeated()),
        ];
        if is_own_name(query, officer_name) {
            rules.push((Rule::OwnName, Some(vec![known.searches.len() - 1])));
        }
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
    let text: String = written.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let nothing = ["なし", "無し", "無", "none", "na", "test", "テスト", "不明", "0", "1"];
    if nothing.contains(&text.as_str()) { String::new() } else { text }
}

fn is_own_name(query: &Query, officer_name: &str) -> bool {
    let family = officer_name.split(char::is_whitespace).next().unwrap_or_default();
    let Some(own) = Pattern::of(family) else { return false };
    let name = super::fold::FoldedName::of(NameForm::Written, family);
    let patterns = [&query.child, &query.guardian, &query.relative].into_iter().flatten();
    patterns.into_iter().any(|pattern| {
        pattern.best(std::slice::from_ref(&name)).is_some_and(|(rank, _)| rank == Rank::Exact)
            || pattern.name().starts_with(&own.name())
    })
}

impl Officer {
    fn forget_before(&mut self, micros: i64) {
        while self.searches.front().is_some_and(|seen| seen.at.as_micros() < micros) || self.searches.len() >= MOST_KEPT
        {
            self.searches.pop_front();
        }
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

    /// Places of the searches within a time before a moment.
    fn within(&self, at: Timestamp, micros: i64) -> impl DoubleEndedIterator<Item = (usize, &Seen)> {
        let from = at.as_micros() - micros;
        self.searches.iter().enumerate().filter(move |(_, seen)| seen.at.as_micros() >= from)
    }

    /// People asked for, where a few spellings under one reference are one person.
    fn people<'a>(searches: impl Iterator<Item = (usize, &'a Seen)>) -> (usize, Vec<usize>) {
        let mut names: BTreeMap<&str, BTreeSet<&[Symbol]>> = BTreeMap::new();
        let mut series = Vec::new();
        for (place, seen) in searches {
            names.entry(&seen.case_reference).or_default().insert(&seen.name);
            series.push(place);
        }
        let of_case = |(case, names): (&&str, &BTreeSet<&[Symbol]>)| {
            if case.is_empty() { names.len() } else { names.len().div_ceil(SPELLINGS) }
        };
        (names.iter().map(of_case).sum(), series)
    }

    fn many_names(&self, at: Timestamp) -> Option<Vec<usize>> {
        let (people, series) = Self::people(self.within(at, MANY_NAMES_WITHIN));
        if people >= MANY_NAMES {
            return Some(series);
        }
        let case = &self.searches.back()?.case_reference;
        let in_case: Vec<(usize, &Seen)> =
            self.within(at, DAY).filter(|(_, seen)| seen.case_reference == *case).collect();
        let names: BTreeSet<&[Symbol]> = in_case.iter().map(|(_, seen)| seen.name.as_slice()).collect();
        (names.len() >= MANY_IN_A_CASE).then(|| in_case.into_iter().map(|(place, _)| place).collect())
    }

    fn walk(&self, at: Timestamp) -> Option<Vec<usize>> {
        let mut series: Vec<(usize, &Seen)> = Vec::new();
        for (place, seen) in self.within(at, WALK_WITHIN).rev() {
            match series.last() {
                Some((_, later)) if seen.name == later.name => {}
                Some((_, later)) if seen.name > later.name => break,
                _ => series.push((place, seen)),
            }
        }
        (series.len() >= WALK).then(|| series.into_iter().map(|(place, _)| place).rev().collect())
    }

    fn at_night(&self, at: Timestamp) -> Option<Vec<usize>> {
        if !self.searches.back()?.night {
            return None;
        }
        let (people, series) = Self::people(self.within(at, NIGHT_WITHIN).filter(|(_, seen)| seen.night));
        (people >= NIGHT_NAMES).then_some(series)
    }

    fn repeated(&self) -> Option<Vec<usize>> {
        let last = self.searches.back()?;
        last.found.iter().find_map(|(record, _)| {
            let of_child: Vec<(usize, &Seen)> = self
                .searches
                .iter()
                .enumerate()
                .filter(|(_, seen)| seen.found.iter().any(|(found, _)| found == record))
                .collect();
            let references: BTreeSet<&str> = of_child.iter().map(|(_, seen)| seen.case_reference.as_str()).collect();
            let unreferenced = of_child.iter().filter(|(_, seen)| seen.case_reference.is_empty()).count();
            let repeated = references.len() >= REPEATED || unreferenced >= REPEATED_UNREFERENCED;
            repeated.then(|| of_child.into_iter().map(|(place, _)| place).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Desk {
        watch: Watch,
        now: i64,
    }

    impl Desk {
        /// In the afternoon.
        fn new() -> Self {
            Self::at_hour(14)
        }

        fn at_hour(hour: i64) -> Self {
            let midnight_in_japan = 1_799_938_800_000_000;
            Self { watch: Watch::default(), now: midnight_in_japan + hour * HOUR }
        }

        fn search(&mut self, name: &str, case: &str, minutes: i64, found: &[(Uuid, OrganizationCode)]) -> Vec<Rule> {
            self.now += minutes * MINUTE;
            let query = Query { child: Pattern::of(name), ..Query::default() };
            let alerts = self.watch.observe(Search {
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
        let casework: Vec<Rule> = (0..9).flat_map(|_| desk.search("佐藤", "R8-55", 600, &child)).collect();
        assert!(casework.is_empty(), "one case, one reference");
    }
}
