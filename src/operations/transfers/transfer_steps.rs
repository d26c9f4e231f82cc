//! The later steps of a transfer: confirm, take over, reject, withdraw, safety check.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{about_transfer, not_against_shield, take_over_record::change_owner, view_transfer::TransferLine};
use crate::{
    disclosure::done::Done,
    domain::{
        idempotency::Idempotency,
        transfer::{Side, Stage, StepRefused, Transfer},
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, written},
    store::{self, error::StoreError, tx::Tx},
};

/// A transfer is to go a step further.
pub struct MoveTransfer {
    pub transfer: Uuid,
    pub idempotency: Idempotency,
}

/// Why a transfer ends.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndReason {
    /// 1 to 2,000 characters.
    pub reason: String,
}

/// A transfer is to end without being taken over.
pub struct EndTransfer {
    pub transfer: Uuid,
    pub reason: EndReason,
    pub idempotency: Idempotency,
}

/// Confirms that it is the child; everything provided may now be read.
///
/// # Errors
/// [`TransferError::Step`] in another state.
pub async fn confirm_transfer(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    asked: MoveTransfer,
) -> Result<Done<TransferLine>, Error> {
    let acting = Acting::new(gateway, caller, Act::TransferConfirm);
    let step = PlannedStep { take: Transfer::confirm, tells: InboxKind::TransferConfirmed, reason: None };
    carry_out_step(acting, step, asked).await
}

/// Makes the receiver the one owner.
///
/// # Errors
/// [`TransferError::Step`] in another state.
pub async fn take_over(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    asked: MoveTransfer,
) -> Result<Done<TransferLine>, Error> {
    let acting = Acting::new(gateway, caller, Act::TransferTakeOver);
    let step = PlannedStep { take: Transfer::take_over, tells: InboxKind::TransferTakenOver, reason: None };
    carry_out_step(acting, step, asked).await
}

/// Declines a request or an offer.
///
/// # Errors
/// [`TransferError::Step`] in another state.
pub async fn reject_transfer(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    EndTransfer { transfer, reason: EndReason { reason }, idempotency }: EndTransfer,
) -> Result<Done<TransferLine>, Error> {
    written("reason", &reason, 2_000)?;
    let acting = Acting::new(gateway, caller, Act::TransferReject);
    let step = PlannedStep { take: Transfer::reject, tells: InboxKind::TransferRejected, reason: Some(reason) };
    carry_out_step(acting, step, MoveTransfer { transfer, idempotency }).await
}

/// Takes one's own request or offer back.
///
/// # Errors
/// [`TransferError::Step`] in another state.
pub async fn withdraw_transfer(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    EndTransfer { transfer, reason: EndReason { reason }, idempotency }: EndTransfer,
) -> Result<Done<TransferLine>, Error> {
    written("reason", &reason, 2_000)?;
    let acting = Acting::new(gateway, caller, Act::TransferWithdraw);
    let step = PlannedStep { take: Transfer::withdraw, tells: InboxKind::TransferWithdrawn, reason: Some(reason) };
    carry_out_step(acting, step, MoveTransfer { transfer, idempotency }).await
}

/// A step, and what the other side is told.
struct PlannedStep {
    take: fn(Transfer, Side) -> Result<Transfer, StepRefused>,
    tells: InboxKind,
    /// Where it ends the transfer.
    reason: Option<String>,
}

async fn carry_out_step(
    acting: Acting,
    step: PlannedStep,
    MoveTransfer { transfer: id, idempotency }: MoveTransfer,
) -> Result<Done<TransferLine>, Error> {
    let (node, caller) = (acting.node.clone(), acting.caller.clone());
    carry_out(&node, &caller, idempotency, move |tx| Box::pin(async move { take_step(tx, &acting, id, step).await }))
        .await
}

async fn take_step(
    tx: &mut Tx,
    acting: &Acting,
    id: Uuid,
    step: PlannedStep,
) -> Result<Effect<TransferLine>, Declined> {
    let (node, caller) = (&acting.node, &acting.caller);
    let (transfer, side) = party_transfer(tx, acting, id).await?;
    let record = transfer.record;
    let transfer = (step.take)(transfer, side).map_err(|refused| acting.declined(record, refused))?;
    if matches!(transfer.stage, Stage::Confirmed(_) | Stage::TakenOver(_)) {
        // One may have been set since the offer.
        let stored = store::records::find(tx, record).await?.ok_or(StoreError::Corrupt("record of a transfer"))?;
        not_against_shield(acting, &stored.facts, &transfer.receiver)?;
    }
    let mut note = store::transfers::open_note(tx, &node.vault, id).await?;
    note.end_reason = step.reason;
    store::transfers::put(tx, &node.vault, &transfer, &note).await?;
    let index = match &transfer.stage {
        Stage::TakenOver(offer) => Some(change_owner(tx, acting, &transfer, offer).await?),
        _ => None,
    };
    let entry = about_transfer(acting.entry(), caller, &transfer);
    let other = if side == Side::Owner { &transfer.receiver } else { &transfer.owner };
    let mut told = InboxItem::new(other.clone(), step.tells).record(record).subject(id).because_of(&entry);
    // An owner that declines before it ever offered is not named: its name may be a location.
    if side == Side::Receiver || transfer.offered().is_some() {
        told = told.from(caller);
    }
    let mut effect = Effect::new(TransferLine::for_party(&transfer, caller.organization()), entry).tell([told]);
    // First the index: who decides in the new epoch finds the new owner.
    if let Some(change) = index {
        effect = effect.then(Change::Index(change));
    }
    Ok(effect.then(Change::Visibility(Scope::Record(record))))
}

/// A transfer of the caller's, and the caller's side of it.
async fn party_transfer(tx: &mut Tx, acting: &Acting, id: Uuid) -> Result<(Transfer, Side), Declined> {
    let found = store::transfers::find(tx, id).await?;
    let party = acting.caller.organization();
    match found.map(|transfer| (transfer.side_of(party), transfer)) {
        Some((Some(side), transfer)) => Ok((transfer, side)),
        _ => Err(acting.declined(id, Error::NotFound("transfer"))),
    }
}

/// Notes that the receiver has seen the child.
///
/// # Errors
/// [`TransferError::Step`] where the transfer is not urgent or was never offered.
pub async fn check_safety(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    MoveTransfer { transfer: id, idempotency }: MoveTransfer,
) -> Result<Done<TransferLine>, Error> {
    let acting = Acting::new(gateway, caller, Act::TransferSafetyCheck);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let (transfer, side) = party_transfer(tx, &acting, id).await?;
            let (node, record) = (&acting.node, transfer.record);
            let transfer =
                transfer.check_safety(side, node.clock.now()).map_err(|refused| acting.declined(record, refused))?;
            let note = store::transfers::open_note(tx, &node.vault, id).await?;
            store::transfers::put(tx, &node.vault, &transfer, &note).await?;
            let entry = about_transfer(acting.entry(), &acting.caller, &transfer);
            let told = InboxItem::new(transfer.owner.clone(), InboxKind::SafetyCheckDone)
                .record(record)
                .subject(id)
                .from(&acting.caller)
                .because_of(&entry);
            Ok(Effect::new(TransferLine::of(&transfer, true), entry).tell([told]))
        })
    })
    .await
}
