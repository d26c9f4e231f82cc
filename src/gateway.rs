//! Everything that a running node holds. [`node::open`](crate::node::open) opens it.

use std::{fs::File, sync::Arc};

use aws_lc_rs::hmac;
use tokio::sync::OnceCell;

use crate::{
    clock::Clock,
    config::Config,
    disclosure::gate::Gate,
    domain::registry::Registry,
    identity::{directory::Directory, hashing::HashingPlaces},
    journal::{following::Following, journal::Journal},
    keys::vault::Vault,
    ledger::checkpoint::Signer,
    node::snapshot::file as snapshot_file,
    operations::accounts::revocations::MachineRevocations,
    publish::board::Board,
    search::{budget::Budget, watch::Watch},
    store::{error::StoreError, open::Store},
};

/// A node, ready to serve.
pub struct Gateway {
    pub config: Config,
    pub clock: Clock,
    pub store: Store,
    pub vault: Arc<Vault>,
    pub registry: Arc<Registry>,
    pub journal: Journal,
    pub following: Arc<Following>,
    pub gate: Gate,
    pub search_budget: Budget,
    pub watch: Watch,
    pub hashing: Arc<HashingPlaces>,
    pub machine_revocations: MachineRevocations,
    pub signer: Signer,
    /// What witnesses signed.
    pub witnessed: Board,
    /// Keys the digests by which a repeated request is known.
    pub fingerprint: hmac::Key,
    /// Whether memory was loaded from the snapshot of the last stop.
    pub from_snapshot: bool,
    /// Whether the slots of this start are taken.
    pub(crate) run: OnceCell<()>,
    /// Held while this process serves the database: a second one would serve from stale memory.
    #[expect(dead_code, reason = "held, not read")]
    pub(crate) lock: Option<File>,
}

impl Gateway {
    pub fn directory(&self) -> &Directory {
        &self.journal.memory().directory
    }

    /// Removes the snapshot of the last stop, where there is one: it may name what is gone.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove_snapshot(&self) -> Result<(), StoreError> {
        self.config.snapshot_file().as_deref().map_or(Ok(()), snapshot_file::remove)
    }
}
