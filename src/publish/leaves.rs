//! The hashes of all entries, in a file beside the database: 32 bytes each, in order.
//!
//! A root that differs says that something was changed, not what. This file says what: held against a checkpoint it is as
//! good as the checkpoint, and then every single row can be held against it. It is added to as checkpoints are published
//! and believed by nobody who has not compared it with one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
};

use crate::ledger::merkle::{Frontier, Hash};

const WIDTH: u64 = 32;

/// Leaves read at a time.
const CHUNK: u64 = 1 << 15;

/// Adds what the file lacks of the first `size` leaves; where it is not a beginning of them, it is written anew.
/// `from` is the number that the file was brought to before, 0 at a start.
///
/// # Errors
/// The file cannot be written.
pub fn follow(path: &Path, from: &mut u64, size: u64, leaves: impl Fn(Range<u64>) -> Vec<Hash>) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let known = file.metadata()?.len() / WIDTH;
    if known != *from || *from == 0 {
        *from = if begins(&mut file, known, size, &leaves)? { known } else { 0 };
    }
    file.set_len(*from * WIDTH)?;
    file.seek(SeekFrom::End(0))?;
    while *from < size {
        let next = size.min(*from + CHUNK);
        file.write_all(leaves(*from..next).as_flattened())?;
        *from = next;
    }
    file.sync_data()
}

fn begins(file: &mut File, known: u64, size: u64, leaves: &impl Fn(Range<u64>) -> Vec<Hash>) -> io::Result<bool> {
    if known > size {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(0))?;
    let mut at = 0;
    while at < known {
        let next = known.min(at + CHUNK);
        let mut bytes = Vec::new();
        Read::by_ref(file).take((next - at) * WIDTH).read_to_end(&mut bytes)?;
        if bytes != leaves(at..next).as_flattened() {
            return Ok(false);
        }
        at = next;
    }
    Ok(true)
}

/// The leaves of a file that make up the tree of a checkpoint; `None` where they do not.
///
/// # Errors
/// The file cannot be read.
pub fn of_tree(path: &Path, size: u64, root: &Hash) -> io::Result<Option<Vec<Hash>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(size.saturating_mul(WIDTH)).read_to_end(&mut bytes)?;
    let leaves = bytes.as_chunks::<32>().0.to_vec();
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    Ok((frontier.head() == (size, *root)).then_some(leaves))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::merkle::leaf_hash;

    #[test]
    fn it_follows_the_tree_and_mends_itself() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("leaves");
        let all: Vec<Hash> = (0..9_u8).map(|n| leaf_hash(&[n])).collect();
        let slice = |range: Range<u64>| all[range.start as usize..range.end as usize].to_vec();
        let root = |size: usize| {
            let mut frontier = Frontier::default();
            all.iter().take(size).for_each(|leaf| frontier.push(*leaf));
            frontier.root()
        };
        let mut from = 0;
        for size in [3, 3, 7, 9] {
            follow(&path, &mut from, size as u64, slice).unwrap();
            assert_eq!(of_tree(&path, size as u64, &root(size)).unwrap().unwrap(), all[..size]);
        }
        // A part of it holds against an older checkpoint; a wrong one against none.
        assert!(of_tree(&path, 4, &root(4)).unwrap().is_some());
        std::fs::write(&path, all[..2].as_flattened().iter().rev().copied().collect::<Vec<u8>>()).unwrap();
        assert!(of_tree(&path, 2, &root(2)).unwrap().is_none());
        // A start finds it damaged, or ahead of a database that was set back.
        for size in [9, 5] {
            let mut from = 0;
            follow(&path, &mut from, size as u64, slice).unwrap();
            assert!(of_tree(&path, size as u64, &root(size)).unwrap().is_some());
            assert_eq!(std::fs::metadata(&path).unwrap().len(), size as u64 * WIDTH);
        }
    }
}
