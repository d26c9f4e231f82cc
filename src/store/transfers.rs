//! Transfers and what they state.

use uuid::Uuid;

use super::{
    error::StoreError,
    records::key_of,
    rows::{
        access::{SoundRows, all, all_sound, one, put as put_row, replace, sound},
        parts::whole,
        row::{Row, Values},
        tables::{RECORDS, TRANSFERS},
    },
    tx::Tx,
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

fn transfer_of(row: &Row) -> Result<Transfer, StoreError> {
    let state = TransferState::parse(row.text("state")?).ok_or(StoreError::Corrupt("transfer state"))?;
    let (checked_at, escalated_at) = (row.optional_at("safety_checked_at")?, row.optional_at("escalated_at")?);
    let safety = row.optional_at("safety_due_at")?.map(|due_at| SafetyCheck { due_at, checked_at, escalated_at });
    let groups = GroupSet::from_bits(row.int("item_groups")?);
    let offer = row.optional_int("version")?.zip(row.optional_at("offered_at")?).map(|(version, offered_at)| Offer {
        version,
        groups,
        offered_at,
        safety,
    });
    Ok(Transfer {
        id: row.id("id")?,
        record: row.id("record")?,
        owner: row.code("owner")?,
        receiver: row.code("receiver")?,
        opened_at: row.at("opened_at")?,
        expires_at: row.at("expires_at")?,
        stage: Stage::of(state, offer).ok_or(StoreError::Corrupt("transfer offer"))?,
    })
}

/// The row of a transfer. Its record is looked at as a whole: a transfer that was set back is found by that.
async fn row(tx: &mut Tx, id: Uuid) -> Result<Option<Row>, StoreError> {
    let Some(row) = one(tx, &TRANSFERS, "WHERE id = $1", &[id.into()]).await? else { return Ok(None) };
    whole(tx, &RECORDS, row.id("record")?).await?;
    Ok(Some(row))
}

/// A transfer by its id.
///
/// # Errors
/// The database failed; the row, or what hangs on its record, is not what the gateway wrote.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Transfer>, StoreError> {
    row(tx, id).await?.as_ref().map(transfer_of).transpose()
}

/// The open transfer of a record; there is at most one.
///
/// # Errors
/// As [`find`].
pub async fn open_of_record(tx: &mut Tx, record: Uuid) -> Result<Option<Transfer>, StoreError> {
    whole(tx, &RECORDS, record).await?;
    let clause = "WHERE record = $1 AND state IN ('offered', 'confirmed')";
    one(tx, &TRANSFERS, clause, &[record.into()]).await?.as_ref().map(transfer_of).transpose()
}

/// Transfers to which an organization is a party, newest first.
///
/// # Errors
/// As [`find`].
pub async fn of_party(tx: &mut Tx, party: &OrganizationCode, most: i64) -> Result<Vec<Transfer>, StoreError> {
    let clause = "WHERE owner = $1 OR receiver = $1 ORDER BY id DESC LIMIT $2";
    let rows = all(tx, &TRANSFERS, clause, &[party.into(), most.into()]).await?;
    for row in &rows {
        whole(tx, &RECORDS, row.id("record")?).await?;
    }
    rows.iter().map(transfer_of).collect()
}

/// Transfers of a list, and how many of it are not what the gateway wrote.
#[derive(Default)]
pub struct ListedTransfers {
    pub transfers: Vec<Transfer>,
    pub set_aside: usize,
}

/// Transfers in which a party may still have something to do, newest first: those that are open, and those that were taken
/// over before the child was seen. As many of each side.
///
/// # Errors
/// The database failed.
pub async fn live_of_party(tx: &mut Tx, party: &OrganizationCode, most: i64) -> Result<ListedTransfers, StoreError> {
    macro_rules! of {
        ($side:literal) => {
            concat!(
                "WHERE ",
                $side,
                " = $1 AND (state IN ('requested', 'offered', 'confirmed')
                     OR (state = 'taken_over' AND safety_checked_at IS NULL))
                 AND (state <> 'taken_over' OR safety_due_at IS NOT NULL)
                 ORDER BY id DESC LIMIT $2"
            )
        };
    }
    let mut listed = ListedTransfers::default();
    for clause in [of!("owner"), of!("receiver")] {
        let SoundRows { rows, set_aside } = sound(tx, &TRANSFERS, clause, &[party.into(), most.into()]).await?;
        listed.set_aside += set_aside;
        for row in &rows {
            listed.transfers.push(transfer_of(row)?);
        }
    }
    Ok(listed)
}

/// Ids of open transfers whose time, or whose safety check's time, has run out.
///
/// # Errors
/// The database failed.
pub async fn due(tx: &mut Tx, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
    let clause = "WHERE (state IN ('requested', 'offered', 'confirmed') AND expires_at <= $1)
            OR (state IN ('offered', 'confirmed', 'taken_over') AND safety_due_at <= $1
                AND safety_checked_at IS NULL AND escalated_at IS NULL)
         ORDER BY id";
    all_sound(tx, &TRANSFERS, clause, &[now.into()]).await?.iter().map(|row| row.id("id")).collect()
}

fn note_place(id: &Uuid) -> Place<'_> {
    Place { table: "transfers", row: id, column: "sealed_note" }
}

pub(crate) async fn open_note(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<TransferNote, StoreError> {
    let row = row(tx, id).await?.ok_or(StoreError::Corrupt("transfer"))?;
    let text = key_of(tx, vault, row.id("record")?).await?.open_text(note_place(&id), row.bytes("sealed_note")?)?;
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
    let clause = "WHERE record = $1 AND state = 'requested' AND receiver <> $2";
    for row in all(tx, &TRANSFERS, clause, &[record.into(), owner.into()]).await? {
        replace(tx, &row, row.values().set("owner", owner)).await?;
    }
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
    let known = row(tx, transfer.id).await?;
    // Who gives and who receives was settled when it was opened.
    let values = known.as_ref().map_or_else(
        || {
            Values::of(&TRANSFERS)
                .set("id", transfer.id)
                .set("record", transfer.record)
                .set("owner", &transfer.owner)
                .set("receiver", &transfer.receiver)
                .set("opened_at", transfer.opened_at)
        },
        Row::values,
    );
    let values = values
        .set("state", transfer.state().as_str())
        .set("urgent", safety.is_some())
        .set("version", offer.map(|offer| offer.version))
        .set("item_groups", offer.map_or(GroupSet::EMPTY, |offer| offer.groups).bits())
        .set("offered_at", offer.map(|offer| offer.offered_at))
        .set("expires_at", transfer.expires_at)
        .set("safety_due_at", safety.map(|safety| safety.due_at))
        .set("safety_checked_at", safety.and_then(|safety| safety.checked_at))
        .set("escalated_at", safety.and_then(|safety| safety.escalated_at))
        .set("sealed_note", sealed_note);
    put_row(tx, known.as_ref(), values).await
}
