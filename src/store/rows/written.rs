//! What was written, as the heads of all nodes say: the sums over the marks of each table.

use uuid::Uuid;

use super::{
    access::light,
    guard::RowGuard,
    mark::{split_word, tag_of},
    name::{Differs, RowName},
    row::name_of,
    sums::Sums,
    table::MarkedTable,
};
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
        Some((entry, said))
            if split_word(said).is_some_and(|(head, _)| head == guard.marker.head(node, *entry, &sums)) =>
        {
            Ok(sums)
        }
        // What a new database is made with comes before the first entry.
        None if size == 0 || sums.is_empty() => Ok(sums),
        _ => Err(not_as_logged(guard, node)),
    }
}

/// The sums of a node's head row are not what its log says of them.
fn not_as_logged(guard: &RowGuard, node: &str) -> StoreError {
    let name = RowName { table: "ledger_heads", row: node.to_owned() };
    guard.refute_name(name.clone(), Differs::Edited);
    StoreError::Refuted(Box::new(name))
}

/// The size of a node's log and its sums, as the head row says.
///
/// # Errors
/// The database failed; the sums do not open, and the node's head row is named.
pub async fn sealed_sums(tx: &mut Tx, guard: &RowGuard, node: &str) -> Result<(i64, Sums), StoreError> {
    let row = fetch_optional!(
        tx,
        (i64, Option<Vec<u8>>),
        "/* own_sums */ SELECT size, sealed_sums FROM ledger_heads WHERE node = $1",
        node,
    )?;
    let (size, sealed) = row.unwrap_or_default();
    let sums = sealed.map(|sealed| guard.marker.open_sums(node, &sealed)).transpose();
    let sums = sums.map_err(|_| not_as_logged(guard, node))?;
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

/// Whether any node's log says anything of rows.
///
/// # Errors
/// The database failed.
pub async fn said_of_rows(tx: &mut Tx) -> Result<bool, StoreError> {
    for node in nodes(tx).await? {
        if last_said(tx, &node).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn nodes(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let nodes = fetch_all!(tx, (String,), "/* nodes_of_sums */ SELECT node FROM ledger_heads")?;
    Ok(nodes.into_iter().map(|(node,)| node).collect())
}

/// The sums of all nodes, each held against what its log says last: what the tables should hold.
///
/// # Errors
/// The database failed, or a head row was edited or set back.
pub async fn vouched_sums(tx: &mut Tx, guard: &RowGuard) -> Result<Sums, StoreError> {
    let mut written = Sums::default();
    for node in nodes(tx).await? {
        let said = last_said(tx, &node).await?;
        written.merge(&own_sums(tx, guard, &node, said.as_ref()).await?);
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
    for raw in light(tx, table, "", &[]).await? {
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
