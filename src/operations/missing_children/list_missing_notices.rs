//! Lists missing-child notices for centers: those that stand, and old ones.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::view_missing_notice::NoticeLine;
use crate::{
    clock::Timestamp,
    disclosure::{
        gate::{Disclosed, Listing},
        sealed::Sealed,
    },
    domain::{
        missing_notice::{ListedNotices, NoticeContent},
        purpose::Purpose,
        visibility::{ItemGroup, LegalBasis},
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    ledger::entry::{Act, Entry},
    operations::inbox::read_inbox::mark_notices_delivered,
    store,
};

/// Notices on one page.
const PAGE: i64 = 20;

/// A page of notices is asked for.
pub struct ListNotices {
    pub which: ListedNotices,
    /// The notice before which it ends: `next` of the page before; the greatest id for the first.
    pub before: Uuid,
}

/// A notice on the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ListedNotice {
    #[serde(flatten)]
    pub line: NoticeLine,
    /// The child's name as it was written.
    pub name: String,
    /// As it was written.
    pub birth_date: String,
    /// Whether the caller's own center issued it.
    pub own: bool,
    /// Whether it went to the caller's center: what follows is of that center alone.
    pub addressed: bool,
    /// RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    /// `not_here` or `sighted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// A page of notices, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ListedNoticePage {
    pub notices: Vec<ListedNotice>,
    /// Notices that would stand on this page and are not what the gateway wrote: they wait until they are had back.
    pub set_aside: usize,
    /// Give it as `before` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

/// What a line says without the child.
struct WithoutChild {
    line: NoticeLine,
    own: bool,
    done: Option<store::notices::DoneByCenter>,
}

/// Lists notices to any center, newest first; each that is named by an entry. What is listed was delivered to the center,
/// not read.
///
/// # Errors
/// The journal cannot write.
pub async fn list_notices(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ListNotices { which, before }: ListNotices,
) -> Result<Disclosed<ListedNoticePage>, Error> {
    let center = caller.organization();
    let mut tx = gateway.store.read().await?;
    let (page, set_aside) = store::notices::page(&mut tx, which, before, PAGE).await?;
    let is_full = page.len() + set_aside >= PAGE as usize;
    let next = page.last().filter(|_| is_full).map(|last| last.id);
    let (mut lines, mut contents, mut undelivered) = (Vec::new(), Vec::new(), Vec::new());
    for notice in page {
        let done = store::notices::done_by(&mut tx, notice.id, center).await?;
        contents.push(store::notices::content(&mut tx, &gateway.vault, notice.id).await?);
        if done.as_ref().is_some_and(|done| done.read_at.is_none()) {
            undelivered.push(notice.id);
        }
        lines.push(WithoutChild { line: NoticeLine::of(&notice), own: notice.issuer == *center, done });
    }
    drop(tx);
    mark_notices_delivered(gateway, caller, undelivered).await?;
    let entry = || Entry::of(caller, Act::NoticeList, &gateway.clock).for_purpose(Purpose::MissingChild);
    let each = lines.iter().map(|of| (entry().about(of.line.notice), ItemGroup::Index)).collect();
    let lines = Sealed::all(contents).map((lines, set_aside, next), with_children);
    let basis = LegalBasis::AbusePreventionArticle13_4;
    gateway.gate.list(caller, Listing { entry: entry(), note: None, each, basis, lines }).await
}

fn with_children(
    contents: Vec<NoticeContent>,
    (lines, set_aside, next): (Vec<WithoutChild>, usize, Option<Uuid>),
) -> ListedNoticePage {
    let line = |(WithoutChild { line, own, done }, content): (WithoutChild, NoticeContent)| {
        let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
        let addressed = done.is_some();
        let (read_at, answered_at, answer) =
            done.map(|done| (time(done.read_at), time(done.answered_at), done.answer)).unwrap_or_default();
        let (name, birth_date) = (content.child.name, content.child.birth_date);
        ListedNotice { line, name, birth_date, own, addressed, read_at, answered_at, answer }
    };
    ListedNoticePage { notices: lines.into_iter().zip(contents).map(line).collect(), set_aside, next }
}
