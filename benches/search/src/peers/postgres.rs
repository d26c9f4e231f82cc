//! Two ways to search names in PostgreSQL: `pg_trgm`, and arrays of bigrams.
//!
//! Comes in: a server and the people. Goes out: hits by `LIKE '%fragment%'`, found by index.

mod server;

use std::fmt::Write;

use sqlx::{Postgres, QueryBuilder};

pub use server::Server;

use super::{
    ENOUGH, Peer, Shown,
    people::{People, Row, grams, grams_of_piece, pieces},
    seconds,
};
use crate::queries::Asked;

/// GIN over the trigrams of each text.
pub struct Trigrams<'a>(&'a mut Server);

/// GIN over the letters and bigrams of the child's names, and over those of the guardians.
pub struct Bigrams<'a>(&'a mut Server);

impl<'a> Trigrams<'a> {
    pub fn build(server: &'a mut Server, people: &People<'_>) -> (Self, f64) {
        server.execute(
            "DROP TABLE IF EXISTS people;
             CREATE UNLOGGED TABLE people (id BIGINT, child_kanji TEXT, child_kana TEXT, guardian TEXT, birth_year INT,
                 searchable BOOLEAN)",
        );
        let loading = people.each_batch(|rows| {
            let mut lines = String::new();
            rows.iter().for_each(|row| writeln!(lines, "{}", columns(row)).expect("text"));
            server.copy("COPY people FROM STDIN", lines);
        });
        let indexing = seconds(|| {
            server.execute(
                "CREATE INDEX ON people USING GIN (child_kanji gin_trgm_ops);
                 CREATE INDEX ON people USING GIN (child_kana gin_trgm_ops);
                 CREATE INDEX ON people USING GIN (guardian gin_trgm_ops);
                 CREATE INDEX ON people (birth_year)",
            );
            server.execute("VACUUM (ANALYZE) people");
        });
        (Self(server), loading + indexing)
    }
}

impl Peer for Trigrams<'_> {
    const NAME: &'static str = "PostgreSQL pg_trgm GIN";

    fn answer(&mut self, asked: &Asked) -> Vec<Shown> {
        let query = like(asked);
        hits(self.0, query)
    }
}

impl<'a> Bigrams<'a> {
    pub fn build(server: &'a mut Server, people: &People<'_>) -> (Self, f64) {
        server.execute(
            "DROP TABLE IF EXISTS people;
             CREATE UNLOGGED TABLE people (id BIGINT, child_kanji TEXT, child_kana TEXT, guardian TEXT, birth_year INT,
                 searchable BOOLEAN, child_grams TEXT[], guardian_grams TEXT[])",
        );
        let loading = people.each_batch(|rows| {
            let mut lines = String::new();
            for row in rows {
                let child = array(&format!("{} {}", row.child_kanji, row.child_kana));
                writeln!(lines, "{}\t{child}\t{}", columns(row), array(&row.guardian)).expect("text");
            }
            server.copy("COPY people FROM STDIN", lines);
        });
        let indexing = seconds(|| {
            server.execute(
                "CREATE INDEX ON people USING GIN (child_grams);
                 CREATE INDEX ON people USING GIN (guardian_grams);
                 CREATE INDEX ON people (birth_year)",
            );
            server.execute("VACUUM (ANALYZE) people");
        });
        (Self(server), loading + indexing)
    }
}

impl Peer for Bigrams<'_> {
    const NAME: &'static str = "PostgreSQL bigram array GIN";

    fn answer(&mut self, asked: &Asked) -> Vec<Shown> {
        let mut query = like(asked);
        query.push(" AND child_grams @> ").push_bind(all_grams(&asked.child));
        if let Some(guardian) = &asked.guardian {
            query.push(" AND guardian_grams @> ").push_bind(all_grams(guardian));
        }
        hits(self.0, query)
    }
}

/// Names and years hold nothing that COPY would have escaped.
fn columns(row: &Row) -> String {
    let Row { id, child_kanji, child_kana, guardian, birth_year, searchable } = row;
    format!("{id}\t{child_kanji}\t{child_kana}\t{guardian}\t{birth_year}\t{searchable}")
}

fn array(names: &str) -> String {
    let grams: Vec<&str> = grams(names, 1).chain(grams(names, 2)).map(|(_, gram)| gram).collect();
    format!("{{{}}}", grams.join(","))
}

fn all_grams(asked: &str) -> Vec<String> {
    pieces(asked).flat_map(grams_of_piece).map(str::to_owned).collect()
}

fn like(asked: &Asked) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT id, child_kanji AS child, guardian, birth_year FROM people WHERE searchable",
    );
    for piece in pieces(&asked.child) {
        query.push(" AND (child_kanji LIKE ").push_bind(format!("%{piece}%"));
        query.push(" OR child_kana LIKE ").push_bind(format!("%{piece}%")).push(")");
    }
    for piece in asked.guardian.iter().flat_map(|guardian| pieces(guardian)) {
        query.push(" AND guardian LIKE ").push_bind(format!("%{piece}%"));
    }
    if let Some(year) = asked.year {
        query.push(" AND birth_year = ").push_bind(year);
    }
    query
}

fn hits(server: &mut Server, mut query: QueryBuilder<Postgres>) -> Vec<Shown> {
    query.push(format_args!(" LIMIT {ENOUGH}"));
    server.rows(query)
}
