//! Attachments: photos and papers of a record, sealed under the record's key.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    StoreError, Tx, execute, fetch_all, fetch_optional,
    records::StoredRecord,
    vault::{Place, Vault},
};
use crate::{clock::Timestamp, disclosure::Sealed};

/// The content of one attachment.
pub struct Attachment {
    pub media_type: String,
    pub content: Zeroizing<Vec<u8>>,
}

/// One line of the list of a record's attachments.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct AttachmentLine {
    pub id: Uuid,
    pub media_type: String,
    /// `injury_photo` or `other`.
    pub kind: String,
    pub bytes: i64,
}

/// Seals a content for its place.
///
/// # Errors
/// The record's key does not open.
pub fn seal(vault: &Vault, stored: &StoredRecord, id: Uuid, content: &[u8]) -> Result<Vec<u8>, StoreError> {
    let key = vault.unwrap_key(&stored.prefecture, stored.facts.id, &stored.sealed_key)?;
    key.seal(place(&format!("{}:{id}", stored.facts.id)), content)
}

fn place(row: &String) -> Place<'_> {
    Place { table: "attachments", row, column: "sealed_content" }
}

pub(crate) async fn insert(
    tx: &mut Tx,
    record: Uuid,
    line: &AttachmentLine,
    sealed: &[u8],
    now: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* insert_attachment */ INSERT INTO attachments (record, id, media_type, kind, bytes, at, sealed_content)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        record,
        line.id,
        line.media_type.as_str(),
        line.kind.as_str(),
        line.bytes,
        now.as_micros(),
        sealed,
    )?;
    Ok(())
}

/// The attachments of a record, oldest first.
///
/// # Errors
/// The database failed.
pub async fn of_record(tx: &mut Tx, record: Uuid) -> Result<Vec<AttachmentLine>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid, String, String, i64),
        "/* attachments_of */ SELECT id, media_type, kind, bytes FROM attachments WHERE record = $1 ORDER BY id",
        record,
    )?;
    Ok(rows.into_iter().map(|(id, media_type, kind, bytes)| AttachmentLine { id, media_type, kind, bytes }).collect())
}

/// One attachment, opened and sealed again for the gate.
///
/// # Errors
/// The database failed, or it does not open.
pub async fn find(
    tx: &mut Tx,
    vault: &Vault,
    stored: &StoredRecord,
    id: Uuid,
) -> Result<Option<Sealed<Attachment>>, StoreError> {
    let row = fetch_optional!(
        tx,
        (String, Vec<u8>),
        "/* attachment */ SELECT media_type, sealed_content FROM attachments WHERE record = $1 AND id = $2",
        stored.facts.id,
        id,
    )?;
    let Some((media_type, sealed)) = row else { return Ok(None) };
    let key = vault.unwrap_key(&stored.prefecture, stored.facts.id, &stored.sealed_key)?;
    let content = key.open(place(&format!("{}:{id}", stored.facts.id)), &sealed)?;
    Ok(Some(Sealed::new(Attachment { media_type, content })))
}
