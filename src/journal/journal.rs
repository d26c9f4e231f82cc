//! The way into a node's ledger: entries, and effects with their entries, are handed to the one [`writer`](super::writer)
//! and come back as a [`Receipt`].

use std::sync::{Arc, atomic::Ordering};

use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot};

use super::{
    error::JournalError,
    following::Following,
    inbox::InboxItem,
    job::{Job, JobWrites, Work},
    memory::{Change, Memory},
    writer::{Receipt, Writer},
};
use crate::{
    clock::Clock,
    domain::{idempotency::Idempotency, organization::OrganizationCode},
    error::{Error, RequestError},
    identity::Caller,
    keys::error::KeyError,
    ledger::entry::{Act, Entry, Logged},
    planted::Planted,
    store::{self, error::StoreError, open::Store, tx::Tx},
};

/// Jobs that may wait. Beyond that the caller is told to come back.
const QUEUE: usize = 2_048;

/// What an effect did: its answer, its entries, and what follows from it.
pub struct Effect<T> {
    pub value: T,
    pub entries: Vec<Logged>,
    pub inbox: Vec<InboxItem>,
    pub changes: Vec<Change>,
}

impl<T> Effect<T> {
    pub fn new(value: T, entry: impl Into<Logged>) -> Self {
        Self { value, entries: vec![entry.into()], inbox: Vec::new(), changes: Vec::new() }
    }

    /// An effect whose entries are still to come, or that needs none.
    pub fn bare(value: T) -> Self {
        Self { value, entries: Vec::new(), inbox: Vec::new(), changes: Vec::new() }
    }

    pub fn log(mut self, entries: impl IntoIterator<Item = Entry>) -> Self {
        self.entries.extend(entries.into_iter().map(Logged::from));
        self
    }

    pub fn tell(mut self, items: impl IntoIterator<Item = InboxItem>) -> Self {
        self.inbox.extend(items);
        self
    }

    /// The same with another answer.
    pub fn map<U>(self, answer: impl FnOnce(T) -> U) -> Effect<U> {
        let Self { value, entries, inbox, changes } = self;
        Effect { value: answer(value), entries, inbox, changes }
    }

    pub fn then(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }
}

/// Why an effect was not made, with the entry that says so.
pub struct Declined {
    pub error: Error,
    pub entry: Option<Box<Entry>>,
}

impl Declined {
    /// The same with an entry, where it is a refusal that has none of its own.
    pub(crate) fn logged(self, entry: impl FnOnce() -> Entry) -> Self {
        if self.entry.is_some() || !self.error.is_refusal() || Planted::ForgetRefusals.is_planted() {
            return self;
        }
        Self { entry: Some(Box::new(entry().refused(self.error.code()))), ..self }
    }

    /// The same with what its entry says besides.
    pub(crate) fn saying(self, more: impl FnOnce(Entry) -> Entry) -> Self {
        Self { entry: self.entry.map(|entry| Box::new(more(*entry))), ..self }
    }
}

impl From<Error> for Declined {
    fn from(error: Error) -> Self {
        Self { error, entry: None }
    }
}

impl From<KeyError> for Declined {
    fn from(error: KeyError) -> Self {
        Self { error: Error::from(error), entry: None }
    }
}

impl From<StoreError> for Declined {
    fn from(error: StoreError) -> Self {
        Self { error: Error::from(error), entry: None }
    }
}

/// Handle to the writer. Clones share it.
#[derive(Clone)]
pub struct Journal {
    queue: mpsc::Sender<Work>,
    memory: Arc<Memory>,
}

impl Journal {
    /// Starts the writer of a node.
    pub fn start(
        node: String,
        store: Store,
        clock: Clock,
        memory: Arc<Memory>,
        following: Arc<Following>,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = Writer::new(node, store, clock, memory.clone(), following, waiting);
        let task = tokio::spawn(writer.run());
        (Self { queue, memory }, task)
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The position of memory. Read it before reading what a decision rests on, and hand it back with the decision.
    pub fn position(&self) -> u64 {
        self.memory.position()
    }

    /// Transactions committed since the start, and ledger entries in them.
    pub fn counts(&self) -> (u64, u64) {
        (self.memory.commits.load(Ordering::Relaxed), self.memory.entries.load(Ordering::Relaxed))
    }

    /// Whether the last transaction was written.
    pub fn is_healthy(&self) -> bool {
        self.memory.healthy.load(Ordering::Relaxed) && !self.memory.condemned.load(Ordering::Relaxed)
    }

    /// Tries to write where the last transaction was not written; returns whether it can now. That it can again is an
    /// entry.
    pub async fn recovers(&self, clock: &Clock) -> bool {
        self.is_healthy() || {
            let entry = Entry::of_gateway(Act::JournalRecover, clock);
            self.note(vec![entry.into()], Vec::new()).await.is_ok()
        }
    }

    /// Writes nothing more, and so discloses nothing: the ledger is not what it was.
    pub fn condemn(&self) {
        self.memory.condemned.store(true, Ordering::SeqCst);
    }

    /// Writes entries and messages that need no other effect.
    ///
    /// # Errors
    /// The journal is full, cannot write, or the decision is out of date.
    pub async fn record(&self, decided_at: u64, entries: Vec<Logged>, inbox: Vec<InboxItem>) -> Result<Receipt, Error> {
        let (reply, answer) = oneshot::channel();
        let prepared = Some(JobWrites { entries, inbox, changes: Vec::new() });
        self.send(Some(decided_at), Box::new(Entries { prepared, reply }))?;
        answer.await.unwrap_or(Err(JournalError::Unavailable.into()))
    }

    /// Writes entries and messages that follow from no decision on what somebody may see.
    ///
    /// # Errors
    /// The journal is full or cannot write.
    pub async fn note(&self, entries: Vec<Logged>, inbox: Vec<InboxItem>) -> Result<Receipt, Error> {
        let (reply, answer) = oneshot::channel();
        let prepared = Some(JobWrites { entries, inbox, changes: Vec::new() });
        self.send(None, Box::new(Entries { prepared, reply }))?;
        answer.await.unwrap_or(Err(JournalError::Unavailable.into()))
    }

    /// Runs an effect in the journal's transaction and answers once it is durable. Effects run one after another, over
    /// all nodes, and read what they decide on inside.
    ///
    /// # Errors
    /// The effect's own refusal, or as [`Self::record`].
    pub async fn write<T, F>(
        &self,
        caller: &Caller,
        idempotency: Option<Idempotency>,
        effect: F,
    ) -> Result<(T, Receipt), Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Effect<T>, Declined>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let idempotency = idempotency.map(|key| (caller.organization().clone(), key));
        self.send(None, Box::new(EffectJob { effect: Some(effect), idempotency, value: None, reply }))?;
        answer.await.unwrap_or(Err(JournalError::Unavailable.into()))
    }

    fn send(&self, decided_at: Option<u64>, job: Box<dyn Job>) -> Result<(), Error> {
        if self.memory.condemned.load(Ordering::SeqCst) {
            return Err(JournalError::Unavailable.into());
        }
        self.queue.try_send(Work { decided_at, job }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => JournalError::Full.into(),
            mpsc::error::TrySendError::Closed(_) => JournalError::Unavailable.into(),
        })
    }
}

struct Entries {
    prepared: Option<JobWrites>,
    reply: oneshot::Sender<Result<Receipt, Error>>,
}

impl Job for Entries {
    fn run<'t>(&'t mut self, _tx: &'t mut Tx, _clock: &'t Clock) -> BoxFuture<'t, Result<JobWrites, Declined>> {
        let prepared = self.prepared.take().ok_or_else(|| Declined::from(Error::from(JournalError::Unavailable)));
        Box::pin(async move { prepared })
    }

    fn prepared(&self) -> Option<(Vec<Logged>, Vec<InboxItem>)> {
        self.prepared.as_ref().map(|writes| (writes.entries.clone(), writes.inbox.clone()))
    }

    fn is_effect(&self) -> bool {
        false
    }

    fn entries(&self) -> &[Logged] {
        self.prepared.as_ref().map_or(&[], |prepared| &prepared.entries)
    }

    fn finish(self: Box<Self>, outcome: Result<Receipt, Error>) {
        // The caller may have gone; the entry stands all the same.
        let _ = self.reply.send(outcome);
    }
}

struct EffectJob<T, F> {
    effect: Option<F>,
    idempotency: Option<(OrganizationCode, Idempotency)>,
    value: Option<T>,
    reply: oneshot::Sender<Result<(T, Receipt), Error>>,
}

impl<T, F> Job for EffectJob<T, F>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Effect<T>, Declined>> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx, clock: &'t Clock) -> BoxFuture<'t, Result<JobWrites, Declined>> {
        Box::pin(async move {
            if let Some((organization, idempotency)) = &self.idempotency
                && let Some((digest, outcome)) =
                    store::idempotency::outcome_of(tx, organization, &idempotency.key).await?
            {
                if digest != idempotency.digest {
                    return Err(Error::from(RequestError::IdempotencyKeyReused).into());
                }
                let value = serde_json::from_str(&outcome).map_err(|_| StoreError::Corrupt("idempotency outcome"))?;
                self.value = Some(value);
                return Ok(JobWrites { entries: Vec::new(), inbox: Vec::new(), changes: Vec::new() });
            }
            let effect = self.effect.take().ok_or_else(|| Error::from(JournalError::Unavailable))?;
            let Effect { value, entries, inbox, changes } = effect(tx).await?;
            if let Some((organization, idempotency)) = &self.idempotency {
                let outcome = serde_json::to_string(&value).map_err(|_| StoreError::Corrupt("idempotency outcome"))?;
                store::idempotency::remember(tx, organization, idempotency, &outcome, clock.now()).await?;
            }
            self.value = Some(value);
            Ok(JobWrites { entries, inbox, changes })
        })
    }

    fn prepared(&self) -> Option<(Vec<Logged>, Vec<InboxItem>)> {
        None
    }

    fn is_effect(&self) -> bool {
        true
    }

    fn entries(&self) -> &[Logged] {
        &[]
    }

    fn finish(self: Box<Self>, outcome: Result<Receipt, Error>) {
        let answer = match (outcome, self.value) {
            (Ok(receipt), Some(value)) => Ok((value, receipt)),
            (Ok(_), None) => Err(JournalError::Unavailable.into()),
            (Err(error), _) => Err(error),
        };
        let _ = self.reply.send(answer);
    }
}
