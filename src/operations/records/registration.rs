//! The one place in which a record is made, whoever asks for it: a call, a batch.

use std::sync::Arc;

use uuid::Uuid;

use super::rules;
use crate::{
    domain::{
        case_record::{DerivedFacts, IndexItems, RecordFacts},
        format::Document,
        relation::counterpart_of,
        visibility::{Relation, Shield},
    },
    error::{Error, SharpError},
    gateway::Gateway,
    identity::{Caller, directory::DirectoryChange},
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
    },
    keys::vault::Key,
    ledger::entry::{Act, Entry, RecordRef},
    operations::Acting,
    search::{index::IndexChange, records::PackedRecord},
    store::{self, error::StoreError, records::NewRecord, tx::Tx},
};

/// A record that was held against every rule and sealed: what is left is to write it.
pub struct PreparedRecord {
    new: NewRecord,
    items: IndexItems,
}

impl PreparedRecord {
    pub fn id(&self) -> Uuid {
        self.new.facts.id
    }
}

/// What a document says of itself, once it was held against every rule.
pub struct Checked {
    pub items: IndexItems,
    pub derived: DerivedFacts,
}

/// Holds a document against the rules that no schema can state.
///
/// # Errors
/// Every rule that it breaks.
pub fn check(gateway: &Gateway, document: &Document) -> Result<Checked, Error> {
    rules::check(document, &gateway.registry, gateway.clock.today_in_japan())?;
    let (Some(items), Some(derived)) = (IndexItems::of(document), DerivedFacts::of(document)) else {
        return Err(StoreError::Corrupt("a validated document without index or contact").into());
    };
    Ok(Checked { items, derived })
}

/// Checks a document and seals it as the first version of a new record of the caller's.
///
/// # Errors
/// As [`check`]; [`SharpError::NamingNeedsTwo`] where its shield names a body.
pub fn prepare(gateway: &Gateway, caller: &Caller, document: &Document) -> Result<PreparedRecord, Error> {
    let Checked { items, derived } = check(gateway, document)?;
    if !rules::document_names_none_but(document, &Shield::default()) {
        return Err(SharpError::NamingNeedsTwo.into());
    }
    let id = gateway.clock.new_id();
    let owner = caller.organization().clone();
    let key = Key::generate()?;
    let sealed_key = gateway.vault.wrap(owner.prefecture(), id, &key)?;
    let sealed = store::versions::seal_version(&key, id, 1, document, &items)?;
    let facts = RecordFacts { id, owner, version: 1, owned_since: 1, closed: false, serious: false, derived };
    Ok(PreparedRecord { new: NewRecord { facts, sealed_key, sealed }, items })
}

/// A refusal of what was to be registered: that it names a body under its shield is in the ledger before it is answered.
pub(super) async fn naming_refused(gateway: &Arc<Gateway>, caller: &Caller, (act, error): (Act, Error)) -> Error {
    match error {
        Error::Sharp(error) => Acting::new(gateway, caller, act).refuse(error).await,
        error => error,
    }
}

/// Writes records that were prepared, all or none, and adds what follows from each to an effect.
pub(crate) async fn register<T>(
    tx: &mut Tx,
    gateway: &Gateway,
    caller: &Caller,
    prepared: Vec<PreparedRecord>,
    mut effect: Effect<T>,
) -> Result<Effect<T>, Declined> {
    let now = gateway.clock.now();
    let (new, items): (Vec<_>, Vec<_>) = prepared.into_iter().map(|prepared| (prepared.new, prepared.items)).unzip();
    for NewRecord { facts, sealed_key, .. } in new.iter().take(1) {
        store::accounts::check_wrapped(tx, facts.owner.prefecture(), sealed_key).await?;
    }
    store::records::insert_all(tx, &new, caller, now).await?;
    let owner = caller.organization().clone();
    store::accounts::set_uploaded(tx, &owner, now).await?;
    for (NewRecord { facts, .. }, items) in new.into_iter().zip(items) {
        let entry = Entry::of(caller, Act::Register, &gateway.clock)
            .on(&RecordRef { record: facts.id, version: facts.version, owner: facts.owner.clone() })
            .as_relation(Relation::Owner);
        let notified = notify_of_change(gateway, caller, &facts, &items, (InboxKind::RecordRegistered, &entry));
        effect = effect
            .log([entry])
            .log(notified.entries)
            .tell(notified.inbox)
            .then(Change::Index(IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))));
    }
    Ok(effect.then(Change::Directory(DirectoryChange::Uploaded(owner, now))))
}

/// Who is told of a new or changed record, and the entries that account for telling.
pub struct Notified {
    pub inbox: Vec<InboxItem>,
    pub entries: Vec<Entry>,
}

/// The counterpart is told of the change, with the entry of which it is; issuers of missing-child notices, of a child
/// that may be theirs. The latter learn no more than a search would tell them, and the owner sees in the ledger that
/// they were told.
pub fn notify_of_change(
    gateway: &Gateway,
    caller: &Caller,
    facts: &RecordFacts,
    items: &IndexItems,
    (kind, because): (InboxKind, &Entry),
) -> Notified {
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
    Notified { inbox, entries }
}
