//! Lists drafts: ids and times, nothing of what is in them.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::draft::Draft,
    error::{CallerError, Error},
    gateway::Gateway,
    identity::{Caller, Role},
    ledger::entry::{Act, Entry},
    operations::refuse_read,
    store,
};

/// Drafts on one page: all that an officer may have.
const PAGE: i64 = crate::domain::draft::MAX_DRAFTS as i64;

/// Whose drafts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DraftsOf {
    /// The caller's own.
    Officer,
    /// Those of every officer of the caller's body: for its supervisors.
    Organization,
}

/// A page of drafts is asked for.
pub struct ListDrafts {
    pub of: DraftsOf,
    /// The draft after which it begins: `next` of the page before; nil for the first.
    pub after: Uuid,
}

/// One draft.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DraftLine {
    pub draft: Uuid,
    /// Whose it is.
    pub officer: String,
    /// The record that it is to change; missing for a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    /// RFC 3339, UTC.
    pub created_at: String,
    pub saved_at: String,
    /// It ends then unless it is saved again.
    pub ends_at: String,
}

impl DraftLine {
    fn of(draft: Draft) -> Self {
        Self {
            created_at: draft.created_at.to_rfc3339(),
            saved_at: draft.saved_at.to_rfc3339(),
            ends_at: draft.ends_at().to_rfc3339(),
            draft: draft.id,
            officer: draft.officer,
            record: draft.record,
        }
    }
}

/// A page of drafts.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct DraftLines {
    /// Of the page, the one that was saved last comes first.
    pub drafts: Vec<DraftLine>,
    /// Drafts that are not what the gateway wrote: they wait until they are had back.
    pub set_aside: usize,
    /// Give it as `after` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

/// Lists drafts that have not ended.
///
/// # Errors
/// [`CallerError::NotAllowed`] for those of the body, unless the caller is one of its supervisors.
pub async fn list_drafts(
    gateway: &Gateway,
    caller: &Caller,
    ListDrafts { of, after }: ListDrafts,
) -> Result<Done<DraftLines>, Error> {
    if of == DraftsOf::Organization && !caller.has_role(Role::Supervisor) {
        let refused = CallerError::NotAllowed { kinds: &[], roles: vec![Role::Supervisor.as_str()] };
        let entry = Entry::of(caller, Act::Refused, &gateway.clock).about("list_drafts");
        return Err(refuse_read(gateway, caller, entry, refused).await);
    }
    let (organization, page) = (caller.organization(), (after, gateway.clock.now(), PAGE));
    let mut tx = gateway.store.read().await?;
    let listed = match of {
        DraftsOf::Officer => store::drafts::of_officer(&mut tx, (organization, caller.officer()), page).await?,
        DraftsOf::Organization => store::drafts::of_organization(&mut tx, organization, page).await?,
    };
    drop(tx);
    let set_aside = listed.set_aside;
    let is_full = listed.drafts.len() + set_aside >= PAGE as usize;
    let next = listed.drafts.last().filter(|_| is_full).map(|last| last.id);
    let mut drafts: Vec<DraftLine> = listed.drafts.into_iter().map(DraftLine::of).collect();
    drafts.sort_by(|one, other| other.saved_at.cmp(&one.saved_at));
    Ok(Done::told(DraftLines { drafts, set_aside, next }))
}
