//! Case records: facts in the clear, every version sealed under the record's own key.

use uuid::Uuid;

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all, fetch_optional, insert_arrays},
    versions::{SealedVersion, insert_version},
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

pub(super) type FactsRow<'a> = (&'a str, i64, i64, i64, i64, i64, i64, &'a str, i64, &'a str);

pub(super) fn record_facts(id: Uuid, row: FactsRow<'_>) -> Result<RecordFacts, StoreError> {
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
    Ok(vault.unwrap_key(&prefecture, id, &sealed_key)?)
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

fn named(facts: &RecordFacts) -> String {
    facts.shield.named.iter().map(OrganizationCode::as_str).collect::<Vec<_>>().join(" ")
}
