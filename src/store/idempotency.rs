//! Outcomes of writes by their idempotency key. Outcomes hold ids, versions and states, never record data.

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_optional},
};
use crate::{
    clock::Timestamp,
    domain::{idempotency::Idempotency, organization::OrganizationCode},
};

/// Digest of the request and outcome stored under a key.
///
/// # Errors
/// The database failed.
pub async fn outcome_of(
    tx: &mut Tx,
    organization: &OrganizationCode,
    key: &str,
) -> Result<Option<(Vec<u8>, String)>, StoreError> {
    fetch_optional!(
        tx,
        (Vec<u8>, String),
        "/* outcome_of */ SELECT request_digest, outcome FROM idempotency
         WHERE organization = $1 AND idempotency_key = $2",
        organization.as_str(),
        key,
    )
}

/// Outcomes that are forgotten at a time: nobody may wait for more.
const MAX_FORGOTTEN: i64 = 5_000;

/// Removes the oldest outcomes from before a time; returns whether there may be more of them.
pub(crate) async fn forget_before(tx: &mut Tx, at: Timestamp) -> Result<bool, StoreError> {
    let forgotten = execute!(
        tx,
        "/* forget_outcomes */ DELETE FROM idempotency WHERE (organization, idempotency_key) IN
             (SELECT organization, idempotency_key FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2)",
        at.as_micros(),
        MAX_FORGOTTEN,
    )?;
    Ok(forgotten == MAX_FORGOTTEN as u64)
}

pub(crate) async fn remember(
    tx: &mut Tx,
    organization: &OrganizationCode,
    idempotency: &Idempotency,
    outcome: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* remember */ INSERT INTO idempotency (organization, idempotency_key, request_digest, outcome, at)
         VALUES ($1, $2, $3, $4, $5)",
        organization.as_str(),
        idempotency.key.as_str(),
        idempotency.digest.as_slice(),
        outcome,
        at.as_micros(),
    )?;
    Ok(())
}
