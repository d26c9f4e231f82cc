//! Missing-child notices and what each center did with them.

use uuid::Uuid;

use super::{
    error::StoreError,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        missing_notice::{CenterState, Notice, NoticeAnswer, NoticeContent, NoticeState},
        organization::OrganizationCode,
    },
    keys::vault::{Place, Vault},
    search::standing::{MissingChildMatcher, StandingChange},
};

type Row = (Uuid, String, i64, String, i64, i64, i64);

fn notice((id, issuer, version, state, exercise, issued_at, updated_at): Row) -> Result<Notice, StoreError> {
    Ok(Notice {
        id,
        issuer: OrganizationCode::parse(&issuer).ok_or(StoreError::Corrupt("organization code"))?,
        version,
        state: NoticeState::parse(&state).ok_or(StoreError::Corrupt("notice state"))?,
        exercise: exercise != 0,
        issued_at: Timestamp::from_micros(issued_at),
        updated_at: Timestamp::from_micros(updated_at),
    })
}

/// A notice by its id.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Notice>, StoreError> {
    fetch_optional!(
        tx,
        Row,
        "/* find_notice */ SELECT id, issuer, version, state, exercise, issued_at, updated_at
         FROM missing_notices WHERE id = $1",
        id,
    )?
    .map(notice)
    .transpose()
}

/// Every notice, newest first.
///
/// # Errors
/// As [`find`].
pub async fn all(tx: &mut Tx) -> Result<Vec<Notice>, StoreError> {
    fetch_all!(
        tx,
        Row,
        "/* all_notices */ SELECT id, issuer, version, state, exercise, issued_at, updated_at
         FROM missing_notices ORDER BY id DESC"
    )?
    .into_iter()
    .map(notice)
    .collect()
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
    let (sealed,) = fetch_optional!(
        tx,
        (Vec<u8>,),
        "/* notice_content */ SELECT sealed_content FROM missing_notices WHERE id = $1",
        id,
    )?
    .ok_or(StoreError::Corrupt("notice"))?;
    let text = vault.unseal_text(content_place(&id), &sealed)?;
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
    execute!(
        tx,
        "/* put_notice */ INSERT INTO missing_notices (id, issuer, version, state, exercise, issued_at, updated_at,
             sealed_content)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state,
             exercise = excluded.exercise,
             updated_at = excluded.updated_at, sealed_content = excluded.sealed_content",
        notice.id,
        notice.issuer.as_str(),
        notice.version,
        notice.state.as_str(),
        i64::from(notice.exercise),
        notice.issued_at.as_micros(),
        notice.updated_at.as_micros(),
        sealed_content,
    )?;
    Ok(())
}

pub(crate) async fn set_state(tx: &mut Tx, notice: &Notice) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* set_notice_state */ UPDATE missing_notices SET version = $2, state = $3, updated_at = $4 WHERE id = $1",
        notice.id,
        notice.version,
        notice.state.as_str(),
        notice.updated_at.as_micros(),
    )?;
    Ok(())
}

pub(crate) async fn address(tx: &mut Tx, notice: Uuid, center: &OrganizationCode) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* address_notice */ INSERT INTO notice_centers (notice, center) VALUES ($1, $2)",
        notice,
        center.as_str(),
    )?;
    Ok(())
}

/// Notices that a center's inbox has not yet handed out.
///
/// # Errors
/// The database failed.
pub async fn undelivered(tx: &mut Tx, center: &OrganizationCode) -> Result<Vec<Uuid>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid,),
        "/* undelivered */ SELECT notice FROM notice_centers WHERE center = $1 AND delivered_at IS NULL",
        center.as_str(),
    )?;
    Ok(rows.into_iter().map(|(notice,)| notice).collect())
}

/// Notes that a center's inbox was fetched up to the notice.
pub(crate) async fn mark_delivered(
    tx: &mut Tx,
    notice: Uuid,
    center: &OrganizationCode,
    now: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* mark_delivered */ UPDATE notice_centers SET delivered_at = $3
         WHERE notice = $1 AND center = $2 AND delivered_at IS NULL",
        notice,
        center.as_str(),
        now.as_micros(),
    )?;
    Ok(())
}

/// Notes that an officer of a center opened the notice.
pub(crate) async fn mark_read(
    tx: &mut Tx,
    notice: Uuid,
    center: &OrganizationCode,
    now: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* mark_read */ UPDATE notice_centers SET read_at = $3, delivered_at = COALESCE(delivered_at, $3)
         WHERE notice = $1 AND center = $2 AND read_at IS NULL",
        notice,
        center.as_str(),
        now.as_micros(),
    )?;
    Ok(())
}

fn details_place(row: &String) -> Place<'_> {
    Place { table: "notice_centers", row, column: "sealed_details" }
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
    let row = fetch_optional!(
        tx,
        (Option<String>, Option<Vec<u8>>),
        "/* notice_answer */ SELECT answer, sealed_details FROM notice_centers WHERE notice = $1 AND center = $2",
        notice,
        center.as_str(),
    )?;
    let Some((answer, sealed)) = row else { return Ok(None) };
    let details =
        sealed.map(|sealed| vault.unseal_text(details_place(&format!("{notice}:{center}")), &sealed)).transpose()?;
    Ok(Some(ToldByCenter { answer, details: details.unwrap_or_default() }))
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
    execute!(
        tx,
        "/* answer_notice */ UPDATE notice_centers SET answer = $3, sealed_details = $4, answered_at = $5,
             read_at = COALESCE(read_at, $5), delivered_at = COALESCE(delivered_at, $5)
         WHERE notice = $1 AND center = $2",
        notice,
        center.as_str(),
        answer.as_str(),
        sealed,
        now.as_micros(),
    )?;
    Ok(())
}

type CenterRow = (String, Option<i64>, Option<i64>, Option<i64>, Option<String>, Option<Vec<u8>>);

/// What every center did with a notice: for its issuer alone.
///
/// # Errors
/// The database failed, or an answer does not open.
pub async fn centers(tx: &mut Tx, vault: &Vault, notice: Uuid) -> Result<Sealed<Vec<CenterState>>, StoreError> {
    let rows = fetch_all!(
        tx,
        CenterRow,
        "/* notice_centers */ SELECT center, delivered_at, read_at, answered_at, answer, sealed_details
         FROM notice_centers WHERE notice = $1 ORDER BY center",
        notice,
    )?;
    let time = |at: Option<i64>| at.map(|at| Timestamp::from_micros(at).to_rfc3339());
    rows.into_iter()
        .map(|(center, delivered_at, read_at, answered_at, answer, sealed)| {
            let details = sealed
                .map(|sealed| vault.unseal_text(details_place(&format!("{notice}:{center}")), &sealed))
                .transpose()?;
            Ok(CenterState {
                center,
                delivered_at: time(delivered_at),
                read_at: time(read_at),
                answered_at: time(answered_at),
                answer,
                details,
            })
        })
        .collect::<Result<_, StoreError>>()
        .map(Sealed::new)
}
