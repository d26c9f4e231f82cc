//! Outcomes of writes by their idempotency key. Outcomes hold ids, versions and states, never record data.

use super::{StoreError, Tx, execute, fetch_optional};
use crate::{clock::Timestamp, disclosure::journal::Idempotency, domain::organization::OrganizationCode};

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
