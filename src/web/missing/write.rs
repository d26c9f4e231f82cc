//! Issuing a notice, bringing it up to date, and cancelling it.

use askama::Template;

use super::super::{
    form::Form,
    input::{ChoiceInput, Input, TextArea},
    page::{Visit, again, see_other, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::missing_notice::{MissingChild, NoticeContent, NoticeStatus},
    error::{Error, RecordError, RequestError},
    face::answer::Answer,
    operations::missing_children::{
        announce_missing_child::{
            BroadcastNotice, CancelNotice, UpdateNotice, broadcast_notice, cancel_notice, update_notice,
        },
        view_missing_notice::{ViewNotice, view_notice},
    },
};

const FIELDS: [&str; 8] = ["status", "name", "kana", "sex", "birth_date", "guardians", "circumstances", "contact"];

/// The form of a notice: a new one, or one that is brought up to date.
#[derive(Template)]
#[template(path = "missing/new.html")]
struct NoticeForm {
    shell: Shell,
    form: Form,
    /// Where it is sent.
    path: String,
    /// Of a notice that is there: the version that was read.
    version: Option<String>,
    /// What somebody else has made of it meanwhile: it stands beside what was typed.
    now: Vec<(&'static str, String)>,
    status: ChoiceInput,
    child: Vec<Input>,
    guardians: TextArea,
    sex: ChoiceInput,
    circumstances: TextArea,
    contact: Input,
}

impl NoticeForm {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let line = |name, label| Input::line(l, &form, name, label);
        let version = form.value("version").map(str::to_owned);
        let (title, path) = match &version {
            None => (("通知を出す", "A new notice"), "/missing/new".to_owned()),
            Some(_) => (("通知を更新する", "Update a notice"), format!("/missing/{}/edit", visit.call.segment("id"))),
        };
        Ok(Self {
            shell: visit.shell(title, PagePart::Missing).await?,
            path,
            version,
            now: Vec::new(),
            status: ChoiceInput::of(l, &form, "status", ("区分", "Status"))
                .at_first("actual")
                .option("actual", ("実際の通知", "actual"))
                .option("exercise", ("訓練", "exercise")),
            child: vec![
                line("name", ("児童の氏名", "Name of the child")).required(),
                line("kana", ("氏名カナ", "Name in kana")),
                line("birth_date", ("生年月日", "Birth")).required().width("w-s").support((
                    "分かるところまで。例：2018-04-01、平成30年4月1日、2018",
                    "As far as known, such as 2018-04-01 or 2018",
                )),
            ],
            guardians: TextArea::of(l, &form, "guardians", ("保護者の氏名（1行に1人）", "Guardians, one on each line")),
            sex: ChoiceInput::of(l, &form, "sex", ("性別", "Sex"))
                .required()
                .at_first("9")
                .option("1", ("男", "male"))
                .option("2", ("女", "female"))
                .option("9", ("不明", "not known")),
            circumstances: TextArea::of(
                l,
                &form,
                "circumstances",
                ("状況・特徴", "What happened, what the child looks like"),
            )
            .required()
            .support((
                "全国の児童相談所が閲覧します。住所・所属は書かないでください",
                "Every center reads it. Write no address and no school",
            )),
            contact: line("contact", ("連絡先（夜間を含む）", "Whom to call, also at night")).required(),
            form,
        })
    }
}

pub(super) async fn new_notice(visit: Visit) -> Result<Answer, Error> {
    shown(&NoticeForm::of(&visit, Form::default()).await?)
}

/// What the form says.
///
/// # Errors
/// A status that there is not.
fn content_of(form: &Form) -> Result<NoticeContent, Error> {
    let text = |name: &str| form.text(name).trim().to_owned();
    let optional = |name: &str| form.filled(name).map(str::to_owned);
    let lines = |name: &str| form.text(name).lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(NoticeContent {
        status: match form.text("status") {
            "exercise" => NoticeStatus::Exercise,
            "actual" => NoticeStatus::Actual,
            _ => return Err(RequestError::FormField.into()),
        },
        child: MissingChild {
            name: text("name"),
            kana: optional("kana"),
            sex: text("sex"),
            birth_date: text("birth_date"),
            guardians: lines("guardians").map(str::to_owned).collect(),
        },
        circumstances: text("circumstances"),
        contact: text("contact"),
    })
}

pub(super) async fn broadcast(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&FIELDS)?;
    let asked = BroadcastNotice { content: content_of(&form)?, idempotency: form.idempotency(&visit.call)? };
    match broadcast_notice(&visit.gateway, &visit.caller, asked).await {
        Ok(written) => Ok(see_other(&format!("/missing/{}?done=sent", written.value().notice))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &NoticeForm::of(&visit, form).await?)
        }
    }
}

/// The form with what the notice says now.
pub(super) async fn edit(visit: Visit) -> Result<Answer, Error> {
    let notice = visit.call.id("id").map_err(|_| Error::NotFound("notice"))?;
    let found = view_notice(&visit.gateway, &visit.caller, ViewNotice { notice }).await?;
    let (NoticeContent { status, child, circumstances, contact }, line) = (&found.value().data, &found.value().facts);
    if line.issuer != *visit.caller.organization() {
        return Err(Error::NotFound("notice"));
    }
    let status = if *status == NoticeStatus::Exercise { "exercise" } else { "actual" };
    let fields = [
        ("version", line.version.to_string()),
        ("status", status.to_owned()),
        ("name", child.name.clone()),
        ("kana", child.kana.clone().unwrap_or_default()),
        ("sex", child.sex.clone()),
        ("birth_date", child.birth_date.clone()),
        ("guardians", child.guardians.join("\n")),
        ("circumstances", circumstances.clone()),
        ("contact", contact.clone()),
    ];
    let form = Form::with(fields.map(|(name, value)| (name.to_owned(), value)));
    let page = NoticeForm::of(&visit, form).await?;
    shown(&NoticeForm { shell: page.shell.accounted_for(found.entries()), ..page })
}

pub(super) async fn update(visit: Visit) -> Result<Answer, Error> {
    let mut form = Form::read(&visit.call, |name| FIELDS.contains(&name) || name == "version")?;
    let asked = UpdateNotice {
        notice: visit.call.id("id").map_err(|_| Error::NotFound("notice"))?,
        version: version_of(&form)?,
        content: content_of(&form)?,
        idempotency: form.idempotency(&visit.call)?,
    };
    match update_notice(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other(&format!("/missing/{}?done=updated", visit.call.segment("id")))),
        Err(error @ Error::Record(RecordError::StaleVersion { current, .. })) => {
            stale(&visit, form, error, current).await
        }
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &NoticeForm::of(&visit, form).await?)
        }
    }
}

/// The form with what was typed, beside what the notice says now. Sent again, it is over that version.
async fn stale(visit: &Visit, mut form: Form, error: Error, current: i64) -> Result<Answer, Error> {
    let l = visit.language();
    let status = form.refused(error, l)?;
    form.put("version".to_owned(), current.to_string());
    let notice = visit.call.id("id").map_err(|_| Error::NotFound("notice"))?;
    let found = view_notice(&visit.gateway, &visit.caller, ViewNotice { notice }).await?;
    let NoticeContent { child, circumstances, contact, .. } = &found.value().data;
    let now = vec![
        (l.say("児童の氏名", "Name of the child"), child.name.clone()),
        (l.say("氏名カナ", "Name in kana"), child.kana.clone().unwrap_or_default()),
        (l.say("生年月日", "Birth"), child.birth_date.clone()),
        (l.say("保護者の氏名", "Guardians"), child.guardians.join(l.say("、", ", "))),
        (l.say("状況・特徴", "What happened, what the child looks like"), circumstances.clone()),
        (l.say("連絡先", "Whom to call"), contact.clone()),
    ];
    let page = NoticeForm::of(visit, form).await?;
    again(status, &NoticeForm { now, shell: page.shell.accounted_for(found.entries()), ..page })
}

/// The version that was read.
fn version_of(form: &Form) -> Result<i64, Error> {
    form.text("version").parse().map_err(|_| RequestError::FormField.into())
}

pub(super) async fn cancel(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&["version"])?;
    let asked = CancelNotice {
        notice: visit.call.id("id").map_err(|_| Error::NotFound("notice"))?,
        version: version_of(&form)?,
        idempotency: form.idempotency(&visit.call)?,
    };
    cancel_notice(&visit.gateway, &visit.caller, asked).await?;
    Ok(see_other(&format!("/missing/{}?done=cancelled", visit.call.segment("id"))))
}
