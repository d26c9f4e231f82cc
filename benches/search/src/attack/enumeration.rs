//! What a thousand searches show to an officer who wants as many children as there are.
//!
//! Each knows the tables of names with their shares, and about how many records there are. Every page is a search.

use std::collections::{BTreeMap, HashSet, VecDeque};

use tsunagi::{
    clock::Timestamp,
    config,
    domain::{calendar::PartialDate, organization::OrganizationCode},
    search::{
        index::SearchIndex,
        pattern::Pattern,
        query::{BirthCriterion, Query},
        watch::{Watch, WatchedSearch},
    },
};
use uuid::Uuid;

use super::script::{HOUR, START};
use crate::{engine, population::Population};

const SURNAMES: &str = include_str!("../../../../data/names/surnames.tsv");
const GIVEN_NAMES: &str = include_str!("../../../../data/names/given_names.tsv");
/// What the weights of a table add up to.
const WHOLE: f64 = 10_000_000.0;
const SEED: u64 = 20_261_121;
const SEARCHES: usize = 1_000;
/// Of the records, those that national search covers.
const COVERED: f64 = 0.85;
/// Birth years of the population.
const YEARS: std::ops::RangeInclusive<i32> = 2009..=2026;
/// Children expected of a search that is likely to stay under the limit: fewer by twice the spread.
const LIKELY: f64 = 0.72;
/// Names and kanji that are put together.
const PAIRED: usize = 2_000;
const PAIRED_KANJI: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strategy {
    Common,
    CommonAndYear,
    WithGivenKanji,
    Rare,
    Adaptive,
}

impl Strategy {
    const ALL: [Self; 5] = [Self::Common, Self::CommonAndYear, Self::WithGivenKanji, Self::Rare, Self::Adaptive];

    fn name(self) -> &'static str {
        match self {
            Self::Common => "common names",
            Self::CommonAndYear => "name + birth year",
            Self::WithGivenKanji => "name + kanji of given name",
            Self::Rare => "rare names",
            Self::Adaptive => "divided by year and month",
        }
    }

    /// What to ask, the most promising first.
    fn targets(self, tables: &Tables, records: u64, most: usize) -> VecDeque<Target> {
        let all = records as f64 * COVERED;
        let likely = most as f64 * LIKELY;
        let fits = |share: f64| share * all <= likely;
        let surnames = || tables.surnames.iter();
        match self {
            Self::Common | Self::Adaptive => surnames().map(|(name, _)| Target::named(name)).collect(),
            Self::Rare => surnames().filter(|(_, share)| fits(*share)).map(|(name, _)| Target::named(name)).collect(),
            Self::CommonAndYear => surnames()
                .filter(|(_, share)| fits(share / YEARS.count() as f64))
                .flat_map(|(name, _)| Target::named(name).divided())
                .take(SEARCHES)
                .collect(),
            Self::WithGivenKanji => {
                let mut pairs: Vec<(f64, String)> = Vec::new();
                for (surname, of_surname) in surnames().take(PAIRED) {
                    for (kanji, of_kanji) in tables.kanji.iter().take(PAIRED_KANJI) {
                        let share = of_surname * of_kanji;
                        if fits(share) {
                            pairs.push((share, format!("{surname} {kanji}")));
                        }
                    }
                }
                pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
                pairs.iter().take(SEARCHES).map(|(_, name)| Target::named(name)).collect()
            }
        }
    }
}

/// Family names and kanji of given names with their shares, the commonest first.
struct Tables {
    surnames: Vec<(&'static str, f64)>,
    kanji: Vec<(char, f64)>,
}

impl Tables {
    fn read() -> Self {
        let mut surnames: BTreeMap<&'static str, f64> = BTreeMap::new();
        for (name, share) in rows(SURNAMES) {
            *surnames.entry(name).or_default() += share;
        }
        let mut kanji: BTreeMap<char, f64> = BTreeMap::new();
        for (name, share) in rows(GIVEN_NAMES) {
            for letter in name.chars().collect::<HashSet<char>>() {
                *kanji.entry(letter).or_default() += share;
            }
        }
        Self { surnames: heaviest_first(surnames), kanji: heaviest_first(kanji) }
    }
}

fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, f64)> {
    table.lines().skip(1).map(|line| {
        let (name, _) = line.split_once('\t').expect("columns");
        let (_, weight) = line.rsplit_once('\t').expect("columns");
        (name, weight.parse::<f64>().expect("weight") / WHOLE)
    })
}

fn heaviest_first<K>(shares: BTreeMap<K, f64>) -> Vec<(K, f64)> {
    let mut shares: Vec<(K, f64)> = shares.into_iter().collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

#[derive(Clone)]
struct Target {
    name: String,
    year: Option<i32>,
    month: Option<u8>,
}

impl Target {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), year: None, month: None }
    }

    fn query(&self) -> Query {
        let birth = self.year.map(|year| BirthCriterion::on(PartialDate { year, month: self.month, day: None }));
        Query { child: Pattern::of(&self.name), birth, ..Query::default() }
    }

    /// The same by year, or by month of its year.
    fn divided(&self) -> Vec<Self> {
        match (self.year, self.month) {
            (None, _) => YEARS.map(|year| Self { year: Some(year), ..self.clone() }).collect(),
            (Some(_), None) => (1..=12).map(|month| Self { month: Some(month), ..self.clone() }).collect(),
            (Some(_), Some(_)) => Vec::new(),
        }
    }
}

/// One search: a page of an answer.
struct Step {
    query: Query,
    shown: Vec<(Uuid, OrganizationCode)>,
}

#[derive(Default)]
struct Extraction {
    steps: Vec<Step>,
    answered: usize,
    nothing: usize,
    too_many: usize,
}

impl Extraction {
    fn by(strategy: Strategy, index: &SearchIndex, mut targets: VecDeque<Target>, page: usize) -> Self {
        let mut extraction = Self::default();
        while extraction.steps.len() < SEARCHES
            && let Some(target) = targets.pop_front()
        {
            let query = target.query();
            // Known beforehand to be refused.
            if query.is_too_broad() {
                continue;
            }
            let found = engine::search(index, &query);
            if found.records.is_empty() {
                extraction.too_many += usize::from(found.too_many);
                extraction.nothing += usize::from(!found.too_many);
                extraction.steps.push(Step { query, shown: Vec::new() });
                if found.too_many && strategy == Strategy::Adaptive {
                    target.divided().into_iter().rev().for_each(|part| targets.push_front(part));
                }
                continue;
            }
            for shown in found.records.chunks(page).take(SEARCHES - extraction.steps.len()) {
                extraction.answered += 1;
                extraction.steps.push(Step { query: query.clone(), shown: shown.to_vec() });
            }
        }
        extraction
    }

    /// Different children that the first so many searches show.
    fn children(&self, searches: usize) -> usize {
        let shown = self.steps.iter().take(searches).flat_map(|step| &step.shown);
        shown.map(|(record, _)| *record).collect::<HashSet<Uuid>>().len()
    }

    /// The number of searches before the first alert, and its rule.
    fn before_alert(
        &self,
        allowance: &config::SearchConfig,
        reference: impl Fn(usize) -> String,
    ) -> Option<(usize, &'static str)> {
        let watch = Watch::default();
        let organization = OrganizationCode::operator();
        self.steps.iter().enumerate().find_map(|(number, step)| {
            let alerts = watch.observe(WatchedSearch {
                request: Uuid::from_u128(number as u128 + 1),
                organization: &organization,
                officer: "o1",
                // Of no family that is asked for.
                officer_name: "",
                at: moment(number, allowance),
                query: &step.query,
                case_reference: &reference(number),
                found: step.shown.clone(),
            });
            alerts.first().map(|alert| (number, alert.rule.as_str()))
        })
    }

    fn noticed(&self, allowance: &config::SearchConfig, reference: impl Fn(usize) -> String) -> String {
        match self.before_alert(allowance, reference) {
            Some((before, rule)) => format!("{} searches, {} children ({rule})", before + 1, self.children(before)),
            None => "never".to_owned(),
        }
    }
}

/// When the allowance lets a search be made that begins a day: some at once, then one by one.
fn moment(number: usize, allowance: &config::SearchConfig) -> Timestamp {
    let at_once = allowance.officer_burst as usize;
    let waited = number.saturating_sub(at_once) as f64 * 3_600.0 / f64::from(allowance.officer_per_hour);
    let seconds = number.min(at_once) as f64 + waited;
    Timestamp::from_micros(START + 9 * HOUR + (seconds * 1e6) as i64)
}

/// Hours that so many searches take.
fn hours(at_once: u32, an_hour: u32) -> f64 {
    (SEARCHES as f64 - f64::from(at_once)).max(0.0) / f64::from(an_hour)
}

pub fn run(records: u64) {
    let population = Population::seeded(SEED);
    let index = engine::build(&population, records).index;
    let tables = Tables::read();
    let allowance = config::SearchConfig::default();
    println!("{SEARCHES} searches for as many children as possible, among {records} records");
    println!(
        "an officer's allowance ({} at once, {} an hour) makes them last {:.1} hours; an organization's ({} at once, {} \
         an hour) {:.1}",
        allowance.officer_burst,
        allowance.officer_per_hour,
        hours(allowance.officer_burst, allowance.officer_per_hour),
        allowance.organization_burst,
        allowance.organization_per_hour,
        hours(allowance.organization_burst, allowance.organization_per_hour)
    );
    println!(
        "{:<28} {:>8} {:>9} {:>8} {:>9} {:>9} {:>9}  first alert, children before it: one reference; new ones",
        "", "searches", "answered", "nothing", "too many", "children", "share"
    );
    for strategy in Strategy::ALL {
        let targets = strategy.targets(&tables, records, engine::MAX_HITS);
        let extraction = Extraction::by(strategy, &index, targets, allowance.page_hits);
        let children = extraction.children(SEARCHES);
        println!(
            "{:<28} {:>8} {:>9} {:>8} {:>9} {children:>9} {:>8.3}%  {}; {}",
            strategy.name(),
            extraction.steps.len(),
            extraction.answered,
            extraction.nothing,
            extraction.too_many,
            children as f64 * 100.0 / records as f64,
            extraction.noticed(&allowance, |_| "R8-00001".to_owned()),
            extraction.noticed(&allowance, |number| format!("R8-{number:05}"))
        );
    }
}
