//! The gateway through mutual TLS, beside the machine's own limits in the same run. Only ratios are to be compared.
//!
//! A thousand bodies with five officers each look for children whom 64 cities registered, as in life: nobody makes more
//! searches than the allowance has, nor such as the watch tells of. `make bench` runs it with SQLite and with PostgreSQL
//! (where `TEST_POSTGRES` names a server). `LONG_SECONDS` says how long one client goes on for the stalls (60).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench may fail"
)]
#![allow(clippy::disallowed_methods, reason = "it measures")]

mod bodies;
mod gateway;
mod ledger;
mod limits;
mod load;
mod table;
mod watch;

use std::path::Path;

use gateway::Gateway;
use load::{Act, Load};
use table::Line;

/// As the program itself: the child that serves is this program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: [usize; 3] = [1, 8, 64];
const SECONDS: f64 = 3.0;

fn main() {
    if let Some(config) = std::env::var_os(gateway::SERVE) {
        gateway::serve(Path::new(&config));
        return;
    }
    let server = std::env::var("TEST_POSTGRES").ok().filter(|url| !url.is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match server {
            None => sqlite().await,
            Some(server) => postgres(&server).await,
        }
    });
}

async fn sqlite() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let gateway = Gateway::start(directory.path(), None).await;
    let load = Load::new(&gateway).await;
    println!("SQLite: {} bodies, {} records", bodies::BODIES, load::RECORDS);
    table::head();
    limits::fdatasync(directory.path()).print("limit: append + fdatasync", 1);
    let commit = limits::sqlite_commit(directory.path()).await;
    commit.print("limit: one row, one commit (SQLite)", 1);
    measure(&load, &commit).await;
    watch::print();
}

async fn postgres(server: &str) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let url = limits::database(server, "bench").await;
    tsunagi::store::open::migrate_postgres(&url).await.unwrap();
    let gateway = Gateway::start(directory.path(), Some(&url)).await;
    let load = Load::new(&gateway).await;
    println!("PostgreSQL: {} bodies, {} records", bodies::BODIES, load::RECORDS);
    table::head();
    let commit = limits::postgres(server).await;
    measure(&load, &commit).await;
}

/// Prints the table of what the gateway does, and how that stands to the limits.
async fn measure(load: &Load<'_>, commit: &Line) {
    load.handshakes(SECONDS).await.print("limit: handshake + empty route", 1);
    let mut lines = Vec::new();
    for act in Act::ALL {
        for clients in CLIENTS {
            let line = load.measure(act, clients, SECONDS).await;
            line.print(act.name(), clients);
            lines.push((act, clients, line));
        }
    }
    let seconds = std::env::var("LONG_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60.0);
    let mut long = Vec::new();
    for act in [Act::View, Act::Search] {
        let (line, log) = load.go_on(act, seconds).await;
        line.print(&format!("{}, {seconds:.0} s", act.name()), 1);
        long.push((act, line, log));
    }
    println!();
    ratios(&lines, commit);
    long.iter().for_each(|(act, line, log)| stalls(*act, line, *log));
    let (alarms, refusals) = ledger::alarms_and_refusals(load.gateway()).await;
    table::count("alarms", alarms);
    table::count("refusals", refusals + load.refused());
}

fn ratios(lines: &[(Act, usize, Line)], commit: &Line) {
    let line = |wanted: Act, at_once: usize| {
        let line = lines.iter().find(|(act, clients, _)| *act == wanted && *clients == at_once);
        line.map(|(.., line)| line).unwrap()
    };
    let [one, .., many] = CLIENTS;
    let limit = line(Act::Empty, one).p50 + commit.p50;
    for act in [Act::View, Act::Search] {
        let p50 = line(act, one).p50;
        let what = format!("{} p50 {p50:.0} µs / empty route and one commit {limit:.0} µs", act.name());
        table::ratio(&what, p50 / limit, "≤ 2");
    }
    for act in [Act::View, Act::Search] {
        let cpu = |act| line(act, many).cpu.unwrap_or(f64::NAN);
        let what = format!("server CPU, {} / empty route, {many} clients", act.name());
        table::ratio(&what, cpu(act) / cpu(Act::Empty), "≤ 6");
    }
    let grouped = line(Act::Search, many).per_commit.unwrap_or(0.0);
    table::ratio(&format!("ledger entries in a commit, searches of {many} clients"), grouped, "≥ 8");
}

/// How far the slow calls of a long run are from the others; with SQLite, the largest size of its log.
fn stalls(act: Act, line: &Line, log: Option<u64>) {
    let Line { p50, p99, p999, .. } = line;
    let what = format!("{} p99 {p99:.0} µs (p99.9 {p999:.0} µs) / p50 {p50:.0} µs, long", act.name());
    table::ratio(&what, p99 / p50, "≤ 5");
    if let Some(log) = log {
        println!("{:<72} {:>8.1} MiB", format!("{}: largest write-ahead log", act.name()), log as f64 / 1_048_576.0);
    }
}
