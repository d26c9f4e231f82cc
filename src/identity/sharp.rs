//! Who may carry out a sharp act: the evidence that operations ask for, and that nothing but these checks yields.

use super::{Assurance, Caller};
use crate::{
    domain::two_persons::{NotTwo, Provenance, StaffId, count_as_two},
    planted::Planted,
};

/// A caller who signed in at a desk with a second factor.
#[derive(Clone)]
pub struct SharpCaller(Caller);

/// A machine names a person and proves nothing; a password alone can be looked over a shoulder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSharp;

impl SharpCaller {
    /// # Errors
    /// The caller is named by a case system, or signed in with a password alone.
    pub fn of(caller: &Caller) -> Result<Self, NotSharp> {
        match caller.assurance() {
            Assurance::TwoFactors => Ok(Self(caller.clone())),
            Assurance::Named | Assurance::Password if Planted::BelieveMachines.is_planted() => Ok(Self(caller.clone())),
            Assurance::Named | Assurance::Password => Err(NotSharp),
        }
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
