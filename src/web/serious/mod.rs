//! Serious cases (重大事案): put before the ministry by their owner, read and reviewed.

use askama::Template;

use super::{
    dates::moment_of,
    form::Form,
    input::TextArea,
    page::{Visit, act, again, page, see_other, show, shown},
    records::head::{ChildHead, index_of, record_of},
    shell::{PagePart, Shell},
};
use crate::{
    domain::oversight::SeriousNote,
    error::Error,
    face::{
        answer::Answer,
        route::{BODIES, CASEWORK, MINISTRY, READ, READERS, Route, SUPERVISE},
    },
    operations::oversight::review_serious_case::{
        ReadSeriousNotes, SeriousCase, SeriousText, WriteSerious, designate_serious, list_serious, read_serious_notes,
        review_serious,
    },
};

pub const PAGES: &[Route] = &[
    show("/serious").titled("重大事案", "Serious cases").for_whom(MINISTRY, READ).made_by(page!(serious_cases)),
    show("/serious/{id}").titled("重大事案", "A serious case").for_whom(READERS, READ).made_by(page!(serious_case)),
    act("/serious/{id}/reviews")
        .titled("検証の所見を書く", "Write a review")
        .for_whom(MINISTRY, CASEWORK)
        .made_by(page!(review)),
    show("/records/{id}/serious")
        .titled("重大事案に指定する", "Designate a serious case")
        .for_whom(BODIES, SUPERVISE)
        .made_by(page!(designation)),
    act("/records/{id}/serious")
        .titled("重大事案に指定する", "Designate a serious case")
        .for_whom(BODIES, SUPERVISE)
        .made_by(page!(designate)),
];

const DONE: &[(&str, (&str, &str))] = &[
    (
        "designated",
        ("重大事案に指定しました。こども家庭庁が閲覧できます。", "It was designated: the ministry may read it."),
    ),
    ("reviewed", ("検証の所見を記録しました。", "The review was recorded.")),
];

#[derive(Template)]
#[template(path = "serious/cases.html")]
struct CasesPage {
    shell: Shell,
    rows: Vec<(String, String, String)>,
}

async fn serious_cases(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let cases = list_serious(&visit.gateway, &visit.caller).await?;
    let shell = visit.shell(("重大事案", "Serious cases"), PagePart::Serious).await?;
    let shell = shell.accounted_for(cases.entries().unwrap_or_default());
    let row = |case: &SeriousCase| (case.record.to_string(), case.owner_name.clone(), moment_of(l, &case.updated_at));
    shown(&CasesPage { rows: cases.value().cases.iter().map(row).collect(), shell })
}

struct NoteRow {
    kind: &'static str,
    organization: String,
    at: String,
    note: String,
}

#[derive(Template)]
#[template(path = "serious/case.html")]
struct CasePage {
    shell: Shell,
    form: Form,
    record: String,
    notes: Vec<NoteRow>,
    /// For the ministry.
    text: Option<TextArea>,
}

impl CasePage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let record = visit.call.id("id")?;
        let notes = read_serious_notes(&visit.gateway, &visit.caller, ReadSeriousNotes { record }).await?;
        let shell = visit.shell(("重大事案", "A serious case"), PagePart::Serious).await?;
        let row = |note: &SeriousNote| NoteRow {
            kind: if note.kind == "review" {
                l.say("検証の所見", "review")
            } else {
                l.say("指定", "designation")
            },
            organization: crate::domain::organization::OrganizationCode::parse(&note.organization)
                .map_or_else(|| note.organization.clone(), |code| visit.gateway.registry.name(&code)),
            at: moment_of(l, &note.at),
            note: note.note.clone(),
        };
        let writes = MINISTRY.contains(&visit.caller.kind()) && visit.caller.has_any_role(CASEWORK);
        Ok(Self {
            notes: notes.value().iter().map(row).collect(),
            shell: shell.accounted_for(notes.entries()).after(visit, DONE),
            record: record.to_string(),
            text: writes.then(|| TextArea::of(l, &form, "note", ("検証の所見", "Review")).required()),
            form,
        })
    }
}

async fn serious_case(visit: Visit) -> Result<Answer, Error> {
    shown(&CasePage::of(&visit, Form::default()).await?)
}

fn written(visit: &Visit, form: &Form) -> Result<WriteSerious, Error> {
    Ok(WriteSerious {
        record: visit.call.id("id")?,
        text: SeriousText { note: form.text("note").to_owned() },
        idempotency: form.idempotency(&visit.call)?,
    })
}

async fn review(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&["note"])?;
    match review_serious(&visit.gateway, &visit.caller, written(&visit, &form)?).await {
        Ok(_) => Ok(see_other(&format!("/serious/{}?done=reviewed", visit.call.segment("id")))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &CasePage::of(&visit, form).await?)
        }
    }
}

#[derive(Template)]
#[template(path = "serious/designate.html")]
struct DesignatePage {
    shell: Shell,
    head: ChildHead,
    form: Form,
    text: TextArea,
}

impl DesignatePage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let text = TextArea::of(visit.language(), &form, "note", ("指定の理由・経緯", "Why")).required();
        let index = index_of(visit, record_of(visit)?).await?;
        let shell = visit.shell(("重大事案に指定する", "Designate a serious case"), PagePart::Records).await?;
        let shell = shell.accounted_for(index.entries());
        Ok(Self { shell, head: ChildHead::of(visit, index.value()), text, form })
    }
}

async fn designation(visit: Visit) -> Result<Answer, Error> {
    shown(&DesignatePage::of(&visit, Form::default()).await?)
}

async fn designate(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&["note"])?;
    match designate_serious(&visit.gateway, &visit.caller, written(&visit, &form)?).await {
        Ok(_) => Ok(see_other(&format!("/serious/{}?done=designated", visit.call.segment("id")))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &DesignatePage::of(&visit, form).await?)
        }
    }
}
