//! Photos and papers of a record: in, and out.

use askama::Template;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use uuid::Uuid;

use super::{
    head::{ChildHead, index_of, purpose_of, record_of},
    upload::Upload,
};
use crate::{
    domain::attachment::AttachmentKind,
    error::Error,
    face::{answer::Answer, media},
    operations::records::attach_file::{AttachFile, ViewAttachment, attach_file, view_attachment},
    web::{
        form::Form,
        page::{Visit, again, see_other, shown},
        shell::{PagePart, Shell},
    },
};

const FILE: &str = "file";
const KIND: &str = "kind";

#[derive(Template)]
#[template(path = "records/attach.html")]
struct AttachPage {
    shell: Shell,
    head: ChildHead,
    form: Form,
    is_photo: bool,
}

impl AttachPage {
    async fn of(visit: &Visit, record: Uuid, form: Form) -> Result<Self, Error> {
        let index = index_of(visit, record).await?;
        Ok(Self {
            shell: visit
                .shell(("ファイルの添付", "Attach a file"), PagePart::Records)
                .await?
                .accounted_for(index.entries()),
            head: ChildHead::of(visit, index.value()),
            is_photo: form.value(KIND).is_none_or(|kind| kind == AttachmentKind::InjuryPhoto.as_str()),
            form,
        })
    }
}

pub(super) async fn attach_show(visit: Visit) -> Result<Answer, Error> {
    shown(&AttachPage::of(&visit, record_of(&visit)?, Form::default()).await?)
}

pub(super) async fn attach_act(visit: Visit) -> Result<Answer, Error> {
    let (record, l) = (record_of(&visit)?, visit.language());
    let Upload { mut form, file, call } = Upload::of(&visit.call, FILE, &[KIND]).await?;
    let kind = AttachmentKind::parse(form.text(KIND));
    let content = file.map(|(media_type, bytes)| media::file(&media_type, bytes));
    if kind.is_none() {
        form.fault(KIND, l.say("「種類」を選択してください。", "Choose Kind."));
    }
    match &content {
        None => form.fault(FILE, l.say("ファイルを選択してください。", "Choose a file.")),
        Some(None) => form
            .fault(FILE, l.say("JPEG、PNG又はPDFのファイルを選択してください。", "Choose a file in JPEG, PNG or PDF.")),
        Some(Some(_)) => {}
    }
    let (Some(kind), Some(Some(content))) = (kind, content) else {
        return again(422, &AttachPage::of(&visit, record, form).await?);
    };
    let asked = AttachFile { record, kind, content, idempotency: form.idempotency(&call)? };
    match attach_file(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other(&format!("/records/{record}?done=attached"))),
        Err(error) => {
            let status = form.refused(error, l)?;
            again(status, &AttachPage::of(&visit, record, form).await?)
        }
    }
}

/// The file as it was attached: a picture shows, whatever else is kept by the browser, and nothing in it runs.
pub(super) async fn attachment_show(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let attachment = visit.call.id("attachment").map_err(|_| Error::NotAvailable)?;
    let asked = ViewAttachment { record, attachment, purpose: purpose_of(&visit)? };
    let seen = view_attachment(&visit.gateway, &visit.caller, asked).await?;
    let file = seen.value();
    let (media_type, disposition) = match file.media_type.as_str() {
        "image/jpeg" => ("image/jpeg", "inline"),
        "image/png" => ("image/png", "inline"),
        "application/pdf" => ("application/pdf", "attachment"),
        _ => ("application/octet-stream", "attachment"),
    };
    Ok(Answer::new(StatusCode::OK, media_type, Bytes::copy_from_slice(&file.content))
        .with_header(header::CONTENT_DISPOSITION, disposition)
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .with_header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"))
}
