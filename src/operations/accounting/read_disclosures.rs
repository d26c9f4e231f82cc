//! Accounts for disclosures: who saw our records, and whose records ours looked at (閲覧履歴).

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{organization::OrganizationCode, two_persons::StaffId},
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::entry::{Act, Entry},
    store::{self, error::StoreError, ledger::StoredEntry, tx::Tx},
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

const PAGE: u32 = 100;

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
}

/// Accounts for disclosures, newest first.
///
/// # Errors
/// The journal cannot write.
pub async fn read_disclosures(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ReadDisclosures { of, before }: ReadDisclosures,
) -> Result<Done<Disclosures>, Error> {
    let organization = caller.organization();
    let mut tx = gateway.store.read().await?;
    let page = match of {
        Accounted::Ours => store::ledger::entries_about(&mut tx, organization, before, PAGE).await?,
        Accounted::Record(record) => {
            store::ledger::entries_about_record(&mut tx, organization, record, before, PAGE).await?
        }
        Accounted::ByUs => store::ledger::entries_by(&mut tx, organization, before, PAGE).await?,
    };
    let full = page.len() == PAGE as usize;
    let next = page.last().filter(|_| full).map(|last| last.id);
    let mut disclosures = Vec::with_capacity(page.len());
    for stored in page {
        disclosures.push(disclosure(&mut tx, gateway, stored).await?);
    }
    drop(tx);
    let entry = Entry::of(caller, Act::DisclosuresRead, &gateway.clock);
    let receipt = gateway.journal.record(caller.decided_at(), vec![entry.into()], Vec::new()).await?;
    Ok(Done::new(Disclosures { disclosures, next }, &receipt))
}

async fn disclosure(tx: &mut Tx, gateway: &Gateway, stored: StoredEntry) -> Result<Disclosure, StoreError> {
    let entry = Entry::from_bytes(&stored.body).ok_or(StoreError::Corrupt("ledger entry"))?;
    let code = OrganizationCode::parse(&entry.organization);
    let officer_name = match &code {
        Some(code) => name_then(tx, gateway, code, &entry).await?,
        None => String::new(),
    };
    Ok(Disclosure {
        log: stored.node,
        position: stored.position,
        organization_name: code.map_or_else(|| entry.organization.to_string(), |code| gateway.registry.name(&code)),
        officer_name,
        entry,
    })
}

/// What an officer was called when it acted.
async fn name_then(
    tx: &mut Tx,
    gateway: &Gateway,
    code: &OrganizationCode,
    entry: &Entry,
) -> Result<String, StoreError> {
    let Some(staff) = gateway.directory().staff(code, &entry.officer) else { return Ok(String::new()) };
    let of = StaffId { organization: staff.organization, officer: staff.id };
    let at = Timestamp::from_rfc3339(&entry.at);
    let then = match at {
        Some(at) => store::staff_grants::name_at(tx, &gateway.vault, &of, at).await?,
        None => None,
    };
    Ok(then.unwrap_or(staff.name))
}
