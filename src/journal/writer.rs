//! The one writer of a node.
//!
//! Everything durable passes through here. What waits is gathered into one transaction: each effect runs in its own
//! savepoint, its ledger entries are hashed into the Merkle log in order, the tree head is updated in the same
//! transaction, and only after the commit are the index and the directory brought up to date and the callers
//! answered. So a receipt proves a durable entry, and a later search sees every earlier acknowledgement.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::{
    commit::{CommitOutcome, commit, commit_at_once},
    doubt::{InDoubt, TreeStep},
    error::JournalError,
    following::Following,
    inbox::{InboxItem, Placed, counted, placed},
    job::{Job, JobWrites, Work},
    journal::Declined,
    memory::{Change, Memory},
};
use crate::{
    clock::{Clock, Timestamp},
    error::Error,
    ledger::{
        entry::{Act, Entry, Logged},
        merkle::Hash,
    },
    planted::Planted,
    store::{
        self,
        append::append_at_once,
        append_shared::{AppendAtOnce, append_at_once_shared},
        changes::PositionedChange,
        error::StoreError,
        inbox::MessageColumns,
        ledger::HeadStep,
        open::{Access, Store},
        rows::{mark::RowMove, parts::settle as settle_parts, remembered::ReadWhen, sums::Sums},
        tx::{Tx, execute},
    },
};

/// Most jobs in one transaction; more wait for the next.
const MAX_BATCH: usize = 512;
/// How often others have a turn before a transaction begins.
const MAX_TURNS: usize = 4;
/// How long a transaction may take where the server is another machine.
const MAX_TRANSACTION: Duration = Duration::from_secs(15);

/// After so long no other job begins in a transaction: a job may be a whole batch of records, and other nodes wait for the
/// lock. What is left comes first in the next one.
const MAX_WORK: Duration = Duration::from_secs(3);

/// Proof that ledger entries are durable. Made here alone, after a commit.
#[derive(Debug)]
pub struct Receipt {
    entries: Vec<Uuid>,
}

impl Receipt {
    /// Ids of the entries, in the order in which they were given.
    pub fn entries(&self) -> &[Uuid] {
        &self.entries
    }
}

pub(super) struct Writer {
    node: String,
    store: Store,
    clock: Clock,
    memory: Arc<Memory>,
    following: Arc<Following>,
    waiting: mpsc::Receiver<Work>,
    in_doubt: Option<InDoubt>,
    /// Commits that were tried.
    tried: u64,
}

/// What a batch comes to, job by job.
#[derive(Default)]
struct Pass {
    changes: Vec<Change>,
    appended: Vec<Logged>,
    messages: Vec<InboxItem>,
    ran: Vec<JobOutcome>,
}

impl Pass {
    /// Adds what a job wants written; of one that declined, the entry that says so.
    fn take(&mut self, outcome: Result<JobWrites, Declined>) {
        let (prepared, declined) = match outcome {
            Ok(prepared) => (prepared, None),
            Err(Declined { error, entry }) => {
                let entries = entry.into_iter().map(|entry| Logged::from(*entry)).collect();
                (JobWrites { entries, inbox: Vec::new(), changes: Vec::new() }, Some(error))
            }
        };
        let mut ids = Vec::with_capacity(prepared.entries.len());
        for logged in prepared.entries {
            ids.push(logged.entry.id);
            self.appended.push(logged);
        }
        self.messages.extend(prepared.inbox);
        self.changes.extend(prepared.changes);
        self.ran.push(declined.map_or_else(|| JobOutcome::Well(Receipt { entries: ids }), JobOutcome::Not));
    }
}

/// Appends to the ledger, as well as the planted defect lets it.
async fn append(tx: &mut Tx, step: HeadStep, entries: Vec<Logged>, at: Timestamp) -> Result<(), StoreError> {
    match store::ledger::append(tx, step, entries, at).await {
        Err(_) if Planted::IgnoreTheLedger.is_planted() => Ok(()),
        appended => appended,
    }
}

/// Sees to it that the stream holds the commit, as well as the planted defect lets it.
async fn secure_commit(store: &Store) -> Result<(), StoreError> {
    if Planted::AnswerBeforeStream.is_planted() {
        return Ok(());
    }
    store.secure_commit().await
}

/// A batch on its way into the ledger.
struct SealedBatch {
    step: HeadStep,
    entries: Vec<Logged>,
    tree: TreeStep,
    sums: Sums,
}

/// How each job of a batch came out of the transaction.
enum JobOutcome {
    Well(Receipt),
    Not(Error),
}

impl Writer {
    pub(super) fn new(
        node: String,
        store: Store,
        clock: Clock,
        memory: Arc<Memory>,
        following: Arc<Following>,
        waiting: mpsc::Receiver<Work>,
    ) -> Self {
        Self { node, store, clock, memory, following, waiting, in_doubt: None, tried: 0 }
    }

    pub(super) async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            if batch.is_empty() {
                let Some(first) = self.waiting.recv().await else { return };
                batch.push(first);
            }
            self.gather(&mut batch).await;
            batch = self.commit(batch).await;
        }
    }

    /// Takes what waits, and what comes while those whom the last commit answered have their turn: a commit costs much
    /// the same for one job as for sixty.
    async fn gather(&mut self, batch: &mut Vec<Work>) {
        for _ in 0..MAX_TURNS {
            tokio::task::yield_now().await;
            let had = batch.len();
            while batch.len() < MAX_BATCH
                && let Ok(next) = self.waiting.try_recv()
            {
                batch.push(next);
            }
            if batch.len() == had {
                return;
            }
        }
    }

    /// Commits and answers; hands back what there was no time for.
    async fn commit(&mut self, mut batch: Vec<Work>) -> Vec<Work> {
        let (mut left, tried) = (Vec::new(), self.tried);
        let outcome = if self.memory.condemned.load(Ordering::SeqCst) {
            Err(StoreError::Corrupt("ledger"))
        } else if self.store.is_shared() {
            // A server that is gone without a word must not keep callers waiting. What was being committed is in doubt.
            match tokio::time::timeout(MAX_TRANSACTION, self.transact(&mut batch, &mut left)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(StoreError::Slow),
            }
        } else {
            self.transact(&mut batch, &mut left).await
        };
        if matches!(outcome, Err(StoreError::OtherWriter)) {
            self.memory.condemned.store(true, Ordering::SeqCst);
        }
        // A batch of which nothing was left to write says nothing of the database.
        if outcome.is_err() || self.tried > tried {
            self.memory.healthy.store(outcome.is_ok(), Ordering::Relaxed);
        }
        match outcome {
            Ok(ran) => answer(batch, ran),
            Err(error) => {
                tracing::error!(%error, "the journal could not write");
                let unavailable = batch.iter().map(|_| JobOutcome::Not(JournalError::Unavailable.into())).collect();
                answer(batch, unavailable);
            }
        }
        left
    }

    /// Runs what there is time for, in order; `left` gets the rest.
    async fn transact(&mut self, batch: &mut Vec<Work>, left: &mut Vec<Work>) -> Result<Vec<JobOutcome>, StoreError> {
        self.resolve_doubt().await?;
        let changes_things = batch.iter().any(|work| work.job.is_effect());
        if !changes_things && self.store.appends_at_once() {
            match self.append(batch).await {
                // Something changed that memory does not know of: it is taken in first.
                Err(StoreError::Outdated) => {}
                outcome => return outcome,
            }
        }
        let mut tx = self.store.write(if changes_things { Access::Change } else { Access::Append }).await?;
        // Nobody can change anything now: what memory takes in here is all there is.
        self.following.take_in(&mut tx).await?;
        if changes_things {
            tx.rows.read_when(ReadWhen::Deciding);
        }
        let mut pass = Pass::default();
        let begun = Instant::now();
        for work in batch.iter_mut() {
            if !pass.ran.is_empty() && begun.elapsed() > MAX_WORK {
                break;
            }
            if self.is_stale(work, &pass.changes) {
                pass.ran.push(JobOutcome::Not(JournalError::Stale.into()));
                continue;
            }
            let outcome = self.run_job(&mut tx, work.job.as_mut()).await?;
            pass.take(outcome);
        }
        left.extend(batch.drain(pass.ran.len()..));
        let Pass { mut changes, appended, messages, mut ran } = pass;
        let now = self.clock.now();
        let (messages, told) = MessageColumns::all_of(&self.memory.guard, messages, now);
        tx.rows.merge(&told);
        let (remarks, has_entries) = (tx.rows.remarks(), !appended.is_empty() || !tx.rows.sums().is_empty());
        let SealedBatch { step, entries, tree, sums } = self.seal(appended, tx.rows.sums(), &tx.rows.moves())?;
        // First of all: another process under this node's name is met here.
        if has_entries {
            append(&mut tx, step, entries, now).await?;
        } else if self.store.is_shared() {
            // What only repeats an earlier answer writes something too: only then does the commit wait for the standbys,
            // and what the answer rests on is as durable as they are.
            store::ledger::touch_head(&mut tx, &self.node).await?;
        }
        let (messages, inbox) = self.place(&mut tx, messages).await?;
        store::inbox::deliver(&mut tx, messages, now).await?;
        if !remarks.is_empty() {
            // Whoever reads a row before memory has settled finds it known.
            self.memory.guard.announce(&remarks);
            changes.insert(0, Change::Rows(remarks));
        }
        let first_change = self.memory.position() + 1;
        self.note_changes(&mut tx, first_change, &changes).await?;
        // From here until the answer, nobody knows whether the commit holds.
        self.in_doubt = Some(InDoubt { tree, sums, changes, first_change, inbox });
        if Planted::AnswerBeforeCommit.is_planted() {
            self.answer_before_commit(batch, &mut ran).await;
        }
        self.tried += 1;
        let mut committed = commit(self.tried, tx).await;
        if matches!(committed, CommitOutcome::Surely)
            && let Err(error) = secure_commit(&self.store).await
        {
            committed = CommitOutcome::Doubtful(error);
        }
        self.conclude(committed, ran).await
    }

    /// Commits a batch that only appends, as one statement: nothing is read, and nothing else is changed.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] where other nodes changed something that memory does not know of; nothing was written.
    async fn append(&mut self, batch: &mut [Work]) -> Result<Vec<JobOutcome>, StoreError> {
        let known = self.memory.position();
        let mut pass = Pass::default();
        for work in batch.iter_mut() {
            if self.is_stale(work, &[]) {
                pass.ran.push(JobOutcome::Not(JournalError::Stale.into()));
            } else {
                let writes = work.job.prepared().ok_or_else(|| Error::from(JournalError::Unavailable).into());
                pass.take(writes.map(|(entries, inbox)| JobWrites { entries, inbox, changes: Vec::new() }));
            }
        }
        let Pass { appended, messages, ran, .. } = pass;
        if appended.is_empty() && messages.is_empty() {
            return Ok(ran);
        }
        let (first_change, now) = (known + 1, self.clock.now());
        let (messages, told) = MessageColumns::all_of(&self.memory.guard, messages, now);
        // Messages are not remembered: nothing is moved.
        let SealedBatch { step, entries, tree, sums } = self.seal(appended, &told, &[])?;
        let doubt = |inbox| InDoubt { tree, sums, changes: Vec::new(), first_change, inbox };
        self.tried += 1;
        let fault = Planted::of_commit(self.tried);
        let written = if self.store.is_shared() {
            self.in_doubt = Some(doubt(Vec::new()));
            let append = AppendAtOnce { known, step, entries, messages, at: now };
            match commit_at_once(fault, append_at_once_shared(&self.store, append)).await {
                Ok(latest) => {
                    self.in_doubt.iter_mut().for_each(|doubt| doubt.inbox.clone_from(&latest));
                    CommitOutcome::Surely
                }
                Err(CommitOutcome::Doubtful(StoreError::Outdated)) => {
                    self.in_doubt = None;
                    return Err(StoreError::Outdated);
                }
                Err(outcome) => outcome,
            }
        } else {
            let (messages, inbox) = self.place_in_memory(messages);
            self.in_doubt = Some(doubt(inbox));
            let append = append_at_once(&self.store, step, (entries, messages), now);
            commit_at_once(fault, append).await.err().unwrap_or(CommitOutcome::Surely)
        };
        self.conclude(written, ran).await
    }

    /// Hashes the entries of a batch into the tree, in order. The last of them commits to what all rows are from now on: in
    /// every commit, for whether rows changed may be what somebody must not learn.
    fn seal(&self, mut entries: Vec<Logged>, moved: &Sums, moves: &[RowMove]) -> Result<SealedBatch, StoreError> {
        let (mut sums, mut sealed_sums) = (self.memory.sums(), None);
        let marker = &self.memory.guard.marker;
        if !moved.is_empty() {
            sums.merge(moved);
            sealed_sums = Some(marker.seal_sums(&self.node, &sums)?);
            if entries.is_empty() {
                entries.push(Entry::of_gateway(Act::RowsChange, &self.clock).into());
            }
        }
        if let Some(last) = entries.pop() {
            let word = marker.word(&self.node, last.entry.id, &sums, moves)?;
            entries.push(last.committing_to_rows(word));
        }
        let mut frontier = self.memory.tree.read().unwrap_or_else(PoisonError::into_inner).frontier();
        let from = frontier.head();
        let leaves: Vec<Hash> = entries.iter().map(|logged| logged.leaf).collect();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        let to = frontier.head();
        let step = HeadStep { node: self.node.clone(), from, to, sealed_sums };
        Ok(SealedBatch { step, entries, tree: TreeStep { head: to, leaves }, sums })
    }

    /// What becomes of a batch once its commit was tried.
    async fn conclude(
        &mut self,
        committed: CommitOutcome,
        ran: Vec<JobOutcome>,
    ) -> Result<Vec<JobOutcome>, StoreError> {
        self.store.committed();
        match committed {
            CommitOutcome::Surely => {
                self.settle().await;
                Ok(ran)
            }
            CommitOutcome::Unknowable(error) => {
                if error.is_sync_failure() {
                    // What the database would say now is what the kernel remembers, and no longer what the disk holds.
                    tracing::error!("the disk did not confirm a write; nothing more is written or disclosed");
                    self.memory.condemned.store(true, Ordering::SeqCst);
                }
                Err(error)
            }
            // Nothing was written: the head was not where this node left it.
            CommitOutcome::Doubtful(error @ StoreError::OtherWriter) => {
                self.in_doubt = None;
                Err(error)
            }
            CommitOutcome::Doubtful(error) => {
                // Failed, or failed but persisted: the head in the database tells.
                tracing::warn!(%error, "a commit was not confirmed");
                if self.resolve_doubt().await? { Ok(ran) } else { Err(error) }
            }
        }
    }

    /// Whether what a job's decision rested on has changed since: before this batch, or by an earlier job of it.
    fn is_stale(&self, work: &Work, changes: &[Change]) -> bool {
        work.decided_at.is_some_and(|decided_at| {
            let entries = work.job.entries();
            let outdating = |change: &Change| matches!(change, Change::Visibility(scope) if scope.touches_any(entries));
            self.memory.outdates(decided_at, entries) || changes.iter().any(outdating)
        })
    }

    /// Puts the changes into the feed from which other nodes hear of them.
    async fn note_changes(&self, tx: &mut Tx, first: u64, changes: &[Change]) -> Result<(), StoreError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let noted = (first..).zip(changes).filter_map(|(position, change)| {
            let subject = change.subject()?;
            Some(PositionedChange { position, subject })
        });
        store::changes::append(tx, &self.node, noted.collect(), self.clock.now()).await
    }

    /// The planted defect of that name.
    async fn answer_before_commit(&mut self, batch: &mut Vec<Work>, ran: &mut Vec<JobOutcome>) {
        self.settle().await;
        answer(std::mem::take(batch), std::mem::take(ran));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    async fn run_job(&self, tx: &mut Tx, job: &mut dyn Job) -> Result<Result<JobWrites, Declined>, StoreError> {
        if !job.is_effect() {
            return Ok(job.run(tx, &self.clock).await);
        }
        execute!(tx, "SAVEPOINT effect")?;
        let before = tx.rows.clone();
        let outcome = match job.run(tx, &self.clock).await {
            Ok(writes) => settle_parts(tx).await.map(|()| writes).map_err(Declined::from),
            Err(declined) => Err(declined),
        };
        if outcome.is_err() {
            execute!(tx, "ROLLBACK TO SAVEPOINT effect")?;
            tx.rows = before;
        }
        execute!(tx, "RELEASE SAVEPOINT effect")?;
        Ok(outcome)
    }

    /// Gives every message its position in its inbox; returns the latest of each inbox as well.
    async fn place(&self, tx: &mut Tx, messages: Vec<MessageColumns>) -> Result<Placed, StoreError> {
        if !self.store.is_shared() {
            return Ok(self.place_in_memory(messages));
        }
        if messages.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut next = counted(&messages);
        let latest = store::inbox::advance(tx, &next).await?;
        for (organization, last) in &latest {
            next.entry(organization.clone()).and_modify(|count| *count = last - *count);
        }
        Ok((placed(messages, next), latest))
    }

    /// The same where no other node delivers: memory knows the positions.
    fn place_in_memory(&self, messages: Vec<MessageColumns>) -> Placed {
        let mut next = counted(&messages);
        let mut latest = Vec::with_capacity(next.len());
        for (organization, count) in &mut next {
            let before = self.memory.inboxes.watch(organization).0;
            latest.push((organization.clone(), before + *count));
            *count = before;
        }
        (placed(messages, next), latest)
    }

    /// Finds out whether the last unconfirmed commit holds, and brings memory into line if it does.
    /// Returns whether it holds; `true` where there is nothing in doubt.
    async fn resolve_doubt(&mut self) -> Result<bool, StoreError> {
        let Some(doubt) = &self.in_doubt else { return Ok(true) };
        let holds = doubt.holds(&self.store, &self.node).await?;
        if holds {
            self.settle().await;
        } else {
            self.in_doubt = None;
        }
        Ok(holds)
    }

    /// Brings memory up to the commit that has just been confirmed.
    async fn settle(&mut self) {
        // Waited for first: whoever gives up meanwhile leaves the batch in doubt, and it is found out again.
        let following = self.following.clone();
        let _taking = following.taking().await;
        if let Some(committed) = self.in_doubt.take() {
            committed.settle(&self.memory);
        }
    }
}

fn answer(batch: Vec<Work>, ran: Vec<JobOutcome>) {
    for (work, ran) in batch.into_iter().zip(ran) {
        match ran {
            JobOutcome::Well(receipt) => work.job.finish(Ok(receipt)),
            JobOutcome::Not(error) => work.job.finish(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        config::Config,
        gateway::Gateway,
        identity::Caller,
        journal::journal::Effect,
        keys::keyring::Keyring,
        ledger::entry::{Act, Entry},
    };

    /// A gateway on a new SQLite file, which nobody can call.
    async fn gateway(directory: &std::path::Path) -> Arc<Gateway> {
        let path = |name: &str| directory.join(name).display().to_string();
        Keyring::create(&directory.join("keyring.toml"), None).unwrap();
        let text = format!(
            "node = \"node-1\"\nlog_origin = \"localhost/log/node-1\"\nlisten = \"127.0.0.1:0\"\n\
             monitor_listen = \"127.0.0.1:0\"\ndatabase = \"sqlite:{}\"\nkeyring = \"{}\"\n\
             [tls]\ncertificate = \"none\"\nkey = \"none\"\nclient_ca = \"none\"\nrevocation_list = \"none\"\n",
            path("tsunagi.db"),
            path("keyring.toml"),
        );
        std::fs::write(directory.join("tsunagi.toml"), text).unwrap();
        let config = Config::load(&directory.join("tsunagi.toml"), std::iter::empty()).unwrap();
        Gateway::open(config, Clock::system()).await.unwrap()
    }

    /// A job that takes so long and says when it begins.
    async fn job(gateway: &Gateway, takes: Duration, begins: Option<oneshot::Sender<()>>) {
        let caller = Caller::gateway(gateway.clock.new_id());
        let entry = Entry::of_gateway(Act::DisclosuresRead, &gateway.clock);
        let effect = gateway.journal.write(&caller, None, move |_| {
            Box::pin(async move {
                begins.map(|begins| begins.send(()));
                tokio::time::sleep(takes).await;
                Ok(Effect::new((), entry))
            })
        });
        effect.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn jobs_that_take_long_do_not_share_a_transaction_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let gateway = gateway(directory.path()).await;
        for (takes, commits) in [(MAX_WORK / 3 * 2, 3), (Duration::ZERO, 2)] {
            let (begins, began) = oneshot::channel();
            let before = gateway.journal.counts();
            let others = async {
                began.await.unwrap();
                let other = || job(&gateway, takes, None);
                tokio::join!(other(), other(), other())
            };
            tokio::join!(job(&gateway, Duration::from_millis(100), Some(begins)), others);
            let after = gateway.journal.counts();
            assert_eq!((after.0 - before.0, after.1 - before.1), (commits, 4), "{takes:?}");
        }
        gateway.store.close().await;
    }
}
