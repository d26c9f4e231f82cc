//! One file for each thing a caller can do, in rooms by subject.
//!
//! Comes in: the gateway, the [`Caller`], and a typed request. Goes out: [`Done`], or
//! [`Disclosed`](crate::disclosure::gate::Disclosed) where it holds record data. Each operation reads from top to bottom:
//! what is asked, who may, what is written in one journal effect, what is replied. Never done here: opening a sealed
//! value, writing outside the journal, or knowing of HTTP, JSON, forms or media types: that is the faces' part.

pub mod accounting;
pub mod accounts;
pub mod elapse;
pub mod inbox;
pub mod keys;
pub mod missing_children;
pub mod oversight;
pub mod records;
pub mod retention;
pub mod search;
pub mod transfers;
pub mod waiting;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        case_record::RecordFacts, idempotency::Idempotency, organization::OrganizationCode, visibility::Relation,
    },
    error::{Error, ServiceError},
    gateway::Gateway,
    identity::Caller,
    journal::journal::{Declined, Effect},
    ledger::entry::{Act, Entry, Logged, RecordRef},
    search::index::Findable,
    store::{self, records::StoredRecord, tx::Tx},
};

/// Runs an effect in the journal's transaction. Replies with what it made, once that is durable.
pub(crate) async fn carry_out<T, F>(
    gateway: &Gateway,
    caller: &Caller,
    idempotency: impl Into<Option<Idempotency>>,
    effect: F,
) -> Result<Done<T>, Error>
where
    T: CarriesNoRecordData + DeserializeOwned + Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Effect<T>, Declined>> + Send + 'static,
{
    let (made, receipt) = gateway.journal.write(caller, idempotency.into(), effect).await?;
    Ok(Done::new(made, &receipt))
}

/// What an effect needs of the world around it: the node, and who acts.
#[derive(Clone)]
pub(crate) struct Acting {
    pub(crate) node: std::sync::Arc<Gateway>,
    pub(crate) caller: Caller,
    pub(crate) act: Act,
}

impl Acting {
    pub(crate) fn new(gateway: &std::sync::Arc<Gateway>, caller: &Caller, act: Act) -> Self {
        Self { node: gateway.clone(), caller: caller.clone(), act }
    }

    /// An entry of this act.
    pub(crate) fn entry(&self) -> Entry {
        Entry::of(&self.caller, self.act, &self.node.clock)
    }

    /// A refusal with the entry that records it.
    pub(crate) fn declined(&self, about: impl Into<Option<Uuid>>, error: impl Into<Error>) -> Declined {
        let error = error.into();
        let entry = self.entry().refused(error.code());
        let entry = match about.into() {
            Some(about) => entry.about(about),
            None => entry,
        };
        Declined { error, entry: Some(Box::new(entry)) }
    }

    /// A record of the caller's own, inside the journal's transaction. Any other declines as not available, and the
    /// ledger says so.
    pub(crate) async fn own_record(&self, tx: &mut Tx, id: Uuid) -> Result<StoredRecord, Declined> {
        self.record_of(tx, self.caller.organization(), id).await
    }

    /// A record of a body's, for which the caller stands beside a person of that body.
    pub(crate) async fn record_of(
        &self,
        tx: &mut Tx,
        body: &OrganizationCode,
        id: Uuid,
    ) -> Result<StoredRecord, Declined> {
        match store::records::find(tx, id).await? {
            Some(stored) if stored.facts.owner == *body => Ok(stored),
            _ => Err(self.declined(id, Error::NotAvailable)),
        }
    }

    /// What is known of a record that the caller could have found, inside the journal's transaction. Any other declines
    /// as not available, and the ledger says so.
    pub(crate) async fn findable_record(&self, tx: &mut Tx, id: Uuid) -> Result<RecordFacts, Declined> {
        match store::records::find(tx, id).await? {
            Some(stored) if matches!(self.node.gate.findable(&self.caller, &stored.facts), Findable::Shown(_)) => {
                Ok(stored.facts)
            }
            _ => Err(self.declined(id, Error::NotAvailable)),
        }
    }

    /// An entry of this act by the owner of a record.
    pub(crate) fn owner_entry(&self, facts: &RecordFacts) -> Entry {
        let record = RecordRef { record: facts.id, version: facts.version, owner: facts.owner.clone() };
        self.entry().on(&record).as_relation(Relation::Owner)
    }
}

/// A refused read, after the entry that records it is durable.
pub(crate) async fn refuse_read(gateway: &Gateway, caller: &Caller, entry: Entry, error: impl Into<Error>) -> Error {
    let error = error.into();
    let entry: Logged = entry.refused(error.code()).into();
    match gateway.journal.record(caller.decided_at(), vec![entry], Vec::new()).await {
        Ok(_) => error,
        Err(unwritten) => unwritten,
    }
}

/// Places in which passwords are hashed, for signing in and for registering alike: each takes 19 MiB and a core.
static HASHING: Semaphore = Semaphore::const_new(2);

/// Hashes a password off the async workers, when there is a place. The work keeps its place to its end, even where the
/// caller has gone.
pub(crate) async fn hashing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let place = HASHING.acquire().await.map_err(|_| ServiceError::Overloaded)?;
    let work = move || {
        let done = work();
        drop(place);
        done
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| ServiceError::Overloaded.into())
}

/// A text that people write: its length in characters, from 1.
pub(crate) fn written(field: &'static str, text: &str, max_chars: usize) -> Result<(), Error> {
    let length = text.trim().chars().count();
    if length == 0 || length > max_chars || text.chars().any(crate::domain::format::lexical::is_forbidden) {
        return Err(Error::field(
            field,
            "文字数の上限を超えない文章を記載してください。空欄のままにはできません。制御文字・外字・不可視文字は使用できません。",
            "must not be empty or too long, and must hold no control, private-use or invisible characters",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::future::join_all;
    use tokio::sync::mpsc;

    use super::{HASHING, hashing};

    #[tokio::test]
    async fn two_passwords_are_hashed_at_once_and_keep_their_places_where_callers_go() {
        let running = Arc::new(AtomicUsize::new(0));
        let counted = |_| {
            let running = running.clone();
            hashing(move || {
                let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                at_once
            })
        };
        let at_once = join_all((0..100).map(counted)).await;
        assert!(at_once.iter().all(|at_once| matches!(at_once, Ok(1 | 2))), "{at_once:?}");

        let (begun, mut seen) = mpsc::unbounded_channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let caller = tokio::spawn(hashing(move || {
            begun.send(()).unwrap();
            let _ = ended.recv();
        }));
        seen.recv().await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(HASHING.available_permits(), 1);
        drop(end);
        assert!(HASHING.acquire_many(2).await.is_ok(), "the place comes back with the end of the work");
    }
}
