//! Lists an organization's own records (登録を行ったケースの一覧表).

use serde::Serialize;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    disclosure::{
        gate::{Disclosed, Listing},
        sealed::Sealed,
    },
    domain::{
        case_record::{IndexItems, RecordFacts},
        visibility::{ItemGroup, LegalBasis, Relation},
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::entry::{Act, Entry, RecordRef},
    store,
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

/// A page of the list is asked for.
pub struct ListRecords {
    /// The record after which it begins: `next` of the page before; nil for the first.
    pub after: Uuid,
}

/// Lists the caller's own records, by id.
///
/// # Errors
/// The journal cannot write.
pub async fn list_records(
    gateway: &Gateway,
    caller: &Caller,
    ListRecords { after }: ListRecords,
) -> Result<Disclosed<OwnRecords>, Error> {
    let mut tx = gateway.store.read().await?;
    let page = store::index_rows::of_owner(&mut tx, &gateway.vault, caller.organization(), after, PAGE).await?;
    drop(tx);
    let (mut facts, mut items) = (Vec::with_capacity(page.len()), Vec::with_capacity(page.len()));
    for (of, item, updated_at) in page {
        facts.push((of, updated_at));
        items.push(item);
    }
    let entry = || Entry::of(caller, Act::ListOwn, &gateway.clock).as_relation(Relation::Owner);
    let on = |of: &RecordFacts| {
        entry().on(&RecordRef { record: of.id, version: of.version, owner: caller.organization().clone() })
    };
    let each = facts.iter().map(|(of, _)| (on(of), ItemGroup::Index)).collect();
    let lines = Sealed::all(items).map(facts, own_records);
    let basis = LegalBasis::OwnRecord;
    gateway.gate.list(caller, Listing { entry: entry(), each, basis, lines }).await
}

fn own_records(items: Vec<IndexItems>, facts: Vec<(RecordFacts, Timestamp)>) -> OwnRecords {
    let is_full = facts.len() as i64 == PAGE;
    let next = facts.last().filter(|_| is_full).map(|(last, _)| last.id);
    let line = |((of, updated_at), items): ((RecordFacts, Timestamp), IndexItems)| OwnRecord {
        record: of.id,
        version: of.version,
        closed: of.closed,
        serious: of.serious,
        shielded: of.shield.active,
        updated_at: updated_at.to_rfc3339(),
        name: items.child.written,
        birth_date: items.birth_date.to_iso(),
    };
    OwnRecords { records: facts.into_iter().zip(items).map(line).collect(), next }
}
