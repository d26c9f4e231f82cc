//! Broadcasts a missing-child notice to every center, updates it, cancels it (行方不明児童・CA情報).

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::{
        calendar::PartialDate,
        missing_notice::{NoticeContent, NoticeState, NoticeStatus},
    },
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
    },
    ledger::entry::{Act, Entry, Purpose},
    operations::{carry_out, declined, written},
    search::standing::StandingChange,
    store::{
        self,
        notices::{Notice, standing_of},
        tx::Tx,
    },
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// A notice was written: its id, version and state.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct NoticeWritten {
    pub notice: Uuid,
    pub version: i64,
    pub state: NoticeState,
    /// Centers to which it went.
    pub centers: usize,
}

impl CarriesNoRecordData for NoticeWritten {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

fn check(content: &NoticeContent) -> Result<(), Error> {
    written("child.name", &content.child.name, 120)?;
    if let Some(kana) = &content.child.kana {
        written("child.kana", kana, 120)?;
    }
    for guardian in &content.child.guardians {
        written("child.guardians", guardian, 120)?;
    }
    written("circumstances", &content.circumstances, 4_000)?;
    written("contact", &content.contact, 200)?;
    if !crate::domain::format::code_lists::SEX.contains(&content.child.sex) {
        return Err(Error::Field {
            field: "child.sex",
            rule_ja: "1（男）、2（女）、9（不明）から選んでください",
            rule_en: "must be 1, 2 or 9",
        });
    }
    PartialDate::parse(&content.child.birth_date).map(|_| ()).ok_or(Error::Field {
        field: "child.birth_date",
        rule_ja: "日付・年月・年（西暦または元号）で指定してください",
        rule_en: "must be a date, a month or a year",
    })
}

/// `POST /v1/missing-notices`
///
/// # Errors
/// A field that is not right.
pub async fn broadcast_notice(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let acting = call.acting()?;
    let content: NoticeContent = call.json()?;
    check(&content)?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::CREATED, move |tx| {
        Box::pin(async move {
            let now = node.clock.now();
            let notice = Notice {
                id: node.clock.new_id(),
                issuer: call.caller.organization().clone(),
                version: 1,
                state: NoticeState::Alert,
                exercise: content.status == NoticeStatus::Exercise,
                issued_at: now,
                updated_at: now,
            };
            let sealed = store::notices::seal_content(&node.vault, notice.id, &content)?;
            store::notices::put(tx, &notice, &sealed).await?;
            let entry = entry_of(&node, &call, Act::NoticeBroadcast, notice.id);
            let told = messages(&node, &call, notice.id, InboxKind::MissingNotice, &entry);
            for item in &told {
                store::notices::address(tx, notice.id, &item.to).await?;
            }
            let written = NoticeWritten { notice: notice.id, version: 1, state: notice.state, centers: told.len() };
            Ok(Effect::new(written, entry).tell(told).then(Change::Standing(standing_of(&notice, &content))))
        })
    })
    .await
}

/// `PUT /v1/missing-notices/{id}` with `If-Match: "VERSION"`
///
/// # Errors
/// [`Error::NotFound`] for anybody but the issuer; [`Error::NoticeCancelled`]; [`Error::StaleVersion`].
pub async fn update_notice(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let content: NoticeContent = call.json()?;
    check(&content)?;
    follow(gateway, call, Act::NoticeUpdate, Some(content)).await
}

/// `POST /v1/missing-notices/{id}/cancel` with `If-Match: "VERSION"`
///
/// # Errors
/// As [`update_notice`].
pub async fn cancel_notice(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    follow(gateway, call, Act::NoticeCancel, None).await
}

async fn follow(gateway: &Arc<Gateway>, call: Call, act: Act, content: Option<NoticeContent>) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let sent = call.if_match()?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let mut notice = issued_by_caller(tx, &node, &call, act, id).await?;
            if notice.version != sent {
                let error = Error::StaleVersion { sent, current: notice.version };
                return Err(declined(&node, &call, act, Some(id), error));
            }
            notice.version += 1;
            notice.updated_at = node.clock.now();
            notice.exercise = content.as_ref().map_or(notice.exercise, |c| c.status == NoticeStatus::Exercise);
            let (kind, standing) = match content {
                Some(content) => {
                    notice.state = NoticeState::Update;
                    let sealed = store::notices::seal_content(&node.vault, id, &content)?;
                    store::notices::put(tx, &notice, &sealed).await?;
                    (InboxKind::MissingNoticeUpdated, standing_of(&notice, &content))
                }
                None => {
                    notice.state = NoticeState::Cancel;
                    store::notices::set_state(tx, &notice).await?;
                    (InboxKind::MissingNoticeCancelled, StandingChange::Remove(id))
                }
            };
            let entry = entry_of(&node, &call, act, id);
            let told = messages(&node, &call, id, kind, &entry);
            let written =
                NoticeWritten { notice: id, version: notice.version, state: notice.state, centers: told.len() };
            Ok(Effect::new(written, entry).tell(told).then(Change::Standing(standing)))
        })
    })
    .await
}

async fn issued_by_caller(tx: &mut Tx, node: &Gateway, call: &Call, act: Act, id: Uuid) -> Result<Notice, Declined> {
    match store::notices::find(tx, id).await? {
        Some(notice) if notice.issuer != *call.caller.organization() => {
            Err(declined(node, call, act, Some(id), Error::NotFound("notice")))
        }
        Some(notice) if notice.state == NoticeState::Cancel => {
            Err(declined(node, call, act, Some(id), Error::NoticeCancelled))
        }
        Some(notice) => Ok(notice),
        None => Err(declined(node, call, act, Some(id), Error::NotFound("notice"))),
    }
}

fn entry_of(node: &Gateway, call: &Call, act: Act, notice: Uuid) -> Entry {
    Entry::of(&call.caller, act, &node.clock).about(notice).for_purpose(Purpose::MissingChild)
}

/// One message to every center in being but the issuer.
fn messages(node: &Gateway, call: &Call, notice: Uuid, kind: InboxKind, entry: &Entry) -> Vec<InboxItem> {
    node.registry
        .centers_on(node.clock.today_in_japan())
        .into_iter()
        .filter(|center| center.code != *call.caller.organization())
        .map(|center| InboxItem::new(center.code.clone(), kind).subject(notice).from(&call.caller).because_of(entry))
        .collect()
}
