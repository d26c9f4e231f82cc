//! Makes the receiver of a transfer the owner of its record: the one place in which a record changes hands.

use crate::{
    domain::{
        case_record::{Provided, RecordFacts},
        format::Document,
        transfer::{Offer, Transfer},
        visibility::{GroupSet, ItemGroup},
    },
    error::TransferError,
    journal::journal::Declined,
    operations::{
        Acting,
        waiting::begin::{OF_SHIELD, end_about},
    },
    search::index::IndexChange,
    store::{self, error::StoreError, tx::Tx},
};

/// Hands the record over as it was offered. What was not provided, and the reporter, stay behind with the former owner's
/// versions.
pub(super) async fn change_owner(
    tx: &mut Tx,
    acting: &Acting,
    transfer: &Transfer,
    offer: &Offer,
) -> Result<IndexChange, Declined> {
    let (id, node) = (transfer.record, &acting.node);
    let stored = store::records::find(tx, id).await?.ok_or(StoreError::Corrupt("record of a transfer"))?;
    if stored.facts.owner != transfer.owner {
        return Err(acting.declined(id, TransferError::Step { state: transfer.state() }));
    }
    let now = node.clock.now();
    let version = stored.facts.version + 1;
    let key = node.vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
    let document = store::versions::current(tx, &node.vault, &stored).await?.map(offer.groups, handed_over);
    let (body, items) = store::versions::seal_again(&key, id, version, &document)?;
    let sealed_key = node.vault.rewrap(&stored.prefecture, transfer.receiver.prefecture(), id, &stored.sealed_key)?;
    if !offer.groups.contains(ItemGroup::Attachments) {
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
    store::versions::insert_version(tx, &facts, &body, &acting.caller, "taken_over", now).await?;
    store::records::update_facts(tx, &facts, now).await?;
    for asked in OF_SHIELD {
        end_about(tx, acting, &transfer.owner, (asked, &id.to_string())).await?;
    }
    store::edit_locks::remove(tx, id).await?;
    store::transfers::readdress_requests(tx, id, &facts.owner).await?;
    store::oversight::readdress_inquiries(tx, id, &facts.owner).await?;
    let provided = Provided { version: offer.version, groups: offer.groups, at: offer.offered_at };
    store::records::remember_provision(tx, id, &transfer.owner, &provided).await?;
    Ok(IndexChange::Put(Box::new(items.packed(facts))))
}

/// The sections that pass to the new owner: those provided, and those without which there is no record.
fn handed_over(document: Document, provided: GroupSet) -> Document {
    let always = GroupSet::of([ItemGroup::Index, ItemGroup::Contact, ItemGroup::Officer, ItemGroup::Shielded]);
    let kept = provided.union(always).without(GroupSet::of([ItemGroup::Reporter]));
    document.retain(|group| kept.contains(group))
}
