//! Fishing, by officers who do their ordinary work besides.
//!
//! Campaigns of a kind differ in pace and in what they write as case reference. They are made from what an insider
//! would try, not from what the rules look for: one walks backwards, one takes six names a day, some ask for relatives
//! in kana, one looks for a child of whom nothing is registered.

use tsunagi::search::query::Query;

use super::{
    script::{DAY, Label, MINUTE, SECOND, START, Script, Sitting, born, is_workday, named},
    workforce::Child,
};
use crate::population::Name;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    FastList,
    KanaWalk,
    SlowWalk,
    NightSeries,
    OneReference,
    NewReferences,
    OneChild,
    OwnSurname,
    LowAndSlow,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::FastList,
        Self::KanaWalk,
        Self::SlowWalk,
        Self::NightSeries,
        Self::OneReference,
        Self::NewReferences,
        Self::OneChild,
        Self::OwnSurname,
        Self::LowAndSlow,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::FastList => "fast list of names",
            Self::KanaWalk => "walk through the kana",
            Self::SlowWalk => "walk, 10 min a step",
            Self::NightSeries => "series at night",
            Self::OneReference => "one false reference",
            Self::NewReferences => "new false references",
            Self::OneChild => "one child, repeatedly",
            Self::OwnSurname => "own family name",
            Self::LowAndSlow => "8 an hour for a day",
        }
    }

    /// Campaigns, and the searches of each: a thousand in all.
    fn extent(self) -> (usize, usize) {
        match self {
            Self::FastList => (3, 40),
            Self::KanaWalk => (5, 24),
            Self::SlowWalk => (4, 20),
            Self::NightSeries => (5, 16),
            Self::OneReference | Self::NewReferences => (5, 30),
            Self::OneChild => (12, 10),
            Self::OwnSurname => (8, 10),
            Self::LowAndSlow => (2, 50),
        }
    }
}

pub struct Campaign {
    pub kind: Kind,
    /// Place in [`Script::staff`].
    pub officer: usize,
}

/// How a campaign goes about it.
struct Plan {
    queries: Vec<Query>,
    /// Minutes of the day between which it begins.
    begins: (i64, i64),
    /// Seconds between two searches.
    gap: (i64, i64),
    a_day: usize,
    references: References,
}

#[derive(Clone, Copy)]
enum References {
    Missing,
    /// One that was made up.
    One,
    /// A new one for each search.
    Changing,
}

const UNREFERENCED: [&str; 4] = ["なし", "なし", "-", "確認"];
/// The commonest names, from which lists are made and through which walks go.
const LISTED: usize = 400;
const WALKED: usize = 1_500;
const MORNING: (i64, i64) = (520, 660);
const ANY_TIME: (i64, i64) = (510, 1_170);
const LATE: (i64, i64) = (1_330, 1_500);
const ALL_AT_ONCE: usize = usize::MAX;

impl Script {
    /// Writes all campaigns, each by an officer of its own.
    pub fn fish(&mut self) {
        let mut officers: Vec<usize> = (0..self.staff.len()).collect();
        self.random.shuffle(&mut officers);
        let mut officers = officers.into_iter();
        for kind in Kind::ALL {
            let (campaigns, searches) = kind.extent();
            for (style, officer) in officers.by_ref().take(campaigns).enumerate() {
                self.campaigns.push(Campaign { kind, officer });
                let plan = self.plan(kind, style, officer, searches);
                self.carry_out(officer, plan);
            }
        }
    }

    fn plan(&mut self, kind: Kind, style: usize, officer: usize, searches: usize) -> Plan {
        use References::{Changing, Missing, One};
        let one_or_changing = if style.is_multiple_of(2) { One } else { Changing };
        let of_styles = |references: &[References]| references[style % references.len()];
        match kind {
            Kind::FastList => Plan {
                queries: self.list_of(searches, 0),
                begins: MORNING,
                gap: (8, 30),
                a_day: ALL_AT_ONCE,
                references: of_styles(&[Missing, One, Changing]),
            },
            Kind::KanaWalk => Plan {
                queries: self.walk(searches, style),
                begins: MORNING,
                gap: (120, 480),
                a_day: ALL_AT_ONCE,
                references: one_or_changing,
            },
            Kind::SlowWalk => Plan {
                queries: self.walk(searches, 0),
                begins: MORNING,
                gap: (570, 630),
                a_day: ALL_AT_ONCE,
                references: one_or_changing,
            },
            Kind::NightSeries => Plan {
                queries: self.list_of(searches, 70),
                begins: LATE,
                gap: (240, 600),
                a_day: ALL_AT_ONCE,
                references: of_styles(&[Missing, Changing]),
            },
            Kind::OneReference => Plan {
                queries: self.list_of(searches, 50),
                begins: MORNING,
                gap: (300, 900),
                a_day: [30, 15, 10, 30, 6][style % 5],
                references: One,
            },
            Kind::NewReferences => {
                let minutes = [2, 3, 4, 5, 7][style % 5];
                Plan {
                    queries: self.list_of(searches, 50),
                    begins: MORNING,
                    gap: (minutes * 36, minutes * 84),
                    a_day: ALL_AT_ONCE,
                    references: Changing,
                }
            }
            Kind::OneChild => Plan {
                queries: self.one_child(searches, style < 11),
                begins: ANY_TIME,
                gap: (60, 3_600),
                a_day: 1 + style % 2,
                references: match style {
                    0..4 => Missing,
                    9 | 10 => One,
                    _ => Changing,
                },
            },
            Kind::OwnSurname => Plan {
                queries: self.own_family(officer, searches),
                begins: ANY_TIME,
                gap: (60, 240),
                a_day: if style.is_multiple_of(2) { ALL_AT_ONCE } else { 4 },
                references: of_styles(&[Missing, Missing, Changing, Changing]),
            },
            Kind::LowAndSlow => Plan {
                queries: self.list_of(searches, 50),
                begins: MORNING,
                gap: (390, 510),
                a_day: ALL_AT_ONCE,
                references: Changing,
            },
        }
    }

    fn carry_out(&mut self, officer: usize, plan: Plan) {
        let label = Label::Fishing(self.campaigns.len() - 1);
        let made_up = self.made_up();
        let mut day = self.random.i64(0..12);
        let mut sitting = Sitting { officer, at: 0, reference: String::new(), label, namesake: false };
        for (number, query) in plan.queries.iter().enumerate() {
            if number.is_multiple_of(plan.a_day) {
                day += i64::from(number > 0);
                while !is_workday(day) {
                    day += 1;
                }
                let (from, until) = plan.begins;
                sitting.at = START + day * DAY + self.random.i64(from..until) * MINUTE;
            } else {
                let (from, until) = plan.gap;
                sitting.at += self.random.i64(from..until) * SECOND;
            }
            sitting.reference = match plan.references {
                References::Missing => (*self.random.choice(&UNREFERENCED).expect("words")).to_owned(),
                References::One => made_up.clone(),
                References::Changing => self.made_up(),
            };
            self.ask(&sitting, query, 0);
        }
    }

    fn made_up(&mut self) -> String {
        format!("R8-{:05}", self.random.u32(0..100_000))
    }

    /// Common family names in no order, so many of a hundred with a birth year.
    fn list_of(&mut self, count: usize, with_year: u8) -> Vec<Query> {
        let several = |name: &&Name| name.kanji.chars().count() > 1;
        let mut names: Vec<Name> = self.registered.surnames().iter().filter(several).take(LISTED).copied().collect();
        self.random.shuffle(&mut names);
        names.truncate(count);
        let mut queries = Vec::with_capacity(count);
        for name in names {
            let query = named(name.kanji);
            let year = self.random.i32(2010..=2026);
            queries.push(if self.in_hundred(with_year) { born(query, year) } else { query });
        }
        queries
    }

    /// Family names in the order of a dictionary: upwards; in style 3 downwards; in style 4 with two of
    /// five in each other's place.
    fn walk(&mut self, count: usize, style: usize) -> Vec<Query> {
        let mut names: Vec<&'static str> =
            self.registered.surnames().iter().take(WALKED).map(|name| name.kana).collect();
        names.retain(|kana| kana.chars().count() > 1);
        names.sort_by_key(|kana| dictionary_key(kana));
        names.dedup_by_key(|kana| dictionary_key(kana));
        let longest_step = names.len() / (count + 1);
        let mut at = 0;
        let mut walked = Vec::with_capacity(count);
        for _ in 0..count {
            at += self.random.usize(1..=longest_step);
            walked.push(names[at]);
        }
        match style {
            3 => walked.reverse(),
            4 => walked.chunks_exact_mut(5).for_each(|five| five.swap(0, 4)),
            _ => {}
        }
        walked.into_iter().map(named).collect()
    }

    /// A former partner's child.
    fn one_child(&mut self, count: usize, registered: bool) -> Vec<Query> {
        let child = loop {
            let sample = if registered {
                self.registered.sample(self.random.u64(0..self.records))
            } else {
                self.strangers.sample(self.random.u64(..))
            };
            if sample.facts.derived.searchable {
                break Child::of(&sample);
            }
        };
        let one = |way: u8| match way {
            0 => named(&child.kanji()),
            1 => named(&child.kana()),
            _ => born(named(&child.kanji()), child.year),
        };
        (0..count).map(|_| one(self.random.u8(0..3))).collect()
    }

    /// Four relatives, three times in four in kanji.
    fn own_family(&mut self, officer: usize, count: usize) -> Vec<Query> {
        let surname = self.staff[officer].surname;
        let relatives: Vec<Name> = (0..4).map(|_| self.strangers.sample(self.random.u64(..)).given).collect();
        let mut queries = Vec::with_capacity(count);
        for _ in 0..count {
            let given = *self.random.choice(&relatives).expect("relatives");
            let in_kanji = self.in_hundred(75);
            let (family, given) = if in_kanji { (surname.kanji, given.kanji) } else { (surname.kana, given.kana) };
            queries.push(named(&format!("{family}{given}")));
        }
        queries
    }
}

/// Unvoiced and large, as a dictionary orders kana first.
fn dictionary_key(kana: &str) -> String {
    const WRITTEN: &str = "ガギグゲゴザジズゼゾダヂヅデドバビブベボパピプペポァィゥェォッャュョ";
    const ORDERED: &str = "カキクケコサシスセソタチツテトハヒフヘホハヒフヘホアイウエオツヤユヨ";
    let ordered = |c: char| WRITTEN.chars().position(|written| written == c).and_then(|at| ORDERED.chars().nth(at));
    kana.chars().map(|c| ordered(c).unwrap_or(c)).collect()
}
