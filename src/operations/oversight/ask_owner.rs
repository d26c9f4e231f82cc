//! Asks the owner of a record through the gateway (中継窓口), without learning who the owner is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::{
        done::{CarriesNoRecordData, Done},
        gate::Disclosed,
    },
    domain::{idempotency::Idempotency, oversight::Inquiry, visibility::LegalBasis},
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
    },
    ledger::entry::{Act, Entry},
    operations::{Acting, carry_out, refuse_read, written},
    store::{self, oversight::InquiryParties},
};

const LONGEST: usize = 4_000;

/// What is asked or answered.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InquiryText {
    /// Question or answer, 1 to 4,000 characters.
    pub text: String,
}

/// A question or an answer was written.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
#[schema(as = Asked)]
pub struct InquiryWritten {
    pub inquiry: Uuid,
}

/// The owner of a record is to be asked.
pub struct AskOwner {
    pub record: Uuid,
    pub question: InquiryText,
    pub idempotency: Idempotency,
}

/// Asks the owner of a record.
///
/// # Errors
/// [`Error::NotAvailable`] for a record that the caller could not have found.
pub async fn ask_owner(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    AskOwner { record, question: InquiryText { text }, idempotency }: AskOwner,
) -> Result<Done<InquiryWritten>, Error> {
    written("text", &text, LONGEST)?;
    let acting = Acting::new(gateway, caller, Act::Inquire);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let facts = acting.findable_record(tx, record).await?;
            let node = &acting.node;
            let inquiry = node.clock.new_id();
            let asker = acting.caller.organization().clone();
            let parties = InquiryParties { record, owner: facts.owner.clone(), asker };
            store::oversight::ask(tx, &node.vault, inquiry, &parties, &text, node.clock.now()).await?;
            let logged = node.gate.log_found(acting.entry().about(inquiry), &acting.caller, &facts)?;
            let told = InboxItem::new(facts.owner, InboxKind::InquiryReceived)
                .record(record)
                .subject(inquiry)
                .from(&acting.caller)
                .because_of(&logged.entry);
            Ok(Effect::new(InquiryWritten { inquiry }, logged).tell([told]))
        })
    })
    .await
}

/// An inquiry is asked for.
pub struct ViewInquiry {
    pub inquiry: Uuid,
}

/// Shows an inquiry to the owner and the asker.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn view_inquiry(
    gateway: &Gateway,
    caller: &Caller,
    ViewInquiry { inquiry }: ViewInquiry,
) -> Result<Disclosed<Inquiry>, Error> {
    let mut tx = gateway.store.read().await?;
    let parties = store::oversight::inquiry_parties(&mut tx, inquiry).await?;
    let is_party = parties.is_some_and(|p| [&p.owner, &p.asker].contains(&caller.organization()));
    let sealed = if is_party { store::oversight::inquiry(&mut tx, &gateway.vault, inquiry).await? } else { None };
    drop(tx);
    let entry = Entry::of(caller, Act::InquiryRead, &gateway.clock).about(inquiry);
    match sealed {
        Some(sealed) => gateway.gate.whole(caller, entry, LegalBasis::AbusePreventionArticle13_4, sealed).await,
        None => Err(refuse_read(gateway, caller, entry, Error::NotFound("inquiry")).await),
    }
}

/// An inquiry is to be answered.
pub struct AnswerInquiry {
    pub inquiry: Uuid,
    pub answer: InquiryText,
    pub idempotency: Idempotency,
}

/// Answers as the owner, once: the asker acts on what it read. It does not learn who answered.
///
/// # Errors
/// [`Error::NotFound`] for anybody but the owner; [`Error::Exists`] where it is answered.
pub async fn answer_inquiry(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    AnswerInquiry { inquiry, answer: InquiryText { text }, idempotency }: AnswerInquiry,
) -> Result<Done<InquiryWritten>, Error> {
    written("text", &text, LONGEST)?;
    let acting = Acting::new(gateway, caller, Act::InquiryAnswer);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let found = store::oversight::inquiry_parties(tx, inquiry).await?;
            let Some(parties) = found.filter(|parties| parties.owner == *acting.caller.organization()) else {
                return Err(acting.declined(inquiry, Error::NotFound("inquiry")));
            };
            let node = &acting.node;
            if !store::oversight::answer_inquiry(tx, &node.vault, inquiry, &text, node.clock.now()).await? {
                return Err(acting.declined(inquiry, Error::Exists("answer")));
            }
            // Without the sender: the owner's name is itself a location.
            let told = InboxItem::new(parties.asker, InboxKind::InquiryAnswered).subject(inquiry);
            Ok(Effect::new(InquiryWritten { inquiry }, acting.entry().about(inquiry)).tell([told]))
        })
    })
    .await
}
