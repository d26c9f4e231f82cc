//! The moment of the commit: whether it holds, does not, or nobody knows.

use std::future::Future;

use crate::{
    planted::Planted,
    store::{error::StoreError, tx::Tx},
};

/// What becomes of one commit.
#[derive(Debug)]
pub enum CommitOutcome {
    Surely,
    /// It may hold or not: the database can tell.
    Doubtful(StoreError),
    /// It may hold or not, and the database cannot be asked now, or must not be believed.
    Unknowable(StoreError),
}

/// Commits, as well as the planted fault lets it.
pub async fn commit(number: u64, tx: Tx) -> CommitOutcome {
    let outcome = match Planted::of_commit(number) {
        Some(Planted::CommitHeldAndDenied) => {
            // What the database says of it is not heard.
            let _ = tx.commit().await;
            return CommitOutcome::Unknowable(StoreError::Corrupt("planted: held and denied"));
        }
        Some(_) => {
            drop(tx);
            return CommitOutcome::Unknowable(StoreError::Corrupt("planted: lost"));
        }
        None => tx.commit().await,
    };
    CommitOutcome::of(outcome)
}

/// The same of what is committed in one statement: what it gives, or what became of it.
pub async fn commit_at_once<T>(
    fault: Option<Planted>,
    statement: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, CommitOutcome> {
    match fault {
        Some(Planted::CommitHeldAndDenied) => {
            let _ = statement.await;
            Err(CommitOutcome::Unknowable(StoreError::Corrupt("planted: held and denied")))
        }
        Some(_) => Err(CommitOutcome::Unknowable(StoreError::Corrupt("planted: lost"))),
        None => statement.await.map_err(CommitOutcome::of_error),
    }
}

impl CommitOutcome {
    /// What the database's answer to a commit says.
    pub fn of(outcome: Result<(), StoreError>) -> Self {
        outcome.map_or_else(Self::of_error, |()| Self::Surely)
    }

    fn of_error(error: StoreError) -> Self {
        if error.is_sync_failure() { Self::Unknowable(error) } else { Self::Doubtful(error) }
    }
}
