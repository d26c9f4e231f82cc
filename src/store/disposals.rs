//! Retention and disposal: closed records, the lists by which they are disposed of, and what is removed then.

use uuid::Uuid;

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    domain::{organization::OrganizationCode, retention::RetentionSettings},
    keys::shreds::{RUN_BITS, SLOT_BITS, Slot},
};

/// Where a list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DisposalState {
    /// One officer asked.
    Asked,
    /// It was dropped; nothing happened.
    Withdrawn,
    /// Another officer approved, and the records are removed; their keys are being destroyed.
    Approved,
    /// The keys are destroyed.
    Destroyed,
}

impl DisposalState {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A list of records that one officer asks to dispose of, and another approves.
#[derive(Clone)]
pub struct Disposal {
    pub id: Uuid,
    pub organization: OrganizationCode,
    pub state: DisposalState,
    pub asked_by: String,
    pub asked_at: Timestamp,
    pub decided_by: Option<String>,
    pub decided_at: Option<Timestamp>,
    pub destroyed_at: Option<Timestamp>,
}

type Row = (Uuid, String, String, String, i64, Option<String>, Option<i64>, Option<i64>);

fn disposal(row: Row) -> Result<Disposal, StoreError> {
    let (id, organization, state, asked_by, asked_at, decided_by, decided_at, destroyed_at) = row;
    Ok(Disposal {
        id,
        organization: OrganizationCode::parse(&organization).ok_or(StoreError::Corrupt("organization code"))?,
        state: DisposalState::parse(&state).ok_or(StoreError::Corrupt("disposal state"))?,
        asked_by,
        asked_at: Timestamp::from_micros(asked_at),
        decided_by,
        decided_at: decided_at.map(Timestamp::from_micros),
        destroyed_at: destroyed_at.map(Timestamp::from_micros),
    })
}

/// How much longer than the standard an organization keeps its records.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn retention_of(tx: &mut Tx, organization: &OrganizationCode) -> Result<RetentionSettings, StoreError> {
    let row = fetch_optional!(
        tx,
        (String,),
        "/* retention_of */ SELECT settings FROM retention_settings WHERE organization = $1",
        organization.as_str(),
    )?;
    row.map_or(Ok(RetentionSettings::default()), |(text,)| {
        serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("retention settings"))
    })
}

pub(crate) async fn set_retention(
    tx: &mut Tx,
    organization: &OrganizationCode,
    settings: &RetentionSettings,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(settings).map_err(|_| StoreError::Corrupt("retention settings"))?;
    execute!(
        tx,
        "/* set_retention */ INSERT INTO retention_settings (organization, settings) VALUES ($1, $2)
         ON CONFLICT (organization) DO UPDATE SET settings = excluded.settings",
        organization.as_str(),
        text,
    )?;
    Ok(())
}

/// Closed records of an owner after an id, by id.
///
/// # Errors
/// The database failed.
pub async fn closed_of(tx: &mut Tx, owner: &OrganizationCode, after: Uuid, most: i64) -> Result<Vec<Uuid>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid,),
        "/* closed_of */ SELECT id FROM records WHERE prefecture = $4 AND owner = $1 AND closed_at IS NOT NULL
         AND id > $2 ORDER BY id LIMIT $3",
        owner.as_str(),
        after,
        most,
        owner.prefecture(),
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// When a record was closed; `None` while it is open.
///
/// # Errors
/// The database failed.
pub async fn closed_at(tx: &mut Tx, record: Uuid) -> Result<Option<Timestamp>, StoreError> {
    let row = fetch_optional!(
        tx,
        (Option<i64>,),
        "/* closed_at */ SELECT closed_at FROM records
         WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)",
        record,
    )?;
    Ok(row.and_then(|(at,)| at).map(Timestamp::from_micros))
}

/// Bodies that once provided a record.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn providers(tx: &mut Tx, record: Uuid) -> Result<Vec<OrganizationCode>, StoreError> {
    let rows = fetch_all!(
        tx,
        (String,),
        "/* providers */ SELECT organization FROM provisions WHERE record = $1 ORDER BY organization",
        record,
    )?;
    rows.into_iter()
        .map(|(code,)| OrganizationCode::parse(&code).ok_or(StoreError::Corrupt("organization code")))
        .collect()
}

/// Whether a transfer of a record is open.
///
/// # Errors
/// The database failed.
pub async fn has_open_transfer(tx: &mut Tx, record: Uuid) -> Result<bool, StoreError> {
    let row = fetch_optional!(
        tx,
        (Uuid,),
        "/* has_open_transfer */ SELECT id FROM transfers
         WHERE record = $1 AND state IN ('requested', 'offered', 'confirmed') LIMIT 1",
        record,
    )?;
    Ok(row.is_some())
}

/// Whether a record stands on a list that is asked for.
///
/// # Errors
/// The database failed.
pub async fn is_listed(tx: &mut Tx, record: Uuid) -> Result<bool, StoreError> {
    let row = fetch_optional!(
        tx,
        (Uuid,),
        "/* is_listed */ SELECT d.id FROM disposals d JOIN disposal_records r ON r.disposal = d.id
         WHERE r.record = $1 AND d.state = 'asked' LIMIT 1",
        record,
    )?;
    Ok(row.is_some())
}

pub(crate) async fn insert(tx: &mut Tx, disposal: &Disposal, records: &[Uuid]) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* insert_disposal */ INSERT INTO disposals (id, organization, state, asked_by, asked_at)
         VALUES ($1, $2, $3, $4, $5)",
        disposal.id,
        disposal.organization.as_str(),
        disposal.state.as_str(),
        disposal.asked_by.as_str(),
        disposal.asked_at.as_micros(),
    )?;
    for record in records {
        execute!(
            tx,
            "/* list_for_disposal */ INSERT INTO disposal_records (disposal, record) VALUES ($1, $2)",
            disposal.id,
            *record,
        )?;
    }
    Ok(())
}

/// A list by its id.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Disposal>, StoreError> {
    fetch_optional!(
        tx,
        Row,
        "/* find_disposal */ SELECT id, organization, state, asked_by, asked_at, decided_by, decided_at, destroyed_at
         FROM disposals WHERE id = $1",
        id,
    )?
    .map(disposal)
    .transpose()
}

/// The lists of an organization, newest first.
///
/// # Errors
/// As [`find`].
pub async fn of_organization(
    tx: &mut Tx,
    organization: &OrganizationCode,
    most: i64,
) -> Result<Vec<Disposal>, StoreError> {
    fetch_all!(
        tx,
        Row,
        "/* disposals_of */ SELECT id, organization, state, asked_by, asked_at, decided_by, decided_at, destroyed_at
         FROM disposals WHERE organization = $1 ORDER BY id DESC LIMIT $2",
        organization.as_str(),
        most,
    )?
    .into_iter()
    .map(disposal)
    .collect()
}

/// The records on a list, by id.
///
/// # Errors
/// The database failed.
pub async fn records_of(tx: &mut Tx, disposal: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid,),
        "/* records_of_disposal */ SELECT record FROM disposal_records WHERE disposal = $1 ORDER BY record",
        disposal,
    )?;
    Ok(rows.into_iter().map(|(record,)| record).collect())
}

pub(crate) async fn decide(tx: &mut Tx, disposal: &Disposal) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* decide_disposal */ UPDATE disposals SET state = $2, decided_by = $3, decided_at = $4 WHERE id = $1",
        disposal.id,
        disposal.state.as_str(),
        disposal.decided_by.as_deref(),
        disposal.decided_at.map(Timestamp::as_micros),
    )?;
    Ok(())
}

pub(crate) async fn set_slot(tx: &mut Tx, disposal: Uuid, record: Uuid, slot: Slot) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* set_slot */ UPDATE disposal_records SET slot = $3 WHERE disposal = $1 AND record = $2",
        disposal,
        record,
        i64::try_from(slot).map_err(|_| StoreError::Corrupt("slot"))?,
    )?;
    Ok(())
}

/// Removes everything that belongs to a record and to nothing else. What the ledger says of it stays.
pub(crate) async fn erase(tx: &mut Tx, record: Uuid) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* erase_attachments */ DELETE FROM attachments
         WHERE record = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)",
        record
    )?;
    execute!(
        tx,
        "/* erase_versions */ DELETE FROM record_versions
         WHERE record = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)",
        record
    )?;
    execute!(tx, "/* erase_edit_lock */ DELETE FROM edit_locks WHERE record = $1", record)?;
    execute!(tx, "/* erase_provisions */ DELETE FROM provisions WHERE record = $1", record)?;
    execute!(tx, "/* erase_transfers */ DELETE FROM transfers WHERE record = $1", record)?;
    execute!(tx, "/* erase_serious_notes */ DELETE FROM serious_reviews WHERE record = $1", record)?;
    execute!(tx, "/* erase_glass */ DELETE FROM break_glass WHERE record = $1", record)?;
    execute!(tx, "/* erase_inquiries */ DELETE FROM inquiries WHERE record = $1", record)?;
    execute!(
        tx,
        "/* erase_record */ DELETE FROM records
         WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)",
        record
    )?;
    Ok(())
}

/// Lists whose records are removed and whose keys are still to be destroyed.
///
/// # Errors
/// As [`find`].
pub async fn awaiting_destruction(tx: &mut Tx) -> Result<Vec<Disposal>, StoreError> {
    fetch_all!(
        tx,
        Row,
        "/* awaiting_destruction */ SELECT id, organization, state, asked_by, asked_at, decided_by, decided_at,
             destroyed_at
         FROM disposals WHERE state = 'approved' ORDER BY id"
    )?
    .into_iter()
    .map(disposal)
    .collect()
}

/// Slots of the records on a list.
///
/// # Errors
/// The database failed.
pub async fn slots_of(tx: &mut Tx, disposal: Uuid) -> Result<Vec<Slot>, StoreError> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "/* slots_of */ SELECT slot FROM disposal_records WHERE disposal = $1 AND slot IS NOT NULL",
        disposal,
    )?;
    Ok(rows.into_iter().filter_map(|(slot,)| Slot::try_from(slot).ok()).collect())
}

/// Slots of the records that were disposed of since a moment, on whichever node.
///
/// # Errors
/// The database failed.
pub async fn slots_since(tx: &mut Tx, since: Timestamp) -> Result<Vec<Slot>, StoreError> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "/* slots_since */ SELECT r.slot FROM disposal_records r JOIN disposals d ON d.id = r.disposal
         WHERE r.slot IS NOT NULL AND d.decided_at >= $1",
        since.as_micros(),
    )?;
    Ok(rows.into_iter().filter_map(|(slot,)| Slot::try_from(slot).ok()).collect())
}

/// Notes that the keys of a list are destroyed; `false` where that was noted before.
pub(crate) async fn set_destroyed(tx: &mut Tx, disposal: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    let changed = execute!(
        tx,
        "/* set_destroyed */ UPDATE disposals SET state = 'destroyed', destroyed_at = $2
         WHERE id = $1 AND state = 'approved'",
        disposal,
        now.as_micros(),
    )?;
    Ok(changed > 0)
}

/// Takes a run of slots that no other start of any node has.
pub(crate) async fn begin_run(tx: &mut Tx) -> Result<u32, StoreError> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "/* begin_run */ INSERT INTO key_runs (run) SELECT COALESCE(MAX(run), -1) + 1 FROM key_runs RETURNING run"
    )?;
    row.and_then(|(run,)| u32::try_from(run).ok())
        .filter(|run| run >> (SLOT_BITS - RUN_BITS) == 0)
        .ok_or(StoreError::Corrupt("runs of keys are used up"))
}
