//! Answers a missing-child notice. Only its issuer sees the answer. A center may answer again; what it reported before
//! stays.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        idempotency::Idempotency,
        missing_notice::{Notice, NoticeAnswer, NoticeState},
        purpose::Purpose,
    },
    error::{Error, NoticeError},
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
    },
    ledger::entry::Act,
    operations::{Acting, carry_out, written},
    store::{self, notices::ToldByCenter, tx::Tx},
};

/// Characters of one answer's details, and of all that a center reports on one notice.
const LONGEST: usize = 4_000;
const LONGEST_IN_ALL: usize = 100_000;

/// What a center answers.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    pub answer: NoticeAnswer,
    /// What was seen, where and when; 1 to 4,000 characters; needed where the child was sighted. It is added to what
    /// the center reported before.
    #[serde(default)]
    pub details: Option<String>,
}

/// A notice was answered.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct Answered {
    pub notice: Uuid,
    pub answer: NoticeAnswer,
}

/// A notice is to be answered.
pub struct AnswerNotice {
    pub notice: Uuid,
    pub answer: AnswerRequest,
    pub idempotency: Idempotency,
}

/// Answers a notice.
///
/// # Errors
/// [`Error::NotFound`] where the notice was not addressed to the caller; [`NoticeError::Cancelled`];
/// [`NoticeError::Sighted`] for `not_here` after a sighting.
pub async fn answer_notice(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    AnswerNotice { notice: id, answer: AnswerRequest { answer, details }, idempotency }: AnswerNotice,
) -> Result<Done<Answered>, Error> {
    let details = details.unwrap_or_default();
    if answer == NoticeAnswer::Sighted || !details.is_empty() {
        written("details", &details, LONGEST)?;
    }
    let acting = Acting::new(gateway, caller, Act::NoticeAnswer);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let (notice, before) = addressed_notice(tx, &acting, id).await?;
            // The officer who answers last need not know what another saw.
            if answer == NoticeAnswer::NotHere && before.answer.as_deref() == Some(NoticeAnswer::Sighted.as_str()) {
                return Err(acting.declined(id, NoticeError::Sighted));
            }
            let told = [before.details, details].into_iter().filter(|told| !told.is_empty());
            let told = told.collect::<Vec<_>>().join("\n");
            if told.chars().count() > LONGEST_IN_ALL {
                let error = Error::field(
                    "details",
                    "これまでの回答と合わせて10万文字以内で入力してください。",
                    "must have at most 100,000 characters together with what was answered before",
                );
                return Err(acting.declined(id, error));
            }
            let (node, center) = (&acting.node, acting.caller.organization());
            store::notices::answer(tx, &node.vault, (id, center), (answer, &told), node.clock.now()).await?;
            let entry = acting.entry().about(id).for_purpose(Purpose::MissingChild);
            let told = InboxItem::new(notice.issuer, InboxKind::NoticeAnswered)
                .subject(id)
                .from(&acting.caller)
                .because_of(&entry);
            Ok(Effect::new(Answered { notice: id, answer }, entry).tell([told]))
        })
    })
    .await
}

/// A notice that was addressed to the caller, and what the caller has reported on it up to now.
async fn addressed_notice(tx: &mut Tx, acting: &Acting, id: Uuid) -> Result<(Notice, ToldByCenter), Declined> {
    let Some(notice) = store::notices::find(tx, id).await? else {
        return Err(acting.declined(id, Error::NotFound("notice")));
    };
    if notice.state == NoticeState::Cancel {
        return Err(acting.declined(id, NoticeError::Cancelled));
    }
    match store::notices::answered(tx, &acting.node.vault, id, acting.caller.organization()).await? {
        Some(before) => Ok((notice, before)),
        None => Err(acting.declined(id, Error::NotFound("notice"))),
    }
}
