//! Wrong tries at signing in, by terminal and id: nobody else, and no other terminal, is held up by them.

use super::{
    credentials::binds_of,
    error::StoreError,
    rows::{
        access::{all, find as find_row, put as put_row, remove, remove_sound},
        row::{Row, Values},
        tables::SIGN_IN_LOCKS,
    },
    tx::Tx,
};
use crate::{clock::Timestamp, domain::two_persons::StaffId, identity::session::SignInLock};

async fn row(tx: &mut Tx, terminal: &str, of: &StaffId) -> Result<Option<Row>, StoreError> {
    let [organization, officer] = binds_of(of);
    find_row(tx, &SIGN_IN_LOCKS, &[terminal.into(), organization, officer]).await
}

/// The wrong tries of an id at a terminal.
///
/// # Errors
/// The database failed.
pub async fn find(tx: &mut Tx, terminal: &str, of: &StaffId) -> Result<Option<SignInLock>, StoreError> {
    let Some(row) = row(tx, terminal, of).await? else { return Ok(None) };
    Ok(Some(SignInLock {
        failures: u32::try_from(row.int("failures")?).unwrap_or(u32::MAX),
        failed_at: row.at("failed_at")?,
        locked_until: row.at("locked_until")?,
    }))
}

pub(crate) async fn put(tx: &mut Tx, terminal: &str, of: &StaffId, lock: SignInLock) -> Result<(), StoreError> {
    let known = row(tx, terminal, of).await?;
    let values = Values::of(&SIGN_IN_LOCKS)
        .set("terminal", terminal)
        .set("organization", &of.organization)
        .set("officer", of.officer.as_str())
        .set("failures", i64::from(lock.failures))
        .set("failed_at", lock.failed_at)
        .set("locked_until", lock.locked_until);
    put_row(tx, known.as_ref(), values).await
}

/// Forgets the wrong tries of an id, at one terminal or at all of them.
pub(crate) async fn forget(tx: &mut Tx, terminal: Option<&str>, of: &StaffId) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    for row in all(tx, &SIGN_IN_LOCKS, "WHERE organization = $1 AND officer = $2", &binds_of(of)).await? {
        if terminal.is_none_or(|terminal| row.text("terminal").is_ok_and(|of| of == terminal)) {
            remove(tx, &row).await?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// Removes tries that count no more.
pub(crate) async fn forget_before(tx: &mut Tx, at: Timestamp) -> Result<(), StoreError> {
    remove_sound(tx, &SIGN_IN_LOCKS, "WHERE failed_at < $1 AND locked_until < $1", &[at.into()]).await
}
