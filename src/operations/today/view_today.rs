//! Lists what there is to do for an officer (今日): worked out from the states of things, not from the order of the inbox.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use uuid::Uuid;

pub use super::line::{TodayChild, TodayKind, TodayLine};
use super::sources::{FoundToday, LooksFor, counted_from};
use crate::{
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
    journal::inbox::InboxKind,
    keys::error::KeyError,
    ledger::entry::{Act, Entry, RecordRef},
    operations::inbox::read_inbox::{mark_notices_delivered, may_read},
    planted::Planted,
    store::{self, error::StoreError, tx::Tx},
};

/// What there is to do, and what is new besides.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Today {
    /// What needs an act first. At most 100 of a kind.
    pub lines: Vec<TodayLine>,
    /// There is more of a kind than is listed.
    pub more: bool,
    /// Messages that nobody of the organization has acknowledged, by their kind; without those that are lines.
    pub new: BTreeMap<String, usize>,
    /// There are older ones, which are not counted: the newest 500 are.
    pub older: bool,
    /// Position up to which the organization has acknowledged, and of the latest message.
    pub acknowledged: i64,
    pub latest: i64,
    /// What waits and is not what the gateway wrote: it waits until it is had back.
    pub set_aside: usize,
}

/// Lists what there is to do for the caller: what the caller's roles may do. A child is named where the record is the
/// body's own and the caller may read it, each by an entry.
///
/// # Errors
/// The journal cannot write.
pub async fn view_today(gateway: &Arc<Gateway>, caller: &Caller) -> Result<Disclosed<Today>, Error> {
    let of = LooksFor { gateway, caller, now: gateway.clock.now() };
    // Noted before anything is read: what memory knows of is there.
    let (latest, _) = gateway.journal.memory().inboxes.watch(of.own());
    let mut tx = gateway.store.read().await?;
    let acknowledged = store::inbox::acknowledged(&mut tx, of.own()).await?;
    let mut found = FoundToday::default();
    found.notices(&mut tx, &of).await?;
    found.alerts(&mut tx, &of, acknowledged).await?;
    found.transfers(&mut tx, &of).await?;
    found.glasses(&mut tx, &of).await?;
    found.inquiries(&mut tx, &of).await?;
    found.sharp_acts(&mut tx, &of).await?;
    found.lines.sort_by(|one, other| one.order().cmp(&other.order()));
    let (from, older) = counted_from(acknowledged, latest);
    let new = new_messages(&mut tx, &of, (from, latest)).await?;
    let children = own_children(&mut tx, &of, &mut found).await?;
    drop(tx);
    let notices = found.lines.iter().filter(|line| line.kind == TodayKind::MissingNotice);
    mark_notices_delivered(gateway, caller, notices.filter_map(|line| line.subject).collect()).await?;
    let FoundToday { lines, more, set_aside } = found;
    let today = Today { lines, more, new, older, acknowledged, latest, set_aside };
    let entry = || Entry::of(caller, Act::TodayRead, &gateway.clock);
    let on = |facts: &RecordFacts| {
        let record = RecordRef { record: facts.id, version: facts.version, owner: facts.owner.clone() };
        entry().as_relation(Relation::Owner).on(&record)
    };
    let each = children.iter().map(|(facts, _)| (on(facts), ItemGroup::Index)).collect();
    let (facts, items): (Vec<RecordFacts>, Vec<Sealed<IndexItems>>) = children.into_iter().unzip();
    let records = facts.into_iter().map(|facts| facts.id).collect();
    let lines = Sealed::all(items).map((today, records), with_children);
    let basis = LegalBasis::OwnRecord;
    gateway.gate.list(caller, Listing { entry: entry(), note: None, each, basis, lines }).await
}

/// Messages after a position, counted by their kind.
async fn new_messages(
    tx: &mut Tx,
    of: &LooksFor<'_>,
    (from, latest): (i64, i64),
) -> Result<BTreeMap<String, usize>, StoreError> {
    let mut new = BTreeMap::new();
    let most = latest.saturating_sub(from);
    for message in store::inbox::after(tx, of.own(), (from, latest), (most, of.now)).await? {
        let is_line = InboxKind::ALERTS.iter().any(|kind| kind.as_str() == message.kind);
        if !is_line && may_read(of.caller, &message) {
            *new.entry(message.kind).or_default() += 1;
        }
    }
    Ok(new)
}

/// The children of the own records on the list, each once; none for those who do not read records.
async fn own_children(
    tx: &mut Tx,
    of: &LooksFor<'_>,
    found: &mut FoundToday,
) -> Result<Vec<(RecordFacts, Sealed<IndexItems>)>, StoreError> {
    if !of.reads_records() && !Planted::NameToAnybody.is_planted() {
        return Ok(Vec::new());
    }
    let mut records: Vec<Uuid> = found.lines.iter().filter_map(|line| line.record).collect();
    records.sort_unstable();
    records.dedup();
    // Whose a record is memory says; only those are looked up.
    let index = &of.gateway.journal.memory().index;
    records.retain(|record| index.facts_of(*record).is_some_and(|facts| facts.owner == *of.own()));
    let mut children = Vec::with_capacity(records.len());
    for record in records {
        match store::index_rows::own(tx, &of.gateway.vault, of.own(), record).await {
            Ok(own) => children.extend(own.map(|(facts, items, _)| (facts, items))),
            Err(StoreError::Refuted(_) | StoreError::Key(KeyError::Missing { .. })) => found.set_aside += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(children)
}

/// Puts the children on their lines.
fn with_children(items: Vec<IndexItems>, (mut today, records): (Today, Vec<Uuid>)) -> Today {
    let child = |items: IndexItems| TodayChild { name: items.child.written, birth_date: items.birth_date.to_iso() };
    let children: BTreeMap<Uuid, TodayChild> = records.into_iter().zip(items.into_iter().map(child)).collect();
    for line in &mut today.lines {
        line.child = line.record.and_then(|record| children.get(&record).cloned());
    }
    today
}
