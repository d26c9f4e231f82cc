//! Messages to organizations, each with its own count of positions.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    error::StoreError,
    rows::{
        access::{all_sound, find, put},
        guard::RowGuard,
        mark::Mark,
        name::Differs,
        row::{Row, Values},
        sums::Sums,
        tables::{INBOX, INBOX_ACKNOWLEDGED},
    },
    tx::{On, Tx, fetch_all, fetch_optional, for_each_chunk, insert_arrays},
};
use crate::{
    clock::Timestamp,
    domain::organization::OrganizationCode,
    journal::inbox::{InboxItem, InboxKind, Message},
};

const DELIVER: &str = "/* deliver */ INSERT INTO inbox (organization, position, at, kind, record, subject, entry,
     from_organization, from_officer, from_terminal, purpose, mark)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const DELIVER_16: &str = include_str!("sql/deliver_16_messages.sql");

const DELIVER_ALL: &str =
    "/* deliver_messages */ INSERT INTO inbox (organization, position, kind, record, subject, entry,
     from_organization, from_officer, from_terminal, purpose, mark, at)
 SELECT *, $12 FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[],
     $8::text[], $9::text[], $10::text[], $11::bytea[])";

/// A message as its row has it; the time is one for all of a commit.
pub(crate) struct MessageColumns {
    pub(crate) to: OrganizationCode,
    /// Its place in the inbox, given last; the mark does not cover it.
    pub(crate) position: i64,
    pub(super) kind: &'static str,
    pub(super) record: Option<Uuid>,
    pub(super) subject: Option<Uuid>,
    pub(super) entry: Option<Uuid>,
    pub(super) sender: Option<String>,
    pub(super) officer: Option<String>,
    pub(super) terminal: Option<String>,
    pub(super) purpose: Option<&'static str>,
    pub(super) mark: Mark,
}

impl MessageColumns {
    /// Messages with their marks, and what they add to the sums.
    pub(crate) fn all_of(guard: &RowGuard, items: Vec<InboxItem>, at: Timestamp) -> (Vec<Self>, Sums) {
        let mut sums = Sums::default();
        let columns = items.into_iter().map(|item| {
            let columns = Self::of(guard, item, at);
            sums.add(&INBOX, guard.marker.share(&columns.mark));
            columns
        });
        (columns.collect(), sums)
    }

    fn of(guard: &RowGuard, item: InboxItem, at: Timestamp) -> Self {
        let InboxItem { to, kind, record, subject, entry, from, purpose } = item;
        let from = from.as_ref();
        let mut columns = Self {
            to,
            position: 0,
            kind: kind.as_str(),
            record,
            subject,
            entry,
            sender: from.map(|caller| caller.organization().to_string()),
            officer: from.map(|caller| caller.officer().to_owned()),
            terminal: from.map(|caller| caller.terminal().to_owned()),
            purpose: purpose.map(|purpose| purpose.as_str()),
            mark: Mark::default(),
        };
        columns.mark = guard.marker.mark(&columns.values(at));
        columns
    }

    fn values(&self, at: Timestamp) -> Values {
        Values::of(&INBOX)
            .set("organization", &self.to)
            .set("at", at)
            .set("kind", self.kind)
            .set("record", self.record)
            .set("subject", self.subject)
            .set("entry", self.entry)
            .set("from_organization", self.sender.as_deref())
            .set("from_officer", self.officer.as_deref())
            .set("from_terminal", self.terminal.as_deref())
            .set("purpose", self.purpose)
    }
}

/// Delivers messages, each with its position in its own inbox. The journal alone calls this.
pub(crate) async fn deliver(tx: &mut Tx, rows: Vec<MessageColumns>, at: Timestamp) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    match &mut tx.on {
        On::Postgres(tx) => {
            insert_arrays!(
                tx,
                DELIVER_ALL,
                rows,
                |row| [
                    organizations = row.to.to_string(),
                    positions = row.position,
                    kinds = row.kind,
                    records = row.record,
                    subjects = row.subject,
                    entries = row.entry,
                    senders = row.sender,
                    officers = row.officer,
                    terminals = row.terminal,
                    purposes = row.purpose,
                    marks = row.mark.to_vec(),
                ],
                at.as_micros()
            );
        }
        On::Sqlite(_) => for_each_chunk!(tx, rows, DELIVER_16, DELIVER, |query, row| {
            query
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
                .bind(row.mark.to_vec())
        }),
    }
    Ok(())
}

const ADVANCE: &str = "/* advance_inboxes */ INSERT INTO inbox_positions (organization, position)
 SELECT * FROM UNNEST($1::text[], $2::bigint[])
 ON CONFLICT (organization) DO UPDATE SET position = inbox_positions.position + excluded.position
 RETURNING organization, position";

/// Takes the next positions of inboxes that several nodes write to, so many of each; returns the last of them. Others
/// wait for the end of this transaction, so that positions become visible in order. The inboxes come in their order: two
/// nodes never wait for each other.
pub(crate) async fn advance(
    tx: &mut Tx,
    counted: &BTreeMap<OrganizationCode, i64>,
) -> Result<Vec<(OrganizationCode, i64)>, StoreError> {
    let On::Postgres(tx) = &mut tx.on else { return Err(StoreError::Corrupt("positions of SQLite are in memory")) };
    let (organizations, counts): (Vec<&str>, Vec<i64>) =
        counted.iter().map(|(to, count)| (to.as_str(), *count)).unzip();
    let rows: Vec<(String, i64)> =
        sqlx::query_as(ADVANCE).bind(organizations).bind(counts).fetch_all(&mut **tx).await?;
    let last = |(code, last): (String, i64)| Some((OrganizationCode::parse(&code)?, last));
    let last: Vec<_> = rows.into_iter().filter_map(last).collect();
    if last.len() == counted.len() { Ok(last) } else { Err(StoreError::Corrupt("inbox position")) }
}

/// Latest position of one inbox; 0 where nothing came yet.
///
/// # Errors
/// The database failed.
pub async fn latest(tx: &mut Tx, organization: &OrganizationCode) -> Result<i64, StoreError> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "/* latest_message */ SELECT position FROM inbox WHERE organization = $1 ORDER BY position DESC LIMIT 1",
        organization.as_str(),
    )?;
    Ok(row.map_or(0, |(position,)| position))
}

/// Latest position of every inbox to which several nodes write.
///
/// # Errors
/// The database failed.
pub async fn latest_of_all(tx: &mut Tx) -> Result<Vec<(OrganizationCode, i64)>, StoreError> {
    let rows = fetch_all!(tx, (String, i64), "/* latest_of_all */ SELECT organization, position FROM inbox_positions")?;
    Ok(rows.into_iter().filter_map(|(code, position)| Some((OrganizationCode::parse(&code)?, position))).collect())
}

/// Messages of an organization after a position, in order. Memory knows of one at `latest`. In place of a message that is
/// not what the gateway wrote, or that was removed, stands one of kind `row_refuted` that names nothing, and is of `now`: the
/// others go on.
///
/// # Errors
/// The database failed.
pub async fn after(
    tx: &mut Tx,
    organization: &OrganizationCode,
    (position, latest): (i64, i64),
    (most, now): (i64, Timestamp),
) -> Result<Vec<Message>, StoreError> {
    let clause = "WHERE organization = $1 AND position > $2 AND position <= $3 ORDER BY position";
    let until = position.saturating_add(most);
    let binds = [organization.into(), position.into(), until.into()];
    let (rows, guard) = (all_sound(tx, &INBOX, clause, &binds).await?, tx.rows.guard()?);
    let mut messages = Vec::with_capacity(rows.len());
    let mut next = position + 1;
    for row in &rows {
        let at = row.int("position")?;
        messages.extend((next..at).map(|missing| refuted(&guard, organization, missing, now)));
        messages.push(message_of(row)?);
        next = at + 1;
    }
    messages.extend((next..=latest.min(until)).map(|missing| refuted(&guard, organization, missing, now)));
    Ok(messages)
}

macro_rules! is_alert {
    () => {
        "kind IN ('shield_approached', 'search_many_names', 'search_walk', 'search_at_night', 'search_own_name',
             'search_repeated')"
    };
}

/// Messages of an organization after a position that somebody has to look into, newest first: of the watch over searches,
/// and of shields that a search came upon. One that is not what the gateway wrote is left out, and counted in [`after`].
///
/// # Errors
/// The database failed.
pub async fn alerts(
    tx: &mut Tx,
    organization: &OrganizationCode,
    after: i64,
    most: i64,
) -> Result<Vec<Message>, StoreError> {
    let clause =
        concat!("WHERE organization = $1 AND position > $2 AND ", is_alert!(), " ORDER BY position DESC LIMIT $3");
    let binds = [organization.into(), after.into(), most.into()];
    all_sound(tx, &INBOX, clause, &binds).await?.iter().map(message_of).collect()
}

/// The same from the oldest on, after a position and up to another.
///
/// # Errors
/// As [`alerts`].
pub(crate) async fn oldest_alerts(
    tx: &mut Tx,
    organization: &OrganizationCode,
    (after, until): (i64, i64),
    most: i64,
) -> Result<Vec<Message>, StoreError> {
    let clause = concat!(
        "WHERE organization = $1 AND position > $2 AND ",
        is_alert!(),
        " AND position <= $3
         ORDER BY position LIMIT $4"
    );
    let binds = [organization.into(), after.into(), until.into(), most.into()];
    all_sound(tx, &INBOX, clause, &binds).await?.iter().map(message_of).collect()
}

fn message_of(row: &Row) -> Result<Message, StoreError> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Ok(Message {
        position: row.int("position")?,
        at: row.at("at")?.to_rfc3339(),
        kind: row.text("kind")?.to_owned(),
        record: row.optional_id("record")?,
        subject: row.optional_id("subject")?,
        about: None,
        entry: row.optional_id("entry")?,
        from_organization: owned(row.optional_text("from_organization")?),
        from_officer: owned(row.optional_text("from_officer")?),
        from_terminal: owned(row.optional_text("from_terminal")?),
        purpose: owned(row.optional_text("purpose")?),
    })
}

/// What stands in place of a message that cannot be read.
fn refuted(guard: &RowGuard, organization: &OrganizationCode, position: i64, now: Timestamp) -> Message {
    let name = format!("{organization}:{position}");
    if !guard.is_refuted(&INBOX, &name) {
        guard.refute_as(&INBOX, name, Differs::Removed);
    }
    let (kind, at) = (InboxKind::RowRefuted.as_str().to_owned(), now.to_rfc3339());
    Message { position, at, kind, ..Message::default() }
}

/// Latest position of every inbox.
///
/// # Errors
/// The database failed.
pub async fn positions(tx: &mut Tx) -> Result<Vec<(OrganizationCode, i64)>, StoreError> {
    let rows = fetch_all!(
        tx,
        (String, i64),
        "/* inbox_positions */ SELECT organization, MAX(position) FROM inbox GROUP BY organization"
    )?;
    Ok(rows.into_iter().filter_map(|(code, position)| Some((OrganizationCode::parse(&code)?, position))).collect())
}

/// Position up to which an organization has acknowledged its messages; 0 where none.
///
/// # Errors
/// The database failed.
pub async fn acknowledged(tx: &mut Tx, organization: &OrganizationCode) -> Result<i64, StoreError> {
    let row = acknowledged_row(tx, organization).await?;
    row.map_or(Ok(0), |row| row.int("position"))
}

async fn acknowledged_row(tx: &mut Tx, organization: &OrganizationCode) -> Result<Option<Row>, StoreError> {
    find(tx, &INBOX_ACKNOWLEDGED, &[organization.into()]).await
}

pub(crate) async fn acknowledge(tx: &mut Tx, organization: &OrganizationCode, position: i64) -> Result<(), StoreError> {
    let known = acknowledged_row(tx, organization).await?;
    if let Some(known) = &known
        && known.int("position")? >= position
    {
        return Ok(());
    }
    let values = Values::of(&INBOX_ACKNOWLEDGED).set("organization", organization).set("position", position);
    put(tx, known.as_ref(), values).await
}
