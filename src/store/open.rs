//! Opens a database, and begins its transactions.

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

use futures_util::future::BoxFuture;

use super::{
    changes,
    error::StoreError,
    kept::{IDLE, KeptConnections, is_dead},
    log::{Emptying, leave_the_log},
    migrate,
    rows::{guard::RowGuard, notes::RowNotes},
    tx::{On, Tx},
};
use crate::planted::Planted;

/// What follows every commit of a SQLite database to another place, before anybody is answered.
pub trait Follower: Send + Sync {
    /// Numbers the batch that begins, in its own transaction.
    fn number<'t>(&'t self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), StoreError>>;
    /// Holds what was committed, when this returns.
    fn secure(&self) -> BoxFuture<'_, Result<(), StoreError>>;
    /// The same after a commit: it is an error where there is nothing to hold.
    fn secure_commit(&self) -> BoxFuture<'_, Result<(), StoreError>>;
    /// The database is closed.
    fn rest(&self) -> BoxFuture<'_, ()>;
}

/// An open database: one connection that writes, several that read.
#[derive(Clone)]
pub enum Store {
    Sqlite {
        writer: KeptConnections<Sqlite>,
        readers: SqlitePool,
        /// For what is read in one statement.
        glances: KeptConnections<Sqlite>,
        /// `None` where a stream follows, which sees to the log, and where nothing is written.
        emptying: Option<Emptying>,
        follower: Arc<OnceLock<Arc<dyn Follower>>>,
        guard: Guarded,
    },
    Postgres {
        writer: KeptConnections<Postgres>,
        readers: PgPool,
        glances: KeptConnections<Postgres>,
        guard: Guarded,
    },
}

/// What tells the gateway's rows from others, once the keys are open.
pub type Guarded = Arc<OnceLock<Arc<RowGuard>>>;

/// What a transaction of the journal may do beside those of other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Adds entries: any number of nodes do so at once.
    Append,
    /// Changes what decisions rest on: one node at a time, and nobody appends meanwhile.
    Change,
}

const READERS: u32 = 4;
pub(crate) const BUSY: Duration = Duration::from_secs(5);
/// Connections of a node that read PostgreSQL, and as many for what is read in one statement.
pub(super) const SHARED_READERS: u32 = 8;
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
                Err(error) if is_dead(&error) => {}
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
        Self::open_sqlite_with(leave_the_log(SqliteConnectOptions::new()), file, Some(Emptying::begin)).await
    }

    /// The same, where a stream follows: it alone moves the write-ahead log into the database.
    ///
    /// # Errors
    /// As [`Self::open_sqlite`].
    pub async fn open_streamed_sqlite(file: &Path) -> Result<Self, StoreError> {
        Self::open_sqlite_with(SqliteConnectOptions::new().pragma("wal_autocheckpoint", "0"), file, None).await
    }

    async fn open_sqlite_with(
        options: SqliteConnectOptions,
        file: &Path,
        emptying: Option<fn(SqliteConnectOptions) -> Emptying>,
    ) -> Result<Self, StoreError> {
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
            // A batch's own lists are short: they need no file.
            .connect_with(options.clone().pragma("temp_store", "memory"))
            .await?;
        migrate::run_sqlite(&writer).await?;
        let several = || SqlitePoolOptions::new().max_connections(READERS).min_connections(1);
        let readers = several().connect_with(options.clone()).await?;
        let glances = KeptConnections::new(several().connect_with(options.clone()).await?);
        let emptying = emptying.map(|begin| begin(options));
        Ok(Self::Sqlite {
            writer: KeptConnections::new(writer),
            readers,
            glances,
            emptying,
            follower: Arc::default(),
            guard: Arc::default(),
        })
    }

    /// Connects to PostgreSQL, whose schema must be that of this program.
    ///
    /// # Errors
    /// The server cannot be reached, or the schema is not one this program knows.
    pub async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)?.options(SERVER_BOUNDS).application_name("tsunagi");
        let pool = |max_connections| {
            PgPoolOptions::new()
                .max_connections(max_connections)
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
        let flushed = if Planted::UnflushedCommits.is_planted() { "off" } else { "on" };
        // What is committed in one statement begins as the server says otherwise.
        let own = [("synchronous_commit", flushed), ("default_transaction_isolation", "read committed")];
        let writer = pool(1).connect_with(options.clone().options(own)).await?;
        migrate::check_postgres(&writer).await?;
        check_durability(&writer).await?;
        let readers = pool(SHARED_READERS).connect_with(options.clone()).await?;
        let glances = KeptConnections::new(pool(SHARED_READERS).connect_with(options).await?);
        Ok(Self::Postgres { writer: KeptConnections::new(writer), readers, glances, guard: Arc::default() })
    }

    /// Whether other nodes may write to it as well.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// Whether entries can be appended and committed as one statement: no stream follows the commit.
    pub fn appends_at_once(&self) -> bool {
        self.follower().is_none() && !Planted::is_of_transactions()
    }

    /// Position of the last change that any node committed; 0 where no other node writes.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn changes_position(&self) -> Result<u64, StoreError> {
        if !self.is_shared() {
            return Ok(0);
        }
        if let Self::Postgres { glances, .. } = self
            && let Ok(position) = changes::glance(glances).await
        {
            return Ok(position);
        }
        // A connection may be dead, as after a failover every one may be: here the next is taken.
        changes::position(&mut self.read().await?).await
    }

    /// Begins a transaction that reads one consistent state.
    ///
    /// # Errors
    /// No connection can be had.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let on = match self {
            Self::Sqlite { readers, .. } => On::Sqlite(readers.begin().await?),
            Self::Postgres { readers, .. } => {
                On::Postgres(begin(readers, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?)
            }
        };
        Ok(Tx { on, rows: RowNotes::guarded_by(self.guard()) })
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
        let on = match (self, access) {
            (Self::Sqlite { writer, .. }, _) => On::Sqlite(writer.pool().begin_with("BEGIN IMMEDIATE").await?),
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
                On::Postgres(begin(writer.pool(), begun).await?)
            }
        };
        let mut tx = Tx { on, rows: RowNotes::guarded_by(self.guard()) };
        if let Some(follower) = self.follower() {
            follower.number(&mut tx).await?;
        }
        Ok(tx)
    }

    /// Gives the database what tells the gateway's rows from others. A second one is not taken.
    pub fn guard_with(&self, new: Arc<RowGuard>) {
        let (Self::Sqlite { guard, .. } | Self::Postgres { guard, .. }) = self;
        let _ = guard.set(new);
    }

    /// What tells the gateway's rows from others, once the keys are open.
    pub fn guard(&self) -> Option<Arc<RowGuard>> {
        let (Self::Sqlite { guard, .. } | Self::Postgres { guard, .. }) = self;
        guard.get().cloned()
    }

    /// Gives the database what follows its commits. A second one is not taken.
    pub fn follow_with(&self, new: Arc<dyn Follower>) {
        if let Self::Sqlite { follower, .. } = self {
            let _ = follower.set(new);
        }
    }

    fn follower(&self) -> Option<&Arc<dyn Follower>> {
        match self {
            Self::Sqlite { follower, .. } => follower.get(),
            Self::Postgres { .. } => None,
        }
    }

    /// Sees to it that the follower holds what was committed. Before that nothing is acknowledged.
    ///
    /// # Errors
    /// It does not: what was committed is in doubt.
    pub(crate) async fn secure(&self) -> Result<(), StoreError> {
        match self.follower() {
            Some(follower) => follower.secure().await,
            None => Ok(()),
        }
    }

    /// The same after a commit: there must be one to hold.
    ///
    /// # Errors
    /// As [`Self::secure`], or the follower found nothing.
    pub(crate) async fn secure_commit(&self) -> Result<(), StoreError> {
        match self.follower() {
            Some(follower) => follower.secure_commit().await,
            None => Ok(()),
        }
    }

    /// Tells what a commit left to do that it was made.
    pub(crate) fn committed(&self) {
        if let Self::Sqlite { emptying: Some(emptying), .. } = self {
            emptying.committed();
        }
    }

    /// Waits until the store is about to be closed, which waits for whoever reads.
    pub async fn closing(&self) {
        match self {
            Self::Sqlite { readers, .. } => readers.close_event().await,
            Self::Postgres { readers, .. } => readers.close_event().await,
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, glances, emptying, follower, .. } => {
                if let Some(emptying) = emptying {
                    emptying.close().await;
                }
                glances.close().await;
                readers.close().await;
                writer.close().await;
                if let Some(follower) = follower.get() {
                    follower.rest().await;
                }
            }
            Self::Postgres { writer, readers, glances, .. } => {
                glances.close().await;
                readers.close().await;
                writer.close().await;
            }
        }
    }
}
