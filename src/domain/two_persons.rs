//! When two persons are two (重要操作の二人): by who gave them their roles and who issued what they sign in with.
//!
//! Two ids are easily had by one person: whoever asks for a role, approves it or hands out a credential can be the one
//! who uses it. So the two are held against what is known of how each came to act. Nobody counts who stands behind the
//! other, or behind themselves; the two who opened a body together vouch for each other.

use time::Duration;

use super::organization::OrganizationCode;
use crate::clock::Timestamp;

/// A member of staff, by body and id. Ids are never given again: it stands for one person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StaffId {
    pub organization: OrganizationCode,
    pub officer: String,
}

/// How a person came to act.
#[derive(Clone, Debug)]
pub struct Provenance {
    pub person: StaffId,
    /// Who asked for the roles, and who approved them; none where that is not known, and of those who opened
    /// the body.
    pub asked_by: Option<StaffId>,
    pub approved_by: Option<StaffId>,
    /// The code by which the person, with or without another, opened the body.
    pub opening: Option<Vec<u8>>,
    /// Who issued the credential.
    pub issued_by: Option<StaffId>,
    pub issued_at: Timestamp,
    /// Whether that credential replaced another.
    pub reissued: bool,
}

/// Why two do not count as two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum NotTwo {
    SamePerson,
    /// One of them had a part in giving themselves their role or credential.
    GivenByOneself,
    /// One of them had a part in giving the other a role or credential.
    GivenByTheOther,
    /// Somebody replaced the credential of one of them and issued that of the other within a short time, and may hold both.
    RotatedByOne,
}

/// So far apart a replacement and what else the same person issued are no longer taken for one move: whose credential was
/// replaced has noticed by then that it no longer works.
pub const ROTATION_SEEN: Duration = Duration::days(14);

impl Provenance {
    fn givers(&self) -> impl Iterator<Item = &StaffId> {
        [&self.asked_by, &self.approved_by, &self.issued_by].into_iter().flatten()
    }

    fn is_given_by(&self, giver: &StaffId) -> bool {
        self.givers().any(|known| known == giver)
    }

    fn opened_with(&self, other: &Self) -> bool {
        self.opening.is_some() && self.opening == other.opening && !self.reissued && !other.reissued
    }
}

/// Whether two persons count as two for a sharp act.
///
/// # Errors
/// Why they do not.
pub fn count_as_two(one: &Provenance, other: &Provenance) -> Result<(), NotTwo> {
    if one.person == other.person {
        return Err(NotTwo::SamePerson);
    }
    if one.opened_with(other) {
        return Ok(());
    }
    if one.is_given_by(&one.person) || other.is_given_by(&other.person) {
        return Err(NotTwo::GivenByOneself);
    }
    if one.is_given_by(&other.person) || other.is_given_by(&one.person) {
        return Err(NotTwo::GivenByTheOther);
    }
    let apart = (one.issued_at.as_micros() - other.issued_at.as_micros()).unsigned_abs();
    let at_once = u128::from(apart) < ROTATION_SEEN.whole_microseconds().unsigned_abs();
    if (one.reissued || other.reissued) && one.issued_by == other.issued_by && at_once {
        return Err(NotTwo::RotatedByOne);
    }
    Ok(())
}
