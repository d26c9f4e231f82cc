//! Sets a shield (支援措置) at once; lifts it by two persons.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{edit_lock, register_record::Written};
use crate::{
    domain::{
        case_record::{DerivedFacts, IndexItems, RecordFacts},
        format::Document,
        visibility::Relation,
    },
    error::Error,
    gateway::Gateway,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry, RecordRef},
    operations::{carry_out, declined, own_record},
    search::{index::IndexChange, records::PackedRecord},
    store::{self, error::StoreError, records::StoredRecord, tx::Tx},
    wire::{answer::Answer, call::Call, json as json_form},
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

/// `PUT /v1/records/{id}/shield`
///
/// # Errors
/// The faults of the shield's fields. An edit lock does not hold it up.
pub async fn set_shield(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let request: ShieldRequest = call.json()?;
    let mut shield = json!({ "kind": request.kind, "since": request.since });
    if let Some(object) = shield.as_object_mut() {
        if !request.named.is_empty() {
            object.insert("named".into(), json!(request.named));
        }
        if let Some(note) = request.note {
            object.insert("note".into(), json!(note));
        }
    }
    change(gateway, call, id, Act::ShieldSet, Some(shield)).await
}

/// `POST /v1/records/{id}/shield/lift-approvals`: the second person, who lifts it.
///
/// # Errors
/// [`Error::ShieldLiftNotAsked`]; [`Error::ShieldNeedsTwo`] where the same person asked; [`Error::RecordLocked`].
pub async fn approve_lift(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    change(gateway, call, id, Act::ShieldLift, None).await
}

/// `POST /v1/records/{id}/shield/lift-requests`: the first person asks.
///
/// # Errors
/// [`Error::NotFound`] where there is no shield.
pub async fn ask_lift(gateway: &Arc<Gateway>, call: Call) -> Result<Answer, Error> {
    let id = call.id("id")?;
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let stored = own_record(tx, &node, &call, Act::ShieldLiftAsk, id).await?;
            if !stored.facts.shield.active {
                return Err(declined(&node, &call, Act::ShieldLiftAsk, Some(id), Error::NotFound("shield")));
            }
            store::records::set_shield_lift(tx, &stored.facts, Some(call.caller.officer())).await?;
            let entry = owner_entry(&node, &call, Act::ShieldLiftAsk, &stored.facts);
            let told = InboxItem::new(stored.facts.owner.clone(), InboxKind::ShieldLiftAsked)
                .record(id)
                .from(&call.caller)
                .because_of(&entry);
            Ok(Effect::new(Written { record: id, version: stored.facts.version }, entry).tell([told]))
        })
    })
    .await
}

fn owner_entry(node: &Gateway, call: &Call, act: Act, facts: &RecordFacts) -> Entry {
    Entry::of(&call.caller, act, &node.clock)
        .on(&RecordRef { record: facts.id, version: facts.version, owner: facts.owner.clone() })
        .as_relation(Relation::Owner)
}

/// Writes a new version with or without a shield section. What was decided before must be decided anew.
async fn change(
    gateway: &Arc<Gateway>,
    call: Call,
    id: Uuid,
    act: Act,
    shield: Option<Value>,
) -> Result<Answer, Error> {
    let acting = call.acting()?;
    let node = gateway.clone();
    carry_out(gateway, acting, StatusCode::OK, move |tx| {
        Box::pin(async move {
            let stored = own_record(tx, &node, &call, act, id).await?;
            // Setting one takes effect before anything else does: whoever holds the edit lock has an older version then,
            // and must read again.
            if shield.is_none() {
                edit_lock::not_locked(tx, &node, &call, act, &stored.facts).await?;
                may_lift(&node, &call, &stored)?;
            }
            let (document, items) = reshielded(tx, &node, &stored, shield).await?;
            let now = node.clock.now();
            let version = stored.facts.version + 1;
            let key = node.vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
            let body = store::versions::seal_version(&key, id, version, &document, &items)?;
            let derived = DerivedFacts::of(&document).ok_or(StoreError::Corrupt("record facts"))?;
            let facts = RecordFacts { version, derived, ..stored.facts };
            store::versions::insert_version(tx, &facts, &body, &call.caller, "updated", now).await?;
            store::records::update_facts(tx, &facts, now).await?;
            store::records::set_shield_lift(tx, &facts, None).await?;
            let entry = owner_entry(&node, &call, act, &facts);
            Ok(Effect::new(Written { record: id, version }, entry)
                .then(Change::Index(IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))))
                .then(Change::Visibility(Scope::Record(id))))
        })
    })
    .await
}

fn may_lift(node: &Gateway, call: &Call, stored: &StoredRecord) -> Result<(), Declined> {
    let refuse = |error| Err(declined(node, call, Act::ShieldLift, Some(stored.facts.id), error));
    match stored.shield_lift_asked_by.as_deref() {
        None => refuse(Error::ShieldLiftNotAsked),
        Some(asked_by) if asked_by == call.caller.officer() => refuse(Error::ShieldNeedsTwo),
        Some(_) => Ok(()),
    }
}

async fn reshielded(
    tx: &mut Tx,
    node: &Gateway,
    stored: &StoredRecord,
    shield: Option<Value>,
) -> Result<(Document, IndexItems), Declined> {
    let document = store::versions::current(tx, &node.vault, stored).await?;
    let mut value = json_form::write(document.sections());
    if let Some(object) = value.as_object_mut() {
        object.remove("shield");
        if let Some(shield) = shield {
            object.insert("shield".into(), shield);
        }
    }
    let document =
        json_form::read(value.to_string().as_bytes()).map_err(|faults| Declined::from(Error::Faults(faults)))?;
    super::record_rules::check(&document, &node.registry, node.clock.today_in_japan())?;
    let items = IndexItems::of(&document).ok_or(StoreError::Corrupt("index section"))?;
    Ok((document, items))
}
