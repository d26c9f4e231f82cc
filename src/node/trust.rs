//! Takes the rows of a database from before rows were authenticated for what they say, once.

use std::sync::Arc;

use super::{
    load::Loading,
    open::{OpenError, lock, open_store},
};
use crate::{
    clock::Clock,
    config::Config,
    keys::{
        keyring::Keyring,
        vault::{ROWS, Vault},
    },
    ledger::entry::{Act, Entry, Logged},
    store::{
        self,
        ledger::HeadStep,
        open::{Access, Store},
        rows::{
            guard::RowGuard,
            trust::{TrustedAll, trust_all},
            written::said_of_rows,
        },
    },
};

/// Rows whose marks are kept beside one entry, some ten megabytes.
const MOVES_OF_ENTRY: usize = 100_000;

/// What was trusted: the rows of each table.
pub type TrustedRows = Vec<(&'static str, i64)>;

/// Makes the key of rows, gives every row its mark as it stands, and says so in the ledger: all of it, or nothing. No
/// gateway may serve the database meanwhile.
///
/// # Errors
/// [`OpenError::TrustedAlready`]; keys, database or ledger are not fit.
pub async fn trust_rows(config: &Config, clock: &Clock) -> Result<TrustedRows, OpenError> {
    let _lock = lock(&config.database)?;
    let store = open_store(&config.database).await?;
    let trusted = trust(config, clock, &store).await;
    store.close().await;
    trusted
}

async fn trust(config: &Config, clock: &Clock, store: &Store) -> Result<TrustedRows, OpenError> {
    let wrapped = store::accounts::prefecture_keys(&mut store.read().await?).await?;
    let vault = Arc::new(Vault::open(Keyring::load(&config.keyring)?, &wrapped)?);
    if vault.rows_key().is_some() || wrapped.is_empty() {
        return Err(OpenError::TrustedAlready);
    }
    // Whoever took the key of rows out would have everything trusted anew.
    if said_of_rows(&mut store.read().await?).await? {
        return Err(OpenError::TrustedOnce);
    }
    let made = vault.make_generations(&vault.keyring(), &[ROWS.to_owned()])?;
    let keys: Vec<_> = made.iter().map(|key| key.wrapped.clone()).collect();
    vault.install(made);
    let guard = Arc::new(RowGuard::new(&vault.rows_key().ok_or(OpenError::Untrusted)?, store.is_shared()));
    store.guard_with(guard.clone());
    let now = clock.now();
    let loading = Loading { store, vault: &vault, guard: &guard, node: &config.node, now };
    let (tree, _) = loading.ledger().await?;
    let mut tx = store.write(Access::Change).await?;
    let TrustedAll { counts, mut sums, moves } = trust_all(&mut tx).await?;
    for key in &keys {
        store::accounts::add_prefecture_key(&mut tx, key).await?;
    }
    sums.merge(tx.rows.sums());
    let total: i64 = counts.iter().map(|(_, rows)| rows).sum();
    let mut frontier = tree.frontier();
    let from = frontier.head();
    let mut entries = Vec::new();
    // What is kept beside one entry is read in one piece.
    let parts = moves.chunks(MOVES_OF_ENTRY).chain(moves.is_empty().then_some(&moves[..]));
    for moves in parts {
        let entry = Entry::of_gateway(Act::RowsTrust, clock).about(format!("{total} rows"));
        let word = guard.marker.word(&config.node, entry.id, &sums, moves)?;
        let logged = Logged::from(entry).committing_to_rows(word);
        frontier.push(logged.leaf);
        entries.push(logged);
    }
    let sealed_sums = Some(guard.marker.seal_sums(&config.node, &sums)?);
    store::ledger::begin(&mut tx, &config.node, None, now).await?;
    let step = HeadStep { node: config.node.clone(), from, to: frontier.head(), sealed_sums };
    store::ledger::append(&mut tx, step, entries, now).await?;
    tx.commit().await?;
    Ok(counts)
}
