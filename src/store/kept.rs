//! Connections that go from one user to the next without a question between. The pool asks each whether it is still
//! there when it comes back: of SQLite that is a hop to the connection's own thread, of a server a round trip, and the
//! next user waits for both.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Database, Pool, pool::PoolConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::TERMINATED;

/// After so long nobody takes it for granted that a connection is still there.
pub(super) const IDLE: Duration = Duration::from_secs(1);

/// Whether a connection was found dead by what was asked of it, as after a failover every one may be.
pub(super) fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().as_deref() == Some(TERMINATED),
        _ => false,
    }
}

/// The connections of a pool that nobody else takes any from.
pub struct KeptConnections<DB: Database> {
    pool: Pool<DB>,
    idle: Arc<Mutex<Vec<(PoolConnection<DB>, Instant)>>>,
    turns: Arc<Semaphore>,
    /// How often the pool was asked for with all that it has.
    recalls: Arc<AtomicU64>,
}

/// A connection in use. Dropped, it goes back to the pool, which asks whether it is fit for more.
pub struct LentConnection<'k, DB: Database> {
    connection: PoolConnection<DB>,
    kept: &'k KeptConnections<DB>,
    /// Recalls before it was lent.
    recalls: u64,
    _turn: SemaphorePermit<'k>,
}

impl<DB: Database> KeptConnections<DB> {
    pub fn new(pool: Pool<DB>) -> Self {
        let turns = usize::try_from(pool.options().get_max_connections()).unwrap_or(1);
        Self { pool, idle: Arc::default(), turns: Arc::new(Semaphore::new(turns)), recalls: Arc::default() }
    }

    /// # Errors
    /// There is none.
    pub async fn lend(&self) -> Result<LentConnection<'_, DB>, sqlx::Error> {
        // Noted before there is a connection: whoever asks for all of them meanwhile gets this one too.
        let recalls = self.recalls.load(Ordering::SeqCst);
        let turn = self.turns.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        // One that is not fresh goes back to the pool, which looks at it.
        let fresh = self.idle().pop().filter(|(_, since)| since.elapsed() < IDLE);
        let connection = match fresh {
            Some((connection, _)) => connection,
            None => self.pool.acquire().await?,
        };
        Ok(LentConnection { connection, kept: self, recalls, _turn: turn })
    }

    /// The pool, with every connection that is not in use; those that are come back to it as well.
    pub fn pool(&self) -> &Pool<DB> {
        self.recalls.fetch_add(1, Ordering::SeqCst);
        self.idle().clear();
        &self.pool
    }

    pub async fn close(&self) {
        self.turns.close();
        self.pool().close().await;
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(PoolConnection<DB>, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> Clone for KeptConnections<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            idle: self.idle.clone(),
            turns: self.turns.clone(),
            recalls: self.recalls.clone(),
        }
    }
}

impl<DB: Database> LentConnection<'_, DB> {
    /// Gives it to the next as it is: what was asked of it was answered to the end, and it is in no transaction.
    pub fn keep(self) {
        let mut idle = self.kept.idle();
        // Somebody waits for it at the pool, or it is closed: it is dropped, and goes there.
        if self.kept.recalls.load(Ordering::SeqCst) == self.recalls && !self.kept.turns.is_closed() {
            idle.push((self.connection, Instant::now()));
        }
    }

    /// Ends it: nobody knows in what state it is.
    pub async fn end(self) {
        // It is gone either way.
        let _ = self.connection.close().await;
    }
}

impl<DB: Database> Deref for LentConnection<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.connection
    }
}

impl<DB: Database> DerefMut for LentConnection<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    fn one() -> KeptConnections<sqlx::Sqlite> {
        KeptConnections::new(SqlitePoolOptions::new().max_connections(1).connect_lazy("sqlite::memory:").unwrap())
    }

    #[tokio::test]
    async fn a_connection_that_is_asked_for_while_it_is_lent_goes_to_the_pool() {
        let kept = one();
        let lent = kept.lend().await.unwrap();
        let pool = kept.pool().clone();
        lent.keep();
        pool.acquire().await.expect("the only connection");
    }

    #[tokio::test]
    async fn the_end_waits_for_no_connection_that_is_kept() {
        let kept = one();
        let lent = kept.lend().await.unwrap();
        let closing = tokio::spawn({
            let kept = kept.clone();
            async move { kept.close().await }
        });
        while !kept.turns.is_closed() {
            tokio::task::yield_now().await;
        }
        // As if it had been lent a moment later.
        let late = LentConnection { recalls: kept.recalls.load(Ordering::SeqCst) + 1, ..lent };
        kept.recalls.store(late.recalls, Ordering::SeqCst);
        late.keep();
        closing.await.unwrap();
        assert!(kept.lend().await.is_err());
    }
}
