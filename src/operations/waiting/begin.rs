//! Puts a sharp act on the list of those that wait, and takes it off.

use time::Duration;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    domain::{
        organization::{OrganizationCode, OrganizationKind},
        sharp_act::{SharpAct, SharpKind, WaitingAct, WaitingState},
        two_persons::{StaffId, count_as_two},
    },
    error::SharpError,
    gateway::Gateway,
    identity::{Caller, sharp::SharpCaller},
    journal::journal::Declined,
    operations::Acting,
    store::{self, error::StoreError, tx::Tx},
};

/// How long what two persons approved may be carried out by a call of its own.
pub const APPROVED_FOR: Duration = Duration::hours(24);

/// What is to wait.
pub(crate) struct ToWait {
    pub(crate) id: Uuid,
    pub(crate) act: SharpAct,
    pub(crate) not_before: Timestamp,
}

/// In whose list an act stands: the operator's, where it is the operator's to carry out.
pub(crate) fn list_of(act: &SharpAct, caller: &Caller) -> OrganizationCode {
    match act.kind() {
        SharpKind::ReopenBody => OrganizationCode::operator(),
        _ => caller.organization().clone(),
    }
}

/// Writes an act that waits. Whoever asks at a desk, with a second factor and the role that it needs, is the first who
/// stands for it. An officer of the body that is to be opened anew stands for that by asking, also by machine.
///
/// # Errors
/// [`SharpError::AskedAlready`].
pub(crate) async fn begin(
    tx: &mut Tx,
    acting: &Acting,
    ToWait { id, act, not_before }: ToWait,
) -> Result<WaitingAct, Declined> {
    let Acting { node, caller, .. } = acting;
    let (kind, organization) = (act.kind(), list_of(&act, caller));
    let same = (kind, act.subject());
    let waits = WaitingState::Waiting;
    let known = store::waiting_acts::newest(tx, &node.vault, &organization, (same.0, &same.1), waits).await?;
    let now = node.clock.now();
    match known.filter(|known| now < known.expires_at) {
        // The same is asked again: it waits already.
        Some(known) if known.act == act => return Ok(known),
        Some(_) => return Err(acting.declined(None, SharpError::AskedAlready)),
        None => {}
    }
    let own_body_asks = kind == SharpKind::ReopenBody && caller.kind() != OrganizationKind::Operator;
    let stands = own_body_asks || SharpCaller::of(caller).is_ok() && caller.has_any_role(kind.roles());
    let first = stands.then(|| (caller.person(), now));
    let helper = match &first {
        Some((first, _)) if !own_body_asks => helper_for(tx, node, (&organization, kind), first).await?,
        _ => None,
    };
    let expires_at = not_before.plus(node.config.accounts.waiting());
    let asked_by = caller.person();
    let (state, decided) = (WaitingState::Waiting, None);
    let waiting = WaitingAct {
        id,
        organization,
        act,
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

/// Takes what an organization asked about a record off the list: what it was asked about is not there any more.
///
/// # Errors
/// The database failed.
pub(crate) async fn end_about(
    tx: &mut Tx,
    acting: &Acting,
    organization: &OrganizationCode,
    (kind, record): (SharpKind, Uuid),
) -> Result<(), StoreError> {
    let (vault, subject) = (&acting.node.vault, record.to_string());
    let waits = WaitingState::Waiting;
    match store::waiting_acts::newest(tx, vault, organization, (kind, &subject), waits).await? {
        Some(waiting) => end(tx, acting, waiting.id, WaitingState::Withdrawn).await,
        None => Ok(()),
    }
}

/// The body that lends the second person, where an organization has nobody who counts as two with the first: its center,
/// or its prefecture while no center is connected.
///
/// # Errors
/// The database failed.
pub(crate) async fn helper_for(
    tx: &mut Tx,
    node: &Gateway,
    (organization, kind): (&OrganizationCode, SharpKind),
    first: &StaffId,
) -> Result<Option<OrganizationCode>, StoreError> {
    if kind.persons() < 2 || has_second(tx, node, (organization, kind), first).await? {
        return Ok(None);
    }
    let connected = |code: &OrganizationCode| node.directory().organization(code).is_some_and(|body| body.active);
    let center = match organization.kind() {
        OrganizationKind::Municipality => node.registry.center_of(organization, node.clock.today_in_japan()).cloned(),
        OrganizationKind::ChildGuidanceCenter => None,
        OrganizationKind::Prefecture | OrganizationKind::Ministry | OrganizationKind::Operator => return Ok(None),
    };
    let prefecture = node.registry.prefecture_of(organization);
    Ok(center.filter(connected).or_else(|| prefecture.filter(connected)))
}

async fn has_second(
    tx: &mut Tx,
    node: &Gateway,
    (organization, kind): (&OrganizationCode, SharpKind),
    first: &StaffId,
) -> Result<bool, StoreError> {
    let vault = &node.vault;
    let Some(first) = store::staff_grants::provenance(tx, vault, first).await? else { return Ok(false) };
    for credential in store::credentials::of_organization(tx, vault, organization).await? {
        if credential.totp.is_none() {
            continue;
        }
        let staff = store::accounts::staff_member(tx, vault, organization, &credential.of.officer).await?;
        let may = staff.is_some_and(|staff| staff.active && kind.roles().iter().any(|role| staff.roles.contains(role)));
        if may
            && let Some(other) = store::staff_grants::provenance(tx, vault, &credential.of).await?
            && count_as_two(&first, &other).is_ok()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
