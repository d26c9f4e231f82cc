//! Updates a case record (児童記録票の更新). Every version is kept.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    edit_lock::not_locked,
    register_record::Written,
    registration::{Checked, check, notify_of_change},
    rules,
    shield_record::end_asked,
};
use crate::{
    disclosure::done::Done,
    domain::{case_record::RecordFacts, format::Document, idempotency::Idempotency},
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
    store::{self, tx::Tx},
};

/// A new version of a record of the caller's.
pub struct UpdateRecord {
    pub record: Uuid,
    /// The version that the document was made from.
    pub version: i64,
    pub document: Document,
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
    UpdateRecord { record, version, document, idempotency }: UpdateRecord,
) -> Result<Done<Written>, Error> {
    let checked = check(gateway, &document)?;
    let acting = Acting::new(gateway, caller, Act::Update);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move { write_next(tx, &acting, (record, version), &document, checked).await })
    })
    .await
}

async fn write_next(
    tx: &mut Tx,
    acting: &Acting,
    (id, sent): (Uuid, i64),
    document: &Document,
    Checked { items, derived }: Checked,
) -> Result<Effect<Written>, Declined> {
    let stored = acting.own_record(tx, id).await?;
    if stored.facts.closed {
        return Err(acting.declined(id, RecordError::Closed));
    }
    not_locked(tx, acting, &stored.facts).await?;
    check_version(sent, stored.facts.version).map_err(|error| acting.declined(id, error))?;
    if stored.facts.shield.active && !derived.shield.active {
        return Err(acting.declined(id, RecordError::ShieldNeedsTwo));
    }
    if !rules::document_names_none_but(document, &stored.facts.shield) {
        return Err(acting.declined(id, SharpError::NamingNeedsTwo));
    }
    let node = &acting.node;
    let now = node.clock.now();
    let version = stored.facts.version + 1;
    if stored.facts.shield.active {
        let present = store::versions::current(tx, &node.vault, &stored).await?;
        if present.shield_digest() != document.shield_digest() {
            end_asked(tx, acting, &stored.facts, None).await?;
        }
    }
    let key = node.vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
    let body = store::versions::seal_version(&key, id, version, document, &items)?;
    let changes_sight = derived != stored.facts.derived;
    let facts = RecordFacts { version, derived, ..stored.facts };
    store::versions::insert_version(tx, &facts, &body, &acting.caller, "updated", now).await?;
    store::records::update_facts(tx, &facts, now).await?;
    store::accounts::set_uploaded(tx, &facts.owner, now).await?;
    let entry = acting.owner_entry(&facts);
    let notified = notify_of_change(node, &acting.caller, &facts, &items, (InboxKind::RecordUpdated, &entry));
    let owner = facts.owner.clone();
    let mut effect = Effect::new(Written { record: id, version }, entry)
        .log(notified.entries)
        .tell(notified.inbox)
        .then(Change::Index(IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))))
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
