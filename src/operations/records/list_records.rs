//! Lists an organization's own records (登録を行ったケースの一覧表).

use serde::Serialize;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    disclosure::sealed::Sealed,
    domain::{
        case_record::{IndexItems, RecordFacts},
        visibility::{LegalBasis, Relation},
    },
    error::Error,
    gateway::Gateway,
    ledger::entry::{Act, Entry, RecordRef},
    store,
    wire::{answer::Answer, call::Call},
};

/// One line of the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OwnRecord {
    pub record: Uuid,
    pub version: i64,
    pub closed: bool,
    pub serious: bool,
    pub shielded: bool,
    /// RFC 3339, UTC.
    pub updated_at: String,
    pub name: String,
    pub birth_date: String,
}

/// A page of the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OwnRecords {
    pub records: Vec<OwnRecord>,
    /// Give it as `after` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

const PAGE: i64 = 50;

/// `GET /v1/records?after=ID`
///
/// # Errors
/// The journal cannot write.
pub async fn list_records(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let after = call.after()?;
    let mut tx = gateway.store.read().await?;
    let page = store::index_rows::of_owner(&mut tx, &gateway.vault, call.caller.organization(), after, PAGE).await?;
    drop(tx);
    let full = page.len() as i64 == PAGE;
    let next = page.last().filter(|_| full).map(|(last, ..)| last.id);
    let line = |(facts, items, updated_at): (RecordFacts, IndexItems, Timestamp)| OwnRecord {
        record: facts.id,
        version: facts.version,
        closed: facts.closed,
        serious: facts.serious,
        shielded: facts.shield.active,
        updated_at: updated_at.to_rfc3339(),
        name: items.child.written,
        birth_date: items.birth_date.to_iso(),
    };
    let records: Vec<OwnRecord> = page.into_iter().map(line).collect();
    let entry = || Entry::of(&call.caller, Act::ListOwn, &gateway.clock).as_relation(Relation::Owner);
    let owner = call.caller.organization();
    let each = records
        .iter()
        .map(|line| entry().on(&RecordRef { record: line.record, version: line.version, owner: owner.clone() }))
        .collect();
    let sealed = Sealed::new(OwnRecords { records, next });
    let disclosed = gateway.gate.disclose_list(entry(), each, LegalBasis::OwnRecord, call.decided_at, sealed).await?;
    Ok(Answer::disclosed(&disclosed))
}
