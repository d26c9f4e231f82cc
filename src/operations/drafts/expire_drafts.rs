//! Ends drafts that nobody has saved for so long.

use std::sync::Arc;

use crate::{
    error::Error,
    gateway::Gateway,
    identity::Caller,
    journal::journal::Effect,
    ledger::entry::Act,
    operations::{Acting, drafts::about_draft},
    planted::Planted,
    store,
};

/// Drafts that are removed in one transaction: nobody waits for more.
const BATCH: i64 = 100;

/// Removes what has ended; returns how many drafts.
///
/// # Errors
/// The database failed.
pub async fn expire_drafts(gateway: &Arc<Gateway>) -> Result<usize, Error> {
    let mut count = 0;
    loop {
        let now = gateway.clock.now();
        let mut tx = gateway.store.read().await?;
        let there = store::drafts::ended(&mut tx, now, BATCH).await?;
        drop(tx);
        if there.is_empty() || Planted::KeepDrafts.is_planted() {
            return Ok(count);
        }
        let acting = Acting::new(gateway, &Caller::gateway(gateway.clock.new_id()), Act::DraftExpire);
        let (clockwork, asked) = (acting.caller.clone(), there.len());
        let ending = gateway.journal.write(&clockwork, None, move |tx| {
            Box::pin(async move {
                let mut entries = Vec::new();
                // Looked at again: one may have been saved meanwhile.
                for draft in store::drafts::ended(tx, now, BATCH).await? {
                    store::drafts::remove(tx, draft.id).await?;
                    entries.push(about_draft(&acting, &draft));
                }
                let ended = entries.len();
                Ok(Effect::bare(ended).log(entries))
            })
        });
        let (ended, _) = ending.await?;
        count += ended;
        if ended == 0 || asked < BATCH as usize {
            return Ok(count);
        }
    }
}
