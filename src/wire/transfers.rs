//! The API of transfers.

use serde_json::Value;

use super::{
    route::{ApiRoute, BODIES, CASEWORK, READ, SUPERVISE, get, post, run},
    shape::{Joined, Schemas},
};
use crate::{
    disclosure::gate::With,
    domain::transfer_note::TransferNote,
    error::Error,
    face::call::Call,
    operations::transfers::{
        transfer_offer::{
            OfferRequested, OfferTransfer, RequestTransfer, TransferOffer, TransferRequest, answer_request,
            offer_transfer, request_transfer,
        },
        transfer_steps::{
            EndReason, EndTransfer, MoveTransfer, check_safety, confirm_transfer, reject_transfer, take_over,
            withdraw_transfer,
        },
        view_transfer::{TransferLine, TransferLines, ViewTransfer, list_transfers, view_transfer},
    },
};

pub const ROUTES: &[ApiRoute] = &[
    post("/v1/transfers/requests")
        .words("情報提供を求める", "Ask for a transfer")
        .open_to(BODIES, CASEWORK)
        .takes::<TransferRequest>()
        .creates::<TransferLine>()
        .runs(run!(request_transfer, call => RequestTransfer {
            idempotency: call.idempotency()?,
            request: call.json()?,
        })),
    post("/v1/transfers")
        .words("情報提供を行う", "Offer a transfer")
        .open_to(BODIES, CASEWORK)
        .takes::<TransferOffer>()
        .creates::<TransferLine>()
        .runs(run!(offer_transfer, call => OfferTransfer { offer: call.json()?, idempotency: call.idempotency()? })),
    get("/v1/transfers")
        .words("情報提供の一覧", "List transfers")
        .open_to(BODIES, READ)
        .answers::<TransferLines>()
        .runs(run!(list_transfers)),
    get("/v1/transfers/{id}")
        .words("情報提供の内容", "View a transfer")
        .open_to(BODIES, READ)
        .answers::<With<TransferNote, TransferLine>>()
        .runs(run!(view_transfer, call => ViewTransfer { transfer: call.id("id")? })),
    post("/v1/transfers/{id}/offer")
        .words("求めに応じて情報提供を行う", "Offer what was asked for")
        .open_to(BODIES, CASEWORK)
        .takes::<TransferOffer>()
        .creates::<TransferLine>()
        .runs(run!(answer_request, call => OfferRequested {
            offer: call.json()?,
            idempotency: call.idempotency()?,
            transfer: call.id("id")?,
        })),
    post("/v1/transfers/{id}/confirm")
        .words("情報提供を確認する", "Confirm a transfer")
        .open_to(BODIES, CASEWORK)
        .answers::<TransferLine>()
        .runs(run!(confirm_transfer, call => further(&call)?)),
    post("/v1/transfers/{id}/take-over")
        .words("記録を引き継ぐ", "Take the record over")
        .open_to(BODIES, SUPERVISE)
        .answers::<TransferLine>()
        .runs(run!(take_over, call => further(&call)?)),
    post("/v1/transfers/{id}/reject")
        .words("情報提供を拒否する", "Reject")
        .open_to(BODIES, SUPERVISE)
        .takes::<EndReason>()
        .answers::<TransferLine>()
        .runs(run!(reject_transfer, call => end(&call)?)),
    post("/v1/transfers/{id}/withdraw")
        .words("情報提供を取り下げる", "Withdraw")
        .open_to(BODIES, SUPERVISE)
        .takes::<EndReason>()
        .answers::<TransferLine>()
        .runs(run!(withdraw_transfer, call => end(&call)?)),
    post("/v1/transfers/{id}/safety-check")
        .words("安全確認を記録する", "Record the safety check")
        .open_to(BODIES, CASEWORK)
        .answers::<TransferLine>()
        .runs(run!(check_safety, call => further(&call)?)),
];

fn further(call: &Call) -> Result<MoveTransfer, Error> {
    Ok(MoveTransfer { transfer: call.id("id")?, idempotency: call.idempotency()? })
}

fn end(call: &Call) -> Result<EndTransfer, Error> {
    Ok(EndTransfer { reason: call.json()?, transfer: call.id("id")?, idempotency: call.idempotency()? })
}

impl Joined for TransferNote {
    const MEMBER: Option<&'static str> = Some("note");

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.refer::<Self>()
    }
}
