//! Empties SQLite's write-ahead log beside the commits. SQLite itself does that within the commit that finds the log
//! long: one caller in a hundred would wait for a thousand pages and the flush of the database file.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Sqlite,
    sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions},
};
use tokio::{sync::Notify, time::sleep};

use super::kept::KeptConnections;

/// Pages of the log beyond which a commit moves what is left of it, so that the next one begins it anew: 64 MiB of 4 KiB.
/// While others commit without a pause, nobody else can. That is what bounds the log as long as nobody reads for long.
const MAX_PAGES: &str = "16000";
/// Between two rounds: a page that is written often meanwhile is moved once.
const PAUSE: Duration = Duration::from_millis(500);

/// Moves what was committed into the database file, on a connection of its own.
#[derive(Clone)]
pub struct Emptying {
    connection: KeptConnections<Sqlite>,
    committed: Arc<Notify>,
}

/// Options of a connection that leaves to this what a commit would else do.
pub(super) fn leave_the_log(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.pragma("wal_autocheckpoint", MAX_PAGES)
}

impl Emptying {
    pub(super) fn begin(options: SqliteConnectOptions) -> Self {
        let pool: SqlitePool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let emptying = Self { connection: KeptConnections::new(pool), committed: Arc::default() };
        tokio::spawn(emptying.clone().rounds());
        emptying
    }

    /// There is something to move.
    pub(super) fn committed(&self) {
        self.committed.notify_one();
    }

    pub(super) async fn close(&self) {
        self.connection.close().await;
        self.committed.notify_one();
    }

    async fn rounds(self) {
        loop {
            self.committed.notified().await;
            sleep(PAUSE).await;
            match self.round().await {
                Ok(()) => {}
                Err(sqlx::Error::PoolClosed) => return,
                // What was committed is in the log, which is flushed: a later round moves it.
                Err(error) => {
                    tracing::warn!(%error, "the write-ahead log could not be moved into the database; it is tried again")
                }
            }
        }
    }

    /// Nobody waits for it, it waits for nobody.
    async fn round(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.connection.lend().await?;
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut *connection).await?;
        connection.keep();
        Ok(())
    }
}
