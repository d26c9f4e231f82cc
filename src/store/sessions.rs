//! Sessions of desks: digests of their tokens, so that every node knows them. Nobody signs in with a row of this table.

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all},
};
use crate::{clock::Timestamp, domain::organization::OrganizationCode, identity::session::Session};

type Row = (Vec<u8>, String, String, String, i64);

fn session_of((token, organization, officer, terminal, expires_at): Row) -> Result<([u8; 32], Session), StoreError> {
    let session = Session {
        organization: OrganizationCode::parse(&organization).ok_or(StoreError::Corrupt("organization code"))?,
        officer,
        terminal,
        expires_at: Timestamp::from_micros(expires_at),
    };
    Ok((token.try_into().map_err(|_| StoreError::Corrupt("session token"))?, session))
}

/// Sessions that have not expired.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn in_force(tx: &mut Tx, now: Timestamp) -> Result<Vec<([u8; 32], Session)>, StoreError> {
    let rows = fetch_all!(
        tx,
        Row,
        "/* sessions */ SELECT token_digest, organization, officer, terminal, expires_at FROM sessions
         WHERE expires_at > $1",
        now.as_micros(),
    )?;
    rows.into_iter().map(session_of).collect()
}

/// The sessions of one officer.
///
/// # Errors
/// As [`in_force`].
pub async fn of_officer(
    tx: &mut Tx,
    organization: &OrganizationCode,
    officer: &str,
) -> Result<Vec<([u8; 32], Session)>, StoreError> {
    let rows = fetch_all!(
        tx,
        Row,
        "/* sessions_of */ SELECT token_digest, organization, officer, terminal, expires_at FROM sessions
         WHERE organization = $1 AND officer = $2",
        organization.as_str(),
        officer,
    )?;
    rows.into_iter().map(session_of).collect()
}

pub(crate) async fn open(tx: &mut Tx, token_digest: &[u8; 32], session: &Session) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* open_session */ INSERT INTO sessions (token_digest, organization, officer, terminal, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
        token_digest.to_vec(),
        session.organization.as_str(),
        session.officer.as_str(),
        session.terminal.as_str(),
        session.expires_at.as_micros(),
    )?;
    Ok(())
}

pub(crate) async fn end(tx: &mut Tx, token_digest: &[u8; 32]) -> Result<(), StoreError> {
    execute!(tx, "/* end_session */ DELETE FROM sessions WHERE token_digest = $1", token_digest.to_vec())?;
    Ok(())
}

pub(crate) async fn end_all(tx: &mut Tx, organization: &OrganizationCode, officer: &str) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* end_sessions_of */ DELETE FROM sessions WHERE organization = $1 AND officer = $2",
        organization.as_str(),
        officer,
    )?;
    Ok(())
}

/// Removes what has expired.
pub(crate) async fn forget_expired(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    execute!(tx, "/* forget_sessions */ DELETE FROM sessions WHERE expires_at <= $1", now.as_micros())?;
    Ok(())
}
