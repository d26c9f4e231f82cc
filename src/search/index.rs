//! The index in memory: grams of folded names to records. A hit costs no database read.

use std::{
    ops::ControlFlow,
    sync::{PoisonError, RwLock},
};

use hashbrown::{HashMap, HashSet};
use uuid::Uuid;

use super::{
    grams::{self, Gram, Grams},
    near::{Readings, Target},
    pattern::{Pattern, Rank, Unpacked},
    posting::{AnyOf, Posting, intersect},
    query::{BirthCriterion, NearMisses, Query},
    records::{PackedRecord, People, Records, Role},
    symbol::Symbol,
};
use crate::{
    disclosure::Sealed,
    domain::{
        calendar::PartialDate,
        case_record::{NameForm, RecordFacts},
        organization::OrganizationCode,
    },
};

/// A change that follows a committed effect.
pub enum IndexChange {
    Put(Box<PackedRecord>),
    /// Facts changed, names did not.
    Facts(Box<RecordFacts>),
}

/// One child found: the four items, and the facts by which they may be shown.
pub struct Hit {
    pub facts: RecordFacts,
    /// Names as their owner wrote them.
    pub child: String,
    pub guardians: Vec<String>,
    /// Code of the list `SexCode`.
    pub sex: char,
    pub birth_date: PartialDate,
    pub rank: Rank,
    pub matched: Vec<(Role, NameForm)>,
}

/// What a caller may learn of a matching record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Findable {
    /// The four items.
    Shown,
    /// Nothing: it does not exist for this caller.
    Absent,
}

/// What a search came to.
#[derive(Default)]
pub struct Found {
    /// At most the limit, best first. Empty where there were more.
    pub hits: Vec<Sealed<Hit>>,
    pub too_many: bool,
    /// At most the limit, one kana away. Empty where there were more: they never push out a hit.
    pub near: Vec<Sealed<Hit>>,
    pub too_many_near: bool,
    /// The records of `hits` and then of `near`, in their order, with their owners.
    pub records: Vec<(Uuid, OrganizationCode)>,
    /// Shielded records that the search came upon and that stay hidden: their owners are told all the same.
    pub approached: Vec<(Uuid, OrganizationCode)>,
}

/// The index of a node.
#[derive(Default)]
pub struct SearchIndex(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    records: Records,
    child: Grams,
    guardian: Grams,
    relative: Grams,
    readings: Readings,
    births: Births,
}

/// Records by year and by month of birth. Month 0: it is not known.
#[derive(Default)]
struct Births {
    years: HashMap<i32, Posting>,
    months: HashMap<(i32, u8), Posting>,
}

/// A birth date narrower than so many years is looked up; a wider one is asked of each record.
const MOST_YEARS_LOOKED_UP: usize = 2;
const MOST_MONTHS_LOOKED_UP: usize = 3;

impl SearchIndex {
    pub fn apply(&self, change: IndexChange) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            IndexChange::Put(record) => inner.put(&record),
            IndexChange::Facts(facts) => inner.records.put_facts(&facts),
        }
    }

    /// Puts many records in, roles side by side: for building the index.
    pub fn put_all(&self, records: &[PackedRecord]) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        records.chunks(grams::MOST_TOGETHER).for_each(|records| inner.put_all(records));
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).records.count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs a search. `findable` is asked of every match before it is counted, so that what the caller may not see
    /// moves no total, no order and no limit; relatives count in the caller's own records alone.
    pub fn search(
        &self,
        query: &Query,
        caller: &OrganizationCode,
        most: usize,
        findable: impl Fn(&RecordFacts) -> Findable,
    ) -> Found {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut search =
            Search { inner: &inner, query, caller, most, findable, seen: HashSet::new(), approached: Vec::new() };
        let criteria = search.criteria();
        let mut found = Found::default();
        match search.run(&criteria) {
            Some(matches) => found.hits = inner.hits(matches, &mut found.records),
            None => return Found { too_many: true, ..Found::default() },
        }
        let looks_near = match query.near_misses {
            NearMisses::Always => true,
            NearMisses::IfNone => found.hits.is_empty(),
            NearMisses::Never => false,
        };
        if looks_near {
            match search.run_near(&criteria) {
                Some(matches) => found.near = inner.hits(matches, &mut found.records),
                None => found.too_many_near = true,
            }
        }
        found.approached = search.approached;
        found
    }
}

/// What one person's name is asked for.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Pattern(&'a Pattern),
    Parts(&'a Target),
}

impl Wanted<'_> {
    fn rank(&self, name: &Unpacked) -> Option<Rank> {
        match self {
            Self::Pattern(pattern) => pattern.rank(name),
            Self::Parts(target) => name.holds(target).then_some(Rank::NearMiss),
        }
    }
}

type Criteria<'a> = Vec<(Role, Wanted<'a>)>;

struct Search<'a, F> {
    inner: &'a Inner,
    query: &'a Query,
    caller: &'a OrganizationCode,
    most: usize,
    findable: F,
    /// Slots that matched: each counts once, at its best.
    seen: HashSet<u32>,
    approached: Vec<(Uuid, OrganizationCode)>,
}

impl<'a, F: Fn(&RecordFacts) -> Findable> Search<'a, F> {
    fn criteria(&self) -> Criteria<'a> {
        let Query { child, guardian, relative, .. } = self.query;
        [(Role::Child, child), (Role::Guardian, guardian), (Role::Relative, relative)]
            .into_iter()
            .filter_map(|(role, pattern)| Some((role, Wanted::Pattern(pattern.as_ref()?))))
            .collect()
    }

    /// Matches of the criteria; `None` where there are more than the limit.
    fn run(&mut self, criteria: &Criteria<'_>) -> Option<Vec<Match>> {
        let mut hits = Vec::new();
        for runs in combinations(criteria) {
            let Some(conditions) = self.inner.conditions(&runs, self.query.birth) else { continue };
            self.collect(conditions, criteria, &mut hits)?;
        }
        Some(hits)
    }

    /// Matches with one of the criteria a kana away.
    fn run_near(&mut self, criteria: &Criteria<'_>) -> Option<Vec<Match>> {
        let mut hits = Vec::new();
        for (at, (role, wanted)) in criteria.iter().enumerate() {
            let Wanted::Pattern(pattern) = wanted else { continue };
            for target in pattern.targets(&self.inner.readings) {
                let mut near = criteria.clone();
                if let Some(criterion) = near.get_mut(at) {
                    *criterion = (*role, Wanted::Parts(&target));
                }
                for runs in combinations(&near) {
                    let Some(conditions) = self.inner.conditions(&runs, self.query.birth) else { continue };
                    self.collect(conditions, &near, &mut hits)?;
                }
            }
        }
        Some(hits)
    }

    fn collect(&mut self, conditions: Vec<AnyOf<'_>>, criteria: &Criteria<'_>, hits: &mut Vec<Match>) -> Option<()> {
        let mut unpacked = Unpacked::default();
        let mut enough = false;
        intersect(conditions, |slots| {
            for group in slots.chunks(PREFETCHED) {
                if group.len() > 1 {
                    self.inner.records.prefetch(group);
                }
                for slot in group {
                    self.look_at(*slot, criteria, &mut unpacked, hits);
                    if hits.len() > self.most {
                        enough = true;
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        });
        (!enough).then_some(())
    }

    fn look_at(&mut self, slot: u32, criteria: &Criteria<'_>, unpacked: &mut Unpacked, hits: &mut Vec<Match>) {
        let records = &self.inner.records;
        if self.query.birth.is_some_and(|birth| !birth.admits(records.birth_date(slot))) {
            return;
        }
        let sex = records.sex(slot);
        if self.query.sex.is_some_and(|wanted| wanted != sex && sex != SEX_UNKNOWN) {
            return;
        }
        let Some((rank, matched)) = answers(records.people(slot), criteria, unpacked) else { return };
        if self.query.relative.is_some() && !records.is_owned_by(slot, self.caller) {
            return;
        }
        if !self.seen.insert(slot) {
            return;
        }
        let Some(facts) = records.facts(slot) else { return };
        if (self.findable)(&facts) == Findable::Absent {
            if facts.shield.active {
                self.approached.push((facts.id, facts.owner));
            }
            return;
        }
        hits.push(Match { slot, rank, matched });
    }
}

/// A record that answers, and that the caller may be shown.
struct Match {
    slot: u32,
    rank: Rank,
    matched: Matched,
}

/// Who answered each criterion, in which form.
type Matched = [Option<(Role, NameForm)>; 3];

/// Code of the list `SexCode`: not known.
const SEX_UNKNOWN: u8 = b'9';
/// Records whose names are asked of memory at once.
const PREFETCHED: usize = 16;

/// The worst rank among the criteria, each at its best, and who answered in which form.
fn answers(people: People<'_>, criteria: &Criteria<'_>, unpacked: &mut Unpacked) -> Option<(Rank, Matched)> {
    let mut best: [Option<(Rank, NameForm)>; 3] = [None; 3];
    for person in people {
        for (at, (role, wanted)) in best.iter_mut().zip(criteria) {
            if *role != person.role {
                continue;
            }
            for (form, key) in person.keys() {
                unpacked.read(key);
                let this = wanted.rank(unpacked).map(|rank| (rank, form));
                *at = [*at, this].into_iter().flatten().min();
            }
        }
    }
    let mut rank = Rank::Exact;
    let mut matched = [None; 3];
    for ((best, matched), (role, _)) in best.into_iter().zip(&mut matched).zip(criteria) {
        let (this, form) = best?;
        rank = rank.max(this);
        *matched = Some((*role, form));
    }
    Some((rank, matched))
}

/// The runs of known letters that one way of reading the criteria asks for.
type Runs = Vec<(Role, Vec<Symbol>)>;

/// Every way of reading the criteria; nearly always one.
fn combinations(criteria: &Criteria<'_>) -> Vec<Runs> {
    let mut all: Vec<Runs> = vec![Vec::new()];
    for (role, wanted) in criteria {
        let ways: Vec<Runs> = match wanted {
            Wanted::Pattern(pattern) => pattern
                .readings()
                .iter()
                .map(|reading| reading.known_runs().map(|run| (*role, run.to_vec())).collect())
                .collect(),
            Wanted::Parts(parts) => vec![vec![(*role, parts.concat())]],
        };
        all = all.iter().flat_map(|runs| ways.iter().map(move |way| [runs.as_slice(), way].concat())).collect();
    }
    all
}

impl Inner {
    /// What is shown of the matches, best first; adds their records.
    fn hits(&self, matches: Vec<Match>, records: &mut Vec<(Uuid, OrganizationCode)>) -> Vec<Sealed<Hit>> {
        let mut hits: Vec<Hit> = matches.into_iter().filter_map(|found| self.hit(found)).collect();
        hits.sort_by(|a, b| (a.rank, &a.child, a.facts.id).cmp(&(b.rank, &b.child, b.facts.id)));
        records.extend(hits.iter().map(|hit| (hit.facts.id, hit.facts.owner.clone())));
        hits.into_iter().map(Sealed::new).collect()
    }

    fn hit(&self, Match { slot, rank, matched }: Match) -> Option<Hit> {
        let records = &self.records;
        let written = |role: Role| records.people(slot).filter(move |person| person.role == role).map(|p| p.written());
        Some(Hit {
            facts: records.facts(slot)?,
            child: written(Role::Child).next()?,
            guardians: written(Role::Guardian).collect(),
            sex: char::from(records.sex(slot)),
            birth_date: records.birth_date(slot),
            rank,
            matched: matched.into_iter().flatten().collect(),
        })
    }

    fn put(&mut self, record: &PackedRecord) {
        if let Some(slot) = self.records.slot_of(record.facts.id) {
            for (role, grams) in Role::ALL.into_iter().zip(grams_of(self.records.people(slot))) {
                grams.iter().for_each(|gram| self.grams_mut(role).remove(*gram, slot));
            }
            self.births.remove(slot, self.records.birth_date(slot));
        }
        let slot = self.records.put(record);
        for (role, grams) in Role::ALL.into_iter().zip(grams_of(record.people())) {
            self.grams_mut(role).insert(&grams, slot);
        }
        self.births.insert(slot, self.records.birth_date(slot));
        add_readings(&mut self.readings, record);
    }

    fn put_all(&mut self, records: &[PackedRecord]) {
        let (new, known): (Vec<&PackedRecord>, Vec<&PackedRecord>) =
            records.iter().partition(|record| self.records.slot_of(record.facts.id).is_none());
        let slots: Vec<u32> = new.iter().map(|record| self.records.put(record)).collect();
        let Self { child, guardian, relative, readings, births, records, .. } = self;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                fill(child, Role::Child, &new, &slots);
                new.iter().for_each(|record| add_readings(readings, record));
                slots.iter().for_each(|slot| births.insert(*slot, records.birth_date(*slot)));
            });
            fill(guardian, Role::Guardian, &new, &slots);
            fill(relative, Role::Relative, &new, &slots);
        });
        known.into_iter().for_each(|record| self.put(record));
    }

    fn grams(&self, role: Role) -> &Grams {
        match role {
            Role::Child => &self.child,
            Role::Guardian => &self.guardian,
            Role::Relative => &self.relative,
        }
    }

    fn grams_mut(&mut self, role: Role) -> &mut Grams {
        match role {
            Role::Child => &mut self.child,
            Role::Guardian => &mut self.guardian,
            Role::Relative => &mut self.relative,
        }
    }

    /// What every answer fulfils; `None` where nothing can.
    fn conditions(&self, runs: &Runs, birth: Option<BirthCriterion>) -> Option<Vec<AnyOf<'_>>> {
        let mut conditions = Vec::new();
        for (role, run) in runs {
            self.grams(*role).conditions(run, &mut conditions)?;
        }
        conditions.extend(birth.and_then(|birth| self.births.condition(birth)));
        Some(conditions)
    }
}

fn fill(grams: &mut Grams, role: Role, records: &[&PackedRecord], slots: &[u32]) {
    let mut placed = Vec::new();
    let (mut all, mut letters) = (Vec::new(), Vec::new());
    for (place, record) in records.iter().enumerate() {
        all.clear();
        for person in record.people().filter(|person| person.role == role) {
            person.keys().for_each(|(_, key)| grams::collect(key, &mut letters, &mut all));
        }
        placed.extend(all.iter().map(|gram| grams::placed(*gram, place)));
    }
    grams.insert_all(placed, slots);
}

fn grams_of(people: People<'_>) -> [Vec<Gram>; 3] {
    let mut of_roles: [Vec<Gram>; 3] = Default::default();
    let mut letters = Vec::new();
    for person in people {
        if let Some(grams) = of_roles.get_mut(person.role as usize) {
            person.keys().for_each(|(_, key)| grams::collect(key, &mut letters, grams));
        }
    }
    of_roles.iter_mut().for_each(|grams| {
        grams.sort_unstable();
        grams.dedup();
    });
    of_roles
}

fn add_readings(readings: &mut Readings, record: &PackedRecord) {
    for person in record.people() {
        person.keys().for_each(|(_, key)| readings.add(key));
    }
}

impl Births {
    fn insert(&mut self, slot: u32, birth: PartialDate) {
        self.years.entry(birth.year).or_default().insert(slot);
        self.months.entry((birth.year, birth.month.unwrap_or(0))).or_default().insert(slot);
    }

    fn remove(&mut self, slot: u32, birth: PartialDate) {
        let year = self.years.get_mut(&birth.year);
        let month = self.months.get_mut(&(birth.year, birth.month.unwrap_or(0)));
        [year, month].into_iter().flatten().for_each(|posting| posting.remove(slot));
    }

    fn condition(&self, birth: BirthCriterion) -> Option<AnyOf<'_>> {
        if let Some((year, months)) = birth.months()
            && months.clone().count() <= MOST_MONTHS_LOOKED_UP
        {
            // Of unknown month: it may be any.
            let months = months.filter_map(|month| u8::try_from(month).ok()).chain([0]);
            return Some(AnyOf::new(months.filter_map(|month| self.months.get(&(year, month))).collect()));
        }
        let years = birth.years();
        let few = usize::try_from(years.end() - years.start()).is_ok_and(|more| more < MOST_YEARS_LOOKED_UP);
        few.then(|| AnyOf::new(years.filter_map(|year| self.years.get(&year)).collect()))
    }
}
