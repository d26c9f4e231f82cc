//! Searches the whole country by a fragment of a name (全国検索, 児童虐待防止法13条の4).

use serde::{Deserialize, Serialize};

use super::written;
use crate::{
    disclosure::{
        entry::{Act, Entry, Purpose},
        journal::Logged,
        messages::{InboxItem, InboxKind},
    },
    domain::{calendar::PartialDate, registry::Registry},
    error::Error,
    gateway::Gateway,
    identity::Caller,
    search::query::{BirthCriterion, Fragment, Query},
    store::vault::{CENTRAL, Place},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// What is known of the child.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// For what: `new_report`, `casework`, `transfer` or `missing_child`.
    pub purpose: Purpose,
    /// The searcher's own case reference, 1 to 80 characters.
    pub case_reference: String,
    /// Fragment of the child's name in any written form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child_name: Option<String>,
    /// Fragment of a guardian's name in any written form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardian_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth: Option<BirthRequest>,
    /// Code of the list `SexCode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
}

/// What is known of the birth date, in any form the national format accepts.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum BirthRequest {
    On { on: String },
    Between { from: String, to: String },
}

/// What "no hit" covered.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Coverage {
    /// Organizations connected.
    pub organizations_connected: usize,
    /// The longest ago that a connected organization last uploaded; missing where none has. RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_last_upload: Option<String>,
    /// Prefectures (01 to 47) in which no organization is connected.
    pub prefectures_not_reached: Vec<String>,
}

/// What stands beside the children of an answer.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SearchFacts {
    /// Where nothing was found: what that covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

impl CarriesNoRecordData for SearchFacts {}

const LONGEST_NAME: usize = 120;

/// `POST /v1/searches`
///
/// # Errors
/// [`Error::TooBroad`], [`Error::TooManyHits`]; a search that could not be completed is an error, never an empty list.
pub async fn search_nationwide(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let request: SearchRequest = call.json()?;
    let query = query(&request)?;
    let memory = gateway.journal.memory();
    let caller = &call.caller;
    let most = gateway.config.search.most_hits;
    if query.is_too_broad() {
        return refuse(gateway, &call, &request, Error::TooBroad).await;
    }
    let found = memory.index.search(&query, most, |facts| gateway.gate.findable(caller, facts));
    if found.too_many {
        return refuse(gateway, &call, &request, Error::TooManyHits { most }).await;
    }
    let mut inbox: Vec<InboxItem> = memory
        .standing
        .searched(&query)
        .into_iter()
        .filter(|(_, issuer)| issuer != caller.organization())
        .map(|(notice, issuer)| InboxItem::new(issuer, InboxKind::MissingChildSearched).subject(notice).from(caller))
        .collect();
    // Owners of shielded records that stayed hidden are told as well: a family that really came here is found by
    // their decision.
    let hidden = found
        .approached
        .into_iter()
        .map(|(record, owner)| InboxItem::new(owner, InboxKind::ShieldApproached).record(record).from(caller));
    inbox.extend(hidden.filter(|item| item.to != *caller.organization()));
    let note = sealed_note(gateway, caller, &request)?;
    let disclosed =
        gateway.gate.disclose_hits(caller, request.purpose, call.decided_at, found.hits, note, inbox).await?;
    let coverage = disclosed.value().is_empty().then(|| coverage(gateway));
    Ok(Answer::disclosed_beside("children", &disclosed, &SearchFacts { coverage }))
}

fn query(request: &SearchRequest) -> Result<Query, Error> {
    written("case_reference", &request.case_reference, 80)?;
    for (field, name) in [("child_name", &request.child_name), ("guardian_name", &request.guardian_name)] {
        if let Some(name) = name {
            written(field, name, LONGEST_NAME)?;
        }
    }
    let fragment = |name: &Option<String>| name.as_deref().map(Fragment::of).filter(|f| !f.is_empty());
    let date = |text: &String| {
        PartialDate::parse(text).ok_or(Error::Field {
            field: "birth",
            rule_ja: "日付・年月・年（西暦または元号）で指定してください",
            rule_en: "must be a date, a month or a year, in the Gregorian calendar or an era",
        })
    };
    let birth = match &request.birth {
        None => None,
        Some(BirthRequest::On { on }) => Some(BirthCriterion::On(date(on)?)),
        Some(BirthRequest::Between { from, to }) => Some(BirthCriterion::Between(date(from)?, date(to)?)),
    };
    Ok(Query {
        child: fragment(&request.child_name),
        guardian: fragment(&request.guardian_name),
        birth,
        sex: request.sex.clone(),
    })
}

/// A refused search is in the ledger like any other.
async fn refuse(gateway: &Gateway, call: &Call, request: &SearchRequest, error: Error) -> Result<Answer, Error> {
    let note = sealed_note(gateway, &call.caller, request)?;
    let entry = Entry::of(&call.caller, Act::Search, &gateway.clock)
        .for_purpose(request.purpose)
        .with_note(&note)
        .refused(error.code());
    gateway
        .journal
        .record(call.decided_at, vec![Logged { entry, note: Some(note), hidden_owner: None }], Vec::new())
        .await?;
    Err(error)
}

/// The criteria as they were given, sealed: the searcher's auditor may read them, the ledger only proves them.
fn sealed_note(gateway: &Gateway, caller: &Caller, request: &SearchRequest) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_vec(request).map_err(|error| Error::Body(error.to_string()))?;
    let place = Place { table: "ledger", row: &caller.request(), column: "sealed_note" };
    Ok(gateway.vault.seal(CENTRAL, place, &text)?)
}

fn coverage(gateway: &Gateway) -> Coverage {
    let connected = gateway.directory().organizations();
    let reached = Registry::prefectures_of(connected.iter().map(|organization| &organization.code));
    let prefectures_not_reached =
        (1..=47).map(|number| format!("{number:02}")).filter(|number| !reached.contains(number.as_str())).collect();
    Coverage {
        organizations_connected: connected.len(),
        oldest_last_upload: connected.iter().filter_map(|o| o.last_upload_at).min().map(|at| at.to_rfc3339()),
        prefectures_not_reached,
    }
}
