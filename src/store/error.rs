//! What can go wrong between the gateway and its database.

use super::rows::name::RowName;
use crate::keys::error::KeyError;

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
    #[error("a stored value cannot be read: {0}")]
    Corrupt(&'static str),
    #[error("a version of a record is not where its prefecture says: it moved while it was read, or it is missing")]
    Moved,
    #[error("what this rests on has changed since: it is decided again")]
    Outdated,
    #[error("the server may lose what it has committed: `{setting}` is off")]
    NotDurable { setting: &'static str },
    #[error("another process writes as this node: give each node a name of its own")]
    OtherWriter,
    #[error("the database did not answer in time")]
    Slow,
    #[error("what was committed could not be streamed: {0}")]
    Unsecured(String),
    #[error("the stream of backups cannot be read: {0}")]
    Stream(String),
    /// A row is not what the gateway wrote, or it was set back. Ids and codes only.
    #[error("a row is not what the gateway wrote: {0}")]
    Refuted(Box<RowName>),
    #[error("the keys are not open: rows cannot be told from what somebody else wrote")]
    Unguarded,
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// SQLite's codes where the disk did not confirm what it was given (`fsync`, of a file and of a directory).
const NOT_SYNCED: [&str; 2] = ["1034", "1290"];
/// SQLite's codes where the machine under it fails or is exhausted: busy, I/O, full, cannot open.
const EXHAUSTED: [i64; 4] = [5, 10, 13, 14];
/// PostgreSQL's classes of the same: connection, resources, intervention, system.
const AWAY: [&str; 4] = ["08", "53", "57", "58"];

/// PostgreSQL's last word on a connection that it ends.
pub(super) const TERMINATED: &str = "57P01";
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
