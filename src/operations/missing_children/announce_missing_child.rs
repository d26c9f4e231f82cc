//! Broadcasts a missing-child notice to every center, updates it, cancels it (行方不明児童・CA情報).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        calendar::PartialDate,
        idempotency::Idempotency,
        missing_notice::{Notice, NoticeContent, NoticeState, NoticeStatus},
        purpose::Purpose,
    },
    error::{Error, NoticeError, RecordError},
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
    },
    ledger::entry::{Act, Entry},
    operations::{Acting, carry_out, written},
    search::standing::StandingChange,
    store::{self, notices::standing_of, tx::Tx},
};

/// A child is missing.
pub struct BroadcastNotice {
    pub content: NoticeContent,
    pub idempotency: Idempotency,
}

/// A notice was written: its id, version and state.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
#[carries(version)]
pub struct NoticeWritten {
    pub notice: Uuid,
    pub version: i64,
    pub state: NoticeState,
    /// Centers to which it went.
    pub centers: usize,
}

impl NoticeWritten {
    fn of(notice: &Notice, centers: usize) -> Self {
        Self { notice: notice.id, version: notice.version, state: notice.state, centers }
    }
}

/// Broadcasts a notice to every center.
///
/// # Errors
/// A field breaks its rule.
pub async fn broadcast_notice(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    BroadcastNotice { content, idempotency }: BroadcastNotice,
) -> Result<Done<NoticeWritten>, Error> {
    check(&content)?;
    let acting = Acting::new(gateway, caller, Act::NoticeBroadcast);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let node = &acting.node;
            let now = node.clock.now();
            let notice = Notice {
                id: node.clock.new_id(),
                issuer: acting.caller.organization().clone(),
                version: 1,
                state: NoticeState::Alert,
                exercise: content.status == NoticeStatus::Exercise,
                issued_at: now,
                updated_at: now,
            };
            let sealed = store::notices::seal_content(&node.vault, notice.id, &content)?;
            store::notices::put(tx, &notice, &sealed).await?;
            let entry = entry_of(&acting, notice.id);
            let told = messages(&acting, notice.id, InboxKind::MissingNotice, &entry);
            for item in &told {
                store::notices::address(tx, notice.id, &item.to).await?;
            }
            Ok(Effect::new(NoticeWritten::of(&notice, told.len()), entry)
                .tell(told)
                .then(Change::Standing(standing_of(&notice, &content))))
        })
    })
    .await
}

/// A notice of the caller's has changed.
pub struct UpdateNotice {
    pub notice: Uuid,
    /// The version that the caller has read.
    pub version: i64,
    pub content: NoticeContent,
    pub idempotency: Idempotency,
}

/// Updates a notice.
///
/// # Errors
/// [`Error::NotFound`] for anybody but the issuer; [`NoticeError::Cancelled`]; [`RecordError::StaleVersion`].
pub async fn update_notice(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    UpdateNotice { notice, version, content, idempotency }: UpdateNotice,
) -> Result<Done<NoticeWritten>, Error> {
    check(&content)?;
    let acting = Acting::new(gateway, caller, Act::NoticeUpdate);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move { follow(tx, &acting, (notice, version), Some(content)).await })
    })
    .await
}

/// A notice of the caller's is to be cancelled.
pub struct CancelNotice {
    pub notice: Uuid,
    /// The version that the caller has read.
    pub version: i64,
    pub idempotency: Idempotency,
}

/// Cancels a notice.
///
/// # Errors
/// As [`update_notice`].
pub async fn cancel_notice(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    CancelNotice { notice, version, idempotency }: CancelNotice,
) -> Result<Done<NoticeWritten>, Error> {
    let acting = Acting::new(gateway, caller, Act::NoticeCancel);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move { follow(tx, &acting, (notice, version), None).await })
    })
    .await
}

/// Writes the next version of a notice: another content, or none any more.
async fn follow(
    tx: &mut Tx,
    acting: &Acting,
    (id, sent): (Uuid, i64),
    content: Option<NoticeContent>,
) -> Result<Effect<NoticeWritten>, Declined> {
    let mut notice = issued_by_caller(tx, acting, id).await?;
    if notice.version != sent {
        return Err(acting.declined(id, RecordError::StaleVersion { sent, current: notice.version }));
    }
    notice.version += 1;
    notice.updated_at = acting.node.clock.now();
    let (kind, standing) = match content {
        Some(content) => {
            notice.exercise = content.status == NoticeStatus::Exercise;
            notice.state = NoticeState::Update;
            let sealed = store::notices::seal_content(&acting.node.vault, id, &content)?;
            store::notices::put(tx, &notice, &sealed).await?;
            (InboxKind::MissingNoticeUpdated, standing_of(&notice, &content))
        }
        None => {
            notice.state = NoticeState::Cancel;
            store::notices::set_state(tx, &notice).await?;
            (InboxKind::MissingNoticeCancelled, StandingChange::Remove(id))
        }
    };
    let entry = entry_of(acting, id);
    let told = messages(acting, id, kind, &entry);
    Ok(Effect::new(NoticeWritten::of(&notice, told.len()), entry).tell(told).then(Change::Standing(standing)))
}

async fn issued_by_caller(tx: &mut Tx, acting: &Acting, id: Uuid) -> Result<Notice, Declined> {
    let found = store::notices::find(tx, id).await?;
    match found.filter(|notice| notice.issuer == *acting.caller.organization()) {
        Some(notice) if notice.state == NoticeState::Cancel => Err(acting.declined(id, NoticeError::Cancelled)),
        Some(notice) => Ok(notice),
        None => Err(acting.declined(id, Error::NotFound("notice"))),
    }
}

fn entry_of(acting: &Acting, notice: Uuid) -> Entry {
    acting.entry().about(notice).for_purpose(Purpose::MissingChild)
}

/// One message to every center but the issuer.
fn messages(acting: &Acting, notice: Uuid, kind: InboxKind, entry: &Entry) -> Vec<InboxItem> {
    let Acting { node, caller, .. } = acting;
    node.registry
        .centers_on(node.clock.today_in_japan())
        .into_iter()
        .filter(|center| center.code != *caller.organization())
        .map(|center| InboxItem::new(center.code.clone(), kind).subject(notice).from(caller).because_of(entry))
        .collect()
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
        return Err(Error::field(
            "child.sex",
            "1（男）、2（女）、9（不明）のいずれかを指定してください。",
            "must be 1, 2 or 9",
        ));
    }
    PartialDate::parse(&content.child.birth_date).map(|_| ()).ok_or(Error::field(
        "child.birth_date",
        "実在する日付、年月又は年を入力してください（例：2019-05-14、2019-05、令和元年5月14日）。",
        "must be a date, a month or a year",
    ))
}
