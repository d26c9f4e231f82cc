//! Reads and acknowledges an organization's inbox. Messages carry ids and codes, no record data.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    gateway::Gateway,
    identity::{Caller, Role},
    journal::{inbox::InboxKind, journal::Effect},
    store::{self, error::StoreError, idempotency::Idempotency, inbox::Message},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// A page of messages.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Inbox {
    pub messages: Vec<Message>,
    /// Give it as `after` next time.
    pub cursor: i64,
    /// Position up to which the organization has acknowledged.
    pub acknowledged: i64,
}

impl CarriesNoRecordData for Inbox {}

const PAGE: i64 = 100;
const LONGEST_WAIT: u64 = 30;

#[derive(Serialize, Deserialize)]
struct Delivered;

/// `GET /v1/inbox?after=POSITION&wait=SECONDS`: waits up to 30 seconds for a message where there is none.
///
/// # Errors
/// The database failed.
pub async fn read_inbox(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let organization = call.caller.organization();
    let after = call.number("after")?.unwrap_or(0);
    let wait = call.number("wait")?.and_then(|wait| u64::try_from(wait).ok()).unwrap_or(0).min(LONGEST_WAIT);
    wait_for_news(gateway, &call, after, Duration::from_secs(wait)).await;
    let mut tx = gateway.store.read().await?;
    let mut messages = store::inbox::after(&mut tx, organization, after, PAGE).await?;
    let acknowledged = store::inbox::acknowledged(&mut tx, organization).await?;
    drop(tx);
    mark_notices_delivered(gateway, &call, &messages).await?;
    let cursor = messages.last().map_or(after, |message| message.position);
    messages.retain(|message| may_read(&call.caller, message));
    Ok(Answer::message(StatusCode::OK, &Inbox { messages, cursor, acknowledged }))
}

/// What the watch noticed about the organization's own officers is for its auditors.
fn may_read(caller: &Caller, message: &Message) -> bool {
    let is_of_watch = InboxKind::OF_WATCH.iter().any(|kind| kind.as_str() == message.kind);
    let is_own = message.from_organization.as_deref() == Some(caller.organization().as_str());
    !(is_of_watch && is_own) || caller.has_role(Role::Auditor)
}

async fn wait_for_news(gateway: &Gateway, call: &Call, after: i64, wait: Duration) {
    let (latest, news) = gateway.journal.memory().inboxes.watch(call.caller.organization());
    let notified = news.notified();
    tokio::pin!(notified);
    // Enabled before the second look, so that a delivery in between is not missed.
    notified.as_mut().enable();
    let (latest_now, _) = gateway.journal.memory().inboxes.watch(call.caller.organization());
    if latest.max(latest_now) > after || wait.is_zero() {
        return;
    }
    let _ = tokio::time::timeout(wait, notified).await;
}

/// Position of the latest message to the caller's organization, from whichever node.
async fn latest(gateway: &Gateway, call: &Call) -> Result<i64, StoreError> {
    let organization = call.caller.organization();
    if gateway.store.is_shared() {
        store::inbox::latest(&mut gateway.store.read().await?, organization).await
    } else {
        Ok(gateway.journal.memory().inboxes.watch(organization).0)
    }
}

/// The issuer of a notice sees to which centers it was delivered.
async fn mark_notices_delivered(gateway: &Arc<Gateway>, call: &Call, messages: &[Message]) -> Result<(), Error> {
    let mut notices: Vec<_> =
        messages.iter().filter(|message| message.kind == "missing_notice").filter_map(|m| m.subject).collect();
    let center = call.caller.organization().clone();
    let mut tx = gateway.store.read().await?;
    let fresh = store::notices::undelivered(&mut tx, &center).await?;
    drop(tx);
    notices.retain(|notice| fresh.contains(notice));
    if notices.is_empty() {
        return Ok(());
    }
    let now = gateway.clock.now();
    gateway
        .journal
        .write(&call.caller, None::<Idempotency>, move |tx| {
            Box::pin(async move {
                for notice in notices {
                    store::notices::mark_delivered(tx, notice, &center, now).await?;
                }
                Ok(Effect { value: Delivered, entries: Vec::new(), inbox: Vec::new(), changes: Vec::new() })
            })
        })
        .await
        .map(|_| ())
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Position up to which everything has been dealt with.
    pub position: i64,
}

impl CarriesNoRecordData for Acknowledge {}

/// `POST /v1/inbox/acknowledgements`
///
/// # Errors
/// The position lies beyond the latest message.
pub async fn acknowledge_inbox(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let idempotency = call.idempotency()?;
    let Acknowledge { position } = call.json()?;
    let organization = call.caller.organization().clone();
    if !(0..=latest(gateway, &call).await?).contains(&position) {
        return Err(Error::Field {
            field: "position",
            rule_ja: "受信した位置を指定してください",
            rule_en: "must be the position of a message that was received",
        });
    }
    let (acknowledged, _) = gateway
        .journal
        .write(&call.caller, Some(idempotency), move |tx| {
            Box::pin(async move {
                store::inbox::acknowledge(tx, &organization, position).await?;
                let value = Acknowledge { position };
                Ok(Effect { value, entries: Vec::new(), inbox: Vec::new(), changes: Vec::new() })
            })
        })
        .await?;
    Ok(Answer::message(StatusCode::OK, &acknowledged))
}
