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
    /// Records that would stand on this page and are not what the gateway wrote: they wait until they are had back. On the
    /// first page, also those that were set aside at the start.
    pub set_aside: usize,
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
    let set_aside = count_set_aside(gateway, caller, after, &page.refuted);
    let next = page.next;
    let (mut facts, mut items) = (Vec::with_capacity(page.records.len()), Vec::with_capacity(page.records.len()));
    for (of, item, updated_at) in page.records {
        facts.push((of, updated_at));
        items.push(item);
    }
    let entry = || Entry::of(caller, Act::ListOwn, &gateway.clock).as_relation(Relation::Owner);
    let on = |of: &RecordFacts| {
        entry().on(&RecordRef { record: of.id, version: of.version, owner: caller.organization().clone() })
    };
    let each = facts.iter().map(|(of, _)| (on(of), ItemGroup::Index)).collect();
    let lines = Sealed::all(items).map((facts, set_aside, next), own_records);
    let basis = LegalBasis::OwnRecord;
    gateway.gate.list(caller, Listing { entry: entry(), note: None, each, basis, lines }).await
}

/// What the list has to say that it leaves out. Whose a record is memory says: a row that somebody edited may name anybody.
fn count_set_aside(gateway: &Gateway, caller: &Caller, after: Uuid, refuted: &[Uuid]) -> usize {
    let (memory, owner) = (gateway.journal.memory(), caller.organization());
    let is_own = |id: &&Uuid| memory.index.facts_of(**id).is_some_and(|facts| facts.owner == *owner);
    let at_the_start = if after.is_nil() { memory.guard.count_set_aside_from(owner) } else { 0 };
    refuted.iter().filter(is_own).count() + at_the_start
}

type PageFacts = (Vec<(RecordFacts, Timestamp)>, usize, Option<Uuid>);

fn own_records(items: Vec<IndexItems>, (facts, set_aside, next): PageFacts) -> OwnRecords {
    OwnRecords { records: facts.into_iter().zip(items).map(own_record).collect(), set_aside, next }
}

/// The line of one record.
pub(super) fn own_record(((of, updated_at), items): ((RecordFacts, Timestamp), IndexItems)) -> OwnRecord {
    OwnRecord {
        record: of.id,
        version: of.version,
        closed: of.closed,
        serious: of.serious,
        shielded: of.shield.active,
        updated_at: updated_at.to_rfc3339(),
        name: items.child.written,
        birth_date: items.birth_date.to_iso(),
    }
}
