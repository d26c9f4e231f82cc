//! Records whose retention has ended, and asking to dispose of those that are marked.

use askama::Template;
use uuid::Uuid;

use super::{class_name, rule_of};
use crate::{
    domain::calendar::PartialDate,
    error::Error,
    face::{answer::Answer, route::SUPERVISE},
    operations::retention::{
        dispose_records::{AskDisposal, DisposalRequest, ask_disposal},
        list_due::{ListDue, list_due},
    },
    web::{
        dates::partial,
        form::Form,
        page::{Visit, again, see_other, shown},
        shell::{PagePart, Shell},
    },
};

/// Fields of records that are marked.
const MARKED: &str = "record.";

struct DueRow {
    field: String,
    record: Uuid,
    class: &'static str,
    rule: String,
    since: String,
    is_marked: bool,
}

#[derive(Template)]
#[template(path = "retention/due.html")]
struct DuePage {
    shell: Shell,
    form: Form,
    rows: Vec<DueRow>,
    next: Option<Uuid>,
    /// Where the page begins, for the form that is sent from it.
    after: Option<Uuid>,
    supervises: bool,
}

impl DuePage {
    async fn of(visit: &Visit, form: Form) -> Result<Self, Error> {
        let l = visit.language();
        let after = visit.call.query_id("after")?;
        let found = list_due(&visit.gateway, &visit.caller, ListDue { after: after.unwrap_or_default() }).await?;
        let shell = visit.shell(("保存期間が満了した記録", "What is due"), PagePart::Settings).await?;
        let row = |due: &crate::operations::retention::list_due::DueRecord| {
            let field = format!("{MARKED}{}", due.record);
            DueRow {
                is_marked: form.value(&field).is_some(),
                field,
                record: due.record,
                class: l.of_pair(class_name(due.class)),
                rule: rule_of(l, due.rule),
                since: PartialDate::parse(&due.since).map_or_else(|| due.since.clone(), |since| partial(l, since)),
            }
        };
        Ok(Self {
            rows: found.value().records.iter().map(row).collect(),
            next: found.value().next,
            after,
            supervises: visit.caller.has_any_role(SUPERVISE),
            shell: shell.accounted_for(found.entries()),
            form,
        })
    }
}

pub(super) async fn due(visit: Visit) -> Result<Answer, Error> {
    shown(&DuePage::of(&visit, Form::default()).await?)
}

pub(super) async fn ask(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let id_of = |name: &str| name.strip_prefix(MARKED).and_then(|id| Uuid::parse_str(id).ok());
    let mut form = Form::read(&visit.call, |name| id_of(name).is_some())?;
    let records: Vec<Uuid> = form.under(MARKED).filter_map(|(name, _)| id_of(name)).collect();
    if records.is_empty() {
        form.fault("due", l.say("廃棄する記録を1件以上選んでください。", "Select at least one record."));
        return again(422, &DuePage::of(&visit, form).await?);
    }
    let asked = AskDisposal { request: DisposalRequest { records }, idempotency: form.idempotency(&visit.call)? };
    match ask_disposal(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other("/disposals?done=asked")),
        Err(error) => {
            let status = form.refused(error, l)?;
            again(status, &DuePage::of(&visit, form).await?)
        }
    }
}
