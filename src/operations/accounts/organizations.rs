//! Connects organizations, suspends them, changes what they let others see.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Administered, is_damaged, put_aside, standing, telling_body, telling_own};
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
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, written},
    planted::Planted,
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

/// Connects an organization, or changes whom to call. That one is let in is told to all who could know better.
///
/// # Errors
/// The database failed.
pub(crate) async fn connect(
    tx: &mut Tx,
    acting: &Acting,
    _person: &SharpCaller,
    (code, relay_desk): (OrganizationCode, String),
) -> Result<Effect<SharpOutcome>, Declined> {
    let known = store::accounts::organization(tx, &code).await?;
    let news = match &known {
        Some(known) if known.active => (known.relay_desk != relay_desk).then_some(News::Desk),
        _ => Some(News::LetIn),
    };
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
    let others = news.map(|news| told_to_others(acting, (&code, news), &effect)).unwrap_or_default();
    let effect = telling_body(effect, acting, (&code, InboxKind::OrganizationConnected));
    let outcome =
        |Administered { id, active }| SharpOutcome { administered: Some((id, active)), ..SharpOutcome::default() };
    Ok(effect.map(outcome).tell(others))
}

/// What others learn of a body that the operator connects.
#[derive(Clone, Copy)]
enum News {
    /// It is let in, or let in again: to all who could know better.
    LetIn,
    /// Whom to call there from now on: to those who work with it.
    Desk,
}

/// Tells others than the body itself.
fn told_to_others<T>(acting: &Acting, (body, news): (&OrganizationCode, News), effect: &Effect<T>) -> Vec<InboxItem> {
    if Planted::TellNoCounterparts.is_planted() {
        return Vec::new();
    }
    let (kind, others) = match news {
        News::LetIn => (InboxKind::OrganizationConnected, standing::concerned(&acting.node, body)),
        News::Desk => (InboxKind::CounterpartChanged, standing::counterparts(&acting.node, body)),
    };
    let told = |to| {
        let item = InboxItem::new(to, kind).from(&acting.caller);
        effect.entries.first().into_iter().fold(item, |item, logged| item.because_of(&logged.entry))
    };
    others.into_iter().filter(|to| to != body).map(told).collect()
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
    let acting = Acting::new(gateway, caller, Act::OrganizationSuspend);
    let code = match connected(gateway, &code) {
        Ok(body) => body.code,
        Err(error) => return Err(acting.refuse(error).await),
    };
    let suspend = |known: Option<Organization>| known.map(|known| Organization { active: false, ..known });
    change_organization(acting, code, idempotency, suspend).await
}

/// An organization's own rows of the visibility of its records.
pub struct ChangeSettings {
    pub settings: VisibilitySettings,
    pub idempotency: Idempotency,
}

/// An organization tightens or loosens the rows of its own records: a person at a desk loosens, a machine may tighten.
///
/// # Errors
/// [`AccountError::SettingsUnlawful`] beyond the national floor or ceiling;
/// [`NotSharp`](crate::error::CallerError::NotSharp).
pub async fn change_settings(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ChangeSettings { settings, idempotency }: ChangeSettings,
) -> Result<Done<Administered>, Error> {
    let acting = Acting::new(gateway, caller, Act::SettingsChange);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            if !settings.is_lawful() {
                return Err(acting.declined(None, AccountError::SettingsUnlawful));
            }
            let own = acting.caller.organization().clone();
            let known = store::accounts::organization(tx, &own).await?;
            if known.is_some_and(|known| settings.loosens(&known.settings)) {
                SharpCaller::of(&acting.caller).map_err(|error| acting.declined(None, error))?;
            }
            let change = |known: Option<Organization>| known.map(|known| Organization { settings, ..known });
            let effect = change_inside(tx, &acting, &own, change).await;
            let effect = effect.map_err(|declined| declined.logged(|| acting.entry()))?;
            Ok(telling_own(effect, &acting, InboxKind::SettingsChanged))
        })
    })
    .await
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
            let effect = match change_inside(tx, &acting, &code, becoming).await {
                Err(declined) if is_damaged(&declined) => {
                    let change = DirectoryChange::OrganizationSetAside(code.clone());
                    put_aside(&acting, (code.as_str(), &code), (code.to_string(), change))
                }
                effect => effect.map_err(|declined| declined.logged(|| acting.entry()))?,
            };
            Ok(telling_body(effect, &acting, (&code, InboxKind::OrganizationSuspended)))
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
