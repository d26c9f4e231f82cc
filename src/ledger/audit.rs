//! Holds the rows of a log against what vouches for them, and names the first that is wrong.
//!
//! A root tells that something was changed, not what. So every row is also held against its own leaf hash where those
//! are known and add up to a root that somebody vouches for; where they are not, the finding names the two checkpoints
//! between which the change lies.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use uuid::Uuid;

use super::{
    entry::{Entry, HiddenOwner},
    merkle::{Frontier, Hash, leaf_hash},
};
use crate::{domain::organization::OrganizationCode, planted::Planted};

/// A row of the ledger with every column it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    pub node: String,
    pub position: i64,
    pub id: Uuid,
    pub organization: String,
    pub owner: Option<String>,
    pub record: Option<Uuid>,
    pub body: Vec<u8>,
    pub sealed_note: Option<Vec<u8>>,
    pub owner_salt: Option<Vec<u8>>,
}

impl LedgerRow {
    /// Whether the organization is a party to the entry: it acted, or it owns the record.
    pub fn is_party(&self, organization: &str) -> bool {
        self.organization == organization || self.owner.as_deref() == Some(organization)
    }
}

/// What is wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    #[error("the entry is missing")]
    Missing,
    #[error("a second row stands at this position")]
    Duplicated,
    #[error("the row is under another node")]
    OtherNode,
    #[error("the body was edited")]
    BodyEdited,
    #[error("the entry of position {0} stands here: it was swapped or copied")]
    Displaced(u64),
    #[error("the body is not a ledger entry")]
    NotAnEntry,
    #[error("the column {0} differs from the body")]
    Column(&'static str),
    #[error("the sealed note is missing")]
    NoteMissing,
    #[error("the sealed note was edited")]
    NoteEdited,
    #[error("there is a sealed note of which the body knows nothing")]
    NoteUnclaimed,
}

/// What is wrong with a log: the first thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    #[error("node {node}, position {position}: {fault}")]
    Row { node: String, position: u64, fault: RowFault },
    #[error(
        "node {node}, positions {from} to {to}: an entry was changed; the root differs from the checkpoint of size {to}"
    )]
    Root { node: String, from: u64, to: u64 },
    #[error("node {node}, from position {from}: an entry was changed; the root differs from the head row")]
    HeadRoot { node: String, from: u64 },
    #[error("node {node}, position {rows}: the entries from here on were cut off; there were {expected} by {by}")]
    Truncated { node: String, rows: u64, expected: u64, by: &'static str },
    #[error("node {node}, position {head}: the head row knows nothing of the entries from here on")]
    Added { node: String, head: u64 },
    #[error("node {node}: {counted} rows are in the table and {read} in their places")]
    OutOfPlace { node: String, counted: u64, read: u64 },
    #[error("node {node}: there is no head row")]
    NoHead { node: String },
    #[error("node {node}: two checkpoints of size {size} with different roots are signed: the log shows two histories")]
    TwoHistories { node: String, size: u64 },
}

/// What vouches for a log.
pub struct Against {
    node: String,
    head: Option<(u64, Hash)>,
    checkpoints: Vec<(u64, Hash)>,
    leaves: Vec<Hash>,
}

impl Against {
    /// `head` is the head row, which whoever edits the rows can edit too; `checkpoints` are verified; `leaves` add up to
    /// the root of one of these.
    ///
    /// # Errors
    /// Two checkpoints contradict each other.
    pub fn new(
        node: &str,
        head: Option<(u64, Hash)>,
        mut checkpoints: Vec<(u64, Hash)>,
        leaves: Vec<Hash>,
    ) -> Result<Self, Finding> {
        checkpoints.sort_unstable();
        checkpoints.dedup();
        let twice = checkpoints.windows(2).find_map(|pair| match pair {
            [(one, _), (two, _)] if one == two => Some(*one),
            _ => None,
        });
        match twice {
            Some(size) => Err(Finding::TwoHistories { node: node.to_owned(), size }),
            None => Ok(Self { node: node.to_owned(), head, checkpoints, leaves }),
        }
    }
}

/// A log that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    pub size: u64,
    pub root: Hash,
    /// Entries that a checkpoint vouches for; later ones rest on the head row alone.
    pub vouched: u64,
}

/// Takes the rows of a log one after another.
#[derive(Clone)]
pub struct Auditor<'a> {
    against: &'a Against,
    frontier: Frontier,
    /// Checkpoints behind this one are still to come.
    passed: usize,
    vouched: u64,
}

impl<'a> Auditor<'a> {
    pub fn new(against: &'a Against) -> Self {
        let empty = against.checkpoints.iter().take_while(|(size, _)| *size == 0).count();
        Self { against, frontier: Frontier::default(), passed: empty, vouched: 0 }
    }

    /// Takes the next row and returns its entry.
    ///
    /// # Errors
    /// What is wrong with it, or with the tree that ends with it.
    pub fn push(&mut self, row: &LedgerRow) -> Result<Entry, Finding> {
        let position = self.frontier.size();
        let fault = |fault| Finding::Row { node: self.against.node.clone(), position, fault };
        if row.node != self.against.node {
            return Err(fault(RowFault::OtherNode));
        }
        match u64::try_from(row.position) {
            Ok(at) if at == position => {}
            Ok(at) if at > position => return Err(fault(RowFault::Missing)),
            _ => {
                let position = u64::try_from(row.position).unwrap_or(0);
                return Err(Finding::Row { node: row.node.clone(), position, fault: RowFault::Duplicated });
            }
        }
        let leaf = leaf_hash(&row.body);
        self.compare_leaf(position, &leaf).map_err(fault)?;
        let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| fault(RowFault::NotAnEntry))?;
        if !Planted::BelieveColumns.is_planted() {
            compare_columns(row, &entry).map_err(fault)?;
        }
        compare_note(row, &entry).map_err(fault)?;
        self.frontier.push(leaf);
        self.compare_checkpoint()?;
        Ok(entry)
    }

    fn compare_leaf(&self, position: u64, leaf: &Hash) -> Result<(), RowFault> {
        let leaves = &self.against.leaves;
        match usize::try_from(position).ok().and_then(|position| leaves.get(position)) {
            Some(known) if known != leaf => Err(match leaves.iter().position(|other| other == leaf) {
                Some(belongs) => RowFault::Displaced(belongs as u64),
                None => RowFault::BodyEdited,
            }),
            _ => Ok(()),
        }
    }

    fn compare_checkpoint(&mut self) -> Result<(), Finding> {
        let Some((size, root)) = self.against.checkpoints.get(self.passed) else { return Ok(()) };
        if *size != self.frontier.size() {
            return Ok(());
        }
        if *root != self.frontier.root() {
            return Err(Finding::Root { node: self.against.node.clone(), from: self.vouched, to: *size });
        }
        self.passed += 1;
        self.vouched = *size;
        Ok(())
    }

    /// There are no more rows.
    ///
    /// # Errors
    /// Rows are missing at the end, or the head row is not theirs.
    pub fn finish(self) -> Result<Audited, Finding> {
        let node = || self.against.node.clone();
        let (size, root) = self.frontier.head();
        let truncated = |expected, by| Finding::Truncated { node: node(), rows: size, expected, by };
        match self.against.checkpoints.last() {
            Some((expected, _)) if *expected > size => return Err(truncated(*expected, "a signed checkpoint")),
            _ => {}
        }
        match self.against.head {
            None if size > 0 => Err(Finding::NoHead { node: node() }),
            Some((expected, _)) if expected > size => Err(truncated(expected, "the head row")),
            Some((head, _)) if head < size => Err(Finding::Added { node: node(), head }),
            Some((_, expected)) if expected != root => Err(Finding::HeadRoot { node: node(), from: self.vouched }),
            _ => Ok(Audited { size, root, vouched: self.vouched }),
        }
    }
}

/// Every column that is not the body repeats it, or is committed to by it.
fn compare_columns(row: &LedgerRow, entry: &Entry) -> Result<(), RowFault> {
    let same_owner = match &entry.owner_commitment {
        None if row.owner_salt.is_some() => return Err(RowFault::Column("owner_salt")),
        None => row.owner == entry.owner,
        Some(commitment) => entry.owner.is_none() && commitment_of(row).as_ref() == Some(commitment),
    };
    let columns = [
        ("id", row.id == entry.id),
        ("organization", row.organization == entry.organization),
        ("record", row.record == entry.record),
        (if entry.owner_commitment.is_some() { "owner or owner_salt" } else { "owner" }, same_owner),
    ];
    match columns.into_iter().find(|(_, same)| !same) {
        Some((column, _)) => Err(RowFault::Column(column)),
        None => Ok(()),
    }
}

fn commitment_of(row: &LedgerRow) -> Option<String> {
    let owner = OrganizationCode::parse(row.owner.as_deref()?)?;
    let salt = row.owner_salt.as_deref()?.try_into().ok()?;
    Some(HiddenOwner { owner, salt }.commitment())
}

fn compare_note(row: &LedgerRow, entry: &Entry) -> Result<(), RowFault> {
    match (&row.sealed_note, &entry.note) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(RowFault::NoteMissing),
        (Some(_), None) => Err(RowFault::NoteUnclaimed),
        (Some(sealed), Some(said)) => {
            let same = BASE64_STANDARD.encode(digest(&SHA256, sealed).as_ref()) == *said;
            if same { Ok(()) } else { Err(RowFault::NoteEdited) }
        }
    }
}
