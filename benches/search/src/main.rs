//! National search measured: by itself, beside its peers, against labelled pairs.

mod attack;
mod engine;
mod first;
mod matching;
mod measure;
mod peers;
mod plot;
mod population;
mod queries;
mod table;
mod whole;

use population::Population;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 20_261_121;
const USAGE: &str = "search-bench search RECORDS   classes of queries, beside the peers
search-bench engine RECORDS   the same without the peers
search-bench gateway RECORDS  the whole gateway: start, memory, searches over mutual TLS
search-bench matching          labelled pairs, beside the peers; the right record first
search-bench attack RECORDS   the watch against fishing; what an allowance lets one officer extract
search-bench plot FILE.svg     time by number of records";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["engine", records] => table::engine(records.parse().expect("a number of records")),
        ["search", records] => table::search(records.parse().expect("a number of records")),
        ["gateway", records] => whole::run(records.parse().expect("a number of records")),
        // The gateway that `gateway` measures: this program itself.
        ["serve", ..] => drop(tsunagi::cli::run()),
        ["matching"] => {
            matching::run();
            first::run(&Population::seeded(SEED));
        }
        ["attack", records] => attack::run(records.parse().expect("a number of records")),
        ["plot", file] => table::plot(file.as_ref()),
        _ => eprintln!("{USAGE}"),
    }
}
