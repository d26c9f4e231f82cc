//! Transfers of a record to another body (情報提供・ケース移管).

pub mod take_over_record;
pub mod transfer_offer;
pub mod transfer_steps;
pub mod view_transfer;

use crate::{
    domain::{
        case_record::RecordFacts,
        organization::OrganizationCode,
        purpose::Purpose,
        transfer::{Side, StepRefused, Transfer},
        visibility::Relation,
    },
    error::{Error, RecordError, TransferError},
    identity::Caller,
    journal::journal::Declined,
    ledger::entry::{Entry, RecordRef},
    operations::Acting,
};

impl From<StepRefused> for Error {
    fn from(StepRefused { state }: StepRefused) -> Self {
        TransferError::Step { state }.into()
    }
}

/// An entry of a party about a transfer. It does not tell an asker whose record it is before the owner has offered.
fn about_transfer(entry: Entry, party: &Caller, transfer: &Transfer) -> Entry {
    let is_owner = transfer.side_of(party.organization()) == Some(Side::Owner);
    let relation = if is_owner { Relation::Owner } else { Relation::ReceiverPreview };
    let entry = entry.as_relation(relation).about(transfer.id).for_purpose(Purpose::Transfer);
    let version = transfer.offered().map(|offer| offer.version);
    if !is_owner && version.is_none() {
        return entry;
    }
    // A request has no version.
    entry.on(&RecordRef { record: transfer.record, version: version.unwrap_or(0), owner: transfer.owner.clone() })
}

/// A shield holds a transfer up until the owner names the receiver: whoever takes the record over has its address.
fn not_against_shield(acting: &Acting, facts: &RecordFacts, receiver: &OrganizationCode) -> Result<(), Declined> {
    if facts.shield.active && !facts.shield.named.contains(receiver) {
        return Err(acting.declined(facts.id, RecordError::ShieldForbids));
    }
    Ok(())
}
