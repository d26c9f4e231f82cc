//! Sessions of desks: digests of their tokens, so that every node knows them. Nobody signs in with a row of this table.

use super::{
    error::StoreError,
    rows::{
        access,
        row::{Row, Values},
        tables::SESSIONS,
    },
    tx::Tx,
};
use crate::{clock::Timestamp, domain::organization::OrganizationCode, identity::session::Session};

/// A session from before it was noted when the second factor was shown says 1: it was shown, a long time ago.
fn session_of(row: &Row) -> Result<([u8; 32], Session), StoreError> {
    let session = Session {
        organization: row.code("organization")?,
        officer: row.text("officer")?.to_owned(),
        terminal: row.text("terminal")?.to_owned(),
        expires_at: row.at("expires_at")?,
        second_factor: Some(row.at("second_factor")?).filter(|at| at.as_micros() > 0),
        idle_at: row.at("idle_at")?,
    };
    Ok((row.bytes("token_digest")?.try_into().map_err(|_| StoreError::Corrupt("session token"))?, session))
}

const OF_OFFICER: &str = "WHERE organization = $1 AND officer = $2";

/// Sessions that have not expired; one whose row is not what the gateway wrote is set aside, and is in force for nobody.
///
/// # Errors
/// The database failed, or a row is damaged.
pub async fn in_force(tx: &mut Tx, now: Timestamp) -> Result<Vec<([u8; 32], Session)>, StoreError> {
    let rows = access::all_sound(tx, &SESSIONS, "WHERE expires_at > $1 AND idle_at > $1", &[now.into()]).await?;
    rows.iter().map(session_of).collect()
}

/// The sessions of one officer, in the same way.
///
/// # Errors
/// As [`in_force`].
pub async fn of_officer(
    tx: &mut Tx,
    organization: &OrganizationCode,
    officer: &str,
) -> Result<Vec<([u8; 32], Session)>, StoreError> {
    let rows = access::all_sound(tx, &SESSIONS, OF_OFFICER, &[organization.into(), officer.into()]).await?;
    rows.iter().map(session_of).collect()
}

/// Writes a session, new or as it is from now on.
pub(crate) async fn put(tx: &mut Tx, token_digest: &[u8; 32], session: &Session) -> Result<(), StoreError> {
    let known = access::find(tx, &SESSIONS, &[token_digest.as_slice().into()]).await?;
    let values = Values::of(&SESSIONS)
        .set("token_digest", token_digest.as_slice())
        .set("organization", &session.organization)
        .set("officer", session.officer.as_str())
        .set("terminal", session.terminal.as_str())
        .set("second_factor", session.second_factor.map_or(0, Timestamp::as_micros))
        .set("expires_at", session.expires_at)
        .set("idle_at", session.idle_at);
    access::put(tx, known.as_ref(), values).await
}

/// One session, in force or not.
///
/// # Errors
/// As [`in_force`].
pub async fn find(tx: &mut Tx, token_digest: &[u8; 32]) -> Result<Option<Session>, StoreError> {
    let row = access::find(tx, &SESSIONS, &[token_digest.as_slice().into()]).await?;
    Ok(row.as_ref().map(session_of).transpose()?.map(|(_, session)| session))
}

pub(crate) async fn end(tx: &mut Tx, token_digest: &[u8; 32]) -> Result<(), StoreError> {
    let binds = [token_digest.as_slice().into()];
    access::remove_sound(tx, &SESSIONS, "WHERE token_digest = $1", &binds).await
}

pub(crate) async fn end_all(tx: &mut Tx, organization: &OrganizationCode, officer: &str) -> Result<(), StoreError> {
    access::remove_sound(tx, &SESSIONS, OF_OFFICER, &[organization.into(), officer.into()]).await
}

/// Removes what has expired.
pub(crate) async fn forget_expired(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    access::remove_sound(tx, &SESSIONS, "WHERE expires_at <= $1 OR idle_at <= $1", &[now.into()]).await
}
