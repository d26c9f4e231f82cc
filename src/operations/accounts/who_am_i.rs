//! Returns who the caller is recognized as: the cheapest authenticated call.

use serde::Serialize;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::organization::{OrganizationCode, OrganizationKind},
    error::Error,
    gateway::Gateway,
    identity::{Assurance, Caller, Role},
};

#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct WhoAmI {
    pub organization: OrganizationCode,
    pub name: String,
    pub kind: OrganizationKind,
    pub terminal: String,
    pub officer: String,
    pub roles: Vec<Role>,
    pub assurance: Assurance,
}

/// Returns who the caller is.
///
/// # Errors
/// None of its own.
pub async fn who_am_i(gateway: &Gateway, caller: &Caller) -> Result<Done<WhoAmI>, Error> {
    Ok(Done::told(WhoAmI {
        organization: caller.organization().clone(),
        name: gateway.registry.name(caller.organization()),
        kind: caller.kind(),
        terminal: caller.terminal().to_owned(),
        officer: caller.officer().to_owned(),
        roles: caller.roles().to_vec(),
        assurance: caller.assurance(),
    }))
}
