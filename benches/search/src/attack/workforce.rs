//! Who searches: officers of child guidance centers and municipalities, with the cases they have open.

use fastrand::Rng;
use tsunagi::{
    domain::{
        organization::{OrganizationCode, OrganizationKind},
        registry::Registry,
    },
    search::{index::SearchIndex, records::PackedRecord},
};

use crate::population::{Name, Population, Sample};

/// They are the first of the offices.
pub const CENTERS: usize = 20;
const CITIES: usize = 30;
/// At the intake desk, and caseworkers.
const OF_CENTER: (usize, usize) = (2, 7);
const OF_CITY: (usize, usize) = (1, 3);
/// Each office's district has one family name, of the commonest so many, that so many in a hundred bear on top.
const LOCAL_AMONG: usize = 30;
const LOCAL_IN_HUNDRED: u8 = 5;
/// Officers in a hundred who mostly give no case reference.
const CARELESS_IN_HUNDRED: u8 = 2;

pub struct Workforce {
    pub staff: Vec<Officer>,
    pub offices: Vec<Office>,
}

pub struct Officer {
    pub organization: OrganizationCode,
    pub id: String,
    pub surname: Name,
    /// As the organization's directory has it.
    pub name: String,
    pub careless: bool,
    /// None at an intake desk.
    pub open: Vec<Case>,
}

/// Officers by their places.
pub struct Office {
    pub local: Name,
    pub intake: Vec<usize>,
    pub caseworkers: Vec<usize>,
}

#[derive(Clone)]
pub struct Case {
    pub reference: String,
    pub child: Child,
}

/// What a reporter may know.
#[derive(Clone, Copy)]
pub struct Child {
    pub surname: Name,
    pub given: Name,
    /// The given name.
    pub guardian: Name,
    pub year: i32,
}

impl Child {
    pub fn of(sample: &Sample) -> Self {
        Self {
            surname: sample.surname,
            given: sample.given,
            guardian: sample.guardian_given,
            year: sample.items.birth_date.year,
        }
    }

    pub fn kanji(&self) -> String {
        format!("{}{}", self.surname.kanji, self.given.kanji)
    }

    pub fn kana(&self) -> String {
        format!("{}{}", self.surname.kana, self.given.kana)
    }
}

impl Workforce {
    /// Officers of offices drawn at random; their own cases are put into the index, numbered from `records`.
    pub fn of(population: &Population, records: u64, index: &SearchIndex, random: &mut Rng) -> Self {
        let mut hiring = Hiring { population, random, next: records, staff: Vec::new(), registered: Vec::new() };
        let mut offices = Vec::new();
        for (kind, count, (intake, caseworkers)) in [
            (OrganizationKind::ChildGuidanceCenter, CENTERS, OF_CENTER),
            (OrganizationKind::Municipality, CITIES, OF_CITY),
        ] {
            for organization in hiring.organizations(kind, count) {
                let local = population.surnames()[hiring.random.usize(0..LOCAL_AMONG)];
                let intake = (0..intake).map(|_| hiring.hire(&organization, local, 0)).collect();
                let caseworkers = (0..caseworkers)
                    .map(|_| {
                        let open = hiring.random.usize(20..=32);
                        hiring.hire(&organization, local, open)
                    })
                    .collect();
                offices.push(Office { local, intake, caseworkers });
            }
        }
        index.put_all(&hiring.registered);
        Self { staff: hiring.staff, offices }
    }
}

struct Hiring<'a> {
    population: &'a Population,
    random: &'a mut Rng,
    /// Number of the next record.
    next: u64,
    staff: Vec<Officer>,
    registered: Vec<PackedRecord>,
}

impl Hiring<'_> {
    fn organizations(&mut self, kind: OrganizationKind, count: usize) -> Vec<OrganizationCode> {
        let registry = Registry::embedded().expect("registry");
        let mut codes: Vec<OrganizationCode> =
            registry.bodies().map(|body| body.code.clone()).filter(|code| code.kind() == kind).collect();
        codes.sort();
        self.random.shuffle(&mut codes);
        codes.truncate(count);
        codes
    }

    /// Place of a new officer with so many open cases.
    fn hire(&mut self, organization: &OrganizationCode, local: Name, open: usize) -> usize {
        let place = self.staff.len();
        let person = self.population.sample(self.random.u64(..));
        let surname = if self.random.u8(0..100) < LOCAL_IN_HUNDRED { local } else { person.surname };
        let open = (0..open).map(|_| self.open(organization, local)).collect();
        self.staff.push(Officer {
            organization: organization.clone(),
            id: format!("o{place}"),
            surname,
            name: format!("{} {}", surname.kanji, person.given.kanji),
            careless: self.random.u8(0..100) < CARELESS_IN_HUNDRED,
            open,
        });
        place
    }

    /// A case of last year, registered by the organization.
    fn open(&mut self, organization: &OrganizationCode, local: Name) -> Case {
        let of_local = self.random.u8(0..100) < LOCAL_IN_HUNDRED;
        let sample = loop {
            let sample = self.population.sample(self.next);
            self.next += 1;
            if !of_local || sample.surname.kanji == local.kanji {
                break sample;
            }
        };
        let mut facts = sample.facts.clone();
        facts.owner = organization.clone();
        facts.derived.searchable = true;
        self.registered.push(PackedRecord::new(facts, &sample.items));
        Case { reference: format!("R7-{:05}", self.registered.len()), child: Child::of(&sample) }
    }
}
