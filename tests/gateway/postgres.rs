//! An empty database on the throwaway PostgreSQL server whose URL is in `TEST_POSTGRES`; without it, tests use SQLite.
//!
//! `scripts/with_postgres.sh` starts such a server and removes it. No server in use is ever named here.

use sqlx::{Connection, Executor, PgConnection};
use tsunagi::{clock::unclocked_id, store};

const TEMPLATE: &str = "tsunagi_template";

/// URL of the server, up to the name of a database.
fn server() -> Option<String> {
    std::env::var("TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

/// A new database with the schema of this program; `None` where tests use SQLite.
pub async fn database() -> Option<String> {
    let server = server()?;
    let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    let name = format!("test_{}", unclocked_id().simple());
    // One test makes the template, the others wait for it.
    admin.execute("SELECT pg_advisory_lock(1)").await.unwrap();
    let made: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(TEMPLATE)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    if !made {
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {TEMPLATE}_new"))).await.unwrap();
        store::migrate_postgres(&format!("{server}/{TEMPLATE}_new")).await.unwrap();
        let rename = format!("ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}");
        admin.execute(sqlx::AssertSqlSafe(rename)).await.unwrap();
    }
    let create = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}");
    admin.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
    admin.execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    admin.close().await.unwrap();
    Some(format!("{server}/{name}"))
}
