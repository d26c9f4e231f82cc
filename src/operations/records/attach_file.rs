//! Attaches a file to a record, and views one (ケガの写真等の添付).

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::edit_lock;
use crate::{
    domain::visibility::{Operation, Relation},
    error::Error,
    gateway::Gateway,
    journal::journal::Effect,
    ledger::entry::{Act, Entry, RecordRef},
    operations::{carry_out, declined, find_record, known, own_record},
    store::{self, attachments::AttachmentLine},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// Kinds of file that may be attached, with the bytes on which each begins.
const MEDIA: [(&str, &[u8]); 3] =
    [("image/jpeg", &[0xFF, 0xD8, 0xFF]), ("image/png", b"\x89PNG\r\n\x1a\n"), ("application/pdf", b"%PDF-")];
/// Header that says whether a photo shows an injury.
const KIND: &str = "tsunagi-attachment-kind";

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attached {
    pub attachment: Uuid,
}

impl CarriesNoRecordData for Attached {}

/// `POST /v1/records/{id}/attachments`: the file as the body, its media type, `Tsunagi-Attachment-Kind`.
///
/// # Errors
/// [`Error::MediaType`] where the content is not what its type says.
pub async fn attach_file(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let media_type = call.content_type();
    let known_type = MEDIA.iter().any(|(name, start)| *name == media_type && call.body.starts_with(start));
    if !known_type {
        return Err(Error::MediaType);
    }
    let kind = call.header(KIND).unwrap_or("other").to_owned();
    if !matches!(kind.as_str(), "injury_photo" | "other") {
        return Err(Error::Field {
            field: "Tsunagi-Attachment-Kind",
            rule_ja: "injury_photo または other としてください",
            rule_en: "must be injury_photo or other",
        });
    }
    let attachment = gateway.clock.new_id();
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::CREATED, move |tx| {
        Box::pin(async move {
            let stored = own_record(tx, &node, &call, Act::Attach, id).await?;
            if stored.facts.closed {
                return Err(declined(&node, &call, Act::Attach, Some(id), Error::Closed));
            }
            edit_lock::not_locked(tx, &node, &call, Act::Attach, &stored.facts).await?;
            let sealed = store::attachments::seal(&node.vault, &stored, attachment, &call.body)?;
            let bytes = i64::try_from(call.body.len()).unwrap_or(i64::MAX);
            let line = AttachmentLine { id: attachment, media_type, kind, bytes, at: node.clock.now() };
            store::attachments::insert(tx, &stored, &line, &sealed).await?;
            let entry = Entry::of(&call.caller, Act::Attach, &node.clock)
                .on(&RecordRef { record: id, version: stored.facts.version, owner: stored.facts.owner })
                .as_relation(Relation::Owner)
                .about(attachment);
            Ok(Effect::new(Attached { attachment }, entry))
        })
    })
    .await
}

/// `GET /v1/records/{id}/attachments/{attachment}`
///
/// # Errors
/// [`Error::NotAvailable`], whether it is hidden or does not exist.
pub async fn view_attachment(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let attachment = call.id("attachment").map_err(|_| Error::NotAvailable)?;
    let purpose = call.purpose()?;
    let found = find_record(gateway, &call, id).await?;
    let act = Act::ViewAttachment;
    let owner = found.as_ref().map_or(call.caller.organization(), |(stored, _)| &stored.facts.owner);
    let mut tx = gateway.store.read().await?;
    // Asked for a record that does not exist too: both take the same time.
    let lines = store::attachments::of_record(&mut tx, owner, id).await?;
    drop(tx);
    // One that is not there is one that may not be seen.
    let of = known(&found).filter(|_| lines.iter().any(|line| line.id == attachment));
    let grant = gateway.gate.authorize(&call.caller, act, purpose, Operation::View, id, of, call.decided_at).await?;
    let Some((stored, _)) = found else { return Err(Error::NotAvailable) };
    let mut tx = gateway.store.read().await?;
    let sealed = store::attachments::find(&mut tx, &gateway.vault, &stored, attachment).await?;
    drop(tx);
    // It was there a moment ago.
    let sealed = sealed.ok_or(store::error::StoreError::Moved)?;
    let disclosed = gateway.gate.disclose_attachment(&call.caller, purpose, grant, sealed).await?;
    Ok(Answer::attachment(&disclosed))
}
