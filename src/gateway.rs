//! Everything a running node holds, opened in order: keys, store, ledger, memory, journal.

use std::{fs::File, sync::Arc};

use aws_lc_rs::hmac;
use uuid::Uuid;

use crate::{
    clock::Clock,
    config::Config,
    disclosure::{
        checkpoint::{CheckpointError, Signer},
        gate::Gate,
        journal::{Journal, Memory},
        merkle::{Frontier, Tree, empty_root, leaf_hash},
        messages::Inboxes,
    },
    domain::{
        case_record::{IndexItems, RecordFacts},
        registry::{Registry, RegistryError},
    },
    identity::directory::{Directory, DirectoryChange},
    operations::announce_missing_child::standing_of,
    search::{budget::Budget, index::SearchIndex, records::PackedRecord, standing::StandingMatches, watch::Watch},
    store::{
        self, Store, StoreError,
        keyring::Keyring,
        records::IndexRow,
        vault::{CENTRAL, Vault},
    },
};

/// A node, ready to serve.
pub struct Gateway {
    pub config: Config,
    pub clock: Clock,
    pub store: Store,
    pub vault: Arc<Vault>,
    pub registry: Arc<Registry>,
    pub journal: Journal,
    pub gate: Gate,
    pub search_budget: Budget,
    pub watch: Watch,
    pub signer: Signer,
    /// Keys the digests by which a repeated request is known.
    pub fingerprint: hmac::Key,
    /// Held while this process serves the database: a second one would serve from stale memory.
    _lock: Option<File>,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("checkpoint key: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("database: expected `sqlite:PATH` or a `postgres://` URL")]
    DatabaseUrl,
    #[error("{path}: another process serves this database, or the lock cannot be taken")]
    Locked { path: String },
    #[error("the ledger of node {node} does not match its head: {what}. Restore it; do not serve from it")]
    Ledger { node: String, what: &'static str },
}

/// Rows read at a time while memory is built.
const PAGE: i64 = 1_000;
const INDEX_PAGE: i64 = 32_768;

/// Opens the database that a configuration names.
///
/// # Errors
/// It cannot be opened, or its schema is not known.
pub async fn open_store(database: &str) -> Result<Store, OpenError> {
    if let Some(path) = database.strip_prefix("sqlite:") {
        Ok(Store::open_sqlite(path.as_ref()).await?)
    } else if database.starts_with("postgres://") {
        Ok(Store::open_postgres(database).await?)
    } else {
        Err(OpenError::DatabaseUrl)
    }
}

impl Gateway {
    /// Opens a node and starts its journal.
    ///
    /// # Errors
    /// Keys, database or ledger are not fit to serve from.
    pub async fn open(config: Config, clock: Clock) -> Result<Arc<Self>, OpenError> {
        let lock = lock(&config.database)?;
        let store = open_store(&config.database).await?;
        let keyring = Keyring::load(&config.keyring)?;
        let signer = Signer::from_seed(&config.log_origin, keyring.checkpoint_seed())?;
        let seed = hmac::Key::new(hmac::HMAC_SHA256, keyring.checkpoint_seed());
        let fingerprint = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&seed, b"tsunagi request digests").as_ref());
        let registry = Arc::new(Registry::embedded()?);
        let vault = Arc::new(open_vault(&store, keyring).await?);
        let tree = read_ledger(&store, &config.node).await?;
        let directory = Arc::new(read_directory(&store, &vault).await?);
        let index = build_index(&store, &vault).await?;
        let standing = read_standing(&store, &vault).await?;
        let mut tx = store.read().await?;
        let inboxes = Inboxes::with_positions(store::inbox::positions(&mut tx).await?);
        drop(tx);
        let memory = Arc::new(Memory::new(tree, index, directory, standing, inboxes));
        let (journal, _writer) = Journal::start(config.node.clone(), store.clone(), clock.clone(), memory);
        let gate = Gate::new(journal.clone(), registry.clone(), clock.clone());
        let search_budget = Budget::new(&config.search);
        let watch = Watch::default();
        Ok(Arc::new(Self {
            config,
            clock,
            store,
            vault,
            registry,
            journal,
            gate,
            search_budget,
            watch,
            signer,
            fingerprint,
            _lock: lock,
        }))
    }

    pub fn directory(&self) -> &Directory {
        &self.journal.memory().directory
    }
}

/// Takes the lock of a SQLite database, a file beside it; it goes with the process.
///
/// # Errors
/// Another process has it.
pub fn lock(database: &str) -> Result<Option<File>, OpenError> {
    let Some(path) = database.strip_prefix("sqlite:") else { return Ok(None) };
    let path = format!("{path}.lock");
    let file = File::create(&path).map_err(|_| OpenError::Locked { path: path.clone() })?;
    file.try_lock().map_err(|_| OpenError::Locked { path })?;
    Ok(Some(file))
}

/// Opens the prefecture keys, making those that are missing.
async fn open_vault(store: &Store, keyring: Keyring) -> Result<Vault, StoreError> {
    let mut tx = store.write().await?;
    let wrapped = store::accounts::prefecture_keys(&mut tx).await?;
    let vault = Vault::open(keyring, &wrapped)?;
    let prefectures = (1..=47).map(|number| format!("{number:02}")).chain([CENTRAL.to_owned()]);
    for prefecture in prefectures {
        if !wrapped.iter().any(|key| key.prefecture == prefecture) {
            store::accounts::put_prefecture_key(&mut tx, &vault.new_generation(&prefecture)?).await?;
        }
    }
    tx.commit().await?;
    Ok(vault)
}

/// Rebuilds the tree from the entries and holds it against the head.
async fn read_ledger(store: &Store, node: &str) -> Result<Tree, OpenError> {
    let fault = |what| OpenError::Ledger { node: node.to_owned(), what };
    let mut tx = store.read().await?;
    let mut tree = Tree::default();
    loop {
        let page = store::ledger::entries_from(&mut tx, node, tree.size(), PAGE as u32).await?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            if entry.position != tree.size() {
                return Err(fault("an entry is missing"));
            }
            if !entry.columns_match() {
                return Err(fault("the columns of an entry differ from its body"));
            }
            tree.push(leaf_hash(&entry.body));
        }
    }
    let (size, root) = store::ledger::head(&mut tx, node).await?.unwrap_or((0, empty_root()));
    let frontier: Frontier = tree.frontier();
    if frontier.size() != size {
        return Err(fault("entries were added or removed"));
    }
    if frontier.root() != root {
        return Err(fault("an entry was changed"));
    }
    Ok(tree)
}

async fn read_directory(store: &Store, vault: &Vault) -> Result<Directory, StoreError> {
    let directory = Directory::default();
    let mut tx = store.read().await?;
    for organization in store::accounts::organizations(&mut tx).await? {
        directory.apply(DirectoryChange::Organization(Box::new(organization)));
    }
    for terminal in store::accounts::terminals(&mut tx).await? {
        directory.apply(DirectoryChange::Terminal(Box::new(terminal)));
    }
    for staff in store::accounts::staff(&mut tx, vault).await? {
        directory.apply(DirectoryChange::Staff(Box::new(staff)));
    }
    Ok(directory)
}

/// Builds the index from the sealed index items of every record: pages are read while the one before is opened.
async fn build_index(store: &Store, vault: &Arc<Vault>) -> Result<SearchIndex, StoreError> {
    let index = Arc::new(SearchIndex::default());
    let mut tx = store.read().await?;
    let mut after = Uuid::nil();
    let mut filling: Option<tokio::task::JoinHandle<Result<(), StoreError>>> = None;
    loop {
        let page = store::records::index_rows(&mut tx, after, INDEX_PAGE).await?;
        if let Some(filled) = filling.take() {
            filled.await.map_err(|_| StoreError::Corrupt("index"))??;
        }
        let Some(last) = page.last() else { break };
        after = last.id;
        let (index, vault) = (index.clone(), vault.clone());
        filling = Some(tokio::task::spawn_blocking(move || fill_index(&index, &vault, page)));
    }
    Arc::into_inner(index).ok_or(StoreError::Corrupt("index"))
}

fn fill_index(index: &SearchIndex, vault: &Vault, mut page: Vec<IndexRow>) -> Result<(), StoreError> {
    let second = page.split_off(page.len() / 2);
    let pack = |rows: Vec<IndexRow>| -> Result<Vec<PackedRecord>, StoreError> {
        let packed = |(facts, items): (RecordFacts, IndexItems)| PackedRecord::new(facts, &items);
        rows.into_iter().map(|row| row.open(vault).map(packed)).collect()
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

async fn read_standing(store: &Store, vault: &Vault) -> Result<StandingMatches, StoreError> {
    let standing = StandingMatches::default();
    let mut tx = store.read().await?;
    for notice in store::notices::all(&mut tx).await? {
        let content = store::notices::open_content(&mut tx, vault, notice.id).await?;
        standing.apply(standing_of(&notice, &content));
    }
    Ok(standing)
}
