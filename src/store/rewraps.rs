//! How far records' keys are wrapped anew.

use crate::keys::error::KeyError;
use uuid::Uuid;

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{clock::Timestamp, keys::vault::Vault};

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

type Row = (Uuid, i64, String, i64, Option<i64>, Uuid, i64);

fn rewrap(row: Row) -> Result<Rewrap, StoreError> {
    let (id, master_generation, asked_by, started_at, finished_at, after_record, wrapped) = row;
    Ok(Rewrap {
        id,
        master_generation: u32::try_from(master_generation).map_err(|_| StoreError::Corrupt("key generation"))?,
        asked_by,
        started_at: Timestamp::from_micros(started_at),
        finished_at: finished_at.map(Timestamp::from_micros),
        after_record,
        wrapped: u64::try_from(wrapped).map_err(|_| StoreError::Corrupt("number of records"))?,
    })
}

/// The newest pass, whether it has ended or not.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn newest(tx: &mut Tx) -> Result<Option<Rewrap>, StoreError> {
    fetch_optional!(
        tx,
        Row,
        "/* newest_rewrap */ SELECT id, master_generation, asked_by, started_at, finished_at, after_record, wrapped
         FROM rewraps ORDER BY id DESC LIMIT 1"
    )?
    .map(rewrap)
    .transpose()
}

/// Writes a pass, new or changed.
pub(crate) async fn put(tx: &mut Tx, rewrap: &Rewrap) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* put_rewrap */ INSERT INTO rewraps (id, master_generation, asked_by, started_at, finished_at, after_record,
             wrapped)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE SET finished_at = excluded.finished_at, after_record = excluded.after_record,
             wrapped = excluded.wrapped",
        rewrap.id,
        i64::from(rewrap.master_generation),
        rewrap.asked_by.as_str(),
        rewrap.started_at.as_micros(),
        rewrap.finished_at.map(Timestamp::as_micros),
        rewrap.after_record,
        i64::try_from(rewrap.wrapped).unwrap_or(i64::MAX),
    )?;
    Ok(())
}

/// A record's key as it is wrapped.
pub struct WrappedRecordKey {
    pub record: Uuid,
    pub prefecture: String,
    pub sealed_key: Vec<u8>,
}

/// Wrapped keys of records after an id, by id.
///
/// # Errors
/// The database failed.
pub async fn keys_after(tx: &mut Tx, after: Uuid, most: i64) -> Result<Vec<WrappedRecordKey>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid, String, Vec<u8>),
        "/* keys_after */ SELECT id, prefecture, sealed_key FROM records WHERE id > $1 ORDER BY id LIMIT $2",
        after,
        most,
    )?;
    let key = |(record, prefecture, sealed_key)| WrappedRecordKey { record, prefecture, sealed_key };
    Ok(rows.into_iter().map(key).collect())
}

/// Prefectures, and the generations of their keys with which records' keys are wrapped. Asked of the rows themselves,
/// not of what a pass believes.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn used(tx: &mut Tx) -> Result<Vec<(String, u32)>, StoreError> {
    let rows = fetch_all!(
        tx,
        (String, Vec<u8>),
        "/* used_generations */ SELECT DISTINCT prefecture, substr(sealed_key, 1, 4) FROM records"
    )?;
    rows.into_iter()
        .map(|(prefecture, generation)| {
            let generation = generation.try_into().map_err(|_| StoreError::Corrupt("key generation"))?;
            Ok((prefecture, u32::from_be_bytes(generation)))
        })
        .collect()
}

/// Number of records.
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
    execute!(
        tx,
        "/* remove_prefecture_key */ DELETE FROM prefecture_keys WHERE prefecture = $1 AND generation = $2",
        prefecture,
        i64::from(generation),
    )?;
    Ok(())
}

/// Wraps some keys anew that are not wrapped with the latest; returns how many it wrapped.
pub(crate) async fn wrap_latest(tx: &mut Tx, vault: &Vault, keys: Vec<WrappedRecordKey>) -> Result<u64, StoreError> {
    let mut wrapped = 0;
    for WrappedRecordKey { record, prefecture, sealed_key } in keys {
        if crate::keys::vault::generation_of(&sealed_key)? == vault.latest_generation(&prefecture) {
            continue;
        }
        let anew = match vault.rewrap(&prefecture, &prefecture, record, &sealed_key) {
            Ok(anew) => anew,
            // A leftover of a restored backup: it is removed, not wrapped.
            Err(KeyError::Destroyed) => continue,
            Err(error) => return Err(error.into()),
        };
        super::records::set_key(tx, &prefecture, record, &anew).await?;
        wrapped += 1;
    }
    Ok(wrapped)
}
