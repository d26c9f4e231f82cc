//! Goes through every row of every table, and names what is not what the gateway wrote.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    access::{RawRow, light},
    guard::RowGuard,
    mark::tag_of,
    name::RowName,
    parts,
    row::{Row, Value, Values, name_of},
    sums::Sums,
    table::{MarkedTable, Weight},
    tables::{self, INBOX, RECORD_VERSIONS},
    written::vouched_sums,
};
use crate::store::{
    error::StoreError,
    tx::{On, Tx, fetch_all},
};

/// Rows read at a time.
const PAGE: i64 = 1_024;

/// What one review came to.
#[derive(Debug, Default)]
pub struct Review {
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows that are not what the gateway wrote, and tables of which rows were removed, brought back or set back.
    pub refuted: Vec<RowName>,
    /// Rows of the table under review that memory knows otherwise.
    differing: Vec<String>,
}

/// Goes through every table in one consistent state of the database. Memory learns the marks of records that it did not
/// know yet.
///
/// # Errors
/// The database failed.
pub async fn review(tx: &mut Tx) -> Result<Review, StoreError> {
    let guard = tx.rows.guard()?;
    let written = vouched_sums(tx, &guard).await?;
    let mut review = Review::default();
    for table in tables::ALL {
        let there = review_table(tx, &guard, table, &mut review).await?;
        // What memory knows otherwise may have been written since the review began: only where the sum is wrong as well
        // was a row set back.
        let differing = std::mem::take(&mut review.differing);
        if there.of(table) != written.of(table) && !review.refuted.iter().any(|name| name.table == table.name) {
            let (there, written) = (there.of(table).rows, written.of(table).rows);
            review.note(&guard, table, format!("{there} rows of {written}"));
            differing.into_iter().for_each(|row| review.note(&guard, table, row));
        }
    }
    if let On::Postgres(_) = tx.on {
        review_derived(tx, &mut review).await?;
    }
    Ok(review)
}

/// What PostgreSQL keeps beside the tables, held against them: where each record lies, and the last position of each inbox.
async fn review_derived(tx: &mut Tx, review: &mut Review) -> Result<(), StoreError> {
    let places = fetch_all!(
        tx,
        (String,),
        "/* review_places */ SELECT COALESCE(r.id, p.id)::text FROM records r FULL JOIN record_places p ON p.id = r.id
         WHERE p.prefecture IS DISTINCT FROM r.prefecture LIMIT 100"
    )?;
    let positions = fetch_all!(
        tx,
        (String,),
        "/* review_positions */ SELECT p.organization FROM inbox_positions p WHERE p.position IS DISTINCT FROM
             (SELECT MAX(i.position) FROM inbox i WHERE i.organization = p.organization) LIMIT 100"
    )?;
    for (table, rows) in [("record_places", places), ("inbox_positions", positions)] {
        for (row,) in rows {
            tracing::error!(table, row, "what is kept beside the rows does not fit them");
            review.refuted.push(RowName { table, row });
        }
    }
    Ok(())
}

impl Review {
    fn note(&mut self, guard: &RowGuard, table: &'static MarkedTable, row: String) {
        guard.refute(table, row.clone());
        self.refuted.push(RowName { table: table.name, row });
    }
}

async fn review_table(
    tx: &mut Tx,
    guard: &RowGuard,
    table: &'static MarkedTable,
    review: &mut Review,
) -> Result<Sums, StoreError> {
    let (mut sums, mut after) = (Sums::default(), None);
    let mut runs = Runs::of(table);
    loop {
        let page = page(tx, table, after.as_deref()).await?;
        let Some(last) = page.last() else { break };
        after = Some(keys(&last.values));
        let mut tags = Vec::new();
        for raw in page {
            review.rows += 1;
            let name = name_of(&raw.values);
            match raw.marked(guard) {
                Ok(row) => {
                    sums.add(table, guard.marker.share(&row.mark()));
                    if table.is_remembered {
                        let (key, tag) = (guard.remembered.key(table.number, &name), tag_of(&row.mark()));
                        if !guard.remembered.knows(table.number, key, tag) {
                            review.differing.push(name);
                        }
                        tags.push((key, tag));
                    }
                    for missing in runs.follow(&row)? {
                        review.note(guard, table, missing);
                    }
                    if table.has_parts()
                        && let Err(StoreError::Refuted(name)) = parts::check(tx, &row, row.id("id")?).await
                    {
                        review.refuted.push(*name);
                    }
                }
                Err(StoreError::Refuted(name)) => review.refuted.push(*name),
                Err(error) => return Err(error),
            }
        }
        guard.remembered.remember(tags);
    }
    if *table == RECORD_VERSIONS {
        for missing in missing_versions(tx).await? {
            if !review.refuted.iter().any(|name| name.table == table.name && name.row == missing) {
                review.note(guard, table, missing);
            }
        }
    }
    Ok(sums)
}

/// What is numbered from 1 without a gap: the versions of a record, the messages of an inbox.
struct Runs {
    numbered: Option<(&'static str, &'static str)>,
    last: BTreeMap<String, i64>,
}

impl Runs {
    fn of(table: &'static MarkedTable) -> Self {
        let numbered = if *table == RECORD_VERSIONS {
            Some(("record", "version"))
        } else if *table == INBOX {
            Some(("organization", "position"))
        } else {
            None
        };
        Self { numbered, last: BTreeMap::new() }
    }

    /// Names of the rows that are missing before this one.
    fn follow(&mut self, row: &Row) -> Result<Vec<String>, StoreError> {
        let Some((of, number)) = self.numbered else { return Ok(Vec::new()) };
        let of = match row.optional_id(of)? {
            Some(id) => id.to_string(),
            None => row.text(of)?.to_owned(),
        };
        let number = row.int(number)?;
        let last = self.last.insert(of.clone(), number).unwrap_or(0);
        Ok((last + 1..number).map(|missing| format!("{of}:{missing}")).collect())
    }
}

/// The newest versions that records say they have, and that are not there.
async fn missing_versions(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let missing = fetch_all!(
        tx,
        (Uuid, i64),
        "/* missing_versions */ SELECT r.id, r.version FROM records r WHERE NOT EXISTS (
             SELECT 1 FROM record_versions v WHERE v.record = r.id AND v.prefecture = r.prefecture AND v.version = r.version)"
    )?;
    Ok(missing.into_iter().map(|(record, version)| format!("{record}:{version}")).collect())
}

/// The values by which a table is gone through in order.
fn keys(values: &Values) -> Vec<Value> {
    let columns = values.table.columns.iter().zip(&values.values);
    columns
        .filter(|(column, _)| is_key(column.weight, column.locates, column.name))
        .map(|(_, value)| value.clone())
        .collect()
}

fn is_key(weight: Weight, locates: bool, name: &str) -> bool {
    weight == Weight::Key || (locates && name == "position")
}

/// The rows that follow, in the order of their keys.
async fn page(tx: &mut Tx, table: &'static MarkedTable, after: Option<&[Value]>) -> Result<Vec<RawRow>, StoreError> {
    let names: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| is_key(column.weight, column.locates, column.name))
        .map(|column| column.name)
        .collect();
    let order = names.join(", ");
    let mut binds = after.unwrap_or_default().to_vec();
    let places: Vec<String> = (1..=binds.len()).map(|number| format!("${number}")).collect();
    let clause = if places.is_empty() { String::new() } else { format!("WHERE ({order}) > ({})", places.join(", ")) };
    binds.push(PAGE.into());
    light(tx, table, &format!("{clause} ORDER BY {order} LIMIT ${}", binds.len()), &binds).await
}
