//! What the gate reads of a record before it decides: its facts, what it is to the reader, and what may be shown.

use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    error::StoreError,
    kept::is_dead,
    open::{SHARED_READERS, Store},
    records::{StoredRecord, record_facts},
    tx::Tx,
    versions::open_body,
};
use crate::{
    clock::Timestamp,
    domain::{
        attachment::AttachmentLine,
        case_record::{Offered, Provided, Standing},
        format::Document,
        organization::OrganizationCode,
        visibility::GroupSet,
    },
    keys::vault::Vault,
};

/// For whom a record is read.
pub struct Reader {
    pub organization: OrganizationCode,
    /// The prefecture in whose partition memory says that the record lies; `None` where it knows of no such record.
    pub prefecture: Option<String>,
    /// Whether memory says that the record is the reader's own, a counterpart's or under its review: only then, or where
    /// the database knows of a transfer or a broken glass, is there anything to show, and anything more to read.
    pub is_party: bool,
    /// A version that was asked for by its number.
    pub version: Option<i64>,
    pub now: Timestamp,
}

impl Reader {
    /// Where to look. A record that is not there is looked for all the same, in the partition of what belongs to no
    /// prefecture: it takes as long as one that is hidden.
    fn partition(&self) -> &str {
        self.prefecture.as_deref().unwrap_or("00")
    }
}

/// A record as it was read for one reader, in one statement and so of one moment.
pub struct ReadRecord {
    pub stored: StoredRecord,
    pub standing: Standing,
    pub versions: SealedVersions,
    /// Without what was withheld from the owner, oldest first.
    pub attachments: Vec<AttachmentLine>,
}

/// The bodies of the versions that may be shown, as they are in the database.
pub struct SealedVersions(Vec<(i64, Vec<u8>)>);

impl SealedVersions {
    /// Opens one.
    ///
    /// # Errors
    /// It was not read, or it does not open.
    pub fn open(&self, vault: &Vault, stored: &StoredRecord, version: i64) -> Result<Document, StoreError> {
        let body = self.0.iter().find(|(read, _)| *read == version).map(|(_, body)| body).ok_or(StoreError::Moved)?;
        open_body(vault, stored, version, body)
    }
}

/// The row of a record, or of one of its attachments.
#[derive(Default)]
struct Row {
    record: Option<RecordColumns>,
    attachment: Option<AttachmentLine>,
    version: Option<(i64, Vec<u8>)>,
}

struct RecordColumns {
    prefecture: String,
    owner: String,
    version: i64,
    owned_since: i64,
    flags: i64,
    residence: String,
    named: String,
    sealed_key: Vec<u8>,
    lift_asked_by: Option<String>,
    updated_at: i64,
    offered: Option<(String, Option<i64>, i64, Option<i64>)>,
    provided: Option<(i64, i64, i64)>,
    glass: Option<i64>,
}

/// The same columns of either database.
macro_rules! read_row {
    ($row:ty) => {
        impl<'r> sqlx::FromRow<'r, $row> for Row {
            fn from_row(row: &'r $row) -> Result<Self, sqlx::Error> {
                if let Some(id) = row.try_get::<Option<Uuid>, _>("attachment")? {
                    let attachment = AttachmentLine {
                        id,
                        media_type: row.try_get("media_type")?,
                        kind: row.try_get("kind")?,
                        bytes: row.try_get("bytes")?,
                        at: Timestamp::from_micros(row.try_get("at")?),
                    };
                    return Ok(Self { attachment: Some(attachment), ..Self::default() });
                }
                let offered = match row.try_get::<Option<String>, _>("offer_state")? {
                    Some(state) => Some((
                        state,
                        row.try_get("offer_version")?,
                        row.try_get("offer_groups")?,
                        row.try_get("offered_at")?,
                    )),
                    None => None,
                };
                let provided = match row.try_get::<Option<i64>, _>("provided_version")? {
                    Some(version) => Some((version, row.try_get("provided_groups")?, row.try_get("provided_at")?)),
                    None => None,
                };
                let version = match row.try_get::<Option<i64>, _>("body_version")? {
                    Some(version) => Some((version, row.try_get("sealed_body")?)),
                    None => None,
                };
                let record = RecordColumns {
                    prefecture: row.try_get("prefecture")?,
                    owner: row.try_get("owner")?,
                    version: row.try_get("version")?,
                    owned_since: row.try_get("owned_since")?,
                    flags: row.try_get("flags")?,
                    residence: row.try_get("residence")?,
                    named: row.try_get("shield_named")?,
                    sealed_key: row.try_get("sealed_key")?,
                    lift_asked_by: row.try_get("shield_lift_asked_by")?,
                    updated_at: row.try_get("updated_at")?,
                    offered,
                    provided,
                    glass: row.try_get("glass_until")?,
                };
                Ok(Self { record: Some(record), attachment: None, version })
            }
        }
    };
}
read_row!(SqliteRow);
read_row!(PgRow);

/// Columns of a record and of what it is to the reader `$2` at the time `$3`.
macro_rules! record_columns {
    () => {
        "r.prefecture AS prefecture, r.owner AS owner, r.version AS version, r.owned_since AS owned_since,
             r.closed + 2 * r.serious + 4 * r.searchable + 8 * r.abuse_case + 16 * r.shielded AS flags,
             r.residence AS residence, r.shield_named AS shield_named, r.sealed_key AS sealed_key,
             r.shield_lift_asked_by AS shield_lift_asked_by, r.updated_at AS updated_at,
             o.state AS offer_state, o.version AS offer_version, o.item_groups AS offer_groups,
             o.offered_at AS offered_at, p.version AS provided_version, p.item_groups AS provided_groups,
             p.at AS provided_at,
             (SELECT MAX(g.until_at) FROM break_glass g
              WHERE g.record = r.id AND g.organization = $2 AND g.until_at > $3) AS glass_until"
    };
}

macro_rules! record_and_standing {
    () => {
        "FROM records r
         LEFT JOIN transfers o ON o.record = r.id AND o.receiver = $2 AND o.state IN ('offered', 'confirmed')
             AND o.expires_at > $3
         LEFT JOIN provisions p ON p.record = r.id AND p.organization = $2"
    };
}

/// `$4`: whether the reader is a party; `$5`: the version that was asked for; `$6`: the prefecture. A hidden record is one
/// row and no more, as near as can be to one that does not exist.
const RECORD: &str = concat!(
    "/* read_record */ SELECT ",
    record_columns!(),
    ", v.version AS body_version, v.sealed_body AS sealed_body,
         NULL AS attachment, NULL AS media_type, NULL AS kind, NULL AS bytes, NULL AS at ",
    record_and_standing!(),
    " LEFT JOIN record_versions v ON v.record = r.id AND v.prefecture = $6
         AND v.version IN (COALESCE($5, r.version), o.version, p.version)
         AND ($4 = 1 OR o.version IS NOT NULL OR p.version IS NOT NULL
              OR EXISTS (SELECT 1 FROM break_glass g
                         WHERE g.record = r.id AND g.organization = $2 AND g.until_at > $3))
     WHERE r.id = $1 AND r.prefecture = $6
     UNION ALL
     SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
         NULL, NULL, a.id, a.media_type, a.kind, a.bytes, a.at
     FROM attachments a
     WHERE a.record = $1 AND a.prefecture = $6 AND a.withheld = 0
         AND ($4 = 1
              OR EXISTS (SELECT 1 FROM transfers o WHERE o.record = $1 AND o.receiver = $2
                             AND o.state IN ('offered', 'confirmed') AND o.expires_at > $3)
              OR EXISTS (SELECT 1 FROM provisions p WHERE p.record = $1 AND p.organization = $2)
              OR EXISTS (SELECT 1 FROM break_glass g
                         WHERE g.record = $1 AND g.organization = $2 AND g.until_at > $3))"
);

const FACTS: &str = concat!(
    "/* read_facts */ SELECT ",
    record_columns!(),
    ", NULL AS body_version, NULL AS sealed_body, NULL AS attachment ",
    record_and_standing!(),
    " WHERE r.id = $1 AND r.prefecture = $4"
);

/// A record with the bodies and attachments that the reader may be shown, in one statement.
///
/// # Errors
/// The database failed, or a row is damaged; [`StoreError::Moved`] where the record is not where memory has it.
pub async fn record(store: &Store, id: Uuid, reader: &Reader) -> Result<Option<ReadRecord>, StoreError> {
    macro_rules! query {
        () => {
            sqlx::query_as::<_, Row>(RECORD)
                .bind(id)
                .bind(reader.organization.as_str())
                .bind(reader.now.as_micros())
                .bind(i64::from(reader.is_party))
                .bind(reader.version)
                .bind(reader.partition())
        };
    }
    macro_rules! glance {
        ($glances:expr) => {{
            let mut dead = 0;
            loop {
                let mut connection = $glances.lend().await?;
                match query!().fetch_all(&mut *connection).await {
                    Ok(rows) => {
                        connection.keep();
                        break rows;
                    }
                    // Nothing was written: the next connection is asked.
                    Err(error) if is_dead(&error) && dead < SHARED_READERS => {
                        dead += 1;
                        connection.end().await;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }};
    }
    let rows = match store {
        Store::Sqlite { glances, .. } => glance!(glances),
        Store::Postgres { glances, .. } => glance!(glances),
    };
    put_together(id, reader, rows)
}

/// A record's facts and what it is to the reader, without anything to show.
///
/// # Errors
/// As [`record`].
pub async fn facts(tx: &mut Tx, id: Uuid, reader: &Reader) -> Result<Option<ReadRecord>, StoreError> {
    macro_rules! query {
        () => {
            sqlx::query_as::<_, Row>(FACTS)
                .bind(id)
                .bind(reader.organization.as_str())
                .bind(reader.now.as_micros())
                .bind(reader.partition())
        };
    }
    let rows = match tx {
        Tx::Sqlite(tx) => query!().fetch_all(&mut **tx).await?,
        Tx::Postgres(tx) => query!().fetch_all(&mut **tx).await?,
    };
    put_together(id, reader, rows)
}

fn put_together(id: Uuid, reader: &Reader, rows: Vec<Row>) -> Result<Option<ReadRecord>, StoreError> {
    let (mut record, mut versions, mut attachments) = (None, Vec::new(), Vec::new());
    for row in rows {
        record = record.or(row.record);
        versions.extend(row.version);
        attachments.extend(row.attachment);
    }
    attachments.sort_by_key(|line: &AttachmentLine| line.id);
    let Some(columns) = record else {
        // Not where memory had it: it moved, or was disposed of, and memory is about to learn of it.
        return if reader.prefecture.is_some() { Err(StoreError::Moved) } else { Ok(None) };
    };
    let (stored, standing) = columns.into_parts(id)?;
    Ok(Some(ReadRecord { stored, standing, versions: SealedVersions(versions), attachments }))
}

impl RecordColumns {
    fn into_parts(self, id: Uuid) -> Result<(StoredRecord, Standing), StoreError> {
        let flag = |bit: u32| self.flags >> bit & 1;
        let facts = record_facts(
            id,
            (
                &self.owner,
                self.version,
                self.owned_since,
                flag(0),
                flag(1),
                flag(2),
                flag(3),
                &self.residence,
                flag(4),
                &self.named,
            ),
        )?;
        let provided = |version, groups, at| Provided {
            version,
            groups: GroupSet::from_bits(groups),
            at: Timestamp::from_micros(at),
        };
        let standing = Standing {
            offered: self.offered.and_then(|(state, version, groups, at)| {
                Some(Offered { confirmed: state == "confirmed", provided: provided(version?, groups, at?) })
            }),
            provided: self.provided.map(|(version, groups, at)| provided(version, groups, at)),
            break_glass: self.glass.is_some(),
        };
        let stored = StoredRecord {
            facts,
            prefecture: self.prefecture,
            sealed_key: self.sealed_key,
            shield_lift_asked_by: self.lift_asked_by,
            updated_at: Timestamp::from_micros(self.updated_at),
        };
        Ok((stored, standing))
    }
}
