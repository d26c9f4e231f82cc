//! A synthetic population: names that exist in Japan with their real skew, put together at random. No real person.
//!
//! The same seed and number always make the same record. 佐藤 is 1.5 % of surnames (`data/names`).

use tsunagi::domain::{
    calendar::PartialDate,
    case_record::{DerivedFacts, IndexItems, NameForm, Person, RecordFacts},
    organization::{OrganizationCode, OrganizationKind},
    registry::Registry,
    visibility::Shield,
};
use uuid::Uuid;

const SURNAMES: &str = include_str!("../../../data/names/surnames.tsv");
const GIVEN_NAMES: &str = include_str!("../../../data/names/given_names.tsv");

/// A name with its reading.
#[derive(Clone, Copy)]
pub struct Name {
    pub kanji: &'static str,
    pub kana: &'static str,
}

/// Names to draw from by weight.
struct Drawn {
    names: Vec<Name>,
    /// Upper end of each name's share.
    ends: Vec<u64>,
}

impl Drawn {
    fn read(table: &'static str, keep: impl Fn(&str) -> bool) -> Self {
        let mut drawn = Self { names: Vec::new(), ends: Vec::new() };
        let mut end = 0;
        for line in table.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let (kanji, kana, weight) = (columns[0], columns[1], columns[columns.len() - 1]);
            if keep(columns[2]) {
                end += weight.parse::<u64>().expect("weight");
                drawn.names.push(Name { kanji, kana });
                drawn.ends.push(end);
            }
        }
        drawn
    }

    fn draw(&self, random: &mut fastrand::Rng) -> Name {
        let at = random.u64(0..*self.ends.last().expect("names"));
        self.names[self.ends.partition_point(|end| *end <= at)]
    }
}

pub struct Population {
    seed: u64,
    surnames: Drawn,
    girls: Drawn,
    boys: Drawn,
    municipalities: Vec<OrganizationCode>,
}

/// One child's record, with what queries are made of.
pub struct Sample {
    pub facts: RecordFacts,
    pub items: IndexItems,
    pub surname: Name,
    pub given: Name,
    pub guardian_given: Name,
}

impl Population {
    pub fn seeded(seed: u64) -> Self {
        let registry = Registry::embedded().expect("registry");
        let mut municipalities: Vec<OrganizationCode> = registry
            .bodies()
            .map(|body| body.code.clone())
            .filter(|code| code.kind() == OrganizationKind::Municipality)
            .collect();
        municipalities.sort();
        Self {
            seed,
            surnames: Drawn::read(SURNAMES, |_| true),
            girls: Drawn::read(GIVEN_NAMES, |sex| sex != "m"),
            boys: Drawn::read(GIVEN_NAMES, |sex| sex != "f"),
            municipalities,
        }
    }

    /// Surnames, the commonest first.
    pub fn surnames(&self) -> &[Name] {
        &self.surnames.names
    }

    /// The number of a record.
    pub fn number(record: &Uuid) -> u64 {
        (record.as_u128() >> 64) as u64
    }

    /// The record of a number.
    pub fn sample(&self, number: u64) -> Sample {
        let mut random = fastrand::Rng::with_seed(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let girl = random.bool();
        let surname = self.surnames.draw(&mut random);
        let given = if girl { &self.girls } else { &self.boys }.draw(&mut random);
        let mother = if random.u8(0..100) < 15 { self.surnames.draw(&mut random) } else { surname };
        let (mother_given, father_given) = (self.girls.draw(&mut random), self.boys.draw(&mut random));
        let mut child = person(surname, given);
        let mut guardians = vec![person(surname, father_given), person(mother, mother_given)];
        match random.u8(0..100) {
            0..3 => {
                let former = person(self.surnames.draw(&mut random), mother_given);
                guardians[1].names.extend(former.names.into_iter().map(|(_, name)| (NameForm::Former, name)));
            }
            3 => {
                let alias = person(self.surnames.draw(&mut random), given);
                child.names.extend(alias.names.into_iter().map(|(_, name)| (NameForm::Alias, name)));
            }
            _ => {}
        }
        let year = 2026 - i32::from(random.u8(0..18));
        let birth_date = match random.u8(0..100) {
            0 => PartialDate { year, month: None, day: None },
            _ => PartialDate { year, month: Some(random.u8(1..=12)), day: Some(random.u8(1..=28)) },
        };
        let owner = self.municipalities[random.usize(0..self.municipalities.len())].clone();
        let id = Uuid::from_u128(u128::from(number) << 64 | u128::from(random.u64(..)));
        let facts = RecordFacts {
            id,
            owner: owner.clone(),
            version: 1,
            owned_since: 1,
            closed: random.u8(0..100) < 20,
            serious: false,
            derived: DerivedFacts {
                residence: owner,
                searchable: random.u8(0..100) < 85,
                abuse_case: true,
                shield: Shield { active: random.u16(0..1_000) < 15, named: Vec::new() },
            },
        };
        let sex = if girl { "2" } else { "1" }.to_owned();
        let items = IndexItems { child, sex, birth_date, guardians, relatives: Vec::new() };
        Sample { facts, items, surname, given, guardian_given: father_given }
    }
}

fn person(surname: Name, given: Name) -> Person {
    let written = format!("{}　{}", surname.kanji, given.kanji);
    let kana = format!("{}　{}", surname.kana, given.kana);
    Person { written: written.clone(), names: vec![(NameForm::Written, written), (NameForm::Kana, kana)] }
}
