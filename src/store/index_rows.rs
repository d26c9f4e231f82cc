//! What a record is found by, in a column of its own: the index reads it of every record at start, a list of a page.

use uuid::Uuid;

use super::{
    error::StoreError,
    records::record_facts,
    tx::{Tx, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        case_record::{IndexItems, RecordFacts},
        organization::OrganizationCode,
    },
    keys::vault::{Key, Place, Vault},
};

/// A record as the index reads it at start: its facts, and what it is found by, still sealed.
#[derive(Clone)]
pub struct IndexRow {
    pub id: Uuid,
    /// Prefecture, owner, residence and the bodies that a shield names, divided by spaces.
    codes: String,
    /// Bits, from the lowest: closed, serious, searchable, abuse case, shielded.
    flags: i64,
    version: i64,
    owned_since: i64,
    sealed_key: Vec<u8>,
    sealed_index: Vec<u8>,
}

/// Few columns: at start every one of them is fetched for every record.
type IndexColumns = (Uuid, String, i64, i64, i64, Vec<u8>, Vec<u8>);

macro_rules! index_columns {
    () => {
        "SELECT id, prefecture || ' ' || owner || ' ' || residence || ' ' || shield_named,
             closed + 2 * serious + 4 * searchable + 8 * abuse_case + 16 * shielded,
             version, owned_since, sealed_key, sealed_index"
    };
}

/// Every record after an id, by id: for building the index.
///
/// # Errors
/// The database failed.
pub async fn index_rows(tx: &mut Tx, after: Uuid, most: i64) -> Result<Vec<IndexRow>, StoreError> {
    let rows = fetch_all!(
        tx,
        IndexColumns,
        concat!("/* index_rows */ ", index_columns!(), " FROM records WHERE id > $1 ORDER BY id LIMIT $2"),
        after,
        most,
    )?;
    Ok(rows.into_iter().map(IndexRow::new).collect())
}

/// One record for the index.
///
/// # Errors
/// The database failed.
pub async fn index_row(tx: &mut Tx, id: Uuid) -> Result<Option<IndexRow>, StoreError> {
    let row = fetch_optional!(
        tx,
        IndexColumns,
        concat!(
            "/* index_row */ ",
            index_columns!(),
            " FROM records WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)"
        ),
        id,
    )?;
    Ok(row.map(IndexRow::new))
}

/// Records of an owner after an id, by id: what each is found by, and the time of its last change.
///
/// # Errors
/// The database failed, or a record does not open.
pub async fn of_owner(
    tx: &mut Tx,
    vault: &Vault,
    owner: &OrganizationCode,
    after: Uuid,
    most: i64,
) -> Result<Vec<(RecordFacts, Sealed<IndexItems>, Timestamp)>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid, String, i64, i64, i64, Vec<u8>, Vec<u8>, i64),
        concat!(
            "/* records_of_owner */ ",
            index_columns!(),
            ", updated_at FROM records WHERE prefecture = $4 AND owner = $1 AND id > $2 ORDER BY id LIMIT $3"
        ),
        owner.as_str(),
        after,
        most,
        owner.prefecture(),
    )?;
    let row = |(id, codes, flags, version, owned_since, sealed_key, sealed_index, updated_at)| {
        let row = IndexRow::new((id, codes, flags, version, owned_since, sealed_key, sealed_index));
        let (facts, items) = row.open(vault)?;
        Ok((facts, Sealed::new(items), Timestamp::from_micros(updated_at)))
    };
    rows.into_iter().map(row).collect()
}

impl IndexRow {
    fn new((id, codes, flags, version, owned_since, sealed_key, sealed_index): IndexColumns) -> Self {
        Self { id, codes, flags, version, owned_since, sealed_key, sealed_index }
    }

    /// Opens it.
    ///
    /// # Errors
    /// It is damaged, or does not open.
    pub fn open(self, vault: &Vault) -> Result<(RecordFacts, IndexItems), StoreError> {
        let Self { id, codes, flags, version, owned_since, sealed_key, sealed_index } = self;
        let mut codes = codes.splitn(4, ' ');
        let mut code = || codes.next().ok_or(StoreError::Corrupt("codes of a record"));
        let (prefecture, owner, residence, named) = (code()?, code()?, code()?, code()?);
        let flag = |bit: u32| flags >> bit & 1;
        let facts = record_facts(
            id,
            (owner, version, owned_since, flag(0), flag(1), flag(2), flag(3), residence, flag(4), named),
        )?;
        let key = vault.unwrap_key(prefecture, id, &sealed_key)?;
        let plain = key.open(place(&row_of(id, facts.version)), &sealed_index)?;
        let items = postcard::from_bytes(&plain).map_err(|_| StoreError::Corrupt("index items"))?;
        Ok((facts, items))
    }
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
