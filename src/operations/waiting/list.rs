//! What waits for a person: listed, withdrawn, ended by time.

use std::sync::Arc;

use uuid::Uuid;

pub use super::line::{AskedLine, WaitingLine, WaitingLines};
use super::{
    SharpReply,
    begin::MAX_WAITING,
    confirm::may_confirm,
    objection::{may_object, told_of_end, withdrawable},
    perform::{about_body, told_to_acted_on},
};
use crate::{
    disclosure::{
        done::Done,
        gate::{Disclosed, Listing},
        sealed::Sealed,
    },
    domain::{
        idempotency::Idempotency,
        organization::{OrganizationCode, OrganizationKind},
        sharp_act::{SharpAct, SharpKind, SharpOutcome, WaitingAct, WaitingState},
        visibility::{ItemGroup, LegalBasis, Relation},
    },
    error::{CallerError, Error, SharpError},
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
    },
    ledger::entry::{Act, Entry},
    operations::{Acting, carry_out, retention::run_out::run_out},
    planted::Planted,
    store,
};

/// Acts that are shown: all that a body may have waiting, and as many others.
const MAX_ACTS: i64 = 2 * MAX_WAITING as i64;

/// Lists the acts to which the caller's body may object, its own, and those for which it lends a person: of the latter
/// two first what is still to be done, newest first. What tells of a record is shown to those who could stand for it,
/// and accounted for.
///
/// # Errors
/// The journal cannot write.
pub async fn list_waiting(gateway: &Gateway, caller: &Caller) -> Result<Disclosed<WaitingLines>, Error> {
    let own = caller.organization();
    let mut tx = gateway.store.read().await?;
    let entry = || Entry::of(caller, Act::SharpActsRead, &gateway.clock);
    let (mut waiting_acts, mut each) = (Vec::new(), Vec::new());
    let open = store::waiting_acts::open_of_operator(&mut tx, &gateway.vault, MAX_ACTS).await?;
    let others = open.acts.into_iter().filter(|waiting| may_object(gateway, waiting, own));
    let listed = store::waiting_acts::listed(&mut tx, &gateway.vault, own, MAX_ACTS).await?;
    // Of those of the operator's list nobody can say whom they concern.
    let set_aside = listed.set_aside + open.set_aside;
    for waiting in others.chain(listed.acts) {
        let asked = match &waiting.act {
            act if waiting.organization != *own => AskedLine::reduced(act, &waiting.about),
            act if act.tells_of_record() => {
                let may = waiting.state.is_open() && may_confirm(caller, &waiting);
                if may {
                    each.extend(told_of_record(entry().about(waiting.id), &waiting));
                    AskedLine::whole(act, &waiting.about)
                } else {
                    AskedLine::reduced(act, &waiting.about)
                }
            }
            act @ SharpAct::Dispose { disposal } => {
                let records = store::disposals::records_of(&mut tx, *disposal).await?;
                AskedLine { records: Some(records), ..AskedLine::whole(act, &waiting.about) }
            }
            act => AskedLine::whole(act, &waiting.about),
        };
        waiting_acts.push(WaitingLine::of(waiting, own, asked));
    }
    drop(tx);
    let lines = Sealed::new(WaitingLines { waiting_acts, set_aside });
    let basis = LegalBasis::OwnRecord;
    gateway.gate.list(caller, Listing { entry: entry(), note: None, each, basis, lines }).await
}

/// The entry of a line that tells of a record, and of which items.
fn told_of_record(entry: Entry, waiting: &WaitingAct) -> Option<(Entry, ItemGroup)> {
    match &waiting.act {
        SharpAct::NameBodies { record, .. } => {
            let entry = entry.on_record(*record).of_body(&waiting.organization).as_relation(Relation::Owner);
            Some((entry, ItemGroup::Shielded))
        }
        // What this body wrote itself. Whose record it is has been told to nobody yet.
        SharpAct::BreakGlass { .. } => Some((entry, ItemGroup::Index)),
        _ => None,
    }
}

/// A waiting act is to be dropped.
pub struct WithdrawAct {
    pub waiting_act: Uuid,
    pub idempotency: Idempotency,
}

/// Drops an act that waits: anybody who could stand for it, and whoever asked, by machine too. Taking away is never
/// sharp. Where a body is to be taken in hand, so does whoever was told, also once it was approved and until its code
/// was used.
///
/// # Errors
/// [`Error::NotFound`]; [`CallerError::NotAllowed`]; [`SharpError::State`] where it was decided already, or is a
/// disposal, which is withdrawn as such.
pub async fn withdraw_act(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    WithdrawAct { waiting_act, idempotency }: WithdrawAct,
) -> Result<Done<SharpReply>, Error> {
    let acting = Acting::new(gateway, caller, Act::SharpActWithdraw);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let waiting = withdrawable(tx, &acting, waiting_act).await?;
            let kind = waiting.act.kind();
            let may = may_object(&acting.node, &waiting, acting.caller.organization())
                || may_confirm(&acting.caller, &waiting)
                || waiting.asked_by == acting.caller.person();
            if !may && !Planted::WithdrawAnything.is_planted() {
                let roles = kind.roles().iter().map(|role| role.as_str()).collect();
                let refused = CallerError::NotAllowed { kinds: OrganizationKind::ALL, roles };
                return Err(acting.declined(waiting_act, refused));
            }
            if kind == SharpKind::Dispose {
                return Err(acting.declined(waiting_act, SharpError::State("disposal")));
            }
            let decided = Some((acting.caller.person(), acting.node.clock.now()));
            let waiting = WaitingAct { state: WaitingState::Withdrawn, decided, ..waiting };
            store::waiting_acts::put(tx, &acting.node.vault, &waiting).await?;
            let entry = about_body(acting.entry().about(waiting_act), &waiting.act, &waiting.organization);
            let alarmed = told_of_end(&acting, &waiting, &entry);
            let told = ended(&waiting, Some(&acting.caller), &entry);
            let reply = SharpReply::done(kind, waiting.state, SharpOutcome::default());
            Ok(Effect::new(reply, entry).tell(told).tell(alarmed))
        })
    })
    .await
}

/// The list in which it stood, the body that asked, and the one on which it was to be done, are told.
fn ended(waiting: &WaitingAct, by: Option<&Caller>, entry: &Entry) -> Vec<InboxItem> {
    let acted_on = told_to_acted_on(waiting, (InboxKind::SharpActEnded, by), entry);
    let is_told = |code: &OrganizationCode| acted_on.as_ref().is_some_and(|item| item.to == *code);
    let mut to = vec![waiting.organization.clone()];
    to.extend(
        Some(waiting.asked_by.organization.clone()).filter(|asker| *asker != waiting.organization && !is_told(asker)),
    );
    let told = |to| InboxItem::new(to, InboxKind::SharpActEnded).subject(waiting.id).because_of(entry);
    to.into_iter().map(told).chain(acted_on.clone()).collect()
}

/// Ends what waited too long; returns how many. What was asked and never done is dropped, so that nobody confirms
/// tomorrow what was meant for tonight. A list of disposal is withdrawn with it: its records can be asked for again.
///
/// # Errors
/// The database failed.
pub async fn expire_waiting(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let now = gateway.clock.now();
    let mut tx = gateway.store.read().await?;
    let overdue = store::waiting_acts::overdue(&mut tx, now).await?;
    drop(tx);
    let count = overdue.len();
    for id in overdue {
        let node = gateway.clone();
        let clockwork = Caller::gateway(gateway.clock.new_id());
        gateway
            .journal
            .write(&clockwork, None, move |tx| {
                Box::pin(async move {
                    let found = store::waiting_acts::find(tx, &node.vault, id).await?;
                    let is_open =
                        |act: &WaitingAct| matches!(act.state, WaitingState::Waiting | WaitingState::Approved);
                    let Some(waiting) = found.filter(|act| is_open(act) && act.expires_at <= now) else {
                        return Ok(Effect::bare(()));
                    };
                    let waiting = WaitingAct { state: WaitingState::Expired, ..waiting };
                    store::waiting_acts::put(tx, &node.vault, &waiting).await?;
                    let entry = Entry::of_gateway(Act::SharpActExpire, &node.clock).about(id);
                    let entry = about_body(entry, &waiting.act, &waiting.organization);
                    let told = ended(&waiting, None, &entry);
                    let (withdrawn, of_list) = match &waiting.act {
                        SharpAct::Dispose { disposal } => run_out(tx, &node, *disposal).await?.unzip(),
                        _ => (None, None),
                    };
                    Ok(Effect::new((), entry).log(withdrawn).tell(told).tell(of_list))
                })
            })
            .await?;
    }
    Ok(count)
}
