//! Reads and acknowledges an organization's inbox. Messages carry ids and codes, no record data.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{idempotency::Idempotency, organization::OrganizationCode},
    error::Error,
    gateway::Gateway,
    identity::{Caller, Role},
    journal::{
        inbox::{InboxKind, Message},
        journal::Effect,
    },
    operations::carry_out,
    planted::Planted,
    store::{self, error::StoreError, tx::Tx},
};

/// A page of messages.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct Inbox {
    pub messages: Vec<Message>,
    /// Give it as `after` next time.
    pub cursor: i64,
    /// Position up to which the organization has acknowledged.
    pub acknowledged: i64,
}

const PAGE: i64 = 100;
const MAX_WAIT: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize)]
struct Delivered;

/// A page of messages is asked for.
pub struct ReadInbox {
    /// Position after which it begins: `cursor` of the page before.
    pub after: i64,
    /// How long to wait for a message where there is none; at most 30 seconds.
    pub wait: Duration,
}

/// Reads the inbox, and waits for a message where there is none.
///
/// # Errors
/// The database failed.
pub async fn read_inbox(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    ReadInbox { after, wait }: ReadInbox,
) -> Result<Done<Inbox>, Error> {
    let organization = caller.organization();
    wait_for_news(gateway, caller, after, wait.min(MAX_WAIT)).await;
    // Noted before the messages are read: what memory knows of is there.
    let (latest, _) = gateway.journal.memory().inboxes.watch(organization);
    let mut tx = gateway.store.read().await?;
    let mut messages = store::inbox::after(&mut tx, organization, (after, latest), (PAGE, gateway.clock.now())).await?;
    let acknowledged = store::inbox::acknowledged(&mut tx, organization).await?;
    for message in &mut messages {
        message.about = other_body(&mut tx, organization, message).await?;
    }
    drop(tx);
    let notices = messages.iter().filter(|message| message.kind == "missing_notice").filter_map(|m| m.subject);
    mark_notices_delivered(gateway, caller, notices.collect()).await?;
    let cursor = messages.last().map_or(after, |message| message.position);
    messages.retain(|message| may_read(caller, message));
    Ok(Done::told(Inbox { messages, cursor, acknowledged }))
}

/// The body that a message is about, where that is another than the reader's: the ledger entry says so.
async fn other_body(tx: &mut Tx, reader: &OrganizationCode, message: &Message) -> Result<Option<String>, StoreError> {
    let is_of_bodies = InboxKind::OF_BODIES.iter().any(|kind| kind.as_str() == message.kind);
    let Some(entry) = message.entry.filter(|_| is_of_bodies) else { return Ok(None) };
    let body = store::ledger::owner_of(tx, entry).await?;
    Ok(body.filter(|body| body != reader.as_str()))
}

/// What the watch noticed about the organization's own officers is for its auditors.
pub(crate) fn may_read(caller: &Caller, message: &Message) -> bool {
    let is_of_watch = InboxKind::OF_WATCH.iter().any(|kind| kind.as_str() == message.kind);
    let is_own = message.from_organization.as_deref() == Some(caller.organization().as_str());
    !(is_of_watch && is_own) || caller.has_role(Role::Auditor)
}

async fn wait_for_news(gateway: &Gateway, caller: &Caller, after: i64, wait: Duration) {
    let (latest, news) = gateway.journal.memory().inboxes.watch(caller.organization());
    let notified = news.notified();
    tokio::pin!(notified);
    // Enabled before the second look, so that a delivery in between is not missed.
    notified.as_mut().enable();
    let (latest_now, _) = gateway.journal.memory().inboxes.watch(caller.organization());
    if latest.max(latest_now) > after || wait.is_zero() {
        return;
    }
    let _ = tokio::time::timeout(wait, notified).await;
}

/// Position of the latest message to the caller's organization, from whichever node.
async fn latest(gateway: &Gateway, caller: &Caller) -> Result<i64, StoreError> {
    let organization = caller.organization();
    if gateway.store.is_shared() {
        store::inbox::latest(&mut gateway.store.read().await?, organization).await
    } else {
        Ok(gateway.journal.memory().inboxes.watch(organization).0)
    }
}

/// The issuer of a notice sees to which centers it was delivered: by their inbox, or by a list of what there is to do.
pub(crate) async fn mark_notices_delivered(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    mut notices: Vec<Uuid>,
) -> Result<(), Error> {
    if notices.is_empty() {
        return Ok(());
    }
    let center = caller.organization().clone();
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
        .write(caller, None::<Idempotency>, move |tx| {
            Box::pin(async move {
                for notice in notices {
                    store::notices::mark_delivered(tx, notice, &center, now).await?;
                }
                Ok(Effect::bare(Delivered))
            })
        })
        .await
        .map(|_| ())
}

#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Position up to which everything has been dealt with.
    pub position: i64,
}

/// Everything up to a position has been dealt with.
pub struct AcknowledgeInbox {
    pub acknowledged: Acknowledge,
    pub idempotency: Idempotency,
}

/// Acknowledges messages up to a position, or as far as the caller may: an alert stays for those who deal with it. Returns how
/// far it went.
///
/// # Errors
/// The position lies beyond the latest message.
pub async fn acknowledge_inbox(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    AcknowledgeInbox { acknowledged: Acknowledge { position }, idempotency }: AcknowledgeInbox,
) -> Result<Done<Acknowledge>, Error> {
    let organization = caller.organization().clone();
    if !(0..=latest(gateway, caller).await?).contains(&position) {
        return Err(Error::field(
            "position",
            "受信した通知の位置を指定してください。",
            "must be the position of a message that was received",
        ));
    }
    let by = caller.clone();
    let done = carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let position = before_others_alerts(tx, &by, position).await?;
            store::inbox::acknowledge(tx, &organization, position).await?;
            Ok(Effect::bare(Acknowledge { position }))
        })
    });
    Ok(done.await?.without_entries())
}

/// Alerts that are looked at for one acknowledgement.
const MOST_ALERTS: i64 = 500;

/// How far a caller may acknowledge: up to the first alert that is not theirs to deal with.
async fn before_others_alerts(tx: &mut Tx, caller: &Caller, position: i64) -> Result<i64, StoreError> {
    let organization = caller.organization();
    let acknowledged = store::inbox::acknowledged(tx, organization).await?;
    let alerts = store::inbox::oldest_alerts(tx, organization, (acknowledged, position), MOST_ALERTS).await?;
    let deals = caller.has_any_role(&[Role::Supervisor, Role::Auditor]) || Planted::AcknowledgeAnything.is_planted();
    let is_others = |message: &&Message| !deals || !may_read(caller, message);
    let until = match alerts.iter().find(is_others) {
        Some(alert) => alert.position - 1,
        None if alerts.len() as i64 == MOST_ALERTS => alerts.last().map_or(position, |last| last.position),
        None => position,
    };
    Ok(until.max(acknowledged))
}
