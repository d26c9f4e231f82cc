//! Accounts for disclosures: who saw our records, and whose records ours looked at (閲覧履歴).

use std::sync::Arc;

use axum::http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    domain::organization::OrganizationCode,
    error::Error,
    gateway::Gateway,
    ledger::entry::{Act, Entry},
    store::{self, error::StoreError, ledger::StoredEntry},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// One entry with the names that its ids stand for.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Disclosure {
    /// In which node's log.
    pub log: String,
    /// Position in that log, from 0.
    pub position: u64,
    pub organization_name: String,
    /// Name of the officer, as its organization registered it.
    pub officer_name: String,
    pub entry: Entry,
}

/// A page of entries, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Disclosures {
    pub disclosures: Vec<Disclosure>,
    /// Give it as `before` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

impl CarriesNoRecordData for Disclosures {}

const PAGE: u32 = 100;

/// `GET /v1/disclosures?of=ours|by_us&record=ID&before=ENTRY`
///
/// # Errors
/// A query parameter that is not right.
pub async fn read_disclosures(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let organization = call.caller.organization();
    let id = |field: &'static str, text: Option<&String>| {
        text.map(|text| {
            Uuid::parse_str(text).map_err(|_| Error::Field {
                field,
                rule_ja: "番号（UUID）を指定してください",
                rule_en: "must be an id (UUID)",
            })
        })
        .transpose()
    };
    let before = id("before", call.query.get("before"))?.unwrap_or(Uuid::max());
    let record = id("record", call.query.get("record"))?;
    let mut tx = gateway.store.read().await?;
    let page = match (call.query.get("of").map_or("ours", String::as_str), record) {
        ("ours", None) => store::ledger::entries_about(&mut tx, organization, before, PAGE).await?,
        ("ours", Some(record)) => {
            store::ledger::entries_about_record(&mut tx, organization, record, before, PAGE).await?
        }
        ("by_us", None) => store::ledger::entries_by(&mut tx, organization, before, PAGE).await?,
        _ => {
            return Err(Error::Field {
                field: "of",
                rule_ja: "ours または by_us を指定してください（record は ours のときだけ）",
                rule_en: "must be ours or by_us; record goes with ours",
            });
        }
    };
    drop(tx);
    let full = page.len() == PAGE as usize;
    let next = page.last().filter(|_| full).map(|last| last.id);
    let disclosures = page.into_iter().map(|stored| disclosure(gateway, stored)).collect::<Result<_, _>>()?;
    let entry = Entry::of(&call.caller, Act::DisclosuresRead, &gateway.clock);
    let receipt = gateway.journal.record(call.decided_at, vec![entry.into()], Vec::new()).await?;
    let page = Disclosures { disclosures, next };
    Ok(Answer::message(StatusCode::OK, &page).with_entries(receipt.entries()))
}

fn disclosure(gateway: &Gateway, stored: StoredEntry) -> Result<Disclosure, StoreError> {
    let entry: Entry = serde_json::from_slice(&stored.body).map_err(|_| StoreError::Corrupt("ledger entry"))?;
    let code = OrganizationCode::parse(&entry.organization);
    let officer = code.as_ref().and_then(|code| gateway.directory().staff(code, &entry.officer));
    Ok(Disclosure {
        log: stored.node,
        position: stored.position,
        organization_name: code.map_or_else(|| entry.organization.to_string(), |code| gateway.registry.name(&code)),
        officer_name: officer.map(|officer| officer.name).unwrap_or_default(),
        entry,
    })
}
