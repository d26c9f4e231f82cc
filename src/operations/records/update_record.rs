//! Updates a case record (児童記録票の更新). Every version is kept.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    edit_lock::not_locked, register_record::Written, registration::notify_of_change, rules, shield_record::end_asked,
};
use crate::{
    disclosure::{done::Done, sealed::Sealed},
    domain::{
        case_record::{IndexItems, RecordFacts},
        format::Document,
        idempotency::Idempotency,
        visibility::GroupSet,
    },
    error::{Error, RecordError, SharpError},
    gateway::Gateway,
    identity::{Caller, directory::DirectoryChange},
    journal::{
        inbox::InboxKind,
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out},
    planted::Planted,
    search::{index::IndexChange, records::PackedRecord},
    store::{self, error::StoreError, tx::Tx},
};

/// A new version of a record of the caller's.
pub struct UpdateRecord {
    pub record: Uuid,
    /// The version that the document was made from.
    pub version: i64,
    pub document: Document,
    /// Groups of which the document has no section: these stay as they are.
    pub keeps: GroupSet,
    pub idempotency: Idempotency,
}

/// Writes the next version of a record.
///
/// # Errors
/// [`RecordError::StaleVersion`] with both versions named; the faults of the document; a shield that is gone, or that
/// names more bodies, needs two persons.
pub async fn update_record(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    UpdateRecord { record, version, document, keeps, idempotency }: UpdateRecord,
) -> Result<Done<Written>, Error> {
    rules::check(&document, &gateway.registry, gateway.clock.today_in_japan())?;
    let items = IndexItems::of(&document).ok_or(StoreError::Corrupt("a validated document without index"))?;
    let acting = Acting::new(gateway, caller, Act::Update);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move { write_next(tx, &acting, (record, version), (document, keeps), &items).await })
    })
    .await
}

/// A document with the sections that stay as they are.
fn keeping(present: Document, (document, keeps): (Document, GroupSet)) -> Document {
    keeps.iter().fold(document, |document, group| document.with_section(group, present.section(group).cloned()))
}

async fn write_next(
    tx: &mut Tx,
    acting: &Acting,
    (id, sent): (Uuid, i64),
    (document, keeps): (Document, GroupSet),
    items: &IndexItems,
) -> Result<Effect<Written>, Declined> {
    let stored = acting.own_record(tx, id).await?;
    if stored.facts.closed {
        return Err(acting.declined(id, RecordError::Closed));
    }
    not_locked(tx, acting, &stored.facts).await?;
    check_version(sent, stored.facts.version).map_err(|error| acting.declined(id, error))?;
    let node = &acting.node;
    let (was_shielded, names_none) =
        (stored.facts.shield.active, rules::document_names_none_but(&document, &stored.facts.shield));
    let (next, shield_before) = if was_shielded || !keeps.is_empty() {
        let present = store::versions::current(tx, &node.vault, &stored).await?;
        let shield_before = present.shield_digest();
        (present.map((document, keeps), keeping), shield_before)
    } else {
        (Sealed::new(document), None)
    };
    let derived = next.facts().ok_or(StoreError::Corrupt("record facts"))?;
    if was_shielded && !derived.shield.active {
        return Err(acting.declined(id, RecordError::ShieldNeedsTwo));
    }
    if !names_none {
        return Err(acting.declined(id, SharpError::NamingNeedsTwo));
    }
    let now = node.clock.now();
    let version = stored.facts.version + 1;
    if was_shielded && shield_before != next.shield_digest() {
        end_asked(tx, acting, &stored.facts, None).await?;
    }
    let key = node.vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
    let (body, _) = store::versions::seal_again(&key, id, version, &next)?;
    let changes_sight = derived != stored.facts.derived;
    let facts = RecordFacts { version, derived, ..stored.facts };
    store::versions::insert_version(tx, &facts, &body, &acting.caller, "updated", now).await?;
    store::records::update_facts(tx, &facts, now).await?;
    store::accounts::set_uploaded(tx, &facts.owner, now).await?;
    let entry = acting.owner_entry(&facts);
    let notified = notify_of_change(node, &acting.caller, &facts, items, (InboxKind::RecordUpdated, &entry));
    let owner = facts.owner.clone();
    let mut effect = Effect::new(Written { record: id, version }, entry)
        .log(notified.entries)
        .tell(notified.inbox)
        .then(Change::Index(IndexChange::Put(Box::new(PackedRecord::new(facts, items)))))
        .then(Change::Directory(DirectoryChange::Uploaded(owner, now)));
    if changes_sight {
        effect = effect.then(Change::Visibility(Scope::Record(id)));
    }
    Ok(effect)
}

/// Whoever changes a record has read the version that is current.
///
/// # Errors
/// [`RecordError::StaleVersion`]
pub(super) fn check_version(sent: i64, current: i64) -> Result<(), Error> {
    if Planted::IgnoreIfMatch.is_planted() {
        return Ok(());
    }
    if sent == current { Ok(()) } else { Err(RecordError::StaleVersion { sent, current }.into()) }
}
