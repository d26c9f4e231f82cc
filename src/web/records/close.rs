//! A record is closed, on a page that shows no more of it than whose it is.

use askama::Template;
use uuid::Uuid;

use super::head::{ChildHead, index_of, record_of};
use crate::{
    error::{Error, RequestError},
    face::answer::Answer,
    operations::records::close_record::{CloseRecord, close_record},
    web::{
        form::Form,
        page::{Visit, again, see_other, shown},
        shell::{PagePart, Shell},
    },
};

#[derive(Template)]
#[template(path = "records/close.html")]
struct ClosePage {
    shell: Shell,
    head: ChildHead,
    form: Form,
    version: String,
}

impl ClosePage {
    async fn of(visit: &Visit, record: Uuid, form: Form) -> Result<Self, Error> {
        let index = index_of(visit, record).await?;
        Ok(Self {
            shell: visit.shell(("終結", "Close a record"), PagePart::Records).await?.accounted_for(index.entries()),
            head: ChildHead::of(visit, index.value()),
            version: index.value().version.to_string(),
            form,
        })
    }
}

pub(super) async fn close_show(visit: Visit) -> Result<Answer, Error> {
    shown(&ClosePage::of(&visit, record_of(&visit)?, Form::default()).await?)
}

pub(super) async fn close_act(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let mut form = visit.form(&["version"])?;
    let version = form.text("version").parse().map_err(|_| RequestError::FormField)?;
    let asked = CloseRecord { record, version, idempotency: form.idempotency(&visit.call)? };
    match close_record(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other(&format!("/records/{record}?done=closed"))),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &ClosePage::of(&visit, record, form).await?)
        }
    }
}
