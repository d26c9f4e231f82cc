//! Marks the rows of a database from before rows were authenticated, as they stand: what they say is trusted from
//! then on.

use sqlx::AssertSqlSafe;

use super::{
    access::{RawRow, light, locating, where_located},
    mark::{Mark, RowMove},
    review::{keys, page_clause},
    row::{Value, name_of},
    sums::Sums,
    table::{ColumnKind, MarkedTable},
    tables,
};
use crate::store::{
    error::StoreError,
    tx::{On, Tx},
};

/// Rows read at a time.
const PAGE: i64 = 4_096;

/// What was trusted.
#[derive(Default)]
pub(crate) struct TrustedAll {
    /// Rows of each table.
    pub counts: Vec<(&'static str, i64)>,
    pub sums: Sums,
    /// For the ledger: the marks of the rows that memory remembers.
    pub moves: Vec<RowMove>,
}

/// Marks every row of every table, what hangs on a row before that row.
///
/// # Errors
/// The database failed.
pub(crate) async fn trust_all(tx: &mut Tx) -> Result<TrustedAll, StoreError> {
    let mut trusted = TrustedAll::default();
    let (parts, wholes): (Vec<_>, Vec<_>) = tables::ALL.into_iter().partition(|table| table.hangs_on.is_some());
    for table in parts.iter().chain(&wholes) {
        trust(tx, table, &mut trusted).await?;
    }
    trusted.counts = tables::ALL.into_iter().map(|table| (table.name, trusted.sums.of(table).rows)).collect();
    Ok(trusted)
}

async fn trust(tx: &mut Tx, table: &'static MarkedTable, trusted: &mut TrustedAll) -> Result<(), StoreError> {
    let guard = tx.rows.guard()?;
    let mut after = None;
    loop {
        let (clause, binds) = page_clause(table, after.as_deref(), PAGE);
        let page = light(tx, table, &clause, &binds).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(keys(&last.values));
        for RawRow { values, .. } in page {
            let values = if table.has_parts() {
                let id = values.id("id").ok_or(StoreError::Corrupt("id"))?;
                let parts = guard.marker.parts(marks_of(tx, table, id).await?);
                set_bytes(tx, &values, "parts", &parts).await?;
                values.set("parts", parts.as_slice())
            } else {
                values
            };
            let mark = guard.marker.mark(&values);
            set_bytes(tx, &values, "mark", &mark).await?;
            trusted.sums.add(table, guard.marker.share(&mark));
            if table.is_remembered {
                let owner = values.text("owner").map(str::to_owned);
                let (table, row) = (table.number, name_of(&values));
                trusted.moves.push(RowMove { table, row, old: None, new: Some(mark), owner });
            }
        }
    }
}

async fn marks_of(tx: &mut Tx, table: &'static MarkedTable, id: uuid::Uuid) -> Result<Vec<Mark>, StoreError> {
    let mut marks = Vec::new();
    for part in tables::parts_of(table) {
        let (_, column) = part.hangs_on.ok_or(StoreError::Corrupt("parts"))?;
        for row in light(tx, part, &format!("WHERE {column} = $1"), &[id.into()]).await? {
            let mark = row.mark.and_then(|mark| mark.try_into().ok());
            marks.push(mark.ok_or(StoreError::Corrupt("mark"))?);
        }
    }
    Ok(marks)
}

async fn set_bytes(
    tx: &mut Tx,
    values: &super::row::Values,
    column: &'static str,
    bytes: &Mark,
) -> Result<(), StoreError> {
    let (name, found) = (values.table.name, where_located(values.table, 2, false));
    let sql = AssertSqlSafe(format!("/* trust_{name} */ UPDATE {name} SET {column} = $1 {found}"));
    macro_rules! run {
        ($tx:expr) => {{
            let query = sqlx::query(sql).bind(bytes.to_vec());
            let query = locating(values).fold(query, |query, (column, value): (_, &Value)| match column.kind {
                ColumnKind::Id => query.bind(value.as_id()),
                ColumnKind::Text => query.bind(value.as_text().map(str::to_owned)),
                ColumnKind::Int => query.bind(value.as_int()),
                ColumnKind::Bytes => query.bind(value.as_bytes().map(<[u8]>::to_vec)),
            });
            query.execute(&mut **$tx).await?.rows_affected()
        }};
    }
    let done = match &mut tx.on {
        On::Sqlite(tx) => run!(tx),
        On::Postgres(tx) => run!(tx),
    };
    if done == 1 { Ok(()) } else { Err(StoreError::Corrupt("a row that cannot be found again by its key")) }
}
