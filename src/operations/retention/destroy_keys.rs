//! Destroys the keys of records that were disposed of, and removes what still tells of them outside the database.
//!
//! Comes after the commit that removed the records, and looks at the ledger once more. Every step can be taken twice,
//! and what is interrupted is taken up by the clock and at the next start.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use super::carry_out_disposals::grounds;
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
    store::{self, disposals::Listed, error::StoreError, rows::tables::RECORDS},
};

#[derive(Serialize, Deserialize)]
struct Destroyed;

/// Destroys the keys of every list whose records are removed and that the ledger bears out; returns how many lists.
///
/// # Errors
/// The shreds or the snapshot cannot be changed, or the journal cannot write. What is left is done the next time.
pub async fn destroy_keys(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let mut tx = gateway.store.read().await?;
    let removed = store::disposals::awaiting_destruction(&mut tx).await?;
    let lists = grounds(gateway).of_those(&mut tx, removed).await?;
    drop(tx);
    if lists.is_empty() {
        return Ok(0);
    }
    destroy(gateway, lists.iter().flat_map(Listed::slots).collect()).await?;
    let count = lists.len();
    for listed in lists {
        note_destroyed(gateway, listed.disposal).await?;
    }
    Ok(count)
}

/// Lists that were done with so long ago are known to every node that serves.
const LOOKS_BACK: Duration = Duration::days(8);

/// Destroys what another node disposed of in this node's own copy of the secrets too.
///
/// # Errors
/// As [`destroy_keys`].
pub async fn follow_destruction(gateway: &Arc<Gateway>) -> Result<(), Error> {
    let since = gateway.clock.now().plus(-LOOKS_BACK);
    let mut tx = gateway.store.read().await?;
    let mut held = store::disposals::carried_out(&mut tx, since).await?;
    held.retain(|listed| gateway.vault.holds_any(&listed.slots()));
    let lists = grounds(gateway).of_those(&mut tx, held).await?;
    drop(tx);
    if lists.is_empty() { Ok(()) } else { destroy(gateway, lists.iter().flat_map(Listed::slots).collect()).await }
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
    let guard = &gateway.journal.memory().guard;
    for (count, record) in leftovers.iter().enumerate() {
        if guard.is_refuted(&RECORDS, &record.to_string()) {
            // Somebody put the row there: it is named, and opens to nobody.
            continue;
        }
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
