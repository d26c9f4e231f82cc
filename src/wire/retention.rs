//! The API of retention and disposal.

use super::route::{ADMINISTER, ANY, ApiRoute, BODIES, REVIEW, SUPERVISE, get, post, put, run};
use crate::{
    domain::retention::RetentionSettings,
    error::Error,
    face::call::Call,
    operations::{
        retention::{
            dispose_records::{
                AskDisposal, DecideDisposal, DisposalLine, DisposalLines, DisposalRequest, ask_disposal,
                list_disposals, withdraw_disposal,
            },
            list_due::{DueRecords, ListDue, list_due},
            retain_records::{ChangeRetention, RetentionView, change_retention, view_retention},
        },
        waiting::confirm::{ConfirmAct, approve_disposal},
    },
};

pub const ROUTES: &[ApiRoute] = &[
    get("/v1/retention")
        .words("保存期間の定め", "Rules of retention")
        .open_to(BODIES, ANY)
        .answers::<RetentionView>()
        .runs(run!(view_retention)),
    put("/v1/retention")
        .words("保存期間を延ばす", "Lengthen retention")
        .open_to(BODIES, ADMINISTER)
        .takes::<RetentionSettings>()
        .answers::<RetentionView>()
        .runs(run!(change_retention, call => ChangeRetention {
            idempotency: call.idempotency()?,
            settings: call.json()?,
        })),
    get("/v1/disposals/due")
        .words("保存期間が満了した記録", "Records whose retention has ended")
        .open_to(BODIES, REVIEW)
        .query(&[("after", "`next` of the page before")])
        .answers::<DueRecords>()
        .runs(run!(list_due, call => ListDue { after: call.after()? })),
    post("/v1/disposals")
        .words("廃棄を申請する", "Ask to dispose of records")
        .open_to(BODIES, SUPERVISE)
        .takes::<DisposalRequest>()
        .creates::<DisposalLine>()
        .runs(run!(ask_disposal, call => AskDisposal {
            idempotency: call.idempotency()?,
            request: call.json()?,
        })),
    get("/v1/disposals")
        .words("廃棄一覧", "List disposals")
        .open_to(BODIES, REVIEW)
        .answers::<DisposalLines>()
        .runs(run!(list_disposals)),
    post("/v1/disposals/{id}/approval")
        .words("廃棄を承認する（監督者2人、執務端末）", "Stand for a disposal: two supervisors at a desk")
        .open_to(BODIES, SUPERVISE)
        .answers::<DisposalLine>()
        .runs(run!(approve_disposal, call => ConfirmAct {
            waiting_act: call.id("id")?,
            idempotency: call.idempotency()?,
        })),
    post("/v1/disposals/{id}/withdrawal")
        .words("廃棄の申請を取り下げる（待機期間中も、1人で）", "Withdraw a disposal, also while it waits")
        .open_to(BODIES, SUPERVISE)
        .answers::<DisposalLine>()
        .runs(run!(withdraw_disposal, call => decision(&call)?)),
];

fn decision(call: &Call) -> Result<DecideDisposal, Error> {
    Ok(DecideDisposal { disposal: call.id("id")?, idempotency: call.idempotency()? })
}
