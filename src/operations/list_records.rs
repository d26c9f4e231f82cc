//! Lists an organization's own records (登録を行ったケースの一覧表).

use serde::Serialize;
use uuid::Uuid;

use crate::{
    disclosure::{
        Sealed,
        entry::{Act, Entry, RecordRef},
    },
    domain::visibility::{LegalBasis, Relation},
    error::Error,
    gateway::Gateway,
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
    let after = match call.query.get("after") {
        Some(text) => Uuid::parse_str(text).map_err(|_| Error::Field {
            field: "after",
            rule_ja: "前のページの next の値を指定してください",
            rule_en: "must be the value of next of the page before",
        })?,
        None => Uuid::nil(),
    };
    let mut tx = gateway.store.read().await?;
    let page = store::records::of_owner(&mut tx, call.caller.organization(), after, PAGE).await?;
    let full = page.len() as i64 == PAGE;
    let next = page.last().filter(|_| full).map(|last| last.facts.id);
    let mut records = Vec::with_capacity(page.len());
    for stored in page {
        let items = store::records::index_items(&mut tx, &gateway.vault, &stored).await?;
        records.push(OwnRecord {
            record: stored.facts.id,
            version: stored.facts.version,
            closed: stored.facts.closed,
            serious: stored.facts.serious,
            shielded: stored.facts.shield.active,
            updated_at: stored.updated_at.to_rfc3339(),
            name: items.child.written,
            birth_date: items.birth_date.to_iso(),
        });
    }
    drop(tx);
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
