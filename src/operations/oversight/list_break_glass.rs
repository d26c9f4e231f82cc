//! Lists broken glasses (緊急閲覧の一覧): on the body's own records, and those that the body broke and that are still open.
//! Who, when and until when; the reason is read one by one.

use serde::Serialize;
use uuid::Uuid;

use super::break_glass::{OPEN_FOR, name_then};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::organization::OrganizationCode,
    error::Error,
    gateway::Gateway,
    identity::{Caller, Role},
    operations::accounts::names::NamesThen,
    store::{self, oversight::GlassLine},
};

const PAGE: i64 = 50;
/// Open glasses of one body that are listed at most: they are open for hours.
const MOST_OPEN: i64 = 100;

/// A page of broken glasses is asked for.
pub struct ListBreakGlass {
    /// The break-glass before which it ends: `next` of the page before; the greatest id for the first.
    pub before: Uuid,
}

/// A break-glass on the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ListedBreakGlass {
    pub break_glass: Uuid,
    pub record: Uuid,
    /// Who broke it.
    pub organization: OrganizationCode,
    pub officer: String,
    /// Name of the officer, as the body had registered it at that time.
    pub officer_name: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// The record is open to that body until then.
    pub until: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed_at: Option<String>,
}

impl ListedBreakGlass {
    fn of(glass: GlassLine, officer_name: String) -> Self {
        Self {
            officer_name,
            break_glass: glass.id,
            record: glass.record,
            organization: glass.organization,
            officer: glass.officer,
            at: glass.until.plus(-OPEN_FOR).to_rfc3339(),
            until: glass.until.to_rfc3339(),
            reviewed_at: glass.reviewed_at.map(|at| at.to_rfc3339()),
        }
    }
}

/// Broken glasses, newest first.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct ListedBreakGlassPage {
    /// On own records, for those who review; a page.
    pub on_ours: Vec<ListedBreakGlass>,
    /// Those that the caller's body broke and that are still open; on the first page.
    pub by_us: Vec<ListedBreakGlass>,
    /// Those that would stand here and are not what the gateway wrote: they wait until they are had back.
    pub set_aside: usize,
    /// Give it as `before` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

/// Lists broken glasses.
///
/// # Errors
/// The database failed.
pub async fn list_break_glass(
    gateway: &Gateway,
    caller: &Caller,
    ListBreakGlass { before }: ListBreakGlass,
) -> Result<Done<ListedBreakGlassPage>, Error> {
    let own = caller.organization();
    let mut listed = ListedBreakGlassPage { on_ours: Vec::new(), by_us: Vec::new(), set_aside: 0, next: None };
    let mut tx = gateway.store.read().await?;
    let mut names = NamesThen::of(gateway);
    if caller.has_any_role(&[Role::Supervisor, Role::Auditor]) {
        let page = store::oversight::glasses_on(&mut tx, own, before, PAGE).await?;
        let is_full = page.glasses.len() + page.set_aside >= PAGE as usize;
        listed.next = page.glasses.last().filter(|_| is_full).map(|last| last.id);
        listed.set_aside += page.set_aside;
        // Whose a record is memory says: a row that somebody edited may name anybody.
        let index = &gateway.journal.memory().index;
        let is_own = |glass: &GlassLine| index.facts_of(glass.record).is_some_and(|facts| facts.owner == *own);
        for glass in page.glasses.into_iter().filter(is_own) {
            let name = name_then(&mut names, &mut tx, &glass).await?;
            listed.on_ours.push(ListedBreakGlass::of(glass, name));
        }
    }
    if before == Uuid::max() {
        let open = store::oversight::open_glasses_of(&mut tx, own, gateway.clock.now(), MOST_OPEN).await?;
        listed.set_aside += open.set_aside;
        for glass in open.glasses {
            let name = name_then(&mut names, &mut tx, &glass).await?;
            listed.by_us.push(ListedBreakGlass::of(glass, name));
        }
    }
    drop(tx);
    Ok(Done::told(listed))
}
