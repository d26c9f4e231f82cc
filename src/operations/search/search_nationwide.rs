//! Searches the whole country by a fragment of a name (全国検索, 児童虐待防止法13条の4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    clock::Clock,
    disclosure::{
        done::CarriesNoRecordData,
        gate::{Beside, Disclosed, FoundBySearch, With},
        grant::Grant,
        view::FoundChildren,
    },
    domain::{
        calendar::PartialDate,
        case_record::RecordFacts,
        format::code_lists::SEX,
        organization::OrganizationCode,
        purpose::{Purpose, may_look_for},
        registry::Registry,
    },
    error::{CallerError, Error, SearchError},
    gateway::Gateway,
    identity::Caller,
    journal::inbox::{InboxItem, InboxKind},
    ledger::entry::{Act, Entry, Logged},
    operations::written,
    planted::Planted,
    search::{
        index::Found,
        pattern::Pattern,
        query::{BirthCriterion, NearMisses, Query},
        watch::{self, Rule},
    },
};

/// What is known of the child. In a name `?` stands for one unknown character and `*` for any number.
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
    /// Fragment of a relative's name in any written form. Answered from the searcher's own records alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth: Option<BirthRequest>,
    /// Code of the list `SexCode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    /// Whether readings with one kana wrong, missing or too many are looked for: `if_none` (where nothing else is
    /// found), `always` or `never`.
    #[serde(default)]
    pub near_misses: NearMisses,
    /// Page of the answer, from 1. Each page is a search of its own: authorized, run and logged anew.
    #[serde(default = "first_page")]
    pub page: usize,
}

fn first_page() -> usize {
    1
}

/// What is known of the birth date, in any form the national format accepts.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum BirthRequest {
    On {
        on: String,
    },
    Between {
        from: String,
        to: String,
    },
    /// Whole years lived today, 0 to 120.
    Aged {
        age: u8,
    },
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
    /// Records that could not be looked at, because what is stored of them is not what was written: how many, by
    /// prefecture. Among them may be the one that is looked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub records_set_aside: BTreeMap<String, usize>,
}

/// What an answer says besides the children.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct SearchFacts {
    /// More near misses than the limit: none is named; narrow down.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub too_many_near_misses: bool,
    /// Where there is more: the page to ask for next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page: Option<usize>,
    /// Where nothing was found: what that covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

const MAX_NAME_LENGTH: usize = 120;
const MAX_AGE: u8 = 120;

/// Searches the country. Each page is a search of its own: authorized, run and logged anew.
///
/// # Errors
/// [`SearchError::TooBroad`], [`SearchError::TooManyHits`]; a search that could not be completed is an error, never an empty list.
pub async fn search_nationwide(
    gateway: &Gateway,
    caller: &Caller,
    request: SearchRequest,
) -> Result<Disclosed<With<FoundChildren, SearchFacts>>, Error> {
    let query = query(&request, &gateway.clock)?;
    let config = &gateway.config.search;
    let start = (request.page - 1).saturating_mul(config.page_hits);
    if let Err(error) = check_purpose(caller, &request).and_then(|()| allowance(gateway, caller)) {
        // Behind no epoch: it rests on nothing that somebody may see, and is not to be decided again.
        let refused = refusal(gateway, caller, &request, &error)?;
        gateway.journal.note(vec![refused], Vec::new()).await?;
        return Err(error);
    }
    let outcome = find(gateway, caller, query.as_ref());
    let records = outcome.as_ref().map(|found| found.records.as_slice()).unwrap_or_default();
    let shown = records.iter().skip(start).take(config.page_hits).cloned().collect();
    let beside = query.as_ref().map(|query| patterns(gateway, caller, &request, query, shown)).unwrap_or_default();
    let (query, found) = match (query, outcome) {
        (Some(query), Ok(found)) => (query, found),
        (_, outcome) => {
            let error = outcome.err().unwrap_or(SearchError::TooBroad.into());
            let mut refused = vec![refusal(gateway, caller, &request, &error)?];
            refused.extend(beside.entries);
            gateway.journal.record(caller.decided_at(), refused, beside.inbox).await?;
            return Err(error);
        }
    };
    let inbox = notified(gateway, caller, &query, found.approached);
    let note = gateway.vault.seal_note_of(caller.request(), &request)?;
    let mut hits = found.hits.into_iter().chain(found.near).skip(start);
    let page: Vec<_> = hits.by_ref().take(config.page_hits).collect();
    // On a page past the end as well: it must not tell whether there is an earlier one.
    let nothing_shown = page.is_empty();
    let facts = SearchFacts {
        too_many_near_misses: found.too_many_near,
        next_page: hits.next().map(|_| request.page + 1),
        coverage: nothing_shown.then(|| coverage(gateway)),
    };
    let found = FoundBySearch { purpose: request.purpose, hits: page, note, inbox, beside };
    Ok(gateway.gate.children(caller, found).await?.with(facts))
}

/// A search is for what a body of the caller's kind looks for.
fn check_purpose(caller: &Caller, request: &SearchRequest) -> Result<(), Error> {
    if may_look_for(request.purpose, caller.kind(), None) || Planted::AnyPurpose.is_planted() {
        Ok(())
    } else {
        Err(CallerError::Purpose.into())
    }
}

fn find(gateway: &Gateway, caller: &Caller, query: Option<&Query>) -> Result<Found<Grant>, Error> {
    let Some(query) = query.filter(|query| !query.is_too_broad()) else { return Err(SearchError::TooBroad.into()) };
    let max_hits = gateway.config.search.most_hits;
    let findable = |facts: &RecordFacts| gateway.gate.findable(caller, facts);
    let index = &gateway.journal.memory().index;
    let found = index.search(query, caller.organization(), max_hits, findable);
    if found.too_many { Err(SearchError::TooManyHits { max_hits }.into()) } else { Ok(found) }
}

/// Who is told of the search itself: issuers of notices that it matches, and owners of shielded records that stayed
/// hidden: a family that really came here is found by their decision.
fn notified(
    gateway: &Gateway,
    caller: &Caller,
    query: &Query,
    approached: Vec<(Uuid, OrganizationCode)>,
) -> Vec<InboxItem> {
    let notices = gateway.journal.memory().standing.searched(query).into_iter();
    let issuers = notices
        .filter(|(_, issuer)| issuer != caller.organization())
        .map(|(notice, issuer)| InboxItem::new(issuer, InboxKind::MissingChildSearched).subject(notice).from(caller));
    let owners = approached
        .into_iter()
        .filter(|(_, owner)| owner != caller.organization())
        .map(|(record, owner)| InboxItem::new(owner, InboxKind::ShieldApproached).record(record).from(caller));
    issuers.chain(owners).collect()
}

fn allowance(gateway: &Gateway, caller: &Caller) -> Result<(), Error> {
    if caller.asks_again() {
        return Ok(());
    }
    gateway.search_budget.take(caller.organization(), caller.officer())
}

/// The criteria of a request; `None` where a name holds no letter that is known.
fn query(request: &SearchRequest, clock: &Clock) -> Result<Option<Query>, Error> {
    written("case_reference", &request.case_reference, 80)?;
    if request.page == 0 {
        return Err(field("page", "1以上の整数を指定してください。", "must be 1 or more"));
    }
    let mut patterns = [None, None, None];
    for ((field, name), pattern) in [
        ("child_name", &request.child_name),
        ("guardian_name", &request.guardian_name),
        ("relative_name", &request.relative_name),
    ]
    .into_iter()
    .zip(&mut patterns)
    {
        if let Some(name) = name {
            written(field, name, MAX_NAME_LENGTH)?;
            *pattern = Pattern::of(name);
            if pattern.is_none() {
                return Ok(None);
            }
        }
    }
    let [child, guardian, relative] = patterns;
    let sex = request.sex.as_deref().map(|sex| {
        let known = SEX.codes.iter().any(|(code, _)| *code == sex);
        sex.bytes().next().filter(|_| known).ok_or(field(
            "sex",
            "性別のコードを指定してください。",
            "must be a code of SexCode",
        ))
    });
    Ok(Some(Query {
        child,
        guardian,
        relative,
        birth: request.birth.as_ref().map(|birth| birth_criterion(birth, clock)).transpose()?,
        sex: sex.transpose()?,
        near_misses: request.near_misses,
        own_alone: false,
    }))
}

fn birth_criterion(birth: &BirthRequest, clock: &Clock) -> Result<BirthCriterion, Error> {
    let date = |text: &str| {
        PartialDate::parse(text).ok_or(field(
            "birth",
            "実在する日付、年月又は年を入力してください（例：2019-05-14、2019-05、令和元年5月14日）。",
            "must be a date, a month or a year, in the Gregorian calendar or an era",
        ))
    };
    match birth {
        BirthRequest::On { on } => Ok(BirthCriterion::on(date(on)?)),
        BirthRequest::Between { from, to } => BirthCriterion::between(date(from)?, date(to)?).ok_or(field(
            "birth",
            "「期間の終わり」には、「期間の始まり」以後の日付を入力してください。",
            "must not end before it begins",
        )),
        BirthRequest::Aged { age } if *age > MAX_AGE => {
            Err(field("birth", "「年齢」は、0～120の整数で入力してください。", "must be an age from 0 to 120"))
        }
        BirthRequest::Aged { age } => Ok(BirthCriterion::aged(*age, clock.today_in_japan())),
    }
}

fn field(field: &'static str, rule_ja: &'static str, rule_en: &'static str) -> Error {
    Error::field(field, rule_ja, rule_en)
}

/// Patterns in the officer's searches, for the organization's auditor and the owners of the children shown: to be
/// written with what the search itself is answered by.
fn patterns(
    gateway: &Gateway,
    caller: &Caller,
    request: &SearchRequest,
    query: &Query,
    shown: Vec<(Uuid, OrganizationCode)>,
) -> Beside {
    let officer = gateway.directory().staff(caller.organization(), caller.officer());
    let alerts = gateway.watch.observe(watch::WatchedSearch {
        request: caller.request(),
        organization: caller.organization(),
        officer: caller.officer(),
        officer_name: officer.as_ref().map_or("", |officer| officer.name.as_str()),
        at: gateway.clock.now(),
        query,
        case_reference: &request.case_reference,
        found: shown,
    });
    let mut beside = Beside::default();
    for alert in alerts {
        let kind = told_as(alert.rule);
        let entry = Entry::of(caller, Act::SearchWatch, &gateway.clock).about(alert.rule.as_str());
        let item = |to| InboxItem::new(to, kind).from(caller).because_of(&entry);
        if alert.is_news {
            beside.inbox.push(item(caller.organization().clone()));
        }
        // One message for each owner, about one of its children: the ledger has the others.
        let others = alert.found.into_iter().filter(|(_, owner)| owner != caller.organization());
        let one_each: BTreeMap<OrganizationCode, Uuid> = others.map(|(record, owner)| (owner, record)).collect();
        let has_others = !one_each.is_empty();
        beside.inbox.extend(one_each.into_iter().map(|(owner, record)| item(owner).record(record)));
        if alert.is_news || has_others {
            beside.entries.push(entry.into());
        }
    }
    beside
}

fn told_as(rule: Rule) -> InboxKind {
    match rule {
        Rule::ManyNames => InboxKind::SearchManyNames,
        Rule::Walk => InboxKind::SearchWalk,
        Rule::AtNight => InboxKind::SearchAtNight,
        Rule::OwnName => InboxKind::SearchOwnName,
        Rule::Repeated => InboxKind::SearchRepeated,
    }
}

/// A refused search is in the ledger like any other. The criteria are kept beside it as they were given, sealed: the
/// searcher's auditor may read them, the ledger only proves them.
fn refusal(gateway: &Gateway, caller: &Caller, request: &SearchRequest, error: &Error) -> Result<Logged, Error> {
    let note = gateway.vault.seal_note_of(caller.request(), request)?;
    let entry = Entry::of(caller, Act::Search, &gateway.clock)
        .for_purpose(request.purpose)
        .with_note(&note)
        .refused(error.code());
    Ok(Logged::noted(entry, note))
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
        records_set_aside: gateway.journal.memory().guard.set_aside(),
    }
}
