//! Connects organizations, suspends them, changes what they let others see.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Administered, told_to_body};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        idempotency::Idempotency,
        organization::{OrganizationCode, OrganizationKind},
        sharp_act::SharpOutcome,
        visibility::VisibilitySettings,
    },
    error::{AccountError, Error},
    gateway::Gateway,
    identity::{
        Caller,
        directory::{DirectoryChange, Organization},
        sharp::SharpCaller,
    },
    journal::{
        inbox::InboxKind,
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, written},
    store::{self, tx::Tx},
};

/// An organization as the operator connects it, or whom to call from now on.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectOrganization)]
pub struct ConnectedOrganization {
    pub code: OrganizationCode,
    /// Whom to call about a record: 1 to 200 characters.
    pub relay_desk: String,
}

/// Holds a connection against the registry.
///
/// # Errors
/// The registry does not know the code; the text is empty or too long.
pub(crate) fn check_connection(
    gateway: &Gateway,
    ConnectedOrganization { code, relay_desk }: &ConnectedOrganization,
) -> Result<(), Error> {
    written("relay_desk", relay_desk, 200)?;
    gateway.registry.body(code).map(|_| ()).ok_or(Error::NotFound("organization"))
}

/// Connects an organization, or changes whom to call.
///
/// # Errors
/// The database failed.
pub(crate) async fn connect(
    tx: &mut Tx,
    acting: &Acting,
    _person: &SharpCaller,
    (code, relay_desk): (OrganizationCode, String),
) -> Result<Effect<SharpOutcome>, Declined> {
    let becoming = |known: Option<Organization>| {
        Some(Organization {
            code: code.clone(),
            active: true,
            relay_desk,
            settings: known.as_ref().map(|o| o.settings.clone()).unwrap_or_default(),
            last_upload_at: known.and_then(|o| o.last_upload_at),
        })
    };
    let effect = change_inside(tx, acting, &code, becoming).await?;
    let told = told_to_body(acting, &code, InboxKind::OrganizationConnected);
    let outcome =
        |Administered { id, active }| SharpOutcome { administered: Some((id, active)), ..SharpOutcome::default() };
    Ok(effect.map(outcome).tell(told))
}

/// An organization is to be suspended.
pub struct SuspendOrganization {
    pub code: String,
    pub idempotency: Idempotency,
}

/// Suspends an organization: nobody of it gets in any more.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn suspend_organization(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    SuspendOrganization { code, idempotency }: SuspendOrganization,
) -> Result<Done<Administered>, Error> {
    let code = connected(gateway, &code)?.code;
    let acting = Acting::new(gateway, caller, Act::OrganizationSuspend);
    let suspend = |known: Option<Organization>| known.map(|known| Organization { active: false, ..known });
    change_organization(acting, code, idempotency, suspend).await
}

/// An organization's own rows of the visibility of its records.
pub struct ChangeSettings {
    pub settings: VisibilitySettings,
    pub idempotency: Idempotency,
}

/// An organization tightens or loosens the rows of its own records.
///
/// # Errors
/// [`AccountError::SettingsUnlawful`] beyond the national floor or ceiling.
pub async fn change_settings(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ChangeSettings { settings, idempotency }: ChangeSettings,
) -> Result<Done<Administered>, Error> {
    if !settings.is_lawful() {
        return Err(AccountError::SettingsUnlawful.into());
    }
    let acting = Acting::new(gateway, caller, Act::SettingsChange);
    let change = |known: Option<Organization>| known.map(|known| Organization { settings, ..known });
    change_organization(acting, caller.organization().clone(), idempotency, change).await
}

pub(crate) fn connected(gateway: &Gateway, code: &str) -> Result<Organization, Error> {
    OrganizationCode::parse(code)
        .and_then(|code| gateway.directory().organization(&code))
        .ok_or(Error::NotFound("organization"))
}

/// Writes an organization as it becomes of what it is inside the journal's transaction: a suspension is not undone by
/// settings that were sent at the same moment.
async fn change_organization(
    acting: Acting,
    code: OrganizationCode,
    idempotency: Idempotency,
    becoming: impl FnOnce(Option<Organization>) -> Option<Organization> + Send + 'static,
) -> Result<Done<Administered>, Error> {
    let Acting { node, caller, .. } = acting.clone();
    carry_out(&node, &caller, idempotency, move |tx| {
        Box::pin(async move {
            let told = match acting.act {
                Act::OrganizationSuspend => told_to_body(&acting, &code, InboxKind::OrganizationSuspended),
                _ => None,
            };
            Ok(change_inside(tx, &acting, &code, becoming).await?.tell(told))
        })
    })
    .await
}

async fn change_inside(
    tx: &mut Tx,
    acting: &Acting,
    code: &OrganizationCode,
    becoming: impl FnOnce(Option<Organization>) -> Option<Organization> + Send,
) -> Result<Effect<Administered>, Declined> {
    let known = store::accounts::organization(tx, code).await?;
    let organization = becoming(known).ok_or(Error::NotFound("organization"))?;
    store::accounts::put_organization(tx, &organization, acting.node.clock.now()).await?;
    let done = Administered { id: code.to_string(), active: organization.active };
    Ok(Effect::new(done, acting.entry().about(code).of_body(code))
        .then(Change::Directory(DirectoryChange::Organization(Box::new(organization))))
        .then(Change::Visibility(Scope::Organization(code.clone()))))
}

/// A connected organization.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OrganizationLine {
    pub code: OrganizationCode,
    pub name: String,
    pub kana: String,
    pub kind: OrganizationKind,
}

#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct OrganizationLines {
    pub organizations: Vec<OrganizationLine>,
}

/// Returns the connected organizations.
///
/// # Errors
/// None of its own.
pub async fn list_organizations(gateway: &Gateway, _caller: &Caller) -> Result<Done<OrganizationLines>, Error> {
    let line = |organization: Organization| OrganizationLine {
        name: gateway.registry.name(&organization.code),
        kana: gateway.registry.body(&organization.code).map(|body| body.kana.clone()).unwrap_or_default(),
        kind: organization.code.kind(),
        code: organization.code,
    };
    let organizations = gateway.directory().organizations().into_iter().map(line).collect();
    Ok(Done::told(OrganizationLines { organizations }))
}
