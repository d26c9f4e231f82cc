//! What the machine can do at the best: a durable write, one row in one commit, the acts in one round trip each.

use std::{fs::OpenOptions, io::Write, path::Path, time::Instant};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{SECONDS, table::Line};

/// Bytes of a row: about those of a ledger entry.
const ROW: [u8; 400] = [7; 400];
/// Bytes of a sealed record.
const RECORD: [u8; 2_000] = [7; 2_000];

pub fn fdatasync(directory: &Path) -> Line {
    let mut file = OpenOptions::new().create(true).append(true).open(directory.join("fdatasync")).unwrap();
    let started = Instant::now();
    let mut micros = Vec::new();
    while started.elapsed().as_secs_f64() < SECONDS {
        let one = Instant::now();
        file.write_all(&[7; 512]).unwrap();
        file.sync_data().unwrap();
        micros.push(one.elapsed().as_secs_f64() * 1e6);
    }
    Line::of(micros, started.elapsed().as_secs_f64())
}

/// One row in one statement, with the settings of the gateway's own database.
pub async fn sqlite_commit(directory: &Path) -> Line {
    let options = SqliteConnectOptions::new()
        .filename(directory.join("peer.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    let mut connection = options.connect().await.unwrap();
    connection.execute("CREATE TABLE one_row (id INTEGER PRIMARY KEY, body BLOB)").await.unwrap();
    let started = Instant::now();
    let mut micros = Vec::new();
    while started.elapsed().as_secs_f64() < SECONDS {
        let one = Instant::now();
        let insert = sqlx::query("INSERT INTO one_row (body) VALUES ($1)").bind(&ROW[..]);
        insert.execute(&mut connection).await.unwrap();
        micros.push(one.elapsed().as_secs_f64() * 1e6);
    }
    Line::of(micros, started.elapsed().as_secs_f64())
}

/// A new database of that name, by its URL.
pub async fn database(server: &str, name: &str) -> String {
    let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    format!("{server}/{name}")
}

/// One row in one commit, which is answered, and what each act would write and read in one round trip, printed.
pub async fn postgres(server: &str) -> Line {
    let url = database(server, "bench_peer").await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for table in ["entries", "records", "messages"] {
        let create = format!("CREATE TABLE {table} (id BIGSERIAL PRIMARY KEY, body BYTEA NOT NULL)");
        connection.execute(AssertSqlSafe(create)).await.unwrap();
    }
    sqlx::query("INSERT INTO records (body) VALUES ($1)").bind(&RECORD[..]).execute(&mut connection).await.unwrap();
    let commit = one_statement(&mut connection, "INSERT INTO entries (body) VALUES ($1)", &ROW).await;
    commit.print("limit: one row, one commit (PostgreSQL)", 1);
    for (name, statement, body) in [
        (
            "limit: view, one round trip",
            "WITH entry AS (INSERT INTO entries (body) VALUES ($1)) SELECT body FROM records WHERE id = 1",
            &ROW[..],
        ),
        (
            "limit: search, one round trip",
            "WITH entry AS (INSERT INTO entries (body) VALUES ($1), ($1)) INSERT INTO messages (body) VALUES ($1)",
            &ROW[..],
        ),
        (
            "limit: register, one round trip",
            "WITH entry AS (INSERT INTO entries (body) VALUES (substring($1::BYTEA FROM 1 FOR 400))) \
             INSERT INTO records (body) VALUES ($1)",
            &RECORD[..],
        ),
    ] {
        one_statement(&mut connection, statement, body).await.print(name, 1);
    }
    commit
}

async fn one_statement(connection: &mut PgConnection, statement: &'static str, body: &[u8]) -> Line {
    let started = Instant::now();
    let mut micros = Vec::new();
    while started.elapsed().as_secs_f64() < SECONDS {
        let one = Instant::now();
        sqlx::query(statement).bind(body).fetch_optional(&mut *connection).await.unwrap();
        micros.push(one.elapsed().as_secs_f64() * 1e6);
    }
    Line::of(micros, started.elapsed().as_secs_f64())
}
