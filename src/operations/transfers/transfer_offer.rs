//! Asks for a transfer, and offers one (転出・転入に伴う情報提供).

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::transfer_steps::TransferLine;
use crate::{
    clock::Timestamp,
    domain::{
        organization::{OrganizationCode, OrganizationKind},
        transfer::{Completeness, EXPIRES_AFTER, SAFETY_CHECK_WITHIN, Side, Step, TransferState, after},
        visibility::{GroupSet, ItemGroup, Relation},
    },
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry, Purpose, RecordRef},
    operations::{carry_out, declined, findable_record, own_record, records::edit_lock, written},
    store::{
        self,
        transfers::{Transfer, TransferNote},
        tx::Tx,
    },
    wire::{answer::Answer, call::Call},
};

const LONGEST: usize = 4_000;

/// A receiver asks for a transfer of a record it found by search.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferRequest {
    pub record: Uuid,
    /// Why: the family is here, 1 to 4,000 characters.
    pub reason: String,
}

/// An owner offers a record.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferOffer {
    /// Left out where a request is answered.
    #[serde(default)]
    pub record: Option<Uuid>,
    /// Left out where a request is answered.
    #[serde(default)]
    pub receiver: Option<OrganizationCode>,
    /// Handed over face to face, with a safety check within 48 hours.
    #[serde(default)]
    pub urgent: bool,
    /// Groups provided; left out, everything but the reporter.
    #[serde(default)]
    pub groups: Option<Vec<ItemGroup>>,
    /// What it brings, or why a part is missing.
    pub completeness: Completeness,
    #[serde(default)]
    pub message: Option<String>,
}

/// `POST /v1/transfers/requests`
///
/// # Errors
/// [`Error::NotAvailable`] for a record that the caller could not have found.
pub async fn request_transfer(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let acting = call.acting()?;
    let TransferRequest { record, reason } = call.json()?;
    written("reason", &reason, LONGEST)?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::CREATED, move |tx| {
        Box::pin(async move {
            let receiver = call.caller.organization().clone();
            let facts = findable_record(tx, &node, &call, Act::TransferRequest, record).await?;
            if facts.owner == receiver {
                return Err(declined(&node, &call, Act::TransferRequest, Some(record), Error::NotAvailable));
            }
            let now = node.clock.now();
            let transfer = begun(node.clock.new_id(), record, facts.owner.clone(), receiver, now);
            let note = TransferNote { request_reason: Some(reason), ..TransferNote::default() };
            store::transfers::put(tx, &node.vault, &transfer, &note).await?;
            let entry = Entry::of(&call.caller, Act::TransferRequest, &node.clock)
                .about(transfer.id)
                .for_purpose(Purpose::Transfer);
            let logged = node.gate.log_found(entry, &call.caller, &facts)?;
            let told = InboxItem::new(facts.owner, InboxKind::TransferRequested)
                .record(record)
                .subject(transfer.id)
                .from(&call.caller)
                .because_of(&logged.entry);
            // The asker may not learn the owner of a shielded record.
            let line = TransferLine::of(&transfer, logged.hidden_owner.is_none());
            Ok(Effect::new(line, logged).tell([told]))
        })
    })
    .await
}

/// `POST /v1/transfers`: the owner offers on its own.
///
/// # Errors
/// [`Error::Completeness`], [`Error::TransferOpen`].
pub async fn offer_transfer(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let offer: TransferOffer = call.json()?;
    let (Some(record), Some(receiver)) = (offer.record, offer.receiver.clone()) else {
        return Err(Error::Field {
            field: "record, receiver",
            rule_ja: "提供する記録と提供先を指定してください",
            rule_en: "name the record and the receiver",
        });
    };
    let receives = matches!(receiver.kind(), OrganizationKind::Municipality | OrganizationKind::ChildGuidanceCenter)
        && gateway.registry.body(&receiver).is_some()
        && receiver != *call.caller.organization();
    if !receives {
        return Err(Error::Field {
            field: "receiver",
            rule_ja: "他の市町村または児童相談所を指定してください",
            rule_en: "must be another municipality or child guidance center",
        });
    }
    let now = gateway.clock.now();
    let fresh = Transfer {
        urgent: offer.urgent,
        ..begun(gateway.clock.new_id(), record, call.caller.organization().clone(), receiver, now)
    };
    offer_as(gateway, call, offer, Some(fresh)).await
}

/// `POST /v1/transfers/{id}/offer`: the owner answers a request.
///
/// # Errors
/// As [`offer_transfer`]; [`Error::NotFound`] where the request is not to the caller.
pub async fn answer_request(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let offer: TransferOffer = call.json()?;
    offer_as(gateway, call, offer, None).await
}

async fn offer_as(
    gateway: &Arc<Gateway>,
    call: Call,
    offer: TransferOffer,
    fresh: Option<Transfer>,
) -> Result<Answer, Error> {
    let idempotency = call.idempotency()?;
    if let Some(message) = &offer.message {
        written("message", message, LONGEST)?;
    }
    let node = gateway.clone();
    let caller = call.caller.clone();
    let (line, receipt) = gateway
        .journal
        .write(&caller, Some(idempotency), move |tx| {
            Box::pin(async move { make_offer(tx, &node, &call, offer, fresh).await })
        })
        .await?;
    Ok(Answer::message(StatusCode::CREATED, &line).with_entries(receipt.entries()))
}

async fn make_offer(
    tx: &mut Tx,
    node: &Arc<Gateway>,
    call: &Call,
    offer: TransferOffer,
    fresh: Option<Transfer>,
) -> Result<Effect<TransferLine>, Declined> {
    let (mut transfer, mut note) = match fresh {
        Some(transfer) => (transfer, TransferNote::default()),
        None => {
            let id = call.id("id")?;
            let asked =
                store::transfers::find(tx, id).await?.filter(|transfer| transfer.owner == *call.caller.organization());
            let Some(transfer) = asked else {
                return Err(declined(node, call, Act::TransferOffer, Some(id), Error::NotFound("transfer")));
            };
            let note = store::transfers::open_note(tx, &node.vault, id).await?;
            (transfer, note)
        }
    };
    let refuse = |error| Err(declined(node, call, Act::TransferOffer, Some(transfer.record), error));
    let stored = own_record(tx, node, call, Act::TransferOffer, transfer.record).await?;
    edit_lock::not_locked(tx, node, call, Act::TransferOffer, &stored.facts).await?;
    let Some(state) = after(transfer.state, Side::Owner, Step::Offer) else {
        return refuse(Error::TransferStep { state: transfer.state });
    };
    if store::transfers::open_of_record(tx, transfer.record).await?.is_some() {
        return refuse(Error::TransferOpen);
    }
    let shield = &stored.facts.shield;
    if shield.active && !shield.named.contains(&transfer.receiver) {
        // Whoever takes the record over has its address: the owner names that body first.
        return refuse(Error::ShieldForbids);
    }
    let document = store::versions::current(tx, &node.vault, &stored).await?;
    let assessment = document.section(ItemGroup::Assessment);
    let has = |name| assessment.is_some_and(|assessment| assessment.child(name).is_some());
    let has_photos = !store::attachments::of_record(tx, &transfer.owner, transfer.record).await?.is_empty();
    if let Err(fault) = offer.completeness.check(has_photos, has("riskSheet"), has("urgency")) {
        return refuse(Error::Completeness(fault));
    }
    let now = node.clock.now();
    transfer.state = state;
    transfer.urgent = offer.urgent;
    transfer.version = Some(stored.facts.version);
    transfer.groups = provided_groups(offer.groups);
    transfer.offered_at = Some(now);
    transfer.expires_at = now.plus(EXPIRES_AFTER);
    transfer.safety_due_at = offer.urgent.then(|| now.plus(SAFETY_CHECK_WITHIN));
    note.completeness = Some(offer.completeness);
    note.message = offer.message;
    store::transfers::put(tx, &node.vault, &transfer, &note).await?;
    let entry = entry_of(node, call, Act::TransferOffer, &transfer, stored.facts.version);
    let told = InboxItem::new(transfer.receiver.clone(), InboxKind::TransferOffered)
        .record(transfer.record)
        .subject(transfer.id)
        .from(&call.caller)
        .because_of(&entry);
    Ok(Effect::new(TransferLine::of(&transfer, true), entry)
        .tell([told])
        .then(Change::Visibility(Scope::Record(transfer.record))))
}

/// What an offer provides: the index always, the reporter never.
fn provided_groups(asked: Option<Vec<ItemGroup>>) -> GroupSet {
    let asked = asked.map_or_else(|| GroupSet::of(ItemGroup::ALL.iter().copied()), GroupSet::of);
    asked.with(ItemGroup::Index).without(GroupSet::of([ItemGroup::Reporter]))
}

/// An entry about a transfer of a record.
pub fn entry_of(node: &Gateway, call: &Call, act: Act, transfer: &Transfer, version: i64) -> Entry {
    let relation =
        if transfer.owner == *call.caller.organization() { Relation::Owner } else { Relation::ReceiverPreview };
    Entry::of(&call.caller, act, &node.clock)
        .on(&RecordRef { record: transfer.record, version, owner: transfer.owner.clone() })
        .as_relation(relation)
        .about(transfer.id)
        .for_purpose(Purpose::Transfer)
}

/// RFC 3339, or nothing.
pub fn time_text(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::to_rfc3339)
}

/// A transfer at its beginning.
fn begun(id: Uuid, record: Uuid, owner: OrganizationCode, receiver: OrganizationCode, now: Timestamp) -> Transfer {
    Transfer {
        id,
        record,
        owner,
        receiver,
        state: TransferState::Requested,
        urgent: false,
        version: None,
        groups: GroupSet::EMPTY,
        opened_at: now,
        offered_at: None,
        expires_at: now.plus(EXPIRES_AFTER),
        safety_due_at: None,
        safety_checked_at: None,
        escalated_at: None,
    }
}
