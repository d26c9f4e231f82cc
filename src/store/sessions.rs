//! Sessions of desks: digests of their tokens, so that every node knows them. Nobody signs in with a row of this table.

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{clock::Timestamp, domain::organization::OrganizationCode, identity::session::Session};

type Row = (Vec<u8>, String, String, String, i64, i64, i64);

fn session_of(row: Row) -> Result<([u8; 32], Session), StoreError> {
    let (token, organization, officer, terminal, second_factor, expires_at, idle_at) = row;
    let session = Session {
        organization: OrganizationCode::parse(&organization).ok_or(StoreError::Corrupt("organization code"))?,
        officer,
        terminal,
        second_factor: second_factor != 0,
        expires_at: Timestamp::from_micros(expires_at),
        idle_at: Timestamp::from_micros(idle_at),
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
        "/* sessions */ SELECT token_digest, organization, officer, terminal, second_factor, expires_at, idle_at
         FROM sessions WHERE expires_at > $1 AND idle_at > $1",
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
        "/* sessions_of */ SELECT token_digest, organization, officer, terminal, second_factor, expires_at, idle_at
         FROM sessions WHERE organization = $1 AND officer = $2",
        organization.as_str(),
        officer,
    )?;
    rows.into_iter().map(session_of).collect()
}

/// Writes a session, new or as it is from now on.
pub(crate) async fn put(tx: &mut Tx, token_digest: &[u8; 32], session: &Session) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* put_session */ INSERT INTO sessions
             (token_digest, organization, officer, terminal, second_factor, expires_at, idle_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (token_digest) DO UPDATE SET organization = excluded.organization, officer = excluded.officer,
             terminal = excluded.terminal, second_factor = excluded.second_factor, expires_at = excluded.expires_at,
             idle_at = excluded.idle_at",
        token_digest.to_vec(),
        session.organization.as_str(),
        session.officer.as_str(),
        session.terminal.as_str(),
        i64::from(session.second_factor),
        session.expires_at.as_micros(),
        session.idle_at.as_micros(),
    )?;
    Ok(())
}

/// One session, in force or not.
///
/// # Errors
/// As [`in_force`].
pub async fn find(tx: &mut Tx, token_digest: &[u8; 32]) -> Result<Option<Session>, StoreError> {
    let row = fetch_optional!(
        tx,
        Row,
        "/* session */ SELECT token_digest, organization, officer, terminal, second_factor, expires_at, idle_at
         FROM sessions WHERE token_digest = $1",
        token_digest.to_vec(),
    )?;
    Ok(row.map(session_of).transpose()?.map(|(_, session)| session))
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
    execute!(
        tx,
        "/* forget_sessions */ DELETE FROM sessions WHERE expires_at <= $1 OR idle_at <= $1",
        now.as_micros()
    )?;
    Ok(())
}
