//! How far records' keys are wrapped anew.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{
    error::StoreError,
    rows::{
        access,
        row::{Row, Values},
        sums::Sums,
        tables::{PREFECTURE_KEYS, RECORDS, REWRAPS},
        written::vouched_sums,
    },
    tx::{Tx, fetch_optional},
};
use crate::{
    clock::Timestamp,
    keys::{
        error::KeyError,
        vault::{Vault, generation_of},
    },
    planted::Planted,
};

/// How many records are read at a time.
const PAGE: i64 = 1_000;

const BY_ID_AFTER: &str = "WHERE id > $1 ORDER BY id LIMIT $2";

/// A pass over all records in which each one's key is wrapped with the latest key of its prefecture.
#[derive(Clone)]
pub struct Rewrap {
    pub id: Uuid,
    /// Master key that wraps the prefectures' keys since.
    pub master_generation: u32,
    pub asked_by: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// The last record that was looked at.
    pub after_record: Uuid,
    /// How many were wrapped anew.
    pub wrapped: u64,
}

fn rewrap(row: &Row) -> Result<Rewrap, StoreError> {
    Ok(Rewrap {
        id: row.id("id")?,
        master_generation: u32::try_from(row.int("master_generation")?)
            .map_err(|_| StoreError::Corrupt("key generation"))?,
        asked_by: row.text("asked_by")?.to_owned(),
        started_at: row.at("started_at")?,
        finished_at: row.optional_at("finished_at")?,
        after_record: row.id("after_record")?,
        wrapped: u64::try_from(row.int("wrapped")?).map_err(|_| StoreError::Corrupt("number of records"))?,
    })
}

/// The newest pass, whether it has ended or not.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn newest(tx: &mut Tx) -> Result<Option<Rewrap>, StoreError> {
    access::one(tx, &REWRAPS, "ORDER BY id DESC LIMIT 1", &[]).await?.as_ref().map(rewrap).transpose()
}

/// Writes a pass, new or changed.
pub(crate) async fn put(tx: &mut Tx, rewrap: &Rewrap) -> Result<(), StoreError> {
    let known = access::find(tx, &REWRAPS, &[rewrap.id.into()]).await?;
    let new = || {
        Values::of(&REWRAPS)
            .set("id", rewrap.id)
            .set("master_generation", i64::from(rewrap.master_generation))
            .set("asked_by", rewrap.asked_by.as_str())
            .set("started_at", rewrap.started_at)
    };
    let values = known.as_ref().map_or_else(new, Row::values);
    let values = values
        .set("finished_at", rewrap.finished_at)
        .set("after_record", rewrap.after_record)
        .set("wrapped", i64::try_from(rewrap.wrapped).unwrap_or(i64::MAX));
    access::put(tx, known.as_ref(), values).await
}

/// A record's key as it is wrapped.
pub struct WrappedRecordKey {
    pub record: Uuid,
    pub prefecture: String,
    pub sealed_key: Vec<u8>,
}

impl WrappedRecordKey {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            record: row.id("id")?,
            prefecture: row.text("prefecture")?.to_owned(),
            sealed_key: row.bytes("sealed_key")?.to_vec(),
        })
    }
}

/// Wrapped keys of records after an id, by id. A record that is not what the gateway wrote is passed over, and the others are
/// wrapped; [`used`] lets no key go while there is one.
///
/// # Errors
/// The database failed.
pub async fn keys_after(tx: &mut Tx, after: Uuid, most: i64) -> Result<Vec<WrappedRecordKey>, StoreError> {
    let rows = access::all_sound(tx, &RECORDS, BY_ID_AFTER, &[after.into(), most.into()]).await?;
    rows.iter().map(WrappedRecordKey::of).collect()
}

/// Prefectures, and the generations of their keys with which records' keys are wrapped and drafts sealed. Asked of the rows
/// themselves, not of what a pass believes: a generation to which a row was made not to refer would be destroyed.
///
/// # Errors
/// The database failed; a row is damaged, missing or not what the gateway wrote: its key may still be wanted when it is mended.
pub async fn used(tx: &mut Tx) -> Result<Vec<(String, u32)>, StoreError> {
    let guard = tx.rows.guard()?;
    let (mut used, mut after, mut sums) = (BTreeSet::new(), Uuid::nil(), Sums::default());
    loop {
        let rows = access::all(tx, &RECORDS, BY_ID_AFTER, &[after.into(), PAGE.into()]).await?;
        let Some(last) = rows.last() else { break };
        after = last.id("id")?;
        for row in &rows {
            sums.add(&RECORDS, guard.marker.share(&row.mark()));
            used.insert((row.text("prefecture")?.to_owned(), generation_of(row.bytes("sealed_key")?)?));
        }
    }
    let is_all = sums.of(&RECORDS) == vouched_sums(tx, &guard).await?.of(&RECORDS);
    if !is_all && !Planted::BelieveAbsence.is_planted() {
        return Err(StoreError::Corrupt("records are missing that the gateway wrote: no key is destroyed"));
    }
    used.append(&mut super::drafts::used(tx).await?);
    Ok(used.into_iter().collect())
}

/// Number of records. It tells how far a pass is, and decides nothing: the rows are counted without being read.
///
/// # Errors
/// The database failed.
pub async fn count_after(tx: &mut Tx, after: Uuid) -> Result<u64, StoreError> {
    let row = fetch_optional!(tx, (i64,), "/* count_after */ SELECT COUNT(*) FROM records WHERE id > $1", after)?;
    Ok(row.and_then(|(count,)| u64::try_from(count).ok()).unwrap_or(0))
}

/// Generations of prefecture keys in the database: prefecture, generation, generation of the master key that wraps it.
///
/// # Errors
/// The database failed.
pub async fn generations(tx: &mut Tx) -> Result<Vec<(String, u32, u32)>, StoreError> {
    let keys = super::accounts::prefecture_keys(tx).await?;
    Ok(keys.into_iter().map(|key| (key.prefecture, key.generation, key.master_generation)).collect())
}

/// Removes a prefecture key to which nothing refers.
pub(crate) async fn remove_prefecture_key(tx: &mut Tx, prefecture: &str, generation: u32) -> Result<(), StoreError> {
    let binds = [prefecture.into(), i64::from(generation).into()];
    access::remove_all(tx, &PREFECTURE_KEYS, "WHERE prefecture = $1 AND generation = $2", &binds).await.map(|_| ())
}

/// Wraps some keys anew that are not wrapped with the latest; returns how many it wrapped.
pub(crate) async fn wrap_latest(tx: &mut Tx, vault: &Vault, keys: Vec<WrappedRecordKey>) -> Result<u64, StoreError> {
    let mut wrapped = 0;
    for WrappedRecordKey { record, prefecture, sealed_key } in keys {
        if generation_of(&sealed_key)? == vault.latest_generation(&prefecture) {
            continue;
        }
        let anew = match vault.rewrap(&prefecture, &prefecture, record, &sealed_key) {
            Ok(anew) => anew,
            // A leftover of a restored backup: it is removed, not wrapped.
            Err(KeyError::Destroyed) => continue,
            Err(error) => return Err(error.into()),
        };
        match super::records::set_key(tx, &prefecture, record, &anew).await {
            Ok(()) => wrapped += 1,
            // The database did not take it: it is passed over, and the pass begins anew.
            Err(StoreError::Outdated) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(wrapped)
}
