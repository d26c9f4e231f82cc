//! Registers a case record (児童記録票の新規登録).

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::record_rules;
use crate::{
    disclosure::{
        entry::{Act, Entry, RecordRef},
        journal::{Change, Effect, InboxItem, InboxKind},
    },
    domain::{
        case_record::{DerivedFacts, IndexItems, RecordFacts},
        relation::counterpart_of,
        visibility::Relation,
    },
    error::Error,
    gateway::Gateway,
    identity::directory::DirectoryChange,
    search::index::{IndexChange, IndexedRecord},
    store::{self, StoreError, vault::Key},
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

impl CarriesNoRecordData for Written {}

/// `POST /v1/records`
///
/// # Errors
/// The faults of the document; nothing is registered then.
pub async fn register_record(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
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
    let body = store::records::seal_version(&key, id, 1, &document)?;

    let now = gateway.clock.now();
    let entry = Entry::of(&caller, Act::Register, &gateway.clock)
        .on(&RecordRef { record: id, version: 1, owner: facts.owner.clone() })
        .as_relation(Relation::Owner);
    let mut inbox = messages_of_change(gateway, &facts, &items, InboxKind::RecordRegistered);
    inbox.iter_mut().for_each(|item| item.entry = Some(entry.id));
    if !facts.shield.active {
        // Who registered a shielded child is itself a location.
        inbox.iter_mut().for_each(|item| item.from = Some(caller.clone()));
    }
    let (written, receipt) = gateway
        .journal
        .write(call.decided_at, &call.caller, Some(idempotency), move |tx| {
            Box::pin(async move {
                store::records::insert(tx, &facts, &sealed_key, now).await?;
                store::records::insert_version(tx, id, &body, &caller, "registered", now).await?;
                store::accounts::set_uploaded(tx, &facts.owner, now).await?;
                let owner = facts.owner.clone();
                Ok(Effect::new(Written { record: id, version: 1 }, entry)
                    .tell(inbox)
                    .then(Change::Index(IndexChange::Put(Box::new(IndexedRecord::new(facts, items)))))
                    .then(Change::Directory(DirectoryChange::Uploaded(owner, now))))
            })
        })
        .await?;
    Ok(Answer::message(StatusCode::CREATED, &written).with_entries(receipt.entries()).with_version(written.version))
}

/// Messages that follow a new or changed record: to its counterpart, and to issuers whose missing child it may be.
pub fn messages_of_change(
    gateway: &Gateway,
    facts: &RecordFacts,
    items: &IndexItems,
    kind: InboxKind,
) -> Vec<InboxItem> {
    let day = gateway.clock.today_in_japan();
    let counterpart = counterpart_of(facts, &gateway.registry, day).map(|to| InboxItem::new(to, kind).record(facts.id));
    let matches = gateway.journal.memory().standing.registered(items).into_iter().map(|(notice, issuer)| {
        InboxItem::new(issuer, InboxKind::MissingChildRegistered).subject(notice).record(facts.id)
    });
    counterpart.into_iter().chain(matches).collect()
}
