//! What waits for a person: listed, withdrawn, ended by time.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::{SharpReply, confirm::open_act, perform::about_body};
use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        idempotency::Idempotency,
        organization::OrganizationCode,
        sharp_act::{SharpKind, SharpOutcome, WaitingAct, WaitingState},
    },
    error::{Error, SharpError},
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
    },
    ledger::entry::{Act, Entry},
    operations::{Acting, carry_out},
    store,
};

/// Acts that are shown.
const MAX_ACTS: i64 = 200;

/// A sharp act as those see it who may stand for it. Whoever lends a person sees the request, and no record.
#[derive(Serialize, utoipa::ToSchema)]
pub struct WaitingLine {
    pub waiting_act: Uuid,
    pub kind: SharpKind,
    pub state: WaitingState,
    /// In whose list it stands.
    pub organization: OrganizationCode,
    /// A record, disposal, officer, body or terminal; not for those who lend a person, where it names a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub asked_by_organization: OrganizationCode,
    pub asked_by: String,
    pub asked_at: String,
    pub not_before: String,
    pub expires_at: String,
    /// Persons that it needs, and who stands for it already.
    pub persons: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_by: Option<String>,
    /// The body that lends the second person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helper: Option<OrganizationCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
}

#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct WaitingLines {
    pub waiting_acts: Vec<WaitingLine>,
}

impl WaitingLine {
    fn of(waiting: WaitingAct, reader: &OrganizationCode) -> Self {
        let kind = waiting.act.kind();
        let names_record =
            matches!(kind, SharpKind::LiftShield | SharpKind::NameBodies | SharpKind::BreakGlass | SharpKind::Dispose);
        let is_own = waiting.organization == *reader;
        Self {
            waiting_act: waiting.id,
            kind,
            state: waiting.state,
            subject: (is_own || !names_record).then(|| waiting.act.subject()),
            organization: waiting.organization,
            asked_by_organization: waiting.asked_by.organization,
            asked_by: waiting.asked_by.officer,
            asked_at: waiting.asked_at.to_rfc3339(),
            not_before: waiting.not_before.to_rfc3339(),
            expires_at: waiting.expires_at.to_rfc3339(),
            persons: kind.persons(),
            first_by: waiting.first.map(|(first, _)| first.officer),
            helper: waiting.helper,
            decided_by: waiting.decided.as_ref().map(|(by, _)| by.officer.clone()),
            decided_at: waiting.decided.map(|(_, at)| Timestamp::to_rfc3339(at)),
        }
    }
}

/// Lists the caller's waiting acts, and those for which its body lends a person, newest first.
///
/// # Errors
/// The database failed.
pub async fn list_waiting(gateway: &Gateway, caller: &Caller) -> Result<Done<WaitingLines>, Error> {
    let own = caller.organization();
    let mut tx = gateway.store.read().await?;
    let listed = store::waiting_acts::listed(&mut tx, &gateway.vault, own, MAX_ACTS).await?;
    let waiting_acts = listed.into_iter().map(|waiting| WaitingLine::of(waiting, own)).collect();
    Ok(Done::told(WaitingLines { waiting_acts }))
}

/// A waiting act is to be dropped.
pub struct WithdrawAct {
    pub waiting_act: Uuid,
    pub idempotency: Idempotency,
}

/// Drops an act that waits: anybody who could stand for it, and whoever asked, by machine too. Taking away is never
/// sharp.
///
/// # Errors
/// [`Error::NotFound`]; [`SharpError::State`] where it was decided already, or is a disposal, which is withdrawn as such.
pub async fn withdraw_act(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    WithdrawAct { waiting_act, idempotency }: WithdrawAct,
) -> Result<Done<SharpReply>, Error> {
    let acting = Acting::new(gateway, caller, Act::SharpActWithdraw);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let waiting = open_act(tx, &acting, waiting_act).await?;
            let kind = waiting.act.kind();
            if kind == SharpKind::Dispose {
                return Err(acting.declined(waiting_act, SharpError::State("disposal")));
            }
            let decided = Some((acting.caller.person(), acting.node.clock.now()));
            let waiting = WaitingAct { state: WaitingState::Withdrawn, decided, ..waiting };
            store::waiting_acts::put(tx, &acting.node.vault, &waiting).await?;
            let entry = about_body(acting.entry().about(waiting_act), &waiting.act, &waiting.organization);
            let told = ended(&waiting, &entry);
            Ok(Effect::new(SharpReply::done(kind, waiting.state, SharpOutcome::default()), entry).tell(told))
        })
    })
    .await
}

/// The list in which it stood, and the body that asked, are told.
fn ended(waiting: &WaitingAct, entry: &Entry) -> Vec<InboxItem> {
    let mut to = vec![waiting.organization.clone()];
    to.extend(Some(waiting.asked_by.organization.clone()).filter(|asker| *asker != waiting.organization));
    let told = |to| InboxItem::new(to, InboxKind::SharpActEnded).subject(waiting.id).because_of(entry);
    to.into_iter().map(told).collect()
}

/// Ends what waited too long; returns how many. What was asked and never done is dropped, so that nobody confirms
/// tomorrow what was meant for tonight.
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
                    let told = ended(&waiting, &entry);
                    Ok(Effect::new((), entry).tell(told))
                })
            })
            .await?;
    }
    Ok(count)
}
