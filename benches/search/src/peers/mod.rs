//! The peers: general engines that a gateway could search with instead, holding the same people.
//!
//! Comes in: a population, how many of it, how many queries. Goes out: for each peer how long it took to build, and its
//! latencies by class. Peers run one after another; each is gone before the next is built.

mod people;
pub mod postgres;
pub mod sqlite;
mod tantivy;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use people::People;

use crate::{
    engine::MAX_HITS,
    measure::Latencies,
    population::Population,
    queries::{self, Asked, Class},
};

pub struct PeerTable {
    pub name: &'static str,
    pub records: u64,
    /// Without the making of the people.
    pub built_seconds: f64,
    /// `None` where the peer has no equivalent.
    pub classes: Vec<(Class, Option<Latencies>)>,
}

/// An engine that is loaded.
trait Peer {
    const NAME: &'static str;

    /// Searchable records that answer, in any order; it stops at [`ENOUGH`].
    fn answer(&mut self, asked: &Asked) -> Vec<Shown>;
}

/// What a hit list shows: id, child, guardians and year of birth.
type Shown = (i64, String, String, i32);

/// A hit list in order; none where there are too many.
fn hit_list<P: Peer>(peer: &mut P, asked: &Asked) -> Vec<Shown> {
    let mut hits = peer.answer(asked);
    if hits.len() == ENOUGH {
        return Vec::new();
    }
    hits.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
    hits
}

/// One more than is shown, so that too many are noticed.
const ENOUGH: usize = MAX_HITS + 1;
/// Queries of each class whose number of hits is compared between peers.
const COMPARED: usize = 20;
/// A slow peer answers fewer queries of a class, but never fewer than this.
const MIN_QUERIES: usize = 20;
const WARMING: Duration = Duration::from_secs(5);
const MEASURING: Duration = Duration::from_secs(20);

/// Databases hold no more than a million: what they lose there they lose the more with ten.
const MAX_IN_DATABASES: u64 = 1_000_000;

pub fn run(population: &Population, records: u64, queries_per_class: usize) -> Vec<PeerTable> {
    let people = People { population, records: records.min(MAX_IN_DATABASES) };
    let mut bench = Bench::new(&people, queries_per_class);
    let mut server = postgres::Server::start();
    let mut tables = vec![
        bench.measure(postgres::Trigrams::build(&mut server, &people)),
        bench.measure(postgres::Bigrams::build(&mut server, &people)),
    ];
    drop(server);
    tables.push(bench.measure(sqlite::Trigrams::build(&people)));
    if records > people.records {
        let people = People { population, records };
        tables.push(Bench::new(&people, queries_per_class).measure(tantivy::Bigrams::build(&people)));
    } else {
        tables.push(bench.measure(tantivy::Bigrams::build(&people)));
    }
    tables
}

struct Bench {
    records: u64,
    queries: Vec<(Class, Vec<Asked>)>,
    /// How many the first peer found.
    expected: Option<Vec<usize>>,
}

impl Bench {
    fn new(people: &People<'_>, count: usize) -> Self {
        let queries = Class::ALL
            .into_iter()
            .filter(|class| *class != Class::NearMiss)
            .map(|class| (class, queries::draw(people.population, class, people.records, count)))
            .collect();
        Self { records: people.records, queries, expected: None }
    }

    fn measure<P: Peer>(&mut self, (mut peer, built_seconds): (P, f64)) -> PeerTable {
        self.compare(&mut peer);
        let classes = Class::ALL
            .into_iter()
            .map(|class| {
                let queries = self.queries.iter().find(|(of, _)| *of == class);
                (class, queries.map(|(_, queries)| latencies(&mut peer, queries)))
            })
            .collect();
        PeerTable { name: P::NAME, records: self.records, built_seconds, classes }
    }

    /// All hold the same people, so all must find as many: a peer that finds nothing is fast for nothing.
    fn compare<P: Peer>(&mut self, peer: &mut P) {
        let queries = self.queries.iter().flat_map(|(_, queries)| queries.iter().take(COMPARED));
        let found: Vec<usize> = queries.map(|asked| peer.answer(asked).len()).collect();
        let expected = self.expected.get_or_insert_with(|| found.clone());
        assert!(found.iter().any(|hits| *hits > 0), "{} finds nothing", P::NAME);
        assert_eq!(found, *expected, "{} finds otherwise than the first peer", P::NAME);
    }
}

fn latencies<P: Peer>(peer: &mut P, queries: &[Asked]) -> Latencies {
    micros(peer, queries, WARMING);
    Latencies::from(micros(peer, queries, MEASURING))
}

fn micros<P: Peer>(peer: &mut P, queries: &[Asked], max: Duration) -> Vec<f64> {
    let started = Instant::now();
    let mut micros = Vec::with_capacity(queries.len());
    for asked in queries {
        if micros.len() >= MIN_QUERIES && started.elapsed() > max {
            break;
        }
        let asking = Instant::now();
        black_box(hit_list(peer, asked));
        micros.push(asking.elapsed().as_secs_f64() * 1e6);
    }
    micros
}

/// Runs a connection on the thread that asks.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

fn seconds(act: impl FnOnce()) -> f64 {
    let started = Instant::now();
    act();
    started.elapsed().as_secs_f64()
}
