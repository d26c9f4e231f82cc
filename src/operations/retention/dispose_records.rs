//! Disposes of records whose retention has ended (廃棄): asked for, and approved by two persons.
//!
//! With the approval the records are removed. Then, before the answer, their keys are destroyed
//! ([`destroy_keys`](super::destroy_keys)). What the ledger says of them stays.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::list_due::due;
use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        disposal::{Disposal, DisposalState},
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
        memory::Change,
        recent::Scope,
    },
    keys::vault::slot_of,
    ledger::entry::{Act, Entry},
    operations::{
        Acting, carry_out,
        waiting::begin::{ToWait, begin, end},
    },
    search::index::IndexChange,
    store::{self, error::StoreError, records::StoredRecord, tx::Tx},
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed_at: Option<String>,
}

#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct DisposalLines {
    pub disposals: Vec<DisposalLine>,
}

impl DisposalLine {
    fn of(disposal: Disposal, records: Vec<Uuid>) -> Self {
        Self {
            disposal: disposal.id,
            state: disposal.state,
            records,
            asked_by: disposal.asked_by,
            asked_at: disposal.asked_at.to_rfc3339(),
            decided_by: disposal.decided_by,
            decided_at: disposal.decided_at.map(Timestamp::to_rfc3339),
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
        let error = Error::field("records", "1～200件の記録の番号を指定してください。", "must name 1 to 200 records");
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
                destroyed_at: None,
            };
            let mut entries = Vec::with_capacity(records.len());
            for record in &records {
                let stored = due_record(tx, &acting, (acting.caller.organization(), *record)).await?;
                entries.push(acting.owner_entry(&stored.facts).about(disposal.id));
            }
            store::disposals::insert(tx, &disposal, &records).await?;
            let act = SharpAct::Dispose { disposal: disposal.id };
            begin(tx, &acting, ToWait { id: disposal.id, act, not_before: disposal.asked_at }).await?;
            let (entry, told) = of_list(&acting, &disposal, InboxKind::DisposalAsked);
            Ok(Effect::new(DisposalLine::of(disposal, records), entry).log(entries).tell([told]))
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
    Ok(DisposalLine::of(disposal, records))
}

/// Two persons stand for it: its records are removed. Their keys are destroyed after that.
///
/// # Errors
/// [`RetentionError::DisposalNotDue`] where one of them is not due any more: nothing is disposed of then.
pub(crate) async fn dispose(
    tx: &mut Tx,
    acting: &Acting,
    two: &TwoPersons,
    (body, id): (&OrganizationCode, Uuid),
) -> Result<Effect<SharpOutcome>, Declined> {
    let mut disposal = asked_list(tx, acting, (body, id)).await?;
    let records = store::disposals::records_of(tx, id).await?;
    decide(tx, two.second().caller(), acting, (&mut disposal, DisposalState::Approved)).await?;
    let (entry, told) = of_list(acting, &disposal, InboxKind::DisposalApproved);
    let mut effect = Effect::new(SharpOutcome::default(), entry).tell([told]);
    for record in records {
        let stored = due_record(tx, acting, (body, record)).await?;
        let providers = store::disposals::providers(tx, record).await?;
        store::disposals::set_slot(tx, id, record, slot_of(&stored.sealed_key)?).await?;
        store::disposals::erase(tx, record).await?;
        let entry = acting.owner_entry(&stored.facts).about(id);
        let told = providers
            .into_iter()
            .map(|to| InboxItem::new(to, InboxKind::RecordDisposed).record(record).because_of(&entry));
        effect = effect
            .tell(told.collect::<Vec<_>>())
            .log([entry])
            .then(Change::Index(IndexChange::Forget(record)))
            .then(Change::Visibility(Scope::Record(record)));
    }
    Ok(effect)
}

/// Drops a list.
///
/// # Errors
/// [`RetentionError::DisposalState`] where it was decided already.
pub async fn withdraw_disposal(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    DecideDisposal { disposal: id, idempotency }: DecideDisposal,
) -> Result<Done<DisposalLine>, Error> {
    let acting = Acting::new(gateway, caller, Act::DisposalWithdraw);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let mut disposal = asked_list(tx, &acting, (acting.caller.organization(), id)).await?;
            decide(tx, &acting.caller, &acting, (&mut disposal, DisposalState::Withdrawn)).await?;
            end(tx, &acting, id, WaitingState::Withdrawn).await?;
            let records = store::disposals::records_of(tx, id).await?;
            let (entry, told) = of_list(&acting, &disposal, InboxKind::DisposalWithdrawn);
            Ok(Effect::new(DisposalLine::of(disposal, records), entry).tell([told]))
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
    let mut disposals = Vec::new();
    for disposal in store::disposals::of_organization(&mut tx, caller.organization(), MAX_LISTS).await? {
        let records = store::disposals::records_of(&mut tx, disposal.id).await?;
        disposals.push(DisposalLine::of(disposal, records));
    }
    Ok(Done::told(DisposalLines { disposals }))
}

/// A record of the caller's own that is due now, or a refusal of the whole list.
async fn due_record(
    tx: &mut Tx,
    acting: &Acting,
    (body, id): (&OrganizationCode, Uuid),
) -> Result<StoredRecord, Declined> {
    let stored = acting.record_of(tx, body, id).await?;
    match due(tx, &acting.node, &stored).await? {
        Some(_) => Ok(stored),
        None => Err(acting.declined(id, RetentionError::DisposalNotDue)),
    }
}

/// A list of a body's that nobody has decided on.
async fn asked_list(tx: &mut Tx, acting: &Acting, (body, id): (&OrganizationCode, Uuid)) -> Result<Disposal, Declined> {
    let found = store::disposals::find(tx, id).await?;
    let Some(disposal) = found.filter(|disposal| disposal.organization == *body) else {
        return Err(acting.declined(id, Error::NotFound("disposal")));
    };
    match disposal.state {
        DisposalState::Asked => Ok(disposal),
        state => Err(acting.declined(id, RetentionError::DisposalState(state.as_str()))),
    }
}

/// Writes the decision. From here on its records may be on another list.
async fn decide(
    tx: &mut Tx,
    by: &Caller,
    acting: &Acting,
    (disposal, state): (&mut Disposal, DisposalState),
) -> Result<(), StoreError> {
    disposal.state = state;
    disposal.decided_by = Some(by.officer().to_owned());
    disposal.decided_at = Some(acting.node.clock.now());
    store::disposals::decide(tx, disposal).await
}

/// The entry about a list as a whole, and the message to its organization.
fn of_list(acting: &Acting, disposal: &Disposal, kind: InboxKind) -> (Entry, InboxItem) {
    let mut entry = acting.entry().about(disposal.id).as_relation(Relation::Owner);
    entry.owner = Some(disposal.organization.to_string());
    let told = InboxItem::new(disposal.organization.clone(), kind)
        .subject(disposal.id)
        .from(&acting.caller)
        .because_of(&entry);
    (entry, told)
}
