//! A decision that a record may be shown: to which relation, and which groups of it.

use crate::{
    clock::Timestamp,
    domain::visibility::{GroupSet, ItemGroup, LegalBasis, Relation},
};

/// What one reader may see of one record. Made by the gate alone.
#[derive(Clone, Copy)]
pub struct Grant {
    pub(super) relation: Relation,
    pub(super) groups: GroupSet,
    /// What was provided for a receiver or former owner, else the current version.
    pub(super) version: i64,
    pub(super) basis: LegalBasis,
    /// For a receiver or former owner: what came later was not provided.
    pub(super) provided_at: Option<Timestamp>,
    /// The owner's name is itself a location: of a shielded record it goes to those with a part in it alone.
    pub(super) hides_owner: bool,
}

impl Grant {
    /// Whether a group of the record may be shown.
    pub fn shows(&self, group: ItemGroup) -> bool {
        self.groups.contains(group)
    }

    /// Whether something added at a moment is covered: a receiver or former owner sees what was provided then.
    pub fn covers_time(&self, at: Timestamp) -> bool {
        self.provided_at.is_none_or(|provided_at| at <= provided_at)
    }
}
