//! What was written, as the heads of all nodes say: the sums over the marks of each table.

use base64::{Engine, prelude::BASE64_STANDARD};
use uuid::Uuid;

use super::{access::raw, guard::RowGuard, mark::tag_of, row::name_of, sums::Sums, table::MarkedTable};
use crate::{
    ledger::entry::Entry,
    store::{
        error::StoreError,
        tx::{Tx, fetch_all, fetch_optional},
    },
};

/// What an entry says of the rows, and the entry's id.
pub type RowsSaid = (Uuid, String);

/// What one node added to the sums and took away: as its head row says, and as its log has it last.
///
/// # Errors
/// The head row was edited or set back.
pub async fn own_sums(
    tx: &mut Tx,
    guard: &RowGuard,
    node: &str,
    logged: Option<&RowsSaid>,
) -> Result<Sums, StoreError> {
    let (size, sums) = sealed_sums(tx, guard, node).await?;
    match logged {
        Some((entry, said)) if *said == BASE64_STANDARD.encode(guard.marker.head(node, *entry, &sums)) => Ok(sums),
        // What a new database is made with comes before the first entry.
        None if size == 0 || sums.is_empty() => Ok(sums),
        _ => Err(StoreError::Corrupt("the sums over rows are not what the ledger says of them")),
    }
}

/// The size of a node's log and its sums, as the head row says.
///
/// # Errors
/// The database failed, or the sums do not open.
pub async fn sealed_sums(tx: &mut Tx, guard: &RowGuard, node: &str) -> Result<(i64, Sums), StoreError> {
    let row = fetch_optional!(
        tx,
        (i64, Option<Vec<u8>>),
        "/* own_sums */ SELECT size, sealed_sums FROM ledger_heads WHERE node = $1",
        node,
    )?;
    let (size, sealed) = row.unwrap_or_default();
    let sums = sealed.map(|sealed| guard.marker.open_sums(node, &sealed)).transpose()?;
    Ok((size, sums.unwrap_or_default()))
}

/// What a node's log says last of the rows.
///
/// # Errors
/// The database failed.
pub async fn last_said(tx: &mut Tx, node: &str) -> Result<Option<RowsSaid>, StoreError> {
    let mut before = i64::MAX;
    loop {
        let rows = fetch_all!(
            tx,
            (i64, Vec<u8>),
            "/* last_said */ SELECT position, body FROM ledger WHERE node = $1 AND position < $2
             ORDER BY position DESC LIMIT 1000",
            node,
            before,
        )?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        before = *last;
        let said = rows.iter().find_map(|(_, body)| {
            let entry = Entry::from_bytes(body)?;
            Some((entry.id, entry.rows?))
        });
        if said.is_some() {
            return Ok(said);
        }
    }
}

/// The sums of all nodes, each held against what its log says last: what the tables should hold.
///
/// # Errors
/// The database failed, or a head row was edited or set back.
pub async fn vouched_sums(tx: &mut Tx, guard: &RowGuard) -> Result<Sums, StoreError> {
    let nodes = fetch_all!(tx, (String,), "/* nodes_of_sums */ SELECT node FROM ledger_heads")?;
    let mut written = Sums::default();
    for (node,) in nodes {
        let said = last_said(tx, &node).await?;
        written.merge(&own_sums(tx, guard, &node, said.as_ref()).await?);
    }
    Ok(written)
}

/// The sums of all nodes: what the tables should hold.
///
/// # Errors
/// The database failed, or a head row was edited.
pub async fn written_sums(tx: &mut Tx, guard: &RowGuard) -> Result<Sums, StoreError> {
    let rows =
        fetch_all!(tx, (String, Option<Vec<u8>>), "/* written_sums */ SELECT node, sealed_sums FROM ledger_heads")?;
    let mut written = Sums::default();
    for (node, sealed) in rows {
        if let Some(sealed) = sealed {
            written.merge(&guard.marker.open_sums(&node, &sealed)?);
        }
    }
    Ok(written)
}

/// Remembers the marks of every row of a small table; returns what they add up to. A row that is not what the gateway wrote
/// is set aside.
///
/// # Errors
/// The database failed.
pub async fn remember(tx: &mut Tx, table: &'static MarkedTable) -> Result<Sums, StoreError> {
    let guard = tx.rows.guard()?;
    let (mut sums, mut tags) = (Sums::default(), Vec::new());
    for raw in raw(tx, table, "", &[]).await? {
        match raw.checked(&guard) {
            Ok(row) => {
                sums.add(table, guard.marker.share(&row.mark));
                tags.push((guard.remembered.key(table.number, &name_of(&row.values)), tag_of(&row.mark)));
            }
            Err(StoreError::Refuted(_)) => {}
            Err(error) => return Err(error),
        }
    }
    guard.remembered.remember(tags);
    Ok(sums)
}
