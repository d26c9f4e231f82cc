//! The edit lock of a record (排他制御): one officer works on it, and until that is done nobody else of the owner writes.
//! Setting a shield alone does not wait for it.
//!
//! It belongs to an officer at a terminal, ends by itself, and is decided inside the journal's transaction like
//! everything that it keeps out. Bodies other than the owner neither feel it nor learn that there is one.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{case_record::RecordFacts, visibility::Relation},
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
    },
    keys::vault::{CENTRAL, Place},
    ledger::entry::{Act, Entry, Logged, RecordRef},
    operations::{carry_out, declined, own_record, refuse_read, written},
    store::{self, edit_locks::EditLock, error::StoreError, tx::Tx},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// Who holds the lock of a record.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct EditLockHeld {
    pub record: Uuid,
    pub officer: String,
    /// Serial of the terminal's certificate.
    pub terminal: String,
    /// RFC 3339, UTC. It ends then by itself.
    pub until: String,
}

impl CarriesNoRecordData for EditLockHeld {}

impl EditLockHeld {
    fn of(record: Uuid, lock: &EditLock) -> Self {
        let EditLock { officer, terminal, until, .. } = lock;
        Self { record, officer: officer.clone(), terminal: terminal.clone(), until: until.to_rfc3339() }
    }
}

/// Who holds the lock of a record, if anybody does.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EditLockState {
    pub record: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<EditLockHeld>,
}

impl CarriesNoRecordData for EditLockState {}

/// `PUT /v1/records/{id}/edit-lock`: takes the lock, or renews one's own. An officer who has gone to another terminal
/// takes it along.
///
/// # Errors
/// [`Error::RecordLocked`] while somebody else holds it; [`Error::Closed`].
pub async fn take_edit_lock(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let (facts, before) = record_and_lock(tx, &node, &call, Act::EditLockTake, id).await?;
            let act = match &before {
                Some(lock) if lock.is_held_by(&call.caller) => Act::EditLockRenew,
                Some(lock) if !lock.is_of_officer(&call.caller) => {
                    return Err(refusal(&node, &call, Act::EditLockTake, id, lock));
                }
                _ => Act::EditLockTake,
            };
            let lock = give_to_caller(tx, &node, &call, act, &facts).await?;
            Ok(Effect::new(EditLockHeld::of(id, &lock), owner_entry(&node, &call, act, &facts)))
        })
    })
    .await
}

/// Why a supervisor takes a lock away.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeOverReason {
    /// 1 to 2,000 characters.
    pub reason: String,
}

/// `POST /v1/records/{id}/edit-lock/take-over`: a supervisor takes it from whoever holds it. What that officer was
/// about to write is refused: while the supervisor holds the lock by it, and later because the version has changed.
///
/// # Errors
/// [`Error::Closed`].
pub async fn take_over_edit_lock(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let TakeOverReason { reason } = call.json()?;
    written("reason", &reason, 2_000)?;
    let note = sealed_reason(gateway, &call, &reason)?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let act = Act::EditLockTakeOver;
            let (facts, before) = record_and_lock(tx, &node, &call, act, id).await?;
            let lock = give_to_caller(tx, &node, &call, act, &facts).await?;
            let mut entry = owner_entry(&node, &call, act, &facts).with_note(&note);
            let from = before.filter(|lock| !lock.is_of_officer(&call.caller));
            let told = from.map(|lock| {
                entry.subject = Some(lock.officer);
                InboxItem::new(facts.owner, InboxKind::EditLockTakenOver)
                    .record(id)
                    .from(&call.caller)
                    .because_of(&entry)
            });
            let logged = Logged::noted(entry, note);
            Ok(Effect::new(EditLockHeld::of(id, &lock), logged).tell(told))
        })
    })
    .await
}

/// A lock was given back.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct EditLockReleased {
    pub record: Uuid,
    /// Whether there was one to give back.
    pub released: bool,
}

impl CarriesNoRecordData for EditLockReleased {}

/// `DELETE /v1/records/{id}/edit-lock`: gives one's own lock back, from any terminal. Without one nothing happens.
///
/// # Errors
/// [`Error::RecordLocked`] where it is somebody else's.
pub async fn release_edit_lock(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let act = Act::EditLockRelease;
            let (facts, before) = record_and_lock(tx, &node, &call, act, id).await?;
            if let Some(lock) = before.as_ref().filter(|lock| !lock.is_of_officer(&call.caller)) {
                return Err(refusal(&node, &call, act, id, lock));
            }
            store::edit_locks::remove(tx, id).await?;
            let released = EditLockReleased { record: id, released: before.is_some() };
            Ok(Effect::new(released, owner_entry(&node, &call, act, &facts)))
        })
    })
    .await
}

/// `GET /v1/records/{id}/edit-lock`: who works on a record, for its owner's staff.
///
/// # Errors
/// [`Error::NotAvailable`] for anybody else, as for a record that does not exist.
pub async fn view_edit_lock(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let owner = call.caller.organization();
    let mut tx = gateway.store.read().await?;
    let stored = store::records::find(&mut tx, id).await?;
    // Asked for a record that is not the caller's too: both take the same time.
    let held = store::edit_locks::held(&mut tx, id, owner, gateway.clock.now()).await?;
    drop(tx);
    if stored.is_none_or(|stored| stored.facts.owner != *owner) {
        return Err(refuse_read(gateway, &call, Act::EditLockView, id, Error::NotAvailable).await);
    }
    let held = held.map(|lock| EditLockHeld::of(id, &lock));
    Ok(Answer::message(StatusCode::OK, &EditLockState { record: id, held }))
}

/// Declines a write to a record that somebody else of the owner works on. Call it inside the transaction, for a record
/// that is the caller's own.
pub(crate) async fn not_locked(
    tx: &mut Tx,
    node: &Gateway,
    call: &Call,
    act: Act,
    facts: &RecordFacts,
) -> Result<(), Declined> {
    store::edit_locks::queue_up(tx, facts.id).await?;
    match store::edit_locks::held(tx, facts.id, &facts.owner, node.clock.now()).await? {
        Some(lock) if !lock.is_held_by(&call.caller) => Err(refusal(node, call, act, facts.id, &lock)),
        _ => Ok(()),
    }
}

async fn record_and_lock(
    tx: &mut Tx,
    node: &Gateway,
    call: &Call,
    act: Act,
    id: Uuid,
) -> Result<(RecordFacts, Option<EditLock>), Declined> {
    store::edit_locks::queue_up(tx, id).await?;
    let facts = own_record(tx, node, call, act, id).await?.facts;
    let lock = store::edit_locks::held(tx, id, &facts.owner, node.clock.now()).await?;
    Ok((facts, lock))
}

async fn give_to_caller(
    tx: &mut Tx,
    node: &Gateway,
    call: &Call,
    act: Act,
    facts: &RecordFacts,
) -> Result<EditLock, Declined> {
    if facts.closed {
        return Err(declined(node, call, act, Some(facts.id), Error::Closed));
    }
    let now = node.clock.now();
    let lasts = Duration::seconds(i64::from(node.config.records.edit_lock_seconds));
    let lock = EditLock {
        organization: facts.owner.clone(),
        officer: call.caller.officer().to_owned(),
        terminal: call.caller.terminal().to_owned(),
        until: now.plus(lasts),
    };
    store::edit_locks::put(tx, facts.id, &lock, now).await?;
    Ok(lock)
}

fn refusal(node: &Gateway, call: &Call, act: Act, id: Uuid, lock: &EditLock) -> Declined {
    declined(node, call, act, Some(id), Error::RecordLocked(Box::new(lock.clone())))
}

fn owner_entry(node: &Gateway, call: &Call, act: Act, facts: &RecordFacts) -> Entry {
    Entry::of(&call.caller, act, &node.clock)
        .on(&RecordRef { record: facts.id, version: facts.version, owner: facts.owner.clone() })
        .as_relation(Relation::Owner)
}

/// The reason as it was written, sealed beside its entry, like the criteria of a search.
fn sealed_reason(gateway: &Gateway, call: &Call, reason: &str) -> Result<Vec<u8>, StoreError> {
    let place = Place { table: "ledger", row: &call.caller.request(), column: "sealed_note" };
    Ok(gateway.vault.seal(CENTRAL, place, reason.as_bytes())?)
}
