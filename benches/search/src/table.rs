//! The tables that are printed.

use std::{collections::BTreeMap, path::Path};

use crate::{
    SEED, engine,
    measure::Latencies,
    peers::{self, PeerTable},
    plot,
    population::Population,
    queries::{self, Class},
};

const QUERIES: usize = 1_000;
const PLOTTED: [u64; 3] = [100_000, 1_000_000, 10_000_000];
const WRITES_PER_SECOND: u32 = 500;

/// The engine by class, and its peers beside it.
pub fn search(records: u64) {
    let population = Population::seeded(SEED);
    let own = engine_alone(&population, records);
    let peers = peers::run(&population, records, QUERIES);
    println!();
    print!("{:<26} {:>20}", "p50 / p99 in µs", "tsunagi");
    peers.iter().for_each(|peer| print!(" {:>24}", peer.name));
    println!();
    print!("{:<26} {:>20}", "records", records);
    peers.iter().for_each(|peer| print!(" {:>24}", peer.records));
    println!();
    print!("{:<26} {:>20}", "built in s", format!("{:.0}", own.seconds));
    peers.iter().for_each(|peer| print!(" {:>24}", format!("{:.0}", peer.built_seconds)));
    println!();
    for (at, (class, latencies)) in own.classes.iter().enumerate() {
        print!("{:<26} {:>20}", class.name(), both(latencies));
        peers.iter().for_each(|peer| print!(" {:>24}", peer.classes[at].1.as_ref().map_or("-".to_owned(), both)));
        println!();
    }
    println!("\nTimes as long as tsunagi, p50 / p99");
    for (at, (class, latencies)) in own.classes.iter().enumerate() {
        print!("{:<26} {:>20}", class.name(), "1 / 1");
        peers.iter().for_each(|peer| print!(" {:>24}", ratio(peer, at, latencies)));
        println!();
    }
}

/// The engine by class.
pub fn engine(records: u64) {
    engine_alone(&Population::seeded(SEED), records);
}

struct Own {
    seconds: f64,
    classes: Vec<(Class, Latencies)>,
}

fn both(latencies: &Latencies) -> String {
    format!("{:.0} / {:.0}", latencies.p50, latencies.p99)
}

fn ratio(peer: &PeerTable, at: usize, own: &Latencies) -> String {
    peer.classes[at]
        .1
        .as_ref()
        .map_or("-".to_owned(), |peer| format!("{:.1} / {:.1}", peer.p50 / own.p50, peer.p99 / own.p99))
}

fn engine_alone(population: &Population, records: u64) -> Own {
    let built = engine::build(population, records);
    println!(
        "{records} records: built in {:.1} s, {:.0} MiB ({:.0} bytes a record)",
        built.seconds,
        built.resident_mib,
        built.resident_mib * 1_048_576.0 / records as f64
    );
    println!("{:<26} {:>9} {:>9} {:>9} {:>10}", "", "p50 µs", "p99 µs", "most µs", "answered");
    let mut classes = Vec::new();
    for (class, latencies, answered) in engine::table(&built.index, population, records, QUERIES) {
        let Latencies { p50, p99, most, .. } = latencies;
        println!("{:<26} {p50:>9.1} {p99:>9.1} {most:>9.1} {:>9.0}%", class.name(), answered * 100.0);
        classes.push((class, latencies));
    }
    let (adding, visible) = engine::adding(&built.index, population, records, 10_000);
    println!("adding a record: p50 {:.1} µs, p99 {:.1} µs; found at once: {visible}", adding.p50, adding.p99);
    let mixed: Vec<_> = Class::ALL
        .into_iter()
        .flat_map(|class| queries::draw(population, class, records, QUERIES))
        .map(|asked| asked.query())
        .collect();
    let quiet = engine::latencies(&built.index, &mixed);
    let busy = engine::under_writes(&built.index, population, records + 20_000, WRITES_PER_SECOND, &mixed);
    println!(
        "all classes: p99 {:.1} µs; under {WRITES_PER_SECOND} writes a second {:.1} µs, {:.2} times as long",
        quiet.p99,
        busy.p99,
        busy.p99 / quiet.p99
    );
    Own { seconds: built.seconds, classes }
}

/// Time by number of records, drawn.
pub fn plot(file: &Path) {
    let population = Population::seeded(SEED);
    let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for records in PLOTTED {
        let built = engine::build(&population, records);
        for (class, latencies, _) in engine::table(&built.index, &population, records, QUERIES) {
            let mut add = |kind: &str, micros: f64| {
                series.entry(format!("{} {kind}", class.name())).or_default().push((records as f64, micros));
            };
            add("p50", latencies.p50);
            add("p99", latencies.p99);
        }
    }
    let series: Vec<(&str, Vec<(f64, f64)>)> =
        series.iter().map(|(name, points)| (name.as_str(), points.clone())).collect();
    plot::svg(file, &series);
}
