//! Discards a draft (下書きの破棄).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::about_draft;
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{draft::Draft, idempotency::Idempotency},
    error::Error,
    gateway::Gateway,
    identity::{Caller, Role},
    journal::journal::Effect,
    ledger::entry::Act,
    operations::{Acting, carry_out},
    store,
};

/// A draft is not wanted any more, or was sent.
pub struct DiscardDraft {
    pub draft: Uuid,
    pub idempotency: Idempotency,
}

/// A draft is gone.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct DraftDiscarded {
    pub draft: Uuid,
}

/// Removes a draft: its officer, or a supervisor of the body.
///
/// # Errors
/// [`Error::NotFound`] for anybody else, and where it is not there.
pub async fn discard_draft(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    DiscardDraft { draft: id, idempotency }: DiscardDraft,
) -> Result<Done<DraftDiscarded>, Error> {
    let acting = Acting::new(gateway, caller, Act::DraftDiscard);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let may = |draft: &Draft| {
                let supervises = acting.caller.has_role(Role::Supervisor);
                draft.is_of(&acting.caller.person())
                    || supervises && draft.organization == *acting.caller.organization()
            };
            let Some(draft) = store::drafts::find(tx, id).await?.filter(may) else {
                return Err(acting.declined(id, Error::NotFound("draft")));
            };
            store::drafts::remove(tx, id).await?;
            Ok(Effect::new(DraftDiscarded { draft: id }, about_draft(&acting, &draft)))
        })
    })
    .await
}
