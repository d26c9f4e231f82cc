//! Reads a snapshot into memory, whether it is still true or not; that is asked of the ledger.

use std::{path::Path, sync::mpsc};

use super::file::{DatabasePosition, Kind, Part, SnapshotReader, Unfit};
use crate::{
    keys::vault::Vault,
    ledger::merkle::{Hash, MerkleTree},
    search::index::SearchIndex,
};

/// Parts of a snapshot that wait to be taken in.
const WAITING: usize = 4;

/// Reads a snapshot, whether it is still true or not: one thread opens the parts, another takes them in.
///
/// # Errors
/// It is absent, damaged or of another program.
pub fn read(path: &Path, vault: &Vault) -> Result<(DatabasePosition, MerkleTree, SearchIndex), Unfit> {
    let reading = SnapshotReader::open(path, vault)?;
    let standing = reading.standing().clone();
    let (opened, parts) = mpsc::sync_channel::<Part>(WAITING);
    std::thread::scope(|scope| {
        let taking = scope.spawn(move || -> Result<(MerkleTree, SearchIndex), Unfit> {
            let (mut tree, index) = (MerkleTree::default(), SearchIndex::default());
            for part in parts {
                match part.kind {
                    Kind::Leaves => part.bytes().as_chunks().0.iter().for_each(|leaf: &Hash| tree.push(*leaf)),
                    Kind::Index => index.read_part(part.bytes()).ok_or(Unfit::Damaged)?,
                }
            }
            Ok((tree, index))
        });
        // Where nobody takes them any more, what was wrong is said below.
        let opening = reading.each(vault, |part| opened.send(part).map_err(|_| Unfit::Damaged));
        drop(opened);
        let taken = taking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (tree, index) = taken?;
        opening?;
        Ok((standing, tree, index))
    })
}
