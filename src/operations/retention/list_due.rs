//! Which records may be disposed of: those whose retention has ended.

use serde::Serialize;
use time::Date;
use uuid::Uuid;

use crate::{
    disclosure::{
        gate::{Disclosed, Listing},
        sealed::Sealed,
    },
    domain::{
        disposal::NotDue,
        retention::{RetentionClass, RetentionRule, RetentionSettings},
        visibility::{ItemGroup, LegalBasis, Relation},
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::entry::{Act, Entry, RecordRef},
    store::{self, error::StoreError, records::StoredRecord, tx::Tx},
};

/// Closed records that are looked at for one page.
const PAGE: i64 = 200;

/// A record whose retention has ended.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DueRecord {
    pub record: Uuid,
    pub class: RetentionClass,
    /// The rule by which it was kept, the longest of its owner's and of those who once provided it.
    pub rule: RetentionRule,
    /// Day from which on it may be disposed of, `2031-04-01`.
    pub since: String,
}

/// A page of what is due: ids and codes, no names.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DueRecords {
    pub records: Vec<DueRecord>,
    /// Give it as `after` for the next page; missing on the last. A page may be empty and not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

/// A page of what is due is asked for.
pub struct ListDue {
    /// The record after which it begins: `next` of the page before; nil for the first.
    pub after: Uuid,
}

/// Lists what is due: the dry run. Nothing is disposed of by it.
///
/// # Errors
/// The journal cannot write.
pub async fn list_due(
    gateway: &Gateway,
    caller: &Caller,
    ListDue { after }: ListDue,
) -> Result<Disclosed<DueRecords>, Error> {
    let owner = caller.organization();
    let mut tx = gateway.store.read().await?;
    let page = store::disposals::closed_of(&mut tx, owner, after, PAGE).await?;
    let full = page.len() as i64 == PAGE;
    let next = page.last().filter(|_| full).copied();
    let entry = || Entry::of(caller, Act::RetentionReview, &gateway.clock);
    let (mut records, mut each) = (Vec::new(), Vec::new());
    for record in page {
        let Some(stored) = store::records::find(&mut tx, record).await? else { continue };
        if let Ok(due) = due(&mut tx, gateway, &stored, None).await? {
            let of = RecordRef { record, version: stored.facts.version, owner: owner.clone() };
            each.push((entry().on(&of).as_relation(Relation::Owner), ItemGroup::Case));
            records.push(due);
        }
    }
    drop(tx);
    let entry = entry().as_relation(Relation::Owner);
    let lines = Sealed::new(DueRecords { records, next });
    let basis = LegalBasis::OwnRecord;
    gateway.gate.list(caller, Listing { entry, note: None, each, basis, lines }).await
}

/// By which rule a record is due today, or why it is not. The list that it is on may be said.
pub(super) async fn due(
    tx: &mut Tx,
    gateway: &Gateway,
    stored: &StoredRecord,
    on: Option<Uuid>,
) -> Result<Result<DueRecord, NotDue>, StoreError> {
    let id = stored.facts.id;
    let Some(closed) = store::disposals::closed_at(tx, id).await? else { return Ok(Err(NotDue::NotClosed)) };
    if store::disposals::has_open_transfer(tx, id).await? {
        return Ok(Err(NotDue::TransferOpen));
    }
    if store::disposals::is_listed(tx, id, on).await? {
        return Ok(Err(NotDue::OnOtherList));
    }
    let document = store::versions::current(tx, &gateway.vault, stored).await?;
    let (birth_date, class) = document.kept_by(stored.facts.serious).ok_or(StoreError::Corrupt("index section"))?;
    let mut settings = vec![store::disposals::retention_of(tx, &stored.facts.owner).await?];
    for provider in store::disposals::providers(tx, id).await? {
        settings.push(store::disposals::retention_of(tx, &provider).await?);
    }
    let ends = |settings: &RetentionSettings| -> Option<(Date, RetentionRule)> {
        let rule = settings.rule(class)?;
        Some((rule.ends_on(closed.day_in_japan(), birth_date)?, rule))
    };
    // One that cannot be worked out has not ended.
    let ends = settings.iter().map(ends).collect::<Option<Vec<_>>>().unwrap_or_default();
    let last = ends.into_iter().max_by_key(|(day, _)| *day);
    let over = last.filter(|(day, _)| *day <= gateway.clock.today_in_japan());
    let due = over.map(|(day, rule)| DueRecord { record: id, class, rule, since: day.to_string() });
    Ok(due.ok_or(NotDue::RetentionRuns))
}
