//! Offering a record: to whom, what, and why something is missing.

use askama::Template;

use super::super::{
    form::Form,
    input::{ChoiceInput, Input, TextArea},
    language::Language,
    page::{Visit, again, see_other, shown},
    records::head::{ChildHead, index_of, record_of},
    shell::{PagePart, Shell},
};
use crate::{
    domain::{
        organization::OrganizationCode,
        registry::RegisteredBody,
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
    head: ChildHead,
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
        let index = index_of(visit, record_of(visit)?).await?;
        let request = form.filled("request").map(str::to_owned);
        let request = match request {
            Some(request) => Some(request),
            None => visit.call.query_id("request")?.map(|id| id.to_string()),
        };
        let parts = PARTS.map(|(name, reason, label)| OfferedPart {
            included: ChoiceInput::of(l, &form, name, label)
                .required()
                .option("included", ("提供する", "Provided"))
                .option("missing", ("提供しない・記録なし", "Not provided, or no record")),
            reason: Input::line(l, &form, reason, ("提供しない・記録がない理由", "Reason why not")).width("w-l"),
        });
        let shell = visit.shell(("情報を提供する", "Offer a transfer"), PagePart::Transfers).await?;
        Ok(Self {
            shell: shell.accounted_for(index.entries()),
            head: ChildHead::of(visit, index.value()),
            request,
            receiver: Input::line(l, &form, "receiver", ("提供先の機関", "Receiver")).required().support((
                "市町村・児童相談所の正式名称、又は機関コード（例：金沢市、172014）",
                "Full name or code of a municipality or center, such as 172014",
            )),
            parts: parts.into(),
            urgent: ChoiceInput::of(l, &form, "urgent", ("引継ぎの進め方", "How it is handed over"))
                .at_first("no")
                .option("no", ("通常", "Normal"))
                .option(
                    "yes",
                    (
                        "緊急：対面で引き継ぎ、48時間以内に安全確認",
                        "Urgent: face to face, safety check within 48 hours",
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
            let asked = OfferRequested { transfer, offer: TransferOffer { receiver: None, ..offer }, idempotency };
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
                    "記録にありません。「提供しない・記録なし」を選び、理由を入力してください。",
                    "The record has none. Choose “Not provided, or no record”, and enter the reason.",
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
    let receiver = if is_answer { None } else { receiver_of(visit, form) };
    let urgent = match form.text("urgent") {
        "yes" => true,
        "no" => false,
        _ => {
            form.fault("urgent", l.say("引き継ぎの進め方を選択してください", "Say how it is handed over"));
            false
        }
    };
    let [urgency, risk_sheet, photos] = PARTS.map(|(name, reason, _)| brought(l, form, name, reason));
    if form.is_faulty() {
        return None;
    }
    Some(TransferOffer {
        record: Some(visit.call.id("id").ok()?),
        receiver,
        urgent,
        groups: None,
        completeness: Completeness { photos, risk_sheet, urgency },
        message: form.filled("message").map(str::to_owned),
    })
}

/// The body that was typed. Where it is not clear which one is meant, those that may be are told with their codes.
fn receiver_of(visit: &Visit, form: &mut Form) -> Option<OrganizationCode> {
    const TOLD: usize = 5;
    let (l, registry) = (visit.language(), &visit.gateway.registry);
    let Some(typed) = form.filled("receiver") else {
        form.fault("receiver", l.say("「提供先の機関」を入力してください。", "Enter the receiver."));
        return None;
    };
    let meant = match registry.named(typed) {
        Ok(body) => return Some(body),
        Err(meant) => meant,
    };
    let place = |body: &RegisteredBody| registry.prefecture_of(&body.code).map(|of| registry.name(&of));
    let told = |body: &&RegisteredBody| match (place(body), l) {
        (Some(place), Language::Japanese) if place != body.name => format!("{}（{place}）{}", body.name, body.code),
        (Some(place), Language::English) if place != body.name => format!("{} ({place}) {}", body.name, body.code),
        _ => format!("{} {}", body.name, body.code),
    };
    let names = meant.iter().take(TOLD).map(told).collect::<Vec<_>>().join(l.say("、", "; "));
    let fault = match (meant.len(), l) {
        (0, _) => l
            .say(
                "該当する機関がありません。正式名称又は機関コードを入力してください。",
                "There is no such body. Enter its full name or its code.",
            )
            .to_owned(),
        (1..=TOLD, Language::Japanese) => format!("機関コードで指定してください：{names}"),
        (1..=TOLD, Language::English) => format!("Say which one, by its code: {names}"),
        (count, Language::Japanese) => format!("{count}機関が該当します。機関コードで指定してください：{names} など"),
        (count, Language::English) => {
            format!("{count} bodies have this in their name. Say which one, by its code: {names}, and others")
        }
    };
    form.fault("receiver", fault);
    None
}

fn brought(l: Language, form: &mut Form, name: &'static str, reason: &'static str) -> Brought {
    let written = form.filled(reason).map(str::to_owned);
    match form.text(name) {
        "included" => Brought::Included,
        "missing" => {
            if written.is_none() {
                form.fault(reason, l.say("理由を入力してください。", "Enter the reason."));
            }
            Brought::Missing { reason: written.unwrap_or_default() }
        }
        _ => {
            form.fault(name, l.say("提供するかどうかを選択してください。", "Choose whether it is provided."));
            Brought::Included
        }
    }
}
