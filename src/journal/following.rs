//! Memory follows what other nodes committed.
//!
//! Every change of what nodes hold in memory has a place in one feed ([`store::changes`]). Before a request is looked
//! at, memory takes in what was committed when it arrived; before the journal decides what may be written, it takes in
//! the rest, while nobody else can change anything. Where one process serves its database alone, there is nothing to
//! follow.
//!
//! [`store::changes`]: crate::store::changes

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};
use uuid::Uuid;

use super::{
    error::JournalError,
    memory::{Change, Memory},
};
use crate::{
    domain::organization::OrganizationCode,
    error::Error,
    identity::directory::DirectoryChange,
    keys::error::KeyError,
    keys::{keyring::Keyring, vault::Vault},
    planted::Planted,
    search::{index::IndexChange, records::PackedRecord},
    store::{
        self,
        changes::{PositionedChange, Subject},
        error::StoreError,
        index_rows::{IndexRow, Indexed},
        notices::standing_of,
        open::Store,
        rows::remembered::ReadWhen,
        tx::Tx,
    },
};

/// Where records lie that belong to no prefecture, or of which memory does not know it.
const NO_PREFECTURE: &str = "00";
/// Changes read at a time.
const PAGE: i64 = 1_024;
/// How long a request waits to learn what was committed.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// What was committed, brought into memory.
pub struct Following {
    store: Store,
    vault: Arc<Vault>,
    memory: Arc<Memory>,
    /// Held by whoever takes changes in, so that they come in order.
    taking: Mutex<()>,
    asked: mpsc::UnboundedSender<oneshot::Sender<bool>>,
}

/// The right to bring changes into memory.
pub(super) struct Taking<'a>(#[expect(dead_code, reason = "held, not read")] MutexGuard<'a, ()>);

impl Following {
    /// Begins to follow, from the position that memory holds.
    pub fn start(store: Store, vault: Arc<Vault>, memory: Arc<Memory>) -> Arc<Self> {
        let (asked, asking) = mpsc::unbounded_channel();
        let following = Arc::new(Self { store, vault, memory, taking: Mutex::new(()), asked });
        if following.store.is_shared() {
            tokio::spawn(rounds(Arc::downgrade(&following), asking));
            tokio::spawn(look_into_inboxes(Arc::downgrade(&following)));
        }
        following
    }

    /// Returns once memory holds everything that was committed when this was called (law 5, law 6).
    ///
    /// # Errors
    /// The database does not say: nothing may be decided on what memory holds.
    pub async fn reach(&self) -> Result<(), Error> {
        if !self.store.is_shared() || Planted::StaleMemory.is_planted() {
            return Ok(());
        }
        let (reply, reached) = oneshot::channel();
        self.asked.send(reply).map_err(|_| JournalError::Unavailable)?;
        match reached.await {
            Ok(true) => Ok(()),
            _ => Err(JournalError::Unavailable.into()),
        }
    }

    /// Whether the database answers, as far as a request would need it to.
    pub async fn answers(&self) -> bool {
        if self.store.is_shared() { self.reach().await.is_ok() } else { self.store.read().await.is_ok() }
    }

    async fn round(&self) -> Result<(), StoreError> {
        let held = self.memory.position();
        let committed = self.store.changes_position().await?;
        if committed < held {
            return Err(StoreError::Corrupt(store::changes::FORGOTTEN));
        }
        if committed > held {
            let mut tx = self.store.read().await?;
            self.take_in(&mut tx).await?;
        }
        Ok(())
    }

    /// Takes in what the transaction sees committed.
    ///
    /// # Errors
    /// The database failed, or what would come next is no longer there: the node must load its memory anew.
    pub(super) async fn take_in(&self, tx: &mut Tx) -> Result<(), StoreError> {
        if !self.store.is_shared() || Planted::StaleMemory.is_planted() {
            return Ok(());
        }
        let _taking = self.taking().await;
        let before = tx.rows.read_when(ReadWhen::Following);
        let taken = self.take_pages(tx).await;
        tx.rows.read_when(before);
        taken
    }

    async fn take_pages(&self, tx: &mut Tx) -> Result<(), StoreError> {
        loop {
            let held = self.memory.position();
            let page = store::changes::after(tx, held, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            self.announce(tx, &page).await?;
            let last_mentions: HashMap<Subject, u64> =
                page.iter().map(|noted| (noted.subject.clone(), noted.position)).collect();
            for (PositionedChange { position, subject }, expected) in page.into_iter().zip(held + 1..) {
                if position != expected {
                    return Err(StoreError::Corrupt("changes that this node has not seen are gone: start it again"));
                }
                // What changes again in the same page is read when it does for the last time; a decision is outdated by
                // each.
                let is_last =
                    matches!(subject, Subject::Decisions(_)) || last_mentions.get(&subject) == Some(&position);
                let change = if is_last { self.read_again(tx, subject).await? } else { None };
                self.memory.take(position, change);
            }
        }
    }

    /// What is read again may be newer than the change that says so: the marks of all that follows count already.
    async fn announce(&self, tx: &mut Tx, page: &[PositionedChange]) -> Result<(), StoreError> {
        let mut remarks = Vec::new();
        let mut note = |page: &[PositionedChange]| {
            remarks.extend(page.iter().flat_map(|noted| match &noted.subject {
                Subject::Rows(remarks) => remarks.clone(),
                _ => Vec::new(),
            }));
            (page.len() == PAGE as usize).then(|| page.last().map(|noted| noted.position)).flatten()
        };
        let mut last = note(page);
        while let Some(position) = last {
            last = note(&store::changes::after(tx, position, PAGE).await?);
        }
        self.memory.guard.announce_committed(&remarks);
        Ok(())
    }

    pub(super) async fn taking(&self) -> Taking<'_> {
        Taking(self.taking.lock().await)
    }

    /// What changed, as it is now.
    async fn read_again(&self, tx: &mut Tx, subject: Subject) -> Result<Option<Change>, StoreError> {
        Ok(match subject {
            Subject::Record(id) => Some(Change::Index(self.record_again(tx, id).await?)),
            Subject::Organization(code) => {
                let found = sound(store::accounts::organization(tx, &code).await)?;
                let found = found.map(|organization| DirectoryChange::Organization(Box::new(organization)));
                Some(Change::Directory(found.unwrap_or(DirectoryChange::OrganizationSetAside(code))))
            }
            Subject::Terminal(serial) => {
                let found = sound(store::accounts::terminal(tx, &serial).await)?;
                let found = found.map(|terminal| DirectoryChange::Terminal(Box::new(terminal)));
                Some(Change::Directory(found.unwrap_or(DirectoryChange::TerminalSetAside(serial))))
            }
            Subject::Staff(code, id) => {
                let found = sound(store::accounts::staff_member(tx, &self.vault, &code, &id).await)?;
                let found = found.map(|staff| DirectoryChange::Staff(Box::new(staff)));
                Some(Change::Directory(found.unwrap_or(DirectoryChange::StaffSetAside(code, id))))
            }
            Subject::Sessions(code, id) => {
                let sessions = store::sessions::of_officer(tx, &code, &id).await?;
                Some(Change::Directory(DirectoryChange::Sessions(code, id, sessions)))
            }
            Subject::Notice(id) => match sound(store::notices::find(tx, id).await)? {
                Some(notice) => {
                    let content = store::notices::open_content(tx, &self.vault, id).await?;
                    Some(Change::Standing(standing_of(&notice, &content)))
                }
                None => None,
            },
            Subject::Keys => {
                self.reload_keys(tx).await?;
                None
            }
            Subject::Decisions(scope) => Some(Change::Visibility(scope)),
            Subject::Rows(remarks) => Some(Change::Rows(remarks)),
        })
    }

    /// A record as the index will hold it. One that is not what the gateway wrote, or that somebody else removed, is set
    /// aside: it is not found, and whoever looks for it learns how many are not.
    async fn record_again(&self, tx: &mut Tx, id: Uuid) -> Result<IndexChange, StoreError> {
        let found = match store::index_rows::index_row(tx, id).await {
            Ok(Some(row)) => self.opened(tx, id, row).await,
            // It was disposed of.
            Ok(None) => Ok(IndexChange::Forget(id)),
            Err(error) => Err(error),
        };
        if let Err(StoreError::Refuted(_)) = found {
            let owner = self.memory.index.facts_of(id).map(|facts| facts.owner);
            let prefecture = owner.as_ref().map_or(NO_PREFECTURE, OrganizationCode::prefecture).to_owned();
            self.memory.guard.set_record_aside(id, &prefecture, owner);
            return Ok(IndexChange::Forget(id));
        }
        self.memory.guard.take_record_back(id);
        found
    }

    /// What the index holds of a record. Its prefecture's key may be newer than those in memory.
    async fn opened(&self, tx: &mut Tx, id: Uuid, row: IndexRow) -> Result<IndexChange, StoreError> {
        let guard = &self.memory.guard;
        let opened = match row.clone().open(guard, &self.vault) {
            Err(StoreError::Key(KeyError::Missing { .. })) => {
                self.reload_keys(tx).await?;
                row.open(guard, &self.vault)
            }
            opened => opened,
        };
        match opened {
            Ok(Indexed { facts, items, .. }) => Ok(IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))),
            // What a restored backup brought back of a record that was disposed of.
            Err(StoreError::Key(KeyError::Destroyed)) => {
                self.vault.note_leftover(id);
                Ok(IndexChange::Forget(id))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes up the prefecture keys of the database. A node whose keyring cannot open them decides nothing: it would go
    /// on to wrap records with keys that are about to be destroyed.
    async fn reload_keys(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let wrapped = store::accounts::prefecture_keys(tx).await?;
        let vault = self.vault.clone();
        let reload = move || vault.reload(Keyring::load(vault.keyring().path())?, &wrapped);
        Ok(tokio::task::spawn_blocking(reload).await.map_err(|_| StoreError::Corrupt("keyring"))??)
    }
}

/// What is not what the gateway wrote is as if it were not there: it gives nobody anything.
fn sound<T>(found: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Err(StoreError::Refuted(_)) => Ok(None),
        found => found,
    }
}

/// One round serves everybody who asked before it began.
async fn rounds(following: Weak<Following>, mut asking: mpsc::UnboundedReceiver<oneshot::Sender<bool>>) {
    while let Some(first) = asking.recv().await {
        let mut waiting = vec![first];
        while let Ok(next) = asking.try_recv() {
            waiting.push(next);
        }
        let Some(following) = following.upgrade() else { return };
        let guard = &following.memory.guard;
        let round = guard.begin_round();
        let reached = match tokio::time::timeout(MAX_WAIT, following.round()).await {
            Ok(Ok(())) => {
                guard.end_round(round);
                true
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "what other nodes committed could not be read");
                false
            }
            Err(_) => {
                tracing::error!("the database did not say in time what other nodes committed");
                false
            }
        };
        for reply in waiting {
            // Whoever asked may have gone.
            let _ = reply.send(reached);
        }
    }
}

/// How often it is looked for messages that other nodes delivered.
const LOOK: Duration = Duration::from_millis(500);

/// Wakes those who wait for news that another node delivered: one look for all of them.
async fn look_into_inboxes(following: Weak<Following>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(following) = following.upgrade() else { return };
        let look = async { store::inbox::latest_of_all(&mut following.store.read().await?).await };
        match tokio::time::timeout(MAX_WAIT, look).await {
            Ok(Ok(positions)) => {
                positions.iter().for_each(|(organization, at)| following.memory.inboxes.delivered(organization, *at));
            }
            Ok(Err(error)) => tracing::debug!(%error, "inboxes could not be looked into"),
            Err(_) => tracing::debug!("inboxes could not be looked into in time"),
        }
    }
}
