//! The versions of a record: its document as it was each time, sealed under the record's own key.

use uuid::Uuid;

use super::{
    error::StoreError,
    index_rows::{self, row_of},
    records::{StoredRecord, set_index},
    rows::{
        access::{all, insert, one},
        row::{Row, Values},
        tables::RECORD_VERSIONS,
    },
    tx::Tx,
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        case_record::{IndexItems, RecordFacts, VersionLine},
        format::{Document, stored},
    },
    identity::Caller,
    keys::{
        error::KeyError,
        vault::{Key, Place, Vault},
    },
};

/// The current version, for changing it inside the journal's transaction.
///
/// # Errors
/// The database failed, the version is missing, or it does not open.
pub async fn current(tx: &mut Tx, vault: &Vault, stored: &StoredRecord) -> Result<Sealed<Document>, StoreError> {
    let (id, version) = (stored.facts.id, stored.facts.version);
    let clause = "WHERE prefecture = $1 AND record = $2 AND version = $3";
    let binds = [stored.prefecture.as_str().into(), id.into(), version.into()];
    let row = one(tx, &RECORD_VERSIONS, clause, &binds).await?.ok_or_else(|| refute_version(tx, id, version))?;
    match open_body(vault, stored, version, row.bytes("sealed_body")?) {
        Err(StoreError::Key(KeyError::Unsealed)) => Err(refute_version(tx, id, version)),
        opened => opened.map(Sealed::new),
    }
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

/// Whether the sealed body of a version opens.
pub(super) fn opens(key: &Key, id: Uuid, version: i64, sealed: &[u8]) -> bool {
    key.open(body_place(&row_of(id, version)), sealed).is_ok()
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
    insert(tx, version_values(facts, sealed, caller, change, now)).await
}

/// The row of a new version.
pub(super) fn version_values(
    facts: &RecordFacts,
    sealed: &SealedVersion,
    caller: &Caller,
    change: &str,
    now: Timestamp,
) -> Values {
    Values::of(&RECORD_VERSIONS)
        .set("record", facts.id)
        .set("version", sealed.version)
        .set("prefecture", facts.owner.prefecture())
        .set("organization", caller.organization())
        .set("officer", caller.officer())
        .set("change_kind", change)
        .set("at", now)
        .set("sealed_body", sealed.body.as_slice())
}

/// The versions of a record, oldest first. There is none missing.
///
/// # Errors
/// The database failed; a version is not what the gateway wrote.
pub async fn history(tx: &mut Tx, facts: &RecordFacts) -> Result<Vec<VersionLine>, StoreError> {
    let clause = "WHERE prefecture = $1 AND record = $2 ORDER BY version";
    let rows = all(tx, &RECORD_VERSIONS, clause, &[facts.owner.prefecture().into(), facts.id.into()]).await?;
    let line = |row: &Row| {
        Ok(VersionLine {
            version: row.int("version")?,
            at: row.at("at")?.to_rfc3339(),
            organization: row.text("organization")?.to_owned(),
            officer: row.text("officer")?.to_owned(),
            officer_name: None,
            change: row.text("change_kind")?.to_owned(),
        })
    };
    let lines = rows.iter().map(line).collect::<Result<Vec<VersionLine>, StoreError>>()?;
    match lines.iter().zip(1..).find(|(line, number)| line.version != *number) {
        Some((_, missing)) => Err(refute_version(tx, facts.id, missing)),
        None if lines.len() as i64 != facts.version => Err(refute_version(tx, facts.id, facts.version)),
        None => Ok(lines),
    }
}

/// A version that should be there, and is not or is another.
fn refute_version(tx: &Tx, record: Uuid, version: i64) -> StoreError {
    tx.rows.guard().map_or_else(|error| error, |guard| guard.refute(&RECORD_VERSIONS, row_of(record, version)))
}
