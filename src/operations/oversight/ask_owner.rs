//! Asks the owner of a record through the gateway (中継窓口), without learning who the owner is.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::visibility::LegalBasis,
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
    },
    ledger::entry::{Act, Entry},
    operations::{carry_out, declined, findable_record, refuse_read, written},
    store::{self, oversight::InquiryParties},
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

const LONGEST: usize = 4_000;

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InquiryText {
    /// Question or answer, 1 to 4,000 characters.
    pub text: String,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Asked {
    pub inquiry: Uuid,
}

impl CarriesNoRecordData for Asked {}

/// `POST /v1/records/{id}/inquiries`
///
/// # Errors
/// [`Error::NotAvailable`] for a record that the caller could not have found.
pub async fn ask_owner(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let InquiryText { text } = call.json()?;
    written("text", &text, LONGEST)?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::CREATED, move |tx| {
        Box::pin(async move {
            let facts = findable_record(tx, &node, &call, Act::Inquire, id).await?;
            let inquiry = node.clock.new_id();
            let asker = call.caller.organization().clone();
            let parties = InquiryParties { record: id, owner: facts.owner.clone(), asker };
            store::oversight::ask(tx, &node.vault, inquiry, &parties, &text, node.clock.now()).await?;
            let entry = Entry::of(&call.caller, Act::Inquire, &node.clock).about(inquiry);
            let logged = node.gate.log_found(entry, &call.caller, &facts)?;
            let told = InboxItem::new(facts.owner, InboxKind::InquiryReceived)
                .record(id)
                .subject(inquiry)
                .from(&call.caller)
                .because_of(&logged.entry);
            Ok(Effect::new(Asked { inquiry }, logged).tell([told]))
        })
    })
    .await
}

/// `GET /v1/inquiries/{id}`: for the owner and the asker.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn view_inquiry(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let mut tx = gateway.store.read().await?;
    let parties = store::oversight::inquiry_parties(&mut tx, id).await?;
    let is_party = parties.is_some_and(|p| [&p.owner, &p.asker].contains(&call.caller.organization()));
    let sealed = if is_party { store::oversight::inquiry(&mut tx, &gateway.vault, id).await? } else { None };
    drop(tx);
    let Some(sealed) = sealed else {
        return Err(refuse_read(gateway, &call, Act::InquiryRead, id, Error::NotFound("inquiry")).await);
    };
    let entry = Entry::of(&call.caller, Act::InquiryRead, &gateway.clock).about(id);
    let disclosed =
        gateway.gate.disclose_whole(entry, LegalBasis::AbusePreventionArticle13_4, call.decided_at, sealed).await?;
    Ok(Answer::disclosed(&disclosed))
}

/// `POST /v1/inquiries/{id}/answer`: the owner decides to answer, once: the asker acts on what it read. It does not learn
/// who answered.
///
/// # Errors
/// [`Error::NotFound`] for anybody but the owner; [`Error::Exists`] where it is answered.
pub async fn answer_inquiry(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let InquiryText { text } = call.json()?;
    written("text", &text, LONGEST)?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let refuse = |error| Err(declined(&node, &call, Act::InquiryAnswer, Some(id), error));
            let parties = store::oversight::inquiry_parties(tx, id)
                .await?
                .filter(|parties| parties.owner == *call.caller.organization());
            let Some(parties) = parties else {
                return refuse(Error::NotFound("inquiry"));
            };
            if !store::oversight::answer_inquiry(tx, &node.vault, id, &text, node.clock.now()).await? {
                return refuse(Error::Exists("answer"));
            }
            let entry = Entry::of(&call.caller, Act::InquiryAnswer, &node.clock).about(id);
            // Without the sender: the owner's name is itself a location.
            let told = InboxItem::new(parties.asker, InboxKind::InquiryAnswered).subject(id);
            Ok(Effect::new(Asked { inquiry: id }, entry).tell([told]))
        })
    })
    .await
}
