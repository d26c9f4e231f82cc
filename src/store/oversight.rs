//! Serious-case reviews, staffing reports, break-glass and inquiries. What is written about a record is sealed under
//! the record's key.

use uuid::Uuid;

use super::{
    error::StoreError,
    records::key_of,
    tx::{Tx, execute, fetch_all, fetch_optional},
};
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        organization::OrganizationCode,
        oversight::{BrokenGlass, Inquiry, SeriousNote},
        staffing::{FiscalYear, StaffingReport},
    },
    identity::Caller,
    keys::vault::{Place, Vault},
};

fn serious_place(id: &Uuid) -> Place<'_> {
    Place { table: "serious_reviews", row: id, column: "sealed_note" }
}

/// A note that is added to a serious case.
pub(crate) struct NewSeriousNote<'a> {
    pub(crate) id: Uuid,
    pub(crate) record: Uuid,
    /// `designation` or `review`.
    pub(crate) kind: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) note: &'a str,
}

pub(crate) async fn add_serious_note(
    tx: &mut Tx,
    vault: &Vault,
    caller: &Caller,
    NewSeriousNote { id, record, kind, at, note }: NewSeriousNote<'_>,
) -> Result<(), StoreError> {
    let sealed = key_of(tx, vault, record).await?.seal_text(serious_place(&id), note)?;
    execute!(
        tx,
        "/* add_serious_note */ INSERT INTO serious_reviews (id, record, organization, officer, kind, at, sealed_note)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id,
        record,
        caller.organization().as_str(),
        caller.officer(),
        kind,
        at.as_micros(),
        sealed,
    )?;
    Ok(())
}

/// The notes of a serious case, oldest first.
///
/// # Errors
/// The database failed, or a note does not open.
pub async fn serious_notes(tx: &mut Tx, vault: &Vault, record: Uuid) -> Result<Sealed<Vec<SeriousNote>>, StoreError> {
    let rows = fetch_all!(
        tx,
        (Uuid, String, String, String, i64, Vec<u8>),
        "/* serious_notes */ SELECT id, organization, officer, kind, at, sealed_note FROM serious_reviews
         WHERE record = $1 ORDER BY id",
        record,
    )?;
    if rows.is_empty() {
        return Ok(Sealed::new(Vec::new()));
    }
    let key = key_of(tx, vault, record).await?;
    rows.into_iter()
        .map(|(id, organization, officer, kind, at, sealed)| {
            let note = key.open_text(serious_place(&id), &sealed)?;
            Ok(SeriousNote { id, organization, officer, kind, at: Timestamp::from_micros(at).to_rfc3339(), note })
        })
        .collect::<Result<_, StoreError>>()
        .map(Sealed::new)
}

pub(crate) async fn put_staffing_report(
    tx: &mut Tx,
    center: &OrganizationCode,
    fiscal_year: FiscalYear,
    report: &StaffingReport,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(report).map_err(|_| StoreError::Corrupt("staffing report"))?;
    execute!(
        tx,
        "/* put_staffing_report */ INSERT INTO staffing_reports (center, fiscal_year, submitted_at, report)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (center, fiscal_year) DO UPDATE SET submitted_at = excluded.submitted_at,
             report = excluded.report",
        center.as_str(),
        fiscal_year.number(),
        now.as_micros(),
        text,
    )?;
    Ok(())
}

/// The reports of a fiscal year: center, time of submission, numbers.
///
/// # Errors
/// The database failed, or a report is damaged.
pub async fn staffing_reports(
    tx: &mut Tx,
    fiscal_year: FiscalYear,
) -> Result<Vec<(String, Timestamp, StaffingReport)>, StoreError> {
    fetch_all!(
        tx,
        (String, i64, String),
        "/* staffing_reports */ SELECT center, submitted_at, report FROM staffing_reports
         WHERE fiscal_year = $1 ORDER BY center",
        fiscal_year.number(),
    )?
    .into_iter()
    .map(|(center, at, report)| {
        let report = serde_json::from_str(&report).map_err(|_| StoreError::Corrupt("staffing report"))?;
        Ok((center, Timestamp::from_micros(at), report))
    })
    .collect()
}

fn reason_place(id: &Uuid) -> Place<'_> {
    Place { table: "break_glass", row: id, column: "sealed_reason" }
}

/// A break-glass that is about to be.
pub(crate) struct NewGlass<'a> {
    pub(crate) id: Uuid,
    pub(crate) record: Uuid,
    pub(crate) until: Timestamp,
    pub(crate) reason: &'a str,
}

/// Opens a record to a center for a while, for a written reason.
pub(crate) async fn break_glass(
    tx: &mut Tx,
    vault: &Vault,
    caller: &Caller,
    NewGlass { id, record, until, reason }: NewGlass<'_>,
) -> Result<(), StoreError> {
    let sealed = key_of(tx, vault, record).await?.seal_text(reason_place(&id), reason)?;
    execute!(
        tx,
        "/* break_glass */ INSERT INTO break_glass (record, organization, officer, until_at, id, sealed_reason)
         VALUES ($1, $2, $3, $4, $5, $6)",
        record,
        caller.organization().as_str(),
        caller.officer(),
        until.as_micros(),
        id,
        sealed,
    )?;
    Ok(())
}

/// A break-glass by its id, with the reason.
///
/// # Errors
/// The database failed, or the reason does not open.
pub async fn broken_glass(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Option<Sealed<BrokenGlass>>, StoreError> {
    let row = fetch_optional!(
        tx,
        (Uuid, String, String, i64, Option<i64>, Vec<u8>),
        "/* broken_glass */ SELECT record, organization, officer, until_at, reviewed_at, sealed_reason
         FROM break_glass WHERE id = $1",
        id,
    )?;
    let Some((record, organization, officer, until, reviewed_at, sealed)) = row else { return Ok(None) };
    let reason = key_of(tx, vault, record).await?.open_text(reason_place(&id), &sealed)?;
    Ok(Some(Sealed::new(BrokenGlass {
        id,
        record,
        organization,
        officer,
        until: Timestamp::from_micros(until).to_rfc3339(),
        reason,
        reviewed_at: reviewed_at.map(|at| Timestamp::from_micros(at).to_rfc3339()),
    })))
}

/// The record that a break-glass opened.
///
/// # Errors
/// The database failed.
pub async fn glass_record(tx: &mut Tx, id: Uuid) -> Result<Option<Uuid>, StoreError> {
    let row = fetch_optional!(tx, (Uuid,), "/* glass_record */ SELECT record FROM break_glass WHERE id = $1", id)?;
    Ok(row.map(|(record,)| record))
}

/// The body that broke the glass.
///
/// # Errors
/// The database failed.
pub async fn glass_breaker(tx: &mut Tx, id: Uuid) -> Result<Option<OrganizationCode>, StoreError> {
    let row =
        fetch_optional!(tx, (String,), "/* glass_breaker */ SELECT organization FROM break_glass WHERE id = $1", id)?;
    Ok(row.and_then(|(code,)| OrganizationCode::parse(&code)))
}

pub(crate) async fn review_glass(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* review_glass */ UPDATE break_glass SET reviewed_at = $2 WHERE id = $1 AND reviewed_at IS NULL",
        id,
        now.as_micros(),
    )?;
    Ok(())
}

/// The parties of an inquiry.
pub struct InquiryParties {
    pub record: Uuid,
    /// Who may answer: the present owner of the record, until there is an answer.
    pub owner: OrganizationCode,
    pub asker: OrganizationCode,
}

fn question_place(id: &Uuid) -> Place<'_> {
    Place { table: "inquiries", row: id, column: "sealed_question" }
}

fn answer_place(id: &Uuid) -> Place<'_> {
    Place { table: "inquiries", row: id, column: "sealed_answer" }
}

pub(crate) async fn ask(
    tx: &mut Tx,
    vault: &Vault,
    id: Uuid,
    parties: &InquiryParties,
    question: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sealed = key_of(tx, vault, parties.record).await?.seal_text(question_place(&id), question)?;
    execute!(
        tx,
        "/* ask */ INSERT INTO inquiries (id, record, owner, asker, at, sealed_question)
         VALUES ($1, $2, $3, $4, $5, $6)",
        id,
        parties.record,
        parties.owner.as_str(),
        parties.asker.as_str(),
        now.as_micros(),
        sealed,
    )?;
    Ok(())
}

/// Who asked whom.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn inquiry_parties(tx: &mut Tx, id: Uuid) -> Result<Option<InquiryParties>, StoreError> {
    let row = fetch_optional!(
        tx,
        (Uuid, String, String),
        "/* inquiry_parties */ SELECT record, owner, asker FROM inquiries WHERE id = $1",
        id,
    )?;
    row.map(|(record, owner, asker)| {
        let code = |text: &str| OrganizationCode::parse(text).ok_or(StoreError::Corrupt("organization code"));
        Ok(InquiryParties { record, owner: code(&owner)?, asker: code(&asker)? })
    })
    .transpose()
}

/// An inquiry with question and answer, sealed again for the gate.
///
/// # Errors
/// The database failed, or a text does not open.
pub async fn inquiry(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Option<Sealed<Inquiry>>, StoreError> {
    let row = fetch_optional!(
        tx,
        (Uuid, String, i64, Vec<u8>, Option<Vec<u8>>),
        "/* inquiry */ SELECT record, asker, at, sealed_question, sealed_answer FROM inquiries WHERE id = $1",
        id,
    )?;
    let Some((record, asker, at, question, answer)) = row else { return Ok(None) };
    let key = key_of(tx, vault, record).await?;
    Ok(Some(Sealed::new(Inquiry {
        id,
        record,
        asker,
        at: Timestamp::from_micros(at).to_rfc3339(),
        question: key.open_text(question_place(&id), &question)?,
        answer: answer.map(|sealed| key.open_text(answer_place(&id), &sealed)).transpose()?,
    })))
}

/// Questions that wait for an answer follow the record to its new owner.
pub(crate) async fn readdress_inquiries(tx: &mut Tx, record: Uuid, owner: &OrganizationCode) -> Result<(), StoreError> {
    execute!(
        tx,
        "/* readdress_inquiries */ UPDATE inquiries SET owner = $2 WHERE record = $1 AND answered_at IS NULL",
        record,
        owner.as_str(),
    )?;
    Ok(())
}

/// Writes the answer, if there is none yet; returns whether it did.
pub(crate) async fn answer_inquiry(
    tx: &mut Tx,
    vault: &Vault,
    id: Uuid,
    answer: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (record,) =
        fetch_optional!(tx, (Uuid,), "/* inquiry_record */ SELECT record FROM inquiries WHERE id = $1", id)?
            .ok_or(StoreError::Corrupt("inquiry"))?;
    let sealed = key_of(tx, vault, record).await?.seal_text(answer_place(&id), answer)?;
    let touched = execute!(
        tx,
        "/* answer_inquiry */ UPDATE inquiries SET sealed_answer = $2, answered_at = $3
         WHERE id = $1 AND answered_at IS NULL",
        id,
        sealed,
        now.as_micros(),
    )?;
    Ok(touched == 1)
}
