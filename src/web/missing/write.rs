//! Issuing a notice, and cancelling it.

use askama::Template;

use super::super::{
    form::Form,
    input::{ChoiceInput, Input, TextArea},
    page::{Visit, again, see_other, shown},
    shell::{PagePart, Shell},
};
use crate::{
    domain::missing_notice::{MissingChild, NoticeContent, NoticeStatus},
    error::Error,
    face::answer::Answer,
    operations::missing_children::announce_missing_child::{
        BroadcastNotice, CancelNotice, broadcast_notice, cancel_notice,
    },
};

const FIELDS: [&str; 8] = ["status", "name", "kana", "sex", "birth_date", "guardian", "circumstances", "contact"];

#[derive(Template)]
#[template(path = "missing/new.html")]
struct NewNoticePage {
    shell: Shell,
    form: Form,
    status: ChoiceInput,
    child: Vec<Input>,
    sex: ChoiceInput,
    circumstances: TextArea,
    contact: Input,
}

impl NewNoticePage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let line = |name, label| Input::line(l, &form, name, label);
        Ok(Self {
            shell: visit.shell(("通知を出す", "A new notice"), PagePart::Missing).await?,
            status: ChoiceInput::of(l, &form, "status", ("区分", "Status"))
                .at_first("actual")
                .option("actual", ("実際の通知", "actual"))
                .option("exercise", ("訓練", "exercise")),
            child: vec![
                line("name", ("児童の氏名", "Name of the child")).required(),
                line("kana", ("氏名カナ", "Name in kana")),
                line("birth_date", ("生年月日", "Birth"))
                    .required()
                    .width("w-s")
                    .support(("例：2018-04-01、平成30年4月1日", "Such as 2018-04-01")),
                line("guardian", ("保護者の氏名", "Name of a guardian")),
            ],
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
                "全国の児童相談所が読みます。住所・所属は書かないでください",
                "Every center reads it. Write no address and no school",
            )),
            contact: line("contact", ("連絡先（夜間を含む）", "Whom to call, also at night")).required(),
            form,
        })
    }
}

pub(super) async fn new_notice(visit: Visit) -> Result<Answer, Error> {
    shown(&NewNoticePage::of(&visit, Form::default()).await?)
}

pub(super) async fn broadcast(visit: Visit) -> Result<Answer, Error> {
    let mut form = visit.form(&FIELDS)?;
    let text = |name: &str| form.text(name).trim().to_owned();
    let optional = |name: &str| form.filled(name).map(str::to_owned);
    let content = NoticeContent {
        status: if form.text("status") == "exercise" { NoticeStatus::Exercise } else { NoticeStatus::Actual },
        child: MissingChild {
            name: text("name"),
            kana: optional("kana"),
            sex: text("sex"),
            birth_date: text("birth_date"),
            guardians: optional("guardian").into_iter().collect(),
        },
        circumstances: text("circumstances"),
        contact: text("contact"),
    };
    let asked = BroadcastNotice { content, idempotency: form.idempotency(&visit.call)? };
    match broadcast_notice(&visit.gateway, &visit.caller, asked).await {
        Ok(written) => Ok(see_other(&format!("/missing/{}?done=sent", written.value().notice))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &NewNoticePage::of(&visit, form).await?)
        }
    }
}

pub(super) async fn cancel(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&["version"])?;
    let asked = CancelNotice {
        notice: visit.call.id("id").map_err(|_| Error::NotFound("notice"))?,
        version: form.text("version").parse().map_err(|_| crate::error::RequestError::FormField)?,
        idempotency: form.idempotency(&visit.call)?,
    };
    cancel_notice(&visit.gateway, &visit.caller, asked).await?;
    Ok(see_other(&format!("/missing/{}?done=cancelled", visit.call.segment("id"))))
}
