//! Registers a case record (児童記録票の新規登録).

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::record_rules;
use crate::{
    domain::{
        case_record::{DerivedFacts, IndexItems, RecordFacts},
        relation::counterpart_of,
        visibility::Relation,
    },
    error::Error,
    gateway::Gateway,
    identity::{Caller, directory::DirectoryChange},
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
        memory::Change,
    },
    keys::vault::Key,
    ledger::entry::{Act, Entry, RecordRef},
    search::{index::IndexChange, records::PackedRecord},
    store::{self, error::StoreError},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// A record was written: its id and version.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Written {
    pub record: Uuid,
    pub version: i64,
}

impl CarriesNoRecordData for Written {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

/// `POST /v1/records`
///
/// # Errors
/// The faults of the document; nothing is registered then.
pub async fn register_record(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let idempotency = call.idempotency()?;
    let document = call.document().await?;
    record_rules::check(&document, &gateway.registry, gateway.clock.today_in_japan())?;
    let (Some(items), Some(derived)) = (IndexItems::of(&document), DerivedFacts::of(&document)) else {
        return Err(StoreError::Corrupt("a validated document without index or contact").into());
    };
    let id = gateway.clock.new_id();
    let caller = call.caller.clone();
    let facts = RecordFacts {
        id,
        owner: caller.organization().clone(),
        version: 1,
        owned_since: 1,
        closed: false,
        serious: false,
        derived,
    };
    let key = Key::generate()?;
    let sealed_key = gateway.vault.wrap(facts.owner.prefecture(), id, &key)?;
    let body = store::versions::seal_version(&key, id, 1, &document, &items)?;

    let now = gateway.clock.now();
    let entry = Entry::of(&caller, Act::Register, &gateway.clock)
        .on(&RecordRef { record: id, version: 1, owner: facts.owner.clone() })
        .as_relation(Relation::Owner);
    let node = gateway.clone();
    let (written, receipt) = gateway
        .journal
        .write(&call.caller, Some(idempotency), move |tx| {
            Box::pin(async move {
                store::accounts::check_wrapped(tx, facts.owner.prefecture(), &sealed_key).await?;
                store::records::insert(tx, &facts, &sealed_key, &body, now).await?;
                store::versions::insert_version(tx, &facts, &body, &caller, "registered", now).await?;
                store::accounts::set_uploaded(tx, &facts.owner, now).await?;
                let owner = facts.owner.clone();
                let told = told_of_change(&node, &caller, &facts, &items, InboxKind::RecordRegistered, &entry);
                Ok(Effect::new(Written { record: id, version: 1 }, entry)
                    .log(told.entries)
                    .tell(told.inbox)
                    .then(Change::Index(IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))))
                    .then(Change::Directory(DirectoryChange::Uploaded(owner, now))))
            })
        })
        .await?;
    Ok(Answer::message(StatusCode::CREATED, &written).with_entries(receipt.entries()))
}

/// Who is told of a new or changed record, and the entries that account for telling.
pub struct Told {
    pub inbox: Vec<InboxItem>,
    pub entries: Vec<Entry>,
}

/// The counterpart is told of the change; issuers of missing-child notices, of a child that may be theirs. The latter
/// learn no more than a search would tell them, and the owner sees in the ledger that they were told.
pub fn told_of_change(
    gateway: &Gateway,
    caller: &Caller,
    facts: &RecordFacts,
    items: &IndexItems,
    kind: InboxKind,
    because: &Entry,
) -> Told {
    let day = gateway.clock.today_in_japan();
    let mut inbox: Vec<InboxItem> = counterpart_of(facts, &gateway.registry, day)
        .map(|to| InboxItem::new(to, kind).record(facts.id).from(caller).because_of(because))
        .into_iter()
        .collect();
    let mut entries = Vec::new();
    let matches = if facts.searchable { gateway.journal.memory().standing.registered(items) } else { Vec::new() };
    for (notice, issuer) in matches {
        let record = RecordRef { record: facts.id, version: facts.version, owner: facts.owner.clone() };
        let entry = Entry::of_gateway(Act::StandingMatch, &gateway.clock).on(&record).about(notice);
        let item = InboxItem::new(issuer, InboxKind::MissingChildRegistered).subject(notice).record(facts.id);
        // Who registered a shielded child is itself a location.
        inbox.push(if facts.shield.active { item } else { item.from(caller) });
        entries.push(entry);
    }
    Told { inbox, entries }
}
