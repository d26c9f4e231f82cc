//! What hangs on a row, as that row's mark covers it: the files, transfers and broken glasses of a record, the centers of a
//! notice, the records of a list. Removed, added or set back, it is found by the row on which it hangs.

use uuid::Uuid;

use super::{
    access::{self, light},
    mark::Mark,
    notes::WholeState,
    row::{Row, Value, Values},
    table::MarkedTable,
    tables::{by_name, parts_of},
};
use crate::store::{error::StoreError, tx::Tx};

const BY_ID: &str = "WHERE id = $1";
/// Of a table that is partitioned by prefecture.
const RECORD_BY_ID: &str = "WHERE id = $1 AND prefecture = (SELECT prefecture FROM record_places WHERE id = $1)";

/// A row with parts by its id, where there is one and it and what hangs on it are what the gateway wrote.
///
/// # Errors
/// The database failed; [`StoreError::Refuted`] names what is wrong.
pub(crate) async fn whole(tx: &mut Tx, table: &'static MarkedTable, id: Uuid) -> Result<Option<Row>, StoreError> {
    let clause = if table.position("prefecture").is_some() { RECORD_BY_ID } else { BY_ID };
    let Some(row) = access::one(tx, table, clause, &[id.into()]).await? else { return Ok(None) };
    let key = (table.number, id.to_string());
    if !tx.rows.wholes.contains_key(&key) {
        check(tx, &row, id).await?;
        tx.rows.wholes.insert(key, WholeState::Checked);
    }
    Ok(Some(row))
}

/// Before a row that hangs on another is written: the other is looked at as it was, and gets a new mark in the end.
pub(super) async fn note_change(tx: &mut Tx, part: &Values) -> Result<(), StoreError> {
    let Some((table, column)) = part.table.hangs_on else { return Ok(()) };
    let table = by_name(table).ok_or(StoreError::Corrupt("table"))?;
    let at = part.table.position(column);
    let id = at.and_then(|at| part.values.get(at)).and_then(Value::as_id).ok_or(StoreError::Corrupt(column))?;
    let key = (table.number, id.to_string());
    if !tx.rows.wholes.contains_key(&key) {
        whole(tx, table, id).await?;
    }
    tx.rows.wholes.insert(key, WholeState::Changed);
    Ok(())
}

/// Gives the rows on which something was changed their new marks. What an effect did is complete by this.
///
/// # Errors
/// The database failed.
pub(crate) async fn settle(tx: &mut Tx) -> Result<(), StoreError> {
    let changed = tx.rows.wholes.iter().filter(|(_, whole)| **whole == WholeState::Changed);
    let changed: Vec<(u8, String)> = changed.map(|(key, _)| key.clone()).collect();
    for (number, id) in changed {
        let table = super::tables::ALL.into_iter().find(|table| table.number == number);
        let (Some(table), Ok(id)) = (table, Uuid::parse_str(&id)) else { return Err(StoreError::Corrupt("parts")) };
        // Where the row itself is gone, nothing hangs on it any more.
        if let Some(row) = whole(tx, table, id).await? {
            let guard = tx.rows.guard()?;
            let parts = guard.marker.parts(marks(tx, &row, id).await?);
            let values = row.values().set("parts", parts.to_vec());
            access::write_over(tx, &row, values).await?;
        }
        tx.rows.wholes.insert((number, id.to_string()), WholeState::Checked);
    }
    Ok(())
}

/// Holds what hangs on a row against what its mark says: each by its own mark, and all of them together, so that one which
/// was added, removed or set back is found as well.
pub(super) async fn check(tx: &mut Tx, row: &Row, id: Uuid) -> Result<(), StoreError> {
    let guard = tx.rows.guard()?;
    let parts = guard.marker.parts(marks(tx, row, id).await?);
    if row.bytes("parts")? == parts { Ok(()) } else { Err(guard.refute(row.table(), id.to_string())) }
}

/// The marks of all that hangs on a row, each right.
async fn marks(tx: &mut Tx, row: &Row, id: Uuid) -> Result<Vec<Mark>, StoreError> {
    let place = row.table().position("prefecture").map(|_| row.text("prefecture")).transpose()?;
    let mut marks = Vec::new();
    for table in parts_of(row.table()) {
        let (_, column) = table.hangs_on.ok_or(StoreError::Corrupt("parts"))?;
        let mut binds = vec![id.into()];
        let mut clause = format!("WHERE {column} = $1");
        if let (Some(place), Some(_)) = (place, table.position("prefecture")) {
            clause += " AND prefecture = $2";
            binds.push(place.into());
        }
        for raw in light(tx, table, &clause, &binds).await? {
            marks.push(access::checked(tx, raw.values, raw.mark.as_deref())?.mark);
        }
    }
    Ok(marks)
}
