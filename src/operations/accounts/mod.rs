//! Organizations, terminals, staff, sessions, settings. Revocation stops the next request.

pub mod bootstrap;
pub mod enrolment;
pub mod first_persons;
pub mod issue_credential;
pub(crate) mod names;
pub mod organizations;
pub mod passkeys;
pub mod recovery_codes;
pub mod revocations;
pub mod second_factor;
pub mod sessions;
pub mod show_again;
pub mod sign_in;
pub mod sign_in_policy;
pub mod staff;
pub(crate) mod standing;
pub mod terminals;
mod tries;
pub mod view_settings;
pub mod who_am_i;

use serde::{Deserialize, Serialize};

use crate::{
    disclosure::done::CarriesNoRecordData,
    domain::organization::{OrganizationCode, OrganizationKind},
    error::Error,
    identity::{Caller, directory::DirectoryChange},
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    operations::Acting,
    planted::Planted,
    store::error::StoreError,
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

/// Whether the row of whoever is to be put out of force is not what the gateway wrote.
fn is_damaged(declined: &Declined) -> bool {
    matches!(declined.error, Error::Store(StoreError::Refuted(_))) && !Planted::KeepDamaged.is_planted()
}

/// Puts whoever it is out of force in the memory of every node, where the row cannot be written: a damaged row keeps nobody
/// in. At a start it lets nobody in either.
fn put_aside(
    acting: &Acting,
    (id, body): (&str, &OrganizationCode),
    (about, change): (String, DirectoryChange),
) -> Effect<Administered> {
    let done = Administered { id: id.to_owned(), active: false };
    Effect::new(done, acting.entry().about(about).of_body(body))
        .then(Change::Directory(change))
        .then(Change::Visibility(Scope::Organization(body.clone())))
}

/// An effect of which the caller's own body is told, with its entry: what loosens something is everybody's to see there.
fn telling_own<T>(effect: Effect<T>, acting: &Acting, kind: InboxKind) -> Effect<T> {
    let item = InboxItem::new(acting.caller.organization().clone(), kind).from(&acting.caller);
    let item = effect.entries.first().into_iter().fold(item, |item, logged| item.because_of(&logged.entry));
    effect.tell([item])
}
