//! The gateway's own engine, alone: building it, searching it, writing to it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tsunagi::{
    domain::{case_record::RecordFacts, organization::OrganizationCode},
    search::{
        index::{Findable, Found, IndexChange, SearchIndex},
        query::Query,
        records::PackedRecord,
    },
};

use crate::{
    measure::{Latencies, resident_mib},
    population::Population,
    queries::Class,
};

pub const MAX_HITS: usize = 50;
const BATCH: u64 = 65_536;

/// An index over the first records of a population.
pub struct Built {
    pub index: SearchIndex,
    /// Seconds of folding, packing and putting in, without the making of the people.
    pub seconds: f64,
    /// Of the process, after the building.
    pub resident_mib: f64,
}

pub fn build(population: &Population, records: u64) -> Built {
    let before = resident_mib();
    let index = SearchIndex::default();
    let mut seconds = 0.0;
    let mut from = 0;
    while from < records {
        let until = (from + BATCH).min(records);
        let samples = halves(from, until, |number| population.sample(number));
        let started = Instant::now();
        let pack = |at: u64| {
            let sample = &samples[(at - from) as usize];
            PackedRecord::new(sample.facts.clone(), &sample.items)
        };
        let packed = halves(from, until, pack);
        index.put_all(&packed);
        seconds += started.elapsed().as_secs_f64();
        from = until;
    }
    Built { index, seconds, resident_mib: resident_mib() - before }
}

/// Makes what is asked on two threads.
pub fn halves<T: Send>(from: u64, until: u64, make: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let middle = from + (until - from) / 2;
    std::thread::scope(|scope| {
        let second = scope.spawn(|| (middle..until).map(&make).collect::<Vec<T>>());
        let mut all: Vec<T> = (from..middle).map(&make).collect();
        all.extend(second.join().expect("thread"));
        all
    })
}

/// As a center far away asks.
pub fn search(index: &SearchIndex, query: &Query) -> Found<()> {
    let caller = OrganizationCode::operator();
    index.search(
        query,
        &caller,
        MAX_HITS,
        |facts: &RecordFacts| {
            if facts.searchable { Findable::Shown(()) } else { Findable::Absent }
        },
    )
}

pub fn latencies(index: &SearchIndex, queries: &[Query]) -> Latencies {
    Latencies::of(queries, |query| {
        std::hint::black_box(search(index, query));
    })
}

/// Microseconds to add a record, and whether each was found at once.
pub fn adding(index: &SearchIndex, population: &Population, from: u64, count: u64) -> (Latencies, bool) {
    let samples: Vec<_> = (from..from + count).map(|number| population.sample(number)).collect();
    let mut visible = true;
    let latencies = Latencies::of(&samples, |sample| {
        let packed = PackedRecord::new(sample.facts.clone(), &sample.items);
        index.apply(IndexChange::Put(Box::new(packed)));
    });
    for sample in samples.iter().filter(|sample| sample.facts.searchable).step_by(97) {
        let asked = crate::queries::Asked { child: sample.items.child.written.clone(), ..Default::default() };
        let guardian = Some(sample.items.guardians[0].written.clone());
        let found = search(index, &crate::queries::Asked { guardian, ..asked }.query());
        visible &= found.too_many || !found.hits.is_empty();
    }
    (latencies, visible)
}

/// Latencies of searches while records are put in at a rate.
pub fn under_writes(
    index: &SearchIndex,
    population: &Population,
    from: u64,
    per_second: u32,
    queries: &[Query],
) -> Latencies {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            for (written, number) in (from..).enumerate() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let sample = population.sample(number);
                let packed = PackedRecord::new(sample.facts, &sample.items);
                index.apply(IndexChange::Put(Box::new(packed)));
                let due = Duration::from_secs_f64(written as f64 / f64::from(per_second));
                #[expect(clippy::disallowed_methods, reason = "keeps to the rate of writes")]
                std::thread::sleep(due.saturating_sub(started.elapsed()));
            }
        });
        let latencies = latencies(index, queries);
        done.store(true, Ordering::Relaxed);
        latencies
    })
}

/// The table of classes.
pub fn table(index: &SearchIndex, population: &Population, records: u64, count: usize) -> Vec<(Class, Latencies, f64)> {
    Class::ALL
        .into_iter()
        .map(|class| {
            let queries: Vec<Query> =
                crate::queries::draw(population, class, records, count).iter().map(|asked| asked.query()).collect();
            let mut rounds: Vec<Latencies> = (0..3).map(|_| latencies(index, &queries)).collect();
            rounds.sort_by(|a, b| a.p99.total_cmp(&b.p99));
            let answered = queries.iter().filter(|query| !search(index, query).too_many).count();
            (class, rounds.swap_remove(1), answered as f64 / queries.len() as f64)
        })
        .collect()
}
