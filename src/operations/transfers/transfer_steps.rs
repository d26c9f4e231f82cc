//! The later steps of a transfer: view, confirm, take over, reject, withdraw, safety check.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::transfer_offer::{entry_of, time_text};
use crate::{
    domain::{
        case_record::{IndexItems, Provided, RecordFacts},
        format::Document,
        organization::OrganizationCode,
        transfer::{Side, Step, TransferState, after},
        visibility::{GroupSet, ItemGroup, LegalBasis},
    },
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{carry_out, declined, refuse_read, written},
    search::{index::IndexChange, records::PackedRecord},
    store::{self, error::StoreError, transfers::Transfer, tx::Tx},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// A transfer as its parties see it: ids, states and times.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct TransferLine {
    pub transfer: Uuid,
    pub record: Uuid,
    /// Left out for the asker of a shielded record, until it is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<OrganizationCode>,
    pub receiver: OrganizationCode,
    pub state: TransferState,
    pub urgent: bool,
    /// To be handed over face to face.
    pub face_to_face: bool,
    pub opened_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered_at: Option<String>,
    pub expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_due_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_checked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalated_at: Option<String>,
}

impl CarriesNoRecordData for TransferLine {}

/// The transfers of an organization.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TransferLines {
    pub transfers: Vec<TransferLine>,
}

impl CarriesNoRecordData for TransferLines {}

impl TransferLine {
    pub fn of(transfer: &Transfer, names_owner: bool) -> Self {
        Self {
            transfer: transfer.id,
            record: transfer.record,
            owner: names_owner.then(|| transfer.owner.clone()),
            receiver: transfer.receiver.clone(),
            state: transfer.state,
            urgent: transfer.urgent,
            face_to_face: transfer.urgent,
            opened_at: transfer.opened_at.to_rfc3339(),
            offered_at: time_text(transfer.offered_at),
            expires_at: transfer.expires_at.to_rfc3339(),
            safety_due_at: time_text(transfer.safety_due_at),
            safety_checked_at: time_text(transfer.safety_checked_at),
            escalated_at: time_text(transfer.escalated_at),
        }
    }

    /// As a party sees it: an asker learns the owner once the owner has offered.
    fn for_party(transfer: &Transfer, party: &OrganizationCode) -> Self {
        Self::of(transfer, transfer.owner == *party || transfer.offered_at.is_some())
    }
}

const MOST_LINES: i64 = 200;

/// `GET /v1/transfers`
///
/// # Errors
/// The database failed.
pub async fn list_transfers(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let mut tx = gateway.store.read().await?;
    let party = call.caller.organization();
    let transfers = store::transfers::of_party(&mut tx, party, MOST_LINES).await?;
    let transfers = transfers.iter().map(|transfer| TransferLine::for_party(transfer, party)).collect();
    Ok(Answer::message(StatusCode::OK, &TransferLines { transfers }))
}

/// `GET /v1/transfers/{id}`: what it states and what people wrote to it. The record itself is read as a record.
///
/// # Errors
/// [`Error::NotFound`] for anybody but its parties.
pub async fn view_transfer(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let party = call.caller.organization();
    let mut tx = gateway.store.read().await?;
    let transfer = store::transfers::find(&mut tx, id)
        .await?
        .filter(|transfer| transfer.owner == *party || transfer.receiver == *party);
    let Some(transfer) = transfer else {
        drop(tx);
        return Err(refuse_read(gateway, &call, Act::TransferPreview, id, Error::NotFound("transfer")).await);
    };
    let note = store::transfers::note(&mut tx, &gateway.vault, id).await?;
    drop(tx);
    let mut entry = entry_of(gateway, &call, Act::TransferPreview, &transfer, transfer.version.unwrap_or(0));
    if transfer.receiver == *party && transfer.offered_at.is_none() {
        // The asker reads its own request back; until the owner offers, it is not told who that is.
        (entry.owner, entry.record, entry.record_version) = (None, None, None);
    }
    let disclosed =
        gateway.gate.disclose_whole(entry, LegalBasis::AbusePreventionArticle13_4, call.decided_at, note).await?;
    Ok(Answer::disclosed_beside("note", &disclosed, &TransferLine::for_party(&transfer, party)))
}

/// Why a transfer ends.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndReason {
    /// 1 to 2,000 characters.
    pub reason: String,
}

/// `POST /v1/transfers/{id}/confirm`: it is the child; everything provided may now be read.
///
/// # Errors
/// [`Error::TransferStep`] in another state.
pub async fn confirm_transfer(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    step(gateway, call, Act::TransferConfirm, Step::Confirm, InboxKind::TransferConfirmed, None).await
}

/// `POST /v1/transfers/{id}/take-over`: the receiver becomes the one owner.
///
/// # Errors
/// [`Error::TransferStep`] in another state.
pub async fn take_over(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    step(gateway, call, Act::TransferTakeOver, Step::TakeOver, InboxKind::TransferTakenOver, None).await
}

/// `POST /v1/transfers/{id}/reject`
///
/// # Errors
/// [`Error::TransferStep`] in another state.
pub async fn reject_transfer(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let EndReason { reason } = call.json()?;
    written("reason", &reason, 2_000)?;
    step(gateway, call, Act::TransferReject, Step::Reject, InboxKind::TransferRejected, Some(reason)).await
}

/// `POST /v1/transfers/{id}/withdraw`
///
/// # Errors
/// [`Error::TransferStep`] in another state.
pub async fn withdraw_transfer(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let EndReason { reason } = call.json()?;
    written("reason", &reason, 2_000)?;
    step(gateway, call, Act::TransferWithdraw, Step::Withdraw, InboxKind::TransferWithdrawn, Some(reason)).await
}

async fn step(
    gateway: &Arc<Gateway>,
    call: Call,
    act: Act,
    step: Step,
    kind: InboxKind,
    reason: Option<String>,
) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let (mut transfer, side) = party_transfer(tx, &node, &call, act, id).await?;
            let Some(state) = after(transfer.state, side, step) else {
                let error = Error::TransferStep { state: transfer.state };
                return Err(declined(&node, &call, act, Some(transfer.record), error));
            };
            transfer.state = state;
            if matches!(state, TransferState::Confirmed | TransferState::TakenOver) {
                not_against_shield(tx, &node, &call, act, &transfer).await?;
            }
            let mut note = store::transfers::open_note(tx, &node.vault, id).await?;
            note.end_reason = reason;
            store::transfers::put(tx, &node.vault, &transfer, &note).await?;
            let mut index = None;
            if state == TransferState::TakenOver {
                index = Some(change_owner(tx, &node, &call, &transfer).await?);
            }
            let mut entry = entry_of(&node, &call, act, &transfer, transfer.version.unwrap_or(0));
            if side == Side::Receiver && transfer.offered_at.is_none() {
                (entry.owner, entry.record, entry.record_version) = (None, None, None);
            }
            let other = if side == Side::Owner { &transfer.receiver } else { &transfer.owner };
            let mut told = InboxItem::new(other.clone(), kind).record(transfer.record).subject(id).because_of(&entry);
            // An owner that declines before it ever offered is not named: its name may be a location.
            if side == Side::Receiver || transfer.offered_at.is_some() {
                told = told.from(&call.caller);
            }
            let mut effect =
                Effect::new(TransferLine::for_party(&transfer, call.caller.organization()), entry).tell([told]);
            // First the index: who decides in the new epoch finds the new owner.
            if let Some(change) = index {
                effect = effect.then(Change::Index(change));
            }
            Ok(effect.then(Change::Visibility(Scope::Record(transfer.record))))
        })
    })
    .await
}

/// A shield set since the offer holds the transfer up until the owner names the receiver: whoever takes the record
/// over has its address.
async fn not_against_shield(
    tx: &mut Tx,
    node: &Gateway,
    call: &Call,
    act: Act,
    transfer: &Transfer,
) -> Result<(), Declined> {
    let stored = store::records::find(tx, transfer.record).await?.ok_or(StoreError::Corrupt("record of a transfer"))?;
    let shield = &stored.facts.shield;
    if shield.active && !shield.named.contains(&transfer.receiver) {
        return Err(declined(node, call, act, Some(transfer.record), Error::ShieldForbids));
    }
    Ok(())
}

/// A transfer of the caller's, and on which side it stands.
async fn party_transfer(
    tx: &mut Tx,
    node: &Gateway,
    call: &Call,
    act: Act,
    id: Uuid,
) -> Result<(Transfer, Side), Declined> {
    let party = call.caller.organization();
    match store::transfers::find(tx, id).await? {
        Some(transfer) if transfer.owner == *party => Ok((transfer, Side::Owner)),
        Some(transfer) if transfer.receiver == *party => Ok((transfer, Side::Receiver)),
        _ => Err(declined(node, call, act, Some(id), Error::NotFound("transfer"))),
    }
}

/// Makes the receiver the owner: the one place in which a record changes hands. What was not provided, and the
/// reporter, stay behind with the former owner's versions.
async fn change_owner(tx: &mut Tx, node: &Gateway, call: &Call, transfer: &Transfer) -> Result<IndexChange, Declined> {
    let id = transfer.record;
    let stored = store::records::find(tx, id).await?.ok_or(StoreError::Corrupt("record of a transfer"))?;
    if stored.facts.owner != transfer.owner {
        return Err(declined(
            node,
            call,
            Act::TransferTakeOver,
            Some(id),
            Error::TransferStep { state: transfer.state },
        ));
    }
    let now = node.clock.now();
    let version = stored.facts.version + 1;
    let key = node.vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
    let document = handed_over(store::versions::current(tx, &node.vault, &stored).await?, transfer.groups);
    let items = IndexItems::of(&document).ok_or(StoreError::Corrupt("index section"))?;
    let body = store::versions::seal_version(&key, id, version, &document, &items)?;
    let sealed_key = node.vault.rewrap(&stored.prefecture, transfer.receiver.prefecture(), id, &stored.sealed_key)?;
    let provided = Provided {
        version: transfer.version.unwrap_or(stored.facts.version),
        groups: transfer.groups,
        at: transfer.offered_at.unwrap_or(now),
    };
    if !transfer.groups.contains(ItemGroup::Attachments) {
        store::attachments::withhold_all(tx, &transfer.owner, id).await?;
    }
    let facts = RecordFacts {
        owner: transfer.receiver.clone(),
        version,
        owned_since: version,
        // The case goes on where the family is.
        closed: false,
        ..stored.facts.clone()
    };
    store::accounts::check_wrapped(tx, transfer.receiver.prefecture(), &sealed_key).await?;
    store::records::set_owner(tx, &stored.facts, &facts.owner, &sealed_key, version, now).await?;
    store::versions::insert_version(tx, &facts, &body, &call.caller, "taken_over", now).await?;
    store::records::update_facts(tx, &facts, now).await?;
    store::records::set_shield_lift(tx, &facts, None).await?;
    store::edit_locks::remove(tx, id).await?;
    store::transfers::readdress_requests(tx, id, &facts.owner).await?;
    store::oversight::readdress_inquiries(tx, id, &facts.owner).await?;
    store::records::remember_provision(tx, id, &transfer.owner, &provided).await?;
    Ok(IndexChange::Put(Box::new(PackedRecord::new(facts, &items))))
}

/// The sections that pass to the new owner: those provided, and those without which there is no record.
fn handed_over(document: Document, provided: GroupSet) -> Document {
    let always = GroupSet::of([ItemGroup::Index, ItemGroup::Contact, ItemGroup::Officer, ItemGroup::Shielded]);
    let kept = provided.union(always).without(GroupSet::of([ItemGroup::Reporter]));
    document.retain(|group| kept.contains(group))
}

/// `POST /v1/transfers/{id}/safety-check`: the receiver has seen the child.
///
/// # Errors
/// [`Error::TransferStep`] where the transfer is not urgent or was never offered.
pub async fn check_safety(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let act = Act::TransferSafetyCheck;
            let (mut transfer, side) = party_transfer(tx, &node, &call, act, id).await?;
            let possible = side == Side::Receiver
                && transfer.safety_due_at.is_some()
                && matches!(
                    transfer.state,
                    TransferState::Offered | TransferState::Confirmed | TransferState::TakenOver
                );
            if !possible {
                let error = Error::TransferStep { state: transfer.state };
                return Err(declined(&node, &call, act, Some(transfer.record), error));
            }
            transfer.safety_checked_at = transfer.safety_checked_at.or(Some(node.clock.now()));
            let note = store::transfers::open_note(tx, &node.vault, id).await?;
            store::transfers::put(tx, &node.vault, &transfer, &note).await?;
            let entry = entry_of(&node, &call, act, &transfer, transfer.version.unwrap_or(0));
            let told = InboxItem::new(transfer.owner.clone(), InboxKind::SafetyCheckDone)
                .record(transfer.record)
                .subject(id)
                .from(&call.caller)
                .because_of(&entry);
            Ok(Effect::new(TransferLine::of(&transfer, true), entry).tell([told]))
        })
    })
    .await
}
