//! Offering a record: to whom, what, and why something is missing.

use askama::Template;

use super::super::{
    form::Form,
    input::{ChoiceInput, Input, TextArea},
    language::Language,
    page::{Visit, again, see_other, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::{
        organization::OrganizationCode,
        transfer_note::{Brought, Completeness, CompletenessFault},
    },
    error::{Error, TransferError},
    face::answer::Answer,
    operations::transfers::transfer_offer::{
        OfferRequested, OfferTransfer, TransferOffer, answer_request, offer_transfer,
    },
};

/// A part of which every offer says whether it brings it.
struct OfferedPart {
    included: ChoiceInput,
    reason: Input,
}

#[derive(Template)]
#[template(path = "transfers/offer.html")]
struct OfferPage {
    shell: Shell,
    form: Form,
    record: String,
    /// The request that is answered; there the receiver is known.
    request: Option<String>,
    receiver: Input,
    parts: Vec<OfferedPart>,
    urgent: ChoiceInput,
    message: TextArea,
}

const PARTS: [(&str, &str, (&str, &str)); 3] = [
    ("urgency", "urgency_reason", ("緊急度（評価）", "Urgency, as assessed")),
    ("risk_sheet", "risk_sheet_reason", ("リスクアセスメントシート", "Risk sheet")),
    ("photos", "photos_reason", ("けがの写真・添付ファイル", "Photos and files")),
];

const FIELDS: [&str; 10] = [
    "request",
    "receiver",
    "urgent",
    "message",
    "urgency",
    "urgency_reason",
    "risk_sheet",
    "risk_sheet_reason",
    "photos",
    "photos_reason",
];

impl OfferPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let record = visit.call.id("id")?.to_string();
        let request = form.filled("request").map(str::to_owned);
        let request = request.or_else(|| visit.call.query_id("request").map(|id| id.to_string()));
        let parts = PARTS.map(|(name, reason, label)| OfferedPart {
            included: ChoiceInput::of(l, &form, name, label)
                .required()
                .option("included", ("提供する", "It brings it"))
                .option("missing", ("提供しない・ない", "It does not")),
            reason: Input::line(l, &form, reason, ("提供しない・ない理由", "Why not")).width("w-l"),
        });
        Ok(Self {
            shell: visit.shell(("情報を提供する", "Offer a transfer"), PagePart::Transfers).await?,
            record,
            request,
            receiver: Input::line(l, &form, "receiver", ("提供先の機関コード", "Code of the receiver"))
                .required()
                .width("w-s")
                .support((
                    "全国地方公共団体コード6桁。児童相談所は枝番号まで",
                    "Six digits; of a center with its suffix",
                )),
            parts: parts.into(),
            urgent: ChoiceInput::of(l, &form, "urgent", ("引き継ぎの進め方", "How it is handed over"))
                .at_first("no")
                .option("no", ("通常", "no"))
                .option(
                    "yes",
                    (
                        "緊急：対面で引き継ぎ、48時間以内に安全確認",
                        "yes: face to face, with a safety check within 48 hours",
                    ),
                ),
            message: TextArea::of(l, &form, "message", ("伝達事項", "Message")),
            form,
        })
    }
}

pub(super) async fn offer(visit: Visit) -> Result<Answer, Error> {
    shown(&OfferPage::of(&visit, Form::default()).await?)
}

pub(super) async fn offer_act(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&FIELDS)?;
    let Some(offer) = offer_of(&visit, &mut form) else {
        return again(422, &OfferPage::of(&visit, form).await?);
    };
    let idempotency = form.idempotency(&visit.call)?;
    let request = form.filled("request").and_then(|id| uuid::Uuid::parse_str(id).ok());
    let offered = match request {
        Some(transfer) => {
            let asked = OfferRequested {
                transfer,
                offer: TransferOffer { record: None, receiver: None, ..offer },
                idempotency,
            };
            answer_request(&visit.gateway, &visit.caller, asked).await
        }
        None => offer_transfer(&visit.gateway, &visit.caller, OfferTransfer { offer, idempotency }).await,
    };
    match offered {
        Ok(line) => Ok(see_other(&format!("/transfers/{}?done=offered", line.value().transfer))),
        // Said where it was claimed, in the words of the page.
        Err(Error::Transfer(TransferError::Completeness(CompletenessFault::ClaimedButAbsent(part)))) => {
            form.fault(
                part,
                visit.language().say(
                    "記録にありません。「提供しない・ない」を選び、理由を入力してください",
                    "The record has none. Say that it does not, and why",
                ),
            );
            again(422, &OfferPage::of(&visit, form).await?)
        }
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &OfferPage::of(&visit, form).await?)
        }
    }
}

fn offer_of(visit: &Visit, form: &mut Form) -> Option<TransferOffer> {
    let l = visit.language();
    let is_answer = form.filled("request").is_some();
    let receiver = form.filled("receiver").and_then(OrganizationCode::parse);
    if receiver.is_none() && !is_answer {
        form.fault("receiver", l.say("機関コードを入力してください", "Enter the code of a body"));
    }
    let [urgency, risk_sheet, photos] = PARTS.map(|(name, reason, _)| brought(l, form, name, reason));
    if form.is_faulty() {
        return None;
    }
    Some(TransferOffer {
        record: Some(visit.call.id("id").ok()?),
        receiver,
        urgent: form.text("urgent") == "yes",
        groups: None,
        completeness: Completeness { photos, risk_sheet, urgency },
        message: form.filled("message").map(str::to_owned),
    })
}

fn brought(l: Language, form: &mut Form, name: &'static str, reason: &'static str) -> Brought {
    let written = form.filled(reason).map(str::to_owned);
    match form.text(name) {
        "included" => Brought::Included,
        "missing" => {
            if written.is_none() {
                form.fault(reason, l.say("理由を入力してください", "Say why"));
            }
            Brought::Missing { reason: written.unwrap_or_default() }
        }
        _ => {
            form.fault(name, l.say("提供するかどうかを選択してください", "Say whether it brings it"));
            Brought::Included
        }
    }
}
