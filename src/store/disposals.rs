//! Retention and disposal: closed records, the lists by which they are disposed of, and what is removed then.

use uuid::Uuid;

use super::{
    error::StoreError,
    rows::{
        access,
        mark::NO_PARTS,
        parts,
        row::{Row, Value, Values},
        tables::{
            ATTACHMENTS, BREAK_GLASS, DISPOSAL_RECORDS, DISPOSALS, EDIT_LOCKS, INQUIRIES, KEY_RUNS, PROVISIONS,
            RECORD_VERSIONS, RECORDS, RETENTION_SETTINGS, SERIOUS_REVIEWS, TRANSFERS,
        },
    },
    tx::Tx,
};
use crate::{
    clock::Timestamp,
    domain::{
        disposal::{Disposal, DisposalState, NotDue},
        organization::OrganizationCode,
        retention::RetentionSettings,
        transfer::TransferState,
    },
    keys::shreds::{RUN_BITS, SLOT_BITS, Slot},
};

fn disposal(row: &Row) -> Result<Disposal, StoreError> {
    Ok(Disposal {
        id: row.id("id")?,
        organization: row.code("organization")?,
        state: DisposalState::parse(row.text("state")?).ok_or(StoreError::Corrupt("disposal state"))?,
        asked_by: row.text("asked_by")?.to_owned(),
        asked_at: row.at("asked_at")?,
        decided_by: row.optional_text("decided_by")?.map(str::to_owned),
        decided_at: row.optional_at("decided_at")?,
        destroyed_after: row.optional_at("destroyed_after")?,
        lapsed_because: row
            .optional_text("lapsed_because")?
            .map(|word| NotDue::parse(word).ok_or(StoreError::Corrupt("disposal lapse")))
            .transpose()?,
        destroyed_at: row.optional_at("destroyed_at")?,
    })
}

/// How much longer than the standard an organization keeps its records.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn retention_of(tx: &mut Tx, organization: &OrganizationCode) -> Result<RetentionSettings, StoreError> {
    let Some(row) = retention_row(tx, organization).await? else { return Ok(RetentionSettings::default()) };
    serde_json::from_str(row.text("settings")?).map_err(|_| StoreError::Corrupt("retention settings"))
}

async fn retention_row(tx: &mut Tx, organization: &OrganizationCode) -> Result<Option<Row>, StoreError> {
    access::find(tx, &RETENTION_SETTINGS, &[organization.into()]).await
}

pub(crate) async fn set_retention(
    tx: &mut Tx,
    organization: &OrganizationCode,
    settings: &RetentionSettings,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(settings).map_err(|_| StoreError::Corrupt("retention settings"))?;
    let known = retention_row(tx, organization).await?;
    let values = Values::of(&RETENTION_SETTINGS).set("organization", organization).set("settings", text);
    access::put(tx, known.as_ref(), values).await
}

/// Closed records of an owner after an id, by id.
///
/// # Errors
/// The database failed.
pub async fn closed_of(tx: &mut Tx, owner: &OrganizationCode, after: Uuid, most: i64) -> Result<Vec<Uuid>, StoreError> {
    let clause = "WHERE prefecture = $4 AND owner = $1 AND closed_at IS NOT NULL AND id > $2 ORDER BY id LIMIT $3";
    let binds = [owner.into(), after.into(), most.into(), owner.prefecture().into()];
    access::all(tx, &RECORDS, clause, &binds).await?.iter().map(|row| row.id("id")).collect()
}

/// When a record was closed; `None` while it is open.
///
/// # Errors
/// The database failed.
pub async fn closed_at(tx: &mut Tx, record: Uuid) -> Result<Option<Timestamp>, StoreError> {
    let Some(row) = parts::whole(tx, &RECORDS, record).await? else { return Ok(None) };
    row.optional_at("closed_at")
}

/// Bodies that once provided a record.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn providers(tx: &mut Tx, record: Uuid) -> Result<Vec<OrganizationCode>, StoreError> {
    parts::whole(tx, &RECORDS, record).await?;
    let rows = access::all(tx, &PROVISIONS, "WHERE record = $1 ORDER BY organization", &[record.into()]).await?;
    rows.iter().map(|row| row.code("organization")).collect()
}

/// Whether a transfer of a record is open.
///
/// # Errors
/// The database failed.
pub async fn has_open_transfer(tx: &mut Tx, record: Uuid) -> Result<bool, StoreError> {
    parts::whole(tx, &RECORDS, record).await?;
    // All of them: a clause on the state would hide one whose state was edited.
    for transfer in access::all(tx, &TRANSFERS, "WHERE record = $1", &[record.into()]).await? {
        let state = TransferState::parse(transfer.text("state")?).ok_or(StoreError::Corrupt("transfer state"))?;
        if state.is_open() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a record stands on a list that is still to be carried out, other than one.
///
/// # Errors
/// The database failed.
pub async fn is_listed(tx: &mut Tx, record: Uuid, but_on: Option<Uuid>) -> Result<bool, StoreError> {
    for listed in access::all(tx, &DISPOSAL_RECORDS, "WHERE record = $1", &[record.into()]).await? {
        let list = listed.id("disposal")?;
        if Some(list) != but_on && find(tx, list).await?.is_some_and(|list| list.state.is_open()) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) async fn insert(tx: &mut Tx, disposal: &Disposal, records: &[Uuid]) -> Result<(), StoreError> {
    let list = Values::of(&DISPOSALS)
        .set("id", disposal.id)
        .set("organization", &disposal.organization)
        .set("state", disposal.state.as_str())
        .set("asked_by", disposal.asked_by.as_str())
        .set("asked_at", disposal.asked_at)
        .set("parts", NO_PARTS.to_vec());
    access::insert(tx, list).await?;
    for record in records {
        let listed = Values::of(&DISPOSAL_RECORDS).set("disposal", disposal.id).set("record", *record);
        access::insert(tx, listed).await?;
    }
    Ok(())
}

async fn list_row(tx: &mut Tx, id: Uuid) -> Result<Option<Row>, StoreError> {
    access::find(tx, &DISPOSALS, &[id.into()]).await
}

/// A list by its id.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Disposal>, StoreError> {
    list_row(tx, id).await?.as_ref().map(disposal).transpose()
}

/// The lists of an organization, newest first. One that is not what the gateway wrote is left out: it is told of.
///
/// # Errors
/// As [`find`].
pub async fn of_organization(
    tx: &mut Tx,
    organization: &OrganizationCode,
    most: i64,
) -> Result<Vec<Listed>, StoreError> {
    let clause = "WHERE organization = $1 ORDER BY id DESC LIMIT $2";
    sound_lists(tx, clause, &[organization.into(), most.into()]).await
}

/// The records on a list, by id.
///
/// # Errors
/// The database failed.
pub async fn records_of(tx: &mut Tx, disposal: Uuid) -> Result<Vec<Uuid>, StoreError> {
    parts::whole(tx, &DISPOSALS, disposal).await?;
    let rows = access::all(tx, &DISPOSAL_RECORDS, "WHERE disposal = $1 ORDER BY record", &[disposal.into()]).await?;
    rows.iter().map(|row| row.id("record")).collect()
}

pub(crate) async fn decide(tx: &mut Tx, disposal: &Disposal) -> Result<(), StoreError> {
    let Some(row) = list_row(tx, disposal.id).await? else { return Ok(()) };
    let values = row.values();
    let values = values
        .set("state", disposal.state.as_str())
        .set("decided_by", disposal.decided_by.as_deref())
        .set("decided_at", disposal.decided_at)
        .set("destroyed_after", disposal.destroyed_after)
        .set("lapsed_because", disposal.lapsed_because.map(NotDue::as_str));
    access::replace(tx, &row, values).await
}

pub(crate) async fn set_slot(tx: &mut Tx, disposal: Uuid, record: Uuid, slot: Slot) -> Result<(), StoreError> {
    let slot = i64::try_from(slot).map_err(|_| StoreError::Corrupt("slot"))?;
    let binds = [disposal.into(), record.into()];
    let row = access::one(tx, &DISPOSAL_RECORDS, "WHERE disposal = $1 AND record = $2", &binds).await?;
    let Some(row) = row else { return Ok(()) };
    access::replace(tx, &row, row.values().set("slot", slot)).await
}

/// Removes everything that belongs to a record and to nothing else. What the ledger says of it stays.
pub(crate) async fn erase(tx: &mut Tx, record: Uuid) -> Result<(), StoreError> {
    let Some(row) = parts::whole(tx, &RECORDS, record).await? else { return Ok(()) };
    let of_record = [record.into(), row.text("prefecture")?.into()];
    // What is kept by prefecture is asked for in one partition alone.
    for table in [&ATTACHMENTS, &RECORD_VERSIONS] {
        access::remove_all(tx, table, "WHERE record = $1 AND prefecture = $2", &of_record).await?;
    }
    for table in [&EDIT_LOCKS, &PROVISIONS, &TRANSFERS, &SERIOUS_REVIEWS, &BREAK_GLASS, &INQUIRIES] {
        access::remove_all(tx, table, "WHERE record = $1", &[record.into()]).await?;
    }
    // Last: what hung on it was held against it.
    access::remove(tx, &row).await
}

/// A list with its records, by id, and the slots of those that are removed.
pub struct Listed {
    pub disposal: Disposal,
    pub records: Vec<(Uuid, Option<Slot>)>,
}

impl Listed {
    /// Numbers of the secrets that go with its records.
    pub fn slots(&self) -> Vec<Slot> {
        self.records.iter().filter_map(|(_, slot)| *slot).collect()
    }
}

/// Lists that two persons stand for and whose waiting time is over. One that is not what the gateway wrote is set
/// aside: the others do not wait for it.
///
/// # Errors
/// As [`find`].
pub async fn waited(tx: &mut Tx, now: Timestamp) -> Result<Vec<Listed>, StoreError> {
    sound_lists(tx, "WHERE state = 'approved' AND destroyed_after <= $1 ORDER BY id", &[now.into()]).await
}

/// Lists that were asked for until a moment and are still to be decided on.
///
/// # Errors
/// The database failed.
pub async fn asked_before(tx: &mut Tx, at: Timestamp) -> Result<Vec<Uuid>, StoreError> {
    let clause = "WHERE state = 'asked' AND asked_at <= $1 ORDER BY id";
    access::all_sound(tx, &DISPOSALS, clause, &[at.into()]).await?.iter().map(|row| row.id("id")).collect()
}

/// Lists whose records are removed and whose keys are still to be destroyed; those that are not sound are set aside.
///
/// # Errors
/// As [`find`].
pub async fn awaiting_destruction(tx: &mut Tx) -> Result<Vec<Listed>, StoreError> {
    sound_lists(tx, "WHERE state = 'removed' ORDER BY id", &[]).await
}

/// Lists whose records are removed, on whichever node: but for those that were done with before a moment. What is not
/// sound is set aside: a slot that somebody else named would destroy another record's key.
///
/// # Errors
/// As [`find`].
pub async fn carried_out(tx: &mut Tx, since: Timestamp) -> Result<Vec<Listed>, StoreError> {
    let clause = "WHERE state = 'removed' OR state = 'destroyed' AND destroyed_at >= $1";
    sound_lists(tx, clause, &[since.into()]).await
}

/// Lists that are what the gateway wrote.
async fn sound_lists(tx: &mut Tx, clause: &'static str, binds: &[Value]) -> Result<Vec<Listed>, StoreError> {
    let mut sound = Vec::new();
    for list in access::all_sound(tx, &DISPOSALS, clause, binds).await? {
        match listed(tx, disposal(&list)?).await {
            Ok(listed) => sound.push(listed),
            Err(StoreError::Refuted(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sound)
}

/// A list with what is on it.
///
/// # Errors
/// The database failed.
pub async fn listed(tx: &mut Tx, disposal: Disposal) -> Result<Listed, StoreError> {
    parts::whole(tx, &DISPOSALS, disposal.id).await?;
    let clause = "WHERE disposal = $1 ORDER BY record";
    let mut records = Vec::new();
    for row in access::all(tx, &DISPOSAL_RECORDS, clause, &[disposal.id.into()]).await? {
        let slot = row.optional_int("slot")?.map(Slot::try_from).transpose();
        records.push((row.id("record")?, slot.map_err(|_| StoreError::Corrupt("slot"))?));
    }
    Ok(Listed { disposal, records })
}

/// Notes that the keys of a list are destroyed; `false` where that was noted before.
pub(crate) async fn set_destroyed(tx: &mut Tx, disposal: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    let Some(row) = list_row(tx, disposal).await? else { return Ok(false) };
    if row.text("state")? != DisposalState::Removed.as_str() {
        return Ok(false);
    }
    let values = row.values().set("state", DisposalState::Destroyed.as_str()).set("destroyed_at", now);
    access::replace(tx, &row, values).await?;
    Ok(true)
}

/// Takes a run of slots that no other start of any node has.
pub(crate) async fn begin_run(tx: &mut Tx) -> Result<u32, StoreError> {
    // One that somebody removed has its slots all the same: no other record may ever get one of them.
    let removed = tx.rows.guard()?.removed(&KEY_RUNS);
    let runs = access::all_sound(tx, &KEY_RUNS, "ORDER BY run DESC", &[]).await?;
    let runs = runs.iter().map(|row| row.int("run")).collect::<Result<Vec<_>, _>>()?;
    let removed = removed.iter().filter_map(|run| run.parse().ok());
    let run = runs.into_iter().chain(removed).max().map_or(0, |run| run + 1);
    let number = u32::try_from(run).ok().filter(|run| run >> (SLOT_BITS - RUN_BITS) == 0);
    let number = number.ok_or(StoreError::Corrupt("runs of keys are used up"))?;
    // It is not one that somebody removed.
    access::find(tx, &KEY_RUNS, &[run.into()]).await?;
    access::insert(tx, Values::of(&KEY_RUNS).set("run", run)).await?;
    Ok(number)
}
