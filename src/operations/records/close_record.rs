//! Closes a case record (終結). It stays to be found: that there was a case is what a later search asks for.

use std::sync::Arc;

use uuid::Uuid;

use super::{edit_lock::not_locked, register_record::Written, update_record::check_version};
use crate::{
    disclosure::done::Done,
    domain::{case_record::RecordFacts, idempotency::Idempotency, relation::counterpart_of},
    error::{Error, RecordError},
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out},
    search::index::IndexChange,
    store,
};

/// A record of the caller's is to be closed.
pub struct CloseRecord {
    pub record: Uuid,
    /// The version that the caller has read.
    pub version: i64,
    pub idempotency: Idempotency,
}

/// Closes a record.
///
/// # Errors
/// [`RecordError::StaleVersion`], [`RecordError::Closed`].
pub async fn close_record(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    CloseRecord { record: id, version: sent, idempotency }: CloseRecord,
) -> Result<Done<Written>, Error> {
    let acting = Acting::new(gateway, caller, Act::Close);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let stored = acting.own_record(tx, id).await?;
            let version = stored.facts.version;
            if stored.facts.closed {
                return Err(acting.declined(id, RecordError::Closed));
            }
            not_locked(tx, &acting, &stored.facts).await?;
            check_version(sent, version).map_err(|error| acting.declined(id, error))?;
            let now = acting.node.clock.now();
            let facts = RecordFacts { closed: true, ..stored.facts };
            store::records::update_facts(tx, &facts, now).await?;
            let entry = acting.owner_entry(&facts);
            let told = counterpart_of(&facts, &acting.node.registry, now.day_in_japan())
                .map(|to| InboxItem::new(to, InboxKind::RecordClosed).record(id).because_of(&entry));
            Ok(Effect::new(Written { record: id, version }, entry)
                .tell(told)
                .then(Change::Index(IndexChange::Facts(Box::new(facts))))
                .then(Change::Visibility(Scope::Record(id))))
        })
    })
    .await
}
