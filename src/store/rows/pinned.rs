//! Names the rows of a table that are not as the ledger has them: where the sum over the table is wrong, or rows are.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    access::{RawRow, light},
    chronicle::{Chronicle, ChronicleRow},
    guard::RowGuard,
    mark::{Mark, tag_of},
    name::{Differs, RowName},
    review::{keys, page_clause},
    row::name_of,
    sums::Sum,
    table::MarkedTable,
    tables::RECORDS,
};
use crate::{
    domain::organization::OrganizationCode,
    planted::Planted,
    store::{error::StoreError, tx::Tx},
};

/// Rows read at a time.
const PAGE: i64 = 4_096;

/// Sets every row of a table aside that is not as the ledger has it, by its name; memory takes each from then on only as the
/// ledger has it. Returns their names; `None` where the ledger is not borne out by the sums, so that nothing is known.
///
/// # Errors
/// The database failed.
pub(crate) async fn pin(
    tx: &mut Tx,
    table: &'static MarkedTable,
    chronicle: &Chronicle,
    written: Sum,
) -> Result<Option<Vec<RowName>>, StoreError> {
    let guard = tx.rows.guard()?;
    if Planted::NameNobody.is_planted() {
        return Ok(Some(Vec::new()));
    }
    let Some(mut expected) = chronicle.proven(table, written, &guard) else { return Ok(None) };
    let (mut after, mut pinned) = (None, Vec::new());
    let named = |row: &String| RowName { table: table.name, row: row.clone() };
    loop {
        let (clause, binds) = page_clause(table, after.as_deref(), PAGE);
        let page = light(tx, table, &clause, &binds).await?;
        let Some(last) = page.last() else { break };
        after = Some(keys(&last.values));
        for raw in page {
            let name = name_of(&raw.values);
            if !is_expected(&guard, raw, expected.remove(&name)) {
                pinned.push(named(&name));
            }
        }
    }
    pinned.extend(expected.keys().map(named));
    removed(&guard, table, expected);
    Ok(Some(pinned))
}

/// Whether a row is as the ledger has it; where not, it is set aside.
fn is_expected(guard: &RowGuard, raw: RawRow, expected: Option<ChronicleRow>) -> bool {
    let (table, name) = (raw.values.table, name_of(&raw.values));
    let right: Mark = guard.marker.mark(&raw.values);
    let is_sound = raw.mark.as_deref() == Some(right.as_slice());
    let how = match &expected {
        Some(row) if is_sound && row.mark == right => return true,
        Some(_) if is_sound => Differs::SetBack,
        Some(_) => Differs::Edited,
        None if is_sound => Differs::BroughtBack,
        None => Differs::Edited,
    };
    if is_sound {
        guard.remembered.correct(guard.remembered.key(table.number, &name), tag_of(&right), expected.as_ref().map(tag));
    }
    guard.refute_as(table, name.clone(), how);
    set_record_aside(guard, table, &name, expected.as_ref());
    false
}

/// Rows that should be there and are not.
fn removed(guard: &RowGuard, table: &'static MarkedTable, missing: BTreeMap<String, ChronicleRow>) {
    for (name, row) in missing {
        guard.remembered.remember([(guard.remembered.key(table.number, &name), tag(&row))]);
        guard.note_removed(table, &name);
        set_record_aside(guard, table, &name, Some(&row));
        guard.refute_as(table, name, Differs::Removed);
    }
}

fn tag(row: &ChronicleRow) -> u64 {
    tag_of(&row.mark)
}

/// A record that is not as it should be is not found: whoever looks for it has to know that. One that should not be there is
/// missed by nobody.
fn set_record_aside(guard: &RowGuard, table: &MarkedTable, name: &str, expected: Option<&ChronicleRow>) {
    let (true, Ok(id)) = (*table == RECORDS, Uuid::parse_str(name)) else { return };
    let owner = expected.and_then(|row| OrganizationCode::parse(row.owner.as_deref()?));
    match owner {
        Some(owner) => guard.set_record_aside(id, owner.prefecture(), Some(owner.clone())),
        None => guard.forget_set_aside(id),
    }
}
