//! The databases: SQLite where one process serves, PostgreSQL in production.
//!
//! Comes in: ids, facts and values to seal. Goes out: facts in the clear and content as [`Sealed`], which only the
//! disclosure room opens. Never done here: deciding who may see what, or writing outside the journal's transaction.
//!
//! SQL is written once for both databases. [`Tx`] is a transaction on either; [`execute!`], [`fetch_optional!`] and
//! [`fetch_all!`] run a statement on whichever it is. What differs between the two stands in `migrations/`.
//!
//! [`Sealed`]: crate::disclosure::Sealed

pub mod accounts;
pub mod attachments;
pub mod idempotency;
pub mod inbox;
pub mod keyring;
pub mod ledger;
pub mod migrate;
pub mod notices;
pub mod oversight;
pub mod records;
pub mod snapshot;
pub mod transfers;
pub mod vault;

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    Connection, Postgres, Sqlite, Transaction,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous},
};

/// What can go wrong between the gateway and its database. Messages never hold a value.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("the schema of the database is newer than this program")]
    UnknownSchema,
    #[error("a sealed value does not open: wrong key, wrong place or damaged")]
    Unsealed,
    #[error("no key of generation {generation} for prefecture {prefecture}")]
    KeyMissing { prefecture: String, generation: u32 },
    #[error("a stored value cannot be read: {0}")]
    Corrupt(&'static str),
    #[error("keyring file: {0}")]
    Keyring(String),
}

/// A transaction on either database.
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// # Errors
    /// The commit failed, or its outcome is unknown.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Runs a statement; answers the number of rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => {
                sqlx::query($sql)$(.bind($bind))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            $crate::store::Tx::Postgres(tx) => {
                sqlx::query($sql)$(.bind($bind))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
        .map_err($crate::store::StoreError::from)
    };
}

/// Fetches at most one row as a tuple.
macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(&mut **tx).await
            }
            $crate::store::Tx::Postgres(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(&mut **tx).await
            }
        }
        .map_err($crate::store::StoreError::from)
    };
}

/// Fetches every row as a tuple.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(&mut **tx).await
            }
            $crate::store::Tx::Postgres(tx) => {
                sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(&mut **tx).await
            }
        }
        .map_err($crate::store::StoreError::from)
    };
}

/// Rows in one statement of [`for_each_chunk!`].
pub(crate) const CHUNK: usize = 16;

/// Runs a statement for every sixteen items, and another for each that is left; `$bind` binds one item's columns.
macro_rules! for_each_chunk {
    ($tx:expr, $items:expr, $sixteen:expr, $one:expr, |$query:ident, $item:ident| $bind:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => for_each_chunk!(@on tx, $items, $sixteen, $one, $query, $item, $bind),
            $crate::store::Tx::Postgres(tx) => for_each_chunk!(@on tx, $items, $sixteen, $one, $query, $item, $bind),
        }
    };
    (@on $tx:ident, $items:expr, $sixteen:expr, $one:expr, $query:ident, $item:ident, $bind:expr) => {{
        let mut items = $items.into_iter();
        while items.len() >= $crate::store::CHUNK {
            let mut $query = sqlx::query($sixteen);
            for $item in items.by_ref().take($crate::store::CHUNK) {
                $query = $bind;
            }
            $query.execute(&mut **$tx).await?;
        }
        for $item in items {
            let $query = sqlx::query($one);
            $bind.execute(&mut **$tx).await?;
        }
    }};
}

pub(crate) use {execute, fetch_all, fetch_optional, for_each_chunk};

/// An open database: one connection that writes, several that read.
#[derive(Clone)]
pub enum Store {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres { pool: PgPool },
}

const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);

impl Store {
    /// Opens a SQLite file, making it where it does not exist, and brings its schema up to date.
    ///
    /// # Errors
    /// The file cannot be opened, or its schema is not one this program knows.
    pub async fn open_sqlite(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Acknowledged is durable: NORMAL loses commits when power fails.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        // A commit that failed leaves its connection inside a transaction that never ends: such a one is thrown away.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await?;
        migrate::run_sqlite(&writer).await?;
        let readers =
            SqlitePoolOptions::new().max_connections(READERS).min_connections(1).connect_with(options).await?;
        Ok(Self::Sqlite { writer, readers })
    }

    /// Connects to PostgreSQL and brings the schema up to date.
    ///
    /// # Errors
    /// The server cannot be reached, or the schema is not one this program knows.
    pub async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)?;
        let pool = PgPoolOptions::new().max_connections(READERS + 1).connect_with(options).await?;
        migrate::run_postgres(&pool).await?;
        Ok(Self::Postgres { pool })
    }

    /// Begins a transaction that reads one consistent state.
    ///
    /// # Errors
    /// No connection can be had.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            Self::Postgres { pool } => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Begins the transaction of the journal. Nobody else writes while the gateway runs.
    ///
    /// # Errors
    /// No connection can be had, or another process writes.
    pub(crate) async fn write(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { pool } => Tx::Postgres(pool.begin().await?),
        })
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { pool } => pool.close().await,
        }
    }
}
