//! Keyed digests of rows.

use aws_lc_rs::hmac;
use uuid::Uuid;

use super::{
    row::{Value, Values},
    sums::{Share, Sums},
};
use crate::keys::{
    error::KeyError,
    vault::{Key, Place},
};

/// Bytes of a mark.
pub const MARK: usize = 16;

/// HMAC-SHA-256 over everything that a row decides, cut to 128 bits.
pub type Mark = [u8; MARK];

/// What memory remembers of a mark.
pub type Tag = u64;

/// The parts of a row on which nothing hangs.
pub const NO_PARTS: Mark = [0; MARK];

/// Makes marks. One key for each use, all from the key of rows, which is in the database wrapped by the master key.
pub struct Marker {
    row: hmac::Key,
    parts: hmac::Key,
    share: hmac::Key,
    head: hmac::Key,
    sealing: Key,
}

impl Marker {
    pub fn new(key: &Key) -> Self {
        Self {
            row: key.authenticating("tsunagi/1/rows/mark"),
            parts: key.authenticating("tsunagi/1/rows/parts"),
            share: key.authenticating("tsunagi/1/rows/share"),
            head: key.authenticating("tsunagi/1/rows/head"),
            sealing: key.derived("tsunagi/1/rows/sums"),
        }
    }

    /// The mark of a row.
    pub fn mark(&self, row: &Values) -> Mark {
        let mut context = hmac::Context::with_key(&self.row);
        context.update(&[row.table.number]);
        for (column, value) in row.table.columns.iter().zip(&row.values) {
            if column.is_marked() {
                update(&mut context, value);
            }
        }
        cut(&context.sign())
    }

    /// The digest of the marks of all that hangs on a row, in any order.
    pub fn parts(&self, mut marks: Vec<Mark>) -> Mark {
        if marks.is_empty() {
            return NO_PARTS;
        }
        marks.sort_unstable();
        let mut context = hmac::Context::with_key(&self.parts);
        marks.iter().for_each(|mark| context.update(mark));
        cut(&context.sign())
    }

    /// What a row adds to the sum of its table. It is secret: whoever knew shares could choose rows that add up.
    pub fn share(&self, mark: &Mark) -> Share {
        Share::from_bytes(hmac::sign(&self.share, mark).as_ref())
    }

    /// What an entry of the ledger says of a node's sums. It differs from entry to entry: whether rows changed between two
    /// entries may be what their reader must not learn.
    pub fn head(&self, node: &str, entry: Uuid, sums: &Sums) -> Mark {
        let mut context = hmac::Context::with_key(&self.head);
        context.update(node.as_bytes());
        context.update(&[0]);
        context.update(entry.as_bytes());
        context.update(&sums.to_bytes());
        cut(&context.sign())
    }

    /// The mark of a change in the feed between nodes.
    pub fn of_change(&self, position: i64, parts: [&str; 3], at: i64) -> Mark {
        let mut context = hmac::Context::with_key(&self.row);
        context.update(&[0]);
        context.update(&position.to_be_bytes());
        context.update(&at.to_be_bytes());
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        cut(&context.sign())
    }

    /// Seals a node's sums for its head row.
    ///
    /// # Errors
    /// The provider refused.
    pub fn seal_sums(&self, node: &str, sums: &Sums) -> Result<Vec<u8>, KeyError> {
        self.sealing.seal(sums_place(&node), &sums.to_bytes())
    }

    /// Opens a node's sums.
    ///
    /// # Errors
    /// They are another node's, or damaged.
    pub fn open_sums(&self, node: &str, sealed: &[u8]) -> Result<Sums, KeyError> {
        let bytes = self.sealing.open(sums_place(&node), sealed)?;
        Sums::from_bytes(&bytes).ok_or(KeyError::Corrupt("sums of rows"))
    }
}

fn sums_place<'p>(node: &'p &str) -> Place<'p> {
    Place { table: "ledger_heads", row: node, column: "sealed_sums" }
}

fn update(context: &mut hmac::Context, value: &Value) {
    let number;
    let (kind, bytes): (u8, &[u8]) = match value {
        Value::Null => (0, &[]),
        Value::Id(id) => (1, id.as_bytes()),
        Value::Text(text) => (2, text.as_bytes()),
        Value::Int(int) => {
            number = int.to_be_bytes();
            (3, &number)
        }
        Value::Bytes(bytes) => (4, bytes),
    };
    context.update(&[kind]);
    context.update(&(bytes.len() as u64).to_be_bytes());
    context.update(bytes);
}

fn cut(tag: &hmac::Tag) -> Mark {
    let mut mark = [0; MARK];
    mark.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    mark
}

/// What memory remembers of a mark.
pub fn tag_of(mark: &Mark) -> Tag {
    mark.iter().take(8).fold(0, |tag, byte| tag << 8 | Tag::from(*byte))
}
