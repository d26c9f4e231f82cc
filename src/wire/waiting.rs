//! The API of sharp acts that wait for a person.

use super::route::{ALL, ANY, ApiRoute, STAND, get, post, run};
use crate::operations::waiting::{
    SharpReply,
    confirm::{ConfirmAct, confirm_act},
    list::{WaitingLines, WithdrawAct, list_waiting, withdraw_act},
};

pub const ROUTES: &[ApiRoute] = &[
    get("/v1/waiting-acts")
        .words("承認を待つ重要操作", "Sharp acts that wait for a person")
        .open_to(ALL, ANY)
        .answers::<WaitingLines>()
        .runs(run!(list_waiting)),
    post("/v1/waiting-acts/{id}/confirmation")
        .words("重要操作を承認する（執務端末・二要素認証）", "Stand for a sharp act, at a desk with a second factor")
        .open_to(ALL, STAND)
        .answers::<SharpReply>()
        .runs(run!(confirm_act, call => ConfirmAct {
            waiting_act: call.id("id")?,
            idempotency: call.idempotency()?,
        })),
    post("/v1/waiting-acts/{id}/withdrawal")
        .words(
            "重要操作の申請を取り下げる（通知を受けた機関は、管理責任者の再選任などに反対できる）",
            "Withdraw a request for a sharp act; who was told that a body is to be opened anew objects by it",
        )
        .open_to(ALL, STAND)
        .answers::<SharpReply>()
        .runs(run!(withdraw_act, call => WithdrawAct {
            waiting_act: call.id("id")?,
            idempotency: call.idempotency()?,
        })),
];
