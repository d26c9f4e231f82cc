//! Views a missing-child notice, what centers did with it, and searches old ones.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::{
        done::CarriesNoRecordData,
        gate::{Disclosed, Listing, With},
        sealed::Sealed,
    },
    domain::{
        case_record::NameForm,
        missing_notice::{CenterState, Notice, NoticeContent, NoticeState},
        organization::OrganizationCode,
        purpose::Purpose,
        visibility::{ItemGroup, LegalBasis},
    },
    error::{Error, SearchError},
    gateway::Gateway,
    identity::Caller,
    journal::journal::Effect,
    ledger::entry::{Act, Entry},
    operations::{refuse_read, written},
    search::{fold::FoldedName, pattern::Pattern},
    store,
};

/// A notice without its content.
#[derive(Serialize, Clone, CarriesNoRecordData, utoipa::ToSchema)]
#[carries(version)]
pub struct NoticeLine {
    pub notice: Uuid,
    pub issuer: OrganizationCode,
    pub version: i64,
    pub state: NoticeState,
    pub exercise: bool,
    pub issued_at: String,
    pub updated_at: String,
}

impl NoticeLine {
    pub(super) fn of(notice: &Notice) -> Self {
        Self {
            notice: notice.id,
            issuer: notice.issuer.clone(),
            version: notice.version,
            state: notice.state,
            exercise: notice.exercise,
            issued_at: notice.issued_at.to_rfc3339(),
            updated_at: notice.updated_at.to_rfc3339(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Marked;

/// A notice, or what became of it, is asked for.
pub struct ViewNotice {
    pub notice: Uuid,
}

/// Shows a notice to any center. Opening it marks it read.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn view_notice(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ViewNotice { notice: id }: ViewNotice,
) -> Result<Disclosed<With<NoticeContent, NoticeLine>>, Error> {
    let entry = Entry::of(caller, Act::NoticeView, &gateway.clock).about(id);
    let mut tx = gateway.store.read().await?;
    let Some(notice) = store::notices::find(&mut tx, id).await? else {
        drop(tx);
        return Err(refuse_read(gateway, caller, entry, Error::NotFound("notice")).await);
    };
    let sealed = store::notices::content(&mut tx, &gateway.vault, id).await?;
    drop(tx);
    let center = caller.organization().clone();
    if center != notice.issuer {
        let node = gateway.clone();
        let marking = gateway.journal.write(caller, None, move |tx| {
            Box::pin(async move {
                store::notices::mark_read(tx, id, &center, node.clock.now()).await?;
                Ok(Effect::bare(Marked))
            })
        });
        marking.await?;
    }
    let (entry, basis) = (entry.for_purpose(Purpose::MissingChild), LegalBasis::AbusePreventionArticle13_4);
    let disclosed = gateway.gate.whole(caller, entry, basis, sealed).await?;
    Ok(disclosed.with(NoticeLine::of(&notice)))
}

/// The notice on which the centers reported. Its version is not theirs.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct NoticeOfCenters {
    #[serde(flatten)]
    pub line: NoticeLine,
}

/// Shows the issuer of a notice what each center did with it: delivered, read and answered.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn view_notice_centers(
    gateway: &Gateway,
    caller: &Caller,
    ViewNotice { notice: id }: ViewNotice,
) -> Result<Disclosed<With<Vec<CenterState>, NoticeOfCenters>>, Error> {
    let entry = Entry::of(caller, Act::NoticeView, &gateway.clock).about(id);
    let mut tx = gateway.store.read().await?;
    let found = store::notices::find(&mut tx, id).await?.filter(|notice| notice.issuer == *caller.organization());
    let Some(notice) = found else {
        drop(tx);
        return Err(refuse_read(gateway, caller, entry, Error::NotFound("notice")).await);
    };
    let sealed = store::notices::centers(&mut tx, &gateway.vault, id).await?;
    drop(tx);
    let (entry, basis) = (entry.for_purpose(Purpose::MissingChild), LegalBasis::AbusePreventionArticle13_4);
    let disclosed = gateway.gate.whole(caller, entry, basis, sealed).await?;
    Ok(disclosed.with(NoticeOfCenters { line: NoticeLine::of(&notice) }))
}

/// Which notices to look for.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeSearch {
    /// Fragment of the child's name in any written form, at least two characters.
    pub name: String,
}

/// A notice that was found.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FoundNotice {
    #[serde(flatten)]
    pub line: NoticeLine,
    pub content: NoticeContent,
}

/// Searches the notices, old ones too, for any center.
///
/// # Errors
/// [`SearchError::TooBroad`], [`SearchError::TooManyHits`].
pub async fn search_notices(
    gateway: &Gateway,
    caller: &Caller,
    NoticeSearch { name }: NoticeSearch,
) -> Result<Disclosed<Vec<FoundNotice>>, Error> {
    written("name", &name, 120)?;
    let entry = || Entry::of(caller, Act::NoticeSearch, &gateway.clock).for_purpose(Purpose::MissingChild);
    let Some(fragment) = Pattern::of(&name).filter(Pattern::narrows_down) else {
        return Err(refuse_read(gateway, caller, entry(), SearchError::TooBroad).await);
    };
    let mut tx = gateway.store.read().await?;
    let (mut each, mut found) = (Vec::new(), Vec::new());
    for notice in store::notices::all(&mut tx).await? {
        let content = store::notices::content(&mut tx, &gateway.vault, notice.id).await?;
        let hit = content.map((&fragment, NoticeLine::of(&notice)), matching);
        if hit.is(Option::is_some) {
            each.push((entry().about(notice.id), ItemGroup::Index));
            found.push(hit);
        }
    }
    drop(tx);
    let max_hits = gateway.config.search.most_hits;
    if found.len() > max_hits {
        return Err(refuse_read(gateway, caller, entry(), SearchError::TooManyHits { max_hits }).await);
    }
    let lines = Sealed::all(found).map((), |found, ()| found.into_iter().flatten().collect());
    let basis = LegalBasis::AbusePreventionArticle13_4;
    gateway.gate.list(caller, Listing { entry: entry(), note: None, each, basis, lines }).await
}

/// The notice, where its child has a name that fits.
fn matching(content: NoticeContent, (fragment, line): (&Pattern, NoticeLine)) -> Option<FoundNotice> {
    let written = FoldedName::of(NameForm::Written, &content.child.name);
    let kana = content.child.kana.as_deref().map(|kana| FoldedName::of(NameForm::Kana, kana));
    let names: Vec<FoldedName> = std::iter::once(written).chain(kana).collect();
    fragment.best(&names).map(|_| FoundNotice { line, content })
}
