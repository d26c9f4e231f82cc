//! What a node keeps in memory, and how it changes.
//!
//! Comes in: changes, in the order of their positions, from the journal and from what other nodes committed. Goes out:
//! tree, index, directory, standing notices, inboxes, and whether a decision still stands.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, AtomicU64},
};

use super::{
    inbox::Inboxes,
    recent::{Recent, Scope},
};
use crate::{
    identity::directory::{Directory, DirectoryChange},
    ledger::{entry::Logged, merkle::MerkleTree},
    search::{
        index::{IndexChange, SearchIndex},
        standing::{StandingChange, StandingMatches},
    },
    store::{
        changes::Subject,
        rows::{guard::RowGuard, notes::RowRemark, sums::Sums},
    },
};

/// A change of what the node keeps in memory, made after the commit it belongs to.
pub enum Change {
    Index(IndexChange),
    Directory(DirectoryChange),
    Standing(StandingChange),
    /// Something that a decision may have rested on: decisions made before must be made again.
    Visibility(Scope),
    /// There are new prefecture keys: nodes take them up.
    Keys,
    /// The marks of rows, as the commit leaves them.
    Rows(Vec<RowRemark>),
}

impl Change {
    /// How other nodes hear of it.
    pub(super) fn subject(&self) -> Option<Subject> {
        Some(match self {
            Self::Index(IndexChange::Put(record)) => Subject::Record(record.facts.id),
            Self::Index(IndexChange::Facts(facts)) => Subject::Record(facts.id),
            Self::Index(IndexChange::Forget(id)) => Subject::Record(*id),
            Self::Directory(DirectoryChange::Organization(organization)) => {
                Subject::Organization(organization.code.clone())
            }
            Self::Directory(DirectoryChange::Uploaded(code, _)) => Subject::Organization(code.clone()),
            Self::Directory(DirectoryChange::Terminal(terminal)) => Subject::Terminal(terminal.serial.clone()),
            Self::Directory(DirectoryChange::Staff(staff)) => {
                Subject::Staff(staff.organization.clone(), staff.id.clone())
            }
            Self::Directory(DirectoryChange::Session(session)) => {
                Subject::Sessions(session.1.organization.clone(), session.1.officer.clone())
            }
            Self::Directory(DirectoryChange::Sessions(code, id, _)) => Subject::Sessions(code.clone(), id.clone()),
            Self::Directory(DirectoryChange::OrganizationSetAside(code)) => Subject::Organization(code.clone()),
            Self::Directory(DirectoryChange::TerminalSetAside(serial)) => Subject::Terminal(serial.clone()),
            Self::Directory(DirectoryChange::StaffSetAside(code, id)) => Subject::Staff(code.clone(), id.clone()),
            // Every node has a clock of its own.
            Self::Directory(DirectoryChange::ForgetExpired(_)) => return None,
            Self::Standing(StandingChange::Put(id, _) | StandingChange::Remove(id)) => Subject::Notice(*id),
            Self::Visibility(scope) => Subject::Decisions(scope.clone()),
            Self::Keys => Subject::Keys,
            Self::Rows(remarks) => Subject::Rows(remarks.clone()),
        })
    }
}

/// Memory that follows the journal.
pub struct Memory {
    pub tree: RwLock<MerkleTree>,
    pub index: SearchIndex,
    pub directory: Arc<Directory>,
    pub standing: StandingMatches,
    pub inboxes: Inboxes,
    /// What tells the gateway's rows from others.
    pub guard: Arc<RowGuard>,
    /// What this node added to the sums over the marks of rows, and took away.
    pub sums: RwLock<Sums>,
    recent: RwLock<Recent>,
    pub(super) healthy: AtomicBool,
    /// The ledger was tampered with: nothing is written any more, and so nothing disclosed.
    pub(super) condemned: AtomicBool,
    /// Transactions that were committed, and entries in them.
    pub(super) commits: AtomicU64,
    pub(super) entries: AtomicU64,
}

/// What memory knows of the rows, and as of which change.
pub struct RowsAt {
    pub guard: Arc<RowGuard>,
    pub sums: Sums,
    /// Position of the last change that memory holds.
    pub position: u64,
}

impl Memory {
    pub fn new(
        tree: MerkleTree,
        index: SearchIndex,
        directory: Arc<Directory>,
        standing: StandingMatches,
        inboxes: Inboxes,
        RowsAt { guard, sums, position }: RowsAt,
    ) -> Self {
        Self {
            tree: RwLock::new(tree),
            index,
            directory,
            standing,
            inboxes,
            guard,
            sums: RwLock::new(sums),
            recent: RwLock::new(Recent::from(position)),
            healthy: AtomicBool::new(true),
            condemned: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            entries: AtomicU64::new(0),
        }
    }

    /// The sums over the marks of rows, as this node changed them.
    pub fn sums(&self) -> Sums {
        self.sums.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Position of the last change that it holds.
    pub fn position(&self) -> u64 {
        self.recent.read().unwrap_or_else(PoisonError::into_inner).position()
    }

    /// Takes in the change at a position: first what it changes, then that decisions made before are outdated.
    pub(super) fn take(&self, position: u64, change: Option<Change>) {
        let mut outdated = None;
        match change {
            Some(Change::Index(change)) => self.index.apply(change),
            Some(Change::Directory(change)) => self.directory.apply(change),
            Some(Change::Standing(change)) => self.standing.apply(change),
            Some(Change::Visibility(scope)) => outdated = Some(scope),
            Some(Change::Rows(remarks)) => self.guard.settle(&remarks),
            Some(Change::Keys) | None => {}
        }
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        recent.pass(position);
        if let Some(scope) = outdated {
            recent.note(scope);
        }
    }

    pub(super) fn outdates(&self, decided_at: u64, entries: &[Logged]) -> bool {
        self.recent.read().unwrap_or_else(PoisonError::into_inner).outdates(decided_at, entries)
    }
}
