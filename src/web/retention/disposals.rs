//! Lists of records to dispose of, and how far each has come.

use askama::Template;
use uuid::Uuid;

use crate::{
    domain::disposal::DisposalState,
    error::Error,
    face::{answer::Answer, route::SUPERVISE},
    operations::retention::dispose_records::{DecideDisposal, DisposalLine, list_disposals, withdraw_disposal},
    web::{
        dates::moment_of,
        language::Language,
        page::{Visit, see_other, shown},
        shell::{PagePart, Shell},
    },
};

const DONE: &[(&str, (&str, &str))] = &[
    (
        "asked",
        (
            "廃棄を申請しました。監督者2人の承認を待っています。",
            "It was requested, and waits for two supervisors to approve it.",
        ),
    ),
    ("withdrawn", ("廃棄の申請を取り下げました。", "It was withdrawn.")),
];

struct DisposalRow {
    id: Uuid,
    state: &'static str,
    is_open: bool,
    records: usize,
    asked: String,
    decided: String,
    destroyed_after: String,
}

impl DisposalRow {
    fn of(l: Language, line: &DisposalLine) -> Self {
        let moment = |at: &Option<String>| at.as_ref().map(|at| moment_of(l, at)).unwrap_or_default();
        Self {
            id: line.disposal,
            state: l.of_pair(state_name(line.state)),
            is_open: line.state.is_open(),
            records: line.records.len(),
            asked: format!("{} {}", line.asked_by, moment_of(l, &line.asked_at)),
            decided: format!("{} {}", line.decided_by.as_deref().unwrap_or_default(), moment(&line.decided_at)),
            destroyed_after: moment(&line.destroyed_after),
        }
    }
}

fn state_name(state: DisposalState) -> (&'static str, &'static str) {
    match state {
        DisposalState::Asked => ("承認待ち", "waits for two supervisors"),
        DisposalState::Withdrawn => ("取下げ済み", "withdrawn"),
        DisposalState::Approved => ("承認済み（待機期間中）", "approved, waits"),
        DisposalState::Lapsed => {
            ("実行せず（保存期間が満了していない記録あり）", "not carried out: a record was not due")
        }
        DisposalState::Removed => ("記録を削除済み（鍵の破棄中）", "removed, keys are being destroyed"),
        DisposalState::Destroyed => ("廃棄済み", "destroyed"),
    }
}

#[derive(Template)]
#[template(path = "retention/disposals.html")]
struct DisposalsPage {
    shell: Shell,
    rows: Vec<DisposalRow>,
    supervises: bool,
}

pub(super) async fn disposals(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let found = list_disposals(&visit.gateway, &visit.caller).await?;
    shown(&DisposalsPage {
        rows: found.value().disposals.iter().map(|line| DisposalRow::of(l, line)).collect(),
        supervises: visit.caller.has_any_role(SUPERVISE),
        shell: visit.shell(("廃棄一覧", "Disposals"), PagePart::Settings).await?.after(&visit, DONE),
    })
}

pub(super) async fn withdraw(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = DecideDisposal {
        disposal: visit.call.id("id").map_err(|_| Error::NotFound("disposal"))?,
        idempotency: form.idempotency(&visit.call)?,
    };
    withdraw_disposal(&visit.gateway, &visit.caller, asked).await?;
    Ok(see_other("/disposals?done=withdrawn"))
}
