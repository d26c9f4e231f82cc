//! Emergency access of a center on duty (緊急閲覧): a written reason, the owner told at once, reviewed later.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::visibility::LegalBasis,
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry},
    operations::{carry_out, declined, findable_record, refuse_read, written},
    store,
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// How long the record stays open.
const OPEN_FOR: Duration = Duration::hours(4);
const LONGEST_REASON: usize = 2_000;

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassRequest {
    /// Why it cannot wait, 1 to 2,000 characters.
    pub reason: String,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct GlassBroken {
    pub break_glass: Uuid,
    /// RFC 3339, UTC.
    pub until: String,
}

impl CarriesNoRecordData for GlassBroken {}

/// `POST /v1/records/{id}/break-glass`
///
/// # Errors
/// [`Error::NotAvailable`] for a record that the caller could not have found.
pub async fn break_glass(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let BreakGlassRequest { reason } = call.json()?;
    written("reason", &reason, LONGEST_REASON)?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::CREATED, move |tx| {
        Box::pin(async move {
            let facts = findable_record(tx, &node, &call, Act::BreakGlass, id).await?;
            let glass = node.clock.new_id();
            let until = node.clock.now().plus(OPEN_FOR);
            store::oversight::break_glass(tx, &node.vault, glass, id, &call.caller, until, &reason).await?;
            let entry = Entry::of(&call.caller, Act::BreakGlass, &node.clock).about(glass);
            let logged = node.gate.log_found(entry, &call.caller, &facts)?;
            let told = InboxItem::new(facts.owner, InboxKind::BreakGlass)
                .record(id)
                .subject(glass)
                .from(&call.caller)
                .because_of(&logged.entry);
            let broken = GlassBroken { break_glass: glass, until: until.to_rfc3339() };
            Ok(Effect::new(broken, logged).tell([told]).then(Change::Visibility(Scope::Record(id))))
        })
    })
    .await
}

/// `GET /v1/break-glass/{id}`: the reason, for the owner and for those who gave it.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn view_break_glass(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let mut tx = gateway.store.read().await?;
    let stored = match store::oversight::glass_record(&mut tx, id).await? {
        Some(record) => store::records::find(&mut tx, record).await?,
        None => None,
    };
    let is_owner = stored.is_some_and(|stored| stored.facts.owner == *call.caller.organization());
    let by_caller = store::oversight::glass_breaker(&mut tx, id).await?.as_ref() == Some(call.caller.organization());
    let sealed =
        if is_owner || by_caller { store::oversight::broken_glass(&mut tx, &gateway.vault, id).await? } else { None };
    drop(tx);
    let Some(sealed) = sealed else {
        let error = Error::NotFound("break-glass");
        return Err(refuse_read(gateway, &call, Act::BreakGlassReview, id, error).await);
    };
    let entry = Entry::of(&call.caller, Act::BreakGlassReview, &gateway.clock).about(id);
    let disclosed =
        gateway.gate.disclose_whole(entry, LegalBasis::AbusePreventionArticle13_4, call.decided_at, sealed).await?;
    Ok(Answer::disclosed(&disclosed))
}

/// `POST /v1/break-glass/{id}/review`: a supervisor or auditor of the owner has looked at the reason.
///
/// # Errors
/// [`Error::NotFound`] for anybody but the owner.
pub async fn review_break_glass(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let record = store::oversight::glass_record(tx, id).await?;
            let stored = match record {
                Some(record) => store::records::find(tx, record).await?,
                None => None,
            };
            match stored {
                Some(stored) if stored.facts.owner == *call.caller.organization() => {}
                _ => {
                    let error = Error::NotFound("break-glass");
                    return Err(declined(&node, &call, Act::BreakGlassReview, Some(id), error));
                }
            }
            store::oversight::review_glass(tx, id, node.clock.now()).await?;
            let entry = Entry::of(&call.caller, Act::BreakGlassReview, &node.clock).about(id);
            Ok(Effect::new(Reviewed { break_glass: id }, entry))
        })
    })
    .await
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reviewed {
    pub break_glass: Uuid,
}

impl CarriesNoRecordData for Reviewed {}
