//! Sets a shield (支援措置) at once; lifts it, and names bodies under it, by two persons.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{edit_lock::not_locked, register_record::Written, rules};
use crate::{
    disclosure::done::Done,
    domain::{
        case_record::RecordFacts,
        format::{
            Document, Element,
            validate::{RawNode, validate_section},
        },
        idempotency::Idempotency,
        organization::OrganizationCode,
        sharp_act::{SharpKind, SharpOutcome},
        visibility::ItemGroup,
    },
    error::{Error, SharpError},
    gateway::Gateway,
    identity::{Caller, sharp::TwoPersons},
    journal::{
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, RecordRef},
    operations::{
        Acting, carry_out,
        waiting::begin::{OF_SHIELD, end_about},
    },
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
    /// Bodies to which address and affiliation may go: those that are named already. More are named by two persons.
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
/// The faults of the shield's fields; [`SharpError::NamingNeedsTwo`] where it names a body that was not named before.
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
            let section = shield.section().map_err(|faults| acting.declined(record, faults))?;
            rules::check_shield(&section, &acting.node.registry).map_err(|fault| acting.declined(record, fault))?;
            if !rules::names_none_but(&section, &stored.facts.shield) {
                return Err(acting.declined(record, SharpError::NamingNeedsTwo));
            }
            write_shield(tx, &acting, (stored, None), ShieldChange::Set(section)).await
        })
    })
    .await
}

/// Whether a record of a body's carries a shield that could be lifted, or under which a body could be named.
///
/// # Errors
/// [`Error::NotAvailable`]; [`Error::NotFound`] where there is no shield.
pub(crate) async fn shielded_record(
    tx: &mut Tx,
    acting: &Acting,
    body: &OrganizationCode,
    record: Uuid,
) -> Result<StoredRecord, Declined> {
    let stored = acting.record_of(tx, body, record).await?;
    if stored.facts.shield.active { Ok(stored) } else { Err(acting.declined(record, Error::NotFound("shield"))) }
}

/// Two persons lift the shield of a record of a body's.
///
/// # Errors
/// There is none any more; [`RecordError::Locked`](crate::error::RecordError::Locked).
pub(crate) async fn lift_shield(
    tx: &mut Tx,
    acting: &Acting,
    two: &TwoPersons,
    (body, record): (&OrganizationCode, Uuid),
) -> Result<Effect<SharpOutcome>, Declined> {
    let stored = shielded_record(tx, acting, body, record).await?;
    not_locked(tx, acting, &stored.facts).await?;
    by_two(write_shield(tx, acting, (stored, Some(two)), ShieldChange::Lift).await?)
}

/// Two persons name bodies to which address and affiliation may go.
///
/// # Errors
/// As [`lift_shield`]; a body that does not exist.
pub(crate) async fn name_bodies(
    tx: &mut Tx,
    acting: &Acting,
    two: &TwoPersons,
    (body, record, named): (&OrganizationCode, Uuid, &[OrganizationCode]),
) -> Result<Effect<SharpOutcome>, Declined> {
    let stored = shielded_record(tx, acting, body, record).await?;
    not_locked(tx, acting, &stored.facts).await?;
    by_two(write_shield(tx, acting, (stored, Some(two)), ShieldChange::Name(named.to_vec())).await?)
}

fn by_two(effect: Effect<Written>) -> Result<Effect<SharpOutcome>, Declined> {
    Ok(effect.map(|Written { record, version }| SharpOutcome {
        record: Some(record),
        version: Some(version),
        ..SharpOutcome::default()
    }))
}

/// What becomes of the section of a record that holds its shield.
enum ShieldChange {
    Set(Element),
    Lift,
    Name(Vec<OrganizationCode>),
}

impl ShieldChange {
    /// The act that was asked for, where two persons do it.
    fn asked(&self) -> Option<SharpKind> {
        match self {
            Self::Set(_) => None,
            Self::Lift => Some(SharpKind::LiftShield),
            Self::Name(_) => Some(SharpKind::NameBodies),
        }
    }
}

/// What is asked about a shield is asked about what it says: with another one it is asked anew.
pub(super) async fn end_asked(
    tx: &mut Tx,
    acting: &Acting,
    facts: &RecordFacts,
    done: Option<SharpKind>,
) -> Result<(), StoreError> {
    for kind in OF_SHIELD.into_iter().filter(|kind| Some(*kind) != done) {
        end_about(tx, acting, &facts.owner, (kind, &facts.id.to_string())).await?;
    }
    Ok(())
}

fn changed(document: Document, change: ShieldChange) -> Document {
    let section = match change {
        ShieldChange::Set(section) => Some(section),
        ShieldChange::Lift => None,
        ShieldChange::Name(named) => document.section(ItemGroup::Shielded).map(|section| naming(section, &named)),
    };
    document.with_section(ItemGroup::Shielded, section)
}

/// The section with more bodies named in it, which stand before the note.
fn naming(section: &Element, named: &[OrganizationCode]) -> Element {
    let known = |code: &OrganizationCode| section.each("named").any(|name| name.text() == Some(code.as_str()));
    let more =
        named.iter().filter(|code| !known(code)).map(|code| Element::Text { name: "named", text: code.to_string() });
    let (notes, others): (Vec<_>, Vec<_>) =
        section.children().iter().cloned().partition(|child| child.name() == "note");
    Element::Parent { name: section.name(), children: others.into_iter().chain(more).chain(notes).collect() }
}

/// Writes a new version with or without a shield section. What was decided before must be decided anew. Where the second
/// of two persons is another body's, the version is written by the first.
async fn write_shield(
    tx: &mut Tx,
    acting: &Acting,
    (stored, two): (StoredRecord, Option<&TwoPersons>),
    change: ShieldChange,
) -> Result<Effect<Written>, Declined> {
    let node = &acting.node;
    let (id, version) = (stored.facts.id, stored.facts.version + 1);
    end_asked(tx, acting, &stored.facts, change.asked()).await?;
    let document = store::versions::current(tx, &node.vault, &stored).await?.map(change, changed);
    let key = node.vault.unwrap_key(&stored.prefecture, id, &stored.sealed_key)?;
    let (body, items) = store::versions::seal_again(&key, id, version, &document)?;
    let derived = document.facts().ok_or(StoreError::Corrupt("record facts"))?;
    let facts = RecordFacts { version, derived, ..stored.facts };
    let now = node.clock.now();
    let caller = &acting.caller;
    let lent = two.filter(|_| facts.owner != *caller.organization());
    let author = lent.map_or_else(|| caller.clone(), |two| caller.recording_for(two.first()));
    store::versions::insert_version(tx, &facts, &body, &author, "updated", now).await?;
    store::records::update_facts(tx, &facts, now).await?;
    let record = RecordRef { record: id, version, owner: facts.owner.clone() };
    let entry = match lent {
        Some(_) => acting.entry().on(&record),
        None => acting.owner_entry(&facts),
    };
    Ok(Effect::new(Written { record: id, version }, entry)
        .then(Change::Index(IndexChange::Put(Box::new(items.packed(facts)))))
        .then(Change::Visibility(Scope::Record(id))))
}
