//! Who may carry out a sharp act: the evidence that operations ask for, and that nothing but these checks yields.

use super::{Assurance, Caller};
use crate::{
    domain::two_persons::{NotTwo, Provenance, StaffId, count_as_two},
    planted::Planted,
};

/// A caller who signed in at a desk with a second factor.
#[derive(Clone)]
pub struct SharpCaller(Caller);

/// Why a caller carries out no sharp act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSharp {
    /// A machine names a person and proves nothing; a password alone can be looked over a shoulder.
    NoPerson,
    /// In a browser that stands open the second factor was shown a while ago: who sits there now may be somebody else.
    ShownLongAgo,
}

impl SharpCaller {
    /// # Errors
    /// The caller is named by a case system, or signed in with a password alone; or is to show the second factor again.
    pub fn of(caller: &Caller) -> Result<Self, NotSharp> {
        match caller.assurance() {
            Assurance::TwoFactors if caller.shows_again() && !Planted::NeverAskAgain.is_planted() => {
                Err(NotSharp::ShownLongAgo)
            }
            Assurance::TwoFactors => Ok(Self(caller.clone())),
            Assurance::Named | Assurance::Password if Planted::BelieveMachines.is_planted() => Ok(Self(caller.clone())),
            Assurance::Named | Assurance::Password => Err(NotSharp::NoPerson),
        }
    }

    /// Whether a caller is a person who signed in with a second factor, a moment or a while ago.
    pub fn is_person(caller: &Caller) -> bool {
        !matches!(Self::of(caller), Err(NotSharp::NoPerson))
    }

    pub fn caller(&self) -> &Caller {
        &self.0
    }
}

/// Two persons who stand for a sharp act: one did before, the other is the caller.
#[derive(Clone)]
pub struct TwoPersons {
    first: StaffId,
    second: SharpCaller,
}

impl TwoPersons {
    /// # Errors
    /// Why the two do not count as two.
    pub fn of(first: &Provenance, second: (&SharpCaller, &Provenance)) -> Result<Self, NotTwo> {
        let (caller, provenance) = second;
        if !Planted::AnyTwoIds.is_planted() {
            count_as_two(first, provenance)?;
        } else if first.person == provenance.person {
            return Err(NotTwo::SamePerson);
        }
        Ok(Self { first: first.person.clone(), second: caller.clone() })
    }

    /// Who stood for it first.
    pub fn first(&self) -> &StaffId {
        &self.first
    }

    pub fn second(&self) -> &SharpCaller {
        &self.second
    }
}
