//! Case records: facts in the clear, every version sealed under the record's own key.

use uuid::Uuid;

use super::{
    StoreError, Tx, execute, fetch_all, fetch_optional, insert_arrays,
    vault::{Key, Place, Vault},
};
use crate::{
    clock::Timestamp,
    disclosure::Sealed,
    domain::{
        case_record::{DerivedFacts, IndexItems, Offered, Provided, RecordFacts, Standing},
        format::{Document, stored},
        organization::OrganizationCode,
        visibility::{GroupSet, Shield},
    },
    identity::Caller,
};

/// A record's facts and its wrapped data key.
pub struct StoredRecord {
    pub facts: RecordFacts,
    /// Prefecture whose key wraps the data key.
    pub prefecture: String,
    pub sealed_key: Vec<u8>,
    pub shield_lift_asked_by: Option<String>,
    pub updated_at: Timestamp,
}

type Row = (Uuid, String, String, i64, i64, i64, i64, i64, i64, String, i64, String, Option<String>, Vec<u8>, i64);

fn record(row: Row) -> Result<StoredRecord, StoreError> {
    let (
        id,
        prefecture,
        owner,
        version,
        owned_since,
        closed,
        serious,
        searchable,
        abuse_case,
        residence,
        shielded,
        named,
        shield_lift_asked_by,
        sealed_key,
        updated_at,
    ) = row;
    let facts = record_facts(
        id,
        (&owner, version, owned_since, closed, serious, searchable, abuse_case, &residence, shielded, &named),
    )?;
    Ok(StoredRecord {
        facts,
        prefecture,
        sealed_key,
        shield_lift_asked_by,
        updated_at: Timestamp::from_micros(updated_at),
    })
}

type FactsRow<'a> = (&'a str, i64, i64, i64, i64, i64, i64, &'a str, i64, &'a str);

fn record_facts(id: Uuid, row: FactsRow<'_>) -> Result<RecordFacts, StoreError> {
    let (owner, version, owned_since, closed, serious, searchable, abuse_case, residence, shielded, named) = row;
    let code = |text: &str| OrganizationCode::parse(text).ok_or(StoreError::Corrupt("organization code"));
    Ok(RecordFacts {
        id,
        owner: code(owner)?,
        version,
        owned_since,
        closed: closed != 0,
        serious: serious != 0,
        derived: DerivedFacts {
            residence: code(residence)?,
            searchable: searchable != 0,
            abuse_case: abuse_case != 0,
            shield: Shield {
                active: shielded != 0,
                named: named.split_whitespace().filter_map(OrganizationCode::parse).collect(),
            },
        },
    })
}

/// A record by its id.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<StoredRecord>, StoreError> {
    fetch_optional!(
        tx,
        Row,
        "/* find_record */ SELECT id, prefecture, owner, version, owned_since, closed, serious, searchable, abuse_case, residence,
             shielded, shield_named, shield_lift_asked_by, sealed_key, updated_at
         FROM records WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)",
        id,
    )?
    .map(record)
    .transpose()
}

/// Records of an owner after an id, by id.
///
/// # Errors
/// As [`find`].
pub async fn of_owner(
    tx: &mut Tx,
    owner: &OrganizationCode,
    after: Uuid,
    most: i64,
) -> Result<Vec<StoredRecord>, StoreError> {
    fetch_all!(
        tx,
        Row,
        "/* records_of_owner */ SELECT id, prefecture, owner, version, owned_since, closed, serious, searchable, abuse_case,
             residence, shielded, shield_named, shield_lift_asked_by, sealed_key, updated_at
         FROM records WHERE prefecture = $4 AND owner = $1 AND id > $2 ORDER BY id LIMIT $3",
        owner.as_str(),
        after,
        most,
        owner.prefecture(),
    )?
    .into_iter()
    .map(record)
    .collect()
}

/// Records that the ministry may review.
///
/// # Errors
/// As [`find`].
pub async fn serious(tx: &mut Tx) -> Result<Vec<StoredRecord>, StoreError> {
    fetch_all!(
        tx,
        Row,
        "/* serious_records */ SELECT id, prefecture, owner, version, owned_since, closed, serious, searchable, abuse_case,
             residence, shielded, shield_named, shield_lift_asked_by, sealed_key, updated_at
         FROM records WHERE serious = 1 ORDER BY id"
    )?
    .into_iter()
    .map(record)
    .collect()
}

/// What a record is to a reader besides its facts.
///
/// # Errors
/// The database failed.
pub async fn standing(
    tx: &mut Tx,
    id: Uuid,
    reader: &OrganizationCode,
    now: Timestamp,
) -> Result<Standing, StoreError> {
    let offered = fetch_optional!(
        tx,
        (String, Option<i64>, i64, Option<i64>),
        "/* offered */ SELECT state, version, item_groups, offered_at FROM transfers
         WHERE record = $1 AND receiver = $2 AND state IN ('offered', 'confirmed') AND expires_at > $3",
        id,
        reader.as_str(),
        now.as_micros(),
    )?;
    let provided = fetch_optional!(
        tx,
        (i64, i64, i64),
        "/* provided */ SELECT version, item_groups, at FROM provisions WHERE record = $1 AND organization = $2",
        id,
        reader.as_str(),
    )?;
    let broken = fetch_optional!(
        tx,
        (i64,),
        "/* glass */ SELECT MAX(until_at) FROM break_glass WHERE record = $1 AND organization = $2 AND until_at > $3
         HAVING MAX(until_at) IS NOT NULL",
        id,
        reader.as_str(),
        now.as_micros(),
    )?;
    Ok(Standing {
        offered: offered.and_then(|(state, version, groups, at)| {
            let groups = GroupSet::from_bits(groups);
            let provided = Provided { version: version?, groups, at: Timestamp::from_micros(at?) };
            Some(Offered { confirmed: state == "confirmed", provided })
        }),
        provided: provided.map(|(version, groups, at)| Provided {
            version,
            groups: GroupSet::from_bits(groups),
            at: Timestamp::from_micros(at),
        }),
        break_glass: broken.is_some(),
    })
}

/// Reads and opens one version of a record, sealed again for the gate.
///
/// # Errors
/// The database failed, the version is missing, or it does not open.
pub async fn version(
    tx: &mut Tx,
    vault: &Vault,
    stored: &StoredRecord,
    version: i64,
) -> Result<Sealed<Document>, StoreError> {
    open_version(tx, vault, stored, version).await.map(Sealed::new)
}

/// What the index holds of a record.
///
/// # Errors
/// As [`version`].
pub(crate) async fn index_items(tx: &mut Tx, vault: &Vault, stored: &StoredRecord) -> Result<IndexItems, StoreError> {
    let document = open_version(tx, vault, stored, stored.facts.version).await?;
    IndexItems::of(&document).ok_or(StoreError::Corrupt("index section"))
}

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
             version, owned_since, sealed_key, sealed_index
         FROM records"
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
        concat!("/* index_rows */ ", index_columns!(), " WHERE id > $1 ORDER BY id LIMIT $2"),
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
            " WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)"
        ),
        id,
    )?;
    Ok(row.map(IndexRow::new))
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
        let plain = key.open(index_place(&row_of(id, facts.version)), &sealed_index)?;
        let items = postcard::from_bytes(&plain).map_err(|_| StoreError::Corrupt("index items"))?;
        Ok((facts, items))
    }
}

/// The data key of a record, for what is written about it outside its versions.
///
/// # Errors
/// The database failed, the record is not there, or its key does not open.
pub(crate) async fn key_of(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Key, StoreError> {
    let (prefecture, sealed_key) = fetch_optional!(
        tx,
        (String, Vec<u8>),
        "/* key_of */ SELECT prefecture, sealed_key FROM records
         WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)",
        id,
    )?
    .ok_or(StoreError::Corrupt("record"))?;
    vault.unwrap_key(&prefecture, id, &sealed_key)
}

/// The current version, for changing it inside the journal's transaction.
pub(crate) async fn current(tx: &mut Tx, vault: &Vault, stored: &StoredRecord) -> Result<Document, StoreError> {
    open_version(tx, vault, stored, stored.facts.version).await
}

async fn open_version(tx: &mut Tx, vault: &Vault, stored: &StoredRecord, version: i64) -> Result<Document, StoreError> {
    let id = stored.facts.id;
    let (sealed,) = fetch_optional!(
        tx,
        (Vec<u8>,),
        "/* version */ SELECT sealed_body FROM record_versions WHERE prefecture = $1 AND record = $2
             AND version = $3",
        stored.prefecture.as_str(),
        id,
        version,
    )?
    .ok_or(StoreError::Moved)?;
    let key = vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
    let plain = key.open(body_place(&row_of(id, version)), &sealed)?;
    stored::from_bytes(&plain).ok_or(StoreError::Corrupt("record body"))
}

fn row_of(id: Uuid, version: i64) -> String {
    format!("{id}:{version}")
}

fn body_place(row: &String) -> Place<'_> {
    Place { table: "record_versions", row, column: "sealed_body" }
}

/// Bound to the version: what an older version was found by does not open for a newer one.
fn index_place(row: &String) -> Place<'_> {
    Place { table: "records", row, column: "sealed_index" }
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
    let items = postcard::to_stdvec(items).map_err(|_| StoreError::Corrupt("index items"))?;
    Ok(SealedVersion { version, body, index: key.seal(index_place(&row), &items)? })
}

pub(crate) async fn insert(
    tx: &mut Tx,
    facts: &RecordFacts,
    sealed_key: &[u8],
    sealed: &SealedVersion,
    now: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* insert_record */ INSERT INTO records (id, prefecture, owner, version, owned_since, closed, serious, searchable,
             abuse_case, residence, shielded, shield_named, sealed_key, registered_at, updated_at, sealed_index)
         VALUES ($1, $2, $3, $4, $4, 0, 0, $5, $6, $7, $8, $9, $10, $11, $11, $12)",
        facts.id,
        facts.owner.prefecture(),
        facts.owner.as_str(),
        facts.version,
        i64::from(facts.searchable),
        i64::from(facts.abuse_case),
        facts.residence.as_str(),
        i64::from(facts.shield.active),
        named(facts),
        sealed_key,
        now.as_micros(),
        sealed.index.as_slice(),
    )?;
    Ok(())
}

/// A record on its way into the database for the first time.
pub struct NewRecord {
    pub facts: RecordFacts,
    pub sealed_key: Vec<u8>,
    pub sealed: SealedVersion,
}

const INSERT_ALL: &str =
    "/* insert_records */ INSERT INTO records (id, prefecture, owner, version, owned_since, closed,
     serious, searchable, abuse_case, residence, shielded, shield_named, sealed_key, sealed_index, registered_at,
     updated_at)
 SELECT *, $15, $15 FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
     $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::bytea[], $14::bytea[])";
const INSERT_ALL_VERSIONS: &str = "/* insert_versions */ INSERT INTO record_versions (prefecture, record, version,
     sealed_body, organization, officer, change_kind, at)
 SELECT *, $5, $6, 'registered', $7 FROM UNNEST($1::text[], $2::uuid[], $3::bigint[], $4::bytea[])";

/// Registers many records at once.
pub(crate) async fn insert_all(
    tx: &mut Tx,
    records: &[NewRecord],
    caller: &Caller,
    now: Timestamp,
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    match tx {
        Tx::Postgres(tx) => {
            insert_arrays!(
                tx,
                INSERT_ALL,
                records,
                |NewRecord { facts, sealed_key, sealed }| [
                    ids = facts.id,
                    prefectures = facts.owner.prefecture(),
                    owners = facts.owner.as_str(),
                    versions = facts.version,
                    owned_since = facts.owned_since,
                    closed = i64::from(facts.closed),
                    serious = i64::from(facts.serious),
                    searchable = i64::from(facts.searchable),
                    abuse_cases = i64::from(facts.abuse_case),
                    residences = facts.residence.as_str(),
                    shielded = i64::from(facts.shield.active),
                    shields_named = named(facts),
                    keys = sealed_key.as_slice(),
                    indexes = sealed.index.as_slice(),
                ],
                now.as_micros()
            );
            insert_arrays!(
                tx,
                INSERT_ALL_VERSIONS,
                records,
                |NewRecord { facts, sealed, .. }| [
                    prefectures = facts.owner.prefecture(),
                    ids = facts.id,
                    versions = sealed.version,
                    bodies = sealed.body.as_slice(),
                ],
                caller.organization().as_str(),
                caller.officer(),
                now.as_micros()
            );
        }
        Tx::Sqlite(_) => {
            for record in records {
                insert(tx, &record.facts, &record.sealed_key, &record.sealed, now).await?;
                insert_version(tx, &record.facts, &record.sealed, caller, "registered", now).await?;
            }
        }
    }
    Ok(())
}

/// Writes every fact of a record back.
pub(crate) async fn update_facts(tx: &mut Tx, facts: &RecordFacts, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* update_facts */ UPDATE records SET version = $2, closed = $3, serious = $4, searchable = $5,
             abuse_case = $6, residence = $7, shielded = $8, shield_named = $9, updated_at = $10,
             closed_at = CASE WHEN CAST($3 AS BIGINT) = 1 THEN COALESCE(closed_at, $10) END
         WHERE id = $1 AND prefecture = $11",
        facts.id,
        facts.version,
        i64::from(facts.closed),
        i64::from(facts.serious),
        i64::from(facts.searchable),
        i64::from(facts.abuse_case),
        facts.residence.as_str(),
        i64::from(facts.shield.active),
        named(facts),
        now.as_micros(),
        facts.owner.prefecture(),
    )?;
    Ok(())
}

/// Hands a record to its new owner: it moves to the owner's prefecture, and its key is wrapped for that.
pub(crate) async fn set_owner(
    tx: &mut Tx,
    from: &RecordFacts,
    owner: &OrganizationCode,
    sealed_key: &[u8],
    owned_since: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (old, new) = (from.owner.prefecture(), owner.prefecture());
    execute!(
        tx,
        "/* set_owner */ UPDATE records SET owner = $2, prefecture = $3, sealed_key = $4, owned_since = $5,
             updated_at = $6 WHERE id = $1 AND prefecture = $7",
        from.id,
        owner.as_str(),
        new,
        sealed_key,
        owned_since,
        now.as_micros(),
        old,
    )?;
    if old != new {
        execute!(
            tx,
            "/* move_versions */ UPDATE record_versions SET prefecture = $3 WHERE prefecture = $1 AND record = $2",
            old,
            from.id,
            new,
        )?;
        execute!(
            tx,
            "/* move_attachments */ UPDATE attachments SET prefecture = $3 WHERE prefecture = $1 AND record = $2",
            old,
            from.id,
            new,
        )?;
    }
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

pub(crate) async fn set_key(tx: &mut Tx, prefecture: &str, id: Uuid, sealed_key: &[u8]) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* set_key */ UPDATE records SET sealed_key = $3 WHERE prefecture = $1 AND id = $2",
        prefecture,
        id,
        sealed_key,
    )?;
    Ok(())
}

pub(crate) async fn set_shield_lift(
    tx: &mut Tx,
    facts: &RecordFacts,
    asked_by: Option<&str>,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* set_shield_lift */ UPDATE records SET shield_lift_asked_by = $3 WHERE prefecture = $1 AND id = $2",
        facts.owner.prefecture(),
        facts.id,
        asked_by,
    )?;
    Ok(())
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

/// Remembers what a former owner provided.
pub(crate) async fn remember_provision(
    tx: &mut Tx,
    record: Uuid,
    organization: &OrganizationCode,
    provided: &Provided,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* remember_provision */ INSERT INTO provisions (record, organization, version, item_groups, at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (record, organization) DO UPDATE SET version = excluded.version,
             item_groups = excluded.item_groups, at = excluded.at",
        record,
        organization.as_str(),
        provided.version,
        provided.groups.bits(),
        provided.at.as_micros(),
    )?;
    Ok(())
}

/// One line of a record's history: who changed it, when and how; no content.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct VersionLine {
    pub version: i64,
    /// RFC 3339, UTC.
    pub at: String,
    pub organization: String,
    pub officer: String,
    /// `registered`, `updated`, `closed` or `taken_over`.
    pub change: String,
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

fn named(facts: &RecordFacts) -> String {
    facts.shield.named.iter().map(OrganizationCode::as_str).collect::<Vec<_>>().join(" ")
}
