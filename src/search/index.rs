//! The index in memory: grams of folded names to records. A hit costs no database read.

mod parts;

use std::{
    ops::ControlFlow,
    sync::{PoisonError, RwLock},
};

use hashbrown::HashSet;
use uuid::Uuid;

use super::{
    births::Births,
    grams::{self, Gram, Grams},
    near::{Readings, Target},
    pattern::{Pattern, PatternReading, Rank, Unpacked},
    posting::{AnyOf, SlotRun, intersect},
    query::{BirthCriterion, NearMisses, Query},
    records::{PackedPeople, PackedRecord, PersonRole, Records},
    symbol::Symbol,
};
use crate::{
    disclosure::sealed::Sealed,
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
    /// The record was disposed of.
    Forget(Uuid),
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
    pub matched: Vec<(PersonRole, NameForm)>,
}

/// What a caller may learn of a matching record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Findable<G> {
    /// The four items, by this grant.
    Shown(G),
    /// Nothing: it does not exist for this caller.
    Absent,
}

/// What a search came to.
pub struct Found<G> {
    /// At most the limit, best first. Empty where there were more.
    pub hits: Vec<(G, Sealed<Hit>)>,
    pub too_many: bool,
    /// At most the limit, one kana away. Empty where there were more: they never push out a hit.
    pub near: Vec<(G, Sealed<Hit>)>,
    pub too_many_near: bool,
    /// The records of `hits` and then of `near`, in their order, with their owners.
    pub records: Vec<(Uuid, OrganizationCode)>,
    /// Shielded records that the search came upon and that stay hidden: their owners are told all the same.
    pub approached: Vec<(Uuid, OrganizationCode)>,
}

impl<G> Found<G> {
    fn nothing() -> Self {
        Self {
            hits: Vec::new(),
            too_many: false,
            near: Vec::new(),
            too_many_near: false,
            records: Vec::new(),
            approached: Vec::new(),
        }
    }
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

impl SearchIndex {
    pub fn apply(&self, change: IndexChange) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            IndexChange::Put(record) => inner.put(&record),
            IndexChange::Facts(facts) => inner.records.put_facts(&facts),
            IndexChange::Forget(record) => inner.forget(record),
        }
    }

    /// Puts many records in, roles side by side: for building the index.
    pub fn put_all(&self, records: &[PackedRecord]) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        records.chunks(grams::MAX_TOGETHER).for_each(|records| inner.put_all(records));
    }

    /// The facts of a record, as the last change said them.
    pub fn facts_of(&self, id: Uuid) -> Option<RecordFacts> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.records.facts(inner.records.slot_of(id)?)
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
    pub fn search<G>(
        &self,
        query: &Query,
        caller: &OrganizationCode,
        max_hits: usize,
        findable: impl Fn(&RecordFacts) -> Findable<G>,
    ) -> Found<G> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut search = RunningSearch {
            inner: &inner,
            query,
            caller,
            max_hits,
            findable,
            earlier: HashSet::new(),
            now: Vec::new(),
            approached: Vec::new(),
        };
        let criteria = search.criteria();
        let mut found = Found::nothing();
        match search.run(&criteria) {
            Some(matches) => found.hits = inner.hits(query, matches, &mut found.records),
            None => return Found { too_many: true, ..Found::nothing() },
        }
        let looks_near = match query.near_misses {
            NearMisses::Always => true,
            NearMisses::IfNone => found.hits.is_empty(),
            NearMisses::Never => false,
        };
        if looks_near {
            match aside(inner.records.count(), || search.run_near(&criteria)) {
                Some(matches) => found.near = inner.hits(query, matches, &mut found.records),
                None => found.too_many_near = true,
            }
        }
        found.approached = search.approached;
        found
    }
}

/// What one person's name is asked for.
#[derive(Clone, Copy)]
enum NameCriterion<'a> {
    Pattern(&'a Pattern),
    Parts(&'a Target),
}

impl NameCriterion<'_> {
    fn rank(&self, name: &Unpacked) -> Option<Rank> {
        match self {
            Self::Pattern(pattern) => pattern.rank(name),
            Self::Parts(target) => name.holds(target).then_some(Rank::NearMiss),
        }
    }
}

type Criteria<'a> = Vec<(PersonRole, NameCriterion<'a>)>;

struct RunningSearch<'a, F> {
    inner: &'a Inner,
    query: &'a Query,
    caller: &'a OrganizationCode,
    max_hits: usize,
    findable: F,
    /// Slots that matched in earlier runs and in this one: each counts once.
    earlier: HashSet<u32>,
    now: Vec<u32>,
    approached: Vec<(Uuid, OrganizationCode)>,
}

impl<'a, G, F: Fn(&RecordFacts) -> Findable<G>> RunningSearch<'a, F> {
    fn criteria(&self) -> Criteria<'a> {
        let Query { child, guardian, relative, .. } = self.query;
        [(PersonRole::Child, child), (PersonRole::Guardian, guardian), (PersonRole::Relative, relative)]
            .into_iter()
            .filter_map(|(role, pattern)| Some((role, NameCriterion::Pattern(pattern.as_ref()?))))
            .collect()
    }

    /// Matches of the criteria; `None` where there are more than the limit.
    fn run(&mut self, criteria: &Criteria<'_>) -> Option<Vec<MatchedRecord<G>>> {
        let mut hits = Vec::new();
        for runs in combinations(criteria) {
            let Some(conditions) = self.inner.conditions(&runs, self.query.birth) else { continue };
            self.collect(conditions, criteria, &mut hits)?;
        }
        Some(hits)
    }

    /// Matches with one of the criteria a kana away.
    fn run_near(&mut self, criteria: &Criteria<'_>) -> Option<Vec<MatchedRecord<G>>> {
        let mut hits = Vec::new();
        for (at, (role, wanted)) in criteria.iter().enumerate() {
            let NameCriterion::Pattern(pattern) = wanted else { continue };
            for target in pattern.targets(&self.inner.readings) {
                let mut near = criteria.clone();
                if let Some(criterion) = near.get_mut(at) {
                    *criterion = (*role, NameCriterion::Parts(&target));
                }
                for runs in combinations(&near) {
                    let Some(conditions) = self.inner.conditions(&runs, self.query.birth) else { continue };
                    self.collect(conditions, &near, &mut hits)?;
                }
            }
        }
        Some(hits)
    }

    fn collect(
        &mut self,
        conditions: Vec<AnyOf<'_>>,
        criteria: &Criteria<'_>,
        hits: &mut Vec<MatchedRecord<G>>,
    ) -> Option<()> {
        self.earlier.extend(self.now.drain(..));
        let before = hits.len();
        let mut unpacked = Unpacked::default();
        let mut enough = false;
        let answered_by_grams = answered_by_grams(criteria);
        let fewest = conditions.iter().map(AnyOf::at_most).min().unwrap_or(0);
        let visit = |run: SlotRun<'_>| {
            for group in run.slots.chunks(PREFETCHED) {
                let names = if run.certain && answered_by_grams { None } else { Some((criteria, &mut unpacked)) };
                self.inner.records.prefetch(group, names.is_some());
                self.look_at(group, names, hits);
                if hits.len() > self.max_hits {
                    enough = true;
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        };
        aside(fewest, || intersect(conditions, visit));
        if enough {
            return None;
        }
        for group in hits.get_mut(before..).unwrap_or_default().chunks_mut(PREFETCHED) {
            let slots: Vec<u32> = group.iter().map(|hit| hit.slot).collect();
            self.inner.records.prefetch(&slots, true);
            for hit in group.iter_mut().filter(|hit| hit.answer.is_none()) {
                hit.answer = answers(self.inner.records.people(hit.slot), criteria, &mut unpacked);
            }
        }
        Some(())
    }

    /// Adds those of some slots that answer, that the caller may be shown and that are new. Where there are no
    /// `names` to compare it is known that they answer, and how well is asked later.
    fn look_at(
        &mut self,
        slots: &[u32],
        mut names: Option<(&Criteria<'_>, &mut Unpacked)>,
        hits: &mut Vec<MatchedRecord<G>>,
    ) {
        let records = &self.inner.records;
        for slot in slots.iter().copied() {
            let is_own_alone = self.query.own_alone || self.query.relative.is_some();
            if is_own_alone && !records.is_owned_by(slot, self.caller) {
                continue;
            }
            if self.query.birth.is_some_and(|birth| !birth.admits(records.birth_date(slot))) {
                continue;
            }
            let sex = records.sex(slot);
            if self.query.sex.is_some_and(|wanted| wanted != sex && sex != SEX_UNKNOWN) {
                continue;
            }
            let answer = match &mut names {
                Some((criteria, unpacked)) => match answers(records.people(slot), criteria, unpacked) {
                    Some(answer) => Some(answer),
                    None => continue,
                },
                None => None,
            };
            if self.earlier.contains(&slot) {
                continue;
            }
            self.now.push(slot);
            let Some(facts) = records.facts(slot) else { continue };
            match (self.findable)(&facts) {
                Findable::Shown(grant) => hits.push(MatchedRecord { slot, facts, grant, answer }),
                Findable::Absent if facts.shield.active => self.approached.push((facts.id, facts.owner)),
                Findable::Absent => {}
            }
        }
    }
}

/// Records that a search may look at without holding up the others on its thread: some hundred microseconds.
const SHORT: usize = 4_096;

/// Works at once where it is short; else the others on this thread go on elsewhere meanwhile, which costs them and this
/// more than a short search.
fn aside<T>(records: usize, work: impl FnOnce() -> T) -> T {
    if records <= SHORT { work() } else { tokio::task::block_in_place(work) }
}

/// Whether every record in the postings of the criteria answers them: one gram is asked for, and nothing else.
fn answered_by_grams(criteria: &Criteria<'_>) -> bool {
    matches!(criteria.as_slice(), [(_, NameCriterion::Pattern(pattern))] if pattern.is_one_gram())
}

/// A record that answers, and that the caller may be shown.
struct MatchedRecord<G> {
    slot: u32,
    facts: RecordFacts,
    grant: G,
    /// `None` until it is asked how well it answers.
    answer: Option<RankedAnswer>,
}

/// What hits are ordered by: their rank, then the child's name spelled as it was asked for, then the shorter name.
type Closeness = (Rank, bool, usize);

/// How a record answers.
struct RankedAnswer {
    /// The worst among the criteria, each at its best.
    rank: Rank,
    /// Letters of the names that answered. Of equal rank the shorter name is the nearer: less of it was left open.
    letters: usize,
    /// Who answered each criterion, in which form.
    matched: [Option<(PersonRole, NameForm)>; 3],
}

/// Code of the list `SexCode`: not known.
const SEX_UNKNOWN: u8 = b'9';
/// Records whose names are fetched from memory at once.
const PREFETCHED: usize = 16;

fn answers(people: PackedPeople<'_>, criteria: &Criteria<'_>, unpacked: &mut Unpacked) -> Option<RankedAnswer> {
    let mut best: [Option<(Rank, usize, NameForm)>; 3] = [None; 3];
    for person in people {
        for (at, (role, wanted)) in best.iter_mut().zip(criteria) {
            if *role != person.role {
                continue;
            }
            for (form, key) in person.keys() {
                unpacked.read(key);
                let this = wanted.rank(unpacked).map(|rank| (rank, unpacked.length(), form));
                *at = [*at, this].into_iter().flatten().min();
            }
        }
    }
    let mut answer = RankedAnswer { rank: Rank::Exact, letters: 0, matched: [None; 3] };
    for ((best, matched), (role, _)) in best.into_iter().zip(&mut answer.matched).zip(criteria) {
        let (rank, letters, form) = best?;
        answer.rank = answer.rank.max(rank);
        answer.letters += letters;
        *matched = Some((*role, form));
    }
    Some(answer)
}

/// The runs of known letters that one way of reading the criteria asks for.
type SymbolRuns = Vec<(PersonRole, Vec<Symbol>)>;

/// Every way of reading the criteria; nearly always one.
fn combinations(criteria: &Criteria<'_>) -> Vec<SymbolRuns> {
    let mut all: Vec<SymbolRuns> = vec![Vec::new()];
    for (role, wanted) in criteria {
        let ways: Vec<SymbolRuns> = match wanted {
            NameCriterion::Pattern(pattern) => pattern
                .readings()
                .iter()
                .flat_map(PatternReading::ways)
                .map(|runs| runs.into_iter().map(|run| (*role, run.to_vec())).collect())
                .collect(),
            NameCriterion::Parts(parts) => vec![vec![(*role, parts.concat())]],
        };
        all = all.iter().flat_map(|runs| ways.iter().map(move |way| [runs.as_slice(), way].concat())).collect();
    }
    all
}

impl Inner {
    /// What is shown of the matches, best first; adds their records.
    fn hits<G>(
        &self,
        query: &Query,
        matches: Vec<MatchedRecord<G>>,
        records: &mut Vec<(Uuid, OrganizationCode)>,
    ) -> Vec<(G, Sealed<Hit>)> {
        let as_written = |hit: &Hit| query.child.as_ref().is_some_and(|pattern| pattern.is_written_in(&hit.child));
        let mut hits: Vec<(Closeness, G, Hit)> = matches
            .into_iter()
            .filter_map(|found| {
                let answer = found.answer?;
                let (rank, letters) = (answer.rank, answer.letters);
                let hit = self.hit(found.slot, found.facts, answer)?;
                Some(((rank, !as_written(&hit), letters), found.grant, hit))
            })
            .collect();
        hits.sort_by(|(close_a, _, a), (close_b, _, b)| {
            (close_a, &a.child, a.facts.id).cmp(&(close_b, &b.child, b.facts.id))
        });
        records.extend(hits.iter().map(|(_, _, hit)| (hit.facts.id, hit.facts.owner.clone())));
        hits.into_iter().map(|(_, grant, hit)| (grant, Sealed::new(hit))).collect()
    }

    fn hit(&self, slot: u32, facts: RecordFacts, answer: RankedAnswer) -> Option<Hit> {
        let mut child = None;
        let mut guardians = Vec::new();
        for person in self.records.people(slot) {
            match person.role {
                PersonRole::Child => child = Some(person.written()),
                PersonRole::Guardian => guardians.push(person.written()),
                PersonRole::Relative => {}
            }
        }
        Some(Hit {
            facts,
            child: child?,
            guardians,
            sex: char::from(self.records.sex(slot)),
            birth_date: self.records.birth_date(slot),
            rank: answer.rank,
            matched: answer.matched.into_iter().flatten().collect(),
        })
    }

    fn put(&mut self, record: &PackedRecord) {
        if let Some(slot) = self.records.slot_of(record.facts.id) {
            self.unlist(slot);
        }
        let slot = self.records.put(record);
        for (role, grams) in PersonRole::ALL.iter().copied().zip(grams_of(record.people())) {
            self.grams_mut(role).insert(&grams, slot);
        }
        self.births.insert(slot, self.records.birth_date(slot));
        add_readings(&mut self.readings, record);
    }

    /// Nothing finds the record in a slot any more.
    fn unlist(&mut self, slot: u32) {
        for (role, grams) in PersonRole::ALL.iter().copied().zip(grams_of(self.records.people(slot))) {
            grams.iter().for_each(|gram| self.grams_mut(role).remove(*gram, slot));
        }
        self.births.remove(slot, self.records.birth_date(slot));
    }

    fn forget(&mut self, record: Uuid) {
        if let Some(slot) = self.records.slot_of(record) {
            self.unlist(slot);
            self.records.forget(slot);
        }
    }

    fn put_all(&mut self, records: &[PackedRecord]) {
        let (mut new, mut slots, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            if self.records.slot_of(record.facts.id).is_some() {
                known.push(record);
            } else {
                slots.push(self.records.put(record));
                new.push(record);
            }
        }
        let Self { child, guardian, relative, readings, births, records, .. } = self;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                fill(child, PersonRole::Child, &new, &slots);
                new.iter().for_each(|record| add_readings(readings, record));
                slots.iter().for_each(|slot| births.insert(*slot, records.birth_date(*slot)));
            });
            fill(guardian, PersonRole::Guardian, &new, &slots);
            fill(relative, PersonRole::Relative, &new, &slots);
        });
        known.into_iter().for_each(|record| self.put(record));
    }

    fn grams(&self, role: PersonRole) -> &Grams {
        match role {
            PersonRole::Child => &self.child,
            PersonRole::Guardian => &self.guardian,
            PersonRole::Relative => &self.relative,
        }
    }

    fn grams_mut(&mut self, role: PersonRole) -> &mut Grams {
        match role {
            PersonRole::Child => &mut self.child,
            PersonRole::Guardian => &mut self.guardian,
            PersonRole::Relative => &mut self.relative,
        }
    }

    /// What every answer fulfils; `None` where nothing can.
    fn conditions(&self, runs: &SymbolRuns, birth: Option<BirthCriterion>) -> Option<Vec<AnyOf<'_>>> {
        let mut conditions = Vec::new();
        for (role, run) in runs {
            self.grams(*role).conditions(run, &mut conditions)?;
        }
        conditions.extend(birth.and_then(|birth| self.births.condition(birth)));
        Some(conditions)
    }
}

fn fill(grams: &mut Grams, role: PersonRole, records: &[&PackedRecord], slots: &[u32]) {
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

fn grams_of(people: PackedPeople<'_>) -> [Vec<Gram>; 3] {
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
