//! Transfers (情報提供・ケース移管): what waits, what each brings, and the next step.

mod offer;

use askama::Template;

use self::offer::{offer, offer_act};
use super::{
    dates::{moment_in_list, moment_of},
    form::Form,
    input::TextArea,
    language::Language,
    page::{Visit, act, again, page, see_other, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    clock::Timestamp,
    domain::{
        transfer::TransferState,
        transfer_note::{Brought, TransferNote},
    },
    error::Error,
    face::{
        answer::Answer,
        route::{BODIES, CASEWORK, READ, Route, SUPERVISE},
    },
    operations::transfers::{
        transfer_steps::{
            EndReason, EndTransfer, MoveTransfer, check_safety, confirm_transfer, reject_transfer, take_over,
            withdraw_transfer,
        },
        view_transfer::{TransferLine, ViewTransfer, list_transfers, view_transfer},
    },
};

pub const PAGES: &[Route] = &[
    show("/transfers").titled("転出入", "Transfers").for_whom(BODIES, READ).made_by(page!(transfers)),
    show("/transfers/{id}").titled("情報提供", "A transfer").for_whom(BODIES, READ).made_by(page!(transfer)),
    act("/transfers/{id}/confirm")
        .titled("情報提供を確認する", "Confirm")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(confirm)),
    act("/transfers/{id}/take-over")
        .titled("記録を引き継ぐ", "Take over")
        .for_whom(BODIES, SUPERVISE)
        .made_by(page!(take_over_act)),
    act("/transfers/{id}/safety-check")
        .titled("安全確認を記録する", "Record the safety check")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(safety_check)),
    act("/transfers/{id}/reject")
        .titled("情報提供を拒否する", "Reject")
        .for_whom(BODIES, SUPERVISE)
        .made_by(page!(reject)),
    act("/transfers/{id}/withdraw")
        .titled("情報提供を取り下げる", "Withdraw")
        .for_whom(BODIES, SUPERVISE)
        .made_by(page!(withdraw)),
    show("/records/{id}/offer")
        .titled("情報を提供する", "Offer a transfer")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(offer)),
    act("/records/{id}/offer")
        .titled("情報を提供する", "Offer a transfer")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(offer_act)),
];

const DONE: &[(&str, (&str, &str))] = &[
    ("requested", ("情報提供を求めました。", "The transfer was requested.")),
    ("offered", ("情報を提供しました。提供先の確認を待っています。", "It was offered, and waits for the receiver.")),
    (
        "confirmed",
        ("情報提供を確認しました。提供された項目を閲覧できます。", "Confirmed: what was provided may be read."),
    ),
    ("taken_over", ("記録を引き継ぎました。", "The record is yours now.")),
    ("checked", ("安全確認を記録しました。", "The safety check was recorded.")),
    ("ended", ("情報提供を終了しました（拒否又は取下げ）。", "The transfer was rejected or withdrawn.")),
];

/// A transfer as a row.
pub struct TransferRow {
    pub id: String,
    pub record: String,
    pub is_ours: bool,
    pub other: String,
    pub state: &'static str,
    pub urgent: bool,
    pub opened_at: String,
    pub expires_at: String,
    pub safety: Option<String>,
}

impl TransferRow {
    pub fn of(visit: &Visit, line: &TransferLine) -> Self {
        let l = visit.language();
        let is_ours = line.owner.as_ref() == Some(visit.caller.organization());
        let other = if is_ours { Some(&line.receiver) } else { line.owner.as_ref() };
        let hidden = l.say("（非表示）", "(not named)");
        Self {
            id: line.transfer.to_string(),
            record: line.record.to_string(),
            is_ours,
            other: other.map_or_else(|| hidden.to_owned(), |code| visit.gateway.registry.name(code)),
            state: l.of_pair(state_name(line.state)),
            urgent: line.urgent,
            opened_at: in_list(l, &line.opened_at),
            expires_at: in_list(l, &line.expires_at),
            safety: safety(l, line, visit.gateway.clock.now()),
        }
    }
}

fn in_list(l: Language, rfc3339: &str) -> String {
    Timestamp::from_rfc3339(rfc3339).map_or_else(|| rfc3339.to_owned(), |at| moment_in_list(l, at))
}

/// The clock of the safety check in words.
fn safety(l: Language, line: &TransferLine, now: Timestamp) -> Option<String> {
    if let Some(checked) = &line.safety_checked_at {
        return Some(format!("{} {}", l.say("安全確認済み", "checked"), in_list(l, checked)));
    }
    let due = Timestamp::from_rfc3339(line.safety_due_at.as_ref()?)?;
    let minutes = (due.as_micros() - now.as_micros()) / 60_000_000;
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    Some(match (l, minutes < 0) {
        (Language::Japanese, true) => format!("安全確認 {hours}時間{rest}分 超過"),
        (Language::Japanese, false) => format!("安全確認 残り{hours}時間{rest}分"),
        (Language::English, true) => format!("safety check {hours} h {rest} min overdue"),
        (Language::English, false) => format!("safety check: {hours} h {rest} min left"),
    })
}

/// A state as people call it.
pub fn state_name(state: TransferState) -> (&'static str, &'static str) {
    match state {
        TransferState::Requested => ("提供の求め（対応待ち）", "requested"),
        TransferState::Offered => ("提供（確認待ち）", "offered"),
        TransferState::Confirmed => ("確認済み", "confirmed"),
        TransferState::TakenOver => ("引継ぎ済み", "taken over"),
        TransferState::Rejected => ("拒否", "rejected"),
        TransferState::Withdrawn => ("取下げ", "withdrawn"),
        TransferState::Expired => ("期限切れ", "expired"),
    }
}

#[derive(Template)]
#[template(path = "transfers/transfers.html")]
struct TransfersPage {
    shell: Shell,
    open: Vec<TransferRow>,
    ended: Vec<TransferRow>,
}

async fn transfers(visit: Visit) -> Result<Answer, Error> {
    let lines = list_transfers(&visit.gateway, &visit.caller).await?;
    let is_open = |line: &TransferLine| {
        matches!(line.state, TransferState::Requested | TransferState::Offered | TransferState::Confirmed)
    };
    let rows = |open: bool| {
        let of = lines.value().transfers.iter().filter(|line| is_open(line) == open);
        of.map(|line| TransferRow::of(&visit, line)).collect()
    };
    let (open, ended) = (rows(true), rows(false));
    shown(&TransfersPage { shell: visit.shell(("転出入", "Transfers"), PagePart::Transfers).await?, open, ended })
}

/// What the caller may do next.
struct NextSteps {
    confirm: bool,
    take_over: bool,
    safety_check: bool,
    reject: bool,
    withdraw: bool,
    offer: bool,
    open_record: bool,
}

impl NextSteps {
    fn of(visit: &Visit, line: &TransferLine) -> Self {
        let receives = line.receiver == *visit.caller.organization();
        let casework = visit.caller.has_any_role(CASEWORK);
        let supervises = visit.caller.has_any_role(SUPERVISE);
        let state = line.state;
        let (offered, confirmed) = (state == TransferState::Offered, state == TransferState::Confirmed);
        let requested = state == TransferState::Requested;
        let on_offer = offered || confirmed;
        Self {
            confirm: receives && casework && offered,
            take_over: receives && supervises && confirmed,
            safety_check: receives
                && casework
                && line.safety_due_at.is_some()
                && line.safety_checked_at.is_none()
                && (on_offer || state == TransferState::TakenOver),
            reject: supervises && if receives { on_offer } else { requested },
            withdraw: supervises && if receives { requested } else { on_offer },
            offer: !receives && casework && requested,
            open_record: receives && confirmed,
        }
    }
}

#[derive(Template)]
#[template(path = "transfers/transfer.html")]
struct TransferPage {
    shell: Shell,
    form: Form,
    row: TransferRow,
    steps: NextSteps,
    note: Vec<(&'static str, String)>,
    brought: Vec<(&'static str, bool, String)>,
    offered_at: Option<String>,
    reason: TextArea,
}

impl TransferPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let asked = ViewTransfer { transfer: visit.call.id("id").map_err(|_| Error::NotFound("transfer"))? };
        let found = view_transfer(&visit.gateway, &visit.caller, asked).await?;
        let shell = visit.shell(("情報提供", "A transfer"), PagePart::Transfers).await?;
        let shell = shell.accounted_for(found.entries()).after(visit, DONE);
        let (l, line, note) = (shell.language, &found.value().facts, &found.value().data);
        let label = ("拒否・取下げの理由", "Why it is rejected or withdrawn");
        Ok(Self {
            row: TransferRow::of(visit, line),
            steps: NextSteps::of(visit, line),
            note: written(l, note),
            brought: brought(l, note),
            offered_at: line.offered_at.as_ref().map(|at| moment_of(l, at)),
            reason: TextArea::of(l, &form, "reason", label).required(),
            form,
            shell,
        })
    }
}

fn written(l: Language, note: &TransferNote) -> Vec<(&'static str, String)> {
    let parts = [
        (("求めた理由", "Why it was asked for"), &note.request_reason),
        (("伝達事項", "Message"), &note.message),
        (("拒否・取下げの理由", "Why it ended"), &note.end_reason),
    ];
    parts.into_iter().filter_map(|(label, text)| Some((l.of_pair(label), text.clone()?))).collect()
}

/// The parts of which every offer says whether it brings them: name, whether, and why not.
fn brought(l: Language, note: &TransferNote) -> Vec<(&'static str, bool, String)> {
    let Some(completeness) = &note.completeness else { return Vec::new() };
    let parts = [
        (("緊急度", "Urgency"), &completeness.urgency),
        (("リスクアセスメントシート", "Risk sheet"), &completeness.risk_sheet),
        (("けがの写真・添付", "Photos and files"), &completeness.photos),
    ];
    parts
        .into_iter()
        .map(|(name, brought)| match brought {
            Brought::Included => (l.of_pair(name), true, String::new()),
            Brought::Missing { reason } => (l.of_pair(name), false, reason.clone()),
        })
        .collect()
}

async fn transfer(visit: Visit) -> Result<Answer, Error> {
    shown(&TransferPage::of(&visit, Form::default()).await?)
}

/// A step without anything to say.
fn step(visit: &Visit, form: &Form) -> Result<MoveTransfer, Error> {
    let transfer = visit.call.id("id").map_err(|_| Error::NotFound("transfer"))?;
    Ok(MoveTransfer { transfer, idempotency: form.idempotency(&visit.call)? })
}

async fn after_step(visit: &Visit, mut form: Form, moved: Result<(), Error>, done: &str) -> Result<Answer, Error> {
    match moved {
        Ok(()) => Ok(see_other(&format!("/transfers/{}?done={done}", visit.call.segment("id")))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &TransferPage::of(visit, form).await?)
        }
    }
}

async fn confirm(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = step(&visit, &form)?;
    let moved = confirm_transfer(&visit.gateway, &visit.caller, asked).await.map(|_| ());
    after_step(&visit, form, moved, "confirmed").await
}

async fn take_over_act(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = step(&visit, &form)?;
    let moved = take_over(&visit.gateway, &visit.caller, asked).await.map(|_| ());
    after_step(&visit, form, moved, "taken_over").await
}

async fn safety_check(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = step(&visit, &form)?;
    let moved = check_safety(&visit.gateway, &visit.caller, asked).await.map(|_| ());
    after_step(&visit, form, moved, "checked").await
}

fn ending(visit: &Visit, form: &Form) -> Result<EndTransfer, Error> {
    Ok(EndTransfer {
        transfer: visit.call.id("id").map_err(|_| Error::NotFound("transfer"))?,
        reason: EndReason { reason: form.text("reason").to_owned() },
        idempotency: form.idempotency(&visit.call)?,
    })
}

async fn reject(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&["reason"])?;
    let moved = reject_transfer(&visit.gateway, &visit.caller, ending(&visit, &form)?).await.map(|_| ());
    after_step(&visit, form, moved, "ended").await
}

async fn withdraw(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&["reason"])?;
    let moved = withdraw_transfer(&visit.gateway, &visit.caller, ending(&visit, &form)?).await.map(|_| ());
    after_step(&visit, form, moved, "ended").await
}
