//! Messages to organizations, each with its own count of positions.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all, fetch_optional, for_each_chunk, insert_arrays},
};
use crate::{
    clock::Timestamp,
    domain::organization::OrganizationCode,
    journal::inbox::{InboxItem, Message},
};

const DELIVER: &str = "/* deliver */ INSERT INTO inbox (organization, position, at, kind, record, subject, entry,
     from_organization, from_officer, from_terminal, purpose)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const DELIVER_16: &str = include_str!("sql/deliver_16_messages.sql");

const DELIVER_ALL: &str =
    "/* deliver_messages */ INSERT INTO inbox (organization, position, kind, record, subject, entry,
     from_organization, from_officer, from_terminal, purpose, at)
 SELECT *, $11 FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[],
     $8::text[], $9::text[], $10::text[])";

/// A message as its row has it; the time is one for all of a commit.
pub(super) struct MessageColumns {
    pub(super) to: String,
    pub(super) position: i64,
    pub(super) kind: &'static str,
    pub(super) record: Option<Uuid>,
    pub(super) subject: Option<Uuid>,
    pub(super) entry: Option<Uuid>,
    pub(super) sender: Option<String>,
    pub(super) officer: Option<String>,
    pub(super) terminal: Option<String>,
    pub(super) purpose: Option<&'static str>,
}

impl MessageColumns {
    pub(super) fn of((position, item): (i64, InboxItem)) -> Self {
        let InboxItem { to, kind, record, subject, entry, from, purpose } = item;
        let from = from.as_ref();
        Self {
            to: to.to_string(),
            position,
            kind: kind.as_str(),
            record,
            subject,
            entry,
            sender: from.map(|caller| caller.organization().to_string()),
            officer: from.map(|caller| caller.officer().to_owned()),
            terminal: from.map(|caller| caller.terminal().to_owned()),
            purpose: purpose.map(|purpose| purpose.as_str()),
        }
    }
}

/// Delivers messages, each with its position in its own inbox. The journal alone calls this.
pub(crate) async fn deliver(tx: &mut Tx, messages: Vec<(i64, InboxItem)>, at: Timestamp) -> Result<(), StoreError> {
    if messages.is_empty() {
        return Ok(());
    }
    let rows = messages.into_iter().map(MessageColumns::of);
    match tx {
        Tx::Postgres(tx) => {
            insert_arrays!(
                tx,
                DELIVER_ALL,
                rows,
                |row| [
                    organizations = row.to,
                    positions = row.position,
                    kinds = row.kind,
                    records = row.record,
                    subjects = row.subject,
                    entries = row.entry,
                    senders = row.sender,
                    officers = row.officer,
                    terminals = row.terminal,
                    purposes = row.purpose,
                ],
                at.as_micros()
            );
        }
        tx @ Tx::Sqlite(_) => for_each_chunk!(tx, rows.collect::<Vec<_>>(), DELIVER_16, DELIVER, |query, row| {
            query
                .bind(row.to)
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
    let Tx::Postgres(tx) = tx else { return Err(StoreError::Corrupt("positions of SQLite are in memory")) };
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

type Row = (
    i64,
    i64,
    String,
    Option<Uuid>,
    Option<Uuid>,
    Option<Uuid>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Messages of an organization after a position, in order.
///
/// # Errors
/// The database failed.
pub async fn after(
    tx: &mut Tx,
    organization: &OrganizationCode,
    position: i64,
    most: i64,
) -> Result<Vec<Message>, StoreError> {
    let rows = fetch_all!(
        tx,
        Row,
        "/* inbox_after */ SELECT position, at, kind, record, subject, entry, from_organization, from_officer,
             from_terminal, purpose
         FROM inbox WHERE organization = $1 AND position > $2 ORDER BY position LIMIT $3",
        organization.as_str(),
        position,
        most,
    )?;
    Ok(rows
        .into_iter()
        .map(|(position, at, kind, record, subject, entry, from_organization, from_officer, from_terminal, purpose)| {
            Message {
                position,
                at: Timestamp::from_micros(at).to_rfc3339(),
                kind,
                record,
                subject,
                entry,
                from_organization,
                from_officer,
                from_terminal,
                purpose,
            }
        })
        .collect())
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
    let row = fetch_optional!(
        tx,
        (i64,),
        "/* inbox_acknowledged */ SELECT position FROM inbox_acknowledged WHERE organization = $1",
        organization.as_str(),
    )?;
    Ok(row.map_or(0, |(position,)| position))
}

pub(crate) async fn acknowledge(tx: &mut Tx, organization: &OrganizationCode, position: i64) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* acknowledge */ INSERT INTO inbox_acknowledged (organization, position) VALUES ($1, $2)
         ON CONFLICT (organization) DO UPDATE SET position = excluded.position
         WHERE inbox_acknowledged.position < excluded.position",
        organization.as_str(),
        position,
    )?;
    Ok(())
}
