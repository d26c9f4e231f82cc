//! Disposes of records whose retention has ended (廃棄): who is due, one officer asks, another approves.
//!
//! With the approval the records are removed. Then, before the answer, their keys are destroyed
//! ([`destroy_keys`](super::destroy_keys)). What the ledger says of them stays.

use std::{collections::BTreeSet, sync::Arc};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::Date;
use uuid::Uuid;

use super::destroy_keys::destroy_keys;
use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        case_record::IndexItems,
        organization::OrganizationCode,
        retention::{RetentionClass, RetentionRule, RetentionSettings},
        visibility::{ItemGroup, LegalBasis, Relation},
    },
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    keys::vault::slot_of,
    ledger::entry::{Act, Entry, RecordRef},
    operations::{carry_out, declined, own_record},
    search::index::IndexChange,
    store::{
        self,
        disposals::{Disposal, DisposalState},
        error::StoreError,
        records::StoredRecord,
        tx::Tx,
    },
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// Closed records that are looked at for one page.
const PAGE: i64 = 200;
/// Records on one list.
const MOST_RECORDS: usize = 200;
/// Lists that are shown.
const MOST_LISTS: i64 = 200;

/// A record whose retention has ended.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DueRecord {
    pub record: Uuid,
    pub class: RetentionClass,
    /// The rule by which it was kept, the longest of its owner's and of those who once provided it.
    pub rule: RetentionRule,
    /// Day from which on it may be disposed of, `2031-04-01`.
    pub since: String,
}

/// A page of what is due: ids and codes, no names.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DueRecords {
    pub records: Vec<DueRecord>,
    /// Give it as `after` for the next page; missing on the last. A page may be empty and not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

/// `GET /v1/disposals/due?after=ID`: the dry run. Nothing is disposed of by it.
///
/// # Errors
/// The journal cannot write.
pub async fn list_due(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let after = call.after()?;
    let owner = call.caller.organization();
    let mut tx = gateway.store.read().await?;
    let page = store::disposals::closed_of(&mut tx, owner, after, PAGE).await?;
    let full = page.len() as i64 == PAGE;
    let next = page.last().filter(|_| full).copied();
    let (mut records, mut each) = (Vec::new(), Vec::new());
    for record in page {
        let Some(stored) = store::records::find(&mut tx, record).await? else { continue };
        if let Some(due) = due(&mut tx, gateway, &stored).await? {
            let of = RecordRef { record, version: stored.facts.version, owner: owner.clone() };
            each.push(entry_on(gateway, &call, Act::RetentionReview, &of));
            records.push(due);
        }
    }
    drop(tx);
    let listing = Entry::of(&call.caller, Act::RetentionReview, &gateway.clock).as_relation(Relation::Owner);
    let sealed = Sealed::new(DueRecords { records, next });
    let disclosed = gateway
        .gate
        .disclose_list_of(ItemGroup::Case, listing, each, LegalBasis::OwnRecord, call.decided_at, sealed)
        .await?;
    Ok(Answer::disclosed(&disclosed))
}

/// By which rule a record is due today; `None` where it is not.
async fn due(tx: &mut Tx, gateway: &Gateway, stored: &StoredRecord) -> Result<Option<DueRecord>, StoreError> {
    let id = stored.facts.id;
    let Some(closed) = store::disposals::closed_at(tx, id).await? else { return Ok(None) };
    if store::disposals::has_open_transfer(tx, id).await? || store::disposals::is_listed(tx, id).await? {
        return Ok(None);
    }
    let document = store::versions::current(tx, &gateway.vault, stored).await?;
    let items = IndexItems::of(&document).ok_or(StoreError::Corrupt("index section"))?;
    let class = RetentionClass::of(&document, stored.facts.serious);
    let mut settings = vec![store::disposals::retention_of(tx, &stored.facts.owner).await?];
    for provider in store::disposals::providers(tx, id).await? {
        settings.push(store::disposals::retention_of(tx, &provider).await?);
    }
    let ends = |settings: &RetentionSettings| -> Option<(Date, RetentionRule)> {
        let rule = settings.rule(class)?;
        Some((rule.ends_on(closed.day_in_japan(), items.birth_date)?, rule))
    };
    // One that cannot be said is one that has not ended.
    let Some(ends) = settings.iter().map(ends).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let last = ends.into_iter().max_by_key(|(day, _)| *day);
    Ok(last.filter(|(day, _)| *day <= gateway.clock.today_in_japan()).map(|(day, rule)| DueRecord {
        record: id,
        class,
        rule,
        since: day.to_string(),
    }))
}

/// Records to dispose of.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisposalRequest {
    /// 1 to 200 ids of records that are due.
    pub records: Vec<Uuid>,
}

/// A list as its organization sees it: ids, codes and times.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
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

impl CarriesNoRecordData for DisposalLine {}

#[derive(Serialize, utoipa::ToSchema)]
pub struct DisposalLines {
    pub disposals: Vec<DisposalLine>,
}

impl CarriesNoRecordData for DisposalLines {}

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

/// `POST /v1/disposals`: the first officer asks.
///
/// # Errors
/// [`Error::DisposalNotDue`] where any record on the list may not be disposed of.
pub async fn ask_disposal(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let acting = call.acting()?;
    let DisposalRequest { records } = call.json()?;
    let records: Vec<Uuid> = records.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    if records.is_empty() || records.len() > MOST_RECORDS {
        return Err(Error::Field {
            field: "records",
            rule_ja: "1件から200件の記録の番号を指定してください",
            rule_en: "must name 1 to 200 records",
        });
    }
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::CREATED, move |tx| {
        Box::pin(async move {
            let act = Act::DisposalAsk;
            let disposal = Disposal {
                id: node.clock.new_id(),
                organization: call.caller.organization().clone(),
                state: DisposalState::Asked,
                asked_by: call.caller.officer().to_owned(),
                asked_at: node.clock.now(),
                decided_by: None,
                decided_at: None,
                destroyed_at: None,
            };
            let mut entries = Vec::with_capacity(records.len());
            for record in &records {
                let stored = due_record(tx, &node, &call, act, *record).await?;
                entries.push(entry_on(&node, &call, act, &reference(&stored)).about(disposal.id));
            }
            store::disposals::insert(tx, &disposal, &records).await?;
            let (entry, told) = of_list(&node, &call, act, &disposal, InboxKind::DisposalAsked);
            Ok(Effect::new(DisposalLine::of(disposal, records), entry).log(entries).tell([told]))
        })
    })
    .await
}

/// `POST /v1/disposals/{id}/approval`: the second officer. The records are removed and their keys destroyed.
///
/// # Errors
/// [`Error::DisposalNeedsTwo`] where the same person asked; [`Error::DisposalNotDue`] where one of them is not due any
/// more: nothing is disposed of then.
pub async fn approve_disposal(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let idempotency = call.idempotency()?;
    let node = gateway.clone();
    let caller = call.caller.clone();
    let (_, receipt) = gateway
        .journal
        .write(&caller, Some(idempotency), move |tx| {
            Box::pin(async move {
                let act = Act::DisposalApprove;
                let mut disposal = asked_list(tx, &node, &call, act, id).await?;
                if disposal.asked_by == call.caller.officer() {
                    return Err(declined(&node, &call, act, Some(id), Error::DisposalNeedsTwo));
                }
                let records = store::disposals::records_of(tx, id).await?;
                decide(tx, &node, &call, &mut disposal, DisposalState::Approved).await?;
                let (entry, told) = of_list(&node, &call, act, &disposal, InboxKind::DisposalApproved);
                let mut effect = Effect::new((), entry).tell([told]);
                for record in &records {
                    let stored = due_record(tx, &node, &call, act, *record).await?;
                    let providers = store::disposals::providers(tx, *record).await?;
                    store::disposals::set_slot(tx, id, *record, slot_of(&stored.sealed_key)?).await?;
                    store::disposals::erase(tx, *record).await?;
                    let entry = entry_on(&node, &call, act, &reference(&stored)).about(id);
                    effect =
                        effect
                            .tell(providers.into_iter().map(|to| {
                                InboxItem::new(to, InboxKind::RecordDisposed).record(*record).because_of(&entry)
                            }))
                            .log([entry])
                            .then(Change::Index(IndexChange::Forget(*record)))
                            .then(Change::Visibility(Scope::Record(*record)));
                }
                Ok(effect)
            })
        })
        .await?;
    // What fails here is done by the clock; until then the list says `approved`.
    if let Err(error) = destroy_keys(gateway).await {
        tracing::error!(%error, disposal = %id, "keys could not be destroyed yet; it is tried again");
    }
    let mut tx = gateway.store.read().await?;
    let disposal = store::disposals::find(&mut tx, id).await?.ok_or(Error::NotFound("disposal"))?;
    let records = store::disposals::records_of(&mut tx, id).await?;
    Ok(Answer::message(StatusCode::OK, &DisposalLine::of(disposal, records)).with_entries(receipt.entries()))
}

/// `POST /v1/disposals/{id}/withdrawal`: the list is dropped.
///
/// # Errors
/// [`Error::DisposalState`] where it was decided already.
pub async fn withdraw_disposal(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let act = Act::DisposalWithdraw;
            let mut disposal = asked_list(tx, &node, &call, act, id).await?;
            decide(tx, &node, &call, &mut disposal, DisposalState::Withdrawn).await?;
            let records = store::disposals::records_of(tx, id).await?;
            let (entry, told) = of_list(&node, &call, act, &disposal, InboxKind::DisposalWithdrawn);
            Ok(Effect::new(DisposalLine::of(disposal, records), entry).tell([told]))
        })
    })
    .await
}

/// `GET /v1/disposals`
///
/// # Errors
/// The database failed.
pub async fn list_disposals(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let mut tx = gateway.store.read().await?;
    let mut disposals = Vec::new();
    for disposal in store::disposals::of_organization(&mut tx, call.caller.organization(), MOST_LISTS).await? {
        let records = store::disposals::records_of(&mut tx, disposal.id).await?;
        disposals.push(DisposalLine::of(disposal, records));
    }
    Ok(Answer::message(StatusCode::OK, &DisposalLines { disposals }))
}

/// A record of the caller's own that is due now, or a refusal of the whole list.
async fn due_record(tx: &mut Tx, node: &Gateway, call: &Call, act: Act, id: Uuid) -> Result<StoredRecord, Declined> {
    let stored = own_record(tx, node, call, act, id).await?;
    match due(tx, node, &stored).await? {
        Some(_) => Ok(stored),
        None => Err(declined(node, call, act, Some(id), Error::DisposalNotDue)),
    }
}

/// A list of the caller's organization that nobody has decided on.
async fn asked_list(tx: &mut Tx, node: &Gateway, call: &Call, act: Act, id: Uuid) -> Result<Disposal, Declined> {
    let found = store::disposals::find(tx, id).await?;
    let Some(disposal) = found.filter(|disposal| disposal.organization == *call.caller.organization()) else {
        return Err(declined(node, call, act, Some(id), Error::NotFound("disposal")));
    };
    match disposal.state {
        DisposalState::Asked => Ok(disposal),
        state => Err(declined(node, call, act, Some(id), Error::DisposalState(state.as_str()))),
    }
}

/// Writes the decision. From here on the list stands in the way of no record.
async fn decide(
    tx: &mut Tx,
    node: &Gateway,
    call: &Call,
    disposal: &mut Disposal,
    state: DisposalState,
) -> Result<(), StoreError> {
    disposal.state = state;
    disposal.decided_by = Some(call.caller.officer().to_owned());
    disposal.decided_at = Some(node.clock.now());
    store::disposals::decide(tx, disposal).await
}

/// The entry about a list as a whole, and the message to its organization.
fn of_list(node: &Gateway, call: &Call, act: Act, disposal: &Disposal, kind: InboxKind) -> (Entry, InboxItem) {
    let mut entry = Entry::of(&call.caller, act, &node.clock).about(disposal.id).as_relation(Relation::Owner);
    entry.owner = Some(disposal.organization.to_string());
    let told =
        InboxItem::new(disposal.organization.clone(), kind).subject(disposal.id).from(&call.caller).because_of(&entry);
    (entry, told)
}

fn entry_on(node: &Gateway, call: &Call, act: Act, record: &RecordRef) -> Entry {
    Entry::of(&call.caller, act, &node.clock).on(record).as_relation(Relation::Owner)
}

fn reference(stored: &StoredRecord) -> RecordRef {
    let owner: OrganizationCode = stored.facts.owner.clone();
    RecordRef { record: stored.facts.id, version: stored.facts.version, owner }
}
