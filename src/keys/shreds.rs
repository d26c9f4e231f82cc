//! What makes a record's key destructible although backups of the database are kept: one secret for each record, none
//! of which is in the database, and any of which can be destroyed by itself.
//!
//! The secrets are the leaves of a tree of hashes (a puncturable pseudorandom function after Goldreich, Goldwasser and
//! Micali). Whoever holds a node derives everything below it, and nothing else. At first one root is kept, and with it
//! every leaf there can ever be: a copy of the file made on the first day still opens what is registered years later.
//! To destroy a leaf, the nodes above it are replaced by those beside its path. From what is kept then, the leaf cannot
//! be derived any more, while every other still can. See docs/decisions/0017-disposal-destroys-keys.md.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::digest::{Context, SHA256, digest};
use zeroize::Zeroizing;

use super::vault::Key;
use crate::{files, keys::error::KeyError};

/// Number of a leaf. A record's wrapped key names its own.
pub type Slot = u64;

/// Children of a node. Four rather than two: half the hashes to a leaf, and hardly more nodes to keep.
const CHILDREN: u64 = 4;
const BITS_A_LEVEL: u32 = 2;
/// Levels below the root.
const LEVELS: u8 = 24;
/// Bits of a slot: 20 for the run of a gateway, 28 for the number within it.
pub const SLOT_BITS: u32 = BITS_A_LEVEL * LEVELS as u32;
/// Bits of the number within a run.
pub const RUN_BITS: u32 = 28;

const MAGIC: &[u8; 16] = b"tsunagi shreds1\n";
/// First slot, level, key.
const NODE: usize = 8 + 1 + 32;
const DIGEST: usize = 32;

/// The nodes that are kept, by the first slot below each. No two of them cover the same slot.
#[derive(Clone)]
struct KeyTree(BTreeMap<Slot, Node>);

#[derive(Clone)]
struct Node {
    /// Levels between it and the leaves.
    level: u8,
    key: Key,
}

impl Node {
    /// Slots below it.
    fn width(level: u8) -> u64 {
        1 << (u32::from(level) * BITS_A_LEVEL)
    }

    fn child(&self, number: u64) -> Self {
        let mut input = Zeroizing::new([0; 34]);
        for (to, from) in input.iter_mut().zip(self.key.bytes().iter().chain(&[self.level, number as u8])) {
            *to = *from;
        }
        let level = self.level - 1;
        let hash = digest(&SHA256, input.as_slice());
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(hash.as_ref());
        Self { level, key: Key::from_array(bytes) }
    }
}

impl KeyTree {
    fn new(root: Key) -> Self {
        Self(BTreeMap::from([(0, Node { level: LEVELS, key: root })]))
    }

    /// The node that covers a slot, and its first slot.
    fn above(&self, slot: Slot) -> Option<(Slot, &Node)> {
        let (first, node) = self.0.range(..=slot).next_back()?;
        (slot - first < Node::width(node.level)).then_some((*first, node))
    }

    #[cfg(test)]
    fn leaf(&self, slot: Slot) -> Option<Key> {
        let (first, node) = self.above(slot)?;
        Some(down(first, node.clone(), slot, 0).1.key)
    }

    /// Replaces what is above a leaf by what is beside the way to it.
    fn puncture(&mut self, slot: Slot) {
        let Some((mut first, node)) = self.above(slot).map(|(first, node)| (first, node.clone())) else { return };
        self.0.remove(&first);
        let mut node = node;
        while node.level > 0 {
            let width = Node::width(node.level - 1);
            let towards = (slot - first) / width;
            for number in (0..CHILDREN).filter(|number| *number != towards) {
                self.0.insert(first + number * width, node.child(number));
            }
            first += towards * width;
            node = node.child(towards);
        }
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(MAGIC.len() + self.0.len() * NODE + DIGEST));
        out.extend_from_slice(MAGIC);
        for (first, node) in &self.0 {
            out.extend_from_slice(&first.to_be_bytes());
            out.push(node.level);
            out.extend_from_slice(node.key.bytes());
        }
        let mut sum = Context::new(&SHA256);
        sum.update(&out);
        out.extend_from_slice(sum.finish().as_ref());
        out
    }

    /// `None` where the bytes are damaged.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
        let nodes = body.strip_prefix(MAGIC)?;
        if digest(&SHA256, body).as_ref() != sum || nodes.len() % NODE != 0 {
            return None;
        }
        let mut tree = BTreeMap::new();
        let mut free: Slot = 0;
        for node in nodes.chunks_exact(NODE) {
            let (first, rest) = node.split_first_chunk::<8>()?;
            let (level, key) = rest.split_first()?;
            let first = Slot::from_be_bytes(*first);
            let width = (*level <= LEVELS).then(|| Node::width(*level))?;
            if first < free || first % width != 0 || first >> SLOT_BITS != 0 {
                return None;
            }
            free = first + width;
            tree.insert(first, Node { level: *level, key: Key::from_bytes(key)? });
        }
        Some(Self(tree))
    }
}

/// Goes from a node towards a slot, down to a level or as far as the node is above it; returns the node there and its
/// first slot.
fn down(mut first: Slot, mut node: Node, slot: Slot, level: u8) -> (Slot, Node) {
    while node.level > level {
        let width = Node::width(node.level - 1);
        let number = (slot - first) / width;
        first += number * width;
        node = node.child(number);
    }
    (first, node)
}

/// The secrets of every record, in a file beside the keyring.
pub struct Shreds {
    path: PathBuf,
    tree: KeyTree,
    /// A node above the last slot that was asked for, and its first slot: slots are asked for in order at a start.
    near: Mutex<Option<(Slot, Node)>>,
}

/// Level of the node that is remembered.
const NEAR: u8 = 8;

impl Shreds {
    /// Where the secrets of a keyring are kept.
    pub fn path_beside(keyring: &Path) -> PathBuf {
        let mut path = keyring.as_os_str().to_owned();
        path.push(".shreds");
        path.into()
    }

    /// Makes a new file, readable by its owner alone.
    ///
    /// # Errors
    /// It exists already, or cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let shreds = Self::of(path, KeyTree::new(Key::generate()?));
        files::create(path, &shreds.tree.to_bytes()).map_err(|error| unusable(path, &error.to_string()))?;
        Ok(shreds)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is damaged. It is never made anew: a new one opens nothing.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(fs::read(path).map_err(|error| unusable(path, &error.to_string()))?);
        let tree = KeyTree::from_bytes(&bytes).ok_or_else(|| unusable(path, "damaged, or not a file of shreds"))?;
        Ok(Self::of(path, tree))
    }

    fn of(path: &Path, tree: KeyTree) -> Self {
        Self { path: path.to_owned(), tree, near: Mutex::default() }
    }

    /// The secret of a slot; `None` once it was destroyed.
    pub fn secret(&self, slot: Slot) -> Option<Key> {
        let near = self.near.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let covers =
            |(first, node): &(Slot, Node)| slot.checked_sub(*first).is_some_and(|at| at < Node::width(node.level));
        let (first, node) = match near.filter(covers) {
            Some(near) => near,
            None => {
                let (first, node) = self.tree.above(slot)?;
                let near = down(first, node.clone(), slot, NEAR);
                *self.near.lock().unwrap_or_else(PoisonError::into_inner) = Some(near.clone());
                near
            }
        };
        Some(down(first, node, slot, 0).1.key)
    }

    /// Whether a slot's secret can still be derived.
    pub fn holds(&self, slot: Slot) -> bool {
        self.tree.above(slot).is_some()
    }

    /// What is left once the secrets of some slots are destroyed. They are, when [`Self::replace_file`] has put it in
    /// the place of the older file and nobody holds the older state in memory.
    pub fn without(&self, slots: &[Slot]) -> Self {
        let mut left = Self::of(&self.path, self.tree.clone());
        slots.iter().for_each(|slot| left.tree.puncture(*slot));
        left
    }

    /// Writes the file anew, in the place of the older one.
    ///
    /// # Errors
    /// It cannot be written; the older one is still there then.
    pub fn replace_file(&self) -> Result<(), KeyError> {
        // What the older file held is overwritten where it lies, as far as the file system does so.
        let older = fs::OpenOptions::new().write(true).open(&self.path);
        files::replace(&self.path, &self.tree.to_bytes()).map_err(|error| unusable(&self.path, &error.to_string()))?;
        if let Ok(older) = older {
            wipe(older);
        }
        Ok(())
    }
}

/// Best effort: a file system that copies on write, or a disk that moves its blocks, keeps them all the same.
fn wipe(mut file: fs::File) {
    let length = file.metadata().map_or(0, |about| about.len());
    let zeros = [0; 4096];
    let mut left = length;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(zeros.len()).min(zeros.len());
        if file.write_all(zeros.get(..now).unwrap_or_default()).is_err() {
            break;
        }
        left -= now as u64;
    }
    let _ = file.sync_all();
}

fn unusable(path: &Path, why: &str) -> KeyError {
    KeyError::Keyring(format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAST: Slot = (1 << SLOT_BITS) - 1;

    fn secret(tree: &KeyTree, slot: Slot) -> Option<Vec<u8>> {
        tree.leaf(slot).map(|key| key.bytes().to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What was destroyed cannot be derived; all else is what it was, after writing and reading too.
        #[test]
        fn destroying_some_leaves_every_other(
            destroyed in prop::collection::vec(prop_oneof![0..64_u64, 0..=LAST], 1..20),
            asked in prop::collection::vec(prop_oneof![0..64_u64, 0..=LAST], 1..40),
        ) {
            let whole = KeyTree::new(Key::generate().unwrap());
            let mut punctured = whole.clone();
            destroyed.iter().for_each(|slot| punctured.puncture(*slot));
            let read = KeyTree::from_bytes(&punctured.to_bytes()).unwrap();
            let shreds = Shreds::of(Path::new("nowhere"), whole.clone());
            let left = shreds.without(&destroyed);
            for slot in destroyed.iter().chain(&asked) {
                let expected = if destroyed.contains(slot) { None } else { secret(&whole, *slot) };
                prop_assert_eq!(secret(&punctured, *slot), expected.clone());
                prop_assert_eq!(secret(&read, *slot), expected.clone());
                // Asked one after another: what is remembered of the last changes nothing.
                prop_assert_eq!(left.secret(*slot).map(|key| key.bytes().to_vec()), expected);
                prop_assert_eq!(shreds.secret(*slot).map(|key| key.bytes().to_vec()), secret(&whole, *slot));
                prop_assert_eq!(read.above(*slot).is_some(), !destroyed.contains(slot));
            }
        }
    }

    #[test]
    fn no_kept_node_is_on_the_way_to_what_was_destroyed() {
        let whole = KeyTree::new(Key::generate().unwrap());
        let mut punctured = whole.clone();
        let slot = 123_456_789;
        let mut way = vec![whole.0[&0].clone()];
        let mut first = 0;
        while let Some(node) = way.last().cloned().filter(|node| node.level > 0) {
            let width = Node::width(node.level - 1);
            let number = (slot - first) / width;
            first += number * width;
            way.push(node.child(number));
        }
        assert_eq!(way.len(), usize::from(LEVELS) + 1);
        let held = |tree: &KeyTree, node: &Node| tree.0.values().any(|kept| kept.key.bytes() == node.key.bytes());
        assert!(held(&whole, &way[0]), "the twin: before, the root is held");
        punctured.puncture(slot);
        assert!(way.iter().all(|node| !held(&punctured, node)));
        assert_eq!(punctured.0.len(), usize::from(LEVELS) * 3);
    }

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        let mut tree = KeyTree::new(Key::generate().unwrap());
        tree.puncture(7);
        let bytes = tree.to_bytes();
        assert!(KeyTree::from_bytes(&bytes).is_some());
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert!(KeyTree::from_bytes(&damaged).is_none(), "byte {at}");
            assert!(KeyTree::from_bytes(&bytes[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn a_file_is_made_once_and_destroys_for_good() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shreds");
        let shreds = Shreds::create(&path).unwrap();
        assert!(Shreds::create(&path).is_err());
        let before = shreds.secret(9).unwrap();
        shreds.without(&[8]).replace_file().unwrap();
        let read = Shreds::load(&path).unwrap();
        assert!(read.secret(8).is_none() && !read.holds(8));
        assert_eq!(read.secret(9).unwrap().bytes(), before.bytes());
    }
}
