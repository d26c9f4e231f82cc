//! Withdraws lists of disposal for which nobody stood in time, so that their records can be asked for again.
//!
//! Most end with the act that waits for two persons, in its commit. The clock finds those that no act waits for: lists
//! that were asked for before there were such acts.

use std::sync::Arc;

use uuid::Uuid;

use super::dispose_records::marked;
use crate::{
    domain::disposal::DisposalState,
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::{
        inbox::{InboxItem, InboxKind},
        journal::Effect,
    },
    ledger::entry::{Act, Entry},
    store::{self, error::StoreError, tx::Tx},
};

/// Withdraws a list that was asked for and not decided on; returns what is to be written of it, `None` of any other.
///
/// # Errors
/// The database failed.
pub(crate) async fn run_out(tx: &mut Tx, node: &Gateway, id: Uuid) -> Result<Option<(Entry, InboxItem)>, StoreError> {
    let found = match store::disposals::find(tx, id).await {
        // Not what the gateway wrote: that is told, and the row stays as it is.
        Err(StoreError::Refuted(_)) => None,
        found => found?,
    };
    let Some(mut disposal) = found.filter(|disposal| disposal.state == DisposalState::Asked) else { return Ok(None) };
    (disposal.state, disposal.decided_at) = (DisposalState::Withdrawn, Some(node.clock.now()));
    disposal.destroyed_after = None;
    store::disposals::decide(tx, &disposal).await?;
    let entry = Entry::of_gateway(Act::DisposalWithdraw, &node.clock).about(id).of_body(&disposal.organization);
    let entry = marked(node, entry, &[]);
    let told = InboxItem::new(disposal.organization, InboxKind::DisposalWithdrawn).subject(id).because_of(&entry);
    Ok(Some((entry, told)))
}

/// Withdraws the lists that no act waits for any more, once they are as old as an act may wait; returns how many there
/// were.
///
/// # Errors
/// The database failed.
pub async fn run_out_lists(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let before = gateway.clock.now().plus(-gateway.config.accounts.waiting());
    let mut tx = gateway.store.read().await?;
    let mut over = Vec::new();
    for id in store::disposals::asked_before(&mut tx, before).await? {
        match store::waiting_acts::find(&mut tx, &gateway.vault, id).await {
            Ok(waiting) if waiting.as_ref().is_none_or(|waiting| !waiting.state.is_open()) => over.push(id),
            Ok(_) | Err(StoreError::Refuted(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    drop(tx);
    for id in &over {
        let (node, id) = (gateway.clone(), *id);
        let clockwork = Caller::gateway(gateway.clock.new_id());
        gateway
            .journal
            .write(&clockwork, None, move |tx| {
                Box::pin(async move {
                    let Some((entry, told)) = run_out(tx, &node, id).await? else { return Ok(Effect::bare(())) };
                    Ok(Effect::new((), entry).tell([told]))
                })
            })
            .await?;
    }
    Ok(over.len())
}
