//! A new record: what is typed is kept until it is registered.

use askama::Template;

use super::{
    buttons::{Pressed, is_button, pressed},
    draft::{DraftState, drop_sent, keep, opened},
    fields::is_known,
    from_form,
    look_up::look_up,
    sheet::{SheetSection, sheet},
};
use crate::{
    domain::{organization::OrganizationKind, visibility::GroupSet},
    error::{Error, RequestError},
    face::answer::Answer,
    operations::records::register_record::{RegisterRecord, register_record},
    web::{
        form::Form,
        page::{Visit, again, done_silently, see_other, shown},
        shell::{PagePart, Shell},
    },
};

/// A form that is to be shown with what it holds and not to be judged: another page begins a record with what is known.
pub const BEGIN: &str = "begin";

const TITLE: (&str, &str) = ("児童記録票の新規登録", "Register a record");

#[derive(Template)]
#[template(path = "records/register.html")]
struct RegisterPage {
    shell: Shell,
    form: Form,
    sections: Vec<SheetSection>,
    draft: DraftState,
    /// What was typed into fields that there are no more.
    unknown: Vec<String>,
}

impl RegisterPage {
    async fn of(visit: &Visit, form: Form, kept: Option<(bool, String)>) -> Result<Self, Error> {
        Ok(Self {
            shell: visit.shell(TITLE, PagePart::Records).await?,
            sections: sheet(visit.language(), &form, GroupSet::EMPTY),
            draft: DraftState::of(visit, None, &form, kept).await?,
            form,
            unknown: Vec::new(),
        })
    }
}

pub(super) async fn register_show(visit: Visit) -> Result<Answer, Error> {
    let Some(opened) = opened(&visit, None).await? else {
        return shown(&RegisterPage::of(&visit, Form::with(known_before(&visit)), None).await?);
    };
    let page = RegisterPage::of(&visit, opened.form, None).await?;
    shown(&RegisterPage { shell: page.shell.accounted_for(&opened.entries), unknown: opened.unknown, ..page })
}

/// What need not be typed: where most children of a municipality live, and who is in charge.
fn known_before(visit: &Visit) -> Vec<(String, String)> {
    let caller = &visit.caller;
    let officer = visit.gateway.directory().staff(caller.organization(), caller.officer());
    let mut fields = vec![("officer.name".to_owned(), officer.map(|staff| staff.name).unwrap_or_default())];
    if caller.kind() == OrganizationKind::Municipality {
        fields.push(("contact.municipality".to_owned(), caller.organization().to_string()));
    }
    fields
}

/// Whether somebody typed something.
fn is_begun(visit: &Visit, form: &Form) -> bool {
    let known = known_before(visit);
    let is_known_before = |name: &str, value: &str| known.iter().any(|(of, there)| of == name && there == value);
    form.fields().any(|(name, value)| {
        is_known(name) && !name.ends_with(".era") && !value.trim().is_empty() && !is_known_before(name, value)
    })
}

/// Keeps what was received, where there is something to keep.
async fn keep_begun(visit: &Visit, form: &mut Form) -> Result<Option<(bool, String)>, Error> {
    if is_begun(visit, form) { Ok(Some(keep(visit, None, form).await?)) } else { Ok(None) }
}

pub(super) async fn register_act(visit: Visit) -> Result<Answer, Error> {
    let mut form = Form::read(&visit.call, |name| is_known(name) || is_button(name) || name == BEGIN)?;
    if form.value(BEGIN).is_some() {
        for (name, value) in known_before(&visit) {
            if form.value(&name).is_none() {
                form.put(name, value);
            }
        }
        return shown(&RegisterPage::of(&visit, form, None).await?);
    }
    let (mut status, pressed) = (200, pressed(&form)?);
    match pressed {
        Pressed::Add => {}
        Pressed::LookUp => look_up(&mut form, visit.language()),
        Pressed::Open => return Err(RequestError::FormField.into()),
        Pressed::Save | Pressed::SaveByScript => {
            let kept = keep(&visit, None, &mut form).await?;
            let status = if kept.0 { 200 } else { 409 };
            if pressed == Pressed::SaveByScript {
                return Ok(done_silently(status));
            }
            return again(status, &RegisterPage::of(&visit, form, Some(kept)).await?);
        }
        Pressed::Send => match send(&visit, &mut form).await? {
            Sent::Registered(answer) => return Ok(answer),
            Sent::Refused(refused) => status = refused,
        },
    }
    let kept = keep_begun(&visit, &mut form).await?;
    again(status, &RegisterPage::of(&visit, form, kept).await?)
}

enum Sent {
    Registered(Answer),
    Refused(u16),
}

async fn send(visit: &Visit, form: &mut Form) -> Result<Sent, Error> {
    let (language, gateway) = (visit.language(), &visit.gateway);
    let everything = GroupSet::EMPTY;
    let Some(document) = from_form::document(form, everything, &gateway.registry, language) else {
        return Ok(Sent::Refused(422));
    };
    let asked = RegisterRecord { document, idempotency: form.idempotency(&visit.call)? };
    match register_record(gateway, &visit.caller, asked).await {
        Ok(written) => {
            drop_sent(visit, form).await;
            Ok(Sent::Registered(see_other(&format!("/records/{}?done=registered", written.value().record))))
        }
        Err(Error::Request(RequestError::Faults(faults))) => {
            from_form::refused(form, &faults, everything, &gateway.registry, language);
            Ok(Sent::Refused(422))
        }
        Err(error) => Ok(Sent::Refused(form.refused(error, language)?)),
    }
}
