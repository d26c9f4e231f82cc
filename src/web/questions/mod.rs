//! What another body asks or did about a record: inquiries by the relay desk, and broken glasses.

use askama::Template;
use uuid::Uuid;

use super::{
    dates::moment_of,
    form::Form,
    input::TextArea,
    language::Language,
    page::{Visit, act, again, page, see_other, show, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::{
        organization::OrganizationCode,
        oversight::{BrokenGlass, Inquiry},
    },
    error::Error,
    face::{
        answer::Answer,
        route::{BODIES, OVERSEE, READ, REVIEW, Route, SUPERVISE},
    },
    operations::oversight::{
        ask_owner::{AnswerInquiry, InquiryText, ViewInquiry, answer_inquiry, view_inquiry},
        break_glass::{ReviewBreakGlass, ViewBreakGlass, review_break_glass, view_break_glass},
        list_break_glass::{ListBreakGlass, ListedBreakGlass, list_break_glass},
        list_inquiries::{InquiryPlace, InquiryWay, ListInquiries, list_inquiries},
    },
};

pub const PAGES: &[Route] = &[
    show("/inquiries").titled("照会", "Inquiries").for_whom(BODIES, READ).made_by(page!(inquiries)),
    show("/inquiries/{id}").titled("照会", "An inquiry").for_whom(BODIES, READ).made_by(page!(inquiry)),
    act("/inquiries/{id}/answer").titled("照会に回答する", "Answer").for_whom(BODIES, SUPERVISE).made_by(page!(answer)),
    show("/break-glass").titled("緊急閲覧", "Emergency access").for_whom(BODIES, OVERSEE).made_by(page!(glasses)),
    show("/break-glass/{id}")
        .titled("緊急閲覧の理由", "Reason for the emergency access")
        .for_whom(BODIES, REVIEW)
        .made_by(page!(glass)),
    act("/break-glass/{id}/review")
        .titled("緊急閲覧を点検する", "Review")
        .for_whom(BODIES, REVIEW)
        .made_by(page!(review)),
];

const DONE: &[(&str, (&str, &str))] = &[
    ("answered", ("照会に回答しました。", "It was answered.")),
    ("reviewed", ("緊急閲覧を点検済みにしました。", "It was reviewed.")),
];

fn name_of(visit: &Visit, code: &str) -> String {
    OrganizationCode::parse(code).map_or_else(|| code.to_owned(), |code| visit.gateway.registry.name(&code))
}

struct InquiryRow {
    id: String,
    asked_of_us: bool,
    asker: String,
    at: String,
    answered_at: Option<String>,
}

#[derive(Template)]
#[template(path = "questions/inquiries.html")]
struct InquiriesPage {
    shell: Shell,
    rows: Vec<InquiryRow>,
    next: Option<String>,
    set_aside: usize,
}

async fn inquiries(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let before = visit.call.query.get("before").and_then(|before| before.parse().ok()).unwrap_or(InquiryPlace::FIRST);
    let page = list_inquiries(&visit.gateway, &visit.caller, ListInquiries { before }).await?;
    let rows = page.value().inquiries.iter().map(|line| InquiryRow {
        id: line.inquiry.to_string(),
        asked_of_us: line.way == InquiryWay::Asked,
        asker: line.asker.as_ref().map(|code| visit.gateway.registry.name(code)).unwrap_or_default(),
        at: moment_of(l, &line.at),
        answered_at: line.answered_at.as_ref().map(|at| moment_of(l, at)),
    });
    shown(&InquiriesPage {
        rows: rows.collect(),
        next: page.value().next.clone(),
        set_aside: page.value().set_aside,
        shell: visit.shell(("照会", "Inquiries"), PagePart::Today).await?,
    })
}

#[derive(Template)]
#[template(path = "questions/inquiry.html")]
struct InquiryPage {
    shell: Shell,
    form: Form,
    id: String,
    record: Uuid,
    asker: String,
    is_ours: bool,
    at: String,
    question: String,
    answer: Option<String>,
    /// For whom may answer.
    text: Option<TextArea>,
}

impl InquiryPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let asked = ViewInquiry { inquiry: visit.call.id("id").map_err(|_| Error::NotFound("inquiry"))? };
        let found = view_inquiry(&visit.gateway, &visit.caller, asked).await?;
        let shell = visit.shell(("照会", "An inquiry"), PagePart::Today).await?;
        let Inquiry { id, record, asker, at, question, answer } = found.value();
        let is_ours = *asker == visit.caller.organization().as_str();
        let may_answer = !is_ours && answer.is_none() && visit.caller.has_any_role(SUPERVISE);
        let label = ("回答", "Answer");
        let support = (
            "回答は照会した機関に届きます。自機関の名称は伝わりません。住所など所在が分かることを書かないでください",
            "It reaches the body that asked. Yours is not named. Write nothing that tells where the family is",
        );
        Ok(Self {
            id: id.to_string(),
            record: *record,
            asker: name_of(visit, asker),
            is_ours,
            at: moment_of(l, at),
            question: question.clone(),
            answer: answer.clone(),
            text: may_answer.then(|| TextArea::of(l, &form, "text", label).required().support(support)),
            form,
            shell: shell.accounted_for(found.entries()).after(visit, DONE),
        })
    }
}

async fn inquiry(visit: Visit) -> Result<Answer, Error> {
    shown(&InquiryPage::of(&visit, Form::default()).await?)
}

async fn answer(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&["text"])?;
    let asked = AnswerInquiry {
        inquiry: visit.call.id("id").map_err(|_| Error::NotFound("inquiry"))?,
        answer: InquiryText { text: form.text("text").to_owned() },
        idempotency: form.idempotency(&visit.call)?,
    };
    match answer_inquiry(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other(&format!("/inquiries/{}?done=answered", visit.call.segment("id")))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &InquiryPage::of(&visit, form).await?)
        }
    }
}

/// An officer's name, or the id where there is none.
fn called<'n>(name: &'n str, officer: &'n str) -> &'n str {
    if name.is_empty() { officer } else { name }
}

struct GlassRow {
    id: String,
    record: Uuid,
    who: String,
    at: String,
    until: String,
    reviewed_at: Option<String>,
}

impl GlassRow {
    fn of(visit: &Visit, l: Language, line: &ListedBreakGlass) -> Self {
        Self {
            id: line.break_glass.to_string(),
            record: line.record,
            who: format!(
                "{} {}",
                visit.gateway.registry.name(&line.organization),
                called(&line.officer_name, &line.officer)
            ),
            at: moment_of(l, &line.at),
            until: moment_of(l, &line.until),
            reviewed_at: line.reviewed_at.as_ref().map(|at| moment_of(l, at)),
        }
    }
}

#[derive(Template)]
#[template(path = "questions/glasses.html")]
struct GlassesPage {
    shell: Shell,
    on_ours: Vec<GlassRow>,
    by_us: Vec<GlassRow>,
    set_aside: usize,
    next: Option<Uuid>,
    reviews: bool,
}

async fn glasses(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let before = visit.call.query_id("before")?.unwrap_or(Uuid::max());
    let page = list_break_glass(&visit.gateway, &visit.caller, ListBreakGlass { before }).await?;
    let rows = |lines: &[ListedBreakGlass]| lines.iter().map(|line| GlassRow::of(&visit, l, line)).collect();
    shown(&GlassesPage {
        on_ours: rows(&page.value().on_ours),
        by_us: rows(&page.value().by_us),
        next: page.value().next,
        set_aside: page.value().set_aside,
        reviews: visit.caller.has_any_role(REVIEW),
        shell: visit.shell(("緊急閲覧", "Emergency access"), PagePart::Today).await?,
    })
}

#[derive(Template)]
#[template(path = "questions/glass.html")]
struct GlassPage {
    shell: Shell,
    reads: bool,
    id: String,
    record: Uuid,
    who: String,
    until: String,
    reason: String,
    reviewed_at: Option<String>,
}

async fn glass(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let asked = ViewBreakGlass { break_glass: visit.call.id("id").map_err(|_| Error::NotFound("break_glass"))? };
    let found = view_break_glass(&visit.gateway, &visit.caller, asked).await?;
    let shell = visit.shell(("緊急閲覧の理由", "Reason for the emergency access"), PagePart::Today).await?;
    let BrokenGlass { id, record, organization, officer, officer_name, until, reason, reviewed_at } = found.value();
    shown(&GlassPage {
        reads: visit.caller.has_any_role(READ),
        id: id.to_string(),
        record: *record,
        who: format!("{} {}", name_of(&visit, organization), called(officer_name, officer)),
        until: moment_of(l, until),
        reason: reason.clone(),
        reviewed_at: reviewed_at.as_ref().map(|at| moment_of(l, at)),
        shell: shell.accounted_for(found.entries()).after(&visit, DONE),
    })
}

async fn review(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked = ReviewBreakGlass {
        break_glass: visit.call.id("id").map_err(|_| Error::NotFound("break_glass"))?,
        idempotency: form.idempotency(&visit.call)?,
    };
    review_break_glass(&visit.gateway, &visit.caller, asked).await?;
    Ok(see_other(&format!("/break-glass/{}?done=reviewed", visit.call.segment("id"))))
}
