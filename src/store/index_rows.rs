//! What a record is found by, in a column of its own: the index reads it of every record at start, a list of a page.

use uuid::Uuid;

use super::{
    error::StoreError,
    records::facts_of,
    rows::{
        access::{RawRow, check_absent, raw},
        guard::RowGuard,
        mark::Mark,
        row::Row,
        tables::RECORDS,
    },
    tx::Tx,
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        case_record::{IndexItems, RecordFacts},
        organization::OrganizationCode,
    },
    keys::{
        error::KeyError,
        vault::{Key, Place, Vault},
    },
};

/// A record as the index reads it at start: its row as it stands in the database, looked at by nobody yet.
#[derive(Clone)]
pub struct IndexRow {
    pub id: Uuid,
    raw: RawRow,
}

/// A record for the index: its facts and what it is found by.
pub struct Indexed {
    pub facts: RecordFacts,
    pub items: IndexItems,
}

/// Every record after an id, by id: for building the index.
///
/// # Errors
/// The database failed; [`StoreError::Refuted`] where somebody else removed it.
pub async fn index_rows(tx: &mut Tx, after: Uuid, most: i64) -> Result<Vec<IndexRow>, StoreError> {
    let rows = raw(tx, &RECORDS, "WHERE id > $1 ORDER BY id LIMIT $2", &[after.into(), most.into()]).await?;
    rows.into_iter().map(IndexRow::new).collect()
}

/// One record for the index.
///
/// # Errors
/// The database failed.
pub async fn index_row(tx: &mut Tx, id: Uuid) -> Result<Option<IndexRow>, StoreError> {
    let clause = "WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)";
    match raw(tx, &RECORDS, clause, &[id.into()]).await?.into_iter().next() {
        Some(row) => IndexRow::new(row).map(Some),
        None => check_absent(tx, &RECORDS, id.to_string()).map(|()| None),
    }
}

/// A page of the records of an owner.
#[derive(Default)]
pub struct OwnPage {
    /// What each is found by, and the time of its last change.
    pub records: Vec<(RecordFacts, Sealed<IndexItems>, Timestamp)>,
    /// Those that are not what the gateway wrote.
    pub refuted: Vec<Uuid>,
    /// The record after which the next page begins, if this one is full.
    pub next: Option<Uuid>,
}

/// Records of an owner after an id, by id.
///
/// # Errors
/// The database failed.
pub async fn of_owner(
    tx: &mut Tx,
    vault: &Vault,
    owner: &OrganizationCode,
    after: Uuid,
    most: i64,
) -> Result<OwnPage, StoreError> {
    let clause = "WHERE prefecture = $4 AND owner = $1 AND id > $2 ORDER BY id LIMIT $3";
    let binds = [owner.into(), after.into(), most.into(), owner.prefecture().into()];
    let rows = raw(tx, &RECORDS, clause, &binds).await?;
    let guard = tx.rows.guard()?;
    let mut page = OwnPage::default();
    let is_full = rows.len() as i64 == most;
    for raw in rows {
        let row = IndexRow::new(raw)?;
        let id = row.id;
        page.next = is_full.then_some(id);
        match row.checked(&guard).and_then(|row| row.listed(&guard, vault)) {
            Ok(line) => page.records.push(line),
            Err(StoreError::Refuted(_) | StoreError::Key(KeyError::Missing { .. })) => page.refuted.push(id),
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}

/// One record of an owner's, as a list shows it; `None` where it is not there or not theirs.
///
/// # Errors
/// The database failed; [`StoreError::Refuted`] where it is not what the gateway wrote.
pub async fn own(
    tx: &mut Tx,
    vault: &Vault,
    owner: &OrganizationCode,
    id: Uuid,
) -> Result<Option<(RecordFacts, Sealed<IndexItems>, Timestamp)>, StoreError> {
    let Some(row) = index_row(tx, id).await? else { return Ok(None) };
    let guard = tx.rows.guard()?;
    let line = row.checked(&guard)?.listed(&guard, vault)?;
    Ok(Some(line).filter(|(facts, ..)| facts.owner == *owner))
}

impl IndexRow {
    fn new(raw: RawRow) -> Result<Self, StoreError> {
        Ok(Self { id: raw.id("id").ok_or(StoreError::Corrupt("id"))?, raw })
    }

    /// Where it lies, as it says itself.
    pub fn prefecture(&self) -> String {
        self.raw.text("prefecture").unwrap_or_default()
    }

    /// Takes it for what it is.
    ///
    /// # Errors
    /// [`StoreError::Refuted`] where it is not what the gateway wrote.
    pub fn checked(self, guard: &RowGuard) -> Result<CheckedIndexRow, StoreError> {
        Ok(CheckedIndexRow(self.raw.checked(guard)?))
    }

    /// Takes it for what it is, and opens it.
    ///
    /// # Errors
    /// As [`Self::checked`] and [`CheckedIndexRow::open`].
    pub fn open(self, guard: &RowGuard, vault: &Vault) -> Result<Indexed, StoreError> {
        self.checked(guard)?.open(guard, vault)
    }
}

/// A record as the index reads it, which is what the gateway wrote.
pub struct CheckedIndexRow(Row);

impl CheckedIndexRow {
    pub fn mark(&self) -> Mark {
        self.0.mark()
    }

    /// Whose it is.
    ///
    /// # Errors
    /// It says no organization.
    pub fn owner(&self) -> Result<OrganizationCode, StoreError> {
        self.0.code("owner")
    }

    fn listed(
        self,
        guard: &RowGuard,
        vault: &Vault,
    ) -> Result<(RecordFacts, Sealed<IndexItems>, Timestamp), StoreError> {
        let updated_at = self.0.at("updated_at")?;
        let Indexed { facts, items } = self.open(guard, vault)?;
        Ok((facts, Sealed::new(items), updated_at))
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`StoreError::Refuted`] where what it is found by does not open; its key is not there.
    pub fn open(self, guard: &RowGuard, vault: &Vault) -> Result<Indexed, StoreError> {
        match open(vault, &self.0) {
            Ok((facts, items)) => Ok(Indexed { facts, items }),
            Err(StoreError::Key(KeyError::Unsealed)) => Err(guard.refute(&RECORDS, self.0.id("id")?.to_string())),
            Err(error) => Err(error),
        }
    }
}

fn open(vault: &Vault, row: &Row) -> Result<(RecordFacts, IndexItems), StoreError> {
    let facts = facts_of(row)?;
    let key = vault.unwrap_key(row.text("prefecture")?, facts.id, row.bytes("sealed_key")?)?;
    let plain = key.open(place(&row_of(facts.id, facts.version)), row.bytes("sealed_index")?)?;
    let items = postcard::from_bytes(&plain).map_err(|_| StoreError::Corrupt("index items"))?;
    Ok((facts, items))
}

/// Seals what a version of a record is found by.
///
/// # Errors
/// The provider refused.
pub(super) fn seal(key: &Key, id: Uuid, version: i64, items: &IndexItems) -> Result<Vec<u8>, StoreError> {
    Ok(key.seal(place(&row_of(id, version)), &to_bytes(items))?)
}

/// The same of what came out of the database.
pub(super) fn seal_again(key: &Key, id: Uuid, version: i64, items: &Sealed<IndexItems>) -> Result<Vec<u8>, StoreError> {
    Ok(items.encrypt(key, place(&row_of(id, version)), to_bytes)?)
}

/// Names and dates can always be written out.
fn to_bytes(items: &IndexItems) -> Vec<u8> {
    postcard::to_stdvec(items).unwrap_or_default()
}

/// Bound to the version: what an older version was found by does not open for a newer one.
fn place(row: &String) -> Place<'_> {
    Place { table: "records", row, column: "sealed_index" }
}

/// A version of a record, as the place of what is sealed names it.
pub(super) fn row_of(id: Uuid, version: i64) -> String {
    format!("{id}:{version}")
}
