//! The newest revocation lists that were ever in force: after a restart an older one is not taken either.

use super::{
    error::StoreError,
    rows::{
        access,
        row::{Row, Values},
        tables::REVOCATION_LISTS_SEEN,
    },
    tx::Tx,
};
use crate::identity::verifier::ListMark;

/// How new the lists are that were in force, of every CA. None is left out: an older list would be taken.
///
/// # Errors
/// The database failed.
pub async fn lists_seen(tx: &mut Tx) -> Result<Vec<ListMark>, StoreError> {
    access::all(tx, &REVOCATION_LISTS_SEEN, "", &[]).await?.iter().map(mark_of).collect()
}

fn mark_of(row: &Row) -> Result<ListMark, StoreError> {
    Ok(ListMark {
        issuer: row.text("issuer")?.to_owned(),
        number: row.text("list_number")?.to_owned(),
        issued_at: row.at("issued_at")?,
    })
}

/// Remembers a list, unless a newer one is known: another node may have had it first.
pub(crate) async fn remember_list(tx: &mut Tx, mark: &ListMark) -> Result<(), StoreError> {
    let seen = access::find(tx, &REVOCATION_LISTS_SEEN, &[mark.issuer.as_str().into()]).await?;
    if let Some(row) = &seen
        && mark.is_older_than(&mark_of(row)?)
    {
        return Ok(());
    }
    let values = Values::of(&REVOCATION_LISTS_SEEN)
        .set("issuer", mark.issuer.as_str())
        .set("list_number", mark.number.as_str())
        .set("issued_at", mark.issued_at);
    access::put(tx, seen.as_ref(), values).await
}
