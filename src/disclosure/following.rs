//! Memory follows what other nodes committed.
//!
//! Every change of what nodes hold in memory has a place in one feed ([`store::changes`]). Before a request is looked
//! at, memory takes in what was committed when it arrived; before the journal decides what may be written, it takes in
//! the rest, while nobody else can change anything. Where one process serves its database alone, there is nothing to
//! follow.
//!
//! [`store::changes`]: crate::store::changes

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

use super::{
    journal::{Change, JournalError, Memory},
    planted::Planted,
};
use crate::{
    error::Error,
    identity::directory::DirectoryChange,
    search::{index::IndexChange, records::PackedRecord},
    store::{
        self, Store, StoreError, Tx,
        changes::{Noted, Subject},
        keyring::Keyring,
        notices::standing_of,
        vault::Vault,
    },
};

/// Changes read at a time.
const PAGE: i64 = 1_024;
/// How long a request waits to learn what was committed.
const MOST: Duration = Duration::from_secs(5);

/// What was committed, brought into memory.
pub struct Following {
    store: Store,
    vault: Arc<Vault>,
    memory: Arc<Memory>,
    /// Held by whoever takes changes in, so that they come in order.
    taking: Mutex<()>,
    asked: mpsc::UnboundedSender<oneshot::Sender<bool>>,
    planted: Option<Planted>,
}

/// The right to bring changes into memory.
pub(super) struct Taking<'a>(#[expect(dead_code, reason = "held, not read")] MutexGuard<'a, ()>);

impl Following {
    /// Begins to follow, from the position that memory holds.
    pub fn start(store: Store, vault: Arc<Vault>, memory: Arc<Memory>) -> Arc<Self> {
        let (asked, asking) = mpsc::unbounded_channel();
        let planted = Planted::from_environment();
        let following = Arc::new(Self { store, vault, memory, taking: Mutex::new(()), asked, planted });
        if following.store.is_shared() {
            tokio::spawn(rounds(Arc::downgrade(&following), asking));
        }
        following
    }

    /// Returns once memory holds everything that was committed when this was called (law 5, law 6).
    ///
    /// # Errors
    /// The database does not say: nothing may be decided on what memory holds.
    pub async fn reach(&self) -> Result<(), Error> {
        if !self.store.is_shared() || self.planted == Some(Planted::StaleMemory) {
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
        if self.store.changes_position().await? > self.memory.position() {
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
        if !self.store.is_shared() || self.planted == Some(Planted::StaleMemory) {
            return Ok(());
        }
        let _taking = self.taking().await;
        loop {
            let held = self.memory.position();
            let page = store::changes::after(tx, held, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            for (Noted { position, subject }, expected) in page.into_iter().zip(held + 1..) {
                if position != expected {
                    return Err(StoreError::Corrupt("changes that this node has not seen are gone: start it again"));
                }
                let change = self.read_again(tx, subject).await?;
                self.memory.take(position, change);
            }
        }
    }

    pub(super) async fn taking(&self) -> Taking<'_> {
        Taking(self.taking.lock().await)
    }

    /// What changed, as it is now.
    async fn read_again(&self, tx: &mut Tx, subject: Subject) -> Result<Option<Change>, StoreError> {
        Ok(match subject {
            Subject::Record(id) => match store::records::index_row(tx, id).await? {
                Some(row) => {
                    let (facts, items) = row.open(&self.vault)?;
                    Some(Change::Index(IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))))
                }
                // It was disposed of.
                None => Some(Change::Index(IndexChange::Forget(id))),
            },
            Subject::Organization(code) => store::accounts::organization(tx, &code)
                .await?
                .map(|organization| Change::Directory(DirectoryChange::Organization(Box::new(organization)))),
            Subject::Terminal(serial) => store::accounts::terminal(tx, &serial)
                .await?
                .map(|terminal| Change::Directory(DirectoryChange::Terminal(Box::new(terminal)))),
            Subject::Staff(code, id) => store::accounts::staff_member(tx, &self.vault, &code, &id)
                .await?
                .map(|staff| Change::Directory(DirectoryChange::Staff(Box::new(staff)))),
            Subject::Sessions(code, id) => {
                let sessions = store::sessions::of_officer(tx, &code, &id).await?;
                Some(Change::Directory(DirectoryChange::Sessions(code, id, sessions)))
            }
            Subject::Notice(id) => match store::notices::find(tx, id).await? {
                Some(notice) => {
                    let content = store::notices::open_content(tx, &self.vault, id).await?;
                    Some(Change::Standing(standing_of(&notice, &content)))
                }
                None => None,
            },
            Subject::Keys => {
                let wrapped = store::accounts::prefecture_keys(tx).await?;
                let vault = self.vault.clone();
                let reload = move || vault.reload(Keyring::load(vault.keyring().path())?, &wrapped);
                // Where this node's keyring lacks the new master key, it serves on with the keys it has.
                match tokio::task::spawn_blocking(reload).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "new prefecture keys cannot be opened: copy the keyring"),
                    Err(error) => tracing::error!(%error, "new prefecture keys could not be opened"),
                }
                None
            }
            Subject::Decisions(scope) => Some(Change::Visibility(scope)),
        })
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
        let reached = match tokio::time::timeout(MOST, following.round()).await {
            Ok(Ok(())) => true,
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
