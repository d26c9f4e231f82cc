//! Returns who the caller is recognized as: the cheapest authenticated call.

use serde::Serialize;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::organization::{OrganizationCode, OrganizationKind},
    error::Error,
    gateway::Gateway,
    identity::{Assurance, Caller, Role},
    store,
};

#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct WhoAmI {
    pub organization: OrganizationCode,
    pub name: String,
    pub kind: OrganizationKind,
    pub terminal: String,
    /// What the operator called the terminal.
    pub terminal_label: String,
    pub officer: String,
    pub officer_name: String,
    pub roles: Vec<Role>,
    pub assurance: Assurance,
    /// Recovery codes of a person at a desk that were not used; left out without a second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_codes_left: Option<usize>,
}

/// Returns who the caller is.
///
/// # Errors
/// The database failed.
pub async fn who_am_i(gateway: &Gateway, caller: &Caller) -> Result<Done<WhoAmI>, Error> {
    let recovery_codes_left = match caller.assurance() {
        Assurance::TwoFactors => {
            let mut tx = gateway.store.read().await?;
            Some(store::credentials::recovery_codes_left(&mut tx, &caller.person()).await?)
        }
        Assurance::Named | Assurance::Password => None,
    };
    let directory = gateway.directory();
    let staff = directory.staff(caller.organization(), caller.officer());
    Ok(Done::told(WhoAmI {
        organization: caller.organization().clone(),
        name: gateway.registry.name(caller.organization()),
        kind: caller.kind(),
        terminal: caller.terminal().to_owned(),
        terminal_label: directory.terminal(caller.terminal()).map(|terminal| terminal.label).unwrap_or_default(),
        officer: caller.officer().to_owned(),
        officer_name: staff.map(|staff| staff.name).unwrap_or_default(),
        roles: caller.roles().to_vec(),
        assurance: caller.assurance(),
        recovery_codes_left,
    }))
}
