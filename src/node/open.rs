//! Opens a node, in order: keys, store, ledger, memory, journal.

use std::{fs::File, sync::Arc};

use aws_lc_rs::hmac;
use tokio::sync::OnceCell;

use super::{
    audit::{audit, audit_rows},
    backup::{BackupError, Stream},
    load::{LoadError, Loaded, Loading},
    snapshot::{file, write::write_snapshot},
};
use crate::{
    clock::{Clock, Timestamp},
    config::Config,
    disclosure::gate::Gate,
    domain::{
        idempotency::Idempotency,
        registry::{Registry, RegistryError},
    },
    error::Error,
    gateway::Gateway,
    identity::{Caller, hashing::HashingPlaces},
    journal::{
        following::Following,
        inbox::Inboxes,
        journal::{Effect, Journal},
        memory::{Memory, RowsAt},
    },
    keys::{
        error::KeyError,
        keyring::Keyring,
        shreds::Slot,
        vault::{NewKey, Vault, WrappedKey, places},
    },
    ledger::checkpoint::{CheckpointError, Signer},
    operations::{accounts::revocations::MachineRevocations, retention::borne_out::Grounds},
    publish::board::Board,
    search::{budget::Budget, watch::Watch},
    store::{
        self,
        disposals::Listed,
        error::StoreError,
        open::{Access, Store},
        rows::{
            guard::RowGuard,
            name::Differs,
            table::MarkedTable,
            tables::{self, PREFECTURE_KEYS, RECORDS},
        },
    },
};

/// Passwords that are hashed at once: each takes 19 MiB and a core.
const HASHING_CORES: usize = 2;

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
    #[error("backup.stream is for SQLite; PostgreSQL has its own means, see docs/backup.md")]
    StreamNeedsSqlite,
    #[error("stream: {0}")]
    Stream(#[from] BackupError),
    #[error(
        "{path}: {error}. The lock lies beside the database: does its directory exist, and may the gateway write there?"
    )]
    LockFile { path: String, error: std::io::Error },
    #[error("{path}: another process serves this database, or the lock cannot be taken")]
    Locked { path: String },
    #[error(
        "the rows of this database are not authenticated: it is from before version 10 of the schema, or somebody took \
         the key of rows out of it. An operator has them taken as they are, once, by `tsunagi rows trust`; see \
         docs/operations.md"
    )]
    Untrusted,
    #[error("the rows of this database are authenticated already, or it is new: there is nothing to trust")]
    TrustedAlready,
    #[error(
        "the ledger says that the rows of this database were authenticated once, and the key of rows is not there any more: \
         somebody took it out. Take the row of `prefecture_keys` from a backup, or restore one; see docs/operations.md"
    )]
    TrustedOnce,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

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

/// The same for a gateway, which may have to stream what it writes.
async fn open_store_of(config: &Config) -> Result<Store, OpenError> {
    match (&config.backup.stream, config.database_file()) {
        (None, _) => open_store(&config.database).await,
        (Some(_), Some(file)) => Ok(Store::open_streamed_sqlite(file).await?),
        (Some(_), None) => Err(OpenError::StreamNeedsSqlite),
    }
}

impl Gateway {
    /// Opens a node and starts its journal.
    ///
    /// # Errors
    /// Keys, database or ledger are not fit to serve from.
    pub async fn open(config: Config, clock: Clock) -> Result<Arc<Self>, OpenError> {
        let lock = lock(&config.database)?;
        let store = open_store_of(&config).await?;
        let keyring = Keyring::load(&config.keyring)?;
        let signer = Signer::from_seed(&config.log_origin, keyring.checkpoint_seed())?;
        let seed = hmac::Key::new(hmac::HMAC_SHA256, keyring.checkpoint_seed());
        let fingerprint = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&seed, b"tsunagi request digests").as_ref());
        let registry = Arc::new(Registry::embedded()?);
        let (vault, guard) = open_vault(&store, keyring, &config.node, clock.now()).await?;
        let disposed = disposed_of(&store, &vault, &guard, (&registry, &config, clock.now())).await?;
        if let (Some(stream), Some(database)) = (&config.backup.stream, config.database_file()) {
            let opened = Stream::open(stream, database, vault.clone(), &store, clock.now()).await?;
            store.follow_with(Arc::new(opened));
        }
        let snapshot = config.snapshot_file();
        if !disposed.is_empty() {
            // Another node disposed of them, or an older copy of the shreds was put back: a snapshot may name them.
            snapshot.as_deref().map_or(Ok(()), file::remove)?;
            vault.destroy(&disposed)?;
        }
        let loading = Loading { store: &store, vault: &vault, guard: &guard, node: &config.node, now: clock.now() };
        let Loaded { tree, index, position, sums, unaudited } = loading.ledger_and_index(snapshot.as_deref()).await?;
        loading.remember().await?;
        let directory = Arc::new(loading.directory().await?);
        let standing = loading.standing().await?;
        let mut tx = store.read().await?;
        let inboxes = Inboxes::with_positions(store::inbox::positions(&mut tx).await?);
        drop(tx);
        let memory = Arc::new(Memory::new(tree, index, directory, standing, inboxes, RowsAt { guard, sums, position }));
        let following = Following::start(store.clone(), vault.clone(), memory.clone());
        let (journal, _writer) =
            Journal::start(config.node.clone(), store.clone(), clock.clone(), memory, following.clone());
        let gate = Gate::new(journal.clone(), store.clone(), vault.clone(), registry.clone(), clock.clone());
        let search_budget = Budget::new(&config.search);
        let machine_revocations = MachineRevocations::new(config.limits.machine_revocations_per_hour);
        let watch = Watch::default();
        let witnessed = Board::new(config.witnessed_file());
        let gateway = Arc::new(Self {
            config,
            clock,
            store,
            vault,
            registry,
            journal,
            following,
            gate,
            search_budget,
            hashing: HashingPlaces::new(HASHING_CORES),
            machine_revocations,
            watch,
            signer,
            witnessed,
            fingerprint,
            from_snapshot: unaudited.is_some(),
            run: OnceCell::new(),
            lock,
        });
        gateway.complete_rows().await;
        if let Some(unaudited) = unaudited {
            tokio::spawn(audit(Arc::downgrade(&gateway), unaudited));
        }
        tokio::spawn(audit_rows(Arc::downgrade(&gateway)));
        Ok(gateway)
    }

    /// From now on a row counts only as memory knows it. What other nodes wrote while this one was loading is taken in first.
    async fn complete_rows(&self) {
        if self.following.reach().await.is_err() {
            tracing::warn!(
                "the database does not say what other nodes wrote meanwhile; it is asked again with the first request"
            );
        }
        let remembered = &self.journal.memory().guard.remembered;
        // Of records a snapshot says nothing: the review remembers them.
        let known = |table: &&&MarkedTable| table.is_remembered && !(self.from_snapshot && ***table == RECORDS);
        tables::ALL.iter().filter(known).for_each(|table| remembered.complete(table.number));
    }

    /// Takes a run of slots that no other start of any node has, before the first record is registered: a start by itself
    /// writes nothing.
    ///
    /// # Errors
    /// The journal cannot write.
    pub async fn begin_run(&self) -> Result<(), Error> {
        let begin = || async {
            let console = Caller::gateway(self.clock.new_id());
            let take = self.journal.write(&console, None::<Idempotency>, |tx| {
                Box::pin(async move { Ok(Effect::bare(store::disposals::begin_run(tx).await?)) })
            });
            take.await.map(|(run, _)| self.vault.begin_run(run))
        };
        self.run.get_or_try_init(begin).await.map(|_| ())
    }

    /// Writes what memory holds to the snapshot, for the next start. Call it when nothing is asked any more.
    pub async fn write_snapshot(self: &Arc<Self>) {
        let Some(path) = self.config.snapshot_file() else { return };
        if self.vault.has_destroyed() {
            // Readings of their names are still in memory (docs/decisions/0017-disposal-destroys-keys.md).
            tracing::info!("no snapshot is written after a disposal; the next start reads every record");
            return;
        }
        match write_snapshot(self, path).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "no snapshot was written; the next start reads every record"),
        }
    }
}

/// Secrets that these shreds still hold, of records that were disposed of, where the ledger bears that out.
async fn disposed_of(
    store: &Store,
    vault: &Vault,
    guard: &RowGuard,
    (registry, config, now): (&Registry, &Config, Timestamp),
) -> Result<Vec<Slot>, StoreError> {
    let mut tx = store.read().await?;
    let mut held = store::disposals::carried_out(&mut tx, Timestamp::from_micros(0)).await?;
    held.retain(|listed| vault.holds_any(&listed.slots()));
    let wait = config.retention.disposal_wait();
    let grounds = Grounds { guard, registry, own: None, wait, now };
    Ok(grounds.of_those(&mut tx, held).await?.iter().flat_map(Listed::slots).collect())
}

/// Takes the lock of a SQLite database, a file beside it; it goes with the process.
///
/// # Errors
/// Another process has it.
pub fn lock(database: &str) -> Result<Option<File>, OpenError> {
    let Some(path) = database.strip_prefix("sqlite:") else { return Ok(None) };
    let path = format!("{path}.lock");
    let file = File::create(&path).map_err(|error| OpenError::LockFile { path: path.clone(), error })?;
    file.try_lock().map_err(|_| OpenError::Locked { path })?;
    Ok(Some(file))
}

/// Opens the keys, and takes up what tells the gateway's rows from others; makes them in a new database. Begins the node's
/// log where there is none.
async fn open_vault(
    store: &Store,
    keyring: Keyring,
    node: &str,
    now: Timestamp,
) -> Result<(Arc<Vault>, Arc<RowGuard>), OpenError> {
    let wrapped = store::accounts::prefecture_keys(&mut store.read().await?).await?;
    let vault = Arc::new(Vault::open(keyring, &wrapped)?);
    let made = if wrapped.is_empty() { make_keys(&vault)? } else { Vec::new() };
    let keys: Vec<WrappedKey> = made.iter().map(|key| key.wrapped.clone()).collect();
    vault.install(made);
    let guard = Arc::new(RowGuard::new(&vault.rows_key().ok_or(OpenError::Untrusted)?, store.is_shared()));
    store.guard_with(guard.clone());
    note_damaged_keys(&vault, &guard);
    let mut tx = store.write(Access::Change).await?;
    for key in &keys {
        store::accounts::add_prefecture_key(&mut tx, key).await?;
    }
    let sums = tx.rows.sums().clone();
    let sealed = if keys.is_empty() { None } else { Some(guard.marker.seal_sums(node, &sums)?) };
    store::ledger::begin(&mut tx, node, sealed, now).await?;
    tx.commit().await?;
    Ok((vault, guard))
}

/// Names the prefecture keys that do not open or are not there: the records that they wrap are set aside.
pub(crate) fn note_damaged_keys(vault: &Vault, guard: &RowGuard) {
    for (prefecture, generation) in vault.damaged() {
        guard.refute(&PREFECTURE_KEYS, format!("{prefecture}:{generation}"));
    }
    let damaged = vault.damaged();
    for prefecture in vault.without_key() {
        if !damaged.iter().any(|(of, _)| *of == prefecture) {
            guard.refute_as(&PREFECTURE_KEYS, format!("{prefecture}:1"), Differs::Removed);
        }
    }
}

/// The keys of a new database: one for each prefecture, one for what belongs to none, one for rows.
fn make_keys(vault: &Vault) -> Result<Vec<NewKey>, KeyError> {
    vault.make_generations(&vault.keyring(), &places().collect::<Vec<_>>())
}
