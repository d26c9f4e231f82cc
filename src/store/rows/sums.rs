//! The sums over the marks of each table, as one node has changed them.
//!
//! Every row adds its share, a keyed digest of 256 bits; sums are modulo 2^256 (a multiset hash: Clarke and others,
//! ASIACRYPT 2003). Each node keeps what it added and took away itself; over all nodes that is what the tables hold.

use std::collections::BTreeMap;

use super::table::MarkedTable;

/// What one row adds to the sum of its table.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Share([u64; 4]);

impl Share {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut words = [0; 4];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        Self(words)
    }

    fn add(&mut self, other: Self) {
        let mut carry = false;
        for (word, more) in self.0.iter_mut().zip(other.0) {
            let (sum, first) = word.overflowing_add(more);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, first || second);
        }
    }

    fn subtract(&mut self, other: Self) {
        let mut borrow = false;
        for (word, less) in self.0.iter_mut().zip(other.0) {
            let (rest, first) = word.overflowing_sub(less);
            let (rest, second) = rest.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (rest, first || second);
        }
    }
}

/// Rows of one table and the sum of their shares.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub rows: i64,
    share: Share,
}

/// The sums of every table.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<u8, Sum>);

const ENTRY: usize = 1 + 8 + 32;

impl Sums {
    pub fn add(&mut self, table: &MarkedTable, share: Share) {
        let sum = self.0.entry(table.number).or_default();
        sum.rows += 1;
        sum.share.add(share);
    }

    pub fn take_away(&mut self, table: &MarkedTable, share: Share) {
        let sum = self.0.entry(table.number).or_default();
        sum.rows -= 1;
        sum.share.subtract(share);
    }

    /// Adds what another node, or a transaction, has changed.
    pub fn merge(&mut self, other: &Self) {
        for (number, more) in &other.0 {
            let sum = self.0.entry(*number).or_default();
            sum.rows += more.rows;
            sum.share.add(more.share);
        }
    }

    pub fn of(&self, table: &MarkedTable) -> Sum {
        self.0.get(&table.number).copied().unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.0.values().all(|sum| *sum == Sum::default())
    }

    /// Number of the table, rows, sum; by the number of the table.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * ENTRY);
        for (number, sum) in self.0.iter().filter(|(_, sum)| **sum != Sum::default()) {
            bytes.push(*number);
            bytes.extend_from_slice(&sum.rows.to_be_bytes());
            sum.share.0.iter().for_each(|word| bytes.extend_from_slice(&word.to_be_bytes()));
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (entries, []) = bytes.as_chunks::<ENTRY>() else { return None };
        let mut sums = Self::default();
        for entry in entries {
            let (number, rest) = entry.split_first()?;
            let (rows, share) = rest.split_first_chunk::<8>()?;
            sums.0.insert(*number, Sum { rows: i64::from_be_bytes(*rows), share: Share::from_bytes(share) });
        }
        Some(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tables::RECORDS, *};

    fn share(byte: u8) -> Share {
        Share::from_bytes(&[byte; 32])
    }

    #[test]
    fn what_is_added_and_taken_away_leaves_nothing_in_any_order() {
        let mut sums = Sums::default();
        for byte in [0xFF, 0x01, 0x80, 0xFF] {
            sums.add(&RECORDS, share(byte));
        }
        assert_eq!(sums.of(&RECORDS).rows, 4);
        let read = Sums::from_bytes(&sums.to_bytes()).unwrap();
        assert!(read == sums);
        for byte in [0x80, 0xFF, 0xFF, 0x01] {
            sums.take_away(&RECORDS, share(byte));
        }
        assert!(sums.is_empty() && sums.to_bytes().is_empty());
    }

    #[test]
    fn two_nodes_that_move_one_row_add_up() {
        let (mut one, mut other, mut whole) = (Sums::default(), Sums::default(), Sums::default());
        one.add(&RECORDS, share(7));
        other.take_away(&RECORDS, share(7));
        other.add(&RECORDS, share(9));
        whole.merge(&one);
        whole.merge(&other);
        let mut expected = Sums::default();
        expected.add(&RECORDS, share(9));
        assert!(whole.of(&RECORDS) == expected.of(&RECORDS));
    }
}
