//! Organizations, terminals, staff, sessions, settings. Revocation stops the next request.

pub mod bootstrap;
pub mod organizations;
pub mod sign_in;
pub mod staff;
pub mod terminals;
pub mod who_am_i;

use serde::{Deserialize, Serialize};

use crate::{
    disclosure::done::CarriesNoRecordData,
    domain::organization::{OrganizationCode, OrganizationKind},
    identity::Caller,
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
