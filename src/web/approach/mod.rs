//! What one may do about a record that a search found and that is not one's own: ask, ask for a transfer, break the glass.

use askama::Template;

use super::{
    form::Form,
    input::TextArea,
    page::{Visit, act, again, page, see_other, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::sharp_act::WaitingState,
    error::Error,
    face::{
        answer::Answer,
        route::{BODIES, CASEWORK, CENTERS, Route},
    },
    operations::{
        oversight::{
            ask_owner::{AskOwner, InquiryText, ask_owner},
            break_glass::BreakGlassRequest,
        },
        transfers::transfer_offer::{RequestTransfer, TransferRequest, request_transfer},
        waiting::ask::{BreakGlass, break_glass},
    },
};

pub const PAGES: &[Route] = &[
    show("/records/{id}/ask").titled("照会を送る", "Send an inquiry").for_whom(BODIES, CASEWORK).made_by(page!(ask)),
    act("/records/{id}/ask").titled("照会を送る", "Send an inquiry").for_whom(BODIES, CASEWORK).made_by(page!(ask_act)),
    show("/records/{id}/request-transfer")
        .titled("情報提供を求める", "Request information")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(request)),
    act("/records/{id}/request-transfer")
        .titled("情報提供を求める", "Request information")
        .for_whom(BODIES, CASEWORK)
        .made_by(page!(request_act)),
    show("/records/{id}/break-glass")
        .titled("緊急閲覧", "Emergency access")
        .for_whom(CENTERS, CASEWORK)
        .made_by(page!(glass)),
    act("/records/{id}/break-glass")
        .titled("緊急閲覧をする", "Emergency access")
        .for_whom(CENTERS, CASEWORK)
        .made_by(page!(glass_act)),
];

/// One of the three: what it says, and to where it is sent.
struct Approach {
    title: (&'static str, &'static str),
    path: &'static str,
    field: &'static str,
    label: (&'static str, &'static str),
    lead: (&'static str, &'static str),
    button: (&'static str, &'static str),
    is_sharp: bool,
}

const ASK: Approach = Approach {
    title: ("照会を送る", "Send an inquiry"),
    path: "ask",
    field: "text",
    label: ("照会の内容", "What you ask"),
    lead: (
        "照会は登録機関に届き、回答するかどうかは登録機関が決めます。支援措置の対象世帯の場合、登録機関の名称は表示されません。",
        "It goes to the registering organization, which decides whether to answer. For a shielded family, that organization is not named.",
    ),
    button: ("照会を送る", "Send an inquiry"),
    is_sharp: false,
};

const REQUEST: Approach = Approach {
    title: ("情報提供を求める", "Request information"),
    path: "request-transfer",
    field: "reason",
    label: ("求める理由", "Why you ask"),
    lead: (
        "世帯が管内に転入したことなど、提供を求める理由を入力してください。提供するかどうかは登録機関が決めます。",
        "Enter why you need it: for example, that the family has moved here. The registering organization decides.",
    ),
    button: ("情報提供を求める", "Request information"),
    is_sharp: false,
};

const GLASS: Approach = Approach {
    title: ("緊急閲覧", "Emergency access"),
    path: "break-glass",
    field: "reason",
    label: ("緊急閲覧の理由", "Reason for emergency access"),
    lead: (
        "子どもの生命又は身体の危険が切迫し、登録機関に連絡がつかないときに限ります。ボタンを押すと直ちに閲覧でき、4時間で閲覧できなくなります。理由は登録機関に直ちに通知され、後日点検されます。",
        "Only if a child's life or safety is in immediate danger and the registering organization cannot be reached. Access opens at once and ends after four hours. The reason is sent to that organization at once and reviewed later.",
    ),
    button: ("緊急閲覧をする", "Emergency access"),
    is_sharp: true,
};

#[derive(Template)]
#[template(path = "approach/approach.html")]
struct ApproachPage {
    shell: Shell,
    form: Form,
    record: String,
    approach: &'static Approach,
    text: TextArea,
}

impl ApproachPage {
    async fn of(visit: &Visit, form: Form, approach: &'static Approach) -> Result<Self, Error> {
        let record = visit.call.id("id")?.to_string();
        let text = TextArea::of(visit.language(), &form, approach.field, approach.label).required();
        Ok(Self { shell: visit.shell(approach.title, PagePart::Search).await?, form, record, approach, text })
    }
}

async fn ask(visit: Visit) -> Result<Answer, Error> {
    shown(&ApproachPage::of(&visit, Form::default(), &ASK).await?)
}

async fn request(visit: Visit) -> Result<Answer, Error> {
    shown(&ApproachPage::of(&visit, Form::default(), &REQUEST).await?)
}

async fn glass(visit: Visit) -> Result<Answer, Error> {
    shown(&ApproachPage::of(&visit, Form::default(), &GLASS).await?)
}

/// The form again, with what was wrong with it.
async fn refused(visit: &Visit, mut form: Form, approach: &'static Approach, error: Error) -> Result<Answer, Error> {
    let status = form.refused(error, visit.language())?;
    again(status, &ApproachPage::of(visit, form, approach).await?)
}

async fn ask_act(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[ASK.field])?;
    let asked = AskOwner {
        record: visit.call.id("id")?,
        question: InquiryText { text: form.text(ASK.field).to_owned() },
        idempotency: form.idempotency(&visit.call)?,
    };
    match ask_owner(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other("/?done=asked")),
        Err(error) => refused(&visit, form, &ASK, error).await,
    }
}

async fn request_act(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[REQUEST.field])?;
    let asked = RequestTransfer {
        request: TransferRequest { record: visit.call.id("id")?, reason: form.text(REQUEST.field).to_owned() },
        idempotency: form.idempotency(&visit.call)?,
    };
    match request_transfer(&visit.gateway, &visit.caller, asked).await {
        Ok(line) => Ok(see_other(&format!("/transfers/{}?done=requested", line.value().transfer))),
        Err(error) => refused(&visit, form, &REQUEST, error).await,
    }
}

async fn glass_act(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[GLASS.field])?;
    let record = visit.call.id("id")?;
    let asked = BreakGlass {
        record,
        reason: BreakGlassRequest { reason: form.text(GLASS.field).to_owned() },
        idempotency: form.idempotency(&visit.call)?,
    };
    match break_glass(&visit.gateway, &visit.caller, asked).await {
        Ok(reply) if reply.value().state == WaitingState::Done => {
            Ok(see_other(&format!("/records/{record}?purpose=new_report")))
        }
        Ok(_) => Ok(see_other("/waiting?done=asked")),
        Err(error) => refused(&visit, form, &GLASS, error).await,
    }
}
