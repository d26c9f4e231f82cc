//! Carries out lists whose waiting time is over: every record is looked at again, and all of them are removed in one
//! commit, or none.
//!
//! The clock asks for it. Their keys are destroyed after that ([`destroy_keys`](super::destroy_keys)). What the ledger
//! says of them stays.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{borne_out::Grounds, dispose_records::marked, list_due::due};
use crate::{
    domain::disposal::{Disposal, DisposalState, NotDue},
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::{Declined, Effect},
        memory::Change,
        recent::Scope,
    },
    keys::vault::slot_of,
    ledger::entry::{Act, Entry, RecordRef},
    planted::Planted,
    search::index::IndexChange,
    store::{self, disposals::Listed, error::StoreError, records::StoredRecord, tx::Tx},
};

#[derive(Serialize, Deserialize)]
struct CarriedOut;

/// What a node holds lists of disposal against.
pub(super) fn grounds(gateway: &Gateway) -> Grounds<'_> {
    let memory = gateway.journal.memory();
    Grounds {
        guard: &memory.guard,
        registry: &gateway.registry,
        own: Some((&gateway.config.node, &memory.tree)),
        wait: gateway.config.retention.disposal_wait(),
        now: gateway.clock.now(),
    }
}

/// Carries out every list that waited long enough and that the ledger bears out; returns how many there were.
///
/// # Errors
/// The database failed. What could not be done is done the next time.
pub async fn carry_out_disposals(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let mut now = gateway.clock.now();
    if Planted::DisposeAtOnce.is_planted() {
        now = now.plus(time::Duration::days(365));
    }
    let mut tx = gateway.store.read().await?;
    let waited = store::disposals::waited(&mut tx, now).await?;
    let waited = grounds(gateway).of_those(&mut tx, waited).await?;
    drop(tx);
    let count = waited.len();
    for listed in waited {
        let id = listed.disposal.id;
        // One that cannot be carried out now must not keep the others.
        if let Err(error) = carry_out(gateway, listed).await {
            tracing::error!(disposal = %id, %error, "a disposal could not be carried out; it is tried again");
        }
    }
    Ok(count)
}

async fn carry_out(gateway: &Arc<Gateway>, borne_out: Listed) -> Result<(), Error> {
    let node = gateway.clone();
    let clockwork = Caller::gateway(gateway.clock.new_id());
    let carried = gateway.journal.write(&clockwork, None, move |tx| {
        Box::pin(async move {
            let id = borne_out.disposal.id;
            let Some(disposal) = store::disposals::find(tx, id).await? else { return Ok(Effect::bare(CarriedOut)) };
            let records = store::disposals::records_of(tx, id).await?;
            if disposal.state != DisposalState::Approved || !borne_out.records.iter().map(|(id, _)| id).eq(&records) {
                // Somebody was faster, or withdrew it.
                return Ok(Effect::bare(CarriedOut));
            }
            match look_again(tx, &node, (&disposal, &records)).await? {
                Ok(stored) => remove(tx, &node, disposal, stored).await,
                Err(not_due) => lapse(tx, &node, disposal, not_due).await,
            }
        })
    });
    carried.await.map(|_| ())
}

/// The records of a list as they are now, or the first that may not be disposed of any more, and why.
async fn look_again(
    tx: &mut Tx,
    node: &Gateway,
    (disposal, records): (&Disposal, &[Uuid]),
) -> Result<Result<Vec<StoredRecord>, (Uuid, NotDue)>, StoreError> {
    let mut all = Vec::with_capacity(records.len());
    for id in records {
        let found = store::records::find(tx, *id).await?;
        let Some(stored) = found.filter(|stored| stored.facts.owner == disposal.organization) else {
            return Ok(Err((*id, NotDue::NotOwned)));
        };
        match due(tx, node, &stored, Some(disposal.id)).await? {
            Ok(_) => all.push(stored),
            Err(reason) => return Ok(Err((*id, reason))),
        }
    }
    Ok(Ok(all))
}

/// Nothing is disposed of, and the owner learns why.
async fn lapse(
    tx: &mut Tx,
    node: &Gateway,
    mut disposal: Disposal,
    (record, reason): (Uuid, NotDue),
) -> Result<Effect<CarriedOut>, Declined> {
    (disposal.state, disposal.lapsed_because) = (DisposalState::Lapsed, Some(reason));
    store::disposals::decide(tx, &disposal).await?;
    let entry = of_list(node, &disposal).on_record(record).refused(reason.as_str());
    let told = InboxItem::new(disposal.organization, InboxKind::DisposalLapsed);
    let told = told.subject(disposal.id).record(record).because_of(&entry);
    Ok(Effect::new(CarriedOut, entry).tell([told]))
}

async fn remove(
    tx: &mut Tx,
    node: &Gateway,
    mut disposal: Disposal,
    records: Vec<StoredRecord>,
) -> Result<Effect<CarriedOut>, Declined> {
    disposal.state = DisposalState::Removed;
    store::disposals::decide(tx, &disposal).await?;
    let mut effect = Effect::new(CarriedOut, marked(node, of_list(node, &disposal), &[]));
    for stored in records {
        let (record, slot) = (stored.facts.id, slot_of(&stored.sealed_key)?);
        let providers = store::disposals::providers(tx, record).await?;
        store::disposals::set_slot(tx, disposal.id, record, slot).await?;
        store::disposals::erase(tx, record).await?;
        let of = RecordRef { record, version: stored.facts.version, owner: stored.facts.owner };
        let entry = marked(node, of_list(node, &disposal).on(&of), &slot.to_be_bytes());
        let told = providers
            .into_iter()
            .map(|to| InboxItem::new(to, InboxKind::RecordDisposed).record(record).because_of(&entry));
        effect = effect
            .tell(told.collect::<Vec<_>>())
            .log([entry])
            .then(Change::Index(IndexChange::Forget(record)))
            .then(Change::Visibility(Scope::Record(record)));
    }
    Ok(effect)
}

fn of_list(node: &Gateway, disposal: &Disposal) -> Entry {
    Entry::of_gateway(Act::DisposalCarryOut, &node.clock).about(disposal.id).of_body(&disposal.organization)
}
