//! Puts a sharp act on the list of those that wait, and takes it off.

use time::Duration;
use uuid::Uuid;

use super::{
    asked_about::about,
    footing::{Footing, footing_of},
};
use crate::{
    clock::Timestamp,
    domain::{
        organization::{OrganizationCode, OrganizationKind},
        sharp_act::{SharpAct, SharpKind, WaitingAct, WaitingState},
        two_persons::{StaffId, count_as_two},
    },
    error::SharpError,
    gateway::Gateway,
    identity::{Caller, Role, sharp::SharpCaller},
    journal::journal::Declined,
    operations::{
        Acting,
        accounts::standing::{Consent, consent_to_terminal},
    },
    planted::Planted,
    store::{self, error::StoreError, tx::Tx},
};

/// How long what two persons approved may be carried out by a call of its own.
pub const APPROVED_FOR: Duration = Duration::hours(24);
/// Acts that wait in one list at most: nobody finds one among more.
pub const MAX_WAITING: usize = 200;

/// What is to wait.
pub(crate) struct ToWait {
    pub(crate) id: Uuid,
    pub(crate) act: SharpAct,
    pub(crate) not_before: Timestamp,
}

/// In whose list an act stands: the operator's, where it is the operator's to carry out; a body's own, where that body has
/// the last word.
async fn list_of(
    tx: &mut Tx,
    node: &Gateway,
    (act, caller): (&SharpAct, &Caller),
) -> Result<OrganizationCode, StoreError> {
    match act {
        SharpAct::ReopenBody { .. } => Ok(OrganizationCode::operator()),
        SharpAct::RegisterTerminal { organization, .. }
            if consent_to_terminal(tx, node, organization).await? == Consent::OwnAdministrator =>
        {
            Ok(organization.clone())
        }
        _ => Ok(caller.organization().clone()),
    }
}

/// Writes an act that waits. Whoever asks at a desk, with a second factor and the role that it needs, is the first who
/// stands for it. An officer of the body that is to be opened anew stands for that by asking, also by machine.
///
/// # Errors
/// [`SharpError::AskedAlready`]; [`SharpError::TooManyWait`].
pub(crate) async fn begin(
    tx: &mut Tx,
    acting: &Acting,
    ToWait { id, act, not_before }: ToWait,
) -> Result<WaitingAct, Declined> {
    let Acting { node, caller, .. } = acting;
    let (kind, organization) = (act.kind(), list_of(tx, node, (&act, caller)).await?);
    let same = (kind, act.subject());
    let waits = WaitingState::Waiting;
    let known = store::waiting_acts::newest(tx, &node.vault, &organization, (same.0, &same.1), waits).await?;
    let now = node.clock.now();
    let about = about(tx, acting, (&organization, &act)).await?;
    if let Some(known) = known.filter(|known| now < known.expires_at) {
        let stands = known.about == about && matches!(footing_of(tx, node, &known).await?, Footing::From(_));
        match stands {
            // The same is asked again: it waits already.
            true if known.act == act => return Ok(known),
            true => return Err(acting.declined(None, SharpError::AskedAlready)),
            // What it was asked about, or rested on, is not there any more: nobody can stand for it.
            false => end(tx, acting, known.id, WaitingState::Withdrawn).await?,
        }
    }
    let most = i64::try_from(MAX_WAITING).unwrap_or(i64::MAX);
    let is_full = store::waiting_acts::count_waiting(tx, &organization, most).await? >= MAX_WAITING;
    if is_full && !Planted::AskWithoutEnd.is_planted() {
        return Err(acting.declined(None, SharpError::TooManyWait));
    }
    let own_body_asks = kind == SharpKind::ReopenBody && caller.kind() != OrganizationKind::Operator;
    let is_own_list = organization == *caller.organization();
    let stands = own_body_asks || is_own_list && SharpCaller::of(caller).is_ok() && caller.has_any_role(kind.roles());
    let first = stands.then(|| (caller.person(), now));
    let helper = match &first {
        Some((first, _)) if !own_body_asks => helper_for(tx, node, (&organization, &act), Some(first)).await?,
        // Who could ask may be the one who lost everything: others are told at once.
        None if kind == SharpKind::ReissueCredential => helper_for(tx, node, (&organization, &act), None).await?,
        _ => None,
    };
    let expires_at = not_before.plus(node.config.accounts.waiting());
    let asked_by = caller.person();
    let (state, decided) = (WaitingState::Waiting, None);
    let waiting = WaitingAct {
        id,
        organization,
        act,
        about,
        state,
        asked_by,
        asked_at: now,
        not_before,
        expires_at,
        first,
        helper,
        decided,
    };
    store::waiting_acts::put(tx, &node.vault, &waiting).await?;
    Ok(waiting)
}

/// Takes an act off the list.
pub(crate) async fn end(tx: &mut Tx, acting: &Acting, id: Uuid, state: WaitingState) -> Result<(), StoreError> {
    let vault = &acting.node.vault;
    let Some(waiting) = store::waiting_acts::find(tx, vault, id).await? else { return Ok(()) };
    let decided = Some((acting.caller.person(), acting.node.clock.now()));
    store::waiting_acts::put(tx, vault, &WaitingAct { state, decided, ..waiting }).await
}

/// Acts that were asked about a shield as it was.
pub(crate) const OF_SHIELD: [SharpKind; 2] = [SharpKind::LiftShield, SharpKind::NameBodies];

/// Takes what an organization asked about a record or a person off the list: what it was asked about is not there any more.
///
/// # Errors
/// The database failed.
pub(crate) async fn end_about(
    tx: &mut Tx,
    acting: &Acting,
    organization: &OrganizationCode,
    (kind, subject): (SharpKind, &str),
) -> Result<(), StoreError> {
    let (vault, waits) = (&acting.node.vault, WaitingState::Waiting);
    match store::waiting_acts::newest(tx, vault, organization, (kind, subject), waits).await? {
        Some(_) if Planted::ConfirmWhatChanged.is_planted() => Ok(()),
        Some(waiting) => end(tx, acting, waiting.id, WaitingState::Withdrawn).await,
        None => Ok(()),
    }
}

/// Roles of those whom a body lends: of a center a supervisor or administrator, of a prefecture its administrator.
pub(crate) fn lending_roles(kind: OrganizationKind) -> &'static [Role] {
    match kind {
        OrganizationKind::Prefecture => &[Role::UserAdministrator],
        _ => &[Role::Supervisor, Role::UserAdministrator],
    }
}

/// The body that lends whoever is missing, where an organization has nobody who counts as two with the first, or, before
/// there is a first, no two: its center, or its prefecture while no center is connected that has anybody to lend.
///
/// # Errors
/// The database failed.
pub(crate) async fn helper_for(
    tx: &mut Tx,
    node: &Gateway,
    (organization, act): (&OrganizationCode, &SharpAct),
    first: Option<&StaffId>,
) -> Result<Option<OrganizationCode>, StoreError> {
    if act.kind().persons() < 2 {
        return Ok(None);
    }
    let own = able_of(tx, node, (organization, act)).await?;
    let mut known = Vec::new();
    if let Some(first) = first {
        known.extend(store::staff_grants::provenance(tx, &node.vault, first).await?);
    }
    for person in &own {
        let Some(other) = store::staff_grants::provenance(tx, &node.vault, person).await? else { continue };
        if known.iter().any(|one| count_as_two(one, &other).is_ok()) {
            return Ok(None);
        }
        if first.is_none() {
            known.push(other);
        }
    }
    let connected = |code: &OrganizationCode| node.directory().organization(code).is_some_and(|body| body.active);
    let center = match organization.kind() {
        OrganizationKind::Municipality => node.registry.center_of(organization, node.clock.today_in_japan()).cloned(),
        OrganizationKind::ChildGuidanceCenter => None,
        OrganizationKind::Prefecture | OrganizationKind::Ministry | OrganizationKind::Operator => return Ok(None),
    };
    let helpers = center.into_iter().chain(node.registry.prefecture_of(organization));
    let helpers: Vec<OrganizationCode> = helpers.filter(connected).collect();
    // Where the body has nobody at all, both are lent.
    let wanted = if first.is_none() && own.is_empty() { 2 } else { 1 };
    for helper in &helpers {
        if with_second_factor(tx, node, (helper, lending_roles(helper.kind()))).await?.len() >= wanted {
            return Ok(Some(helper.clone()));
        }
    }
    // Nobody can yet: the nearest is told, and may have somebody enrol in time.
    Ok(helpers.into_iter().next())
}

/// Whether a body has nobody of its own who could stand for an act: then others stand for it first, too.
///
/// # Errors
/// The database failed.
pub(crate) async fn has_nobody(
    tx: &mut Tx,
    node: &Gateway,
    of: (&OrganizationCode, &SharpAct),
) -> Result<bool, StoreError> {
    let is_sure = store::credentials::of_organization(tx, &node.vault, of.0).await?.set_aside == 0;
    Ok(is_sure && able_of(tx, node, of).await?.is_empty())
}

/// Those of a body who could stand for an act of it; not whoever lost what they sign in with.
async fn able_of(
    tx: &mut Tx,
    node: &Gateway,
    (organization, act): (&OrganizationCode, &SharpAct),
) -> Result<Vec<StaffId>, StoreError> {
    let mut able = with_second_factor(tx, node, (organization, act.kind().roles())).await?;
    if let SharpAct::ReissueCredential { id } = act {
        able.retain(|person| person.officer != *id);
    }
    Ok(able)
}

/// Active staff with one of some roles and a second factor.
async fn with_second_factor(
    tx: &mut Tx,
    node: &Gateway,
    (organization, roles): (&OrganizationCode, &[Role]),
) -> Result<Vec<StaffId>, StoreError> {
    let mut staff = node.directory().staff_of(organization);
    staff.retain(|staff| staff.active && roles.iter().any(|role| staff.roles.contains(role)));
    let may = |of: &StaffId| staff.iter().any(|staff| staff.id == of.officer);
    let credentials = store::credentials::of_organization(tx, &node.vault, organization).await?;
    let able = credentials.known.into_iter().filter(|credential| credential.totp.is_some() && may(&credential.of));
    Ok(able.map(|credential| credential.of).collect())
}
