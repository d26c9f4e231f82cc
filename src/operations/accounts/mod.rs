//! Organizations, terminals, staff, sessions, settings. Revocation stops the next request.

pub mod bootstrap;
pub mod enrolment;
pub mod first_persons;
pub mod issue_credential;
pub(crate) mod names;
pub mod organizations;
pub mod recovery_codes;
pub mod revocations;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
pub mod sign_in_policy;
pub mod staff;
pub(crate) mod standing;
pub mod terminals;
mod tries;
pub mod who_am_i;

use serde::{Deserialize, Serialize};

use crate::{
    disclosure::done::CarriesNoRecordData,
    domain::organization::{OrganizationCode, OrganizationKind},
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
    },
    operations::Acting,
    planted::Planted,
};

/// What was administered, by its code, serial or id.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct Administered {
    pub id: String,
    pub active: bool,
}

/// The operator administers every organization, a user administrator its own.
fn administers(caller: &Caller, organization: &OrganizationCode) -> bool {
    caller.kind() == OrganizationKind::Operator || caller.organization() == organization
}

/// An effect that tells a body what the operator does to it, with its entry; what its own people do, they know.
fn telling_body<T>(effect: Effect<T>, acting: &Acting, (body, kind): (&OrganizationCode, InboxKind)) -> Effect<T> {
    if acting.caller.organization() == body || Planted::TellNoBody.is_planted() {
        return effect;
    }
    let item = InboxItem::new(body.clone(), kind).from(&acting.caller);
    let item = effect.entries.first().into_iter().fold(item, |item, logged| item.because_of(&logged.entry));
    effect.tell([item])
}

/// An effect of which the caller's own body is told, with its entry: what loosens something is everybody's to see there.
fn telling_own<T>(effect: Effect<T>, acting: &Acting, kind: InboxKind) -> Effect<T> {
    let item = InboxItem::new(acting.caller.organization().clone(), kind).from(&acting.caller);
    let item = effect.entries.first().into_iter().fold(item, |item, logged| item.because_of(&logged.entry));
    effect.tell([item])
}
