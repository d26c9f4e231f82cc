//! Answers a missing-child notice. Only its issuer sees the answer.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{carry_out, declined, written};
use crate::{
    disclosure::{
        entry::{Act, Entry, Purpose},
        journal::Effect,
        messages::{InboxItem, InboxKind},
    },
    domain::missing_notice::{NoticeAnswer, NoticeState},
    error::Error,
    gateway::Gateway,
    store,
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    pub answer: NoticeAnswer,
    /// What was seen, where and when; 1 to 4,000 characters; needed where the child was sighted.
    #[serde(default)]
    pub details: Option<String>,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Answered {
    pub notice: Uuid,
    pub answer: NoticeAnswer,
}

impl CarriesNoRecordData for Answered {}

/// `POST /v1/missing-notices/{id}/answers`
///
/// # Errors
/// [`Error::NotFound`] where the notice was not addressed to the caller; [`Error::NoticeCancelled`].
pub async fn answer_notice(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let AnswerRequest { answer, details } = call.json()?;
    let details = details.unwrap_or_default();
    if answer == NoticeAnswer::Sighted || !details.is_empty() {
        written("details", &details, 4_000)?;
    }
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let refuse = |error| Err(declined(&node, &call, Act::NoticeAnswer, Some(id), error));
            let Some(notice) = store::notices::find(tx, id).await? else {
                return refuse(Error::NotFound("notice"));
            };
            if notice.state == NoticeState::Cancel {
                return refuse(Error::NoticeCancelled);
            }
            let word = match answer {
                NoticeAnswer::NotHere => "not_here",
                NoticeAnswer::Sighted => "sighted",
            };
            let center = call.caller.organization();
            let now = node.clock.now();
            if !store::notices::answer(tx, &node.vault, id, center, word, &details, now).await? {
                return refuse(Error::NotFound("notice"));
            }
            let entry =
                Entry::of(&call.caller, Act::NoticeAnswer, &node.clock).about(id).for_purpose(Purpose::MissingChild);
            let told = InboxItem::new(notice.issuer, InboxKind::NoticeAnswered)
                .subject(id)
                .from(&call.caller)
                .because_of(&entry);
            Ok(Effect::new(Answered { notice: id, answer }, entry).tell([told]))
        })
    })
    .await
}
