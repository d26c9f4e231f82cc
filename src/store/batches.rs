//! Reports of batches: which line became which record, or which rules it breaks.

use uuid::Uuid;

use super::{
    error::StoreError,
    rows::{access, row::Values, tables::BATCHES},
    tx::Tx,
};
use crate::{clock::Timestamp, domain::batch::BatchReport, identity::Caller};

pub(crate) async fn insert(
    tx: &mut Tx,
    caller: &Caller,
    at: Timestamp,
    report: &BatchReport,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(report).map_err(|_| StoreError::Corrupt("batch report"))?;
    let values = Values::of(&BATCHES)
        .set("id", report.batch)
        .set("organization", caller.organization())
        .set("officer", caller.officer())
        .set("at", at)
        .set("report", text);
    access::insert(tx, values).await
}

/// The report of a batch that the caller's organization sent.
///
/// # Errors
/// The database failed.
pub async fn report(tx: &mut Tx, id: Uuid, caller: &Caller) -> Result<Option<BatchReport>, StoreError> {
    let binds = [id.into(), caller.organization().into()];
    let row = access::one(tx, &BATCHES, "WHERE id = $1 AND organization = $2", &binds).await?;
    let Some(row) = row else { return Ok(None) };
    serde_json::from_str(row.text("report")?).map(Some).map_err(|_| StoreError::Corrupt("batch report"))
}
