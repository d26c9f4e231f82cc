//! A commit of which it is not known whether it holds: the connection broke before the answer, or the stream does not answer.

use std::sync::{PoisonError, atomic::Ordering};

use super::memory::{Change, Memory};
use crate::{
    domain::organization::OrganizationCode,
    ledger::merkle::Hash,
    store::{
        self,
        error::StoreError,
        open::{Access, Store},
        rows::sums::Sums,
    },
};

/// A batch whose transaction is not known to have been committed or not.
pub(super) struct InDoubt {
    pub(super) tree: TreeStep,
    /// The node's sums over the marks of rows.
    pub(super) sums: Sums,
    /// Changes of memory, and the position of the first.
    pub(super) changes: Vec<Change>,
    pub(super) first_change: u64,
    pub(super) inbox: Vec<(OrganizationCode, i64)>,
}

impl InDoubt {
    /// Whether the commit holds.
    ///
    /// # Errors
    /// The database failed: it is in doubt as before.
    pub(super) async fn holds(&self, store: &Store, node: &str) -> Result<bool, StoreError> {
        let mut tx = store.write(Access::Append).await?;
        // Waits for a commit that is still under way; and that this is durable means that what it read is, too.
        store::ledger::touch_head(&mut tx, node).await?;
        let head = store::ledger::head(&mut tx, node).await?;
        tx.commit().await?;
        store.secure_commit().await?;
        Ok(!self.tree.leaves.is_empty() && head == Some(self.tree.head))
    }

    /// It holds: brings memory up to it. The caller keeps the feed from being taken in meanwhile.
    pub(super) fn settle(self, memory: &Memory) {
        *memory.sums.write().unwrap_or_else(PoisonError::into_inner) = self.sums;
        memory.commits.fetch_add(1, Ordering::Relaxed);
        memory.entries.fetch_add(self.tree.leaves.len() as u64, Ordering::Relaxed);
        {
            // Whoever holds the tree, such as a snapshot being written, sees the entries and what they changed, or neither.
            let mut tree = memory.tree.write().unwrap_or_else(PoisonError::into_inner);
            self.tree.leaves.into_iter().for_each(|leaf| tree.push(leaf));
            // Where the feed was faster, memory holds them already.
            if memory.position() + 1 == self.first_change {
                (self.first_change..)
                    .zip(self.changes)
                    .for_each(|(position, change)| memory.take(position, Some(change)));
            }
        }
        for (organization, position) in self.inbox {
            memory.inboxes.delivered(&organization, position);
        }
    }
}

/// How a batch moves the tree on.
pub(super) struct TreeStep {
    pub(super) head: (u64, Hash),
    pub(super) leaves: Vec<Hash>,
}
