//! Keyed digests of rows.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use uuid::Uuid;

use super::{
    row::{Value, Values},
    sums::{Share, Sums},
};
use crate::{
    keys::{
        error::KeyError,
        vault::{Key, Place},
    },
    ledger::entry::{Entry, RowsWord},
    planted::Planted,
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
    moves: hmac::Key,
    entry: hmac::Key,
    sealing: Key,
    sealing_moves: Key,
    /// A column that marks do not cover: in a planted defect alone.
    left_out: Option<&'static str>,
}

impl Marker {
    pub fn new(key: &Key) -> Self {
        Self {
            row: key.authenticating("tsunagi/1/rows/mark"),
            parts: key.authenticating("tsunagi/1/rows/parts"),
            share: key.authenticating("tsunagi/1/rows/share"),
            head: key.authenticating("tsunagi/1/rows/head"),
            moves: key.authenticating("tsunagi/1/rows/moves"),
            entry: key.authenticating("tsunagi/1/rows/entry"),
            sealing: key.derived("tsunagi/1/rows/sums"),
            sealing_moves: key.derived("tsunagi/1/rows/sealed moves"),
            left_out: Planted::LeaveOutAColumn.is_planted().then_some("serious"),
        }
    }

    /// The mark of a row.
    pub fn mark(&self, row: &Values) -> Mark {
        let mut context = hmac::Context::with_key(&self.row);
        context.update(&[row.table.number]);
        for (column, value) in row.table.columns.iter().zip(&row.values) {
            if column.is_marked() && Some(column.name) != self.left_out {
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

    /// What the last entry of a commit says of the rows, and what is kept beside it.
    ///
    /// # Errors
    /// The provider refused.
    pub fn word(&self, node: &str, entry: Uuid, sums: &Sums, moves: &[RowMove]) -> Result<RowsWord, KeyError> {
        let moves = if moves.is_empty() { Vec::new() } else { to_bytes(moves) };
        let mut word = [0; 2 * MARK];
        let digests = self.head(node, entry, sums).into_iter().chain(self.of_moves(entry, &moves));
        word.iter_mut().zip(digests).for_each(|(to, from)| *to = from);
        let seal = || self.sealing_moves.seal(moves_place(&entry), &moves);
        let sealed_rows = if moves.is_empty() { None } else { Some(seal()?) };
        Ok(RowsWord { word, sealed_rows })
    }

    /// Opens what a commit did to rows; `None` where it is not what the entry says, or was taken away.
    pub fn open_moves(&self, entry: Uuid, said: &[u8; MARK], sealed: Option<&[u8]>) -> Option<Vec<RowMove>> {
        let plain = match sealed {
            Some(sealed) => self.sealing_moves.open(moves_place(&entry), sealed).ok()?.to_vec(),
            None => Vec::new(),
        };
        if self.of_moves(entry, &plain) != *said {
            return None;
        }
        if plain.is_empty() { Some(Vec::new()) } else { postcard::from_bytes(&plain).ok() }
    }

    /// What an entry says of what its commit did to rows; of one that did nothing it says something as well.
    fn of_moves(&self, entry: Uuid, moves: &[u8]) -> Mark {
        let mut context = hmac::Context::with_key(&self.moves);
        context.update(entry.as_bytes());
        context.update(moves);
        cut(&context.sign())
    }

    /// The mark of a ledger entry on which the gateway itself acts later, and of what else it stands for.
    pub fn of_entry(&self, entry: &Entry, stands_for: &[u8]) -> Mark {
        let mut context = hmac::Context::with_key(&self.entry);
        let body = entry.marked_bytes();
        context.update(&(body.len() as u64).to_be_bytes());
        context.update(&body);
        context.update(stands_for);
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

/// The two digests of a word as an entry has it.
pub fn split_word(said: &str) -> Option<(Mark, Mark)> {
    let word: [u8; 2 * MARK] = BASE64_STANDARD.decode(said).ok()?.try_into().ok()?;
    let (head, moves) = word.split_at(MARK);
    Some((head.try_into().ok()?, moves.try_into().ok()?))
}

/// What a commit did to one row: a mark that it took away, a mark that it made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RowMove {
    /// Number of its table.
    pub table: u8,
    pub row: String,
    pub old: Option<Mark>,
    pub new: Option<Mark>,
    /// Whose record it is from then on.
    pub owner: Option<String>,
}

/// Names and marks can always be written out.
fn to_bytes(moves: &[RowMove]) -> Vec<u8> {
    postcard::to_stdvec(moves).unwrap_or_default()
}

fn moves_place(entry: &Uuid) -> Place<'_> {
    Place { table: "ledger", row: entry, column: "sealed_rows" }
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
        Value::Undecodable => (255, &[]),
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
