//! Serious-case reviews, staffing reports, break-glass and inquiries. What is written about a record is sealed under
//! the record's key.

use uuid::Uuid;

use super::{
    error::StoreError,
    records::key_of,
    rows::{
        access::{self, SoundRows},
        parts,
        row::{Row, Values},
        table::MarkedTable,
        tables::{BREAK_GLASS, INQUIRIES, RECORDS, SERIOUS_REVIEWS, STAFFING_REPORTS},
    },
    tx::Tx,
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
    keys::vault::{Key, Place, Vault},
};

const BY_ID: &str = "WHERE id = $1";

/// A row that hangs on a record, by its own id. One that was set back or brought back is found by its record.
async fn of_record(tx: &mut Tx, table: &'static MarkedTable, id: Uuid) -> Result<Option<Row>, StoreError> {
    let Some(row) = access::one(tx, table, BY_ID, &[id.into()]).await? else { return Ok(None) };
    Ok(parts::whole(tx, &RECORDS, row.id("record")?).await?.map(|_| row))
}

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
    let values = Values::of(&SERIOUS_REVIEWS)
        .set("id", id)
        .set("record", record)
        .set("organization", caller.organization())
        .set("officer", caller.officer())
        .set("kind", kind)
        .set("at", at)
        .set("sealed_note", sealed);
    access::insert(tx, values).await
}

/// The notes of a serious case, oldest first.
///
/// # Errors
/// The database failed, or a note does not open.
pub async fn serious_notes(tx: &mut Tx, vault: &Vault, record: Uuid) -> Result<Sealed<Vec<SeriousNote>>, StoreError> {
    parts::whole(tx, &RECORDS, record).await?;
    let rows = access::all(tx, &SERIOUS_REVIEWS, "WHERE record = $1 ORDER BY id", &[record.into()]).await?;
    if rows.is_empty() {
        return Ok(Sealed::new(Vec::new()));
    }
    let key = key_of(tx, vault, record).await?;
    rows.iter().map(|row| serious_note(&key, row)).collect::<Result<_, StoreError>>().map(Sealed::new)
}

fn serious_note(key: &Key, row: &Row) -> Result<SeriousNote, StoreError> {
    let id = row.id("id")?;
    Ok(SeriousNote {
        id,
        organization: row.text("organization")?.to_owned(),
        officer: row.text("officer")?.to_owned(),
        kind: row.text("kind")?.to_owned(),
        at: row.at("at")?.to_rfc3339(),
        note: key.open_text(serious_place(&id), row.bytes("sealed_note")?)?,
    })
}

pub(crate) async fn put_staffing_report(
    tx: &mut Tx,
    center: &OrganizationCode,
    fiscal_year: FiscalYear,
    report: &StaffingReport,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(report).map_err(|_| StoreError::Corrupt("staffing report"))?;
    let known = access::find(tx, &STAFFING_REPORTS, &[center.into(), fiscal_year.number().into()]).await?;
    let values = Values::of(&STAFFING_REPORTS)
        .set("center", center)
        .set("fiscal_year", fiscal_year.number())
        .set("submitted_at", now)
        .set("report", text);
    access::put(tx, known.as_ref(), values).await
}

/// The reports of a fiscal year: center, time of submission, numbers. Their totals go out: none is left out.
///
/// # Errors
/// The database failed, or a report is damaged.
pub async fn staffing_reports(
    tx: &mut Tx,
    fiscal_year: FiscalYear,
) -> Result<Vec<(String, Timestamp, StaffingReport)>, StoreError> {
    let binds = [fiscal_year.number().into()];
    let rows = access::all(tx, &STAFFING_REPORTS, "WHERE fiscal_year = $1 ORDER BY center", &binds).await?;
    let report = |row: &Row| {
        let report = serde_json::from_str(row.text("report")?).map_err(|_| StoreError::Corrupt("staffing report"))?;
        Ok((row.text("center")?.to_owned(), row.at("submitted_at")?, report))
    };
    rows.iter().map(report).collect()
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
    let values = Values::of(&BREAK_GLASS)
        .set("id", id)
        .set("record", record)
        .set("organization", caller.organization())
        .set("officer", caller.officer())
        .set("until_at", until)
        .set("sealed_reason", sealed);
    access::insert(tx, values).await
}

/// A break-glass by its id, with the reason, and with what the officer was called then.
///
/// # Errors
/// The database failed, or the reason does not open.
pub async fn broken_glass(
    tx: &mut Tx,
    vault: &Vault,
    (id, officer_name): (Uuid, String),
) -> Result<Option<Sealed<BrokenGlass>>, StoreError> {
    let Some(row) = of_record(tx, &BREAK_GLASS, id).await? else { return Ok(None) };
    let record = row.id("record")?;
    let reason = key_of(tx, vault, record).await?.open_text(reason_place(&id), row.bytes("sealed_reason")?)?;
    Ok(Some(Sealed::new(BrokenGlass {
        id,
        record,
        organization: row.text("organization")?.to_owned(),
        officer: row.text("officer")?.to_owned(),
        officer_name,
        until: row.at("until_at")?.to_rfc3339(),
        reason,
        reviewed_at: row.optional_at("reviewed_at")?.map(Timestamp::to_rfc3339),
    })))
}

/// The record that a break-glass opened.
///
/// # Errors
/// The database failed.
pub async fn glass_record(tx: &mut Tx, id: Uuid) -> Result<Option<Uuid>, StoreError> {
    of_record(tx, &BREAK_GLASS, id).await?.map(|row| row.id("record")).transpose()
}

/// A break-glass by its id, without its reason.
///
/// # Errors
/// The database failed.
pub async fn glass_line(tx: &mut Tx, id: Uuid) -> Result<Option<GlassLine>, StoreError> {
    of_record(tx, &BREAK_GLASS, id).await?.as_ref().map(glass_of).transpose()
}

/// A break-glass without its reason.
pub struct GlassLine {
    pub id: Uuid,
    pub record: Uuid,
    /// Who broke it.
    pub organization: OrganizationCode,
    pub officer: String,
    pub until: Timestamp,
    pub reviewed_at: Option<Timestamp>,
}

/// Broken glasses of a list, and how many of it are not what the gateway wrote.
pub struct ListedGlasses {
    pub glasses: Vec<GlassLine>,
    pub set_aside: usize,
}

fn glass_of(row: &Row) -> Result<GlassLine, StoreError> {
    Ok(GlassLine {
        id: row.id("id")?,
        record: row.id("record")?,
        organization: row.code("organization")?,
        officer: row.text("officer")?.to_owned(),
        until: row.at("until_at")?,
        reviewed_at: row.optional_at("reviewed_at")?,
    })
}

fn glasses_of(SoundRows { rows, set_aside }: SoundRows) -> Result<ListedGlasses, StoreError> {
    Ok(ListedGlasses { glasses: rows.iter().map(glass_of).collect::<Result<_, _>>()?, set_aside })
}

/// Whether the record of a row is an owner's: the place of the record is known by its owner.
macro_rules! is_of_owner {
    () => {
        "EXISTS (SELECT 1 FROM records r WHERE r.id = break_glass.record AND r.owner = $1 AND r.prefecture = $2)"
    };
}

/// Broken glasses on an owner's records before an id, newest first.
///
/// # Errors
/// The database failed.
pub async fn glasses_on(
    tx: &mut Tx,
    owner: &OrganizationCode,
    before: Uuid,
    most: i64,
) -> Result<ListedGlasses, StoreError> {
    let clause = concat!("WHERE id < $3 AND ", is_of_owner!(), " ORDER BY id DESC LIMIT $4");
    let binds = [owner.into(), owner.prefecture().into(), before.into(), most.into()];
    glasses_of(access::sound(tx, &BREAK_GLASS, clause, &binds).await?)
}

/// Those that nobody of the owner has reviewed, newest first.
///
/// # Errors
/// The database failed.
pub async fn unreviewed(tx: &mut Tx, owner: &OrganizationCode, most: i64) -> Result<ListedGlasses, StoreError> {
    let clause = concat!("WHERE reviewed_at IS NULL AND ", is_of_owner!(), " ORDER BY id DESC LIMIT $3");
    let binds = [owner.into(), owner.prefecture().into(), most.into()];
    glasses_of(access::sound(tx, &BREAK_GLASS, clause, &binds).await?)
}

/// Those that a body broke and that are still open, newest first.
///
/// # Errors
/// The database failed.
pub async fn open_glasses_of(
    tx: &mut Tx,
    breaker: &OrganizationCode,
    now: Timestamp,
    most: i64,
) -> Result<ListedGlasses, StoreError> {
    let clause = "WHERE organization = $1 AND until_at > $2 ORDER BY id DESC LIMIT $3";
    glasses_of(access::sound(tx, &BREAK_GLASS, clause, &[breaker.into(), now.into(), most.into()]).await?)
}

pub(crate) async fn review_glass(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    let Some(row) = access::one(tx, &BREAK_GLASS, BY_ID, &[id.into()]).await? else { return Ok(()) };
    if row.optional_at("reviewed_at")?.is_some() {
        return Ok(());
    }
    access::replace(tx, &row, row.values().set("reviewed_at", now)).await
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
    let values = Values::of(&INQUIRIES)
        .set("id", id)
        .set("record", parties.record)
        .set("owner", &parties.owner)
        .set("asker", &parties.asker)
        .set("at", now)
        .set("sealed_question", sealed);
    access::insert(tx, values).await
}

/// Who asked whom.
///
/// # Errors
/// The database failed, or the row is damaged.
pub async fn inquiry_parties(tx: &mut Tx, id: Uuid) -> Result<Option<InquiryParties>, StoreError> {
    let Some(row) = of_record(tx, &INQUIRIES, id).await? else { return Ok(None) };
    Ok(Some(InquiryParties { record: row.id("record")?, owner: row.code("owner")?, asker: row.code("asker")? }))
}

/// An inquiry with question and answer, sealed again for the gate.
///
/// # Errors
/// The database failed, or a text does not open.
pub async fn inquiry(tx: &mut Tx, vault: &Vault, id: Uuid) -> Result<Option<Sealed<Inquiry>>, StoreError> {
    let Some(row) = of_record(tx, &INQUIRIES, id).await? else { return Ok(None) };
    let record = row.id("record")?;
    let key = key_of(tx, vault, record).await?;
    let answer = row.optional_bytes("sealed_answer")?;
    Ok(Some(Sealed::new(Inquiry {
        id,
        record,
        asker: row.text("asker")?.to_owned(),
        at: row.at("at")?.to_rfc3339(),
        question: key.open_text(question_place(&id), row.bytes("sealed_question")?)?,
        answer: answer.map(|sealed| key.open_text(answer_place(&id), sealed)).transpose()?,
    })))
}

/// An inquiry without what was asked and answered.
pub struct InquiryLine {
    pub id: Uuid,
    pub parties: InquiryParties,
    pub at: Timestamp,
    pub answered_at: Option<Timestamp>,
}

/// Inquiries of a list, and how many of it are not what the gateway wrote.
pub struct ListedInquiries {
    pub inquiries: Vec<InquiryLine>,
    pub set_aside: usize,
}

fn inquiries_of(SoundRows { rows, set_aside }: SoundRows) -> Result<ListedInquiries, StoreError> {
    let line = |row: &Row| {
        Ok(InquiryLine {
            id: row.id("id")?,
            parties: InquiryParties { record: row.id("record")?, owner: row.code("owner")?, asker: row.code("asker")? },
            at: row.at("at")?,
            answered_at: row.optional_at("answered_at")?,
        })
    };
    Ok(ListedInquiries { inquiries: rows.iter().map(line).collect::<Result<_, StoreError>>()?, set_aside })
}

/// Inquiries to and from a body before an id, newest first: those without an answer, or those with one.
///
/// # Errors
/// The database failed.
pub async fn inquiries_of_party(
    tx: &mut Tx,
    party: &OrganizationCode,
    (is_open, before): (bool, Uuid),
    most: i64,
) -> Result<ListedInquiries, StoreError> {
    let clause = if is_open {
        "WHERE (owner = $1 OR asker = $1) AND answered_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3"
    } else {
        "WHERE (owner = $1 OR asker = $1) AND answered_at IS NOT NULL AND id < $2 ORDER BY id DESC LIMIT $3"
    };
    inquiries_of(access::sound(tx, &INQUIRIES, clause, &[party.into(), before.into(), most.into()]).await?)
}

/// Inquiries that an owner has to answer, newest first.
///
/// # Errors
/// The database failed.
pub async fn unanswered(tx: &mut Tx, owner: &OrganizationCode, most: i64) -> Result<ListedInquiries, StoreError> {
    let clause = "WHERE owner = $1 AND answered_at IS NULL ORDER BY id DESC LIMIT $2";
    inquiries_of(access::sound(tx, &INQUIRIES, clause, &[owner.into(), most.into()]).await?)
}

/// Questions that wait for an answer follow the record to its new owner.
pub(crate) async fn readdress_inquiries(tx: &mut Tx, record: Uuid, owner: &OrganizationCode) -> Result<(), StoreError> {
    for row in access::all(tx, &INQUIRIES, "WHERE record = $1", &[record.into()]).await? {
        if row.optional_at("answered_at")?.is_none() {
            access::replace(tx, &row, row.values().set("owner", owner)).await?;
        }
    }
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
    let row = access::one(tx, &INQUIRIES, BY_ID, &[id.into()]).await?.ok_or(StoreError::Corrupt("inquiry"))?;
    if row.optional_at("answered_at")?.is_some() {
        return Ok(false);
    }
    let sealed = key_of(tx, vault, row.id("record")?).await?.seal_text(answer_place(&id), answer)?;
    access::replace(tx, &row, row.values().set("sealed_answer", sealed).set("answered_at", now)).await?;
    Ok(true)
}
