//! Reports of batches: which line became which record, or which rules it breaks.

use uuid::Uuid;

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_optional},
};
use crate::{clock::Timestamp, domain::batch::BatchReport, identity::Caller};

pub(crate) async fn insert(
    tx: &mut Tx,
    caller: &Caller,
    at: Timestamp,
    report: &BatchReport,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(report).map_err(|_| StoreError::Corrupt("batch report"))?;
    execute!(
        tx,
        "/* insert_batch */ INSERT INTO batches (id, organization, officer, at, report) VALUES ($1, $2, $3, $4, $5)",
        report.batch,
        caller.organization().as_str(),
        caller.officer(),
        at.as_micros(),
        text,
    )?;
    Ok(())
}

/// The report of a batch that the caller's organization sent.
///
/// # Errors
/// The database failed.
pub async fn report(tx: &mut Tx, id: Uuid, caller: &Caller) -> Result<Option<BatchReport>, StoreError> {
    let row = fetch_optional!(
        tx,
        (String,),
        "/* batch_report */ SELECT report FROM batches WHERE id = $1 AND organization = $2",
        id,
        caller.organization().as_str(),
    )?;
    let read = |(report,): (String,)| serde_json::from_str(&report).map_err(|_| StoreError::Corrupt("batch report"));
    row.map(read).transpose()
}
