//! Names in SQLite: FTS5 with its trigram tokenizer.
//!
//! Comes in: the people. Goes out: hits by quoted phrases. FTS5 finds nothing shorter than three letters: such pieces are
//! looked for by `LIKE` in the same table.

use sqlx::{
    ConnectOptions, FromRow, QueryBuilder, Sqlite, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteRow, SqliteSynchronous},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    ENOUGH, Peer, Shown,
    people::{People, pieces},
    runtime, seconds,
};
use crate::queries::Asked;

/// A database to be thrown away.
pub struct Database {
    connection: SqliteConnection,
    runtime: Runtime,
    _directory: TempDir,
}

impl Database {
    pub fn open() -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let runtime = runtime();
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("bench.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .locking_mode(SqliteLockingMode::Exclusive)
            // A gibibyte, as PostgreSQL has.
            .pragma("cache_size", "-1048576")
            .disable_statement_logging();
        let connection = runtime.block_on(options.connect()).expect("SQLite opens");
        Self { connection, runtime, _directory: directory }
    }

    /// Statements without values.
    pub fn execute(&mut self, sql: &'static str) {
        self.runtime.block_on(sqlx::raw_sql(sql).execute(&mut self.connection)).expect(sql);
    }

    pub fn put(&mut self, mut statement: QueryBuilder<Sqlite>) {
        self.runtime.block_on(statement.build().execute(&mut self.connection)).expect("statement");
    }

    pub fn rows<T>(&mut self, mut query: QueryBuilder<Sqlite>) -> Vec<T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let rows = query.build_query_as::<T>().fetch_all(&mut self.connection);
        self.runtime.block_on(rows).expect("query")
    }
}

pub struct Trigrams(Database);

/// Rows in one statement.
const TOGETHER: usize = 256;
const SHORTEST_PHRASE: usize = 3;

impl Trigrams {
    pub fn build(people: &People<'_>) -> (Self, f64) {
        let mut database = Database::open();
        database.execute(
            "CREATE VIRTUAL TABLE people USING fts5 (child, guardian, birth_year UNINDEXED,
                 searchable UNINDEXED, tokenize = 'trigram')",
        );
        let loading = people.each_batch(|rows| {
            database.execute("BEGIN");
            for some in rows.chunks(TOGETHER) {
                let mut insert =
                    QueryBuilder::<Sqlite>::new("INSERT INTO people (rowid, child, guardian, birth_year, searchable) ");
                insert.push_values(some, |mut values, row| {
                    values
                        .push_bind(row.id as i64)
                        .push_bind(format!("{} {}", row.child_kanji, row.child_kana))
                        .push_bind(row.guardian.as_str())
                        .push_bind(row.birth_year)
                        .push_bind(row.searchable);
                });
                database.put(insert);
            }
            database.execute("COMMIT");
        });
        let merging = seconds(|| database.execute("INSERT INTO people (people) VALUES ('optimize')"));
        (Self(database), loading + merging)
    }
}

impl Peer for Trigrams {
    const NAME: &'static str = "SQLite FTS5 trigram (LIKE below 3)";

    fn answer(&mut self, asked: &Asked) -> Vec<Shown> {
        let child = pieces(&asked.child).map(|piece| ("child", piece));
        let guardian = asked.guardian.iter().flat_map(|guardian| pieces(guardian)).map(|piece| ("guardian", piece));
        let (long, short): (Vec<_>, Vec<_>) =
            child.chain(guardian).partition(|(_, piece)| piece.chars().count() >= SHORTEST_PHRASE);
        let mut query =
            QueryBuilder::<Sqlite>::new("SELECT rowid AS id, child, guardian, birth_year FROM people WHERE searchable");
        if !long.is_empty() {
            let phrases: Vec<String> =
                long.into_iter().map(|(column, piece)| format!("{column} : \"{piece}\"")).collect();
            query.push(" AND people MATCH ").push_bind(phrases.join(" AND "));
        }
        for (column, piece) in short {
            query.push(format_args!(" AND {column} LIKE ")).push_bind(format!("%{piece}%"));
        }
        if let Some(year) = asked.year {
            query.push(" AND birth_year = ").push_bind(year);
        }
        query.push(format_args!(" LIMIT {ENOUGH}"));
        self.0.rows(query)
    }
}
