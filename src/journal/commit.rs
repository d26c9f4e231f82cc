//! The moment of the commit: whether it holds, does not, or nobody knows.

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

impl CommitOutcome {
    /// What the database's answer to a commit says.
    pub fn of(outcome: Result<(), StoreError>) -> Self {
        match outcome {
            Ok(()) => Self::Surely,
            Err(error) if error.is_sync_failure() => Self::Unknowable(error),
            Err(error) => Self::Doubtful(error),
        }
    }
}
