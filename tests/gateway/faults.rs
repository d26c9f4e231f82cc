//! Faults, each brought about on purpose: what a caller sees, what is guaranteed, and that it passes without a restart
//! where it can. The table is `docs/faults.md`. Each check has a twin that shows that it can fail.

mod clock;
mod commit;
mod descriptors;
mod disk;
mod lists;
mod overload;
mod renewal;
mod revocation;
mod stopping;
mod trust;

use std::{fs, net::SocketAddr, path::Path};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tsunagi::{
    client::{Client, Reply},
    clock::Clock,
    domain::organization::OrganizationCode,
    gateway::Gateway,
    store,
};
use tsunagi_testkit::world::{Party, Premises};
use uuid::Uuid;

use crate::harness::*;

/// Registers under a key; returns whatever the gateway says.
async fn register_as(client: &Client, key: &str) -> Reply {
    let sent = client.post("/v1/records").header("idempotency-key", key).xml(family(CITY_A).to_xml());
    sent.send().await.unwrap()
}

/// One metric, as an operator's monitoring reads it.
pub async fn metric(monitor: SocketAddr, name: &str) -> i64 {
    let mut stream = tokio::net::TcpStream::connect(monitor).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no metric {name}")).parse::<f64>().unwrap() as i64
}

/// Waits for what a gateway does by itself.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// The records of city A in the database of a gateway that has ended; opening it holds the ledger against its head.
async fn records_kept(premises: &Premises) -> Vec<Uuid> {
    let gateway = Gateway::open(premises.config.clone(), Clock::system()).await.unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    let owner = OrganizationCode::parse(CITY_A).unwrap();
    let kept = store::index_rows::of_owner(&mut tx, &gateway.vault, &owner, Uuid::nil(), 10_000).await.unwrap();
    drop(tx);
    gateway.store.close().await;
    kept.records.into_iter().map(|(facts, ..)| facts.id).collect()
}

/// The entries in the ledger of a gateway that is stopped.
async fn entries_kept(premises: &Premises) -> Vec<Uuid> {
    let gateway = Gateway::open(premises.config.clone(), Clock::system()).await.unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    let kept = store::ledger::rows_from(&mut tx, &premises.config.node, 0, 100_000).await.unwrap();
    drop(tx);
    gateway.store.close().await;
    kept.into_iter().map(|row| row.id).collect()
}

fn record_of(reply: &Reply) -> Uuid {
    json(reply)["record"].as_str().unwrap().parse().unwrap()
}

/// How many of these entries are not in the ledger of a database.
async fn unlogged(database: &Path, entries: &[Uuid]) -> usize {
    let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", database.display())).await.unwrap();
    let mut missing = 0;
    for entry in entries {
        let found = sqlx::query("SELECT 1 FROM ledger WHERE id = $1").bind(entry).fetch_optional(&pool).await.unwrap();
        missing += usize::from(found.is_none());
    }
    pool.close().await;
    missing
}

/// The library by which a fault is brought about; `make needs` installs it. A test that cannot run fails.
fn library(name: &str) -> String {
    let places = ["/usr/lib/fiu", "/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"];
    let found = places.iter().map(|place| format!("{place}/{name}")).find(|file| Path::new(file).exists());
    found.unwrap_or_else(|| panic!("{name} is not installed: run `make needs`"))
}

/// Views a record until it is shown; returns how often it was refused before.
async fn until_shown(party: &Party, record: &str) -> usize {
    for refused in 0..200 {
        if view(party, record).await.status == 200 {
            return refused;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it does not recover");
}

/// Registers the terminal `desk` and signs the officer `d1` in at it; returns the session's token.
async fn at_a_desk(premises: &Premises, city: &Party) -> String {
    let clock = Clock::system();
    let operators = premises.operators(premises.config.listen, &clock).await.unwrap();
    premises.register_another(&operators, &city.first, ("desk", "desk")).await.unwrap();
    city.first.appoint("d1", &["caseworker"]).await.unwrap();
    let desk = premises.desk(premises.config.listen, &clock, "desk");
    city.first.seat("d1").await.unwrap().at(desk).sign_in_anew().await.unwrap()
}

/// Every test below a directory, as `module::name`.
fn tests_below(directory: &Path, module: &str, found: &mut Vec<String>) {
    let test = regex::Regex::new(r"#\[(?:tokio::)?test[^\]]*\]\n(?:async )?fn (\w+)\(").unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let module = format!("{module}{}::", path.file_stem().unwrap().to_str().unwrap());
        if path.is_dir() {
            tests_below(&path, &module, found);
        } else {
            let source = fs::read_to_string(&path).unwrap();
            found.extend(test.captures_iter(&source).map(|test| format!("{module}{}", &test[1])));
        }
    }
}

#[test]
fn every_test_that_the_table_names_is_there() {
    let table = include_str!("../../docs/faults.md");
    let mut there = Vec::new();
    tests_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway"), "", &mut there);
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains("::"));
    let mut named = 0;
    for row in rows {
        for name in row.rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2) {
            assert!(there.iter().any(|test| test == name || test.ends_with(&format!("::{name}"))), "no test {name}");
            named += 1;
        }
    }
    assert!(named > 30, "only {named} tests are named");
}
