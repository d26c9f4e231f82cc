//! Naming bodies to which a shielded address may go: it is asked for, and two persons stand for it.

use super::{head::record_of, shield::ShieldPage};
use uuid::Uuid;

use crate::{
    error::{Error, RequestError},
    face::answer::Answer,
    operations::waiting::ask::{AskNaming, NamedBodies, ask_naming},
    web::{
        form::Form,
        input::TextArea,
        language::Language,
        page::{Visit, again, see_other},
    },
};

const BODIES: &str = "bodies";

/// The field of bodies to name.
pub(super) fn bodies_input(l: Language, form: &Form) -> TextArea {
    let label = ("開示先に加える機関（1行に1機関）", "Bodies to name, one on each line");
    let support = ("機関コード又は正式名称（例：131041、新宿区）", "Code or full name, such as 131041");
    TextArea::of(l, form, BODIES, label).required().support(support)
}

pub(super) async fn shield_name_act(visit: Visit) -> Result<Answer, Error> {
    let (record, l) = (record_of(&visit)?, visit.language());
    let mut form = visit.form(&[BODIES])?;
    let lines: Vec<String> =
        form.text(BODIES).lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    let mut named = Vec::new();
    for (number, line) in (1..).zip(&lines) {
        match visit.gateway.registry.named(line) {
            Ok(body) => named.push(body),
            Err(_) => form.fault(
                BODIES,
                match l {
                    Language::Japanese => {
                        format!("{number}行目の機関が見つかりません。同名の機関があるときはコードを入力してください。")
                    }
                    Language::English => {
                        format!("Line {number}: there is no such body, or more than one. Enter its code.")
                    }
                },
            ),
        }
    }
    if lines.is_empty() {
        form.fault(BODIES, l.say("機関を入力してください。", "Enter a body."));
    }
    if form.is_faulty() {
        return shown_again(&visit, record, form, None).await;
    }
    let asked = AskNaming { record, bodies: NamedBodies { named }, idempotency: form.idempotency(&visit.call)? };
    match ask_naming(&visit.gateway, &visit.caller, asked).await {
        Ok(reply) => {
            let done = if reply.value().waits() { "naming-asked" } else { "named" };
            Ok(see_other(&format!("/records/{record}?done={done}")))
        }
        Err(error) => shown_again(&visit, record, form, Some(error)).await,
    }
}

/// The page of the shield, with what was typed of bodies and what is wrong with it.
async fn shown_again(visit: &Visit, record: Uuid, mut form: Form, error: Option<Error>) -> Result<Answer, Error> {
    let l = visit.language();
    let mut page = ShieldPage::of(visit, record, None).await?;
    let status = match error {
        None => 422,
        Some(Error::Request(RequestError::Field { field: "named", rule_ja, rule_en })) => {
            form.fault(BODIES, l.say(rule_ja, rule_en));
            422
        }
        Some(error) => page.form.refused(error, l)?,
    };
    page.bodies = bodies_input(l, &form);
    form.faults().for_each(|(name, message)| page.form.fault(name, message));
    again(status, &page)
}
