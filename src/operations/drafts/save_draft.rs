//! Saves what an officer has written so far (下書きの保存).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::about_draft;
use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        draft::{Draft, MAX_DRAFTS},
        idempotency::Idempotency,
    },
    error::{Error, RecordError},
    gateway::Gateway,
    identity::Caller,
    journal::journal::{Declined, Effect},
    ledger::entry::Act,
    operations::{Acting, carry_out},
    store::{self, tx::Tx},
};

/// What an officer has written so far is to be kept.
pub struct SaveDraft {
    /// Whoever saves it first gives it its id, by chance.
    pub draft: Uuid,
    /// The record of the caller's that it is to change; `None` for a new one.
    pub record: Option<Uuid>,
    /// As the form has it; nobody looks into it.
    pub content: Zeroizing<Vec<u8>>,
    pub idempotency: Idempotency,
}

/// A draft was saved.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct DraftSaved {
    pub draft: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    /// RFC 3339, UTC.
    pub saved_at: String,
    /// It ends then unless it is saved again.
    pub ends_at: String,
}

/// Keeps a draft, new or in place of what was saved before under its id.
///
/// # Errors
/// [`Error::NotFound`] for a draft of somebody else; [`Error::Exists`] for one of another form; [`Error::NotAvailable`] for
/// a record that is not the caller's own; [`RecordError::Closed`]; [`RecordError::TooManyDrafts`]; the content is empty or
/// larger than a record may be.
pub async fn save_draft(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    SaveDraft { draft, record, content, idempotency }: SaveDraft,
) -> Result<Done<DraftSaved>, Error> {
    if content.is_empty() || content.len() > gateway.config.limits.record_bytes {
        return Err(Error::field(
            "content",
            "入力がないか、記録の大きさの上限を超えています。",
            "must not be empty, and not larger than a record may be",
        ));
    }
    let acting = Acting::new(gateway, caller, Act::DraftSave);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            may_be_changed(tx, &acting, (draft, record)).await?;
            let draft = as_saved(tx, &acting, (draft, record)).await?;
            store::drafts::put(tx, &acting.node.vault, &draft, &content).await?;
            let saved = DraftSaved {
                draft: draft.id,
                record: draft.record,
                saved_at: draft.saved_at.to_rfc3339(),
                ends_at: draft.ends_at().to_rfc3339(),
            };
            Ok(Effect::new(saved, about_draft(&acting, &draft)))
        })
    })
    .await
}

/// Declines a draft of a record that the caller's body could not change.
async fn may_be_changed(tx: &mut Tx, acting: &Acting, (draft, record): (Uuid, Option<Uuid>)) -> Result<(), Declined> {
    let Some(record) = record else { return Ok(()) };
    let facts = acting.own_record(tx, record).await?.facts;
    if facts.closed { Err(acting.declined(draft, RecordError::Closed)) } else { Ok(()) }
}

/// The draft as it is from now on.
async fn as_saved(tx: &mut Tx, acting: &Acting, (id, record): (Uuid, Option<Uuid>)) -> Result<Draft, Declined> {
    let person = acting.caller.person();
    let now: Timestamp = acting.node.clock.now();
    let known = store::drafts::find(tx, id).await?;
    match known {
        Some(known) if !known.is_of(&person) => Err(acting.declined(id, Error::NotFound("draft"))),
        Some(known) if known.record != record => Err(acting.declined(id, Error::Exists("draft"))),
        Some(known) if !known.has_ended(now) => Ok(Draft { saved_at: now, ..known }),
        known => {
            let of = (&person.organization, person.officer.as_str());
            let most = i64::try_from(MAX_DRAFTS).unwrap_or(i64::MAX);
            let there = store::drafts::of_officer(tx, of, (Uuid::nil(), now, most)).await?;
            if known.is_none() && there.drafts.len() >= MAX_DRAFTS {
                return Err(acting.declined(id, RecordError::TooManyDrafts));
            }
            let (organization, officer) = (person.organization, person.officer);
            Ok(Draft { id, organization, officer, record, created_at: now, saved_at: now })
        }
    }
}
