//! Drafts of record forms: what an officer has written and not sent yet. No record exists by one.

use time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{organization::OrganizationCode, two_persons::StaffId};
use crate::clock::Timestamp;

/// A draft ends by itself this long after it was last saved.
pub const KEPT_FOR: Duration = Duration::days(30);

/// Drafts of one officer at most: what is never sent piles up.
pub const MAX_DRAFTS: usize = 100;

/// A draft without what is in it: ids and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Given by whoever saves it first.
    pub id: Uuid,
    pub organization: OrganizationCode,
    pub officer: String,
    /// The record that it is to change; `None` for a new one.
    pub record: Option<Uuid>,
    pub created_at: Timestamp,
    pub saved_at: Timestamp,
}

impl Draft {
    /// When it ends unless it is saved again.
    pub fn ends_at(&self) -> Timestamp {
        self.saved_at.plus(KEPT_FOR)
    }

    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at() <= now
    }

    /// Whether it is this person's own.
    pub fn is_of(&self, person: &StaffId) -> bool {
        self.organization == person.organization && self.officer == person.officer
    }
}

/// What is in a draft, as its form had it. No `Debug`: it is personal data.
pub struct DraftContent {
    pub draft: Draft,
    pub content: Zeroizing<Vec<u8>>,
}
