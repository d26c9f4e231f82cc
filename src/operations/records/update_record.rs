//! Updates a case record (児童記録票の更新). Every version is kept.

use axum::http::StatusCode;

use super::{
    edit_lock, record_rules,
    register_record::{Written, told_of_change},
};
use crate::{
    domain::{
        case_record::{DerivedFacts, IndexItems, RecordFacts},
        visibility::Relation,
    },
    error::Error,
    gateway::Gateway,
    identity::directory::DirectoryChange,
    journal::{inbox::InboxKind, journal::Effect, memory::Change, recent::Scope},
    ledger::entry::{Act, Entry, RecordRef},
    operations::{carry_out, declined, own_record},
    planted::Planted,
    search::{index::IndexChange, records::PackedRecord},
    store::{self, error::StoreError},
    wire::{answer::Answer, call::Call},
};

/// `PUT /v1/records/{id}` with `If-Match: "VERSION"`
///
/// # Errors
/// [`Error::StaleVersion`] with both versions named; the faults of the document.
pub async fn update_record(gateway: &std::sync::Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let sent = call.if_match()?;
    let acting = call.acting()?;
    let document = call.document().await?;
    record_rules::check(&document, &gateway.registry, gateway.clock.today_in_japan())?;
    let (Some(items), Some(derived)) = (IndexItems::of(&document), DerivedFacts::of(&document)) else {
        return Err(StoreError::Corrupt("a validated document without index or contact").into());
    };
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let stored = own_record(tx, &node, &call, Act::Update, id).await?;
            let current = stored.facts.version;
            let refuse = |error| Err(declined(&node, &call, Act::Update, Some(id), error));
            if stored.facts.closed {
                return refuse(Error::Closed);
            }
            edit_lock::not_locked(tx, &node, &call, Act::Update, &stored.facts).await?;
            if current != sent && !Planted::IgnoreIfMatch.is_planted() {
                return refuse(Error::StaleVersion { sent, current });
            }
            if stored.facts.shield.active && !derived.shield.active {
                return refuse(Error::ShieldNeedsTwo);
            }
            let now = node.clock.now();
            let version = current + 1;
            let key = node.vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
            let body = store::versions::seal_version(&key, id, version, &document, &items)?;
            let visibility_changed = derived != stored.facts.derived;
            let facts = RecordFacts { version, derived, ..stored.facts };
            store::versions::insert_version(tx, &facts, &body, &call.caller, "updated", now).await?;
            store::records::update_facts(tx, &facts, now).await?;
            store::accounts::set_uploaded(tx, &facts.owner, now).await?;
            let entry = Entry::of(&call.caller, Act::Update, &node.clock)
                .on(&RecordRef { record: id, version, owner: facts.owner.clone() })
                .as_relation(Relation::Owner);
            let told = told_of_change(&node, &call.caller, &facts, &items, InboxKind::RecordUpdated, &entry);
            let owner = facts.owner.clone();
            let mut effect = Effect::new(Written { record: id, version }, entry)
                .log(told.entries)
                .tell(told.inbox)
                .then(Change::Index(IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))))
                .then(Change::Directory(DirectoryChange::Uploaded(owner, now)));
            if visibility_changed {
                effect = effect.then(Change::Visibility(Scope::Record(id)));
            }
            Ok(effect)
        })
    })
    .await
}
