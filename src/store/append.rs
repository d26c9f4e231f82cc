//! Appends entries and delivers messages, and commits them, as one statement of SQLite: the connection's own thread is
//! asked once instead of five times (docs/decisions/0002-journal-and-epochs.md).

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

use super::{
    error::StoreError,
    inbox,
    ledger::{self, Columns, TreeHead, signed},
    open::{Access, Store},
};
use crate::{clock::Timestamp, journal::inbox::InboxItem, ledger::entry::Logged};

const HEAD: &str = "/* append_at_once */ BEGIN IMMEDIATE;
UPDATE ledger_heads SET size = $2, root = $3, at = $4 WHERE node = $1 AND size = $5 AND root = $6;
INSERT INTO ledger (node, position, id, organization, owner, record, body, sealed_note, owner_salt)
SELECT $1, * FROM (VALUES ";
// The head was not where it should be: nothing is added, and nobody is told.
const ENTRIES_END: &str = ") WHERE changes() = 1;";
const INBOX: &str = "
INSERT INTO inbox (organization, position, at, kind, record, subject, entry, from_organization, from_officer,
    from_terminal, purpose)
SELECT * FROM (VALUES ";
const INBOX_END: &str = ") WHERE changes() > 0;";
const END: &str = "
COMMIT;
SELECT size = $2 AND root = $3 FROM ledger_heads WHERE node = $1";
/// Parameters of one statement; SQLite takes 32,766.
const MAX_PARAMETERS: usize = 32_000;
/// Parameters before the first entry.
const OF_HEAD: usize = 6;
const OF_ENTRY: usize = 8;
const OF_MESSAGE: usize = 11;

/// Appends entries to a node's log of SQLite and delivers messages with their positions; it is committed where this
/// succeeds. There is at least one entry.
///
/// # Errors
/// [`StoreError::OtherWriter`] where the head is not the tree that is given; then nothing was written. Any other: whether
/// it holds is in doubt.
pub(crate) async fn append_at_once(
    store: &Store,
    node: &str,
    (from, to): (TreeHead, TreeHead),
    (entries, messages): (Vec<Logged>, Vec<(i64, InboxItem)>),
    at: Timestamp,
) -> Result<(), StoreError> {
    let Store::Sqlite { writer, .. } = store else { return Err(StoreError::Corrupt("not SQLite")) };
    if OF_HEAD + entries.len() * OF_ENTRY + messages.len() * OF_MESSAGE > MAX_PARAMETERS {
        let mut tx = store.write(Access::Append).await?;
        ledger::append(&mut tx, node, (from, to), entries, at).await?;
        inbox::deliver(&mut tx, messages, at).await?;
        return tx.commit().await;
    }
    let sql = statement(entries.len(), messages.len());
    let mut query = sqlx::query_as::<_, (i64,)>(AssertSqlSafe(sql))
        .bind(node.to_owned())
        .bind(signed(to.0))
        .bind(to.1.to_vec())
        .bind(at.as_micros())
        .bind(signed(from.0))
        .bind(from.1.to_vec());
    for row in (from.0..).zip(entries).map(Columns::of) {
        query = query
            .bind(row.position)
            .bind(row.id)
            .bind(row.organization)
            .bind(row.owner)
            .bind(row.record)
            .bind(row.body)
            .bind(row.note)
            .bind(row.salt);
    }
    for (position, item) in messages {
        query = query
            .bind(item.to.to_string())
            .bind(position)
            .bind(at.as_micros())
            .bind(item.kind.as_str())
            .bind(item.record)
            .bind(item.subject)
            .bind(item.entry)
            .bind(item.from.as_ref().map(|caller| caller.organization().to_string()))
            .bind(item.from.as_ref().map(|caller| caller.officer().to_owned()))
            .bind(item.from.as_ref().map(|caller| caller.terminal().to_owned()))
            .bind(item.purpose.map(|purpose| purpose.as_str()));
    }
    let mut connection = writer.acquire().await?;
    match query.fetch_optional(&mut *connection).await {
        Ok(Some((1,))) => Ok(()),
        Ok(_) => Err(StoreError::OtherWriter),
        Err(error) => {
            // It may still be inside the transaction: nobody uses it again.
            let _ = connection.close().await;
            Err(error.into())
        }
    }
}

/// The statement for so many entries and messages.
fn statement(entries: usize, messages: usize) -> String {
    let mut sql = String::from(HEAD);
    rows(&mut sql, OF_HEAD, entries, OF_ENTRY);
    sql.push_str(ENTRIES_END);
    if messages > 0 {
        sql.push_str(INBOX);
        rows(&mut sql, OF_HEAD + entries * OF_ENTRY, messages, OF_MESSAGE);
        sql.push_str(INBOX_END);
    }
    sql.push_str(END);
    sql
}

fn rows(sql: &mut String, before: usize, rows: usize, columns: usize) {
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            let separator = if column == 1 { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(sql, "{separator}${}", before + row * columns + column);
        }
        sql.push(')');
    }
}
