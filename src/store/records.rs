//! Case records: facts in the clear, every version sealed under the record's own key.

use uuid::Uuid;

use super::{
    error::StoreError,
    rows::{
        access::{all_sound, insert, note_new, one, put, replace},
        mark::NO_PARTS,
        parts::whole,
        row::{Row, Values},
        tables::{ATTACHMENTS, PROVISIONS, RECORD_VERSIONS, RECORDS},
    },
    tx::{On, Tx, execute, insert_arrays},
    versions::{SealedVersion, insert_version, version_values},
};
use crate::{
    clock::Timestamp,
    domain::{
        case_record::{DerivedFacts, Provided, RecordFacts},
        organization::OrganizationCode,
        visibility::Shield,
    },
    identity::Caller,
    keys::vault::{Key, Vault},
};

/// A record's facts and its wrapped data key.
pub struct StoredRecord {
    pub facts: RecordFacts,
    /// Prefecture whose key wraps the data key.
    pub prefecture: String,
    pub sealed_key: Vec<u8>,
    pub updated_at: Timestamp,
}

/// What the row of a record says.
///
/// # Errors
/// The row is damaged.
pub(super) fn stored_of(row: &Row) -> Result<StoredRecord, StoreError> {
    Ok(StoredRecord {
        facts: facts_of(row)?,
        prefecture: row.text("prefecture")?.to_owned(),
        sealed_key: row.bytes("sealed_key")?.to_vec(),
        updated_at: row.at("updated_at")?,
    })
}

pub(super) fn facts_of(row: &Row) -> Result<RecordFacts, StoreError> {
    Ok(RecordFacts {
        id: row.id("id")?,
        owner: row.code("owner")?,
        version: row.int("version")?,
        owned_since: row.int("owned_since")?,
        closed: row.flag("closed")?,
        serious: row.flag("serious")?,
        derived: DerivedFacts {
            residence: row.code("residence")?,
            searchable: row.flag("searchable")?,
            abuse_case: row.flag("abuse_case")?,
            shield: Shield {
                active: row.flag("shielded")?,
                named: row.text("shield_named")?.split_whitespace().filter_map(OrganizationCode::parse).collect(),
            },
        },
    })
}

/// The facts of a record as columns, on top of what the row holds already.
fn with_facts(values: Values, facts: &RecordFacts) -> Values {
    values
        .set("id", facts.id)
        .set("prefecture", facts.owner.prefecture())
        .set("owner", &facts.owner)
        .set("version", facts.version)
        .set("owned_since", facts.owned_since)
        .set("closed", facts.closed)
        .set("serious", facts.serious)
        .set("searchable", facts.searchable)
        .set("abuse_case", facts.abuse_case)
        .set("residence", &facts.residence)
        .set("shielded", facts.shield.active)
        .set("shield_named", named(facts))
}

/// A record by its id.
///
/// # Errors
/// The database failed; the row, or what hangs on it, is not what the gateway wrote.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<StoredRecord>, StoreError> {
    whole(tx, &RECORDS, id).await?.as_ref().map(stored_of).transpose()
}

/// Records that the ministry may review; one whose row is not what the gateway wrote is set aside.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn serious(tx: &mut Tx) -> Result<Vec<StoredRecord>, StoreError> {
    all_sound(tx, &RECORDS, "WHERE serious = 1 ORDER BY id", &[]).await?.iter().map(stored_of).collect()
}

/// The data key of a record, for what is written about it outside its versions.
///
/// # Errors
/// The database failed, the record is not there, or its key does not open.
pub(crate) async fn key_of(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Key, StoreError> {
    let row = whole(tx, &RECORDS, id).await?.ok_or(StoreError::Corrupt("record"))?;
    Ok(vault.unwrap_key(row.text("prefecture")?, id, row.bytes("sealed_key")?)?)
}

/// The row of a record that this transaction changes.
async fn row(tx: &mut Tx, prefecture: &str, id: Uuid) -> Result<Row, StoreError> {
    let clause = "WHERE prefecture = $1 AND id = $2";
    one(tx, &RECORDS, clause, &[prefecture.into(), id.into()]).await?.ok_or(StoreError::Corrupt("record"))
}

fn new_values(facts: &RecordFacts, sealed_key: &[u8], sealed: &SealedVersion, now: Timestamp) -> Values {
    with_facts(Values::of(&RECORDS), facts)
        .set("sealed_key", sealed_key)
        .set("sealed_index", sealed.index.as_slice())
        .set("registered_at", now)
        .set("updated_at", now)
        .set("parts", NO_PARTS.as_slice())
}

pub(crate) async fn insert_record(
    tx: &mut Tx,
    facts: &RecordFacts,
    sealed_key: &[u8],
    sealed: &SealedVersion,
    now: Timestamp,
) -> Result<(), StoreError> {
    insert(tx, new_values(facts, sealed_key, sealed, now)).await
}

/// A record on its way into the database for the first time.
pub struct NewRecord {
    pub facts: RecordFacts,
    pub sealed_key: Vec<u8>,
    pub sealed: SealedVersion,
}

const INSERT_ALL: &str =
    "/* insert_records */ INSERT INTO records (id, prefecture, owner, version, owned_since, closed,
     serious, searchable, abuse_case, residence, shielded, shield_named, sealed_key, sealed_index, mark, registered_at,
     updated_at)
 SELECT *, $16, $16 FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
     $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::bytea[], $14::bytea[],
     $15::bytea[])";
const INSERT_ALL_VERSIONS: &str = "/* insert_versions */ INSERT INTO record_versions (prefecture, record, version,
     sealed_body, mark, organization, officer, change_kind, at)
 SELECT *, $6, $7, 'registered', $8 FROM UNNEST($1::text[], $2::uuid[], $3::bigint[], $4::bytea[], $5::bytea[])";

/// Registers many records at once.
pub(crate) async fn insert_all(
    tx: &mut Tx,
    records: &[NewRecord],
    caller: &Caller,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let On::Sqlite(_) = tx.on {
        for record in records {
            insert_record(tx, &record.facts, &record.sealed_key, &record.sealed, now).await?;
            insert_version(tx, &record.facts, &record.sealed, caller, "registered", now).await?;
        }
        return Ok(());
    }
    if records.is_empty() {
        return Ok(());
    }
    let mut marked = Vec::with_capacity(records.len());
    for record in records {
        let values = new_values(&record.facts, &record.sealed_key, &record.sealed, now);
        let version = version_values(&record.facts, &record.sealed, caller, "registered", now);
        marked.push((record, note_new(tx, &values)?, note_new(tx, &version)?));
    }
    let On::Postgres(tx) = &mut tx.on else { return Ok(()) };
    insert_arrays!(
        tx,
        INSERT_ALL,
        &marked,
        |(NewRecord { facts, sealed_key, sealed }, mark, _)| [
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
            marks = mark.as_slice(),
        ],
        now.as_micros()
    );
    insert_arrays!(
        tx,
        INSERT_ALL_VERSIONS,
        &marked,
        |(NewRecord { facts, sealed, .. }, _, mark)| [
            prefectures = facts.owner.prefecture(),
            ids = facts.id,
            versions = sealed.version,
            bodies = sealed.body.as_slice(),
            marks = mark.as_slice(),
        ],
        caller.organization().as_str(),
        caller.officer(),
        now.as_micros()
    );
    Ok(())
}

/// Writes every fact of a record back.
pub(crate) async fn update_facts(tx: &mut Tx, facts: &RecordFacts, now: Timestamp) -> Result<(), StoreError> {
    let row = row(tx, facts.owner.prefecture(), facts.id).await?;
    let closed_at = facts.closed.then(|| row.optional_at("closed_at")).transpose()?;
    let closed_at = closed_at.map(|before| before.unwrap_or(now));
    let values = with_facts(row.values(), facts).set("updated_at", now).set("closed_at", closed_at);
    replace(tx, &row, values).await
}

/// Writes what a record is found by from now on.
pub(super) async fn set_index(tx: &mut Tx, facts: &RecordFacts, sealed: &SealedVersion) -> Result<(), StoreError> {
    let row = row(tx, facts.owner.prefecture(), facts.id).await?;
    replace(tx, &row, row.values().set("sealed_index", sealed.index.as_slice())).await
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
    let row = row(tx, old, from.id).await?;
    let values = row.values();
    let values = values
        .set("owner", owner)
        .set("prefecture", new)
        .set("sealed_key", sealed_key)
        .set("owned_since", owned_since)
        .set("updated_at", now);
    replace(tx, &row, values).await?;
    if old != new {
        // Where they lie is not part of their marks.
        for table in [&RECORD_VERSIONS, &ATTACHMENTS] {
            move_rows(tx, table.name, (old, new), from.id).await?;
        }
    }
    Ok(())
}

async fn move_rows(tx: &mut Tx, table: &str, (old, new): (&str, &str), record: Uuid) -> Result<(), StoreError> {
    let sql = format!("/* move_{table} */ UPDATE {table} SET prefecture = $3 WHERE prefecture = $1 AND record = $2");
    execute!(tx, sqlx::AssertSqlSafe(sql), old, record, new)?;
    Ok(())
}

pub(crate) async fn set_key(tx: &mut Tx, prefecture: &str, id: Uuid, sealed_key: &[u8]) -> Result<(), StoreError> {
    let row = row(tx, prefecture, id).await?;
    replace(tx, &row, row.values().set("sealed_key", sealed_key)).await
}

/// Remembers what a former owner provided.
pub(crate) async fn remember_provision(
    tx: &mut Tx,
    record: Uuid,
    organization: &OrganizationCode,
    provided: &Provided,
) -> Result<(), StoreError> {
    let clause = "WHERE record = $1 AND organization = $2";
    let known = one(tx, &PROVISIONS, clause, &[record.into(), organization.into()]).await?;
    let values = Values::of(&PROVISIONS)
        .set("record", record)
        .set("organization", organization)
        .set("version", provided.version)
        .set("item_groups", provided.groups.bits())
        .set("at", provided.at);
    put(tx, known.as_ref(), values).await
}

fn named(facts: &RecordFacts) -> String {
    facts.shield.named.iter().map(OrganizationCode::as_str).collect::<Vec<_>>().join(" ")
}
