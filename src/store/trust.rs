//! The newest revocation lists that were ever in force: after a restart an older one is not taken either.

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all},
};
use crate::{clock::Timestamp, identity::verifier::ListMark};

/// How new the lists are that were in force, of every CA.
///
/// # Errors
/// The database failed.
pub async fn lists_seen(tx: &mut Tx) -> Result<Vec<ListMark>, StoreError> {
    let rows = fetch_all!(
        tx,
        (String, String, i64),
        "/* lists_seen */ SELECT issuer, list_number, issued_at FROM revocation_lists_seen"
    )?;
    let mark = |(issuer, number, at): (String, String, i64)| ListMark {
        issuer,
        number,
        issued_at: Timestamp::from_micros(at),
    };
    Ok(rows.into_iter().map(mark).collect())
}

/// Remembers a list, unless a newer one is known: another node may have had it first.
pub(crate) async fn remember_list(tx: &mut Tx, mark: &ListMark) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* remember_list */ INSERT INTO revocation_lists_seen AS seen (issuer, list_number, issued_at)
         VALUES ($1, $2, $3)
         ON CONFLICT (issuer) DO UPDATE SET list_number = excluded.list_number, issued_at = excluded.issued_at
         WHERE CASE WHEN excluded.list_number = '' OR seen.list_number = '' THEN excluded.issued_at >= seen.issued_at
             ELSE (length(excluded.list_number), excluded.list_number) >= (length(seen.list_number), seen.list_number)
             END",
        mark.issuer.as_str(),
        mark.number.as_str(),
        mark.issued_at.as_micros(),
    )?;
    Ok(())
}
