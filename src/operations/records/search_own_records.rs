//! Searches an organization's own records by a fragment of a name. It is a list like the one of all of them, and not a
//! national search: nobody else is told, and no purpose is stated.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::list_records::{OwnRecord, own_record};
use crate::{
    clock::Timestamp,
    disclosure::{
        gate::{Disclosed, Listing},
        sealed::Sealed,
    },
    domain::{
        case_record::{IndexItems, RecordFacts},
        organization::OrganizationCode,
        visibility::{ItemGroup, LegalBasis, Relation},
    },
    error::{Error, SearchError},
    gateway::Gateway,
    identity::Caller,
    keys::error::KeyError,
    ledger::entry::{Act, Entry, RecordRef},
    operations::{refuse_read, written},
    planted::Planted,
    search::{
        index::Findable,
        pattern::Pattern,
        query::{NearMisses, Query},
    },
    store::{self, error::StoreError},
};

const PAGE: usize = 50;
/// Records that may answer: among more than that nobody finds one.
const MAX_FOUND: usize = 1_000;
const MAX_NAME_LENGTH: usize = 120;

/// What is looked for among the body's own records. In a name `?` stands for one unknown character and `*` for any number.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnSearch {
    /// Fragment of the child's, a guardian's or a relative's name in any written form, at least two characters.
    pub name: String,
    /// Whose name it is.
    #[serde(default)]
    pub of: NameOf,
    /// Page of the answer, from 1. Each page is a search of its own: run and logged anew.
    #[serde(default = "first_page")]
    pub page: usize,
}

fn first_page() -> usize {
    1
}

/// Whose name is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameOf {
    #[default]
    Child,
    Guardian,
    Relative,
}

/// Own records that were found, best first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FoundOwnRecords {
    pub records: Vec<OwnRecord>,
    /// Records that would stand on this page and are not what the gateway wrote: they wait until they are had back.
    pub set_aside: usize,
    /// Where there is more: the page to ask for next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page: Option<usize>,
}

/// Searches the caller's own records. What was looked for is kept sealed beside the entry, like the criteria of a national
/// search. The allowance of national search is not used up by it: whoever may list all of them may look for one.
///
/// # Errors
/// [`SearchError::TooBroad`], [`SearchError::TooManyHits`].
pub async fn search_own_records(
    gateway: &Gateway,
    caller: &Caller,
    search: OwnSearch,
) -> Result<Disclosed<FoundOwnRecords>, Error> {
    written("name", &search.name, MAX_NAME_LENGTH)?;
    if search.page == 0 {
        return Err(Error::field("page", "1以上の整数を指定してください。", "must be 1 or more"));
    }
    let entry = |act| Entry::of(caller, act, &gateway.clock).as_relation(Relation::Owner);
    let found = match find(gateway, caller, &search) {
        Ok(found) => found,
        Err(error) => return Err(refuse_read(gateway, caller, entry(Act::SearchOwn), error).await),
    };
    let note = gateway.vault.seal_note_of(caller.request(), &search)?;
    let mut hits = found.into_iter().skip((search.page - 1).saturating_mul(PAGE));
    let page: Vec<Uuid> = hits.by_ref().take(PAGE).collect();
    let next_page = hits.next().map(|_| search.page + 1);
    let (mut facts, mut items, mut set_aside) = (Vec::new(), Vec::new(), 0);
    let mut tx = gateway.store.read().await?;
    for record in page {
        match store::index_rows::own(&mut tx, &gateway.vault, &owner_of(gateway, caller, record), record).await {
            // It left the body a moment ago.
            Ok(None) => {}
            Ok(Some((of, item, updated_at))) => {
                facts.push((of, updated_at));
                items.push(item);
            }
            Err(StoreError::Refuted(_) | StoreError::Key(KeyError::Missing { .. })) => set_aside += 1,
            Err(error) => return Err(error.into()),
        }
    }
    drop(tx);
    let on = |of: &RecordFacts| {
        entry(Act::ListOwn).on(&RecordRef { record: of.id, version: of.version, owner: of.owner.clone() })
    };
    let each = facts.iter().map(|(of, _)| (on(of), ItemGroup::Index)).collect();
    let lines = Sealed::all(items).map((facts, set_aside, next_page), found_records);
    let (entry, basis) = (entry(Act::SearchOwn), LegalBasis::OwnRecord);
    gateway.gate.list(caller, Listing { entry, note: Some(note), each, basis, lines }).await
}

/// Whose records are shown: the caller's own.
fn owner_of(gateway: &Gateway, caller: &Caller, record: Uuid) -> OrganizationCode {
    let own = || caller.organization().clone();
    if !Planted::SearchEverybodys.is_planted() {
        return own();
    }
    gateway.journal.memory().index.facts_of(record).map_or_else(own, |facts| facts.owner)
}

/// The own records that answer, best first.
fn find(gateway: &Gateway, caller: &Caller, search: &OwnSearch) -> Result<Vec<Uuid>, Error> {
    let Some(pattern) = Pattern::of(&search.name) else { return Err(SearchError::TooBroad.into()) };
    let own_alone = !Planted::SearchEverybodys.is_planted();
    let query = Query { near_misses: NearMisses::Never, own_alone, ..Query::default() };
    let query = match search.of {
        NameOf::Child => Query { child: Some(pattern), ..query },
        NameOf::Guardian => Query { guardian: Some(pattern), ..query },
        NameOf::Relative => Query { relative: Some(pattern), ..query },
    };
    if query.is_too_broad() {
        return Err(SearchError::TooBroad.into());
    }
    let own = caller.organization();
    let is_own = |facts: &RecordFacts| facts.owner == *own || !own_alone;
    let findable = |facts: &RecordFacts| if is_own(facts) { Findable::Shown(()) } else { Findable::Absent };
    let found = gateway.journal.memory().index.search(&query, own, MAX_FOUND, findable);
    if found.too_many {
        return Err(SearchError::TooManyHits { max_hits: MAX_FOUND }.into());
    }
    Ok(found.records.into_iter().map(|(record, _)| record).collect())
}

fn found_records(
    items: Vec<IndexItems>,
    (facts, set_aside, next_page): (Vec<(RecordFacts, Timestamp)>, usize, Option<usize>),
) -> FoundOwnRecords {
    FoundOwnRecords { records: facts.into_iter().zip(items).map(own_record).collect(), set_aside, next_page }
}
