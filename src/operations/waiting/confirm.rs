//! A person at a desk stands for a sharp act that waits.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    SharpReply, act_of_doing,
    asked_about::hold,
    begin::{APPROVED_FOR, has_nobody, helper_for, lending_roles},
    footing::stands_from,
    perform::{SharpPersons, about_body, acted_on, of_acted_on, perform, told_to_acted_on},
};
use crate::{
    disclosure::done::Done,
    domain::{
        idempotency::Idempotency,
        organization::OrganizationKind,
        sharp_act::{SharpKind, WaitingAct, WaitingState},
        two_persons::{Provenance, StaffId},
    },
    error::{CallerError, Error, RecordError, SharpError},
    gateway::Gateway,
    identity::{
        Caller,
        directory::StaffMember,
        sharp::{SharpCaller, TwoPersons},
    },
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
    },
    ledger::entry::Act,
    operations::{
        Acting, carry_out,
        retention::dispose_records::{DisposalLine, line_of, marked},
    },
    planted::Planted,
    store::{self, tx::Tx},
};

/// A waiting act is confirmed.
pub struct ConfirmAct {
    pub waiting_act: Uuid,
    pub idempotency: Idempotency,
}

/// Stands for an act that waits. With enough persons it is carried out.
///
/// # Errors
/// [`Error::NotFound`] for an act of another list; [`CallerError::NotSharp`]; [`SharpError::NotTwo`]; what the act itself is
/// refused for.
pub async fn confirm_act(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ConfirmAct { waiting_act, idempotency }: ConfirmAct,
) -> Result<Done<SharpReply>, Error> {
    let acting = Acting::new(gateway, caller, Act::SharpActConfirm);
    carry_out(gateway, caller, idempotency, move |tx| Box::pin(async move { confirm(tx, acting, waiting_act).await }))
        .await
}

/// Stands for a list of records that is to be disposed of; replies with the list as it is then.
///
/// # Errors
/// As [`confirm_act`].
pub async fn approve_disposal(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    asked: ConfirmAct,
) -> Result<Done<DisposalLine>, Error> {
    let id = asked.waiting_act;
    let confirmed = confirm_act(gateway, caller, asked).await?;
    Ok(confirmed.answering(line_of(gateway, id).await?))
}

/// The lifting of a shield that was asked for is confirmed.
pub struct ApproveLift {
    pub record: Uuid,
    pub idempotency: Idempotency,
}

/// Stands for the lifting of a shield, by its record.
///
/// # Errors
/// [`RecordError::ShieldLiftNotAsked`]; else as [`confirm_act`].
pub async fn approve_lift(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ApproveLift { record, idempotency }: ApproveLift,
) -> Result<Done<SharpReply>, Error> {
    let acting = Acting::new(gateway, caller, Act::SharpActConfirm);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            acting.own_record(tx, record).await?;
            let (vault, subject) = (&acting.node.vault, record.to_string());
            let lift = (SharpKind::LiftShield, subject.as_str());
            let own = acting.caller.organization();
            let asked = store::waiting_acts::newest(tx, vault, own, lift, WaitingState::Waiting).await?;
            let asked = asked.ok_or_else(|| acting.declined(record, RecordError::ShieldLiftNotAsked))?;
            confirm(tx, acting, asked.id).await
        })
    })
    .await
}

async fn confirm(tx: &mut Tx, acting: Acting, id: Uuid) -> Result<Effect<SharpReply>, Declined> {
    let waiting = open_act(tx, &acting, id).await?;
    let (entry, body) = (acting.entry().about(id), acted_on(&waiting.act).cloned());
    let confirmed = stand_for(tx, acting, waiting).await;
    confirmed.map_err(|declined| of_acted_on(declined.logged(|| entry), body.as_ref()))
}

async fn stand_for(tx: &mut Tx, acting: Acting, waiting: WaitingAct) -> Result<Effect<SharpReply>, Declined> {
    let id = waiting.id;
    let kind = waiting.act.kind();
    let sharp = SharpCaller::of(&acting.caller).map_err(|error| acting.declined(id, error))?;
    if !may_confirm(&acting.caller, &waiting) {
        let roles = kind.roles().iter().map(|role| role.as_str()).collect();
        return Err(acting.declined(id, CallerError::NotAllowed { kinds: OrganizationKind::ALL, roles }));
    }
    let not_before = stands_from(tx, &acting, &waiting).await?;
    hold(tx, &acting, &waiting).await?;
    let waiting = WaitingAct { not_before, ..waiting };
    if waiting.persons() == 1 {
        return carry_out_act(tx, acting, waiting, SharpPersons::One(sharp)).await;
    }
    match first_of(tx, &acting, &waiting).await? {
        None => {
            may_stand_first(tx, &acting, &waiting).await?;
            stand_first(tx, &acting, waiting).await
        }
        Some(first) => {
            let two = two_persons(tx, &acting, &waiting, (first, &sharp)).await?;
            if acting.node.clock.now() < waiting.not_before && !kind.is_carried_out_later() {
                let until = waiting.not_before.to_rfc3339();
                return Err(acting.declined(id, SharpError::TooEarly { until }));
            }
            carry_out_act(tx, acting, waiting, SharpPersons::Two(two)).await
        }
    }
}

/// An act that waits in the caller's list, or for a person whom the caller's body lends.
pub(super) async fn open_act(tx: &mut Tx, acting: &Acting, id: Uuid) -> Result<WaitingAct, Declined> {
    let own = acting.caller.organization();
    let found = store::waiting_acts::find(tx, &acting.node.vault, id).await?;
    let Some(waiting) = found.filter(|act| act.organization == *own || act.helper.as_ref() == Some(own)) else {
        return Err(acting.declined(id, Error::NotFound("waiting act")));
    };
    if waiting.state != WaitingState::Waiting {
        return Err(acting.declined(id, SharpError::State(waiting.state.as_str())));
    }
    if waiting.expires_at <= acting.node.clock.now() {
        return Err(acting.declined(id, SharpError::State(WaitingState::Expired.as_str())));
    }
    Ok(waiting)
}

/// Whether a caller has the role that it needs, in the body itself or in the one that lends a person.
pub(super) fn may_confirm(caller: &Caller, waiting: &WaitingAct) -> bool {
    if waiting.organization == *caller.organization() {
        return caller.has_any_role(waiting.act.kind().roles());
    }
    caller.has_any_role(lending_roles(caller.kind()))
}

/// Whose act it is stands for it first. Somebody who lost all that they sign in with may be the only one there: their
/// credential alone is given anew by two whom the body's center lends.
async fn may_stand_first(tx: &mut Tx, acting: &Acting, waiting: &WaitingAct) -> Result<(), Declined> {
    let is_own = waiting.organization == *acting.caller.organization();
    let is_lost = waiting.act.kind() == SharpKind::ReissueCredential;
    if is_own
        || Planted::LendFirst.is_planted()
        || is_lost && has_nobody(tx, &acting.node, (&waiting.organization, &waiting.act)).await?
    {
        return Ok(());
    }
    Err(acting.declined(waiting.id, SharpError::NotFirst))
}

/// Who stood for it before and still could: whoever was revoked since, or lost the role, stands for nothing.
async fn first_of(tx: &mut Tx, acting: &Acting, waiting: &WaitingAct) -> Result<Option<StaffId>, Declined> {
    let Some((first, _)) = &waiting.first else { return Ok(None) };
    let staff = store::accounts::staff_member(tx, &acting.node.vault, &first.organization, &first.officer).await?;
    let (kind, is_own) = (waiting.act.kind(), first.organization == waiting.organization);
    let roles = if is_own { kind.roles() } else { lending_roles(first.organization.kind()) };
    // An officer who asks for the body's own opening needs no role of the operator's.
    let needs_none = kind == SharpKind::ReopenBody && !is_own || Planted::KeepTheFirst.is_planted();
    let may = |staff: &StaffMember| needs_none || staff.roles.iter().any(|role| roles.contains(role));
    Ok(staff.filter(|staff| staff.active && may(staff)).map(|_| first.clone()))
}

async fn two_persons(
    tx: &mut Tx,
    acting: &Acting,
    waiting: &WaitingAct,
    (first, second): (StaffId, &SharpCaller),
) -> Result<TwoPersons, Declined> {
    let vault = &acting.node.vault;
    let known = store::staff_grants::provenance(tx, vault, &first).await?;
    // An officer who asks for the body's own opening may have nothing to sign in with: that is why it is asked for.
    let by_own_body = waiting.act.kind() == SharpKind::ReopenBody && first.organization != waiting.organization;
    let known = known.or_else(|| by_own_body.then(|| unknown(first)));
    let own = store::staff_grants::provenance(tx, vault, &second.caller().person()).await?;
    let (Some(known), Some(own)) = (known, own) else {
        return Err(acting.declined(waiting.id, CallerError::NotSharp));
    };
    TwoPersons::of(&known, (second, &own)).map_err(|error| acting.declined(waiting.id, error))
}

fn unknown(person: StaffId) -> Provenance {
    Provenance {
        person,
        asked_by: None,
        approved_by: None,
        opening: None,
        issued_by: None,
        issued_at: crate::clock::Timestamp::from_micros(0),
        reissued: false,
    }
}

/// The caller is the first of two.
async fn stand_first(tx: &mut Tx, acting: &Acting, waiting: WaitingAct) -> Result<Effect<SharpReply>, Declined> {
    let node = &acting.node;
    let person = acting.caller.person();
    let helper = match &waiting.helper {
        Some(helper) => Some(helper.clone()),
        None => helper_for(tx, node, (&waiting.organization, &waiting.act), Some(&person)).await?,
    };
    let asked = helper.clone().filter(|_| waiting.helper.is_none());
    let waiting = WaitingAct { first: Some((person, node.clock.now())), helper, ..waiting };
    store::waiting_acts::put(tx, &node.vault, &waiting).await?;
    let mut entry = about_body(acting.entry().about(waiting.id), &waiting.act, &waiting.organization);
    if waiting.act.kind() == SharpKind::Dispose {
        entry = marked(node, entry, &[]);
    }
    let told = asked.map(|to| {
        InboxItem::new(to, InboxKind::SharpActAsked).subject(waiting.id).from(&acting.caller).because_of(&entry)
    });
    let acted_on = told_to_acted_on(&waiting, (InboxKind::SharpActAsked, Some(&acting.caller)), &entry);
    Ok(Effect::new(SharpReply::waiting(&waiting), entry).tell(told).tell(acted_on))
}

/// Enough persons stand for it.
async fn carry_out_act(
    tx: &mut Tx,
    acting: Acting,
    waiting: WaitingAct,
    persons: SharpPersons,
) -> Result<Effect<SharpReply>, Declined> {
    let kind = waiting.act.kind();
    let doing = Acting { act: act_of_doing(kind), ..acting };
    let effect = perform(tx, &doing, &persons, (&waiting.organization, waiting.act.clone())).await?;
    let (node, caller, now) = (&doing.node, &doing.caller, doing.node.clock.now());
    let later = kind.is_carried_out_later();
    let state = if later { WaitingState::Approved } else { WaitingState::Done };
    // What was approved is carried out within a day, counted from when it may be.
    let expires_at = if later { now.max(waiting.not_before).plus(APPROVED_FOR) } else { waiting.expires_at };
    let decided = Some((caller.person(), now));
    let waiting = WaitingAct { state, expires_at, decided, ..waiting };
    store::waiting_acts::put(tx, &node.vault, &waiting).await?;
    let entry = about_body(doing.entry().about(waiting.id), &waiting.act, &waiting.organization);
    let lent = (*caller.organization() != waiting.organization)
        .then(|| node.registry.prefecture_of(&waiting.organization))
        .flatten()
        .map(|prefecture| (prefecture, InboxKind::SecondPersonLent));
    // The operator learns that a body confirmed its terminal.
    let asker = Some(waiting.asked_by.organization.clone())
        .filter(|asker| kind == SharpKind::RegisterTerminal && *asker != waiting.organization)
        .map(|asker| (asker, InboxKind::SharpActDone));
    let told: Vec<InboxItem> = [(waiting.organization.clone(), InboxKind::SharpActDone)]
        .into_iter()
        .chain(asker)
        .chain(lent)
        .map(|(to, kind)| InboxItem::new(to, kind).subject(waiting.id).from(caller).because_of(&entry))
        .collect();
    let id = waiting.id;
    let needs_entry = effect.entries.is_empty();
    // What was done is told by who did it; what was approved, here.
    let acted_on = told_to_acted_on(&waiting, (InboxKind::SharpActDone, Some(caller)), &entry).filter(|_| needs_entry);
    let effect = effect.map(|outcome| SharpReply { waiting_act: Some(id), ..SharpReply::done(kind, state, outcome) });
    let effect = effect.tell(told).tell(acted_on);
    Ok(if needs_entry { effect.log([entry]) } else { effect })
}
