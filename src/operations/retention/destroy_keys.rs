//! Destroys the keys of records that were disposed of, and removes what still tells of them outside the database.
//!
//! Comes after the commit that removed the records. Every step can be taken twice, and what is interrupted is taken up
//! by the clock and at the next start.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::disposal::Disposal,
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
        memory::Change,
        recent::Scope,
    },
    keys::shreds::Slot,
    ledger::entry::{Act, Entry, RecordRef},
    search::index::IndexChange,
    store::{self, error::StoreError},
};

#[derive(Serialize, Deserialize)]
struct Destroyed;

/// Destroys the keys of every list that was approved; returns how many lists.
///
/// # Errors
/// The shreds or the snapshot cannot be changed, or the journal cannot write. What is left is done the next time.
pub async fn destroy_keys(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let mut tx = gateway.store.read().await?;
    let approved = store::disposals::awaiting_destruction(&mut tx).await?;
    let mut lists = Vec::with_capacity(approved.len());
    for disposal in approved {
        let slots = store::disposals::slots_of(&mut tx, disposal.id).await?;
        lists.push((disposal, slots));
    }
    drop(tx);
    if lists.is_empty() {
        return Ok(0);
    }
    let slots: Vec<_> = lists.iter().flat_map(|(_, slots)| slots.iter().copied()).collect();
    destroy(gateway, slots).await?;
    let count = lists.len();
    for (disposal, _) in lists {
        note_destroyed(gateway, disposal).await?;
    }
    Ok(count)
}

/// Lists that were approved so long ago are known to every node that serves.
const LOOKS_BACK: Duration = Duration::days(8);

/// Destroys what another node disposed of in this node's own copy of the secrets too.
///
/// # Errors
/// As [`destroy_keys`].
pub async fn follow_destruction(gateway: &Arc<Gateway>) -> Result<(), Error> {
    let since = gateway.clock.now().plus(-LOOKS_BACK);
    let mut tx = gateway.store.read().await?;
    let slots = store::disposals::slots_since(&mut tx, since).await?;
    drop(tx);
    if gateway.vault.holds_any(&slots) { destroy(gateway, slots).await } else { Ok(()) }
}

async fn destroy(gateway: &Arc<Gateway>, slots: Vec<Slot>) -> Result<(), Error> {
    // A key does not come back: not before the approval is wherever it would be restored from.
    gateway.store.secure().await?;
    gateway.remove_snapshot()?;
    let vault = gateway.vault.clone();
    let destroying = tokio::task::spawn_blocking(move || vault.destroy(&slots));
    destroying.await.map_err(|_| StoreError::Corrupt("shreds"))??;
    Ok(())
}

async fn note_destroyed(gateway: &Arc<Gateway>, disposal: Disposal) -> Result<(), Error> {
    let node = gateway.clone();
    let clockwork = Caller::gateway(gateway.clock.new_id());
    let noted = gateway.journal.write(&clockwork, None, move |tx| {
        Box::pin(async move {
            let mut entry = Entry::of_gateway(Act::KeyDestroy, &node.clock).about(disposal.id);
            entry.owner = Some(disposal.organization.to_string());
            if !store::disposals::set_destroyed(tx, disposal.id, node.clock.now()).await? {
                // Somebody was faster.
                return Ok(Effect::bare(Destroyed));
            }
            let told =
                InboxItem::new(disposal.organization, InboxKind::DisposalDone).subject(disposal.id).because_of(&entry);
            Ok(Effect::new(Destroyed, entry).tell([told]))
        })
    });
    noted.await.map(|_| ())
}

/// Removes what a restored backup brought back of records whose keys are destroyed: rows that nobody can open.
///
/// # Errors
/// The journal cannot write. What is left is done the next time.
pub async fn erase_leftovers(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let leftovers = gateway.vault.take_leftovers();
    for (count, record) in leftovers.iter().enumerate() {
        if let Err(error) = erase_leftover(gateway, *record).await {
            leftovers.iter().skip(count).for_each(|left| gateway.vault.note_leftover(*left));
            return Err(error);
        }
    }
    Ok(leftovers.len())
}

async fn erase_leftover(gateway: &Arc<Gateway>, record: Uuid) -> Result<(), Error> {
    let node = gateway.clone();
    let clockwork = Caller::gateway(gateway.clock.new_id());
    let erased = gateway.journal.write(&clockwork, None, move |tx| {
        Box::pin(async move {
            let Some(stored) = store::records::find(tx, record).await? else {
                return Ok(Effect::bare(Destroyed));
            };
            store::disposals::erase(tx, record).await?;
            let owner = stored.facts.owner;
            let entry = Entry::of_gateway(Act::LeftoverErase, &node.clock).on(&RecordRef {
                record,
                version: stored.facts.version,
                owner: owner.clone(),
            });
            let told = InboxItem::new(owner, InboxKind::RecordDisposed).record(record).because_of(&entry);
            Ok(Effect::new(Destroyed, entry)
                .tell([told])
                .then(Change::Index(IndexChange::Forget(record)))
                .then(Change::Visibility(Scope::Record(record))))
        })
    });
    erased.await.map(|_| ())
}
