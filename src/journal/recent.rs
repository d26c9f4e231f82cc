//! What lately changed of that on which a decision rests.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::{
    domain::organization::OrganizationCode,
    ledger::entry::{Logged, Outcome},
};

/// Changes that are remembered. A decision older than all of them is made again.
const KEPT: usize = 8_192;

/// What a change can make a decision wrong about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Who may see a record: its owner, shield, closure, transfers, a broken glass.
    Record(Uuid),
    /// An organization's connection, terminals, officers, sessions, or what it lets others see.
    Organization(OrganizationCode),
    /// Anybody's certificate.
    Everything,
}

impl Scope {
    /// Whether a decision that this entry reports rests on it.
    fn touches(&self, logged: &Logged) -> bool {
        let entry = &logged.entry;
        // What tells of a child and names no record, such as a notice, is not told apart.
        if entry.outcome == Outcome::Disclosed && entry.record.is_none() {
            return true;
        }
        match self {
            Self::Everything => true,
            Self::Record(id) => entry.record == Some(*id),
            Self::Organization(code) => {
                entry.organization == code.as_str()
                    || entry.owner.as_deref() == Some(code.as_str())
                    || logged.hidden_owner.as_ref().is_some_and(|hidden| hidden.owner == *code)
            }
        }
    }

    /// Whether any of the decisions that these entries report rests on it.
    pub fn touches_any(&self, entries: &[Logged]) -> bool {
        entries.iter().any(|logged| self.touches(logged))
    }
}

/// The latest changes by position. Positions are counted from 1, and every change of memory takes one.
#[derive(Default)]
pub struct Recent {
    position: u64,
    /// Changes up to this position are forgotten.
    floor: u64,
    scopes: VecDeque<(u64, Scope)>,
}

impl Recent {
    /// Begins where memory was loaded: nobody has decided anything before.
    pub fn from(position: u64) -> Self {
        Self { position, floor: position, scopes: VecDeque::new() }
    }

    /// Position of the last change that memory holds.
    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn pass(&mut self, position: u64) {
        self.position = position;
    }

    /// Notes that the change at the present position made decisions outdated.
    pub fn note(&mut self, scope: Scope) {
        self.scopes.push_back((self.position, scope));
        if self.scopes.len() > KEPT
            && let Some((forgotten, _)) = self.scopes.pop_front()
        {
            self.floor = forgotten;
        }
    }

    /// Whether a decision made at a position still stands.
    pub fn outdates(&self, decided_at: u64, entries: &[Logged]) -> bool {
        decided_at < self.floor
            || self
                .scopes
                .iter()
                .rev()
                .take_while(|(at, _)| *at > decided_at)
                .any(|(_, scope)| scope.touches_any(entries))
    }
}
