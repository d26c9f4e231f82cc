//! Answers a missing-child notice. Only its issuer sees the answer. A center may answer again; what it told before stays.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::missing_notice::{NoticeAnswer, NoticeState},
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
    },
    ledger::entry::{Act, Entry, Purpose},
    operations::{carry_out, declined, written},
    store,
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

/// Characters of one answer's details, and of all that a center tells of one notice.
const LONGEST: usize = 4_000;
const LONGEST_IN_ALL: usize = 100_000;
/// A sighting, as it is stored.
const SIGHTED: &str = "sighted";

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    pub answer: NoticeAnswer,
    /// What was seen, where and when; 1 to 4,000 characters; needed where the child was sighted. It is added to what the
    /// center told before.
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
/// [`Error::NotFound`] where the notice was not addressed to the caller; [`Error::NoticeCancelled`]; [`Error::NoticeSighted`] for
/// `not_here` after a sighting.
pub async fn answer_notice(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let AnswerRequest { answer, details } = call.json()?;
    let details = details.unwrap_or_default();
    if answer == NoticeAnswer::Sighted || !details.is_empty() {
        written("details", &details, LONGEST)?;
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
            let center = call.caller.organization();
            let Some(before) = store::notices::answered(tx, &node.vault, id, center).await? else {
                return refuse(Error::NotFound("notice"));
            };
            let word = match answer {
                // The officer who answers last need not know what another saw.
                NoticeAnswer::NotHere if before.answer.as_deref() == Some(SIGHTED) => {
                    return refuse(Error::NoticeSighted);
                }
                NoticeAnswer::NotHere => "not_here",
                NoticeAnswer::Sighted => SIGHTED,
            };
            let told = [before.details, details].into_iter().filter(|told| !told.is_empty());
            let told = told.collect::<Vec<_>>().join("\n");
            if told.chars().count() > LONGEST_IN_ALL {
                return refuse(Error::Field {
                    field: "details",
                    rule_ja: "これまでの回答と合わせて10万文字までです",
                    rule_en: "must have at most 100,000 characters together with what was answered before",
                });
            }
            store::notices::answer(tx, &node.vault, id, center, word, &told, node.clock.now()).await?;
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
