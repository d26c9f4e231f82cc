//! Attachments: photos and papers of a record, sealed under the record's key.

use bytes::Bytes;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    error::StoreError,
    records::StoredRecord,
    rows::{
        access::{all, insert, one, replace},
        parts::whole,
        row::{Row, Values},
        tables::{ATTACHMENTS, RECORDS},
    },
    tx::Tx,
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        attachment::{Attachment, AttachmentLine},
        organization::OrganizationCode,
        photo::bare_as_kept,
    },
    keys::{
        error::KeyError,
        vault::{Key, Place, Vault},
    },
    planted::Planted,
};

/// Seals a content for its place.
///
/// # Errors
/// The record's key does not open.
pub fn seal(vault: &Vault, stored: &StoredRecord, id: Uuid, content: &[u8]) -> Result<Vec<u8>, StoreError> {
    let key = vault.unwrap_key(&stored.prefecture, stored.facts.id, &stored.sealed_key)?;
    Ok(key.seal(place(&format!("{}:{id}", stored.facts.id)), content)?)
}

/// Whether a sealed file opens.
pub(super) fn opens(key: &Key, record: Uuid, id: Uuid, sealed: &[u8]) -> bool {
    key.open(place(&format!("{record}:{id}")), sealed).is_ok()
}

fn place(row: &String) -> Place<'_> {
    Place { table: "attachments", row, column: "sealed_content" }
}

pub(crate) async fn insert_attachment(
    tx: &mut Tx,
    stored: &StoredRecord,
    line: &AttachmentLine,
    sealed: &[u8],
) -> Result<(), StoreError> {
    let values = Values::of(&ATTACHMENTS)
        .set("record", stored.facts.id)
        .set("id", line.id)
        .set("prefecture", stored.prefecture.as_str())
        .set("media_type", line.media_type.as_str())
        .set("kind", line.kind.as_str())
        .set("bytes", line.bytes)
        .set("withheld", false)
        .set("at", line.at)
        .set("sealed_content", sealed);
    insert(tx, values).await
}

/// A file as the list of a record shows it.
pub(super) fn line_of(row: &Row) -> Result<AttachmentLine, StoreError> {
    Ok(AttachmentLine {
        id: row.id("id")?,
        media_type: row.text("media_type")?.to_owned(),
        kind: row.text("kind")?.to_owned(),
        bytes: row.int("bytes")?,
        at: row.at("at")?,
    })
}

/// The attachments of an owner's record, oldest first.
///
/// # Errors
/// The database failed; one of them is not what the gateway wrote, or is missing.
pub async fn of_record(tx: &mut Tx, owner: &OrganizationCode, record: Uuid) -> Result<Vec<AttachmentLine>, StoreError> {
    whole(tx, &RECORDS, record).await?;
    let clause = "WHERE prefecture = $1 AND record = $2 AND withheld = 0 ORDER BY id";
    all(tx, &ATTACHMENTS, clause, &[owner.prefecture().into(), record.into()]).await?.iter().map(line_of).collect()
}

/// Withholds every attachment of a record from its new owner: they were not provided.
pub(crate) async fn withhold_all(tx: &mut Tx, owner: &OrganizationCode, record: Uuid) -> Result<(), StoreError> {
    let clause = "WHERE prefecture = $1 AND record = $2 AND withheld = 0";
    for row in all(tx, &ATTACHMENTS, clause, &[owner.prefecture().into(), record.into()]).await? {
        replace(tx, &row, row.values().set("withheld", true)).await?;
    }
    Ok(())
}

/// One attachment, opened and sealed again for the gate, and when it was attached. Of a photo that was attached before
/// photos were bared, what its camera wrote is taken out on the way; one from which that cannot be done does not leave.
///
/// # Errors
/// The database failed, or it does not open.
pub async fn find(
    tx: &mut Tx,
    vault: &Vault,
    stored: &StoredRecord,
    id: Uuid,
) -> Result<Option<(Timestamp, Sealed<Attachment>)>, StoreError> {
    whole(tx, &RECORDS, stored.facts.id).await?;
    let clause = "WHERE prefecture = $1 AND record = $2 AND id = $3 AND withheld = 0";
    let binds = [stored.prefecture.as_str().into(), stored.facts.id.into(), id.into()];
    let Some(row) = one(tx, &ATTACHMENTS, clause, &binds).await? else { return Ok(None) };
    let key = vault.unwrap_key(&stored.prefecture, stored.facts.id, &stored.sealed_key)?;
    let name = format!("{}:{id}", stored.facts.id);
    let content = match key.open(place(&name), row.bytes("sealed_content")?) {
        Err(KeyError::Unsealed) => return Err(tx.rows.guard()?.refute(&ATTACHMENTS, name)),
        opened => opened?,
    };
    let (at, media_type) = (row.at("at")?, row.text("media_type")?.to_owned());
    let content = match Planted::ShowPosition.is_planted() {
        true => Some(content),
        false => bare_as_kept(&media_type, Bytes::copy_from_slice(&content)).map(|bare| Zeroizing::new(bare.to_vec())),
    };
    let Some(content) = content else { return Ok(None) };
    Ok(Some((at, Sealed::new(Attachment { at, media_type, content }))))
}
