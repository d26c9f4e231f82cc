//! The Merkle tree of the ledger (RFC 6962 section 2.1, as in RFC 9162).

use aws_lc_rs::digest::{Context, SHA256};

/// SHA-256 of a leaf or a node.
pub type Hash = [u8; 32];

/// Hash of an entry as a leaf: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

/// Hash of two subtrees: SHA-256(0x01 ‖ left ‖ right).
fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Hash of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The roots of the complete subtrees of a tree: enough to append to it and to know its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// From the largest subtree to the smallest.
    roots: Vec<Hash>,
}

impl Frontier {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Size and root, as the head row of a log keeps them.
    pub fn head(&self) -> (u64, Hash) {
        (self.size(), self.root())
    }

    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(&left, &hash);
            }
            size >>= 1;
        }
        self.roots.push(hash);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        self.roots.iter().rev().copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}

/// A whole tree, from which proofs are made. 36 bytes an entry: of the levels between the leaves and
/// [`LOWEST_KEPT`] nothing is kept, they are hashed again when a proof needs them.
#[derive(Default)]
pub struct MerkleTree {
    leaves: Vec<Hash>,
    /// Hashes of the complete subtrees, by level from [`LOWEST_KEPT`].
    levels: Vec<Vec<Hash>>,
}

/// Subtrees of sixteen leaves.
const LOWEST_KEPT: u32 = 4;

impl MerkleTree {
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The leaves in order.
    pub fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    pub fn push(&mut self, leaf: Hash) {
        self.leaves.push(leaf);
        let size = self.size();
        for level in LOWEST_KEPT..=size.trailing_zeros() {
            let Some(hash) = self.children(level, (size >> level) - 1) else { return };
            let place = (level - LOWEST_KEPT) as usize;
            if self.levels.len() == place {
                self.levels.push(Vec::new());
            }
            if let Some(hashes) = self.levels.get_mut(place) {
                hashes.push(hash);
            }
        }
    }

    /// Hash of the complete subtree of 2^`level` leaves, `index` such subtrees from the first leaf.
    fn subtree(&self, level: u32, index: u64) -> Option<Hash> {
        let at = usize::try_from(index).ok()?;
        match level.checked_sub(LOWEST_KEPT) {
            Some(kept) => self.levels.get(kept as usize)?.get(at).copied(),
            None if level == 0 => self.leaves.get(at).copied(),
            None => self.children(level, index),
        }
    }

    fn children(&self, level: u32, index: u64) -> Option<Hash> {
        Some(node_hash(&self.subtree(level - 1, index * 2)?, &self.subtree(level - 1, index * 2 + 1)?))
    }

    pub fn frontier(&self) -> Frontier {
        let size = self.size();
        let roots = (0..u64::BITS - size.leading_zeros())
            .rev()
            .filter(|level| size >> level & 1 == 1)
            .filter_map(|level| self.subtree(level, (size >> level) - 1))
            .collect();
        Frontier { size, roots }
    }

    /// Root of the first `size` leaves; `None` where the tree is smaller.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        if size > self.size() {
            return None;
        }
        if size == 0 { Some(empty_root()) } else { self.range(0, size) }
    }

    /// Audit path of a leaf in the tree of the first `size` leaves (RFC 6962 section 2.1.1).
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut start, mut end) = (0, size);
        let mut path = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 6962 section 2.1.2).
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old > new || new > self.size() {
            return None;
        }
        if old == 0 || old == new {
            return Some(Vec::new());
        }
        let (mut start, mut end) = (0, new);
        let mut path = Vec::new();
        // Walk down to the subtree at which the old tree ends; `whole` while that subtree begins the old tree.
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        if start != 0 {
            path.push(self.range(start, end)?);
        }
        path.reverse();
        Some(path)
    }

    /// Hash over the leaves `start..end`; `start` is a multiple of the largest power of two in the range.
    fn range(&self, start: u64, end: u64) -> Option<Hash> {
        let width = end - start;
        if width.is_power_of_two() {
            let level = width.trailing_zeros();
            return self.subtree(level, start >> level);
        }
        let middle = start + split(width);
        Some(node_hash(&self.range(start, middle)?, &self.range(middle, end)?))
    }
}

/// Largest power of two below `width`.
fn split(width: u64) -> u64 {
    let half = width.next_power_of_two() / 2;
    half.max(1)
}

/// Whether `path` proves that `leaf` is at `index` in the tree of `size` leaves with `root` (RFC 9162 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `path` proves that the old tree is a prefix of the new one (RFC 9162 section 2.1.4.2).
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) -> bool {
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return path.is_empty() && *old_root == empty_root();
    }
    if old > new {
        return false;
    }
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let mut rest = path.iter();
    let first = if old.is_power_of_two() {
        *old_root
    } else {
        match rest.next() {
            Some(first) => *first,
            None => return false,
        }
    };
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests {
    use sha2::Sha256;

    use super::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    fn tree(count: u64) -> MerkleTree {
        leaves(count).into_iter().fold(MerkleTree::default(), |mut tree, leaf| {
            tree.push(leaf);
            tree
        })
    }

    #[test]
    fn roots_agree_with_another_implementation() {
        let mut peer = ct_merkle::mem_backed_tree::MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut own = MerkleTree::default();
        let mut frontier = Frontier::default();
        for n in 0..300_u64 {
            assert_eq!(own.root_at(n).unwrap().as_slice(), peer.root().as_bytes().as_slice());
            assert_eq!(frontier.root(), own.root_at(n).unwrap());
            assert_eq!(own.frontier(), frontier);
            peer.push(n.to_be_bytes().to_vec());
            own.push(leaf_hash(&n.to_be_bytes()));
            frontier.push(leaf_hash(&n.to_be_bytes()));
        }
    }

    #[test]
    fn every_proof_verifies_and_no_other_does() {
        let whole = tree(70);
        let all = leaves(70);
        for size in 1..=70 {
            let root = whole.root_at(size).unwrap();
            for (index, leaf) in (0..size).zip(&all) {
                let path = whole.inclusion(index, size).unwrap();
                assert!(verify_inclusion(leaf, index, size, &path, &root));
                assert!(!verify_inclusion(leaf, index + 1, size, &path, &root));
                assert!(!verify_inclusion(&leaf_hash(b"other"), index, size, &path, &root));
            }
            for old in 0..=size {
                let old_root = whole.root_at(old).unwrap();
                let path = whole.consistency(old, size).unwrap();
                assert!(verify_consistency(old, &old_root, size, &root, &path), "{old} {size}");
                if old != size && old > 0 {
                    assert!(!verify_consistency(old, &leaf_hash(b"other"), size, &root, &path));
                    assert!(!verify_consistency(old, &old_root, size, &leaf_hash(b"other"), &path));
                }
            }
        }
    }
}
