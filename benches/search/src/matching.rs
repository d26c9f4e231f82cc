//! The labelled pairs of `tests/matching` decided by the gateway's matcher and by what its peers offer.
//!
//! Comes in: `pairs.tsv`. Goes out: by class, the share of same names that each finds and of different names that each
//! mistakes. The process fails where the gateway's own matcher falls short.

use std::collections::BTreeSet;

use sqlx::{Postgres, QueryBuilder, Sqlite};
use tsunagi::search::{explain::explain, pattern::Rank};

use crate::peers::{postgres::Server, sqlite::Database};

const PAIRS: &str = include_str!("../../../tests/matching/pairs.tsv");
const MIN_RECALL: f64 = 0.99;
const MIN_RECALL_OF_CLASS: f64 = 0.97;
const MAX_MISTAKEN: f64 = 0.001;
const TOGETHER: usize = 1_000;

struct Pair {
    class: &'static str,
    same: bool,
    query: &'static str,
    registered: &'static str,
}

/// What one way of comparing decides.
struct Matcher {
    name: &'static str,
    /// For each pair, whether they meet.
    met: Vec<bool>,
}

pub fn run() {
    let pairs = read();
    let (like, similar): (Vec<bool>, Vec<bool>) = by_postgres(&pairs).into_iter().unzip();
    let matchers = [
        Matcher { name: "tsunagi", met: pairs.iter().map(by_search).collect() },
        Matcher { name: "pg LIKE", met: like },
        Matcher { name: "pg_trgm %", met: similar },
        Matcher { name: "SQLite LIKE", met: by_sqlite(&pairs) },
        Matcher { name: "exact", met: pairs.iter().map(|pair| pair.query == pair.registered).collect() },
    ];
    let [own, ..] = &matchers;
    print(&pairs, &matchers, true);
    print(&pairs, &matchers, false);
    if !suffices(&pairs, own) {
        eprintln!("the matcher falls short");
        std::process::exit(1);
    }
}

fn read() -> Vec<Pair> {
    PAIRS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .map(|line| {
            let [class, label, query, registered] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("four columns: {line}")
            };
            Pair { class, same: label == "same", query, registered }
        })
        .collect()
}

/// A weaker hit counts only where that is what was asked for; only a whole name can be mistaken for another.
fn by_search(pair: &Pair) -> bool {
    explain(pair.query, pair.registered).rank.is_some_and(|rank| {
        if pair.same { rank != Rank::NearMiss || pair.class.starts_with("near_miss") } else { rank <= Rank::WholeName }
    })
}

/// By `LIKE`, and by similarity of trigrams.
fn by_postgres(pairs: &[Pair]) -> Vec<(bool, bool)> {
    let mut server = Server::start();
    server.execute("CREATE TABLE pairs (id INT, query TEXT, registered TEXT)");
    for (chunk, some) in pairs.chunks(TOGETHER).enumerate() {
        let mut insert = QueryBuilder::<Postgres>::new("INSERT INTO pairs (id, query, registered) ");
        insert.push_values(some.iter().zip(chunk * TOGETHER..), |mut values, (pair, id)| {
            values.push_bind(id as i32).push_bind(pair.query).push_bind(pair.registered);
        });
        server.put(insert);
    }
    server.rows(QueryBuilder::new(
        "SELECT registered LIKE '%' || query || '%', query % registered FROM pairs ORDER BY id",
    ))
}

fn by_sqlite(pairs: &[Pair]) -> Vec<bool> {
    let mut database = Database::open();
    database.execute("CREATE TABLE pairs (id INTEGER PRIMARY KEY, query TEXT, registered TEXT)");
    for (chunk, some) in pairs.chunks(TOGETHER).enumerate() {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO pairs (id, query, registered) ");
        insert.push_values(some.iter().zip(chunk * TOGETHER..), |mut values, (pair, id)| {
            values.push_bind(id as i64).push_bind(pair.query).push_bind(pair.registered);
        });
        database.put(insert);
    }
    let query = QueryBuilder::new("SELECT registered LIKE '%' || query || '%' FROM pairs ORDER BY id");
    database.rows::<(i64,)>(query).into_iter().map(|(met,)| met == 1).collect()
}

/// The share of the pairs that meet, among those to be counted.
fn share(pairs: &[Pair], matcher: &Matcher, counts: impl Fn(&Pair) -> bool) -> f64 {
    let met: Vec<bool> = pairs.iter().zip(&matcher.met).filter(|(pair, _)| counts(pair)).map(|(_, met)| *met).collect();
    met.iter().filter(|met| **met).count() as f64 / met.len() as f64
}

fn classes(pairs: &[Pair], same: bool) -> BTreeSet<&'static str> {
    pairs.iter().filter(|pair| pair.same == same).map(|pair| pair.class).collect()
}

fn print(pairs: &[Pair], matchers: &[Matcher], same: bool) {
    let title = if same { "same name: found" } else { "different name: mistaken" };
    print!("{title:<26} {:>6}", "n");
    matchers.iter().for_each(|matcher| print!(" {:>12}", matcher.name));
    println!();
    for class in classes(pairs, same) {
        line(class, pairs, matchers, |pair| pair.same == same && pair.class == class);
    }
    line("all", pairs, matchers, |pair| pair.same == same);
    println!();
}

fn line(name: &str, pairs: &[Pair], matchers: &[Matcher], counts: impl Fn(&Pair) -> bool) {
    print!("{name:<26} {:>6}", pairs.iter().filter(|pair| counts(pair)).count());
    matchers.iter().for_each(|matcher| print!(" {:>11.2}%", share(pairs, matcher, &counts) * 100.0));
    println!();
}

fn suffices(pairs: &[Pair], own: &Matcher) -> bool {
    let of_class = |class| share(pairs, own, |pair| pair.same && pair.class == class);
    share(pairs, own, |pair| pair.same) >= MIN_RECALL
        && classes(pairs, true).into_iter().all(|class| of_class(class) >= MIN_RECALL_OF_CLASS)
        && share(pairs, own, |pair| !pair.same) <= MAX_MISTAKEN
}
