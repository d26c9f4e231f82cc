//! One file for each thing a caller can do.
//!
//! Comes in: the gateway and an authorized [`Call`]. Goes out: an [`Answer`]. Each operation reads from top to bottom:
//! what is asked, who may, what is written in one journal effect, what is answered. Never done here: opening a sealed
//! value, or writing outside the journal.
//!
//! [`Call`]: crate::wire::call::Call
//! [`Answer`]: crate::wire::answer::Answer

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

use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    domain::case_record::{RecordFacts, Standing},
    error::Error,
    gateway::Gateway,
    journal::journal::{Declined, Effect},
    ledger::entry::{Act, Entry},
    search::index::Findable,
    store::{self, error::StoreError, records::StoredRecord, tx::Tx},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::{Acting, Call},
    },
};

/// Runs an effect in the journal's transaction. Answers with what it made, once that is durable.
pub(crate) async fn carry_out<T, F>(
    gateway: &Gateway,
    acting: Acting,
    status: StatusCode,
    effect: F,
) -> Result<Answer, Error>
where
    T: CarriesNoRecordData + DeserializeOwned + Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Effect<T>, Declined>> + Send + 'static,
{
    let Acting { caller, idempotency } = acting;
    let (made, receipt) = gateway.journal.write(&caller, Some(idempotency), effect).await?;
    Ok(Answer::message(status, &made).with_entries(receipt.entries()))
}

/// A record with what it is to the caller; `None` where it does not exist.
pub(crate) async fn find_record(
    gateway: &Gateway,
    call: &Call,
    id: Uuid,
) -> Result<Option<(StoredRecord, Standing)>, StoreError> {
    let mut tx = gateway.store.read().await?;
    let stored = store::records::find(&mut tx, id).await?;
    // Asked for a record that does not exist too: both take the same time.
    let standing = store::records::standing(&mut tx, id, call.caller.organization(), gateway.clock.now()).await?;
    Ok(stored.map(|stored| (stored, standing)))
}

pub(crate) fn known(found: &Option<(StoredRecord, Standing)>) -> Option<(RecordFacts, Standing)> {
    found.as_ref().map(|(stored, standing)| (stored.facts.clone(), standing.clone()))
}

/// A record of the caller's own, inside the journal's transaction. Any other declines as not available, and the
/// ledger says so.
pub(crate) async fn own_record(
    tx: &mut Tx,
    gateway: &Gateway,
    call: &Call,
    act: Act,
    id: Uuid,
) -> Result<StoredRecord, Declined> {
    match store::records::find(tx, id).await? {
        Some(stored) if stored.facts.owner == *call.caller.organization() => Ok(stored),
        _ => Err(declined(gateway, call, act, Some(id), Error::NotAvailable)),
    }
}

/// What is known of a record that the caller could have found, inside the journal's transaction. Any other declines as
/// not available, and the ledger says so.
pub(crate) async fn findable_record(
    tx: &mut Tx,
    gateway: &Gateway,
    call: &Call,
    act: Act,
    id: Uuid,
) -> Result<RecordFacts, Declined> {
    match store::records::find(tx, id).await? {
        Some(stored) if gateway.gate.findable(&call.caller, &stored.facts) == Findable::Shown => Ok(stored.facts),
        _ => Err(declined(gateway, call, act, Some(id), Error::NotAvailable)),
    }
}

/// A refusal with the entry that records it.
pub(crate) fn declined(gateway: &Gateway, call: &Call, act: Act, about: Option<Uuid>, error: Error) -> Declined {
    let entry = Entry::of(&call.caller, act, &gateway.clock).refused(error.code());
    let entry = match about {
        Some(about) => entry.about(about),
        None => entry,
    };
    Declined { error, entry: Some(Box::new(entry)) }
}

/// A refused read, after the entry that records it is durable.
pub(crate) async fn refuse_read(gateway: &Gateway, call: &Call, act: Act, about: Uuid, error: Error) -> Error {
    refuse_as(gateway, call, Entry::of(&call.caller, act, &gateway.clock).about(about), error).await
}

/// The same with an entry that says more, or is about nothing that there is.
pub(crate) async fn refuse_as(gateway: &Gateway, call: &Call, entry: Entry, error: Error) -> Error {
    let entry = entry.refused(error.code());
    match gateway.journal.record(call.decided_at, vec![entry.into()], Vec::new()).await {
        Ok(_) => error,
        Err(unwritten) => unwritten,
    }
}

/// Places in which passwords are hashed, for signing in and for registering alike: each takes 19 MiB and a core.
static HASHING: Semaphore = Semaphore::const_new(2);

/// Hashes a password off the async workers, when there is a place. The work keeps its place to its end, even where the
/// caller has gone.
pub(crate) async fn hashing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let place = HASHING.acquire().await.map_err(|_| Error::Overloaded)?;
    let work = move || {
        let done = work();
        drop(place);
        done
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Overloaded)
}

/// A text that people write: its length in characters, from 1.
pub(crate) fn written(field: &'static str, text: &str, most: usize) -> Result<(), Error> {
    let length = text.trim().chars().count();
    if length == 0 || length > most || text.chars().any(crate::domain::format::lexical::is_forbidden) {
        return Err(Error::Field {
            field,
            rule_ja: "空でなく、長すぎず、制御文字・外字・不可視文字のない文章としてください",
            rule_en: "must not be empty, too long, or hold control, private-use or invisible characters",
        });
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
