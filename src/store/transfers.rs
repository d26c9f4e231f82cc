//! Transfers and what they state.

use uuid::Uuid;

use super::{
    error::StoreError,
    records::key_of,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        organization::OrganizationCode,
        transfer::{Offer, SafetyCheck, Stage, Transfer, TransferState},
        transfer_note::TransferNote,
        visibility::GroupSet,
    },
    keys::vault::{Place, Vault},
};

type Row = (
    Uuid,
    Uuid,
    String,
    String,
    String,
    Option<i64>,
    i64,
    i64,
    Option<i64>,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

fn transfer(row: Row) -> Result<Transfer, StoreError> {
    let (
        id,
        record,
        owner,
        receiver,
        state,
        version,
        groups,
        opened_at,
        offered_at,
        expires_at,
        due,
        checked,
        escalated,
    ) = row;
    let code = |text: &str| OrganizationCode::parse(text).ok_or(StoreError::Corrupt("organization code"));
    let state = TransferState::parse(&state).ok_or(StoreError::Corrupt("transfer state"))?;
    let safety = due.map(|due| SafetyCheck {
        due_at: Timestamp::from_micros(due),
        checked_at: checked.map(Timestamp::from_micros),
        escalated_at: escalated.map(Timestamp::from_micros),
    });
    let offer = version.zip(offered_at).map(|(version, offered_at)| Offer {
        version,
        groups: GroupSet::from_bits(groups),
        offered_at: Timestamp::from_micros(offered_at),
        safety,
    });
    Ok(Transfer {
        id,
        record,
        owner: code(&owner)?,
        receiver: code(&receiver)?,
        opened_at: Timestamp::from_micros(opened_at),
        expires_at: Timestamp::from_micros(expires_at),
        stage: Stage::of(state, offer).ok_or(StoreError::Corrupt("transfer offer"))?,
    })
}

/// A transfer by its id.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Transfer>, StoreError> {
    fetch_optional!(
        tx,
        Row,
        "/* find_transfer */ SELECT id, record, owner, receiver, state, version, item_groups, opened_at,
             offered_at, expires_at, safety_due_at, safety_checked_at, escalated_at
         FROM transfers WHERE id = $1",
        id,
    )?
    .map(transfer)
    .transpose()
}

/// The open transfer of a record; there is at most one.
///
/// # Errors
/// As [`find`].
pub async fn open_of_record(tx: &mut Tx, record: Uuid) -> Result<Option<Transfer>, StoreError> {
    fetch_optional!(
        tx,
        Row,
        "/* open_transfer */ SELECT id, record, owner, receiver, state, version, item_groups, opened_at,
             offered_at, expires_at, safety_due_at, safety_checked_at, escalated_at
         FROM transfers WHERE record = $1 AND state IN ('offered', 'confirmed')",
        record,
    )?
    .map(transfer)
    .transpose()
}

/// Transfers to which an organization is a party, newest first.
///
/// # Errors
/// As [`find`].
pub async fn of_party(tx: &mut Tx, party: &OrganizationCode, most: i64) -> Result<Vec<Transfer>, StoreError> {
    fetch_all!(
        tx,
        Row,
        "/* transfers_of */ SELECT id, record, owner, receiver, state, version, item_groups, opened_at,
             offered_at, expires_at, safety_due_at, safety_checked_at, escalated_at
         FROM transfers WHERE owner = $1 OR receiver = $1 ORDER BY id DESC LIMIT $2",
        party.as_str(),
        most,
    )?
    .into_iter()
    .map(transfer)
    .collect()
}

/// Ids of open transfers whose time, or whose safety check's time, has run out.
///
/// # Errors
/// The database failed.
pub async fn due(tx: &mut Tx, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid,),
        "/* due_transfers */ SELECT id FROM transfers
         WHERE (state IN ('requested', 'offered', 'confirmed') AND expires_at <= $1)
            OR (state IN ('offered', 'confirmed', 'taken_over') AND safety_due_at <= $1
                AND safety_checked_at IS NULL AND escalated_at IS NULL)
         ORDER BY id",
        now.as_micros(),
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

fn note_place(id: &Uuid) -> Place<'_> {
    Place { table: "transfers", row: id, column: "sealed_note" }
}

pub(crate) async fn open_note(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<TransferNote, StoreError> {
    let (record, sealed) = fetch_optional!(
        tx,
        (Uuid, Vec<u8>),
        "/* transfer_note */ SELECT record, sealed_note FROM transfers WHERE id = $1",
        id,
    )?
    .ok_or(StoreError::Corrupt("transfer"))?;
    let text = key_of(tx, vault, record).await?.open_text(note_place(&id), &sealed)?;
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("transfer note"))
}

/// What people wrote, sealed again for the gate.
///
/// # Errors
/// The database failed, or it does not open.
pub async fn note(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Sealed<TransferNote>, StoreError> {
    open_note(tx, vault, id).await.map(Sealed::new)
}

/// Requests that wait for an answer follow the record to its new owner; the new owner's own request has been met.
pub(crate) async fn readdress_requests(tx: &mut Tx, record: Uuid, owner: &OrganizationCode) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* readdress_requests */ UPDATE transfers SET owner = $2
         WHERE record = $1 AND state = 'requested' AND receiver <> $2",
        record,
        owner.as_str(),
    )?;
    Ok(())
}

/// Writes a transfer, new or changed, and what people wrote to it, under the record's key.
pub(crate) async fn put(
    tx: &mut Tx,
    vault: &Vault,
    transfer: &Transfer,
    note: &TransferNote,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(note).map_err(|_| StoreError::Corrupt("transfer note"))?;
    let offer = transfer.offered();
    let safety = offer.and_then(|offer| offer.safety.as_ref());
    let sealed_note = key_of(tx, vault, transfer.record).await?.seal_text(note_place(&transfer.id), &text)?;
    execute!(
        tx,
        "/* put_transfer */ INSERT INTO transfers (id, record, owner, receiver, state, urgent, version, item_groups,
             opened_at, offered_at, expires_at, safety_due_at, safety_checked_at, escalated_at, sealed_note)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, urgent = excluded.urgent, version = excluded.version,
             item_groups = excluded.item_groups, offered_at = excluded.offered_at, expires_at = excluded.expires_at,
             safety_due_at = excluded.safety_due_at, safety_checked_at = excluded.safety_checked_at,
             escalated_at = excluded.escalated_at, sealed_note = excluded.sealed_note",
        transfer.id,
        transfer.record,
        transfer.owner.as_str(),
        transfer.receiver.as_str(),
        transfer.state().as_str(),
        i64::from(safety.is_some()),
        offer.map(|offer| offer.version),
        offer.map_or(GroupSet::EMPTY, |offer| offer.groups).bits(),
        transfer.opened_at.as_micros(),
        offer.map(|offer| offer.offered_at.as_micros()),
        transfer.expires_at.as_micros(),
        safety.map(|safety| safety.due_at.as_micros()),
        safety.and_then(|safety| safety.checked_at).map(Timestamp::as_micros),
        safety.and_then(|safety| safety.escalated_at).map(Timestamp::as_micros),
        sealed_note,
    )?;
    Ok(())
}
