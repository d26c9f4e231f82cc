//! What happens by the clock alone: transfers expire, overdue safety checks escalate, lists of records that waited long
//! enough are disposed of, drafts end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    accounting::tell_refuted::tell_refuted,
    drafts::expire_drafts::expire_drafts,
    retention::{
        carry_out_disposals::carry_out_disposals,
        destroy_keys::{destroy_keys, erase_leftovers, follow_destruction},
        run_out::run_out_lists,
    },
    waiting::list::expire_waiting,
};
use crate::{
    domain::{
        organization::OrganizationKind,
        transfer::{Lapse, Transfer},
    },
    error::{Error, TransferError},
    gateway::Gateway,
    identity::{Caller, session::TRIES_COUNT_FOR},
    journal::{
        error::JournalError,
        inbox::{InboxItem, InboxKind},
        journal::Effect,
        memory::Change,
        recent::Scope,
    },
    ledger::entry::{Act, Entry, RecordRef},
    store::{self, error::StoreError},
};

#[derive(Serialize, Deserialize)]
struct Elapsed;

const MAX_TRIES: usize = 8;

/// Does what is due at this moment; returns for how many transfers something was done.
///
/// # Errors
/// The database failed. What could not be done stays due and is done the next time.
pub async fn elapse(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let steps = [
        tell_refuted(gateway).await.map(drop),
        erase_leftovers(gateway).await.map(drop),
        carry_out_disposals(gateway).await.map(drop),
        destroy_keys(gateway).await.map(drop),
        follow_destruction(gateway).await.map(drop),
        expire_waiting(gateway).await.map(drop),
        run_out_lists(gateway).await.map(drop),
        expire_drafts(gateway).await.map(drop),
    ];
    // A row that is not what the gateway wrote keeps nothing else from being done; of that somebody is told.
    let wrong = |step: Result<(), Error>| match step {
        Err(Error::Store(StoreError::Refuted(_))) => Ok(()),
        step => step,
    };
    steps.into_iter().try_for_each(wrong)?;
    let now = gateway.clock.now();
    let mut tx = gateway.store.read().await?;
    let due = store::transfers::due(&mut tx, now).await?;
    drop(tx);
    let mut count = 0;
    for transfer in due {
        // One that cannot be moved now must not keep the others: it stays due, and is tried again.
        match elapse_one(gateway, transfer).await {
            Ok(()) => count += 1,
            Err(error) => tracing::error!(%transfer, %error, "a transfer that is due could not be moved"),
        }
    }
    Ok(count)
}

/// Changes are kept for nodes that were away so long; one that was away longer reads everything.
const CHANGES_KEPT: time::Duration = time::Duration::days(7);

/// How long the outcome of a write is remembered under its `Idempotency-Key`.
pub const OUTCOMES_KEPT: time::Duration = time::Duration::days(30);

/// Removes what nobody needs any more: sessions that ended by time, changes that every node has taken in, outcomes of
/// writes that nobody will repeat. A little at a time, so that nobody waits for it; returns whether there may be more.
///
/// # Errors
/// The journal cannot write.
pub async fn forget_old(gateway: &Arc<Gateway>) -> Result<bool, Error> {
    let now = gateway.clock.now();
    let is_shared = gateway.store.is_shared();
    let clockwork = Caller::gateway(gateway.clock.new_id());
    let forgetting = gateway.journal.write(&clockwork, None, move |tx| {
        Box::pin(async move {
            store::sessions::forget_expired(tx, now).await?;
            store::sign_in_locks::forget_before(tx, now.plus(-TRIES_COUNT_FOR)).await?;
            if is_shared {
                store::changes::forget_before(tx, now.plus(-CHANGES_KEPT)).await?;
            }
            let more = store::idempotency::forget_before(tx, now.plus(-OUTCOMES_KEPT)).await?;
            Ok(Effect { value: more, entries: Vec::new(), inbox: Vec::new(), changes: Vec::new() })
        })
    });
    forgetting.await.map(|(more, _)| more)
}

async fn elapse_one(gateway: &Arc<Gateway>, id: Uuid) -> Result<(), Error> {
    for _ in 0..MAX_TRIES {
        match try_elapse(gateway, id).await {
            Err(Error::Journal(JournalError::Stale)) => {}
            outcome => return outcome,
        }
    }
    Err(JournalError::Stale.into())
}

async fn try_elapse(gateway: &Arc<Gateway>, id: Uuid) -> Result<(), Error> {
    let node = gateway.clone();
    let clockwork = Caller::gateway(gateway.clock.new_id());
    gateway
        .journal
        .write(&clockwork, None, move |tx| {
            Box::pin(async move {
                let transfer = store::transfers::find(tx, id).await?.ok_or(Error::NotFound("transfer"))?;
                let now = node.clock.now();
                let note = store::transfers::open_note(tx, &node.vault, id).await?;
                // Refused where somebody was faster.
                let (lapse, transfer) = transfer.lapse(now).map_err(Error::from)?;
                let (act, told) = match lapse {
                    Lapse::Expired => {
                        let told = [&transfer.owner, &transfer.receiver]
                            .map(|to| InboxItem::new(to.clone(), InboxKind::TransferExpired));
                        (Act::TransferExpire, told.to_vec())
                    }
                    Lapse::SafetyOverdue => (Act::TransferEscalate, escalation(&node, &transfer)),
                };
                store::transfers::put(tx, &node.vault, &transfer, &note).await?;
                let record = transfer.record;
                let entry = Entry::of_gateway(act, &node.clock).about(id).on(&RecordRef {
                    record,
                    version: transfer.offered().map_or(0, |offer| offer.version),
                    owner: transfer.owner.clone(),
                });
                let told =
                    told.into_iter().map(|item| item.record(record).subject(id).because_of(&entry)).collect::<Vec<_>>();
                Ok(Effect::new(Elapsed, entry).tell(told).then(Change::Visibility(Scope::Record(record))))
            })
        })
        .await
        .map(|_| ())
        .or_else(|error| match error {
            Error::Transfer(TransferError::Step { .. }) => Ok(()),
            error => Err(error),
        })
}

/// Both bodies, and the centers that answer for them.
fn escalation(node: &Gateway, transfer: &Transfer) -> Vec<InboxItem> {
    let day = node.clock.today_in_japan();
    let mut to = vec![transfer.owner.clone(), transfer.receiver.clone()];
    for body in [&transfer.owner, &transfer.receiver] {
        if body.kind() == OrganizationKind::Municipality
            && let Some(center) = node.registry.center_of(body, day)
            && !to.contains(center)
        {
            to.push(center.clone());
        }
    }
    to.into_iter().map(|to| InboxItem::new(to, InboxKind::SafetyCheckOverdue)).collect()
}
