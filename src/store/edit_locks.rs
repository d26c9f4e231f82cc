//! Edit locks: who works on a record at this moment.

use time::Duration;
use uuid::Uuid;

use super::{
    error::StoreError,
    rows::{
        access,
        row::{Row, Values},
        tables::EDIT_LOCKS,
    },
    tx::{Tx, execute},
};
use crate::{
    clock::Timestamp,
    domain::{edit_lock::EditLock, organization::OrganizationCode},
};

/// By how much the clocks of two nodes may differ. A lock that was taken later than that from now was taken by a clock
/// that was wrong, and would be held for as long as it was wrong by.
const SKEW: Duration = Duration::minutes(5);

const BY_RECORD: &str = "WHERE record = $1";

async fn lock_row(tx: &mut Tx, record: Uuid) -> Result<Option<Row>, StoreError> {
    access::find(tx, &EDIT_LOCKS, &[record.into()]).await
}

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
    let Some(row) = lock_row(tx, record).await? else { return Ok(None) };
    let until = row.at("until_at")?;
    if row.code("organization")? != *owner || until <= now || row.at("taken_at")? > now.plus(SKEW) {
        return Ok(None);
    }
    Ok(Some(EditLock {
        organization: owner.clone(),
        officer: row.text("officer")?.to_owned(),
        terminal: row.text("terminal")?.to_owned(),
        until,
    }))
}

/// Makes every other transaction that asks for the same record's lock wait until this one ends. On SQLite there is no
/// other; on PostgreSQL this is what decides between two nodes. It changes nothing, and the row's mark stays right.
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
    let known = lock_row(tx, record).await?;
    let values = Values::of(&EDIT_LOCKS)
        .set("record", record)
        .set("organization", &lock.organization)
        .set("officer", lock.officer.as_str())
        .set("terminal", lock.terminal.as_str())
        .set("taken_at", now)
        .set("until_at", lock.until);
    access::put(tx, known.as_ref(), values).await
}

pub(crate) async fn remove(tx: &mut Tx, record: Uuid) -> Result<(), StoreError> {
    access::remove_all(tx, &EDIT_LOCKS, BY_RECORD, &[record.into()]).await.map(|_| ())
}
