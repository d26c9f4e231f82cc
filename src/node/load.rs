//! What memory holds, loaded at start: from the snapshot of the last stop where it is still true, else from the store.
//!
//! Comes in: store, keys, snapshot. Goes out: the ledger's tree, the search index, the directory, the standing notices.
//! A snapshot is believed as far as the ledger bears it out: what was written since is read again, and the entries
//! before are held against it once the node serves ([`audit`](super::audit)).

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use tokio::task::JoinHandle;
use uuid::Uuid;

use super::snapshot::{
    file::{DatabasePosition, Unfit},
    read::read,
};
use crate::{
    clock::Timestamp,
    domain::case_record::{IndexItems, RecordFacts},
    identity::directory::{Directory, DirectoryChange},
    keys::error::KeyError,
    keys::vault::Vault,
    ledger::merkle::{Hash, MerkleTree, empty_root, leaf_hash},
    search::{
        index::{IndexChange, SearchIndex},
        records::PackedRecord,
        standing::StandingMatches,
    },
    store::{
        self,
        error::StoreError,
        index_rows::IndexRow,
        ledger::{LedgerHead, StoredEntry},
        open::Store,
    },
};

/// Rows read at a time.
pub(super) const LEDGER_PAGE: u32 = 8_192;
const INDEX_PAGE: i64 = 32_768;
/// Entries since a snapshot; after more it is quicker to read the store.
const MAX_SINCE: u64 = 200_000;

/// Why memory cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the ledger of node {node} does not match its head: {what}. Restore it; do not serve from it")]
    Ledger { node: String, what: &'static str },
}

/// Where a node's memory comes from.
pub struct Loading<'a> {
    pub store: &'a Store,
    pub vault: &'a Arc<Vault>,
    pub node: &'a str,
    pub now: Timestamp,
}

/// The ledger's tree and the search index.
pub struct Loaded {
    pub tree: MerkleTree,
    pub index: SearchIndex,
    /// Position of the last change of any node that it surely holds.
    pub position: u64,
    /// Entries from the first on that only a snapshot vouches for; `None` where the store was read.
    pub unaudited: Option<u64>,
}

impl Loading<'_> {
    /// From the snapshot, if it is fit; else from the store.
    ///
    /// # Errors
    /// The store failed, or the ledger does not match its head.
    pub async fn ledger_and_index(&self, snapshot: Option<&Path>) -> Result<Loaded, LoadError> {
        if let Some(path) = snapshot {
            match self.snapshot(path.to_owned()).await {
                Ok(loaded) => {
                    tracing::info!(records = loaded.index.len(), "the snapshot was loaded");
                    return Ok(loaded);
                }
                Err(reason) => tracing::warn!(%reason, "the snapshot is not used; every record is read"),
            }
        }
        let started = Instant::now();
        // Noted before anything is read: what comes later is read twice rather than not at all.
        let position = self.store.changes_position().await?;
        // Side by side: neither keeps two cores busy by itself.
        let (tree, index) = tokio::try_join!(self.ledger(), async { Ok(self.index().await?) })?;
        let seconds = started.elapsed().as_secs();
        tracing::info!(entries = tree.size(), records = index.len(), seconds, "the store was read");
        Ok(Loaded { tree, index, position, unaudited: None })
    }

    async fn snapshot(&self, path: PathBuf) -> Result<Loaded, Unfit> {
        let vault = self.vault.clone();
        let reading = tokio::task::spawn_blocking(move || read(&path, &vault));
        let (DatabasePosition { heads, position, last: made }, mut tree, index) =
            reading.await.map_err(|_| Unfit::Damaged)??;
        let own = |heads: &[LedgerHead]| {
            let own = heads.iter().find(|head| head.node == self.node);
            own.map_or((0, empty_root()), |head| (head.size, head.root))
        };
        let unaudited = tree.size();
        if own(&heads) != tree.frontier().head() {
            return Err(Unfit::Damaged);
        }
        let mut tx = self.store.read().await?;
        let now = store::ledger::heads(&mut tx).await?;
        if self.store.is_shared() {
            // What other nodes changed since comes by the feed, if it still goes back that far.
            let next = store::changes::after(&mut tx, position, 1).await?;
            let last = store::changes::position(&mut tx).await?;
            if store::changes::made(&mut tx, position).await? != made {
                return Err(Unfit::OtherLedger);
            }
            match next.first().map(|noted| noted.position) {
                Some(next) if next != position + 1 => return Err(Unfit::TooOld),
                None if last != position => return Err(Unfit::OtherLedger),
                _ => {}
            }
        }
        let (size, root) = own(&now);
        match size.checked_sub(unaudited) {
            None => return Err(Unfit::OtherLedger),
            Some(since) if since > MAX_SINCE => return Err(Unfit::TooOld),
            Some(_) => {}
        }
        let mut touched = BTreeSet::new();
        loop {
            let page = store::ledger::entries_from(&mut tx, self.node, tree.size(), LEDGER_PAGE).await?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                touched.extend(entry.record);
                tree.push(checked_leaf(&entry, tree.size()).map_err(|_| Unfit::OtherLedger)?);
            }
        }
        if tree.frontier().head() != (size, root) {
            return Err(Unfit::OtherLedger);
        }
        for record in touched {
            index.apply(match store::index_rows::index_row(&mut tx, record).await? {
                Some(row) => {
                    let (facts, items) = row.open(self.vault)?;
                    IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))
                }
                // Disposed of since.
                None => IndexChange::Forget(record),
            });
        }
        Ok(Loaded { tree, index, position, unaudited: Some(unaudited) })
    }

    /// Rebuilds the tree from the entries and holds it against the head: a page is read while the one before is
    /// checked.
    async fn ledger(&self) -> Result<MerkleTree, LoadError> {
        let fault = |what| LoadError::Ledger { node: self.node.to_owned(), what };
        let mut tx = self.store.read().await?;
        let mut tree = MerkleTree::default();
        let mut from = 0;
        let mut checking: Option<JoinHandle<Result<Vec<Hash>, &'static str>>> = None;
        loop {
            let page = store::ledger::entries_from(&mut tx, self.node, from, LEDGER_PAGE).await?;
            if let Some(checked) = checking.take() {
                let leaves = checked.await.map_err(|_| StoreError::Corrupt("ledger"))?.map_err(fault)?;
                leaves.into_iter().for_each(|leaf| tree.push(leaf));
            }
            let Some(last) = page.last() else { break };
            let first = std::mem::replace(&mut from, last.position + 1);
            checking = Some(tokio::task::spawn_blocking(move || {
                (first..).zip(&page).map(|(position, entry)| checked_leaf(entry, position)).collect()
            }));
        }
        let (size, root) = store::ledger::head(&mut tx, self.node).await?.unwrap_or((0, empty_root()));
        match tree.frontier().head() {
            (ours, _) if ours != size => Err(fault("entries were added or removed")),
            (_, ours) if ours != root => Err(fault("an entry was changed")),
            _ => Ok(tree),
        }
    }

    /// Builds the index from the sealed index items of every record: a page is read while the one before is opened.
    async fn index(&self) -> Result<SearchIndex, StoreError> {
        let index = Arc::new(SearchIndex::default());
        let mut tx = self.store.read().await?;
        let mut after = Uuid::nil();
        let mut filling: Option<JoinHandle<Result<(), StoreError>>> = None;
        loop {
            let page = store::index_rows::index_rows(&mut tx, after, INDEX_PAGE).await?;
            if let Some(filled) = filling.take() {
                filled.await.map_err(|_| StoreError::Corrupt("index"))??;
            }
            let Some(last) = page.last() else { break };
            after = last.id;
            let (index, vault) = (index.clone(), self.vault.clone());
            filling = Some(tokio::task::spawn_blocking(move || fill(&index, &vault, page)));
        }
        Arc::into_inner(index).ok_or(StoreError::Corrupt("index"))
    }

    /// Organizations, terminals and staff.
    ///
    /// # Errors
    /// The store failed.
    pub async fn directory(&self) -> Result<Directory, StoreError> {
        let directory = Directory::default();
        let mut tx = self.store.read().await?;
        for organization in store::accounts::organizations(&mut tx).await? {
            directory.apply(DirectoryChange::Organization(Box::new(organization)));
        }
        for terminal in store::accounts::terminals(&mut tx).await? {
            directory.apply(DirectoryChange::Terminal(Box::new(terminal)));
        }
        for staff in store::accounts::staff(&mut tx, self.vault).await? {
            directory.apply(DirectoryChange::Staff(Box::new(staff)));
        }
        for session in store::sessions::in_force(&mut tx, self.now).await? {
            directory.apply(DirectoryChange::Session(Box::new(session)));
        }
        Ok(directory)
    }

    /// Missing-child notices against which every search is held.
    ///
    /// # Errors
    /// The store failed.
    pub async fn standing(&self) -> Result<StandingMatches, StoreError> {
        let standing = StandingMatches::default();
        let mut tx = self.store.read().await?;
        for notice in store::notices::all(&mut tx).await? {
            let content = store::notices::open_content(&mut tx, self.vault, notice.id).await?;
            standing.apply(store::notices::standing_of(&notice, &content));
        }
        Ok(standing)
    }
}

/// The hash of an entry that is where it should be and whose columns say what it says.
pub(super) fn checked_leaf(entry: &StoredEntry, position: u64) -> Result<Hash, &'static str> {
    if entry.position != position {
        return Err("an entry is missing");
    }
    if !entry.columns_match() {
        return Err("the columns of an entry differ from its body");
    }
    Ok(leaf_hash(&entry.body))
}

fn fill(index: &SearchIndex, vault: &Vault, mut page: Vec<IndexRow>) -> Result<(), StoreError> {
    let second = page.split_off(page.len() / 2);
    let pack = |rows: Vec<IndexRow>| -> Result<Vec<PackedRecord>, StoreError> {
        let packed = |(facts, items): (RecordFacts, IndexItems)| PackedRecord::new(facts, &items);
        let open = |row: IndexRow| {
            let id = row.id;
            match row.open(vault) {
                // A restored backup brought it back: it is not found, and will be removed.
                Err(StoreError::Key(KeyError::Destroyed)) => {
                    vault.note_leftover(id);
                    None
                }
                outcome => Some(outcome.map(packed)),
            }
        };
        rows.into_iter().filter_map(open).collect()
    };
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| pack(second));
        (pack(page), second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let mut packed = first?;
    packed.extend(second?);
    index.put_all(&packed);
    Ok(())
}
