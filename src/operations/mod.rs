//! One file for each thing a caller can do, in rooms by subject.
//!
//! Comes in: the gateway, the [`Caller`], and a typed request. Goes out: [`Done`], or
//! [`Disclosed`](crate::disclosure::gate::Disclosed) where it holds record data. Each operation reads from top to bottom:
//! what is asked, who may, what is written in one journal effect, what is replied. Never done here: opening a sealed
//! value, writing outside the journal, or knowing of HTTP, JSON, forms or media types: that is the faces' part.

pub mod accounting;
pub mod accounts;
pub mod drafts;
pub mod elapse;
pub mod inbox;
pub mod keys;
pub mod missing_children;
pub mod oversight;
pub mod records;
pub mod retention;
pub mod search;
pub mod today;
pub mod transfers;
pub mod waiting;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        case_record::RecordFacts, format::lexical, idempotency::Idempotency, organization::OrganizationCode,
        visibility::Relation,
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::journal::{Declined, Effect},
    ledger::entry::{Act, Entry, Logged, RecordRef},
    planted::Planted,
    search::index::Findable,
    store::{self, error::StoreError, records::StoredRecord, tx::Tx},
};

/// Runs an effect in the journal's transaction. Replies with what it made, once that is durable.
pub(crate) async fn carry_out<T, F>(
    gateway: &Gateway,
    caller: &Caller,
    idempotency: impl Into<Option<Idempotency>>,
    effect: F,
) -> Result<Done<T>, Error>
where
    T: CarriesNoRecordData + DeserializeOwned + Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Effect<T>, Declined>> + Send + 'static,
{
    let (made, receipt) = gateway.journal.write(caller, idempotency.into(), effect).await?;
    Ok(Done::new(made, &receipt))
}

/// What an effect needs of the world around it: the node, and who acts.
#[derive(Clone)]
pub(crate) struct Acting {
    pub(crate) node: std::sync::Arc<Gateway>,
    pub(crate) caller: Caller,
    pub(crate) act: Act,
}

impl Acting {
    pub(crate) fn new(gateway: &std::sync::Arc<Gateway>, caller: &Caller, act: Act) -> Self {
        Self { node: gateway.clone(), caller: caller.clone(), act }
    }

    /// An entry of this act.
    pub(crate) fn entry(&self) -> Entry {
        Entry::of(&self.caller, self.act, &self.node.clock)
    }

    /// A refusal with the entry that records it.
    pub(crate) fn declined(&self, about: impl Into<Option<Uuid>>, error: impl Into<Error>) -> Declined {
        let error = error.into();
        let entry = self.entry().refused(error.code());
        let entry = match about.into() {
            Some(about) => entry.about(about),
            None => entry,
        };
        Declined { error, entry: Some(Box::new(entry)) }
    }

    /// A refusal before anything was begun, once its entry is durable. What failed is passed on as it is.
    pub(crate) async fn refuse(&self, error: impl Into<Error>) -> Error {
        self.refuse_saying(|entry| entry, error).await
    }

    /// The same with what its entry says besides.
    pub(crate) async fn refuse_saying(&self, more: impl FnOnce(Entry) -> Entry, error: impl Into<Error>) -> Error {
        let error = error.into();
        if !error.is_refusal() || Planted::ForgetRefusals.is_planted() {
            return error;
        }
        let entry = more(self.entry()).refused(error.code());
        match self.node.journal.note(vec![entry.into()], Vec::new()).await {
            Ok(_) => error,
            Err(unwritten) => unwritten,
        }
    }

    /// A record of the caller's own, inside the journal's transaction. Any other declines as not available, and the
    /// ledger says so.
    pub(crate) async fn own_record(&self, tx: &mut Tx, id: Uuid) -> Result<StoredRecord, Declined> {
        self.record_of(tx, self.caller.organization(), id).await
    }

    /// A record of a body's, for which the caller stands beside a person of that body.
    pub(crate) async fn record_of(
        &self,
        tx: &mut Tx,
        body: &OrganizationCode,
        id: Uuid,
    ) -> Result<StoredRecord, Declined> {
        match store::records::find(tx, id).await {
            Ok(Some(stored)) if stored.facts.owner == *body => Ok(stored),
            Ok(_) => Err(self.declined(id, Error::NotAvailable)),
            // That something is wrong with it is told to whom it belongs, as far as memory knows.
            Err(StoreError::Refuted(_)) if !self.is_of(body, id) => Err(self.declined(id, Error::NotAvailable)),
            Err(error) => Err(error.into()),
        }
    }

    fn is_of(&self, body: &OrganizationCode, id: Uuid) -> bool {
        self.node.journal.memory().index.facts_of(id).is_some_and(|facts| facts.owner == *body)
    }

    /// What is known of a record that the caller could have found, inside the journal's transaction. Any other declines
    /// as not available, and the ledger says so.
    pub(crate) async fn findable_record(&self, tx: &mut Tx, id: Uuid) -> Result<RecordFacts, Declined> {
        match store::records::find(tx, id).await? {
            Some(stored) if matches!(self.node.gate.findable(&self.caller, &stored.facts), Findable::Shown(_)) => {
                Ok(stored.facts)
            }
            _ => Err(self.declined(id, Error::NotAvailable)),
        }
    }

    /// An entry of this act by the owner of a record.
    pub(crate) fn owner_entry(&self, facts: &RecordFacts) -> Entry {
        let record = RecordRef { record: facts.id, version: facts.version, owner: facts.owner.clone() };
        self.entry().on(&record).as_relation(Relation::Owner)
    }
}

/// A refused read, after the entry that records it is durable.
pub(crate) async fn refuse_read(gateway: &Gateway, caller: &Caller, entry: Entry, error: impl Into<Error>) -> Error {
    let error = error.into();
    let entry: Logged = entry.refused(error.code()).into();
    match gateway.journal.record(caller.decided_at(), vec![entry], Vec::new()).await {
        Ok(_) => error,
        Err(unwritten) => unwritten,
    }
}

/// A text that people write: its length in characters, from 1.
pub(crate) fn written(field: &'static str, text: &str, max_chars: usize) -> Result<(), Error> {
    let length = text.trim().chars().count();
    let (rule_ja, rule_en) = if length == 0 {
        ("入力してください。空欄のままにはできません。", "must not be empty")
    } else if length > max_chars {
        ("文字数の上限を超えています。短くしてください。", "is too long; shorten it")
    } else if text.chars().any(lexical::is_forbidden) {
        (
            "制御文字・外字・不可視文字は使用できません。取り除いてください。",
            "must hold no control, private-use or invisible characters; take them out",
        )
    } else {
        return Ok(());
    };
    Err(Error::field(field, rule_ja, rule_en))
}
