//! Organizations, terminals, staff, sessions, settings. Revocation stops the next request.

pub mod bootstrap;
pub mod enrolment;
pub mod first_persons;
pub mod issue_credential;
pub mod organizations;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
pub mod sign_in_policy;
pub mod staff;
pub mod terminals;
pub mod who_am_i;

use serde::{Deserialize, Serialize};

use crate::{
    disclosure::done::CarriesNoRecordData,
    domain::organization::{OrganizationCode, OrganizationKind},
    identity::Caller,
    journal::inbox::{InboxItem, InboxKind},
    operations::Acting,
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

/// Tells a body what the operator does to it; what its own people do, they know.
fn told_to_body(acting: &Acting, body: &OrganizationCode, kind: InboxKind) -> Option<InboxItem> {
    let is_foreign = acting.caller.organization() != body;
    is_foreign.then(|| InboxItem::new(body.clone(), kind).from(&acting.caller))
}
