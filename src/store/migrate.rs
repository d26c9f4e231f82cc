//! Numbered migrations, embedded in the program and checked at start.

use std::borrow::Cow;

use sqlx::{
    PgPool, SqlStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
};

use super::error::StoreError;

const SQLITE: [(i64, &str, &str); 12] = [
    (1, "main", include_str!("../../migrations/sqlite/0001_main.sql")),
    (2, "nodes", include_str!("../../migrations/sqlite/0002_nodes.sql")),
    (3, "edit locks", include_str!("../../migrations/sqlite/0003_edit_locks.sql")),
    (4, "disposal", include_str!("../../migrations/sqlite/0004_disposal.sql")),
    (5, "batches", include_str!("../../migrations/sqlite/0005_batches.sql")),
    (6, "looked up", include_str!("../../migrations/sqlite/0006_looked_up.sql")),
    (7, "looked up by party", include_str!("../../migrations/sqlite/0007_looked_up_by_party.sql")),
    (8, "append at once", include_str!("../../migrations/sqlite/0008_append_at_once.sql")),
    (9, "persons", include_str!("../../migrations/sqlite/0009_persons.sql")),
    (10, "marks", include_str!("../../migrations/sqlite/0010_marks.sql")),
    (11, "what waits", include_str!("../../migrations/sqlite/0011_what_waits.sql")),
    (12, "passkeys", include_str!("../../migrations/sqlite/0012_passkeys.sql")),
];
const POSTGRES: [(i64, &str, &str); 12] = [
    (1, "main", include_str!("../../migrations/postgres/0001_main.sql")),
    (2, "nodes", include_str!("../../migrations/postgres/0002_nodes.sql")),
    (3, "edit locks", include_str!("../../migrations/postgres/0003_edit_locks.sql")),
    (4, "disposal", include_str!("../../migrations/postgres/0004_disposal.sql")),
    (5, "batches", include_str!("../../migrations/postgres/0005_batches.sql")),
    (6, "looked up", include_str!("../../migrations/postgres/0006_looked_up.sql")),
    (7, "looked up by party", include_str!("../../migrations/postgres/0007_looked_up_by_party.sql")),
    (8, "append at once", include_str!("../../migrations/postgres/0008_append_at_once.sql")),
    (9, "persons", include_str!("../../migrations/postgres/0009_persons.sql")),
    (10, "marks", include_str!("../../migrations/postgres/0010_marks.sql")),
    (11, "what waits", include_str!("../../migrations/postgres/0011_what_waits.sql")),
    (12, "passkeys", include_str!("../../migrations/postgres/0012_passkeys.sql")),
];

pub(super) async fn run_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    migrator(&SQLITE).run(pool).await.map_err(unknown_schema)
}

/// Brings the schema up to date. Needs the role that owns it.
pub(super) async fn run_postgres(pool: &PgPool) -> Result<(), StoreError> {
    migrator(&POSTGRES).run(pool).await.map_err(unknown_schema)
}

/// Refuses a schema that is not the one of this program. A gateway's role may look, and change nothing.
pub(super) async fn check_postgres(pool: &PgPool) -> Result<(), StoreError> {
    let exists: bool = sqlx::query_scalar("/* has_schema */ SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(pool)
        .await?;
    if !exists {
        return Err(StoreError::OldSchema);
    }
    let done: Vec<(i64, Vec<u8>, bool)> =
        sqlx::query_as("/* schema */ SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version")
            .fetch_all(pool)
            .await?;
    let ours = migrator(&POSTGRES);
    let mut ours = ours.iter();
    for (version, checksum, success) in done {
        match ours.next() {
            Some(known) if known.version == version && *known.checksum == *checksum && success => {}
            _ => return Err(StoreError::UnknownSchema),
        }
    }
    if ours.next().is_some() { Err(StoreError::OldSchema) } else { Ok(()) }
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
