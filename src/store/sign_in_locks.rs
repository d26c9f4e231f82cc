//! Wrong tries at signing in, by terminal and id: nobody else, and no other terminal, is held up by them.

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_optional},
};
use crate::{clock::Timestamp, domain::two_persons::StaffId, identity::session::SignInLock};

/// The wrong tries of an id at a terminal.
///
/// # Errors
/// The database failed.
pub async fn find(tx: &mut Tx, terminal: &str, of: &StaffId) -> Result<Option<SignInLock>, StoreError> {
    let row = fetch_optional!(
        tx,
        (i64, i64, i64),
        "/* sign_in_lock */ SELECT failures, failed_at, locked_until FROM sign_in_locks
         WHERE terminal = $1 AND organization = $2 AND officer = $3",
        terminal,
        of.organization.as_str(),
        of.officer.as_str(),
    )?;
    Ok(row.map(|(failures, failed_at, locked_until)| SignInLock {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        failed_at: Timestamp::from_micros(failed_at),
        locked_until: Timestamp::from_micros(locked_until),
    }))
}

pub(crate) async fn put(tx: &mut Tx, terminal: &str, of: &StaffId, lock: SignInLock) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* put_sign_in_lock */ INSERT INTO sign_in_locks
             (terminal, organization, officer, failures, failed_at, locked_until)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (terminal, organization, officer) DO UPDATE SET failures = excluded.failures,
             failed_at = excluded.failed_at, locked_until = excluded.locked_until",
        terminal,
        of.organization.as_str(),
        of.officer.as_str(),
        i64::from(lock.failures),
        lock.failed_at.as_micros(),
        lock.locked_until.as_micros(),
    )?;
    Ok(())
}

/// Forgets the wrong tries of an id, at one terminal or at all of them.
pub(crate) async fn forget(tx: &mut Tx, terminal: Option<&str>, of: &StaffId) -> Result<u64, StoreError> {
    execute!(
        tx,
        "/* forget_sign_in_lock */ DELETE FROM sign_in_locks
         WHERE organization = $1 AND officer = $2 AND (terminal = $3 OR $3 = '')",
        of.organization.as_str(),
        of.officer.as_str(),
        terminal.unwrap_or_default(),
    )
}

/// Removes tries that count no more.
pub(crate) async fn forget_before(tx: &mut Tx, at: Timestamp) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* forget_sign_in_locks */ DELETE FROM sign_in_locks WHERE failed_at < $1 AND locked_until < $1",
        at.as_micros(),
    )?;
    Ok(())
}
