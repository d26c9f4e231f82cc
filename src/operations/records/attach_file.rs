//! Attaches a file to a record, and views one (ケガの写真等の添付).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::edit_lock::not_locked;
use crate::{
    disclosure::{
        done::{CarriesNoRecordData, Done},
        gate::{AccessRequest, Disclosed},
    },
    domain::{
        attachment::{Attachment, AttachmentKind, FileContent},
        idempotency::Idempotency,
        purpose::Purpose,
        visibility::{ItemGroup, Operation},
    },
    error::{Error, RecordError},
    gateway::Gateway,
    identity::Caller,
    journal::journal::Effect,
    ledger::entry::Act,
    operations::{Acting, carry_out},
    planted::Planted,
    store,
};

/// A photo or paper for a record of the caller's.
pub struct AttachFile {
    pub record: Uuid,
    pub kind: AttachmentKind,
    pub content: FileContent,
    pub idempotency: Idempotency,
}

#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct Attached {
    pub attachment: Uuid,
}

/// Attaches a file. Of a photo the picture alone is kept: place, device and time are taken out of it.
///
/// # Errors
/// [`Error::NotAvailable`], [`RecordError::Closed`], [`RecordError::Locked`]; a photo is not whole, so that nobody can say
/// what is in it.
pub async fn attach_file(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    AttachFile { record, kind, content, idempotency }: AttachFile,
) -> Result<Done<Attached>, Error> {
    let attachment = gateway.clock.new_id();
    let content = if Planted::KeepPosition.is_planted() { Some(content) } else { content.bare() };
    let Some(content) = content else {
        return Err(Error::field(
            "file",
            "写真のファイルが壊れているため、撮影場所などの情報を取り除けません。撮影した機器からもう一度保存したファイルを添付してください。",
            "must be a whole photo: what its camera wrote into another cannot be taken out",
        ));
    };
    let acting = Acting::new(gateway, caller, Act::Attach);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let stored = acting.own_record(tx, record).await?;
            if stored.facts.closed {
                return Err(acting.declined(record, RecordError::Closed));
            }
            not_locked(tx, &acting, &stored.facts).await?;
            let node = &acting.node;
            let sealed = store::attachments::seal(&node.vault, &stored, attachment, content.bytes())?;
            let line = content.line(attachment, kind, node.clock.now());
            store::attachments::insert_attachment(tx, &stored, &line, &sealed).await?;
            Ok(Effect::new(Attached { attachment }, acting.owner_entry(&stored.facts).about(attachment)))
        })
    })
    .await
}

/// A file of a record is asked for.
pub struct ViewAttachment {
    pub record: Uuid,
    pub attachment: Uuid,
    pub purpose: Purpose,
}

/// Shows a file, if it was there when the record was provided.
///
/// # Errors
/// [`Error::NotAvailable`], whether it is hidden or does not exist.
pub async fn view_attachment(
    gateway: &Gateway,
    caller: &Caller,
    ViewAttachment { record, attachment, purpose }: ViewAttachment,
) -> Result<Disclosed<Attachment>, Error> {
    let asked = AccessRequest { record, act: Act::ViewAttachment, operation: Operation::View, purpose };
    let vault = gateway.vault.clone();
    gateway
        .gate
        .part(caller, asked, ItemGroup::Attachments, move |tx, stored, grant| {
            Box::pin(async move {
                let found = store::attachments::find(tx, &vault, stored, attachment).await?;
                Ok(found.and_then(|(at, sealed)| grant.covers_time(at).then_some(sealed)))
            })
        })
        .await
}
