//! Designates a serious case, and reviews it (死亡事例検証の対象となる重大事案等).

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::{
        case_record::RecordFacts,
        organization::OrganizationCode,
        visibility::{ItemGroup, Operation, Relation},
    },
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry, Purpose, RecordRef},
    operations::{carry_out, declined, find_record, known, own_record, written},
    search::index::IndexChange,
    store,
    wire::{
        answer::{Answer, CarriesNoRecordData},
        call::Call,
    },
};

const LONGEST: usize = 20_000;

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriousText {
    /// Reason of the designation, or the review; 1 to 20,000 characters.
    pub note: String,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct SeriousWritten {
    pub record: Uuid,
    pub note: Uuid,
}

impl CarriesNoRecordData for SeriousWritten {}

/// `POST /v1/records/{id}/serious`: the owner puts the record before the ministry.
///
/// # Errors
/// [`Error::NotAvailable`] for anybody but the owner.
pub async fn designate_serious(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let SeriousText { note } = call.json()?;
    written("note", &note, LONGEST)?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::CREATED, move |tx| {
        Box::pin(async move {
            let stored = own_record(tx, &node, &call, Act::SeriousDesignate, id).await?;
            let now = node.clock.now();
            let facts = RecordFacts { serious: true, ..stored.facts };
            let note_id = node.clock.new_id();
            store::records::update_facts(tx, &facts, now).await?;
            let vault = &node.vault;
            store::oversight::add_serious_note(tx, vault, note_id, id, &call.caller, "designation", &note, now).await?;
            let entry = Entry::of(&call.caller, Act::SeriousDesignate, &node.clock)
                .on(&RecordRef { record: id, version: facts.version, owner: facts.owner.clone() })
                .as_relation(Relation::Owner);
            let told = InboxItem::new(OrganizationCode::ministry(), InboxKind::SeriousCaseDesignated)
                .record(id)
                .from(&call.caller)
                .because_of(&entry);
            Ok(Effect::new(SeriousWritten { record: id, note: note_id }, entry)
                .tell([told])
                .then(Change::Index(IndexChange::Facts(Box::new(facts))))
                .then(Change::Visibility(Scope::Record(id))))
        })
    })
    .await
}

/// A serious case as the ministry's list names it: read it as a record.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SeriousCase {
    pub record: Uuid,
    pub owner: OrganizationCode,
    pub owner_name: String,
    pub updated_at: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct SeriousCases {
    pub cases: Vec<SeriousCase>,
}

impl CarriesNoRecordData for SeriousCases {}

/// `GET /v1/serious-cases`
///
/// # Errors
/// The database failed.
pub async fn list_serious(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let mut tx = gateway.store.read().await?;
    let cases = store::records::serious(&mut tx).await?;
    drop(tx);
    let cases = cases
        .into_iter()
        .map(|stored| SeriousCase {
            record: stored.facts.id,
            owner_name: gateway.registry.name(&stored.facts.owner),
            owner: stored.facts.owner,
            updated_at: stored.updated_at.to_rfc3339(),
        })
        .collect();
    let entry = Entry::of(&call.caller, Act::SeriousRead, &gateway.clock);
    let receipt = gateway.journal.record(call.decided_at, vec![entry.into()], Vec::new()).await?;
    Ok(Answer::message(StatusCode::OK, &SeriousCases { cases }).with_entries(receipt.entries()))
}

/// `POST /v1/serious-cases/{id}/reviews`: the ministry writes a review note.
///
/// # Errors
/// [`Error::NotAvailable`] for a record that is no serious case.
pub async fn review_serious(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let SeriousText { note } = call.json()?;
    written("note", &note, LONGEST)?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::CREATED, move |tx| {
        Box::pin(async move {
            let facts = store::records::find(tx, id).await?.map(|stored| stored.facts).filter(|f| f.serious);
            let Some(facts) = facts else {
                return Err(declined(&node, &call, Act::SeriousReview, Some(id), Error::NotAvailable));
            };
            let note_id = node.clock.new_id();
            let now = node.clock.now();
            let vault = &node.vault;
            store::oversight::add_serious_note(tx, vault, note_id, id, &call.caller, "review", &note, now).await?;
            let entry = Entry::of(&call.caller, Act::SeriousReview, &node.clock)
                .on(&RecordRef { record: id, version: facts.version, owner: facts.owner.clone() })
                .as_relation(Relation::Reviewer)
                .for_purpose(Purpose::SeriousCaseReview);
            let told = InboxItem::new(facts.owner, InboxKind::SeriousCaseReviewed)
                .record(id)
                .from(&call.caller)
                .because_of(&entry);
            Ok(Effect::new(SeriousWritten { record: id, note: note_id }, entry).tell([told]))
        })
    })
    .await
}

/// `GET /v1/serious-cases/{id}/notes`: for the owner and the ministry.
///
/// # Errors
/// [`Error::NotAvailable`] for anybody else.
pub async fn read_serious_notes(gateway: &Gateway, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let found = find_record(gateway, &call, id).await?;
    let of = known(&found).filter(|(facts, _)| {
        facts.serious
            && (facts.owner == *call.caller.organization()
                || call.caller.organization() == &OrganizationCode::ministry())
    });
    let purpose = Purpose::SeriousCaseReview;
    let grant = gateway
        .gate
        .authorize(&call.caller, Act::SeriousRead, purpose, Operation::View, id, of, call.decided_at)
        .await?;
    let mut tx = gateway.store.read().await?;
    let notes = store::oversight::serious_notes(&mut tx, &gateway.vault, id).await?;
    drop(tx);
    let disclosed =
        gateway.gate.disclose_part(&call.caller, Act::SeriousRead, purpose, grant, ItemGroup::Case, notes).await?;
    Ok(Answer::disclosed(&disclosed))
}
