//! What waits for the one writer.

use futures_util::future::BoxFuture;

use super::{inbox::InboxItem, journal::Declined, memory::Change, writer::Receipt};
use crate::{clock::Clock, error::Error, ledger::entry::Logged, store::tx::Tx};

/// What one job wants written besides what it did itself.
pub(super) struct JobWrites {
    pub(super) entries: Vec<Logged>,
    pub(super) inbox: Vec<InboxItem>,
    pub(super) changes: Vec<Change>,
}

pub(super) trait Job: Send {
    /// Runs inside the transaction. Keeps its own answer until [`Job::finish`].
    fn run<'t>(&'t mut self, tx: &'t mut Tx, clock: &'t Clock) -> BoxFuture<'t, Result<JobWrites, Declined>>;
    /// Whether it does more than add entries: nobody else may change anything meanwhile, and what it did must be
    /// undone if it declines half-way.
    fn is_effect(&self) -> bool;
    /// The entries and messages that it wants written, where it does no more than that.
    fn prepared(&self) -> Option<(Vec<Logged>, Vec<InboxItem>)>;
    /// What it adds, if that is known before it runs.
    fn entries(&self) -> &[Logged];
    fn finish(self: Box<Self>, outcome: Result<Receipt, Error>);
}

pub(super) struct Work {
    /// The position of memory at which the caller decided; `None` for what decides inside the transaction.
    pub(super) decided_at: Option<u64>,
    pub(super) job: Box<dyn Job>,
}
