//! Sets a shield (支援措置) at once; lifts it by two persons.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{edit_lock::not_locked, register_record::Written, rules};
use crate::{
    disclosure::done::Done,
    domain::{
        case_record::RecordFacts,
        format::{
            Element,
            validate::{RawNode, validate_section},
        },
        idempotency::Idempotency,
        visibility::ItemGroup,
    },
    error::{Error, RecordError},
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::Act,
    operations::{Acting, carry_out},
    search::index::IndexChange,
    store::{self, error::StoreError, records::StoredRecord, tx::Tx},
};

/// What a shield says.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShieldRequest {
    /// Code of the list `ShieldKindCode`.
    pub kind: String,
    /// First day, in any form of date that the national format accepts.
    pub since: String,
    /// Bodies to which address and affiliation may go.
    #[serde(default)]
    pub named: Vec<String>,
    #[serde(default)]
    pub note: Option<String>,
}

impl ShieldRequest {
    /// The section of the record that says so.
    ///
    /// # Errors
    /// The faults of its fields.
    fn section(self) -> Result<Element, Error> {
        let mut nodes = vec![RawNode::text("kind", self.kind), RawNode::text("since", self.since)];
        nodes.extend(self.named.into_iter().map(|named| RawNode::text("named", named)));
        nodes.extend(self.note.map(|note| RawNode::text("note", note)));
        Ok(validate_section(RawNode::parent("shield", nodes))?)
    }
}

/// A record of the caller's is to be shielded.
pub struct SetShield {
    pub record: Uuid,
    pub shield: ShieldRequest,
    pub idempotency: Idempotency,
}

/// Shields a record. An edit lock does not hold it up: it takes effect before anything else does, and whoever holds the
/// lock has an older version then and must read again.
///
/// # Errors
/// The faults of the shield's fields.
pub async fn set_shield(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    SetShield { record, shield, idempotency }: SetShield,
) -> Result<Done<Written>, Error> {
    let acting = Acting::new(gateway, caller, Act::ShieldSet);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            // First of all whose record it is: an attempt on another's is in the ledger, whatever it says.
            let stored = acting.own_record(tx, record).await?;
            let section = shield.section()?;
            rules::check_shield(&section, &acting.node.registry)?;
            write_shield(tx, &acting, stored, Some(section)).await
        })
    })
    .await
}

/// A shield is to be lifted: asked by one person, approved by another.
pub struct LiftShield {
    pub record: Uuid,
    pub idempotency: Idempotency,
}

/// The first person asks.
///
/// # Errors
/// [`Error::NotFound`] where there is no shield.
pub async fn ask_lift(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    LiftShield { record, idempotency }: LiftShield,
) -> Result<Done<Written>, Error> {
    let acting = Acting::new(gateway, caller, Act::ShieldLiftAsk);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let stored = acting.own_record(tx, record).await?;
            if !stored.facts.shield.active {
                return Err(acting.declined(record, Error::NotFound("shield")));
            }
            store::records::set_shield_lift(tx, &stored.facts, Some(acting.caller.officer())).await?;
            let entry = acting.owner_entry(&stored.facts);
            let told = InboxItem::new(stored.facts.owner.clone(), InboxKind::ShieldLiftAsked)
                .record(record)
                .from(&acting.caller)
                .because_of(&entry);
            Ok(Effect::new(Written { record, version: stored.facts.version }, entry).tell([told]))
        })
    })
    .await
}

/// The second person lifts it.
///
/// # Errors
/// [`RecordError::ShieldLiftNotAsked`]; [`RecordError::ShieldNeedsTwo`] where the same person asked; [`RecordError::Locked`].
pub async fn approve_lift(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    LiftShield { record, idempotency }: LiftShield,
) -> Result<Done<Written>, Error> {
    let acting = Acting::new(gateway, caller, Act::ShieldLift);
    carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let stored = acting.own_record(tx, record).await?;
            not_locked(tx, &acting, &stored.facts).await?;
            may_lift(&acting, &stored)?;
            write_shield(tx, &acting, stored, None).await
        })
    })
    .await
}

fn may_lift(acting: &Acting, stored: &StoredRecord) -> Result<(), Declined> {
    let refuse = |error: RecordError| Err(acting.declined(stored.facts.id, error));
    match stored.shield_lift_asked_by.as_deref() {
        None => refuse(RecordError::ShieldLiftNotAsked),
        Some(asked_by) if asked_by == acting.caller.officer() => refuse(RecordError::ShieldNeedsTwo),
        Some(_) => Ok(()),
    }
}

/// Writes a new version with or without a shield section. What was decided before must be decided anew.
async fn write_shield(
    tx: &mut Tx,
    acting: &Acting,
    stored: StoredRecord,
    section: Option<Element>,
) -> Result<Effect<Written>, Declined> {
    let node = &acting.node;
    let (id, version) = (stored.facts.id, stored.facts.version + 1);
    let document = store::versions::current(tx, &node.vault, &stored).await?;
    let document = document.map(section, |document, section| document.with_section(ItemGroup::Shielded, section));
    let key = node.vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
    let (body, items) = store::versions::seal_again(&key, id, version, &document)?;
    let derived = document.facts().ok_or(StoreError::Corrupt("record facts"))?;
    let facts = RecordFacts { version, derived, ..stored.facts };
    let now = node.clock.now();
    store::versions::insert_version(tx, &facts, &body, &acting.caller, "updated", now).await?;
    store::records::update_facts(tx, &facts, now).await?;
    store::records::set_shield_lift(tx, &facts, None).await?;
    let entry = acting.owner_entry(&facts);
    Ok(Effect::new(Written { record: id, version }, entry)
        .then(Change::Index(IndexChange::Put(Box::new(items.packed(facts)))))
        .then(Change::Visibility(Scope::Record(id))))
}
