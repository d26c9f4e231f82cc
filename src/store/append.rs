//! Appends entries and delivers messages, and commits them, as one statement of SQLite: the connection's own thread is
//! asked once instead of five times (docs/decisions/0002-journal-and-epochs.md).

use sqlx::{AssertSqlSafe, Sqlite, query::QueryAs, sqlite::SqliteArguments};

use super::{
    error::StoreError,
    inbox::{self, MessageColumns},
    ledger::{self, Columns, HeadStep, signed},
    open::{Access, Store},
};
use crate::{clock::Timestamp, ledger::entry::Logged};

// Parameters without a number: SQLite looks up the others by name, each among all before it.
const HEAD: &str = "/* append_at_once */ BEGIN IMMEDIATE;
UPDATE ledger_heads SET size = ?, root = ?, at = ?, sealed_sums = COALESCE(?, sealed_sums) WHERE node = ? AND size = ? AND root = ?;
INSERT OR ROLLBACK INTO ledger (node, position, id, organization, owner, record, body, sealed_note, owner_salt)
SELECT ?, * FROM (VALUES ";
// The head was not where it should be: nothing is added, and nobody is told. (Without OR ROLLBACK, SQLite would keep a
// journal of the statement to undo it alone.)
const ENTRIES_END: &str = ") WHERE column1 IS NOT NULL AND changes() = 1;";
const INBOX: &str = "
INSERT OR ROLLBACK INTO inbox (organization, position, at, kind, record, subject, entry, from_organization,
    from_officer, from_terminal, purpose, mark)
SELECT * FROM (VALUES ";
const INBOX_END: &str = ") WHERE column1 IS NOT NULL AND changes() > 0;";
const END: &str = "
COMMIT;
SELECT size = ? AND root = ? FROM ledger_heads WHERE node = ?";
/// Parameters of one statement; SQLite takes 32,766.
const MAX_PARAMETERS: usize = 32_000;
/// Parameters beside entries and messages.
const OTHERS: usize = 11;
const OF_ENTRY: usize = 8;
const OF_MESSAGE: usize = 12;

/// Appends entries to a node's log of SQLite and delivers messages with their positions; it is committed where this
/// succeeds. There is at least one entry.
///
/// # Errors
/// [`StoreError::OtherWriter`] where the head is not the tree that is given; then nothing was written. Any other: whether
/// it holds is in doubt.
pub(crate) async fn append_at_once(
    store: &Store,
    step: HeadStep,
    (entries, messages): (Vec<Logged>, Vec<MessageColumns>),
    at: Timestamp,
) -> Result<(), StoreError> {
    let Store::Sqlite { writer, .. } = store else { return Err(StoreError::Corrupt("not SQLite")) };
    let HeadStep { node, from, to, sealed_sums } = &step;
    let (places, told) = (room_for(entries.len()), room_for(messages.len()));
    if OTHERS + places * OF_ENTRY + told * OF_MESSAGE > MAX_PARAMETERS {
        let mut tx = store.write(Access::Append).await?;
        ledger::append(&mut tx, step, entries, at).await?;
        inbox::deliver(&mut tx, messages, at).await?;
        return tx.commit().await;
    }
    let left = (places - entries.len(), told - messages.len());
    let mut query = sqlx::query_as::<_, (i64,)>(AssertSqlSafe(statement(places, told)))
        .bind(signed(to.0))
        .bind(to.1.to_vec())
        .bind(at.as_micros())
        .bind(sealed_sums.clone())
        .bind(node.clone())
        .bind(signed(from.0))
        .bind(from.1.to_vec())
        .bind(node.clone());
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
    query = empty(query, left.0 * OF_ENTRY);
    for row in messages {
        query = query
            .bind(row.to.to_string())
            .bind(row.position)
            .bind(at.as_micros())
            .bind(row.kind)
            .bind(row.record)
            .bind(row.subject)
            .bind(row.entry)
            .bind(row.sender)
            .bind(row.officer)
            .bind(row.terminal)
            .bind(row.purpose)
            .bind(row.mark.to_vec());
    }
    query = empty(query, left.1 * OF_MESSAGE);
    query = query.bind(signed(to.0)).bind(to.1.to_vec()).bind(node.clone());
    let mut connection = writer.lend().await?;
    match query.fetch_optional(&mut *connection).await {
        Ok(Some((1,))) => {
            connection.keep();
            Ok(())
        }
        Ok(_) => Err(StoreError::OtherWriter),
        Err(error) => {
            // It may still be inside the transaction: nobody uses it again.
            connection.end().await;
            Err(error.into())
        }
    }
}

type Append<'q> = QueryAs<'q, Sqlite, (i64,), SqliteArguments>;

/// Rows that stay empty.
fn empty(query: Append<'_>, parameters: usize) -> Append<'_> {
    (0..parameters).fold(query, |query, _| query.bind(None::<i64>))
}

/// Rows of the statement for so many: of few sizes, so that SQLite still knows the statement.
fn room_for(rows: usize) -> usize {
    if rows == 0 { 0 } else { rows.next_power_of_two() }
}

/// The statement for so many entries and messages.
fn statement(entries: usize, messages: usize) -> String {
    let mut sql = String::from(HEAD);
    rows(&mut sql, entries, "(?, ?, ?, ?, ?, ?, ?, ?)");
    sql.push_str(ENTRIES_END);
    if messages > 0 {
        sql.push_str(INBOX);
        rows(&mut sql, messages, "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        sql.push_str(INBOX_END);
    }
    sql.push_str(END);
    sql
}

fn rows(sql: &mut String, rows: usize, row: &str) {
    for number in 0..rows {
        sql.push_str(if number == 0 { "" } else { ", " });
        sql.push_str(row);
    }
}
