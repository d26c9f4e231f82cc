//! National search measured: `search-bench engine RECORDS`.

mod engine;
mod measure;
mod population;
mod queries;

use population::Population;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 20_261_121;
const QUERIES: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: u64| arguments.get(at).and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    match arguments.first().map(String::as_str) {
        Some("engine") => engine_alone(number(1, 100_000)),
        _ => eprintln!("search-bench engine RECORDS"),
    }
}

fn engine_alone(records: u64) {
    let population = Population::seeded(SEED);
    let built = engine::build(&population, records);
    println!(
        "{records} records: built in {:.1} s, {:.0} MiB ({:.0} bytes a record)",
        built.seconds,
        built.resident_mib,
        built.resident_mib * 1_048_576.0 / records as f64
    );
    println!("{:<26} {:>9} {:>9} {:>9} {:>10}", "", "p50 µs", "p99 µs", "most µs", "answered");
    for (class, latencies, answered) in engine::table(&built.index, &population, records, QUERIES) {
        println!(
            "{:<26} {:>9.1} {:>9.1} {:>9.1} {:>9.0}%",
            class.name(),
            latencies.p50,
            latencies.p99,
            latencies.most,
            answered * 100.0
        );
    }
    let (adding, visible) = engine::adding(&built.index, &population, records, 10_000);
    println!("adding a record: p50 {:.1} µs, p99 {:.1} µs; found at once: {visible}", adding.p50, adding.p99);
    let mixed: Vec<_> = queries::Class::ALL
        .into_iter()
        .flat_map(|class| queries::draw(&population, class, records, QUERIES))
        .map(|asked| asked.query())
        .collect();
    let quiet = engine::latencies(&built.index, &mixed);
    let busy = engine::under_writes(&built.index, &population, records + 20_000, 500, &mixed);
    println!("all classes, quiet: p99 {:.1} µs; under 500 writes a second: p99 {:.1} µs", quiet.p99, busy.p99);
}
