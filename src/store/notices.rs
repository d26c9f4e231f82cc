//! Missing-child notices and what each center did with them.

use uuid::Uuid;

use super::{
    error::StoreError,
    rows::{
        access::{self, SoundRows},
        mark::NO_PARTS,
        parts,
        row::{Row, Values},
        tables::{MISSING_NOTICES, NOTICE_CENTERS},
    },
    tx::Tx,
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        missing_notice::{CenterState, ListedNotices, Notice, NoticeAnswer, NoticeContent, NoticeState},
        organization::OrganizationCode,
    },
    keys::vault::{Place, Vault},
    search::standing::{MissingChildMatcher, StandingChange},
};

fn notice(row: &Row) -> Result<Notice, StoreError> {
    Ok(Notice {
        id: row.id("id")?,
        issuer: row.code("issuer")?,
        version: row.int("version")?,
        state: NoticeState::parse(row.text("state")?).ok_or(StoreError::Corrupt("notice state"))?,
        exercise: row.flag("exercise")?,
        issued_at: row.at("issued_at")?,
        updated_at: row.at("updated_at")?,
    })
}

async fn notice_row(tx: &mut Tx, id: Uuid) -> Result<Option<Row>, StoreError> {
    access::find(tx, &MISSING_NOTICES, &[id.into()]).await
}

/// A notice by its id.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Notice>, StoreError> {
    notice_row(tx, id).await?.as_ref().map(notice).transpose()
}

/// Every notice, newest first; one whose row is not what the gateway wrote is set aside, and the others still match.
///
/// # Errors
/// As [`find`].
pub async fn all(tx: &mut Tx) -> Result<Vec<Notice>, StoreError> {
    access::all_sound(tx, &MISSING_NOTICES, "ORDER BY id DESC", &[]).await?.iter().map(notice).collect()
}

/// Notices before an id, newest first, and how many of the page are not what the gateway wrote.
///
/// # Errors
/// As [`find`].
pub async fn page(
    tx: &mut Tx,
    which: ListedNotices,
    before: Uuid,
    most: i64,
) -> Result<(Vec<Notice>, usize), StoreError> {
    let clause = match which {
        ListedNotices::Standing => "WHERE id < $1 AND state <> 'cancel' ORDER BY id DESC LIMIT $2",
        ListedNotices::Ended => "WHERE id < $1 AND state = 'cancel' ORDER BY id DESC LIMIT $2",
        ListedNotices::All => "WHERE id < $1 ORDER BY id DESC LIMIT $2",
    };
    let SoundRows { rows, set_aside } =
        access::sound_light(tx, &MISSING_NOTICES, clause, &[before.into(), most.into()]).await?;
    Ok((rows.iter().map(notice).collect::<Result<_, _>>()?, set_aside))
}

/// Notices that stand and were addressed to a center that has not answered them, newest first, and how many of them are not
/// what the gateway wrote.
///
/// # Errors
/// As [`find`].
pub async fn unanswered(tx: &mut Tx, center: &OrganizationCode, most: i64) -> Result<(Vec<Notice>, usize), StoreError> {
    let clause = "WHERE center = $1 AND answered_at IS NULL
             AND notice IN (SELECT id FROM missing_notices WHERE state <> 'cancel')
         ORDER BY notice DESC LIMIT $2";
    let SoundRows { rows, set_aside } =
        access::sound(tx, &NOTICE_CENTERS, clause, &[center.into(), most.into()]).await?;
    let mut notices = Vec::with_capacity(rows.len());
    for row in &rows {
        notices.extend(find(tx, row.id("notice")?).await?.filter(|notice| notice.state != NoticeState::Cancel));
    }
    Ok((notices, set_aside))
}

/// What one center did with a notice; nothing of what it told.
pub struct DoneByCenter {
    pub read_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    /// `not_here` or `sighted`.
    pub answer: Option<String>,
}

/// What one center did with a notice; `None` where the notice was not addressed to it.
///
/// # Errors
/// As [`find`].
pub async fn done_by(tx: &mut Tx, notice: Uuid, center: &OrganizationCode) -> Result<Option<DoneByCenter>, StoreError> {
    let Some(row) = center_row(tx, notice, center).await? else { return Ok(None) };
    Ok(Some(DoneByCenter {
        read_at: row.optional_at("read_at")?,
        answered_at: row.optional_at("answered_at")?,
        answer: row.optional_text("answer")?.map(str::to_owned),
    }))
}

/// What a notice makes every search and registration be held against. An exercise matches nobody: no real record is
/// told of for it.
pub fn standing_of(notice: &Notice, content: &NoticeContent) -> StandingChange {
    if notice.exercise || notice.state == NoticeState::Cancel {
        StandingChange::Remove(notice.id)
    } else {
        StandingChange::Put(notice.id, Box::new(MissingChildMatcher::new(notice.issuer.clone(), &content.child)))
    }
}

fn content_place(id: &Uuid) -> Place<'_> {
    Place { table: "missing_notices", row: id, column: "sealed_content" }
}

/// Seals a notice's content.
///
/// # Errors
/// The provider refused.
pub fn seal_content(vault: &Vault, id: Uuid, content: &NoticeContent) -> Result<Vec<u8>, StoreError> {
    let text = serde_json::to_string(content).map_err(|_| StoreError::Corrupt("notice content"))?;
    Ok(vault.seal_text(content_place(&id), &text)?)
}

/// A notice's content, for matching inside the gateway.
pub(crate) async fn open_content(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<NoticeContent, StoreError> {
    let row = notice_row(tx, id).await?.ok_or(StoreError::Corrupt("notice"))?;
    let text = vault.unseal_text(content_place(&id), row.bytes("sealed_content")?)?;
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("notice content"))
}

/// A notice's content, sealed again for the gate.
///
/// # Errors
/// The database failed, or it does not open.
pub async fn content(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Sealed<NoticeContent>, StoreError> {
    open_content(tx, vault, id).await.map(Sealed::new)
}

/// Writes a notice, new or changed.
pub(crate) async fn put(tx: &mut Tx, notice: &Notice, sealed_content: &[u8]) -> Result<(), StoreError> {
    let known = notice_row(tx, notice.id).await?;
    let new = || {
        Values::of(&MISSING_NOTICES)
            .set("id", notice.id)
            .set("issuer", &notice.issuer)
            .set("issued_at", notice.issued_at)
            .set("parts", NO_PARTS.to_vec())
    };
    let values = known.as_ref().map_or_else(new, Row::values);
    let values = with_state(values, notice).set("exercise", notice.exercise).set("sealed_content", sealed_content);
    access::put(tx, known.as_ref(), values).await
}

fn with_state(values: Values, notice: &Notice) -> Values {
    values.set("version", notice.version).set("state", notice.state.as_str()).set("updated_at", notice.updated_at)
}

pub(crate) async fn set_state(tx: &mut Tx, notice: &Notice) -> Result<(), StoreError> {
    let Some(row) = notice_row(tx, notice.id).await? else { return Ok(()) };
    access::replace(tx, &row, with_state(row.values(), notice)).await
}

pub(crate) async fn address(tx: &mut Tx, notice: Uuid, center: &OrganizationCode) -> Result<(), StoreError> {
    access::insert(tx, Values::of(&NOTICE_CENTERS).set("notice", notice).set("center", center)).await
}

async fn center_row(tx: &mut Tx, notice: Uuid, center: &OrganizationCode) -> Result<Option<Row>, StoreError> {
    access::one(tx, &NOTICE_CENTERS, "WHERE notice = $1 AND center = $2", &[notice.into(), center.into()]).await
}

/// Notices that a center's inbox has not yet handed out. One whose row is not what the gateway wrote is left out: the inbox
/// goes on.
///
/// # Errors
/// The database failed.
pub async fn undelivered(tx: &mut Tx, center: &OrganizationCode) -> Result<Vec<Uuid>, StoreError> {
    let rows =
        access::all_sound(tx, &NOTICE_CENTERS, "WHERE center = $1 AND delivered_at IS NULL", &[center.into()]).await?;
    rows.iter().map(|row| row.id("notice")).collect()
}

/// Notes that a center's inbox was fetched up to the notice.
pub(crate) async fn mark_delivered(
    tx: &mut Tx,
    notice: Uuid,
    center: &OrganizationCode,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(row) = center_row(tx, notice, center).await? else { return Ok(()) };
    if row.optional_at("delivered_at")?.is_some() {
        return Ok(());
    }
    access::replace(tx, &row, row.values().set("delivered_at", now)).await
}

/// Notes that an officer of a center opened the notice.
pub(crate) async fn mark_read(
    tx: &mut Tx,
    notice: Uuid,
    center: &OrganizationCode,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(row) = center_row(tx, notice, center).await? else { return Ok(()) };
    if row.optional_at("read_at")?.is_some() {
        return Ok(());
    }
    access::replace(tx, &row, seen_by(&row, now)?).await
}

/// Who reads or answers a notice has received it, and who answers it has read it.
fn seen_by(row: &Row, now: Timestamp) -> Result<Values, StoreError> {
    let first = |before: Option<Timestamp>| before.unwrap_or(now);
    let (read_at, delivered_at) = (first(row.optional_at("read_at")?), first(row.optional_at("delivered_at")?));
    Ok(row.values().set("read_at", read_at).set("delivered_at", delivered_at))
}

fn details_place(row: &String) -> Place<'_> {
    Place { table: "notice_centers", row, column: "sealed_details" }
}

fn details(vault: &Vault, row: &Row) -> Result<Option<String>, StoreError> {
    let name = format!("{}:{}", row.id("notice")?, row.text("center")?);
    let open = |sealed| vault.unseal_text(details_place(&name), sealed);
    Ok(row.optional_bytes("sealed_details")?.map(open).transpose()?)
}

/// What a center has told of a notice up to now.
pub(crate) struct ToldByCenter {
    /// `not_here` or `sighted`.
    pub(crate) answer: Option<String>,
    pub(crate) details: String,
}

/// What a center answered before; `None` where the notice was not addressed to it.
pub(crate) async fn answered(
    tx: &mut Tx,
    vault: &Vault,
    notice: Uuid,
    center: &OrganizationCode,
) -> Result<Option<ToldByCenter>, StoreError> {
    parts::whole(tx, &MISSING_NOTICES, notice).await?;
    let Some(row) = center_row(tx, notice, center).await? else { return Ok(None) };
    let answer = row.optional_text("answer")?.map(str::to_owned);
    Ok(Some(ToldByCenter { answer, details: details(vault, &row)?.unwrap_or_default() }))
}

/// Writes a center's answer, with all that it has told so far.
pub(crate) async fn answer(
    tx: &mut Tx,
    vault: &Vault,
    (notice, center): (Uuid, &OrganizationCode),
    (answer, details): (NoticeAnswer, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let sealed = vault.seal_text(details_place(&format!("{notice}:{center}")), details)?;
    let Some(row) = center_row(tx, notice, center).await? else { return Ok(()) };
    let values =
        seen_by(&row, now)?.set("answer", answer.as_str()).set("sealed_details", sealed).set("answered_at", now);
    access::replace(tx, &row, values).await
}

/// What every center did with a notice: for its issuer alone.
///
/// # Errors
/// The database failed, or an answer does not open.
pub async fn centers(tx: &mut Tx, vault: &Vault, notice: Uuid) -> Result<Sealed<Vec<CenterState>>, StoreError> {
    parts::whole(tx, &MISSING_NOTICES, notice).await?;
    let rows = access::all(tx, &NOTICE_CENTERS, "WHERE notice = $1 ORDER BY center", &[notice.into()]).await?;
    rows.iter().map(|row| center_state(vault, row)).collect::<Result<_, StoreError>>().map(Sealed::new)
}

fn center_state(vault: &Vault, row: &Row) -> Result<CenterState, StoreError> {
    let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
    Ok(CenterState {
        center: row.text("center")?.to_owned(),
        delivered_at: time(row.optional_at("delivered_at")?),
        read_at: time(row.optional_at("read_at")?),
        answered_at: time(row.optional_at("answered_at")?),
        answer: row.optional_text("answer")?.map(str::to_owned),
        details: details(vault, row)?,
    })
}
