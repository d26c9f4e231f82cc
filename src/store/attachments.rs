//! Attachments: photos and papers of a record, sealed under the record's key.

use uuid::Uuid;

use super::{
    error::StoreError,
    records::StoredRecord,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        attachment::{Attachment, AttachmentLine},
        organization::OrganizationCode,
    },
    keys::vault::{Place, Vault},
};

/// Seals a content for its place.
///
/// # Errors
/// The record's key does not open.
pub fn seal(vault: &Vault, stored: &StoredRecord, id: Uuid, content: &[u8]) -> Result<Vec<u8>, StoreError> {
    let key = vault.unwrap_key(&stored.prefecture, stored.facts.id, &stored.sealed_key)?;
    Ok(key.seal(place(&format!("{}:{id}", stored.facts.id)), content)?)
}

fn place(row: &String) -> Place<'_> {
    Place { table: "attachments", row, column: "sealed_content" }
}

pub(crate) async fn insert(
    tx: &mut Tx,
    stored: &StoredRecord,
    line: &AttachmentLine,
    sealed: &[u8],
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* insert_attachment */ INSERT INTO attachments (prefecture, record, id, media_type, kind, bytes, withheld, at,
             sealed_content)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)",
        stored.prefecture.as_str(),
        stored.facts.id,
        line.id,
        line.media_type.as_str(),
        line.kind.as_str(),
        line.bytes,
        line.at.as_micros(),
        sealed,
    )?;
    Ok(())
}

/// The attachments of an owner's record, oldest first.
///
/// # Errors
/// The database failed.
pub async fn of_record(tx: &mut Tx, owner: &OrganizationCode, record: Uuid) -> Result<Vec<AttachmentLine>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid, String, String, i64, i64),
        "/* attachments_of */ SELECT id, media_type, kind, bytes, at FROM attachments
         WHERE prefecture = $1 AND record = $2 AND withheld = 0 ORDER BY id",
        owner.prefecture(),
        record,
    )?;
    let line = |(id, media_type, kind, bytes, at)| {
        let at = Timestamp::from_micros(at);
        AttachmentLine { id, media_type, kind, bytes, at }
    };
    Ok(rows.into_iter().map(line).collect())
}

/// Withholds every attachment of a record from its new owner: they were not provided.
pub(crate) async fn withhold_all(tx: &mut Tx, owner: &OrganizationCode, record: Uuid) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* withhold_attachments */ UPDATE attachments SET withheld = 1 WHERE prefecture = $1 AND record = $2",
        owner.prefecture(),
        record,
    )?;
    Ok(())
}

/// One attachment, opened and sealed again for the gate, and when it was attached.
///
/// # Errors
/// The database failed, or it does not open.
pub async fn find(
    tx: &mut Tx,
    vault: &Vault,
    stored: &StoredRecord,
    id: Uuid,
) -> Result<Option<(Timestamp, Sealed<Attachment>)>, StoreError> {
    let row = fetch_optional!(
        tx,
        (i64, String, Vec<u8>),
        "/* attachment */ SELECT at, media_type, sealed_content FROM attachments
         WHERE prefecture = $1 AND record = $2 AND id = $3 AND withheld = 0",
        stored.prefecture.as_str(),
        stored.facts.id,
        id,
    )?;
    let Some((at, media_type, sealed)) = row else { return Ok(None) };
    let key = vault.unwrap_key(&stored.prefecture, stored.facts.id, &stored.sealed_key)?;
    let content = key.open(place(&format!("{}:{id}", stored.facts.id)), &sealed)?;
    let at = Timestamp::from_micros(at);
    Ok(Some((at, Sealed::new(Attachment { at, media_type, content }))))
}
