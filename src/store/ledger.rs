//! The ledger's rows and the head of its tree.

use uuid::Uuid;

use super::{StoreError, Tx, execute, fetch_all, fetch_optional};
use crate::{
    clock::Timestamp,
    disclosure::{
        entry::Entry,
        merkle::{Frontier, Hash},
    },
    domain::organization::OrganizationCode,
};

/// Appends one entry. The journal alone calls this.
pub(crate) async fn append(
    tx: &mut Tx,
    node: &str,
    position: u64,
    entry: &Entry,
    body: Vec<u8>,
    note: Option<Vec<u8>>,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* append_entry */ INSERT INTO ledger (node, position, id, organization, owner, record, body, sealed_note)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        node,
        signed(position),
        entry.id,
        entry.organization.as_ref(),
        entry.owner.as_deref(),
        entry.record,
        body,
        note,
    )?;
    Ok(())
}

pub(crate) async fn set_head(tx: &mut Tx, node: &str, frontier: &Frontier, at: Timestamp) -> Result<(), StoreError> {
    let (size, root) = frontier.head();
    execute!(
        tx,
        "/* set_head */ INSERT INTO ledger_heads (node, size, root, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (node) DO UPDATE SET size = excluded.size, root = excluded.root, at = excluded.at",
        node,
        signed(size),
        root.to_vec(),
        at.as_micros(),
    )?;
    Ok(())
}

/// Size and root of a node's tree; `None` before its first entry.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn head(tx: &mut Tx, node: &str) -> Result<Option<(u64, Hash)>, StoreError> {
    let row =
        fetch_optional!(tx, (i64, Vec<u8>), "/* head */ SELECT size, root FROM ledger_heads WHERE node = $1", node)?;
    row.map(|(size, root)| {
        let root = root.try_into().map_err(|_| StoreError::Corrupt("tree head"))?;
        Ok((unsigned(size), root))
    })
    .transpose()
}

/// One stored entry.
pub struct StoredEntry {
    pub position: u64,
    pub id: Uuid,
    pub body: Vec<u8>,
}

type Row = (i64, Uuid, Vec<u8>);

fn stored((position, id, body): Row) -> StoredEntry {
    StoredEntry { position: unsigned(position), id, body }
}

/// Entries of a node from a position on, in order.
///
/// # Errors
/// The database failed.
pub async fn entries_from(tx: &mut Tx, node: &str, from: u64, most: u32) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = fetch_all!(
        tx,
        Row,
        "/* entries_from */ SELECT position, id, body FROM ledger WHERE node = $1 AND position >= $2
         ORDER BY position LIMIT $3",
        node,
        signed(from),
        i64::from(most),
    )?;
    Ok(rows.into_iter().map(stored).collect())
}

/// Entries about an organization's records, newest first, before a position.
///
/// # Errors
/// The database failed.
pub async fn entries_about(
    tx: &mut Tx,
    owner: &OrganizationCode,
    before: u64,
    most: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = fetch_all!(
        tx,
        Row,
        "/* entries_about */ SELECT position, id, body FROM ledger WHERE owner = $1 AND position < $2
         ORDER BY position DESC LIMIT $3",
        owner.as_str(),
        signed(before),
        i64::from(most),
    )?;
    Ok(rows.into_iter().map(stored).collect())
}

/// Entries about one record of an organization, newest first, before a position.
///
/// # Errors
/// The database failed.
pub async fn entries_about_record(
    tx: &mut Tx,
    owner: &OrganizationCode,
    record: Uuid,
    before: u64,
    most: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = fetch_all!(
        tx,
        Row,
        "/* entries_about_record */ SELECT position, id, body FROM ledger
         WHERE owner = $1 AND record = $2 AND position < $3 ORDER BY position DESC LIMIT $4",
        owner.as_str(),
        record,
        signed(before),
        i64::from(most),
    )?;
    Ok(rows.into_iter().map(stored).collect())
}

/// Entries of what an organization did itself, newest first, before a position.
///
/// # Errors
/// The database failed.
pub async fn entries_by(
    tx: &mut Tx,
    organization: &OrganizationCode,
    before: u64,
    most: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = fetch_all!(
        tx,
        Row,
        "/* entries_by */ SELECT position, id, body FROM ledger WHERE organization = $1 AND position < $2
         ORDER BY position DESC LIMIT $3",
        organization.as_str(),
        signed(before),
        i64::from(most),
    )?;
    Ok(rows.into_iter().map(stored).collect())
}

/// One entry by its id, with its sealed note.
///
/// # Errors
/// The database failed.
pub async fn entry(tx: &mut Tx, id: Uuid) -> Result<Option<(StoredEntry, Option<Vec<u8>>)>, StoreError> {
    let row = fetch_optional!(
        tx,
        (i64, Uuid, Vec<u8>, Option<Vec<u8>>),
        "/* entry */ SELECT position, id, body, sealed_note FROM ledger WHERE id = $1",
        id,
    )?;
    Ok(row.map(|(position, id, body, note)| (stored((position, id, body)), note)))
}

fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn unsigned(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}
