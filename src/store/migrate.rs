//! Numbered migrations, embedded in the program and checked at start.

use std::borrow::Cow;

use sqlx::{
    PgPool, SqlStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
};

use super::StoreError;

const SQLITE: [(i64, &str, &str); 1] = [(1, "main", include_str!("../../migrations/sqlite/0001_main.sql"))];
const POSTGRES: [(i64, &str, &str); 1] = [(1, "main", include_str!("../../migrations/postgres/0001_main.sql"))];

pub(super) async fn run_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    migrator(&SQLITE).run(pool).await.map_err(unknown_schema)
}

pub(super) async fn run_postgres(pool: &PgPool) -> Result<(), StoreError> {
    migrator(&POSTGRES).run(pool).await.map_err(unknown_schema)
}

fn migrator(all: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = all
        .iter()
        .map(|(version, description, sql)| {
            Migration::new(
                *version,
                Cow::Borrowed(*description),
                MigrationType::Simple,
                SqlStr::from_static(sql),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(migrations)
}

/// A migration that ran here once but is not known, or that has changed since, means another program's schema.
fn unknown_schema(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::VersionMissing(_) | sqlx::migrate::MigrateError::VersionMismatch(_) => {
            StoreError::UnknownSchema
        }
        other => StoreError::Migration(other),
    }
}
