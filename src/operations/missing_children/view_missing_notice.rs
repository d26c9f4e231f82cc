//! Views a missing-child notice, what centers did with it, and searches old ones.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::sealed::Sealed,
    domain::{
        case_record::NameForm,
        missing_notice::{NoticeContent, NoticeState},
        organization::OrganizationCode,
        visibility::LegalBasis,
    },
    error::Error,
    gateway::Gateway,
    journal::journal::Effect,
    ledger::entry::{Act, Entry, Purpose},
    operations::{refuse_as, refuse_read, written},
    search::{fold::FoldedName, pattern::Pattern},
    store::{self, idempotency::Idempotency, notices::Notice},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// A notice without its content.
#[derive(Serialize, Clone, utoipa::ToSchema)]
pub struct NoticeLine {
    pub notice: Uuid,
    pub issuer: OrganizationCode,
    pub version: i64,
    pub state: NoticeState,
    pub exercise: bool,
    pub issued_at: String,
    pub updated_at: String,
}

impl CarriesNoRecordData for NoticeLine {}

impl NoticeLine {
    fn of(notice: &Notice) -> Self {
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

/// `GET /v1/missing-notices/{id}`: any center. Opening it marks it read.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn view_notice(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let mut tx = gateway.store.read().await?;
    let Some(notice) = store::notices::find(&mut tx, id).await? else {
        drop(tx);
        return Err(refuse_read(gateway, &call, Act::NoticeView, id, Error::NotFound("notice")).await);
    };
    let sealed = store::notices::content(&mut tx, &gateway.vault, id).await?;
    drop(tx);
    let center = call.caller.organization().clone();
    if center != notice.issuer {
        let node = gateway.clone();
        gateway
            .journal
            .write(&call.caller, None::<Idempotency>, move |tx| {
                Box::pin(async move {
                    store::notices::mark_read(tx, id, &center, node.clock.now()).await?;
                    Ok(Effect { value: Marked, entries: Vec::new(), inbox: Vec::new(), changes: Vec::new() })
                })
            })
            .await?;
    }
    let entry = Entry::of(&call.caller, Act::NoticeView, &gateway.clock).about(id).for_purpose(Purpose::MissingChild);
    let basis = LegalBasis::AbusePreventionArticle13_4;
    let disclosed = gateway.gate.disclose_whole(entry, basis, call.decided_at, sealed).await?;
    Ok(Answer::disclosed_beside("content", &disclosed, &NoticeLine::of(&notice)).with_version(notice.version))
}

/// `GET /v1/missing-notices/{id}/centers`: delivered, read and answered, for the issuer alone.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn view_notice_centers(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let mut tx = gateway.store.read().await?;
    let notice = store::notices::find(&mut tx, id).await?.filter(|notice| notice.issuer == *call.caller.organization());
    let Some(notice) = notice else {
        drop(tx);
        return Err(refuse_read(gateway, &call, Act::NoticeView, id, Error::NotFound("notice")).await);
    };
    let sealed = store::notices::centers(&mut tx, &gateway.vault, id).await?;
    drop(tx);
    let entry = Entry::of(&call.caller, Act::NoticeView, &gateway.clock).about(id).for_purpose(Purpose::MissingChild);
    let basis = LegalBasis::AbusePreventionArticle13_4;
    let disclosed = gateway.gate.disclose_whole(entry, basis, call.decided_at, sealed).await?;
    Ok(Answer::disclosed_beside("centers", &disclosed, &NoticeLine::of(&notice)))
}

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

/// `POST /v1/missing-notices/searches`: any center, old notices too.
///
/// # Errors
/// [`Error::TooBroad`], [`Error::TooManyHits`].
pub async fn search_notices(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let NoticeSearch { name } = call.json()?;
    written("name", &name, 120)?;
    let entry = || Entry::of(&call.caller, Act::NoticeSearch, &gateway.clock).for_purpose(Purpose::MissingChild);
    let Some(fragment) = Pattern::of(&name).filter(Pattern::narrows_down) else {
        return Err(refuse_as(gateway, &call, entry(), Error::TooBroad).await);
    };
    let mut tx = gateway.store.read().await?;
    let mut found = Vec::new();
    for notice in store::notices::all(&mut tx).await? {
        let content = store::notices::open_content(&mut tx, &gateway.vault, notice.id).await?;
        let written = FoldedName::of(NameForm::Written, &content.child.name);
        let kana = content.child.kana.as_deref().map(|kana| FoldedName::of(NameForm::Kana, kana));
        let names: Vec<FoldedName> = std::iter::once(written).chain(kana).collect();
        if fragment.best(&names).is_some() {
            found.push(FoundNotice { line: NoticeLine::of(&notice), content });
        }
    }
    drop(tx);
    let most = gateway.config.search.most_hits;
    if found.len() > most {
        return Err(refuse_as(gateway, &call, entry(), Error::TooManyHits { most }).await);
    }
    let each = found.iter().map(|found| entry().about(found.line.notice)).collect();
    let basis = LegalBasis::AbusePreventionArticle13_4;
    let disclosed = gateway.gate.disclose_list(entry(), each, basis, call.decided_at, Sealed::new(found)).await?;
    Ok(Answer::disclosed(&disclosed))
}
