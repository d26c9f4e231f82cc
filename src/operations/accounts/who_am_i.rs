//! Tells the caller who it is recognized as: the cheapest authenticated call.

use axum::http::StatusCode;
use serde::Serialize;

use crate::{
    domain::organization::{OrganizationCode, OrganizationKind},
    error::Error,
    gateway::Gateway,
    identity::Role,
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

#[derive(Serialize, utoipa::ToSchema)]
pub struct WhoAmI {
    pub organization: OrganizationCode,
    pub name: String,
    pub kind: OrganizationKind,
    pub terminal: String,
    pub officer: String,
    pub roles: Vec<Role>,
}

impl CarriesNoRecordData for WhoAmI {}

/// `GET /v1/session`
///
/// # Errors
/// None of its own.
pub async fn who_am_i(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let caller = call.caller;
    let who = WhoAmI {
        organization: caller.organization().clone(),
        name: gateway.registry.name(caller.organization()),
        kind: caller.kind(),
        terminal: caller.terminal().to_owned(),
        officer: caller.officer().to_owned(),
        roles: caller.roles().to_vec(),
    };
    Ok(Answer::message(StatusCode::OK, &who))
}
