//! The ledger's rows and the head of its tree.

use std::borrow::Cow;

use uuid::Uuid;

use super::{
    error::StoreError,
    tx::{On, Tx, execute, fetch_all, fetch_optional, for_each_chunk, insert_arrays},
};
use crate::{
    clock::Timestamp,
    domain::organization::OrganizationCode,
    ledger::{
        audit::LedgerRow,
        entry::{HiddenOwner, Logged},
        merkle::{Hash, empty_root},
    },
};

/// Size and root of a tree.
pub(crate) type TreeHead = (u64, Hash);

/// How a commit moves the head of a node's log on.
pub(crate) struct HeadStep {
    pub(crate) node: String,
    /// The tree before and after.
    pub(crate) from: TreeHead,
    pub(crate) to: TreeHead,
    /// The node's sums over marks, sealed, where they change.
    pub(crate) sealed_sums: Option<Vec<u8>>,
}

/// The state of a node's ledger.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LedgerHead {
    pub node: String,
    pub size: u64,
    pub root: Hash,
}

const APPEND: &str = "/* append_entry */ INSERT INTO ledger (node, position, id, organization, owner, record, body,
     sealed_note, owner_salt, sealed_rows)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const APPEND_16: &str = include_str!("sql/append_16_entries.sql");

/// Moves the head on where it stands as this process left it, and appends: both or neither, in one statement.
const APPEND_ALL: &str = "/* append_entries */ WITH head AS (
         UPDATE ledger_heads SET size = $11, root = $12, at = $13, sealed_sums = COALESCE($16, sealed_sums)
         WHERE node = $10 AND size = $14 AND root = $15
         RETURNING node)
     INSERT INTO ledger (node, position, id, organization, owner, record, body, sealed_note, owner_salt, sealed_rows)
     SELECT head.node, entries.* FROM head, UNNEST($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::uuid[],
         $6::bytea[], $7::bytea[], $8::bytea[], $9::bytea[]) AS entries";

/// Appends entries and moves the head of the log on, from where this process left it. The journal alone calls this.
/// Sixteen go in one statement, and to a server that is asked over a line all of them: at a busy moment the statements,
/// not the commit, are what an entry costs.
///
/// # Errors
/// [`StoreError::OtherWriter`]: the head is somewhere else.
pub(crate) async fn append(tx: &mut Tx, step: HeadStep, entries: Vec<Logged>, at: Timestamp) -> Result<(), StoreError> {
    let rows = (step.from.0..).zip(entries).map(Columns::of);
    match &mut tx.on {
        On::Postgres(tx) => {
            let appended = insert_arrays!(
                tx,
                APPEND_ALL,
                rows,
                |row| [
                    positions = row.position,
                    ids = row.id,
                    organizations = row.organization,
                    owners = row.owner,
                    records = row.record,
                    bodies = row.body,
                    notes = row.note,
                    salts = row.salt,
                    moves = row.rows,
                ],
                step.node,
                signed(step.to.0),
                step.to.1.to_vec(),
                at.as_micros(),
                signed(step.from.0),
                step.from.1.to_vec(),
                step.sealed_sums
            );
            match appended {
                0 => return Err(StoreError::OtherWriter),
                some if some == step.to.0 - step.from.0 => {}
                // The head would speak of rows that are not there.
                _ => return Err(StoreError::Corrupt("ledger")),
            }
        }
        On::Sqlite(_) => {
            let node = step.node.clone();
            set_head(tx, step, at).await?;
            for_each_chunk!(tx, rows.collect::<Vec<_>>(), APPEND_16, APPEND, |query, row| {
                query
                    .bind(node.to_owned())
                    .bind(row.position)
                    .bind(row.id)
                    .bind(row.organization)
                    .bind(row.owner)
                    .bind(row.record)
                    .bind(row.body)
                    .bind(row.note)
                    .bind(row.salt)
                    .bind(row.rows)
            });
        }
    }
    Ok(())
}

/// An entry as its row has it.
pub(super) struct Columns {
    pub(super) position: i64,
    pub(super) id: Uuid,
    pub(super) organization: String,
    pub(super) owner: Option<String>,
    pub(super) record: Option<Uuid>,
    pub(super) body: Vec<u8>,
    pub(super) note: Option<Vec<u8>>,
    pub(super) salt: Option<Vec<u8>>,
    /// What the commit did to rows, sealed.
    pub(super) rows: Option<Vec<u8>>,
}

impl Columns {
    pub(super) fn of((position, logged): (u64, Logged)) -> Self {
        let Logged { entry, body, hidden_owner, note, sealed_rows, .. } = logged;
        let (hidden, salt) = hidden_owner.map(|hidden| (hidden.owner.to_string(), hidden.salt.to_vec())).unzip();
        Self {
            position: signed(position),
            id: entry.id,
            organization: entry.organization.into_owned(),
            owner: entry.owner.or(hidden),
            record: entry.record,
            body,
            note,
            salt,
            rows: sealed_rows,
        }
    }
}

/// Begins the log of a node, where it has none.
pub(crate) async fn begin(
    tx: &mut Tx,
    node: &str,
    sealed_sums: Option<Vec<u8>>,
    at: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* begin_log */ INSERT INTO ledger_heads (node, size, root, at, sealed_sums)
         VALUES ($1, 0, $2, $3, $4) ON CONFLICT (node) DO NOTHING",
        node,
        empty_root().to_vec(),
        at.as_micros(),
        sealed_sums,
    )?;
    Ok(())
}

async fn set_head(
    tx: &mut Tx,
    HeadStep { node, from, to, sealed_sums }: HeadStep,
    at: Timestamp,
) -> Result<(), StoreError> {
    let moved = execute!(
        tx,
        "/* set_head */ UPDATE ledger_heads SET size = $2, root = $3, at = $4, sealed_sums = COALESCE($7, sealed_sums)
         WHERE node = $1 AND size = $5 AND root = $6",
        node,
        signed(to.0),
        to.1.to_vec(),
        at.as_micros(),
        signed(from.0),
        from.1.to_vec(),
        sealed_sums,
    )?;
    if moved == 1 { Ok(()) } else { Err(StoreError::OtherWriter) }
}

/// Takes the row of a node's head, once whoever holds it has ended.
pub(crate) async fn touch_head(tx: &mut Tx, node: &str) -> Result<(), StoreError> {
    execute!(tx, "/* touch_head */ UPDATE ledger_heads SET at = at WHERE node = $1", node)?;
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

/// Size and root of every node's tree, by node.
///
/// # Errors
/// As [`head`].
pub async fn heads(tx: &mut Tx) -> Result<Vec<LedgerHead>, StoreError> {
    let rows =
        fetch_all!(tx, (String, i64, Vec<u8>), "/* heads */ SELECT node, size, root FROM ledger_heads ORDER BY node",)?;
    let head = |(node, size, root): (String, i64, Vec<u8>)| {
        let root = root.try_into().map_err(|_| StoreError::Corrupt("tree head"))?;
        Ok(LedgerHead { node, size: unsigned(size), root })
    };
    rows.into_iter().map(head).collect()
}

/// When the latest entry of any node was written; `None` before the first.
///
/// # Errors
/// The database failed.
pub async fn latest(tx: &mut Tx) -> Result<Option<Timestamp>, StoreError> {
    let row = fetch_optional!(tx, (Option<i64>,), "/* latest_head */ SELECT MAX(at) FROM ledger_heads")?;
    Ok(row.and_then(|(at,)| at).map(Timestamp::from_micros))
}

/// One stored entry, with the columns by which it is found.
pub struct StoredEntry {
    /// In whose log, at which position from 0.
    pub node: String,
    pub position: u64,
    pub id: Uuid,
    pub body: Vec<u8>,
    pub record: Option<Uuid>,
    organization: String,
    owner: Option<String>,
    owner_salt: Option<Vec<u8>>,
}

type StoredRow = (String, i64, Uuid, Vec<u8>, String, Option<String>, Option<Uuid>, Option<Vec<u8>>);

fn stored((node, position, id, body, organization, owner, record, owner_salt): StoredRow) -> StoredEntry {
    StoredEntry { node, position: unsigned(position), id, body, organization, owner, record, owner_salt }
}

/// Of an [`Entry`], what its columns repeat: at start every one of them is read.
///
/// [`Entry`]: crate::ledger::entry::Entry
#[derive(serde::Deserialize)]
struct Said<'a> {
    id: Uuid,
    #[serde(borrow)]
    organization: Cow<'a, str>,
    record: Option<Uuid>,
    #[serde(borrow)]
    owner: Option<Cow<'a, str>>,
    #[serde(borrow)]
    owner_commitment: Option<Cow<'a, str>>,
    #[serde(borrow)]
    rows: Option<Cow<'a, str>>,
}

impl StoredEntry {
    /// Whether the columns say what the hashed body says: an entry may not be hidden from its owner by a column.
    pub fn columns_match(&self) -> bool {
        self.rows_if_columns_match().is_some()
    }

    /// What the entry says of the rows, where it says something; `None` where the columns do not match.
    pub fn rows_if_columns_match(&self) -> Option<Option<String>> {
        let entry = serde_json::from_slice::<Said<'_>>(&self.body).ok()?;
        let matches = entry.id == self.id
            && entry.organization == self.organization
            && entry.record == self.record
            && match &entry.owner_commitment {
                None => entry.owner.as_deref() == self.owner.as_deref() && self.owner_salt.is_none(),
                Some(commitment) => self.committed_owner().as_deref() == Some(&**commitment),
            };
        matches.then(|| entry.rows.map(Cow::into_owned))
    }

    fn committed_owner(&self) -> Option<String> {
        let owner = OrganizationCode::parse(self.owner.as_deref()?)?;
        let salt = self.owner_salt.as_deref()?.try_into().ok()?;
        Some(HiddenOwner { owner, salt }.commitment())
    }
}

/// Entries of a node from a position on, in order.
///
/// # Errors
/// The database failed.
pub async fn entries_from(tx: &mut Tx, node: &str, from: u64, most: u32) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = fetch_all!(
        tx,
        StoredRow,
        "/* entries_from */ SELECT node, position, id, body, organization, owner, record, owner_salt
         FROM ledger WHERE node = $1 AND position >= $2
         ORDER BY position LIMIT $3",
        node,
        signed(from),
        i64::from(most),
    )?;
    Ok(rows.into_iter().map(stored).collect())
}

/// Entries about an organization's records, newest first, of all nodes, before an entry.
///
/// # Errors
/// The database failed.
pub async fn entries_about(
    tx: &mut Tx,
    owner: &OrganizationCode,
    before: Uuid,
    most: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = fetch_all!(
        tx,
        StoredRow,
        "/* entries_about */ SELECT node, position, id, body, organization, owner, record, owner_salt
         FROM ledger WHERE owner = $1 AND id < $2
         ORDER BY id DESC LIMIT $3",
        owner.as_str(),
        before,
        i64::from(most),
    )?;
    Ok(rows.into_iter().map(stored).collect())
}

/// Entries about one record of an organization, newest first, of all nodes, before an entry.
///
/// # Errors
/// The database failed.
pub async fn entries_about_record(
    tx: &mut Tx,
    owner: &OrganizationCode,
    record: Uuid,
    before: Uuid,
    most: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = fetch_all!(
        tx,
        StoredRow,
        "/* entries_about_record */ SELECT node, position, id, body, organization, owner, record, owner_salt FROM ledger
         WHERE owner = $1 AND record = $2 AND id < $3 ORDER BY id DESC LIMIT $4",
        owner.as_str(),
        record,
        before,
        i64::from(most),
    )?;
    Ok(rows.into_iter().map(stored).collect())
}

/// Entries about an organization's records, or one of them, newest first, that are in one node's log before a position.
///
/// # Errors
/// The database failed.
pub async fn of_log_about(
    tx: &mut Tx,
    node: &str,
    owner: &OrganizationCode,
    record: Option<Uuid>,
    before: u64,
    most: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    // By id, as the indexes are: ids of one node go with its positions, but where its clock was set back in between.
    let rows = match record {
        Some(record) => fetch_all!(
            tx,
            StoredRow,
            "/* of_log_about_record */ SELECT node, position, id, body, organization, owner, record, owner_salt
             FROM ledger WHERE record = $4 AND owner = $1 AND node = $2 AND position < $3 ORDER BY id DESC LIMIT $5",
            owner.as_str(),
            node,
            signed(before),
            record,
            i64::from(most),
        ),
        None => fetch_all!(
            tx,
            StoredRow,
            "/* of_log_about */ SELECT node, position, id, body, organization, owner, record, owner_salt
             FROM ledger WHERE owner = $1 AND node = $2 AND position < $3 ORDER BY id DESC LIMIT $4",
            owner.as_str(),
            node,
            signed(before),
            i64::from(most),
        ),
    }?;
    let mut entries: Vec<StoredEntry> = rows.into_iter().map(stored).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.position));
    Ok(entries)
}

/// Entries of what an organization did itself, newest first, of all nodes, before an entry.
///
/// # Errors
/// The database failed.
pub async fn entries_by(
    tx: &mut Tx,
    organization: &OrganizationCode,
    before: Uuid,
    most: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = fetch_all!(
        tx,
        StoredRow,
        "/* entries_by */ SELECT node, position, id, body, organization, owner, record, owner_salt
         FROM ledger WHERE organization = $1 AND id < $2
         ORDER BY id DESC LIMIT $3",
        organization.as_str(),
        before,
        i64::from(most),
    )?;
    Ok(rows.into_iter().map(stored).collect())
}

/// Entries about an organization, of all nodes, with an id after one and before another, in the order of their ids.
///
/// # Errors
/// The database failed.
pub async fn entries_between(
    tx: &mut Tx,
    owner: &OrganizationCode,
    (after, before): (Uuid, Uuid),
    most: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let rows = fetch_all!(
        tx,
        StoredRow,
        "/* entries_between */ SELECT node, position, id, body, organization, owner, record, owner_salt
         FROM ledger WHERE owner = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4",
        owner.as_str(),
        after,
        before,
        i64::from(most),
    )?;
    Ok(rows.into_iter().map(stored).collect())
}

/// One entry by its id, if the organization is a party to it: it acted, or it owns the record.
///
/// # Errors
/// The database failed.
pub async fn entry_of(tx: &mut Tx, party: &OrganizationCode, id: Uuid) -> Result<Option<StoredEntry>, StoreError> {
    let row = fetch_optional!(
        tx,
        StoredRow,
        "/* entry_of */ SELECT node, position, id, body, organization, owner, record, owner_salt
         FROM ledger WHERE id = $1 AND (organization = $2 OR owner = $2)",
        id,
        party.as_str(),
    )?;
    Ok(row.map(stored))
}

/// The body that an entry is about, or whose record; none of an entry that says nothing of it, or is not there.
///
/// # Errors
/// The database failed.
pub async fn owner_of(tx: &mut Tx, id: Uuid) -> Result<Option<String>, StoreError> {
    let row = fetch_optional!(tx, (Option<String>,), "/* owner_of */ SELECT owner FROM ledger WHERE id = $1", id)?;
    Ok(row.and_then(|(owner,)| owner))
}

type WholeRow = (String, i64, Uuid, String, Option<String>, Option<Uuid>, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Rows of a node with every column, from a position on, in order.
///
/// # Errors
/// The database failed, or a column holds what it cannot hold.
pub async fn rows_from(tx: &mut Tx, node: &str, from: i64, most: u32) -> Result<Vec<LedgerRow>, StoreError> {
    let rows = fetch_all!(
        tx,
        WholeRow,
        "/* rows_from */ SELECT node, position, id, organization, owner, record, body, sealed_note, owner_salt
         FROM ledger WHERE node = $1 AND position >= $2 ORDER BY position LIMIT $3",
        node,
        from,
        i64::from(most),
    )?;
    let row = |(node, position, id, organization, owner, record, body, sealed_note, owner_salt): WholeRow| LedgerRow {
        node,
        position,
        id,
        organization,
        owner,
        record,
        body,
        sealed_note,
        owner_salt,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Every node that has rows, with their number.
///
/// # Errors
/// The database failed.
pub async fn counts(tx: &mut Tx) -> Result<Vec<(String, u64)>, StoreError> {
    let counts =
        fetch_all!(tx, (String, i64), "/* counts */ SELECT node, COUNT(*) FROM ledger GROUP BY node ORDER BY node",)?;
    Ok(counts.into_iter().map(|(node, count)| (node, unsigned(count))).collect())
}

pub(super) fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn unsigned(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}
