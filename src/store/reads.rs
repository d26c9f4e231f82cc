//! What the gate reads of a record before it decides: its facts, what it is to the reader, and what may be shown.

use std::sync::{Arc, LazyLock};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    attachments::line_of,
    error::StoreError,
    index_rows::row_of,
    kept::is_dead,
    open::{SHARED_READERS, Store},
    records::{StoredRecord, stored_of},
    rows::{
        guard::RowGuard,
        mark::Mark,
        row::Row,
        tables::{
            ATTACHMENTS, BREAK_GLASS, INQUIRIES, PROVISIONS, RECORD_VERSIONS, RECORDS, SERIOUS_REVIEWS, TRANSFERS,
        },
        wide::{Arm, WideRow, union_of},
    },
    tx::{On, Tx},
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
    keys::{error::KeyError, vault::Vault},
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
pub struct SealedVersions {
    bodies: Vec<(i64, Vec<u8>)>,
    guard: Arc<RowGuard>,
}

impl SealedVersions {
    /// Opens one.
    ///
    /// # Errors
    /// It was not read, or it does not open.
    pub fn open(&self, vault: &Vault, stored: &StoredRecord, version: i64) -> Result<Document, StoreError> {
        let body = self.bodies.iter().find(|(read, _)| *read == version).map(|(_, body)| body);
        let row = || row_of(stored.facts.id, version);
        match body.map(|body| open_body(vault, stored, version, body)) {
            Some(Err(StoreError::Key(KeyError::Unsealed))) => Err(self.guard.refute(&RECORD_VERSIONS, row())),
            Some(opened) => opened,
            None => Err(self.guard.refute(&RECORD_VERSIONS, row())),
        }
    }
}

/// Whether the reader `$2` has something to see at the time `$3`: `$4` says that it is a party.
macro_rules! may_see {
    () => {
        "($4 = 1
          OR EXISTS (SELECT 1 FROM transfers o WHERE o.record = $1 AND o.receiver = $2
                         AND o.state IN ('offered', 'confirmed') AND o.expires_at > $3)
          OR EXISTS (SELECT 1 FROM provisions p WHERE p.record = $1 AND p.organization = $2)
          OR EXISTS (SELECT 1 FROM break_glass g
                     WHERE g.record = $1 AND g.organization = $2 AND g.until_at > $3))"
    };
}

/// The record, and what hangs on it: nothing of that was set back, added or removed. `$6`: the prefecture.
const WHOLE: [Arm; 7] = [
    Arm::rows(&RECORDS, "WHERE id = $1 AND prefecture = $6"),
    Arm::rows(&ATTACHMENTS, concat!("WHERE record = $1 AND prefecture = $6 AND ", may_see!()))
        .without("sealed_content"),
    Arm::rows(&PROVISIONS, concat!("WHERE record = $1 AND ", may_see!())),
    Arm::rows(&TRANSFERS, concat!("WHERE record = $1 AND ", may_see!())),
    Arm::rows(&BREAK_GLASS, concat!("WHERE record = $1 AND ", may_see!())),
    Arm::rows(&INQUIRIES, concat!("WHERE record = $1 AND ", may_see!())),
    Arm::rows(&SERIOUS_REVIEWS, concat!("WHERE record = $1 AND ", may_see!())),
];

/// The versions that may be shown. `$5`: the one that was asked for.
const VERSIONS: Arm = Arm::rows(
    &RECORD_VERSIONS,
    concat!(
        "WHERE record = $1 AND prefecture = $6 AND version IN (
             COALESCE($5, (SELECT r.version FROM records r WHERE r.id = $1 AND r.prefecture = $6)),
             (SELECT o.version FROM transfers o WHERE o.record = $1 AND o.receiver = $2
                  AND o.state IN ('offered', 'confirmed') AND o.expires_at > $3),
             (SELECT p.version FROM provisions p WHERE p.record = $1 AND p.organization = $2)) AND ",
        may_see!()
    ),
);

/// A hidden record is one row and no more, as near as can be to one that does not exist.
static RECORD: LazyLock<String> = LazyLock::new(|| union_of("read_record", WHOLE.iter().chain([&VERSIONS])));
static FACTS: LazyLock<String> = LazyLock::new(|| union_of("read_facts", WHOLE.iter()));

macro_rules! query {
    ($sql:expr, $id:expr, $reader:expr) => {
        sqlx::query_as::<_, WideRow>(AssertSqlSafe($sql.as_str()))
            .bind($id)
            .bind($reader.organization.as_str())
            .bind($reader.now.as_micros())
            .bind(i64::from($reader.is_party))
            .bind($reader.version)
            .bind($reader.partition())
    };
}

/// A record with the bodies and attachments that the reader may be shown, in one statement.
///
/// # Errors
/// The database failed; [`StoreError::Refuted`] names a row that is not what the gateway wrote; [`StoreError::Moved`] where
/// the record is not where memory has it.
pub async fn record(store: &Store, id: Uuid, reader: &Reader) -> Result<Option<ReadRecord>, StoreError> {
    macro_rules! glance {
        ($glances:expr) => {{
            let mut dead = 0;
            loop {
                let mut connection = $glances.lend().await?;
                match query!(RECORD, id, reader).fetch_all(&mut *connection).await {
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
    let guard = store.guard().ok_or(StoreError::Unguarded)?;
    match put_together(&guard, id, reader, rows) {
        Err(StoreError::Moved) => {
            // It may be somewhere else, and memory is about to learn of it; or nowhere, and then it is named.
            super::records::find(&mut store.read().await?, id).await?;
            Err(StoreError::Moved)
        }
        read => read,
    }
}

/// A record's facts and what it is to the reader, without anything to show.
///
/// # Errors
/// As [`record`].
pub async fn facts(tx: &mut Tx, id: Uuid, reader: &Reader) -> Result<Option<ReadRecord>, StoreError> {
    let guard = tx.rows.guard()?;
    let rows = match &mut tx.on {
        On::Sqlite(tx) => query!(FACTS, id, reader).fetch_all(&mut **tx).await?,
        On::Postgres(tx) => query!(FACTS, id, reader).fetch_all(&mut **tx).await?,
    };
    put_together(&guard, id, reader, rows)
}

/// The rows of a record, each by the table it is of.
#[derive(Default)]
struct FoundRows {
    record: Option<Row>,
    parts: Vec<Mark>,
    standing: Standing,
    versions: Vec<(i64, Vec<u8>)>,
    attachments: Vec<AttachmentLine>,
}

fn put_together(
    guard: &Arc<RowGuard>,
    id: Uuid,
    reader: &Reader,
    rows: Vec<WideRow>,
) -> Result<Option<ReadRecord>, StoreError> {
    let mut found = FoundRows::default();
    let mut wrong = None;
    for WideRow(raw) in rows {
        match raw.checked(guard) {
            Ok(row) => found.take(row, reader)?,
            Err(error @ StoreError::Refuted(_)) => wrong = Some(error),
            Err(error) => return Err(error),
        }
    }
    let has_standing =
        found.standing.offered.is_some() || found.standing.provided.is_some() || found.standing.break_glass;
    if let Some(wrong) = wrong {
        // Who has nothing to see learns nothing of what is wrong either, and what somebody forged gives no standing.
        return if reader.is_party || has_standing { Err(wrong) } else { Ok(None) };
    }
    let Some(record) = found.record else {
        // Not where memory had it: it moved, or was disposed of, and memory is about to learn of it. Who has nothing to see
        // does not learn that there was something.
        let has_something = reader.is_party || has_standing;
        if let Some(set_aside) = guard.set_aside_from(id, &reader.organization) {
            return Err(set_aside);
        }
        return if reader.prefecture.is_some() && has_something { Err(StoreError::Moved) } else { Ok(None) };
    };
    if (reader.is_party || has_standing) && record.bytes("parts")? != guard.marker.parts(found.parts) {
        return Err(guard.refute(&RECORDS, id.to_string()));
    }
    let mut attachments = found.attachments;
    attachments.sort_by_key(|line: &AttachmentLine| line.id);
    Ok(Some(ReadRecord {
        stored: stored_of(&record)?,
        standing: found.standing,
        versions: SealedVersions { bodies: found.versions, guard: guard.clone() },
        attachments,
    }))
}

impl FoundRows {
    fn take(&mut self, row: Row, reader: &Reader) -> Result<(), StoreError> {
        let table = row.table();
        if *table == RECORDS {
            self.record = Some(row);
            return Ok(());
        }
        if *table == RECORD_VERSIONS {
            self.versions.push((row.int("version")?, row.bytes("sealed_body")?.to_vec()));
            return Ok(());
        }
        self.parts.push(row.mark());
        if *table == ATTACHMENTS {
            if !row.flag("withheld")? {
                self.attachments.push(line_of(&row)?);
            }
        } else if *table == TRANSFERS {
            self.take_transfer(&row, reader)?;
        } else if *table == PROVISIONS && row.code("organization")? == reader.organization {
            self.standing.provided = Some(provided_of(&row, row.int("version")?, row.at("at")?)?);
        } else if *table == BREAK_GLASS {
            let is_open = row.code("organization")? == reader.organization && row.at("until_at")? > reader.now;
            self.standing.break_glass |= is_open;
        }
        Ok(())
    }

    fn take_transfer(&mut self, row: &Row, reader: &Reader) -> Result<(), StoreError> {
        let state = row.text("state")?;
        let is_open = matches!(state, "offered" | "confirmed") && row.at("expires_at")? > reader.now;
        if is_open
            && row.code("receiver")? == reader.organization
            && let Some(version) = row.optional_int("version")?
        {
            let provided = provided_of(row, version, row.at("offered_at")?)?;
            self.standing.offered = Some(Offered { confirmed: state == "confirmed", provided });
        }
        Ok(())
    }
}

fn provided_of(row: &Row, version: i64, at: Timestamp) -> Result<Provided, StoreError> {
    Ok(Provided { version, groups: GroupSet::from_bits(row.int("item_groups")?), at })
}
