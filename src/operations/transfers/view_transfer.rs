//! Views a transfer, and lists them. The record itself is read as a record.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::about_transfer;
use crate::{
    clock::Timestamp,
    disclosure::{
        done::{CarriesNoRecordData, Done},
        gate::{Disclosed, With},
    },
    domain::{
        organization::OrganizationCode,
        transfer::{Transfer, TransferState},
        transfer_note::TransferNote,
        visibility::LegalBasis,
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::entry::{Act, Entry},
    operations::refuse_read,
    store,
};

/// A transfer as its parties see it: ids, states and times.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
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

impl TransferLine {
    pub(super) fn of(transfer: &Transfer, names_owner: bool) -> Self {
        let offer = transfer.offered();
        let safety = offer.and_then(|offer| offer.safety.as_ref());
        let is_urgent = safety.is_some();
        Self {
            transfer: transfer.id,
            record: transfer.record,
            owner: names_owner.then(|| transfer.owner.clone()),
            receiver: transfer.receiver.clone(),
            state: transfer.state(),
            urgent: is_urgent,
            face_to_face: is_urgent,
            opened_at: transfer.opened_at.to_rfc3339(),
            offered_at: offer.map(|offer| offer.offered_at.to_rfc3339()),
            expires_at: transfer.expires_at.to_rfc3339(),
            safety_due_at: safety.map(|safety| safety.due_at.to_rfc3339()),
            safety_checked_at: safety.and_then(|safety| safety.checked_at).map(Timestamp::to_rfc3339),
            escalated_at: safety.and_then(|safety| safety.escalated_at).map(Timestamp::to_rfc3339),
        }
    }

    /// As a party sees it: an asker learns the owner once the owner has offered.
    pub(super) fn for_party(transfer: &Transfer, party: &OrganizationCode) -> Self {
        Self::of(transfer, transfer.owner == *party || transfer.offered().is_some())
    }
}

/// The transfers of an organization.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct TransferLines {
    pub transfers: Vec<TransferLine>,
}

const MAX_LINES: i64 = 200;

/// Lists the transfers to which the caller is a party, newest first.
///
/// # Errors
/// The database failed.
pub async fn list_transfers(gateway: &Gateway, caller: &Caller) -> Result<Done<TransferLines>, Error> {
    let mut tx = gateway.store.read().await?;
    let party = caller.organization();
    let transfers = store::transfers::of_party(&mut tx, party, MAX_LINES).await?;
    let transfers = transfers.iter().map(|transfer| TransferLine::for_party(transfer, party)).collect();
    Ok(Done::told(TransferLines { transfers }))
}

/// A transfer is asked for.
pub struct ViewTransfer {
    pub transfer: Uuid,
}

/// Shows what a transfer states and what people wrote to it.
///
/// # Errors
/// [`Error::NotFound`] for anybody but its parties.
pub async fn view_transfer(
    gateway: &Gateway,
    caller: &Caller,
    ViewTransfer { transfer: id }: ViewTransfer,
) -> Result<Disclosed<With<TransferNote, TransferLine>>, Error> {
    let party = caller.organization();
    let mut tx = gateway.store.read().await?;
    let found = store::transfers::find(&mut tx, id).await?.filter(|found| found.side_of(party).is_some());
    let entry = Entry::of(caller, Act::TransferPreview, &gateway.clock);
    let Some(transfer) = found else {
        drop(tx);
        return Err(refuse_read(gateway, caller, entry.about(id), Error::NotFound("transfer")).await);
    };
    let note = store::transfers::note(&mut tx, &gateway.vault, id).await?;
    drop(tx);
    let (entry, basis) = (about_transfer(entry, caller, &transfer), LegalBasis::AbusePreventionArticle13_4);
    let disclosed = gateway.gate.whole(caller, entry, basis, note).await?;
    Ok(disclosed.with(TransferLine::for_party(&transfer, party)))
}
