//! Writes what memory holds to a snapshot, at a graceful stop.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::file::{DatabasePosition, Kind, Unfit, Writing};
use crate::{gateway::Gateway, ledger::merkle::empty_root, store};

/// Leaf hashes in one part of a snapshot.
const LEAVES: usize = 1 << 17;

/// Writes what memory holds. Nothing may be asked of the node any more: it waits for what is still under way.
///
/// # Errors
/// The file cannot be written, or memory and store differ.
pub async fn write_snapshot(gateway: &Arc<Gateway>, path: PathBuf) -> Result<(), Unfit> {
    // Behind whatever was still being written.
    let settled = gateway.journal.note(Vec::new(), Vec::new()).await;
    settled.map_err(|_| Unfit::OtherLedger)?;
    let mut tx = gateway.store.read().await?;
    let heads = store::ledger::heads(&mut tx).await?;
    let position = gateway.journal.position();
    let last = store::changes::made(&mut tx, position).await?;
    let rows = gateway.journal.memory().sums().to_bytes();
    drop(tx);
    let (node, standing) = (gateway.clone(), DatabasePosition { heads, position, last, rows });
    let writing = tokio::task::spawn_blocking(move || write(&node, &path, standing));
    writing.await.map_err(|_| Unfit::Damaged)?
}

fn write(gateway: &Gateway, path: &Path, standing: DatabasePosition) -> Result<(), Unfit> {
    let memory = gateway.journal.memory();
    let tree = memory.tree.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let own = standing.heads.iter().find(|head| head.node == gateway.config.node);
    let holds = own.map_or((0, empty_root()), |head| (head.size, head.root)) == tree.frontier().head();
    // Where the feed went on meanwhile, memory holds more than was noted.
    if !holds || memory.position() != standing.position {
        return Err(Unfit::OtherLedger);
    }
    let mut writing = Writing::begin(path, &gateway.vault, standing)?;
    for leaves in tree.leaves().chunks(LEAVES) {
        writing.put(Kind::Leaves, leaves.as_flattened())?;
    }
    memory.index.write_parts(|part| writing.put(Kind::Index, part))?;
    writing.end()
}
