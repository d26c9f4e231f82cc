//! Closes a case record (終結). It stays to be found: that there was a case is what a later search asks for.

use std::sync::Arc;

use axum::http::StatusCode;

use super::{edit_lock, register_record::Written};
use crate::{
    domain::{case_record::RecordFacts, relation::counterpart_of, visibility::Relation},
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry, RecordRef},
    operations::{carry_out, declined, own_record},
    search::index::IndexChange,
    store,
    wire::{answer::Answer, call::Call},
};

/// `POST /v1/records/{id}/close` with `If-Match: "VERSION"`
///
/// # Errors
/// [`Error::StaleVersion`], [`Error::Closed`].
pub async fn close_record(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let sent = call.if_match()?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let stored = own_record(tx, &node, &call, Act::Close, id).await?;
            let current = stored.facts.version;
            if stored.facts.closed {
                return Err(declined(&node, &call, Act::Close, Some(id), Error::Closed));
            }
            edit_lock::not_locked(tx, &node, &call, Act::Close, &stored.facts).await?;
            if current != sent {
                return Err(declined(&node, &call, Act::Close, Some(id), Error::StaleVersion { sent, current }));
            }
            let now = node.clock.now();
            let facts = RecordFacts { closed: true, ..stored.facts };
            store::records::update_facts(tx, &facts, now).await?;
            let entry = Entry::of(&call.caller, Act::Close, &node.clock)
                .on(&RecordRef { record: id, version: current, owner: facts.owner.clone() })
                .as_relation(Relation::Owner);
            let told = counterpart_of(&facts, &node.registry, now.day_in_japan())
                .map(|to| InboxItem::new(to, InboxKind::RecordClosed).record(id).because_of(&entry));
            Ok(Effect::new(Written { record: id, version: current }, entry)
                .tell(told)
                .then(Change::Index(IndexChange::Facts(Box::new(facts))))
                .then(Change::Visibility(Scope::Record(id))))
        })
    })
    .await
}
