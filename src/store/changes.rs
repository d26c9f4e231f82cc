//! The feed by which the memory of one node follows the commits of the others, in one order over all of them.
//!
//! A row says what changed, not how: who follows reads it again. Rows are written where several nodes share a database.

use sqlx::Postgres;
use uuid::Uuid;

use super::{
    error::StoreError,
    kept::KeptConnections,
    ledger::signed,
    rows::notes::RowRemark,
    tx::{On, Tx, execute, fetch_all, fetch_optional, insert_arrays},
};
use crate::{clock::Timestamp, domain::organization::OrganizationCode, journal::recent::Scope};

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A record, as the index knows it.
    Record(Uuid),
    Organization(OrganizationCode),
    /// By the serial of its certificate.
    Terminal(String),
    Staff(OrganizationCode, String),
    /// The sessions of one officer.
    Sessions(OrganizationCode, String),
    /// A missing-child notice.
    Notice(Uuid),
    /// The prefecture keys.
    Keys,
    /// Decisions that rest on this must be made again.
    Decisions(Scope),
    /// The marks of rows.
    Rows(Vec<RowRemark>),
}

impl Subject {
    fn to_row(&self) -> (&'static str, String) {
        match self {
            Self::Record(id) => ("record", id.to_string()),
            Self::Organization(code) => ("organization", code.to_string()),
            Self::Terminal(serial) => ("terminal", serial.clone()),
            Self::Staff(code, id) => ("staff", format!("{code}/{id}")),
            Self::Sessions(code, id) => ("sessions", format!("{code}/{id}")),
            Self::Notice(id) => ("notice", id.to_string()),
            Self::Keys => ("keys", String::new()),
            Self::Decisions(Scope::Record(id)) => ("decisions_on_record", id.to_string()),
            Self::Decisions(Scope::Organization(code)) => ("decisions_on_organization", code.to_string()),
            Self::Decisions(Scope::Everything) => ("decisions", String::new()),
            Self::Rows(remarks) => ("rows", remarks.iter().map(RowRemark::to_text).collect::<Vec<_>>().join(" ")),
        }
    }

    fn of_row(kind: &str, subject: &str) -> Option<Self> {
        let officer = || {
            let (code, id) = subject.split_once('/')?;
            Some((OrganizationCode::parse(code)?, id.to_owned()))
        };
        Some(match kind {
            "record" => Self::Record(Uuid::parse_str(subject).ok()?),
            "organization" => Self::Organization(OrganizationCode::parse(subject)?),
            "terminal" => Self::Terminal(subject.to_owned()),
            "staff" => officer().map(|(code, id)| Self::Staff(code, id))?,
            "sessions" => officer().map(|(code, id)| Self::Sessions(code, id))?,
            "notice" => Self::Notice(Uuid::parse_str(subject).ok()?),
            "keys" => Self::Keys,
            "decisions" => Self::Decisions(Scope::Everything),
            "decisions_on_record" => Self::Decisions(Scope::Record(Uuid::parse_str(subject).ok()?)),
            "decisions_on_organization" => Self::Decisions(Scope::Organization(OrganizationCode::parse(subject)?)),
            "rows" => Self::Rows(subject.split(' ').map(RowRemark::parse).collect::<Option<_>>()?),
            _ => return None,
        })
    }
}

/// A change at its place in the order.
pub struct PositionedChange {
    /// From 1, without gaps.
    pub position: u64,
    pub subject: Subject,
}

const POSITION: &str = "/* changes_position */ SELECT position FROM changes ORDER BY position DESC LIMIT 1";

/// Position of the last change; 0 before the first.
///
/// # Errors
/// The database failed.
pub async fn position(tx: &mut Tx) -> Result<u64, StoreError> {
    Ok(counted(fetch_optional!(tx, (i64,), POSITION)?))
}

/// The same by one round trip.
pub(super) async fn glance(glances: &KeptConnections<Postgres>) -> Result<u64, StoreError> {
    let mut connection = glances.lend().await?;
    let row = sqlx::query_as(POSITION).fetch_optional(&mut *connection).await?;
    connection.keep();
    Ok(counted(row))
}

fn counted(row: Option<(i64,)>) -> u64 {
    row.map_or(0, |(position,)| u64::try_from(position).unwrap_or(0))
}

/// Which node made a change, and when, in microseconds since 1970; `None` where it is not there any more, or never was.
///
/// # Errors
/// The database failed.
pub async fn made(tx: &mut Tx, position: u64) -> Result<Option<(String, i64)>, StoreError> {
    let On::Postgres(_) = tx.on else { return Ok(None) };
    fetch_optional!(
        tx,
        (String, i64),
        "/* change_made */ SELECT node, at FROM changes WHERE position = $1",
        i64::try_from(position).unwrap_or(i64::MAX),
    )
}

type ChangeRow = (i64, String, String, String, i64, Option<Vec<u8>>);

/// Changes after a position, in order.
///
/// # Errors
/// The database failed, or a row is of a kind that this program does not know.
pub async fn after(tx: &mut Tx, position: u64, most: i64) -> Result<Vec<PositionedChange>, StoreError> {
    let rows = fetch_all!(
        tx,
        ChangeRow,
        "/* changes_after */ SELECT position, kind, subject, node, at, mark FROM changes
         WHERE position > $1 ORDER BY position LIMIT $2",
        i64::try_from(position).unwrap_or(i64::MAX),
        most,
    )?;
    let guard = tx.rows.guard()?;
    rows.into_iter()
        .map(|(position, kind, subject, node, at, mark)| {
            let right = guard.marker.of_change(position, [&kind, &subject, &node], at);
            if mark.as_deref() != Some(right.as_slice()) {
                return Err(StoreError::Corrupt("a change that no node of this gateway wrote"));
            }
            Ok(PositionedChange {
                position: u64::try_from(position).unwrap_or(0),
                subject: Subject::of_row(&kind, &subject).ok_or(StoreError::Corrupt("change"))?,
            })
        })
        .collect()
}

const APPEND_ALL: &str = "/* append_changes */ INSERT INTO changes (position, kind, subject, mark, node, at)
 SELECT *, $5, $6 FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::bytea[])
 WHERE $7 = COALESCE((SELECT MAX(position) FROM changes), 0)";

/// Adds changes behind all that are there. The journal alone calls this, while no other node changes anything.
///
/// # Errors
/// Those before the first are not there: the database is an older one, and memory holds what it has lost.
pub(crate) async fn append(
    tx: &mut Tx,
    node: &str,
    changes: Vec<PositionedChange>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (Some(first), count) = (changes.first().map(|noted| noted.position), changes.len() as u64) else {
        return Ok(());
    };
    // Where one process serves its database nobody reads them, and nobody writes them.
    let guard = tx.rows.guard()?;
    let On::Postgres(tx) = &mut tx.on else { return Ok(()) };
    let rows = changes.into_iter().map(|noted| {
        let (position, (kind, subject)) = (signed(noted.position), noted.subject.to_row());
        let mark = guard.marker.of_change(position, [kind, &subject, node], at.as_micros());
        (position, kind, subject, mark)
    });
    let added = insert_arrays!(
        tx,
        APPEND_ALL,
        rows,
        |(position, kind, subject, mark)| [
            positions = position,
            kinds = kind,
            subjects = subject,
            marks = mark.to_vec(),
        ],
        node,
        at.as_micros(),
        i64::try_from(first - 1).unwrap_or(i64::MAX)
    );
    if added == count { Ok(()) } else { Err(StoreError::Corrupt(FORGOTTEN)) }
}

/// Of a database that is older than what this node knows of it.
pub(crate) const FORGOTTEN: &str = "the database has forgotten changes that this node holds";

/// Changes that are forgotten at a time: nobody may wait for more.
const MAX_FORGOTTEN: i64 = 20_000;

/// Removes the oldest changes, which no node needs any more; the last one stays, so that the count goes on.
pub(crate) async fn forget_before(tx: &mut Tx, at: Timestamp) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* forget_changes */ DELETE FROM changes WHERE position < (SELECT MAX(position) FROM changes)
             AND position <= (SELECT MAX(position) FROM
                 (SELECT position, at FROM changes ORDER BY position LIMIT $2) AS oldest WHERE at < $1)",
        at.as_micros(),
        MAX_FORGOTTEN,
    )?;
    Ok(())
}
