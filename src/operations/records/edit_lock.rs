//! The edit lock of a record (排他制御): one officer works on it, and until that is done nobody else of the owner writes.
//! Setting a shield alone does not wait for it.
//!
//! It belongs to an officer at a terminal, ends by itself, and is decided inside the journal's transaction like
//! everything that it keeps out. Bodies other than the owner neither feel it nor learn that there is one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{case_record::RecordFacts, edit_lock::EditLock, idempotency::Idempotency},
    error::{Error, RecordError},
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
    },
    ledger::entry::{Act, Entry, Logged},
    operations::{Acting, carry_out, refuse_read, written},
    store::{self, tx::Tx},
};

/// Who holds the lock of a record.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct EditLockHeld {
    pub record: Uuid,
    pub officer: String,
    /// Serial of the terminal's certificate.
    pub terminal: String,
    /// RFC 3339, UTC. It ends then by itself.
    pub until: String,
}

impl EditLockHeld {
    fn of(record: Uuid, lock: &EditLock) -> Self {
        let EditLock { officer, terminal, until, .. } = lock;
        Self { record, officer: officer.clone(), terminal: terminal.clone(), until: until.to_rfc3339() }
    }
}

/// Who holds the lock of a record, if anybody does.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct EditLockState {
    pub record: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<EditLockHeld>,
}

/// The lock of a record of the caller's is to be taken or given back.
pub struct ChangeEditLock {
    pub record: Uuid,
    pub idempotency: Idempotency,
}

/// Takes the lock, or renews one's own. An officer who has gone to another terminal takes it along.
///
/// # Errors
/// [`RecordError::Locked`] while somebody else holds it; [`RecordError::Closed`].
pub async fn take_edit_lock(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ChangeEditLock { record, idempotency }: ChangeEditLock,
) -> Result<Done<EditLockHeld>, Error> {
    let mut acting = Acting::new(gateway, caller, Act::EditLockTake);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let (facts, before) = record_and_lock(tx, &acting, record).await?;
            match &before {
                Some(lock) if is_held_by(lock, &acting.caller) => acting.act = Act::EditLockRenew,
                Some(lock) if !is_of_officer(lock, &acting.caller) => return Err(refusal(&acting, record, lock)),
                _ => {}
            }
            let lock = give_to_caller(tx, &acting, &facts).await?;
            Ok(Effect::new(EditLockHeld::of(record, &lock), acting.owner_entry(&facts)))
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

/// A supervisor wants the lock of a record.
pub struct TakeOverEditLock {
    pub record: Uuid,
    pub reason: TakeOverReason,
    pub idempotency: Idempotency,
}

/// A supervisor takes the lock from whoever holds it. What that officer was about to write is refused: while the
/// supervisor holds the lock by it, and later because the version has changed.
///
/// # Errors
/// [`RecordError::Closed`].
pub async fn take_over_edit_lock(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    TakeOverEditLock { record, reason: TakeOverReason { reason }, idempotency }: TakeOverEditLock,
) -> Result<Done<EditLockHeld>, Error> {
    written("reason", &reason, 2_000)?;
    // The reason as it was written is kept sealed beside its entry, like the criteria of a search.
    let note = gateway.vault.seal_note(caller.request(), reason.as_bytes())?;
    let acting = Acting::new(gateway, caller, Act::EditLockTakeOver);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let (facts, before) = record_and_lock(tx, &acting, record).await?;
            let lock = give_to_caller(tx, &acting, &facts).await?;
            let mut entry = acting.owner_entry(&facts).with_note(&note);
            let from = before.filter(|lock| !is_of_officer(lock, &acting.caller));
            let told = from.map(|lock| {
                entry.subject = Some(lock.officer);
                InboxItem::new(facts.owner, InboxKind::EditLockTakenOver)
                    .record(record)
                    .from(&acting.caller)
                    .because_of(&entry)
            });
            let logged = Logged::noted(entry, note);
            Ok(Effect::new(EditLockHeld::of(record, &lock), logged).tell(told))
        })
    })
    .await
}

/// A lock was given back.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct EditLockReleased {
    pub record: Uuid,
    /// Whether there was one to give back.
    pub released: bool,
}

/// Gives one's own lock back, from any terminal. Without one nothing happens.
///
/// # Errors
/// [`RecordError::Locked`] where it is somebody else's.
pub async fn release_edit_lock(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ChangeEditLock { record, idempotency }: ChangeEditLock,
) -> Result<Done<EditLockReleased>, Error> {
    let acting = Acting::new(gateway, caller, Act::EditLockRelease);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let (facts, before) = record_and_lock(tx, &acting, record).await?;
            if let Some(lock) = before.as_ref().filter(|lock| !is_of_officer(lock, &acting.caller)) {
                return Err(refusal(&acting, record, lock));
            }
            store::edit_locks::remove(tx, record).await?;
            Ok(Effect::new(EditLockReleased { record, released: before.is_some() }, acting.owner_entry(&facts)))
        })
    })
    .await
}

/// Who works on a record is asked for.
pub struct ViewEditLock {
    pub record: Uuid,
}

/// Shows the owner's staff who works on a record.
///
/// # Errors
/// [`Error::NotAvailable`] for anybody else, as for a record that does not exist.
pub async fn view_edit_lock(
    gateway: &Gateway,
    caller: &Caller,
    ViewEditLock { record }: ViewEditLock,
) -> Result<Done<EditLockState>, Error> {
    let owner = caller.organization();
    let mut tx = gateway.store.read().await?;
    let stored = store::records::find(&mut tx, record).await?;
    // Looked up for a record that is not the caller's, too: both take the same time.
    let held = store::edit_locks::held(&mut tx, record, owner, gateway.clock.now()).await?;
    drop(tx);
    if stored.is_none_or(|stored| stored.facts.owner != *owner) {
        let entry = Entry::of(caller, Act::EditLockView, &gateway.clock).about(record);
        return Err(refuse_read(gateway, caller, entry, Error::NotAvailable).await);
    }
    let held = held.map(|lock| EditLockHeld::of(record, &lock));
    Ok(Done::told(EditLockState { record, held }))
}

/// Declines a write to a record that somebody else of the owner works on. Call it inside the transaction, for a record
/// that is the caller's own.
pub(crate) async fn not_locked(tx: &mut Tx, acting: &Acting, facts: &RecordFacts) -> Result<(), Declined> {
    store::edit_locks::queue_up(tx, facts.id).await?;
    match store::edit_locks::held(tx, facts.id, &facts.owner, acting.node.clock.now()).await? {
        Some(lock) if !is_held_by(&lock, &acting.caller) => Err(refusal(acting, facts.id, &lock)),
        _ => Ok(()),
    }
}

fn is_of_officer(lock: &EditLock, caller: &Caller) -> bool {
    lock.organization == *caller.organization() && lock.officer == caller.officer()
}

fn is_held_by(lock: &EditLock, caller: &Caller) -> bool {
    is_of_officer(lock, caller) && lock.terminal == caller.terminal()
}

async fn record_and_lock(tx: &mut Tx, acting: &Acting, id: Uuid) -> Result<(RecordFacts, Option<EditLock>), Declined> {
    store::edit_locks::queue_up(tx, id).await?;
    let facts = acting.own_record(tx, id).await?.facts;
    let lock = store::edit_locks::held(tx, id, &facts.owner, acting.node.clock.now()).await?;
    Ok((facts, lock))
}

async fn give_to_caller(tx: &mut Tx, acting: &Acting, facts: &RecordFacts) -> Result<EditLock, Declined> {
    if facts.closed {
        return Err(acting.declined(facts.id, RecordError::Closed));
    }
    let now = acting.node.clock.now();
    let lasts = Duration::seconds(i64::from(acting.node.config.records.edit_lock_seconds));
    let lock = EditLock {
        organization: facts.owner.clone(),
        officer: acting.caller.officer().to_owned(),
        terminal: acting.caller.terminal().to_owned(),
        until: now.plus(lasts),
    };
    store::edit_locks::put(tx, facts.id, &lock, now).await?;
    Ok(lock)
}

fn refusal(acting: &Acting, id: Uuid, lock: &EditLock) -> Declined {
    acting.declined(id, RecordError::Locked(Box::new(lock.clone())))
}
