//! Which sharp acts wait for one caller, and not for anybody else: for a list of what there is to do.

use uuid::Uuid;

use super::{
    begin::{MAX_WAITING, has_nobody},
    confirm::may_confirm,
    objection::may_object,
};
use crate::{
    clock::Timestamp,
    domain::{
        organization::OrganizationCode,
        sharp_act::{SharpAct, SharpKind, WaitingAct, WaitingState},
    },
    gateway::Gateway,
    identity::Caller,
    store::{self, error::StoreError, tx::Tx},
};

/// Acts that are looked at: all that a body may have waiting.
const MAX_ACTS: i64 = MAX_WAITING as i64;

/// A sharp act that waits for a caller: ids, codes and times.
pub(crate) struct AwaitedAct {
    pub(crate) id: Uuid,
    pub(crate) kind: SharpKind,
    /// Where the act is of the caller's own body and about a record.
    pub(crate) record: Option<Uuid>,
    pub(crate) asked_by: OrganizationCode,
    pub(crate) asked_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// The caller's body was told of it, and may do nothing but object.
    pub(crate) is_of_others: bool,
}

/// The acts that wait for a caller, and how many requests are not what the gateway wrote: those for which the caller has
/// the role and does not stand yet, and those to which the caller's body may object.
///
/// # Errors
/// The database failed.
pub(crate) async fn awaited_by(
    tx: &mut Tx,
    gateway: &Gateway,
    caller: &Caller,
) -> Result<(Vec<AwaitedAct>, usize), StoreError> {
    let (own, now) = (caller.organization(), gateway.clock.now());
    let listed = store::waiting_acts::open_of(tx, &gateway.vault, own, MAX_ACTS).await?;
    let others = store::waiting_acts::open_of_operator(tx, &gateway.vault, MAX_ACTS).await?;
    let mut awaited = Vec::new();
    for waiting in listed.acts.into_iter().filter(|waiting| now < waiting.expires_at) {
        if waits_for(tx, gateway, caller, &waiting).await? {
            awaited.push(line(&waiting, own, false));
        }
    }
    let may = |waiting: &&WaitingAct| now < waiting.expires_at && may_object(gateway, waiting, own);
    awaited.extend(others.acts.iter().filter(may).map(|waiting| line(waiting, own, true)));
    // Of those of the operator's list nobody can say whom they concern.
    Ok((awaited, listed.set_aside + others.set_aside))
}

/// Whether it is this caller's turn. Whom a body lends comes second, but where a credential was lost and nobody is left.
async fn waits_for(tx: &mut Tx, gateway: &Gateway, caller: &Caller, waiting: &WaitingAct) -> Result<bool, StoreError> {
    let stood_first = waiting.first.as_ref().is_some_and(|(first, _)| *first == caller.person());
    if !may_confirm(caller, waiting) || waiting.state == WaitingState::Waiting && stood_first {
        return Ok(false);
    }
    let is_lent = waiting.organization != *caller.organization();
    if !is_lent || waiting.first.is_some() {
        return Ok(true);
    }
    Ok(waiting.act.kind() == SharpKind::ReissueCredential
        && has_nobody(tx, gateway, (&waiting.organization, &waiting.act)).await?)
}

fn line(waiting: &WaitingAct, own: &OrganizationCode, is_of_others: bool) -> AwaitedAct {
    let record = match waiting.act {
        SharpAct::LiftShield { record } | SharpAct::NameBodies { record, .. } | SharpAct::BreakGlass { record, .. } => {
            Some(record)
        }
        _ => None,
    };
    AwaitedAct {
        id: waiting.id,
        kind: waiting.act.kind(),
        record: record.filter(|_| waiting.organization == *own),
        asked_by: waiting.asked_by.organization.clone(),
        asked_at: waiting.asked_at,
        expires_at: waiting.expires_at,
        is_of_others,
    }
}
