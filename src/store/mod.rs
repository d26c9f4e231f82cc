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
pub mod backup;
pub mod batches;
pub mod changes;
pub mod disposals;
pub mod edit_locks;
pub mod idempotency;
pub mod inbox;
pub mod index_rows;
pub mod keyring;
pub mod ledger;
pub mod migrate;
pub mod notices;
pub mod oversight;
pub mod reading;
pub mod records;
pub mod rewraps;
pub mod sessions;
pub mod shreds;
pub mod snapshot;
pub mod token;
pub mod transfers;
pub mod trust;
pub mod vault;
pub mod versions;

use std::{
    path::Path,
    str::FromStr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use sqlx::{
    Connection, Postgres, Sqlite, Transaction,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous},
};

use self::{
    backup::{BackupError, Stream},
    vault::Vault,
};
use crate::{clock::Timestamp, disclosure::planted::Planted};

/// What can go wrong between the gateway and its database. Messages never hold a value.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("the schema of the database is newer than this program, or not its own")]
    UnknownSchema,
    #[error("the schema of the database is older than this program, or missing: run `tsunagi migrate` as its owner")]
    OldSchema,
    #[error("a sealed value does not open: wrong key, wrong place or damaged")]
    Unsealed,
    #[error("no key of generation {generation} for prefecture {prefecture}")]
    KeyMissing { prefecture: String, generation: u32 },
    #[error("a stored value cannot be read: {0}")]
    Corrupt(&'static str),
    #[error("a version of a record is not where its prefecture says: it moved while it was read, or it is missing")]
    Moved,
    #[error("the server may lose what it has committed: `{setting}` is off")]
    NotDurable { setting: &'static str },
    #[error("another process writes as this node: give each node a name of its own")]
    OtherWriter,
    #[error("the database did not answer in time")]
    Slow,
    #[error("keyring file: {0}")]
    Keyring(String),
    #[error("what was committed could not be streamed: {0}")]
    Unsecured(String),
    #[error("the stream of backups cannot be read: {0}")]
    Stream(String),
    #[error("the system gives no randomness")]
    Random,
    #[error("the record's key was destroyed")]
    Destroyed,
    #[error(transparent)]
    Token(#[from] token::TokenError),
}

/// SQLite's codes where the disk did not confirm what it was given (`fsync`, of a file and of a directory).
const NOT_SYNCED: [&str; 2] = ["1034", "1290"];
/// SQLite's codes where the machine under it fails or is exhausted: busy, I/O, full, cannot open.
const EXHAUSTED: [i64; 4] = [5, 10, 13, 14];
/// PostgreSQL's classes of the same: connection, resources, intervention, system.
const AWAY: [&str; 4] = ["08", "53", "57", "58"];

/// PostgreSQL's last word on a connection that it ends.
const TERMINATED: &str = "57P01";
/// PostgreSQL's answer where a standby is asked to write.
const STANDBY: &str = "25006";

impl StoreError {
    /// Whether a write may be lost although the kernel still shows it.
    pub fn is_sync_failure(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error))
            if error.code().is_some_and(|code| NOT_SYNCED.contains(&code.as_ref())))
    }

    /// Whether the database cannot be asked at this moment, for a reason that passes or is the operator's to mend.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => match error.code().as_deref() {
                // Five letters are PostgreSQL's, fewer are SQLite's.
                Some(state) if state.len() == 5 => {
                    state == STANDBY || AWAY.iter().any(|class| state.starts_with(class))
                }
                Some(code) => code.parse::<i64>().is_ok_and(|code| EXHAUSTED.contains(&(code & 0xFF))),
                None => false,
            },
            Self::Slow => true,
            Self::Database(error) => {
                use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
                // A balancer that finds no server closes a connection in the midst of its greeting.
                matches!(error, Io(_) | Protocol(_) | Tls(_) | PoolTimedOut | PoolClosed | WorkerCrashed)
            }
            _ => false,
        }
    }
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

/// Inserts any number of rows by one statement of PostgreSQL: each column goes as an array, constants after them.
/// Answers how many rows it inserted.
macro_rules! insert_arrays {
    ($tx:expr, $sql:expr, $rows:expr, |$row:pat_param| [$($column:ident = $value:expr),+ $(,)?] $(, $constant:expr)* $(,)?) => {{
        $(let mut $column = Vec::new();)+
        for $row in $rows {
            $($column.push($value);)+
        }
        sqlx::query($sql)$(.bind($column))+$(.bind($constant))*.execute(&mut **$tx).await?.rows_affected()
    }};
}

pub(crate) use {execute, fetch_all, fetch_optional, for_each_chunk, insert_arrays};

/// An open database: one connection that writes, several that read.
#[derive(Clone)]
pub enum Store {
    Sqlite { writer: SqlitePool, readers: SqlitePool, stream: Arc<OnceLock<Arc<Stream>>> },
    Postgres { writer: PgPool, readers: PgPool },
}

/// What a transaction of the journal may do beside those of other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Adds entries: any number of nodes do so at once.
    Append,
    /// Changes what decisions rest on: one node at a time, and nobody appends meanwhile.
    Change,
}

const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);
/// Connections of a node that read PostgreSQL.
const SHARED_READERS: u32 = 8;
/// After which a connection is asked whether it is still there before it is used.
const IDLE: Duration = Duration::from_secs(1);
/// Bounds on what the server does for one statement, in milliseconds.
const SERVER_BOUNDS: [(&str, &str); 4] = [
    ("statement_timeout", "20000"),
    ("lock_timeout", "8000"),
    ("idle_in_transaction_session_timeout", "30000"),
    // Plans of short statements over many partitions are not worth compiling.
    ("jit", "off"),
];

/// Begins a transaction, in a task of its own: where the caller goes away meanwhile, it is rolled back, and no
/// connection of the pool is left inside it. Where a connection turns out to be dead, as after a failover every one of
/// the pool may be, the next is taken.
async fn begin(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>, StoreError> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move {
        for _ in 0..=SHARED_READERS {
            match pool.begin_with(statement).await {
                Err(sqlx::Error::Io(_)) => {}
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(TERMINATED) => {}
                Err(error @ (sqlx::Error::Database(_) | sqlx::Error::BeginFailed)) => {
                    // It may have begun and then failed, which its connection does not tell the pool.
                    if let Ok(connection) = pool.acquire().await {
                        let _ = connection.close().await;
                    }
                    return Err(error);
                }
                begun => return begun,
            }
        }
        pool.begin_with(statement).await
    });
    Ok(begun.await.map_err(|_| StoreError::Slow)??)
}

/// Refuses a server that does not keep what it has committed.
async fn check_durability(pool: &PgPool) -> Result<(), StoreError> {
    for setting in ["fsync", "full_page_writes"] {
        let value: String =
            sqlx::query_scalar("/* durability */ SELECT current_setting($1)").bind(setting).fetch_one(pool).await?;
        if value != "on" {
            return Err(StoreError::NotDurable { setting });
        }
    }
    Ok(())
}

/// Brings the schema of a PostgreSQL database up to date, as the role that owns it.
///
/// # Errors
/// The server cannot be reached, the role may not, or the schema is not one this program knows.
pub async fn migrate_postgres(url: &str) -> Result<(), StoreError> {
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
    let done = migrate::run_postgres(&pool).await;
    pool.close().await;
    done
}

impl Store {
    /// Opens a SQLite file, making it where it does not exist, and brings its schema up to date.
    ///
    /// # Errors
    /// The file cannot be opened, or its schema is not one this program knows.
    pub async fn open_sqlite(file: &Path) -> Result<Self, StoreError> {
        Self::open_sqlite_with(SqliteConnectOptions::new(), file).await
    }

    /// The same, where a stream follows: it alone moves the write-ahead log into the database.
    ///
    /// # Errors
    /// As [`Self::open_sqlite`].
    pub async fn open_streamed_sqlite(file: &Path) -> Result<Self, StoreError> {
        Self::open_sqlite_with(SqliteConnectOptions::new().pragma("wal_autocheckpoint", "0"), file).await
    }

    async fn open_sqlite_with(options: SqliteConnectOptions, file: &Path) -> Result<Self, StoreError> {
        let options = options
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
        Ok(Self::Sqlite { writer, readers, stream: Arc::default() })
    }

    /// Connects to PostgreSQL, whose schema must be that of this program.
    ///
    /// # Errors
    /// The server cannot be reached, or the schema is not one this program knows.
    pub async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)?.options(SERVER_BOUNDS).application_name("tsunagi");
        let pool = |most| {
            PgPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(BUSY)
                .test_before_acquire(false)
                .before_acquire(|connection, used| {
                    Box::pin(async move {
                        // After a failover what was idle is gone; who asks next shall not pay for it.
                        Ok(used.idle_for < IDLE || connection.ping().await.is_ok())
                    })
                })
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        // A balancer may take a standby for the primary in its first moments: it is behind.
                        let standby = "/* is_standby */ SELECT pg_is_in_recovery()";
                        match sqlx::query_scalar(standby).fetch_one(connection).await? {
                            false => Ok(()),
                            true => Err(sqlx::Error::Io(std::io::Error::other("the server is a standby"))),
                        }
                    })
                })
        };
        // Acknowledged is durable: on whatever the server or the role says otherwise, here it waits for the flush, and for
        // the standbys that `synchronous_standby_names` asks for.
        let flushed = if Planted::from_environment() == Some(Planted::UnflushedCommits) { "off" } else { "on" };
        let writer = pool(1).connect_with(options.clone().options([("synchronous_commit", flushed)])).await?;
        migrate::check_postgres(&writer).await?;
        check_durability(&writer).await?;
        let readers = pool(SHARED_READERS).connect_with(options).await?;
        Ok(Self::Postgres { writer, readers })
    }

    /// Whether other nodes may write to it as well.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// Position of the last change that any node committed; 0 where no other node writes.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn changes_position(&self) -> Result<u64, StoreError> {
        if !self.is_shared() {
            return Ok(0);
        }
        changes::position(&mut self.read().await?).await
    }

    /// Begins a transaction that reads one consistent state.
    ///
    /// # Errors
    /// No connection can be had.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            Self::Postgres { readers, .. } => {
                Tx::Postgres(begin(readers, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?)
            }
        })
    }

    /// Begins the transaction of the journal. With SQLite nobody else writes while the gateway runs. With PostgreSQL
    /// other nodes may: a lock of the whole database, held until the commit is durable, keeps changes apart from
    /// everything else.
    ///
    /// # Errors
    /// No connection can be had, or others did not end in time.
    pub(crate) async fn write(&self, access: Access) -> Result<Tx, StoreError> {
        // Nothing is written behind what the stream does not hold yet.
        self.secure().await?;
        let mut tx = match (self, access) {
            (Self::Sqlite { writer, .. }, _) => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            (Self::Postgres { writer, .. }, access) => {
                // Each statement sees what was committed before it: also what was while it waited for the lock.
                let begun = match access {
                    Access::Append => {
                        "BEGIN ISOLATION LEVEL READ COMMITTED; /* append */ SELECT pg_advisory_xact_lock_shared(8321)"
                    }
                    Access::Change => {
                        "BEGIN ISOLATION LEVEL READ COMMITTED; /* change */ SELECT pg_advisory_xact_lock(8321)"
                    }
                };
                Tx::Postgres(begin(writer, begun).await?)
            }
        };
        if let Some(stream) = self.stream() {
            stream.number(&mut tx).await?;
        }
        Ok(tx)
    }

    /// Begins to stream every batch, or goes on with it.
    ///
    /// # Errors
    /// The stream cannot be written, or is not one that this database can go on with.
    pub async fn begin_stream(
        &self,
        directory: &Path,
        database: &Path,
        vault: &Arc<Vault>,
        now: Timestamp,
    ) -> Result<(), BackupError> {
        let opened = Stream::open(directory, database, vault.clone(), self, now).await?;
        if let Self::Sqlite { stream, .. } = self {
            // A second beginning finds the lock of the first.
            let _ = stream.set(opened);
        }
        Ok(())
    }

    /// The stream, where there is one.
    pub fn stream(&self) -> Option<&Arc<Stream>> {
        match self {
            Self::Sqlite { stream, .. } => stream.get(),
            Self::Postgres { .. } => None,
        }
    }

    /// Sees to it that the stream holds what was committed. Before that nothing is acknowledged.
    ///
    /// # Errors
    /// The stream cannot be written: what was committed is in doubt.
    pub(crate) async fn secure(&self) -> Result<(), StoreError> {
        match self.stream() {
            Some(stream) => stream.secure().await.map_err(|error| StoreError::Unsecured(error.to_string())),
            None => Ok(()),
        }
    }

    /// The same after a commit: the stream must hold it.
    ///
    /// # Errors
    /// As [`Self::secure`], or the stream found nothing.
    pub(crate) async fn secure_commit(&self) -> Result<(), StoreError> {
        match self.stream() {
            Some(stream) => stream.secure_commit().await.map_err(|error| StoreError::Unsecured(error.to_string())),
            None => Ok(()),
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, stream } => {
                readers.close().await;
                writer.close().await;
                if let Some(stream) = stream.get()
                    && let Err(error) = stream.rest().await
                {
                    tracing::warn!(%error, "the stream did not come to rest; the next start may make a base copy");
                }
            }
            Self::Postgres { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_be_asked_is_an_outage_and_what_it_says_wrongly_is_none() {
        let outage = |error: sqlx::Error| StoreError::Database(error).is_outage();
        assert!(outage(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())));
        assert!(outage(sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned())));
        assert!(!outage(sqlx::Error::RowNotFound));
        assert!(!StoreError::Corrupt("a value").is_outage());
    }
}
