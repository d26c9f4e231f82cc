//! Edit locks: who works on a record at this moment.

use time::Duration;
use uuid::Uuid;

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_optional},
};
use crate::{
    clock::Timestamp,
    domain::{edit_lock::EditLock, organization::OrganizationCode},
};

/// By how much the clocks of two nodes may differ. A lock that was taken later than that from now was taken by a clock
/// that was wrong, and would be held for as long as it was wrong by.
const SKEW: Duration = Duration::minutes(5);

/// The lock of a record, where somebody of its owner holds one.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn held(
    tx: &mut Tx,
    record: Uuid,
    owner: &OrganizationCode,
    now: Timestamp,
) -> Result<Option<EditLock>, StoreError> {
    let row = fetch_optional!(
        tx,
        (String, String, i64),
        "/* held_edit_lock */ SELECT officer, terminal, until_at FROM edit_locks
         WHERE record = $1 AND organization = $2 AND until_at > $3 AND taken_at <= $4",
        record,
        owner.as_str(),
        now.as_micros(),
        now.plus(SKEW).as_micros(),
    )?;
    Ok(row.map(|(officer, terminal, until)| EditLock {
        organization: owner.clone(),
        officer,
        terminal,
        until: Timestamp::from_micros(until),
    }))
}

/// Makes every other transaction that asks for the same record's lock wait until this one ends. On SQLite there is no
/// other; on PostgreSQL this is what decides between two nodes.
pub(crate) async fn queue_up(tx: &mut Tx, record: Uuid) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* queue_up_for_record */ UPDATE records SET version = version
         WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)",
        record
    )?;
    Ok(())
}

/// Gives the lock to somebody, whoever held it before.
pub(crate) async fn put(tx: &mut Tx, record: Uuid, lock: &EditLock, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* put_edit_lock */ INSERT INTO edit_locks (record, organization, officer, terminal, taken_at, until_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (record) DO UPDATE SET organization = excluded.organization, officer = excluded.officer,
             terminal = excluded.terminal, taken_at = excluded.taken_at, until_at = excluded.until_at",
        record,
        lock.organization.as_str(),
        lock.officer.as_str(),
        lock.terminal.as_str(),
        now.as_micros(),
        lock.until.as_micros(),
    )?;
    Ok(())
}

pub(crate) async fn remove(tx: &mut Tx, record: Uuid) -> Result<(), StoreError> {
    execute!(tx, "/* remove_edit_lock */ DELETE FROM edit_locks WHERE record = $1", record)?;
    Ok(())
}
