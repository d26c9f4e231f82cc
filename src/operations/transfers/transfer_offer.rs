//! Asks for a transfer, and offers one (転出・転入に伴う情報提供).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{about_transfer, not_against_shield, view_transfer::TransferLine};
use crate::{
    disclosure::done::Done,
    domain::{
        format::Document,
        idempotency::Idempotency,
        organization::{OrganizationCode, OrganizationKind},
        purpose::Purpose,
        transfer::{Offer, Transfer},
        transfer_note::{Completeness, TransferNote},
        visibility::ItemGroup,
    },
    error::{Error, TransferError},
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, records::edit_lock::not_locked, written},
    store::{self, records::StoredRecord, tx::Tx},
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

/// A record of another body's is asked for.
pub struct RequestTransfer {
    pub request: TransferRequest,
    pub idempotency: Idempotency,
}

/// Asks the owner of a record for it.
///
/// # Errors
/// [`Error::NotAvailable`] for a record that the caller could not have found.
pub async fn request_transfer(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RequestTransfer { request: TransferRequest { record, reason }, idempotency }: RequestTransfer,
) -> Result<Done<TransferLine>, Error> {
    written("reason", &reason, LONGEST)?;
    let acting = Acting::new(gateway, caller, Act::TransferRequest);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let facts = acting.findable_record(tx, record).await?;
            let receiver = acting.caller.organization().clone();
            if facts.owner == receiver {
                return Err(acting.declined(record, Error::NotAvailable));
            }
            let node = &acting.node;
            let transfer =
                Transfer::begun(node.clock.new_id(), record, facts.owner.clone(), receiver, node.clock.now());
            let note = TransferNote { request_reason: Some(reason), ..TransferNote::default() };
            store::transfers::put(tx, &node.vault, &transfer, &note).await?;
            let entry = acting.entry().about(transfer.id).for_purpose(Purpose::Transfer);
            let logged = node.gate.log_found(entry, &acting.caller, &facts)?;
            let told = InboxItem::new(facts.owner, InboxKind::TransferRequested)
                .record(record)
                .subject(transfer.id)
                .from(&acting.caller)
                .because_of(&logged.entry);
            // The asker may not learn the owner of a shielded record.
            let line = TransferLine::of(&transfer, logged.hidden_owner.is_none());
            Ok(Effect::new(line, logged).tell([told]))
        })
    })
    .await
}

/// A record of the caller's is to be provided to another body.
pub struct OfferTransfer {
    pub offer: TransferOffer,
    pub idempotency: Idempotency,
}

/// Offers a record that nobody asked for.
///
/// # Errors
/// [`TransferError::Completeness`], [`TransferError::Open`].
pub async fn offer_transfer(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    OfferTransfer { offer, idempotency }: OfferTransfer,
) -> Result<Done<TransferLine>, Error> {
    let (Some(record), Some(receiver)) = (offer.record, offer.receiver.clone()) else {
        return Err(Error::field("record, receiver", "提供する記録と提供先を指定してください。", "must both be given"));
    };
    let owner = caller.organization().clone();
    let receives = matches!(receiver.kind(), OrganizationKind::Municipality | OrganizationKind::ChildGuidanceCenter)
        && gateway.registry.body(&receiver).is_some()
        && receiver != owner;
    if !receives {
        return Err(Error::field(
            "receiver",
            "自機関以外の市町村又は児童相談所を入力してください。",
            "must be another municipality or child guidance center",
        ));
    }
    let begun = Transfer::begun(gateway.clock.new_id(), record, owner, receiver, gateway.clock.now());
    offer_as(gateway, caller, OfferOrigin::Here(Box::new(begun)), OfferTransfer { offer, idempotency }).await
}

/// What a body asked for is to be provided.
pub struct OfferRequested {
    /// The request.
    pub transfer: Uuid,
    pub offer: TransferOffer,
    pub idempotency: Idempotency,
}

/// Offers what was asked for.
///
/// # Errors
/// As [`offer_transfer`]; [`Error::NotFound`] where the request is not to the caller, or for another record or receiver.
pub async fn answer_request(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    OfferRequested { transfer, offer, idempotency }: OfferRequested,
) -> Result<Done<TransferLine>, Error> {
    offer_as(gateway, caller, OfferOrigin::ByRequest(transfer), OfferTransfer { offer, idempotency }).await
}

/// How a transfer that is offered came to be.
enum OfferOrigin {
    /// By the offer itself.
    Here(Box<Transfer>),
    /// By a request, which has this id.
    ByRequest(Uuid),
}

async fn offer_as(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    begun: OfferOrigin,
    OfferTransfer { offer, idempotency }: OfferTransfer,
) -> Result<Done<TransferLine>, Error> {
    if let Some(message) = &offer.message {
        written("message", message, LONGEST)?;
    }
    let acting = Acting::new(gateway, caller, Act::TransferOffer);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let (transfer, note) = match begun {
                OfferOrigin::Here(transfer) => (*transfer, TransferNote::default()),
                OfferOrigin::ByRequest(id) => requested(tx, &acting, (id, &offer)).await?,
            };
            make_offer(tx, &acting, (transfer, note), offer).await
        })
    })
    .await
}

/// A request to the caller, with what was written to it. Where the answer names a record or a receiver, it is the request's.
async fn requested(
    tx: &mut Tx,
    acting: &Acting,
    (id, answer): (Uuid, &TransferOffer),
) -> Result<(Transfer, TransferNote), Declined> {
    let is_meant = |transfer: &Transfer| {
        transfer.owner == *acting.caller.organization()
            && answer.record.is_none_or(|record| record == transfer.record)
            && answer.receiver.as_ref().is_none_or(|receiver| *receiver == transfer.receiver)
    };
    let found = store::transfers::find(tx, id).await?;
    match found.filter(is_meant) {
        Some(transfer) => Ok((transfer, store::transfers::open_note(tx, &acting.node.vault, id).await?)),
        None => Err(acting.declined(id, Error::NotFound("transfer"))),
    }
}

async fn make_offer(
    tx: &mut Tx,
    acting: &Acting,
    (transfer, note): (Transfer, TransferNote),
    asked: TransferOffer,
) -> Result<Effect<TransferLine>, Declined> {
    let record = transfer.record;
    let stored = acting.own_record(tx, record).await?;
    not_locked(tx, acting, &stored.facts).await?;
    let node = &acting.node;
    let offer = Offer::new(stored.facts.version, asked.groups, asked.urgent, node.clock.now());
    let transfer = transfer.offer(offer).map_err(|refused| acting.declined(record, refused))?;
    if store::transfers::open_of_record(tx, record).await?.is_some() {
        return Err(acting.declined(record, TransferError::Open));
    }
    not_against_shield(acting, &stored.facts, &transfer.receiver)?;
    check_completeness(tx, acting, &stored, &asked.completeness).await?;
    let note = TransferNote { completeness: Some(asked.completeness), message: asked.message, ..note };
    store::transfers::put(tx, &node.vault, &transfer, &note).await?;
    let entry = about_transfer(acting.entry(), &acting.caller, &transfer);
    let told = InboxItem::new(transfer.receiver.clone(), InboxKind::TransferOffered)
        .record(record)
        .subject(transfer.id)
        .from(&acting.caller)
        .because_of(&entry);
    Ok(Effect::new(TransferLine::of(&transfer, true), entry)
        .tell([told])
        .then(Change::Visibility(Scope::Record(record))))
}

/// Holds what an offer states against the record.
async fn check_completeness(
    tx: &mut Tx,
    acting: &Acting,
    stored: &StoredRecord,
    stated: &Completeness,
) -> Result<(), Declined> {
    let facts = &stored.facts;
    let document = store::versions::current(tx, &acting.node.vault, stored).await?;
    let has_photos = !store::attachments::of_record(tx, &facts.owner, facts.id).await?.is_empty();
    let has_risk_sheet = document.is(|document| is_assessed(document, "riskSheet"));
    let has_urgency = document.is(|document| is_assessed(document, "urgency"));
    stated
        .check(has_photos, has_risk_sheet, has_urgency)
        .map_err(|fault| acting.declined(facts.id, TransferError::Completeness(fault)))
}

fn is_assessed(document: &Document, part: &str) -> bool {
    document.section(ItemGroup::Assessment).is_some_and(|assessment| assessment.child(part).is_some())
}
