//! A new record: what is typed is kept until it is registered.

use askama::Template;

use super::{
    fields::is_known,
    from_form,
    sheet::{ADD, SheetSection, sheet},
};
use crate::{
    domain::{organization::OrganizationKind, visibility::GroupSet},
    error::{Error, RequestError},
    face::answer::Answer,
    operations::records::register_record::{RegisterRecord, register_record},
    web::{
        form::Form,
        page::{Visit, again, see_other, shown},
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
}

impl RegisterPage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let sections = sheet(visit.language(), &form, GroupSet::EMPTY);
        Ok(Self { shell: visit.shell(TITLE, PagePart::Records).await?, form, sections })
    }
}

pub(super) async fn register_show(visit: Visit) -> Result<Answer, Error> {
    shown(&RegisterPage::of(&visit, Form::with(known_before(&visit))).await?)
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

pub(super) async fn register_act(visit: Visit) -> Result<Answer, Error> {
    let (language, gateway) = (visit.language(), &visit.gateway);
    let mut form = Form::read(&visit.call, |name| is_known(name) || matches!(name, ADD | BEGIN))?;
    if form.value(ADD).is_some() || form.value(BEGIN).is_some() {
        for (name, value) in known_before(&visit) {
            if form.value(&name).is_none() {
                form.put(name, value);
            }
        }
        return shown(&RegisterPage::of(&visit, form).await?);
    }
    let everything = GroupSet::EMPTY;
    let Some(document) = from_form::document(&mut form, everything, &gateway.registry, language) else {
        return again(422, &RegisterPage::of(&visit, form).await?);
    };
    let asked = RegisterRecord { document, idempotency: form.idempotency(&visit.call)? };
    let status = match register_record(gateway, &visit.caller, asked).await {
        Ok(written) => return Ok(see_other(&format!("/records/{}?done=registered", written.value().record))),
        Err(Error::Request(RequestError::Faults(faults))) => {
            from_form::refused(&mut form, &faults, everything, &gateway.registry, language);
            422
        }
        Err(error) => form.refused(error, language)?,
    };
    again(status, &RegisterPage::of(&visit, form).await?)
}
