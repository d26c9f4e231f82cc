//! A shield is set at once; to lift one is asked for.

use askama::Template;
use uuid::Uuid;

use super::{
    fields::{is_known, of_section, typed_date},
    head::{ChildHead, record_of, seen, shown as shown_section},
    naming::bodies_input,
    sheet::{Block, section_blocks},
};
use crate::{
    disclosure::view::Extent,
    domain::{
        format::{Element, document::section_field},
        organization::OrganizationCode,
        visibility::{GroupSet, ItemGroup},
    },
    error::{Error, RequestError},
    face::answer::Answer,
    operations::{
        records::shield_record::{SetShield, ShieldRequest, set_shield},
        waiting::ask::{AskLift, ask_lift},
    },
    web::{
        form::Form,
        input::TextArea,
        page::{Visit, again, see_other, shown},
        shell::{PagePart, Shell},
    },
};

#[derive(Template)]
#[template(path = "records/shield.html")]
pub(super) struct ShieldPage {
    shell: Shell,
    head: ChildHead,
    pub(super) form: Form,
    blocks: Vec<Block>,
    named: Vec<NamedBody>,
    /// Bodies that are to be named.
    pub(super) bodies: TextArea,
}

/// A body to which the address may go; the name is taken away by taking its mark away.
struct NamedBody {
    is_ticked: bool,
    field: String,
    code: String,
    name: String,
}

impl ShieldPage {
    /// With what the shield says now, where nothing was typed.
    pub(super) async fn of(visit: &Visit, record: Uuid, form: Option<Form>) -> Result<Self, Error> {
        let view = seen(visit, record, Extent::Only(GroupSet::of([ItemGroup::Shielded]))).await?;
        let section = shown_section(view.value(), ItemGroup::Shielded);
        let present = || section.zip(section_field(ItemGroup::Shielded)).map(|(of, field)| of_section(of, field));
        // What was sent says by its kind, even an empty one, that the shield was typed anew.
        let is_typed = form.as_ref().is_some_and(|form| form.value("shield.kind").is_some());
        let mut form = form.unwrap_or_default();
        if !is_typed {
            present().unwrap_or_default().into_iter().for_each(|(name, value)| form.put(name, value));
        }
        let codes = section.into_iter().flat_map(|section| section.each("named")).filter_map(Element::text);
        let name = |code: &str| {
            let code = OrganizationCode::parse(code)?;
            Some(visit.gateway.registry.name(&code))
        };
        let is_kept = |code: &str| !is_typed || form.under(NAMED).any(|(_, sent)| sent == code);
        let named = (1..).zip(codes).map(|(number, code)| NamedBody {
            is_ticked: is_kept(code),
            field: format!("{NAMED}{number}"),
            code: code.to_owned(),
            name: name(code).unwrap_or_default(),
        });
        let named = named.collect();
        Ok(Self {
            shell: visit.shell(("支援措置", "Shield"), PagePart::Records).await?.accounted_for(view.entries()),
            head: ChildHead::of(visit, view.value()),
            blocks: section_blocks(visit.language(), &form, ItemGroup::Shielded),
            named,
            bodies: bodies_input(visit.language(), &Form::default()),
            form,
        })
    }
}

/// Bodies that are named; more are named by two persons.
const NAMED: &str = "shield.named.";
const SHIELD_FIELDS: [&str; 6] =
    ["shield.kind", "shield.since.era", "shield.since.year", "shield.since.month", "shield.since.day", "shield.note"];

pub(super) async fn shield_show(visit: Visit) -> Result<Answer, Error> {
    shown(&ShieldPage::of(&visit, record_of(&visit)?, None).await?)
}

pub(super) async fn shield_act(visit: Visit) -> Result<Answer, Error> {
    let (record, l) = (record_of(&visit)?, visit.language());
    let mut form =
        Form::read(&visit.call, |name| SHIELD_FIELDS.contains(&name) || name.starts_with(NAMED) && is_known(name))?;
    if form.filled("shield.kind").is_none() {
        form.fault("shield.kind", l.say("「支援措置の種別」を選択してください。", "Choose Kind of measure."));
    }
    let since = typed_date(&form, "shield.since");
    if since.is_blank() {
        form.fault("shield.since", l.say("「支援措置の開始日」を入力してください。", "Enter In force since."));
    }
    if form.is_faulty() {
        return again(422, &ShieldPage::of(&visit, record, Some(form)).await?);
    }
    let shield = ShieldRequest {
        kind: form.text("shield.kind").to_owned(),
        since: since.written(),
        named: form.under(NAMED).map(|(_, code)| code.to_owned()).collect(),
        note: form.filled("shield.note").map(str::to_owned),
    };
    let asked = SetShield { record, shield, idempotency: form.idempotency(&visit.call)? };
    let status = match set_shield(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => return Ok(see_other(&format!("/records/{record}?done=shielded"))),
        Err(Error::Request(RequestError::Faults(faults))) => {
            for fault in faults {
                let field = fault.path.rsplit('/').next().unwrap_or_default();
                form.fault(&format!("shield.{field}"), l.say(&fault.message_ja, &fault.message_en));
            }
            422
        }
        Err(error) => form.refused(error, l)?,
    };
    again(status, &ShieldPage::of(&visit, record, Some(form)).await?)
}

pub(super) async fn shield_lift_act(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let mut form = visit.form(&[])?;
    let asked = AskLift { record, idempotency: form.idempotency(&visit.call)? };
    match ask_lift(&visit.gateway, &visit.caller, asked).await {
        Ok(reply) => {
            let done = if reply.value().waits() { "lift-asked" } else { "lifted" };
            Ok(see_other(&format!("/records/{record}?done={done}")))
        }
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &ShieldPage::of(&visit, record, Some(form)).await?)
        }
    }
}
