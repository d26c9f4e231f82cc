//! Disposes of records whose retention has ended (廃棄): asked for, and approved by two persons.
//!
//! With the approval a waiting time begins, in which the records stay as they are and anybody of the body who may ask
//! takes it back. Then the clock carries it out ([`carry_out_disposals`](super::carry_out_disposals)).

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use super::list_due::due;
use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        disposal::{Disposal, DisposalState, NotDue},
        idempotency::Idempotency,
        organization::OrganizationCode,
        sharp_act::{SharpAct, SharpOutcome, WaitingState},
        visibility::Relation,
    },
    error::{Error, RetentionError},
    gateway::Gateway,
    identity::{Caller, sharp::TwoPersons},
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
    },
    ledger::entry::{Act, Entry},
    operations::{
        Acting, carry_out,
        waiting::begin::{ToWait, begin, end},
    },
    store::{self, disposals::Listed, error::StoreError, records::StoredRecord, tx::Tx},
};

/// Records on one list.
const MAX_RECORDS: usize = 200;
/// Lists that are shown.
const MAX_LISTS: i64 = 200;

/// Records to dispose of.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisposalRequest {
    /// 1 to 200 ids of records that are due.
    pub records: Vec<Uuid>,
}

/// A list as its organization sees it: ids, codes and times.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct DisposalLine {
    pub disposal: Uuid,
    pub state: DisposalState,
    pub records: Vec<Uuid>,
    pub asked_by: String,
    pub asked_at: String,
    /// Who approved it or withdrew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
    /// The list was approved: it is carried out when the waiting time ends, at this moment (RFC 3339, UTC), and can be
    /// withdrawn until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed_after: Option<String>,
    /// Why it came to nothing when the waiting time was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapsed_because: Option<NotDue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed_at: Option<String>,
}

#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct DisposalLines {
    pub disposals: Vec<DisposalLine>,
}

impl DisposalLine {
    /// As it is where lists wait for so long.
    fn of(disposal: Disposal, records: Vec<Uuid>, wait: Duration) -> Self {
        let destroyed_after = disposal.waits_until(wait).map(Timestamp::to_rfc3339);
        Self {
            disposal: disposal.id,
            state: disposal.state,
            records,
            asked_by: disposal.asked_by,
            asked_at: disposal.asked_at.to_rfc3339(),
            decided_by: disposal.decided_by,
            decided_at: disposal.decided_at.map(Timestamp::to_rfc3339),
            destroyed_after,
            lapsed_because: disposal.lapsed_because,
            destroyed_at: disposal.destroyed_at.map(Timestamp::to_rfc3339),
        }
    }
}

/// Records of the caller's are to be disposed of.
pub struct AskDisposal {
    pub request: DisposalRequest,
    pub idempotency: Idempotency,
}

/// The first officer asks.
///
/// # Errors
/// [`RetentionError::DisposalNotDue`] where any record on the list may not be disposed of.
pub async fn ask_disposal(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    AskDisposal { request: DisposalRequest { records }, idempotency }: AskDisposal,
) -> Result<Done<DisposalLine>, Error> {
    let records: Vec<Uuid> = records.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let acting = Acting::new(gateway, caller, Act::DisposalAsk);
    if records.is_empty() || records.len() > MAX_RECORDS {
        let error = Error::field("records", "廃棄を申請できるのは、1回に1～200件です。", "must name 1 to 200 records");
        return Err(acting.refuse(error).await);
    }
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let disposal = Disposal {
                id: acting.node.clock.new_id(),
                organization: acting.caller.organization().clone(),
                state: DisposalState::Asked,
                asked_by: acting.caller.officer().to_owned(),
                asked_at: acting.node.clock.now(),
                decided_by: None,
                decided_at: None,
                destroyed_after: None,
                lapsed_because: None,
                destroyed_at: None,
            };
            let mut entries = Vec::with_capacity(records.len());
            for record in &records {
                let stored = due_record(tx, &acting, (acting.caller.organization(), *record), None).await?;
                let entry = acting.owner_entry(&stored.facts).about(disposal.id);
                entries.push(marked(&acting.node, entry, &[]));
            }
            store::disposals::insert(tx, &disposal, &records).await?;
            let act = SharpAct::Dispose { disposal: disposal.id };
            begin(tx, &acting, ToWait { id: disposal.id, act, not_before: disposal.asked_at }).await?;
            let (entry, told) = of_list(&acting, &disposal, InboxKind::DisposalAsked);
            let wait = acting.node.config.retention.disposal_wait();
            Ok(Effect::new(DisposalLine::of(disposal, records, wait), entry).log(entries).tell([told]))
        })
    })
    .await
}

/// A list is to be decided on.
pub struct DecideDisposal {
    pub disposal: Uuid,
    pub idempotency: Idempotency,
}

/// The list as it is now, with the entries of what was done to it.
///
/// # Errors
/// The database failed.
pub(crate) async fn line_of(gateway: &Gateway, id: Uuid) -> Result<DisposalLine, Error> {
    let mut tx = gateway.store.read().await?;
    let disposal = store::disposals::find(&mut tx, id).await?.ok_or(Error::NotFound("disposal"))?;
    let records = store::disposals::records_of(&mut tx, id).await?;
    Ok(DisposalLine::of(disposal, records, gateway.config.retention.disposal_wait()))
}

/// Two persons stand for it: the waiting time begins. The records stay as they are.
///
/// # Errors
/// [`RetentionError::DisposalNotDue`] where one of them is not due any more.
pub(crate) async fn approve(
    tx: &mut Tx,
    acting: &Acting,
    two: &TwoPersons,
    (body, id): (&OrganizationCode, Uuid),
) -> Result<Effect<SharpOutcome>, Declined> {
    let mut disposal = open_list(tx, acting, (body, id)).await?;
    if disposal.state != DisposalState::Asked {
        return Err(acting.declined(id, RetentionError::DisposalState(disposal.state.as_str())));
    }
    let records = store::disposals::records_of(tx, id).await?;
    let now = acting.node.clock.now();
    disposal.destroyed_after = Some(now.plus(acting.node.config.retention.disposal_wait()));
    decide(tx, (two.second().caller(), now), (&mut disposal, DisposalState::Approved)).await?;
    let (entry, told) = of_list(acting, &disposal, InboxKind::DisposalApproved);
    let mut effect = Effect::new(SharpOutcome::default(), entry).tell([told]);
    for record in records {
        let stored = due_record(tx, acting, (body, record), Some(id)).await?;
        let entry = acting.owner_entry(&stored.facts).about(id);
        effect = effect.log([marked(&acting.node, entry, &[])]);
    }
    Ok(effect)
}

/// Drops a list, also while it waits: taking back is never sharp.
///
/// # Errors
/// [`RetentionError::DisposalState`] where its records are removed already, or nothing came of it.
pub async fn withdraw_disposal(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    DecideDisposal { disposal: id, idempotency }: DecideDisposal,
) -> Result<Done<DisposalLine>, Error> {
    let acting = Acting::new(gateway, caller, Act::DisposalWithdraw);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let mut disposal = open_list(tx, &acting, (acting.caller.organization(), id)).await?;
            if disposal.state == DisposalState::Asked {
                end(tx, &acting, id, WaitingState::Withdrawn).await?;
            }
            disposal.destroyed_after = None;
            let by = (&acting.caller, acting.node.clock.now());
            decide(tx, by, (&mut disposal, DisposalState::Withdrawn)).await?;
            let records = store::disposals::records_of(tx, id).await?;
            let (entry, told) = of_list(&acting, &disposal, InboxKind::DisposalWithdrawn);
            let wait = acting.node.config.retention.disposal_wait();
            Ok(Effect::new(DisposalLine::of(disposal, records, wait), entry).tell([told]))
        })
    })
    .await
}

/// Lists the caller's lists, newest first.
///
/// # Errors
/// The database failed.
pub async fn list_disposals(gateway: &Gateway, caller: &Caller) -> Result<Done<DisposalLines>, Error> {
    let mut tx = gateway.store.read().await?;
    let lists = store::disposals::of_organization(&mut tx, caller.organization(), MAX_LISTS).await?;
    let wait = gateway.config.retention.disposal_wait();
    let line = |Listed { disposal, records }| {
        DisposalLine::of(disposal, records.into_iter().map(|(record, _)| record).collect(), wait)
    };
    let disposals = lists.into_iter().map(line).collect();
    Ok(Done::told(DisposalLines { disposals }))
}

/// A record of the caller's own that is due now, or a refusal of the whole list.
async fn due_record(
    tx: &mut Tx,
    acting: &Acting,
    (body, id): (&OrganizationCode, Uuid),
    on: Option<Uuid>,
) -> Result<StoredRecord, Declined> {
    let stored = acting.record_of(tx, body, id).await?;
    match due(tx, &acting.node, &stored, on).await? {
        Ok(_) => Ok(stored),
        Err(_) => Err(acting.declined(id, RetentionError::DisposalNotDue)),
    }
}

/// A list of a body's that is still to be carried out.
async fn open_list(tx: &mut Tx, acting: &Acting, (body, id): (&OrganizationCode, Uuid)) -> Result<Disposal, Declined> {
    let found = store::disposals::find(tx, id).await?;
    let Some(disposal) = found.filter(|disposal| disposal.organization == *body) else {
        return Err(acting.declined(id, Error::NotFound("disposal")));
    };
    match disposal.state {
        state if state.is_open() => Ok(disposal),
        state => Err(acting.declined(id, RetentionError::DisposalState(state.as_str()))),
    }
}

/// Writes the decision.
async fn decide(
    tx: &mut Tx,
    (by, now): (&Caller, Timestamp),
    (disposal, state): (&mut Disposal, DisposalState),
) -> Result<(), StoreError> {
    disposal.state = state;
    disposal.decided_by = Some(by.officer().to_owned());
    disposal.decided_at = Some(now);
    store::disposals::decide(tx, disposal).await
}

/// An entry by which a list can be borne out later, with its mark.
pub(crate) fn marked(node: &Gateway, entry: Entry, stands_for: &[u8]) -> Entry {
    let mark = node.journal.memory().guard.marker.of_entry(&entry, stands_for);
    entry.with_mark(&mark)
}

/// The entry about a list as a whole, and the message to its organization.
fn of_list(acting: &Acting, disposal: &Disposal, kind: InboxKind) -> (Entry, InboxItem) {
    let mut entry = acting.entry().about(disposal.id).as_relation(Relation::Owner);
    entry.owner = Some(disposal.organization.to_string());
    let entry = marked(&acting.node, entry, &[]);
    let told = InboxItem::new(disposal.organization.clone(), kind)
        .subject(disposal.id)
        .from(&acting.caller)
        .because_of(&entry);
    (entry, told)
}
