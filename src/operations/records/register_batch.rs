//! Registers a file of many records (一括登録), and reports on it line by line.

use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{record_rules, register_record::told_of_change};
use crate::{
    domain::{
        case_record::{DerivedFacts, IndexItems, RecordFacts},
        format::Fault,
        visibility::Relation,
    },
    error::Error,
    gateway::Gateway,
    identity::{Caller, directory::DirectoryChange},
    journal::{inbox::InboxKind, journal::Effect, memory::Change},
    keys::vault::Key,
    ledger::entry::{Act, Entry, RecordRef},
    search::{index::IndexChange, records::PackedRecord},
    store::{self, error::StoreError, records::NewRecord},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
        json,
    },
};

/// Lines of one batch. They are one transaction: more would keep others waiting.
const MOST_LINES: usize = 500;
/// Faults that a report tells beyond the first of each line: the sender mends these and sends again.
const MOST_MORE_FAULTS: usize = 500;
/// Media type of a batch: a record of the national format in JSON on each line.
const MEDIA_TYPE: &str = "application/x-ndjson";

/// A batch was taken: how many of its lines are records now.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct BatchTaken {
    pub batch: Uuid,
    pub registered: usize,
    /// Lines that were not registered. `GET /v1/batches/{id}` says why.
    pub refused: usize,
}

impl CarriesNoRecordData for BatchTaken {}

/// What became of one line.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BatchLine {
    /// From 1. Empty lines count and are left out.
    pub line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    /// What is wrong with it; it was not registered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// More is wrong with it than stands here: a report tells the first fault of each line and 500 others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more_faults: bool,
}

/// A batch, line by line.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BatchReport {
    pub batch: Uuid,
    pub lines: Vec<BatchLine>,
}

/// A report as it was stored.
#[derive(Serialize)]
#[serde(transparent)]
struct StoredReport(Box<RawValue>);

impl CarriesNoRecordData for StoredReport {}

/// A line that is ready to be written.
struct Ready {
    new: NewRecord,
    items: IndexItems,
}

/// `POST /v1/batches`: every line that is right is registered, all of them in one commit; the others are reported.
///
/// # Errors
/// Another media type, no line, or more than 500.
pub async fn register_batch(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let idempotency = call.idempotency()?;
    if call.content_type() != MEDIA_TYPE {
        return Err(Error::Field {
            field: "Content-Type",
            rule_ja: "application/x-ndjson（1行に1件のJSON）で送ってください",
            rule_en: "must be application/x-ndjson: one record in JSON on each line",
        });
    }
    let (node, caller, body) = (gateway.clone(), call.caller.clone(), call.body.clone());
    let lines = tokio::task::spawn_blocking(move || prepare(&node, &caller, &body));
    let lines = lines.await.map_err(|_| Error::Overloaded)??;
    let batch = gateway.clock.new_id();
    let report =
        BatchReport { batch, lines: lines.iter().map(|(line, outcome)| report_line(*line, outcome)).collect() };
    let report = serde_json::to_string(&report).map_err(|_| StoreError::Corrupt("batch report"))?;
    let sent = lines.len();
    let ready: Vec<Ready> = lines.into_iter().filter_map(|(_, outcome)| outcome.ok()).collect();
    let refused = sent - ready.len();
    let (node, caller) = (gateway.clone(), call.caller.clone());
    let (taken, receipt) = gateway
        .journal
        .write(&call.caller, Some(idempotency), move |tx| {
            Box::pin(async move {
                let now = node.clock.now();
                let (new, items): (Vec<_>, Vec<_>) = ready.into_iter().map(|ready| (ready.new, ready.items)).unzip();
                for NewRecord { facts, sealed_key, .. } in new.iter().take(1) {
                    store::accounts::check_wrapped(tx, facts.owner.prefecture(), sealed_key).await?;
                }
                store::records::insert_all(tx, &new, &caller, now).await?;
                store::batches::insert(tx, batch, &caller, now, &report).await?;
                let owner = caller.organization().clone();
                store::accounts::set_uploaded(tx, &owner, now).await?;
                let entry = Entry::of(&caller, Act::RegisterBatch, &node.clock).about(batch);
                let taken = BatchTaken { batch, registered: new.len(), refused };
                let mut effect = Effect::new(taken, entry);
                for (NewRecord { facts, .. }, items) in new.into_iter().zip(items) {
                    let entry = Entry::of(&caller, Act::Register, &node.clock)
                        .on(&RecordRef { record: facts.id, version: 1, owner: facts.owner.clone() })
                        .as_relation(Relation::Owner);
                    let told = told_of_change(&node, &caller, &facts, &items, InboxKind::RecordRegistered, &entry);
                    effect = effect
                        .log([entry])
                        .log(told.entries)
                        .tell(told.inbox)
                        .then(Change::Index(IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))));
                }
                Ok(effect.then(Change::Directory(DirectoryChange::Uploaded(owner, now))))
            })
        })
        .await?;
    let entry = receipt.entries().get(..1).unwrap_or_default();
    Ok(Answer::message(StatusCode::CREATED, &taken).with_entries(entry))
}

type Outcome = Result<Ready, Refused>;

/// What is told of a line that is not right.
struct Refused {
    faults: Vec<Fault>,
    has_more: bool,
}

impl Refused {
    /// Its first fault, and as many others as there is `room` for in the report.
    fn within(room: &mut usize, mut faults: Vec<Fault>) -> Self {
        let told = faults.len().min(1 + *room);
        let has_more = told < faults.len();
        faults.truncate(told);
        *room -= told.saturating_sub(1);
        Self { faults, has_more }
    }
}

fn report_line(line: usize, outcome: &Outcome) -> BatchLine {
    match outcome {
        Ok(ready) => BatchLine { line, record: Some(ready.new.facts.id), faults: Vec::new(), more_faults: false },
        Err(refused) => BatchLine { line, record: None, faults: refused.faults.clone(), more_faults: refused.has_more },
    }
}

/// Reads and seals every line. The report is written in the journal's transaction: it is kept small while it grows.
fn prepare(gateway: &Gateway, caller: &Caller, body: &Bytes) -> Result<Vec<(usize, Outcome)>, Error> {
    let lines = (1..).zip(body.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.trim_ascii().is_empty());
    let lines: Vec<(usize, &[u8])> = lines.take(MOST_LINES + 1).collect();
    if lines.is_empty() || lines.len() > MOST_LINES {
        return Err(Error::Field {
            field: "body",
            rule_ja: "1～500件としてください",
            rule_en: "must have 1 to 500 records",
        });
    }
    let mut room = MOST_MORE_FAULTS;
    lines
        .into_iter()
        .map(|(number, line)| match prepare_line(gateway, caller, line) {
            Ok(ready) => Ok((number, Ok(ready))),
            Err(Error::Faults(faults)) => {
                let faults = faults.into_iter().map(|fault| Fault { line: number as u64, ..fault }).collect();
                Ok((number, Err(Refused::within(&mut room, faults))))
            }
            Err(error) => Err(error),
        })
        .collect()
}

fn prepare_line(gateway: &Gateway, caller: &Caller, line: &[u8]) -> Result<Ready, Error> {
    let most = gateway.config.limits.record_bytes;
    if line.len() > most {
        return Err(Error::Faults(vec![Fault {
            line: 0,
            path: "/".to_owned(),
            rule: "too_large",
            message_ja: format!("1件は{most}バイトまでです。"),
            message_en: format!("A record has at most {most} bytes."),
        }]));
    }
    let document = json::read(line).map_err(Error::Faults)?;
    record_rules::check(&document, &gateway.registry, gateway.clock.today_in_japan())?;
    let (Some(items), Some(derived)) = (IndexItems::of(&document), DerivedFacts::of(&document)) else {
        return Err(StoreError::Corrupt("a validated document without index or contact").into());
    };
    let id = gateway.clock.new_id();
    let owner = caller.organization().clone();
    let key = Key::generate()?;
    let sealed_key = gateway.vault.wrap(owner.prefecture(), id, &key)?;
    let sealed = store::versions::seal_version(&key, id, 1, &document, &items)?;
    let facts = RecordFacts { id, owner, version: 1, owned_since: 1, closed: false, serious: false, derived };
    Ok(Ready { new: NewRecord { facts, sealed_key, sealed }, items })
}

/// `GET /v1/batches/{id}`: to the organization that sent it.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn read_batch(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let mut tx = gateway.store.read().await?;
    let report = store::batches::report(&mut tx, id, &call.caller).await?.ok_or(Error::NotFound("batch"))?;
    let report = RawValue::from_string(report).map_err(|_| StoreError::Corrupt("batch report"))?;
    Ok(Answer::message(StatusCode::OK, &StoredReport(report)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_the_first_fault_of_each_line_and_so_many_others() {
        let fault = || Fault {
            line: 1,
            path: "/".to_owned(),
            rule: "text_form",
            message_ja: String::new(),
            message_en: String::new(),
        };
        let mut room = 5;
        let mut told = |faults| {
            let Refused { faults, has_more } = Refused::within(&mut room, vec![fault(); faults]);
            (faults.len(), has_more)
        };
        assert_eq!(
            [told(4), told(1), told(3), told(2), told(1)],
            [(4, false), (1, false), (3, false), (1, true), (1, false)]
        );
    }
}
