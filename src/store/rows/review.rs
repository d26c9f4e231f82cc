//! Goes through every row of every table, and names what is not what the gateway wrote.
//!
//! Rows are read a page at a time, each page in a transaction of its own, so that no long one keeps the write-ahead log, or
//! what the server has to clean up. What each step proves:
//!
//! - *A page*: each row was, at that moment, one that the gateway wrote; what hangs on it fits it; bodies and files open.
//! - *The sum of a table*: in one transaction that reads marks alone, the marks are those that the ledger commits to. None was
//!   removed, added, brought back or set back.
//! - *The chronicle*, where a sum is wrong, in that same transaction: which row it is.
//!
//! A row that is written meanwhile is looked at as it was before or after; what is done to it later is found when it is read.

use std::{collections::BTreeMap, time::Instant};

use uuid::Uuid;

use super::{
    access::{RawRow, keyed, light, raw},
    chronicle::Chronicle,
    guard::RowGuard,
    mark::tag_of,
    name::{Differs, RowName},
    parts::{self, RECORD_BY_ID},
    pinned::pin,
    remembered::ReadWhen,
    row::{Row, Value, Values, name_of},
    sums::{Sum, Sums},
    table::{MarkedTable, Weight},
    tables::{self, ATTACHMENTS, DRAFTS, INBOX, RECORD_VERSIONS, RECORDS},
    written::vouched_sums,
};
use crate::{
    keys::vault::{Key, Vault},
    planted::Planted,
    store::{
        attachments, drafts,
        error::StoreError,
        open::Store,
        tx::{Tx, fetch_all},
        versions,
    },
};

/// Marks read at a time.
const MARKS: i64 = 8_192;

/// How much of the machine a review takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As much as there is.
    Alone,
    /// Half of the time, in pieces so small that no call waits long for one.
    BesideCalls,
}

impl Pace {
    /// Rows of a page, of so many at most.
    fn rows(self, most: i64) -> i64 {
        match self {
            Self::Alone => most,
            Self::BesideCalls => (most / 8).max(1),
        }
    }

    /// Leaves the machine to others after a page that was begun at a moment.
    async fn rest(self, begun: Instant) {
        match self {
            Self::Alone => tokio::task::yield_now().await,
            Self::BesideCalls => tokio::time::sleep(begun.elapsed()).await,
        }
    }
}

/// Missing rows of one run that are named one by one: a number that somebody made up leaves billions out.
const NAMED_MISSING: i64 = 100;

/// What one review came to.
#[derive(Debug, Default)]
pub struct Review {
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows that are not what the gateway wrote, and tables of which rows were removed, brought back or set back.
    pub refuted: Vec<RowName>,
    /// Whether every record was looked at: memory knows of each from then on.
    pub knows_all_records: bool,
    /// Rows of the table under review that memory knows otherwise.
    differing: Vec<String>,
    /// Whether rows of the table under review seem to be missing.
    has_gap: bool,
}

/// Goes through every table. Memory learns the marks of records that it did not know yet.
///
/// # Errors
/// The database failed.
pub async fn review(store: &Store, vault: &Vault, pace: Pace) -> Result<Review, StoreError> {
    let guard = store.guard().ok_or(StoreError::Unguarded)?;
    let mut review = Review::default();
    for table in tables::ALL {
        match review_table(store, (&guard, vault), table, pace, &mut review).await {
            Ok(()) => {}
            Err(StoreError::Refuted(name)) => review.refuted.push(*name),
            Err(error) if error.is_outage() => return Err(error),
            // It cannot be looked at: that is told as well, and stops the look at no other table.
            Err(error) => {
                tracing::error!(table = table.name, %error, "a table cannot be looked at");
                review.note(&guard, table, "the table".to_owned());
            }
        }
        review.differing.clear();
        review.has_gap = false;
    }
    if store.is_shared() {
        review_derived(&mut store.read().await?, &guard, &mut review).await?;
    }
    review.refuted.sort();
    review.refuted.dedup();
    Ok(review)
}

/// Holds what stands beside the entries of every log, and would name a row that is removed or set back, against what the
/// entries say of it. Returns the entries where it is something else.
///
/// # Errors
/// The database failed.
pub async fn review_chronicle(store: &Store) -> Result<Vec<RowName>, StoreError> {
    let guard = store.guard().ok_or(StoreError::Unguarded)?;
    let nodes = Chronicle::nodes(&mut store.read().await?).await?;
    let mut damaged = Vec::new();
    for node in nodes {
        let mut next = Some(0);
        while let Some(from) = next {
            // Of the marks themselves nothing is kept.
            let mut page = Chronicle::default();
            next = page.read_page(&mut store.read().await?, &guard, &node, from).await?;
            damaged.extend(page.damaged);
        }
    }
    Ok(damaged)
}

/// What PostgreSQL keeps beside the tables, held against them: where each record lies, and the last position of each inbox.
async fn review_derived(tx: &mut Tx, guard: &RowGuard, review: &mut Review) -> Result<(), StoreError> {
    let places = fetch_all!(
        tx,
        (String,),
        "/* review_places */ SELECT COALESCE(r.id, p.id)::text FROM records r FULL JOIN record_places p ON p.id = r.id
         WHERE p.prefecture IS DISTINCT FROM r.prefecture LIMIT 100"
    )?;
    let positions = fetch_all!(
        tx,
        (String,),
        "/* review_positions */ SELECT COALESCE(p.organization, i.organization) FROM inbox_positions p FULL JOIN
             (SELECT organization, MAX(position) AS last FROM inbox GROUP BY organization) i
             ON i.organization = p.organization
         WHERE p.position IS DISTINCT FROM i.last LIMIT 100"
    )?;
    for (table, rows) in [("record_places", places), ("inbox_positions", positions)] {
        for (row,) in rows {
            let name = RowName { table, row };
            guard.refute_name(name.clone(), Differs::Edited);
            review.refuted.push(name);
        }
    }
    Ok(())
}

impl Review {
    fn note(&mut self, guard: &RowGuard, table: &'static MarkedTable, row: String) {
        guard.refute(table, row.clone());
        self.refuted.push(RowName { table: table.name, row });
    }

    fn has_any_of(&self, table: &MarkedTable) -> bool {
        self.refuted.iter().any(|name| name.table == table.name)
    }
}

async fn review_table(
    store: &Store,
    guarded: (&RowGuard, &Vault),
    table: &'static MarkedTable,
    pace: Pace,
    review: &mut Review,
) -> Result<(), StoreError> {
    review_rows(store, guarded, table, pace, review).await?;
    review.knows_all_records |= *table == RECORDS;
    review_sum(&mut store.read().await?, guarded.0, table, pace, review).await
}

/// Holds every row of a table against its mark, and what hangs on it or is sealed in it against that.
async fn review_rows(
    store: &Store,
    (guard, vault): (&RowGuard, &Vault),
    table: &'static MarkedTable,
    pace: Pace,
    review: &mut Review,
) -> Result<(), StoreError> {
    let (mut after, mut runs, mut keys_of) = (None, Runs::of(table), KeyOfRecord::default());
    loop {
        let begun = Instant::now();
        let mut tx = store.read().await?;
        let page = page(&mut tx, table, after.as_deref(), pace).await?;
        let Some(last) = page.last() else { return Ok(()) };
        let until = keys(&last.values);
        let mut tags = Vec::new();
        for raw in page {
            review.rows += 1;
            let name = name_of(&raw.values);
            let row = match raw.marked(guard) {
                Ok(row) => row,
                Err(StoreError::Refuted(name)) => {
                    review.refuted.push(*name);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if table.is_remembered {
                let (key, tag) = (guard.remembered.key(table.number, &name), tag_of(&row.mark()));
                if guard.remembered.is_wrong(key, tag)
                    || !guard.remembered.knows(table.number, key, Some(tag), ReadWhen::AtSomeTime)
                {
                    review.differing.push(name.clone());
                }
                tags.push((key, tag));
            }
            for missing in runs.follow(&row)? {
                review.has_gap = true;
                review.note(guard, table, missing);
            }
            if table.has_parts()
                && let Err(StoreError::Refuted(name)) = parts::check(&mut tx, &row, row.id("id")?).await
            {
                review.refuted.push(*name);
            }
            if !keys_of.opens(&mut tx, vault, &row).await? {
                review.note(guard, table, name);
            }
        }
        guard.remembered.remember(tags);
        if *table == RECORDS {
            for missing in missing_versions(&mut tx, after.as_deref(), &until).await? {
                review.note(guard, &RECORD_VERSIONS, missing);
            }
        }
        after = Some(until);
        drop(tx);
        pace.rest(begun).await;
    }
}

/// Holds the marks of a table against what was written, in one state of the database.
async fn review_sum(
    tx: &mut Tx,
    guard: &RowGuard,
    table: &'static MarkedTable,
    pace: Pace,
    review: &mut Review,
) -> Result<(), StoreError> {
    let written = vouched_sums(tx, guard).await?.of(table);
    let there = sum_of_marks(tx, guard, table, pace).await?;
    if there == written || Planted::IgnoreSums.is_planted() {
        return Ok(());
    }
    if table.is_remembered {
        let chronicle = Chronicle::read(tx, guard).await?;
        if let Some(pinned) = pin(tx, table, &chronicle, written).await? {
            review.refuted.extend(pinned);
            return Ok(());
        }
        review.refuted.extend(chronicle.damaged);
    }
    // What memory knows otherwise may have been written since it was read: only where the sum is wrong as well was it set back.
    for row in std::mem::take(&mut review.differing) {
        review.note(guard, table, row);
    }
    // One that was put in where others seem to be missing is not told from these by its name.
    if !review.has_any_of(table) || (review.has_gap && there.rows > written.rows) {
        review.note(guard, table, format!("{} rows of {}", there.rows, written.rows));
    }
    Ok(())
}

/// What the marks of a table add up to, whether or not they fit their rows.
async fn sum_of_marks(
    tx: &mut Tx,
    guard: &RowGuard,
    table: &'static MarkedTable,
    pace: Pace,
) -> Result<Sum, StoreError> {
    let (mut sums, mut after) = (Sums::default(), None);
    loop {
        let begun = Instant::now();
        let (clause, binds) = page_clause(table, after.as_deref(), pace.rows(MARKS));
        let page = keyed(tx, table, &clause, &binds).await?;
        let Some(last) = page.last() else { return Ok(sums.of(table)) };
        after = Some(keys(&last.values));
        for RawRow { mark, .. } in page {
            let mark = mark.and_then(|mark| mark.try_into().ok()).unwrap_or_default();
            sums.add(table, guard.marker.share(&mark));
        }
        pace.rest(begun).await;
    }
}

/// The key of the record whose bodies and files are being opened.
#[derive(Default)]
struct KeyOfRecord {
    record: Option<Uuid>,
    key: Option<Key>,
}

impl KeyOfRecord {
    /// Whether what is sealed in a row, and not covered by its mark, opens. Where the record's key is not there, nothing can
    /// be said of it.
    async fn opens(&mut self, tx: &mut Tx, vault: &Vault, row: &Row) -> Result<bool, StoreError> {
        let table = row.table();
        if *table == DRAFTS {
            return drafts::opens(vault, row);
        }
        if *table != RECORD_VERSIONS && *table != ATTACHMENTS {
            return Ok(true);
        }
        let record = row.id("record")?;
        if self.record != Some(record) {
            let found = raw(tx, &RECORDS, RECORD_BY_ID, &[record.into()]).await?.into_iter().next();
            let unwrapped = found.and_then(|RawRow { values, .. }| {
                vault.unwrap_key(values.text("prefecture")?, record, values.bytes("sealed_key")?).ok()
            });
            (self.record, self.key) = (Some(record), unwrapped);
        }
        let Some(key) = &self.key else { return Ok(true) };
        if *table == RECORD_VERSIONS {
            return Ok(versions::opens(key, record, row.int("version")?, row.bytes("sealed_body")?));
        }
        Ok(attachments::opens(key, record, row.id("id")?, row.bytes("sealed_content")?))
    }
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

    /// Names of the rows that are missing before this one; of many the last name stands for all that follow.
    fn follow(&mut self, row: &Row) -> Result<Vec<String>, StoreError> {
        let Some((of, number)) = self.numbered else { return Ok(Vec::new()) };
        let of = match row.optional_id(of)? {
            Some(id) => id.to_string(),
            None => row.text(of)?.to_owned(),
        };
        let number = row.int(number)?;
        let last = self.last.get(&of).copied().unwrap_or(0);
        // They come in order: what was before is not asked again.
        self.last.clear();
        self.last.insert(of.clone(), number);
        let named = number.min(last.saturating_add(1 + NAMED_MISSING));
        let mut missing: Vec<String> =
            (last.saturating_add(1)..named).map(|missing| format!("{of}:{missing}")).collect();
        if named < number {
            missing.push(format!("{of}:{named} to {}", number - 1));
        }
        Ok(missing)
    }
}

/// The newest versions that the records of a page say they have, and that are not there.
async fn missing_versions(tx: &mut Tx, after: Option<&[Value]>, until: &[Value]) -> Result<Vec<String>, StoreError> {
    let id = |keys: &[Value]| keys.first().and_then(Value::as_id);
    let (after, until) = (after.and_then(id).unwrap_or_default(), id(until).unwrap_or_default());
    let missing = fetch_all!(
        tx,
        (Uuid, i64),
        "/* missing_versions */ SELECT r.id, r.version FROM records r
         WHERE r.id > $1 AND r.id <= $2 AND NOT EXISTS (
             SELECT 1 FROM record_versions v WHERE v.record = r.id AND v.prefecture = r.prefecture AND v.version = r.version)",
        after,
        until,
    )?;
    Ok(missing.into_iter().map(|(record, version)| format!("{record}:{version}")).collect())
}

/// The values by which a table is gone through in order.
pub(super) fn keys(values: &Values) -> Vec<Value> {
    let columns = values.table.columns.iter().zip(&values.values);
    columns
        .filter(|(column, _)| is_key(column.weight, column.locates, column.name))
        .map(|(_, value)| value.clone())
        .collect()
}

fn is_key(weight: Weight, locates: bool, name: &str) -> bool {
    weight == Weight::Key || (locates && name == "position")
}

/// The clause by which so many rows follow, in the order of their keys, and what it binds.
pub(super) fn page_clause(table: &MarkedTable, after: Option<&[Value]>, most: i64) -> (String, Vec<Value>) {
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
    binds.push(most.into());
    (format!("{clause} ORDER BY {order} LIMIT ${}", binds.len()), binds)
}

/// The rows that follow; with what is large where it is opened.
async fn page(
    tx: &mut Tx,
    table: &'static MarkedTable,
    after: Option<&[Value]>,
    pace: Pace,
) -> Result<Vec<RawRow>, StoreError> {
    // A file has megabytes.
    let (most, is_opened) = match table {
        table if *table == ATTACHMENTS => (8, true),
        table if *table == RECORD_VERSIONS || *table == DRAFTS => (256, true),
        _ => (1_024, false),
    };
    let (clause, binds) = page_clause(table, after, pace.rows(most));
    if is_opened { raw(tx, table, &clause, &binds).await } else { light(tx, table, &clause, &binds).await }
}
