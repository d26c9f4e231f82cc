//! Appends entries and delivers messages, and commits them, as one question to PostgreSQL: the function of migration 8
//! takes the lock of the journal, and looks only then whether anything changed (docs/decisions/0002-journal-and-epochs.md).

use uuid::Uuid;

use super::{
    error::StoreError,
    inbox::MessageColumns,
    ledger::{Columns, HeadStep, signed},
    open::Store,
};
use crate::{clock::Timestamp, domain::organization::OrganizationCode, ledger::entry::Logged};

/// What is to be appended to a node's log, and what its memory rests on.
pub(crate) struct AppendAtOnce {
    /// Position of the last change that memory holds.
    pub(crate) known: u64,
    pub(crate) step: HeadStep,
    pub(crate) entries: Vec<Logged>,
    pub(crate) messages: Vec<MessageColumns>,
    pub(crate) at: Timestamp,
}

/// Named as the parameters of the function, in their order.
const APPEND: &str = "/* append_at_once */ SELECT outcome, receiver, latest FROM append_at_once($1, $2, $3, $4, $5, $6,
    $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)";

#[derive(Default)]
struct EntryArrays {
    positions: Vec<i64>,
    ids: Vec<Uuid>,
    organizations: Vec<String>,
    owners: Vec<Option<String>>,
    records: Vec<Option<Uuid>>,
    bodies: Vec<Vec<u8>>,
    notes: Vec<Option<Vec<u8>>>,
    salts: Vec<Option<Vec<u8>>>,
}

#[derive(Default)]
struct MessageArrays {
    receivers: Vec<String>,
    kinds: Vec<&'static str>,
    records: Vec<Option<Uuid>>,
    subjects: Vec<Option<Uuid>>,
    entries: Vec<Option<Uuid>>,
    senders: Vec<Option<String>>,
    officers: Vec<Option<String>>,
    terminals: Vec<Option<String>>,
    purposes: Vec<Option<&'static str>>,
    marks: Vec<Vec<u8>>,
}

/// Appends and delivers; it is committed where this succeeds. Returns the latest position of each inbox that got
/// something.
///
/// # Errors
/// [`StoreError::Outdated`] where something changed that memory does not know of, [`StoreError::OtherWriter`] where the head
/// is not the tree that is given; then nothing was written. Any other: whether it holds is in doubt.
pub(crate) async fn append_at_once_shared(
    store: &Store,
    AppendAtOnce { known, step: HeadStep { node, from, to, sealed_sums }, entries, messages, at }: AppendAtOnce,
) -> Result<Vec<(OrganizationCode, i64)>, StoreError> {
    let Store::Postgres { writer, .. } = store else { return Err(StoreError::Corrupt("not PostgreSQL")) };
    let entries = EntryArrays::of((from.0..).zip(entries).map(Columns::of));
    // The server numbers them.
    let messages = MessageArrays::of(messages);
    let query = sqlx::query_as::<_, (String, Option<String>, Option<i64>)>(APPEND)
        .bind(signed(known))
        .bind(node)
        .bind(signed(from.0))
        .bind(from.1.to_vec())
        .bind(signed(to.0))
        .bind(to.1.to_vec())
        .bind(at.as_micros())
        .bind(sealed_sums)
        .bind(entries.positions)
        .bind(entries.ids)
        .bind(entries.organizations)
        .bind(entries.owners)
        .bind(entries.records)
        .bind(entries.bodies)
        .bind(entries.notes)
        .bind(entries.salts)
        .bind(messages.receivers)
        .bind(messages.kinds)
        .bind(messages.records)
        .bind(messages.subjects)
        .bind(messages.entries)
        .bind(messages.senders)
        .bind(messages.officers)
        .bind(messages.terminals)
        .bind(messages.purposes)
        .bind(messages.marks);
    let mut connection = writer.lend().await?;
    let rows = match query.fetch_all(&mut *connection).await {
        Ok(rows) => rows,
        Err(error) => {
            connection.end().await;
            return Err(error.into());
        }
    };
    connection.keep();
    match rows.first().map(|(outcome, ..)| outcome.as_str()) {
        Some("written") => {}
        Some("behind") => return Err(StoreError::Outdated),
        Some("other_writer") => return Err(StoreError::OtherWriter),
        _ => return Err(StoreError::Corrupt("outcome of an append")),
    }
    Ok(rows.into_iter().filter_map(|(_, to, latest)| Some((OrganizationCode::parse(&to?)?, latest?))).collect())
}

impl EntryArrays {
    fn of(rows: impl Iterator<Item = Columns>) -> Self {
        rows.fold(Self::default(), |mut arrays, row| {
            arrays.positions.push(row.position);
            arrays.ids.push(row.id);
            arrays.organizations.push(row.organization);
            arrays.owners.push(row.owner);
            arrays.records.push(row.record);
            arrays.bodies.push(row.body);
            arrays.notes.push(row.note);
            arrays.salts.push(row.salt);
            arrays
        })
    }
}

impl MessageArrays {
    fn of(rows: Vec<MessageColumns>) -> Self {
        rows.into_iter().fold(Self::default(), |mut arrays, row| {
            arrays.receivers.push(row.to.to_string());
            arrays.kinds.push(row.kind);
            arrays.records.push(row.record);
            arrays.subjects.push(row.subject);
            arrays.entries.push(row.entry);
            arrays.senders.push(row.sender);
            arrays.officers.push(row.officer);
            arrays.terminals.push(row.terminal);
            arrays.purposes.push(row.purpose);
            arrays.marks.push(row.mark.to_vec());
            arrays
        })
    }
}
