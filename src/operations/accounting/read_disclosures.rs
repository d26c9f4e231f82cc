//! Accounts for disclosures: who saw our records, and whose records ours looked at (閲覧履歴).

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::organization::OrganizationCode,
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::entry::{Act, Entry},
    operations::accounts::names::NamesThen,
    store::{self, error::StoreError, ledger::StoredEntry},
};

/// One entry with the names that its ids stand for.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Disclosure {
    /// In which node's log.
    pub log: String,
    /// Position in that log, from 0.
    pub position: u64,
    pub organization_name: String,
    /// Name of the officer, as its organization had registered it at that time.
    pub officer_name: String,
    pub entry: Entry,
}

/// A page of entries, newest first.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct Disclosures {
    pub disclosures: Vec<Disclosure>,
    /// Give it as `before` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

/// Entries of a page, where nobody wants fewer.
pub const PAGE: u32 = 100;

/// Whose disclosures are asked for.
pub enum Accounted {
    /// Of our records.
    Ours,
    /// Of one of our records.
    Record(Uuid),
    /// To our officers.
    ByUs,
}

/// A page of disclosures is asked for.
pub struct ReadDisclosures {
    pub of: Accounted,
    /// The entry before which it ends: `next` of the page before; the greatest id for the first.
    pub before: Uuid,
    /// How many at most.
    pub most: u32,
}

/// Accounts for disclosures, newest first.
///
/// # Errors
/// The journal cannot write.
pub async fn read_disclosures(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ReadDisclosures { of, before, most }: ReadDisclosures,
) -> Result<Done<Disclosures>, Error> {
    let organization = caller.organization();
    let mut tx = gateway.store.read().await?;
    let page = match of {
        Accounted::Ours => store::ledger::entries_about(&mut tx, organization, before, most).await?,
        Accounted::Record(record) => {
            store::ledger::entries_about_record(&mut tx, organization, record, before, most).await?
        }
        Accounted::ByUs => store::ledger::entries_by(&mut tx, organization, before, most).await?,
    };
    let full = page.len() == most as usize;
    let next = page.last().filter(|_| full).map(|last| last.id);
    let mut disclosures = Vec::with_capacity(page.len());
    let mut names = NamesThen::of(gateway);
    for stored in page {
        let entry = Entry::from_bytes(&stored.body).ok_or(StoreError::Corrupt("ledger entry"))?;
        let officer_name = names.at(&mut tx, (&entry.organization, &entry.officer), &entry.at).await?;
        disclosures.push(disclosure(gateway, stored, (entry, officer_name)));
    }
    drop(tx);
    let entry = Entry::of(caller, Act::DisclosuresRead, &gateway.clock);
    let receipt = gateway.journal.record(caller.decided_at(), vec![entry.into()], Vec::new()).await?;
    Ok(Done::new(Disclosures { disclosures, next }, &receipt))
}

fn disclosure(gateway: &Gateway, stored: StoredEntry, (entry, officer_name): (Entry, String)) -> Disclosure {
    let code = OrganizationCode::parse(&entry.organization);
    Disclosure {
        log: stored.node,
        position: stored.position,
        organization_name: code.map_or_else(|| entry.organization.to_string(), |code| gateway.registry.name(&code)),
        officer_name,
        entry,
    }
}
