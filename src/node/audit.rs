//! Compares the ledger with what a snapshot said of it, while the node serves.

use std::{sync::Weak, time::Duration};

use super::load::{LEDGER_PAGE, LoadError, checked_leaf};
use crate::{
    gateway::Gateway,
    ledger::merkle::Hash,
    store::{
        self,
        rows::{
            name::{Differs, RowName},
            review::{Pace, review},
            tables::RECORDS,
        },
    },
};

/// Time after which the audit of the ledger goes on where the store failed.
const AGAIN: Duration = Duration::from_secs(5);

/// Compares the entries for which a snapshot vouched with the store. Where they differ, the node is condemned: it
/// discloses nothing more.
pub async fn audit(gateway: Weak<Gateway>, unaudited: u64) {
    let mut position = 0;
    while position < unaudited {
        // A node that was stopped needs no audit.
        let Some(node) = gateway.upgrade() else { return };
        match audited_page(&node, position).await {
            Ok(next) => position = next,
            // The database does not answer: nothing is known of the ledger by that, and nothing is disclosed meanwhile.
            Err(LoadError::Store(error)) if error.is_outage() => {
                tracing::warn!(%error, position, "the ledger could not be read; it is tried again");
                drop(node);
                tokio::time::sleep(AGAIN).await;
            }
            Err(reason) => {
                tracing::error!(%reason, from = position, "the ledger is not what it was; nothing more is disclosed");
                node.journal.condemn();
                // The next start reads the ledger itself, and refuses.
                let snapshot = node.config.snapshot_file();
                if let Some(Err(error)) = snapshot.map(std::fs::remove_file) {
                    tracing::error!(%error, "the snapshot could not be removed: remove it by hand");
                }
                return;
            }
        }
    }
    tracing::info!(entries = unaudited, "the ledger is what the snapshot says");
}

/// Checks a page of entries from a position on, and says from where the next is.
async fn audited_page(node: &Gateway, from: u64) -> Result<u64, LoadError> {
    let fault = |what| LoadError::Ledger { node: node.config.node.clone(), what };
    let mut tx = node.store.read().await?;
    let page = store::ledger::entries_from(&mut tx, &node.config.node, from, LEDGER_PAGE).await?;
    drop(tx);
    let first = usize::try_from(from).unwrap_or(usize::MAX);
    let known: Vec<Hash> = {
        let tree = node.journal.memory().tree.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        tree.leaves().iter().skip(first).take(page.len()).copied().collect()
    };
    let checking = tokio::task::spawn_blocking(move || {
        let mut position = from;
        for (entry, leaf) in page.iter().zip(&known) {
            if checked_leaf(entry, position)?.0 != *leaf {
                return Err("an entry was changed");
            }
            position += 1;
        }
        Ok(position)
    });
    let position = checking.await.map_err(|_| fault("it could not be checked"))?.map_err(fault)?;
    if position == from { Err(fault("entries were removed")) } else { Ok(position) }
}

/// How often every row is looked at while a node serves.
const ROWS_AGAIN: Duration = Duration::from_secs(24 * 3_600);

/// Looks at every row after the start, and once a day. Those that are not what the gateway wrote are set aside by that.
pub async fn audit_rows(gateway: Weak<Gateway>) {
    loop {
        // It takes minutes, of which a node that stops does not wait for one.
        let Some((store, vault)) = gateway.upgrade().map(|node| (node.store.clone(), node.vault.clone())) else {
            return;
        };
        let reviewed = tokio::select! {
            reviewed = review(&store, &vault, Pace::BesideCalls) => reviewed,
            () = store.closing() => return,
        };
        let Some(node) = gateway.upgrade() else { return };
        let again = match reviewed {
            Ok(found) => {
                tracing::info!(rows = found.rows, wrong = found.refuted.len(), "every row was looked at");
                if found.knows_all_records {
                    node.journal.memory().guard.remembered.complete(RECORDS.number);
                }
                ROWS_AGAIN
            }
            Err(error) if error.is_outage() => {
                tracing::warn!(%error, "rows could not be looked at; it is tried again");
                AGAIN
            }
            Err(error) => {
                tracing::error!(%error, "rows cannot be looked at");
                let name = RowName { table: "ledger_heads", row: "review".to_owned() };
                node.journal.memory().guard.refute_name(name, Differs::Edited);
                AGAIN
            }
        };
        drop(node);
        tokio::time::sleep(again).await;
    }
}
