//! Outcomes of writes by their idempotency key. Outcomes hold ids, versions and states, never record data.

use super::{
    error::StoreError,
    rows::{
        access::{insert, one, remove_all},
        row::Values,
        tables::IDEMPOTENCY,
    },
    tx::Tx,
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
    let clause = "WHERE organization = $1 AND idempotency_key = $2";
    let row = one(tx, &IDEMPOTENCY, clause, &[organization.into(), key.into()]).await?;
    row.map(|row| Ok((row.bytes("request_digest")?.to_vec(), row.text("outcome")?.to_owned()))).transpose()
}

/// Outcomes that are forgotten at a time: nobody may wait for more.
const MAX_FORGOTTEN: i64 = 5_000;

/// Removes the oldest outcomes from before a time; returns whether there may be more of them.
pub(crate) async fn forget_before(tx: &mut Tx, at: Timestamp) -> Result<bool, StoreError> {
    let clause = "WHERE (organization, idempotency_key) IN
             (SELECT organization, idempotency_key FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2)";
    let forgotten = remove_all(tx, &IDEMPOTENCY, clause, &[at.into(), MAX_FORGOTTEN.into()]).await?;
    Ok(forgotten == MAX_FORGOTTEN as u64)
}

pub(crate) async fn remember(
    tx: &mut Tx,
    organization: &OrganizationCode,
    idempotency: &Idempotency,
    outcome: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let values = Values::of(&IDEMPOTENCY)
        .set("organization", organization)
        .set("idempotency_key", idempotency.key.as_str())
        .set("request_digest", idempotency.digest.as_slice())
        .set("outcome", outcome)
        .set("at", at);
    insert(tx, values).await
}
