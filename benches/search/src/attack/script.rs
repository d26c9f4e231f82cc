//! Four weeks of searches, each with what it was for.
//!
//! Everyone asks the real index while the script is written, and goes on by what it answers.

use fastrand::Rng;
use tsunagi::{
    config,
    domain::{calendar::PartialDate, organization::OrganizationCode},
    search::{
        index::SearchIndex,
        pattern::Pattern,
        query::{BirthCriterion, Query},
    },
};
use uuid::Uuid;

use super::{
    fishing::Campaign,
    workforce::{Office, Officer, Workforce},
};
use crate::{engine, population::Population};

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
/// Monday, 2027-01-04, midnight in Japan, in microseconds since 1970.
pub const START: i64 = 1_798_988_400 * SECOND;
pub const DAYS: i64 = 28;

/// What a search was really for.
#[derive(Clone, Copy)]
pub enum Label {
    Work(Work),
    /// By the campaign's place in [`Script::campaigns`].
    Fishing(usize),
}

/// Kinds of casework.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Report,
    BusyHour,
    NightDuty,
    Return,
    Review,
    List,
}

impl Work {
    pub const ALL: [Self; 6] = [Self::Report, Self::BusyHour, Self::NightDuty, Self::Return, Self::Review, Self::List];

    pub fn name(self) -> &'static str {
        match self {
            Self::Report => "new reports",
            Self::BusyHour => "busy hours at intake",
            Self::NightDuty => "night duty",
            Self::Return => "open cases",
            Self::Review => "month-end review",
            Self::List => "lists of missing",
        }
    }
}

/// One search.
pub struct Event {
    /// Microseconds since 1970.
    pub at: i64,
    /// Place in [`Script::staff`].
    pub officer: usize,
    pub query: Query,
    pub reference: String,
    /// What its page showed.
    pub found: Vec<(Uuid, OrganizationCode)>,
    pub label: Label,
    /// The child is a namesake of the officer's family.
    pub namesake: bool,
}

/// An officer before a terminal.
pub struct Sitting {
    pub officer: usize,
    pub at: i64,
    pub reference: String,
    pub label: Label,
    pub namesake: bool,
}

/// What the officer sees of an answer.
pub enum Answer {
    /// Too little to search on.
    Refused,
    TooMany,
    Nothing,
    Shown,
    /// There is a next page.
    More,
}

pub struct Script {
    pub index: SearchIndex,
    pub registered: Population,
    /// Of the index that is drawn from: officers' own open cases come on top.
    pub records: u64,
    /// Children of whom nothing is registered.
    pub strangers: Population,
    pub random: Rng,
    pub staff: Vec<Officer>,
    pub offices: Vec<Office>,
    /// In the order of time.
    pub events: Vec<Event>,
    pub campaigns: Vec<Campaign>,
    pub last_reference: u32,
}

impl Script {
    pub fn of(seed: u64, records: u64) -> Self {
        let registered = Population::seeded(seed);
        let index = engine::build(&registered, records).index;
        let mut random = Rng::with_seed(seed);
        let Workforce { staff, offices } = Workforce::of(&registered, records, &index, &mut random);
        let mut script = Self {
            index,
            registered,
            records,
            strangers: Population::seeded(!seed),
            random,
            staff,
            offices,
            events: Vec::new(),
            campaigns: Vec::new(),
            last_reference: 0,
        };
        script.work();
        script.fish();
        script.events.sort_by_key(|event| event.at);
        script
    }

    /// Asks for a page, from 0. A search that is refused as too broad is left out: it shows nobody.
    pub fn ask(&mut self, sitting: &Sitting, query: &Query, page: usize) -> Answer {
        if query.is_too_broad() {
            return Answer::Refused;
        }
        let answer = engine::search(&self.index, query);
        let size = config::SearchConfig::default().page_hits;
        let found: Vec<(Uuid, OrganizationCode)> =
            answer.records.iter().skip(page * size).take(size).cloned().collect();
        let seen = if answer.too_many {
            Answer::TooMany
        } else if found.is_empty() {
            Answer::Nothing
        } else if answer.records.len() > (page + 1) * size {
            Answer::More
        } else {
            Answer::Shown
        };
        self.events.push(Event {
            at: sitting.at,
            officer: sitting.officer,
            query: query.clone(),
            reference: sitting.reference.clone(),
            found,
            label: sitting.label,
            namesake: sitting.namesake,
        });
        seen
    }

    /// Whether something happens that does in so many of a hundred cases.
    pub fn in_hundred(&mut self, cases: u8) -> bool {
        self.random.u8(0..100) < cases
    }

    /// A number, as an organization gives it to a case.
    pub fn new_reference(&mut self) -> String {
        self.last_reference += self.random.u32(1..4);
        format!("R8-{:05}", self.last_reference)
    }
}

pub fn named(child: &str) -> Query {
    Query { child: Pattern::of(child), ..Query::default() }
}

pub fn born(query: Query, year: i32) -> Query {
    Query { birth: Some(BirthCriterion::on(PartialDate { year, month: None, day: None })), ..query }
}

pub fn is_workday(day: i64) -> bool {
    day % 7 < 5
}
