//! What hangs on a row, as that row's mark covers it: the files, transfers and broken glasses of a record, the centers of a
//! notice, the records of a list. Removed, added or set back, it is found by the row on which it hangs.
//!
//! A transaction holds such a row against its parts once. From then on it knows the parts by what it did itself: what
//! somebody else does to them behind the gateway meanwhile is never taken into a mark.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    access::{self, light},
    mark::Mark,
    row::{Row, Value, Values, name_of},
    table::MarkedTable,
    tables::{by_name, parts_of},
};
use crate::store::{error::StoreError, tx::Tx};

const BY_ID: &str = "WHERE id = $1";
/// Of a table that is partitioned by prefecture.
pub(super) const RECORD_BY_ID: &str =
    "WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)";

/// The marks of what hangs on one row, by number of the table and name of the row.
pub(super) type PartMarks = BTreeMap<(u8, String), Mark>;

/// A row with parts, as far as one transaction has to do with it.
#[derive(Clone, Default)]
pub(super) struct WholeState {
    /// What hangs on it: as its mark says, and as this transaction changed it since.
    pub(super) parts: PartMarks,
    /// Whether its mark is not yet that of its parts.
    pub(super) is_changed: bool,
}

/// What names a row with parts: number of its table, its id.
pub(super) type WholeKey = (u8, Uuid);

/// A row with parts by its id, where there is one and it and what hangs on it are what the gateway wrote.
///
/// # Errors
/// The database failed; [`StoreError::Refuted`] names what is wrong.
pub(crate) async fn whole(tx: &mut Tx, table: &'static MarkedTable, id: Uuid) -> Result<Option<Row>, StoreError> {
    let clause = if table.position("prefecture").is_some() { RECORD_BY_ID } else { BY_ID };
    let key = [id.into()];
    let Some(row) = access::find_where(tx, table, clause, (&key, &key)).await? else { return Ok(None) };
    if !tx.rows.wholes.contains_key(&(table.number, id)) {
        let parts = check(tx, &row, id).await?;
        tx.rows.wholes.insert((table.number, id), WholeState { parts, is_changed: false });
    }
    Ok(Some(row))
}

/// Holds a row that hangs on another against that one: it may carry a right mark and have been set back all the same.
///
/// # Errors
/// As [`whole`].
pub(super) async fn hold(tx: &mut Tx, part: &Row) -> Result<(), StoreError> {
    let Some((table, id)) = bearer_of(&part.values)? else { return Ok(()) };
    let name = (part.table().number, name_of(&part.values));
    whole(tx, table, id).await?;
    let known = tx.rows.wholes.get(&(table.number, id)).and_then(|state| state.parts.get(&name));
    if known == Some(&part.mark) { Ok(()) } else { Err(tx.rows.guard()?.refute(part.table(), name.1)) }
}

/// Before a row that hangs on another is written: the other is looked at as it was, and gets a new mark in the end.
pub(super) async fn note_change(tx: &mut Tx, part: &Values) -> Result<(), StoreError> {
    let Some((table, id)) = bearer_of(part)? else { return Ok(()) };
    if !tx.rows.wholes.contains_key(&(table.number, id)) {
        whole(tx, table, id).await?;
    }
    tx.rows.wholes.entry((table.number, id)).or_default().is_changed = true;
    Ok(())
}

/// On which row another hangs.
pub(super) fn bearer_of(part: &Values) -> Result<Option<(&'static MarkedTable, Uuid)>, StoreError> {
    let Some((table, column)) = part.table.hangs_on else { return Ok(None) };
    let table = by_name(table).ok_or(StoreError::Corrupt("table"))?;
    let at = part.table.position(column);
    let id = at.and_then(|at| part.values.get(at)).and_then(Value::as_id).ok_or(StoreError::Corrupt(column))?;
    Ok(Some((table, id)))
}

/// Gives the rows on which something was changed their new marks. What an effect did is complete by this.
///
/// # Errors
/// The database failed.
pub(crate) async fn settle(tx: &mut Tx) -> Result<(), StoreError> {
    let changed = tx.rows.wholes.iter().filter(|(_, whole)| whole.is_changed);
    let changed: Vec<(WholeKey, Vec<Mark>)> =
        changed.map(|(key, whole)| (*key, whole.parts.values().copied().collect())).collect();
    for ((number, id), parts) in changed {
        let table = super::tables::ALL.into_iter().find(|table| table.number == number);
        let table = table.ok_or(StoreError::Corrupt("parts"))?;
        // Where the row itself is gone, nothing hangs on it any more.
        if let Some(row) = whole(tx, table, id).await? {
            let guard = tx.rows.guard()?;
            let values = row.values().set("parts", guard.marker.parts(parts).to_vec());
            access::write_over(tx, &row, values).await?;
        }
        tx.rows.wholes.entry((number, id)).or_default().is_changed = false;
    }
    Ok(())
}

/// Holds what hangs on a row against what its mark says: each by its own mark, and all of them together, so that one which
/// was added, removed or set back is found as well.
pub(super) async fn check(tx: &mut Tx, row: &Row, id: Uuid) -> Result<PartMarks, StoreError> {
    let parts = parts(tx, row, id).await?;
    let guard = tx.rows.guard()?;
    let is_right = row.bytes("parts")? == guard.marker.parts(parts.values().copied().collect());
    if is_right { Ok(parts) } else { Err(guard.refute(row.table(), id.to_string())) }
}

/// All that hangs on a row, each with a right mark.
async fn parts(tx: &mut Tx, row: &Row, id: Uuid) -> Result<PartMarks, StoreError> {
    let place = row.table().position("prefecture").map(|_| row.text("prefecture")).transpose()?;
    let mut parts = PartMarks::new();
    for table in parts_of(row.table()) {
        let (_, column) = table.hangs_on.ok_or(StoreError::Corrupt("parts"))?;
        let mut binds = vec![id.into()];
        let mut clause = format!("WHERE {column} = $1");
        if let (Some(place), Some(_)) = (place, table.position("prefecture")) {
            clause += " AND prefecture = $2";
            binds.push(place.into());
        }
        for raw in light(tx, table, &clause, &binds).await? {
            let part = access::checked(tx, raw.values, raw.mark.as_deref())?;
            parts.insert((table.number, name_of(&part.values)), part.mark);
        }
    }
    Ok(parts)
}
