//! The versions of a record: its document as it was each time, sealed under the record's own key.

use uuid::Uuid;

use super::{
    error::StoreError,
    index_rows::{self, row_of},
    records::StoredRecord,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        case_record::{IndexItems, RecordFacts, VersionLine},
        format::{Document, stored},
    },
    identity::Caller,
    keys::vault::{Key, Place, Vault},
};

/// The current version, for changing it inside the journal's transaction.
///
/// # Errors
/// The database failed, the version is missing, or it does not open.
pub async fn current(tx: &mut Tx, vault: &Vault, stored: &StoredRecord) -> Result<Sealed<Document>, StoreError> {
    let (id, version) = (stored.facts.id, stored.facts.version);
    let (body,) = fetch_optional!(
        tx,
        (Vec<u8>,),
        "/* version */ SELECT sealed_body FROM record_versions WHERE prefecture = $1 AND record = $2
             AND version = $3",
        stored.prefecture.as_str(),
        id,
        version,
    )?
    .ok_or(StoreError::Moved)?;
    open_body(vault, stored, version, &body).map(Sealed::new)
}

/// Opens the body of a version.
pub(super) fn open_body(
    vault: &Vault,
    stored: &StoredRecord,
    version: i64,
    sealed: &[u8],
) -> Result<Document, StoreError> {
    let id = stored.facts.id;
    let key = vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
    let plain = key.open(body_place(&row_of(id, version)), sealed)?;
    stored::from_bytes(&plain).ok_or(StoreError::Corrupt("record body"))
}

fn body_place(row: &String) -> Place<'_> {
    Place { table: "record_versions", row, column: "sealed_body" }
}

/// A new version, sealed and ready to be written inside the journal's transaction.
pub struct SealedVersion {
    pub version: i64,
    pub body: Vec<u8>,
    /// What the record is found by.
    pub index: Vec<u8>,
}

/// Seals a document as a version of a record.
///
/// # Errors
/// The provider refused.
pub fn seal_version(
    key: &Key,
    id: Uuid,
    version: i64,
    document: &Document,
    items: &IndexItems,
) -> Result<SealedVersion, StoreError> {
    let row = row_of(id, version);
    let body = key.seal(body_place(&row), &stored::to_bytes(document))?;
    Ok(SealedVersion { version, body, index: index_rows::seal(key, id, version, items)? })
}

/// The same of a document that came out of the database.
///
/// # Errors
/// The provider refused, or it has no index section.
pub fn seal_again(
    key: &Key,
    id: Uuid,
    version: i64,
    document: &Sealed<Document>,
) -> Result<(SealedVersion, Sealed<IndexItems>), StoreError> {
    let items = document.project(IndexItems::of).ok_or(StoreError::Corrupt("index section"))?;
    let row = row_of(id, version);
    let body = document.encrypt(key, body_place(&row), stored::to_bytes)?;
    Ok((SealedVersion { version, body, index: index_rows::seal_again(key, id, version, &items)? }, items))
}

/// Writes a version, and of a version after the first what the record is found by from now on.
pub(crate) async fn insert_version(
    tx: &mut Tx,
    facts: &RecordFacts,
    sealed: &SealedVersion,
    caller: &Caller,
    change: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    if sealed.version > 1 {
        set_index(tx, facts, sealed).await?;
    }
    execute!(
        tx,
        "/* insert_version */ INSERT INTO record_versions (prefecture, record, version, organization, officer,
             change_kind, at, sealed_body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        facts.owner.prefecture(),
        facts.id,
        sealed.version,
        caller.organization().as_str(),
        caller.officer(),
        change,
        now.as_micros(),
        sealed.body.as_slice(),
    )?;
    Ok(())
}

/// Writes what a new version is found by.
async fn set_index(tx: &mut Tx, facts: &RecordFacts, sealed: &SealedVersion) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* set_index */ UPDATE records SET sealed_index = $3 WHERE prefecture = $1 AND id = $2",
        facts.owner.prefecture(),
        facts.id,
        sealed.index.as_slice(),
    )?;
    Ok(())
}

/// The versions of a record, oldest first.
///
/// # Errors
/// The database failed.
pub async fn history(tx: &mut Tx, facts: &RecordFacts) -> Result<Vec<VersionLine>, StoreError> {
    let rows = fetch_all!(
        tx,
        (i64, i64, String, String, String),
        "/* history */ SELECT version, at, organization, officer, change_kind FROM record_versions
         WHERE prefecture = $1 AND record = $2 ORDER BY version",
        facts.owner.prefecture(),
        facts.id,
    )?;
    Ok(rows
        .into_iter()
        .map(|(version, at, organization, officer, change)| VersionLine {
            version,
            at: Timestamp::from_micros(at).to_rfc3339(),
            organization,
            officer,
            change,
        })
        .collect())
}
