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
        index_rows::{IndexRow, Indexed},
        ledger::{LedgerHead, StoredEntry},
        open::Store,
        rows::{
            chronicle::Chronicle,
            guard::RowGuard,
            mark::tag_of,
            name::{Differs, RowName},
            pinned::pin,
            sums::Sums,
            table::MarkedTable,
            tables::{self, MISSING_NOTICES, PREFECTURE_KEYS, RECORDS},
            written::{RowsSaid, own_sums, remember, sealed_sums, vouched_sums},
        },
        tx::Tx,
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
    #[error(
        "the table {table} holds {there} rows, and {written} were written: rows were removed, brought back or set back, and \
         what stands beside the ledger, which would name them, was damaged as well. Nothing of the table can be believed; \
         restore the database: docs/operations.md, When a row is not what the gateway wrote"
    )]
    Rows { table: &'static str, there: i64, written: i64 },
}

/// Where a node's memory comes from.
pub struct Loading<'a> {
    pub store: &'a Store,
    pub vault: &'a Arc<Vault>,
    pub guard: &'a Arc<RowGuard>,
    pub node: &'a str,
    pub now: Timestamp,
}

/// The ledger's tree and the search index.
pub struct Loaded {
    pub tree: MerkleTree,
    pub index: SearchIndex,
    /// Position of the last change of any node that it surely holds.
    pub position: u64,
    /// What this node has added to the sums over the marks of rows, and taken away.
    pub sums: Sums,
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
        let (ledger, index) = tokio::join!(self.ledger(), self.index());
        // Where the ledger is wrong, that says more than what rests on it.
        let (tree, sums) = ledger?;
        let index = index?;
        let seconds = started.elapsed().as_secs();
        tracing::info!(entries = tree.size(), records = index.len(), seconds, "the store was read");
        Ok(Loaded { tree, index, position, sums, unaudited: None })
    }

    async fn snapshot(&self, path: PathBuf) -> Result<Loaded, Unfit> {
        let vault = self.vault.clone();
        let reading = tokio::task::spawn_blocking(move || read(&path, &vault));
        let (DatabasePosition { heads, position, last: made, rows }, mut tree, index) =
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
        let mut said = None;
        loop {
            let page = store::ledger::entries_from(&mut tx, self.node, tree.size(), LEDGER_PAGE).await?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                touched.extend(entry.record);
                let (leaf, says) = checked_leaf(&entry, tree.size()).map_err(|_| Unfit::OtherLedger)?;
                tree.push(leaf);
                said = says.or(said);
            }
        }
        if tree.frontier().head() != (size, root) {
            return Err(Unfit::OtherLedger);
        }
        for record in touched {
            index.apply(match store::index_rows::index_row(&mut tx, record).await? {
                Some(row) => {
                    let Indexed { facts, items, .. } = row.open(self.guard, self.vault)?;
                    IndexChange::Put(Box::new(PackedRecord::new(facts, &items)))
                }
                // Disposed of since.
                None => IndexChange::Forget(record),
            });
        }
        let is_as_it_was = said.is_none();
        let sums = match said {
            Some(said) => own_sums(&mut tx, self.guard, self.node, Some(&said)).await,
            // Nothing was written since: the sums are those that the snapshot vouches for.
            None => sealed_sums(&mut tx, self.guard, self.node).await.map(|(_, sums)| sums),
        };
        let sums = sums.map_err(|_| Unfit::OtherLedger)?;
        if is_as_it_was && sums.to_bytes() != rows {
            return Err(Unfit::OtherLedger);
        }
        Ok(Loaded { tree, index, position, sums, unaudited: Some(unaudited) })
    }

    /// Rebuilds the tree from the entries and holds it against the head: a page is read while the one before is
    /// checked.
    ///
    /// # Errors
    /// The store failed, or the ledger does not match its head.
    pub async fn ledger(&self) -> Result<(MerkleTree, Sums), LoadError> {
        let fault = |what| LoadError::Ledger { node: self.node.to_owned(), what };
        let mut tx = self.store.read().await?;
        let (mut tree, mut rows) = (MerkleTree::default(), None);
        let mut from = 0;
        let mut checking: Option<JoinHandle<Result<Vec<CheckedLeaf>, &'static str>>> = None;
        loop {
            let page = store::ledger::entries_from(&mut tx, self.node, from, LEDGER_PAGE).await?;
            if let Some(checked) = checking.take() {
                let leaves = checked.await.map_err(|_| StoreError::Corrupt("ledger"))?.map_err(fault)?;
                for (leaf, said) in leaves {
                    tree.push(leaf);
                    rows = said.or(rows);
                }
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
            _ => Ok((tree, own_sums(&mut tx, self.guard, self.node, rows.as_ref()).await?)),
        }
    }

    /// Builds the index from the sealed index items of every record: a page is read while the one before is opened. Records
    /// that were removed or set back while nothing served are set aside.
    async fn index(&self) -> Result<SearchIndex, LoadError> {
        let index = Arc::new(SearchIndex::default());
        let mut tx = self.store.read().await?;
        let written = vouched_sums(&mut tx, self.guard).await?;
        let (mut after, mut there) = (Uuid::nil(), Sums::default());
        let mut filling: Option<JoinHandle<Result<Sums, StoreError>>> = None;
        loop {
            let page = store::index_rows::index_rows(&mut tx, after, INDEX_PAGE).await?;
            if let Some(filled) = filling.take() {
                there.merge(&filled.await.map_err(|_| StoreError::Corrupt("index"))??);
            }
            let Some(last) = page.last() else { break };
            after = last.id;
            let (index, guard, vault) = (index.clone(), self.guard.clone(), self.vault.clone());
            filling = Some(tokio::task::spawn_blocking(move || fill(&index, &guard, &vault, page)));
        }
        if there.of(&RECORDS) != written.of(&RECORDS) {
            let chronicle = Chronicle::read(&mut tx, self.guard).await?;
            let pinned = pin_table(&mut tx, &RECORDS, (&there, &written), &chronicle).await?;
            let records = pinned.iter().filter_map(|name| Uuid::parse_str(&name.row).ok());
            records.for_each(|id| index.apply(IndexChange::Forget(id)));
        }
        Ok(Arc::into_inner(index).ok_or(StoreError::Corrupt("index"))?)
    }

    /// Remembers the marks of every row that stands for itself, but for records, which the index reads; holds each table
    /// against its sum. Rows that were removed, brought back or set back while nothing served are named by the ledger, and
    /// set aside.
    ///
    /// # Errors
    /// The store failed; rows of a table are not what was written, and the ledger does not say which.
    pub async fn remember(&self) -> Result<(), LoadError> {
        let mut tx = self.store.read().await?;
        let written = vouched_sums(&mut tx, self.guard).await?;
        let mut chronicle: Option<Chronicle> = None;
        for table in tables::ALL.into_iter().filter(|table| table.is_remembered && **table != RECORDS) {
            let there = remember(&mut tx, table).await?;
            if there.of(table) != written.of(table) {
                let read = match chronicle.take() {
                    Some(read) => read,
                    None => Chronicle::read(&mut tx, self.guard).await?,
                };
                pin_table(&mut tx, table, (&there, &written), &read).await?;
                chronicle = Some(read);
            }
        }
        Ok(())
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
            match store::notices::open_content(&mut tx, self.vault, notice.id).await {
                Ok(content) => standing.apply(store::notices::standing_of(&notice, &content)),
                // What hangs on it is not what the gateway wrote: it is named, and matches nobody until it is had back.
                Err(StoreError::Refuted(_)) => {}
                Err(StoreError::Key(KeyError::Unsealed | KeyError::Missing { .. })) => {
                    self.guard.refute(&MISSING_NOTICES, notice.id.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(standing)
    }
}

/// Sets aside the rows of a table that are not as the ledger has them; returns their names.
///
/// # Errors
/// The store failed; the ledger does not say which they are.
async fn pin_table(
    tx: &mut Tx,
    table: &'static MarkedTable,
    (there, written): (&Sums, &Sums),
    chronicle: &Chronicle,
) -> Result<Vec<RowName>, LoadError> {
    let (there, written) = (there.of(table), written.of(table));
    match pin(tx, table, chronicle, written).await? {
        Some(pinned) => {
            tracing::error!(
                table = table.name,
                rows = pinned.len(),
                "rows were changed while nothing served; the ledger names them"
            );
            Ok(pinned)
        }
        None => Err(LoadError::Rows { table: table.name, there: there.rows, written: written.rows }),
    }
}

/// A leaf, and what its entry says of the rows, where it says something.
pub(super) type CheckedLeaf = (Hash, Option<RowsSaid>);

/// The hash of an entry that is where it should be and whose columns say what it says.
pub(super) fn checked_leaf(entry: &StoredEntry, position: u64) -> Result<CheckedLeaf, &'static str> {
    if entry.position != position {
        return Err("an entry is missing");
    }
    let Some(rows) = entry.rows_if_columns_match() else {
        return Err("the columns of an entry differ from its body");
    };
    Ok((leaf_hash(&entry.body), rows.map(|said| (entry.id, said))))
}

/// Opens a page of records; returns what they add to the sums. A record that is not what the gateway wrote is set aside.
fn fill(index: &SearchIndex, guard: &RowGuard, vault: &Vault, mut page: Vec<IndexRow>) -> Result<Sums, StoreError> {
    let second = page.split_off(page.len() / 2);
    let pack = |rows: Vec<IndexRow>| -> Result<(Vec<PackedRecord>, Sums), StoreError> {
        let (mut packed, mut sums, mut tags) = (Vec::with_capacity(rows.len()), Sums::default(), Vec::new());
        for row in rows {
            let (id, prefecture) = (row.id, row.prefecture());
            let checked = match row.checked(guard) {
                Ok(checked) => checked,
                // What it says itself is not believed; the ledger will say whose it is.
                Err(StoreError::Refuted(_)) => {
                    guard.set_record_aside(id, &prefecture, None);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let owner = checked.owner()?;
            let set_aside = || guard.set_record_aside(id, &prefecture, Some(owner));
            sums.add(&RECORDS, guard.marker.share(&checked.mark()));
            tags.push((guard.remembered.key(RECORDS.number, &id.to_string()), tag_of(&checked.mark())));
            match checked.open(guard, vault) {
                Ok(Indexed { facts, items }) => packed.push(PackedRecord::new(facts, &items)),
                // A restored backup brought it back: it is not found, and will be removed.
                Err(StoreError::Key(KeyError::Destroyed)) => vault.note_leftover(id),
                Err(StoreError::Refuted(_)) => set_aside(),
                Err(StoreError::Key(KeyError::Missing { prefecture, generation })) => {
                    let key = format!("{prefecture}:{generation}");
                    if !guard.is_refuted(&PREFECTURE_KEYS, &key) {
                        guard.refute_as(&PREFECTURE_KEYS, key, Differs::Removed);
                    }
                    set_aside();
                }
                Err(error) => return Err(error),
            }
        }
        guard.remembered.remember(tags);
        Ok((packed, sums))
    };
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| pack(second));
        (pack(page), second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let ((mut packed, mut sums), (more, others)) = (first?, second?);
    packed.extend(more);
    sums.merge(&others);
    index.put_all(&packed);
    Ok(sums)
}
