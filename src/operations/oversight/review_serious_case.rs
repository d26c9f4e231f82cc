//! Designates a serious case, and reviews it (死亡事例検証の対象となる重大事案等).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disclosure::{
        done::{CarriesNoRecordData, Done},
        gate::{AccessRequest, Disclosed},
    },
    domain::{
        case_record::RecordFacts,
        idempotency::Idempotency,
        organization::{OrganizationCode, OrganizationKind},
        oversight::SeriousNote,
        purpose::Purpose,
        visibility::{ItemGroup, Operation, Relation},
    },
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry, RecordRef},
    operations::{Acting, carry_out, written},
    search::index::IndexChange,
    store::{self, oversight::NewSeriousNote},
};

const LONGEST: usize = 20_000;

/// A note about a serious case.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriousText {
    /// Reason of the designation, or the review; 1 to 20,000 characters.
    pub note: String,
}

/// A note was added to a serious case.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct SeriousWritten {
    pub record: Uuid,
    pub note: Uuid,
}

/// A note is to be added: to a record of the caller's, which becomes a serious case by it, or to a serious case.
pub struct WriteSerious {
    pub record: Uuid,
    pub text: SeriousText,
    pub idempotency: Idempotency,
}

/// Puts a record of the caller's before the ministry.
///
/// # Errors
/// [`Error::NotAvailable`] for anybody but the owner.
pub async fn designate_serious(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    WriteSerious { record, text: SeriousText { note }, idempotency }: WriteSerious,
) -> Result<Done<SeriousWritten>, Error> {
    written("note", &note, LONGEST)?;
    let acting = Acting::new(gateway, caller, Act::SeriousDesignate);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let stored = acting.own_record(tx, record).await?;
            let node = &acting.node;
            let (at, id) = (node.clock.now(), node.clock.new_id());
            let facts = RecordFacts { serious: true, ..stored.facts };
            store::records::update_facts(tx, &facts, at).await?;
            let note = NewSeriousNote { id, record, kind: "designation", at, note: &note };
            store::oversight::add_serious_note(tx, &node.vault, &acting.caller, note).await?;
            let entry = acting.owner_entry(&facts);
            let told = InboxItem::new(OrganizationCode::ministry(), InboxKind::SeriousCaseDesignated)
                .record(record)
                .from(&acting.caller)
                .because_of(&entry);
            Ok(Effect::new(SeriousWritten { record, note: id }, entry)
                .tell([told])
                .then(Change::Index(IndexChange::Facts(Box::new(facts))))
                .then(Change::Visibility(Scope::Record(record))))
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

/// The serious cases of the country.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct SeriousCases {
    pub cases: Vec<SeriousCase>,
}

/// Lists the serious cases.
///
/// # Errors
/// The database failed, or the journal cannot write.
pub async fn list_serious(gateway: &Gateway, caller: &Caller) -> Result<Done<SeriousCases>, Error> {
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
    let entry = Entry::of(caller, Act::SeriousRead, &gateway.clock);
    let receipt = gateway.journal.record(caller.decided_at(), vec![entry.into()], Vec::new()).await?;
    Ok(Done::new(SeriousCases { cases }, &receipt))
}

/// Writes a review note of the ministry.
///
/// # Errors
/// [`Error::NotAvailable`] for a record that is no serious case.
pub async fn review_serious(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    WriteSerious { record, text: SeriousText { note }, idempotency }: WriteSerious,
) -> Result<Done<SeriousWritten>, Error> {
    written("note", &note, LONGEST)?;
    let acting = Acting::new(gateway, caller, Act::SeriousReview);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let found = store::records::find(tx, record).await?.map(|stored| stored.facts);
            let Some(facts) = found.filter(|facts| facts.serious) else {
                return Err(acting.declined(record, Error::NotAvailable));
            };
            let node = &acting.node;
            let (at, id) = (node.clock.now(), node.clock.new_id());
            let note = NewSeriousNote { id, record, kind: "review", at, note: &note };
            store::oversight::add_serious_note(tx, &node.vault, &acting.caller, note).await?;
            let entry = acting
                .entry()
                .on(&RecordRef { record, version: facts.version, owner: facts.owner.clone() })
                .as_relation(Relation::Reviewer)
                .for_purpose(Purpose::SeriousCaseReview);
            let told = InboxItem::new(facts.owner, InboxKind::SeriousCaseReviewed)
                .record(record)
                .from(&acting.caller)
                .because_of(&entry);
            Ok(Effect::new(SeriousWritten { record, note: id }, entry).tell([told]))
        })
    })
    .await
}

/// What was written about a serious case is asked for.
pub struct ReadSeriousNotes {
    pub record: Uuid,
}

/// Shows the designation and the reviews to the owner and the ministry.
///
/// # Errors
/// [`Error::NotAvailable`] for anybody else.
pub async fn read_serious_notes(
    gateway: &Gateway,
    caller: &Caller,
    ReadSeriousNotes { record }: ReadSeriousNotes,
) -> Result<Disclosed<Vec<SeriousNote>>, Error> {
    // The ministry reviews; the body that put the case before it reads what came of it.
    let is_reviewer = caller.kind() == OrganizationKind::Ministry;
    let purpose = if is_reviewer { Purpose::SeriousCaseReview } else { Purpose::Casework };
    let asked = AccessRequest { record, act: Act::SeriousRead, operation: Operation::View, purpose };
    let (vault, reader) = (gateway.vault.clone(), caller.organization().clone());
    gateway
        .gate
        .part(caller, asked, ItemGroup::Case, move |tx, stored, _| {
            Box::pin(async move {
                let is_party = stored.facts.owner == reader || reader == OrganizationCode::ministry();
                if !stored.facts.serious || !is_party {
                    return Ok(None);
                }
                store::oversight::serious_notes(tx, &vault, record).await.map(Some)
            })
        })
        .await
}
