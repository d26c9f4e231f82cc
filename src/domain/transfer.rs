//! The life of a transfer (転出・転入に伴う情報提供).
//!
//! `requested → offered → confirmed → taken_over`, or `rejected`, `withdrawn`, `expired`. The record has one owner
//! throughout: it changes at `taken_over` and nowhere else.

use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use super::{
    organization::OrganizationCode,
    visibility::{GroupSet, ItemGroup},
};
use crate::clock::Timestamp;

/// A transfer at this moment: ids, codes and times; what people wrote is sealed.
#[derive(Clone)]
pub struct Transfer {
    pub id: Uuid,
    pub record: Uuid,
    pub owner: OrganizationCode,
    pub receiver: OrganizationCode,
    pub opened_at: Timestamp,
    pub expires_at: Timestamp,
    pub stage: Stage,
}

/// How far a transfer has come, with what is known at that point. One that ended has an offer where it came so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    Requested,
    Offered(Offer),
    Confirmed(Offer),
    TakenOver(Offer),
    Rejected(Option<Offer>),
    Withdrawn(Option<Offer>),
    Expired(Option<Offer>),
}

/// What the owner offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Version of the record.
    pub version: i64,
    pub groups: GroupSet,
    pub offered_at: Timestamp,
    /// Of an urgent transfer.
    pub safety: Option<SafetyCheck>,
}

/// The safety check of an urgent transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetyCheck {
    pub due_at: Timestamp,
    pub checked_at: Option<Timestamp>,
    /// When both bodies were told that it is overdue.
    pub escalated_at: Option<Timestamp>,
}

/// The stage of a transfer by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TransferState {
    Requested,
    Offered,
    Confirmed,
    TakenOver,
    Rejected,
    Withdrawn,
    Expired,
}

impl TransferState {
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    pub fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Offered | Self::Confirmed)
    }
}

/// Which side of a transfer acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Owner,
    Receiver,
}

/// A step that is not open to that side in that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRefused {
    pub state: TransferState,
}

/// What the passing of time does to a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    Expired,
    /// The child was not seen in time.
    SafetyOverdue,
}

impl Offer {
    /// An offer of a version of the record: the index always, the reporter never; left open, every other group.
    pub fn new(version: i64, groups: Option<Vec<ItemGroup>>, is_urgent: bool, now: Timestamp) -> Self {
        let groups = groups.map_or_else(|| GroupSet::of(ItemGroup::ALL.iter().copied()), GroupSet::of);
        let due_at = now.plus(SAFETY_CHECK_WITHIN);
        Self {
            version,
            groups: groups.with(ItemGroup::Index).without(GroupSet::of([ItemGroup::Reporter])),
            offered_at: now,
            safety: is_urgent.then_some(SafetyCheck { due_at, checked_at: None, escalated_at: None }),
        }
    }
}

impl Stage {
    /// The stage of a name; `None` where an offer is missing, or is there too early.
    pub fn of(state: TransferState, offer: Option<Offer>) -> Option<Self> {
        match (state, offer) {
            (TransferState::Requested, None) => Some(Self::Requested),
            (TransferState::Offered, Some(offer)) => Some(Self::Offered(offer)),
            (TransferState::Confirmed, Some(offer)) => Some(Self::Confirmed(offer)),
            (TransferState::TakenOver, Some(offer)) => Some(Self::TakenOver(offer)),
            (TransferState::Rejected, offer) => Some(Self::Rejected(offer)),
            (TransferState::Withdrawn, offer) => Some(Self::Withdrawn(offer)),
            (TransferState::Expired, offer) => Some(Self::Expired(offer)),
            (TransferState::Requested, Some(_))
            | (TransferState::Offered | TransferState::Confirmed | TransferState::TakenOver, None) => None,
        }
    }

    pub fn state(&self) -> TransferState {
        match self {
            Self::Requested => TransferState::Requested,
            Self::Offered(_) => TransferState::Offered,
            Self::Confirmed(_) => TransferState::Confirmed,
            Self::TakenOver(_) => TransferState::TakenOver,
            Self::Rejected(_) => TransferState::Rejected,
            Self::Withdrawn(_) => TransferState::Withdrawn,
            Self::Expired(_) => TransferState::Expired,
        }
    }

    /// What was offered, if it came so far.
    pub fn offer(&self) -> Option<&Offer> {
        match self {
            Self::Requested => None,
            Self::Offered(offer) | Self::Confirmed(offer) | Self::TakenOver(offer) => Some(offer),
            Self::Rejected(offer) | Self::Withdrawn(offer) | Self::Expired(offer) => offer.as_ref(),
        }
    }

    /// The safety check that somebody still has to make, or has made.
    fn safety_mut(&mut self) -> Option<&mut SafetyCheck> {
        match self {
            Self::Offered(offer) | Self::Confirmed(offer) | Self::TakenOver(offer) => offer.safety.as_mut(),
            Self::Requested | Self::Rejected(_) | Self::Withdrawn(_) | Self::Expired(_) => None,
        }
    }
}

impl Transfer {
    /// A transfer at its beginning.
    pub fn begun(id: Uuid, record: Uuid, owner: OrganizationCode, receiver: OrganizationCode, now: Timestamp) -> Self {
        let expires_at = now.plus(EXPIRES_AFTER);
        Self { id, record, owner, receiver, opened_at: now, expires_at, stage: Stage::Requested }
    }

    pub fn state(&self) -> TransferState {
        self.stage.state()
    }

    /// What was offered, if it came so far.
    pub fn offered(&self) -> Option<&Offer> {
        self.stage.offer()
    }

    /// The side of an organization; `None` where it is no party.
    pub fn side_of(&self, organization: &OrganizationCode) -> Option<Side> {
        match organization {
            owner if *owner == self.owner => Some(Side::Owner),
            receiver if *receiver == self.receiver => Some(Side::Receiver),
            _ => None,
        }
    }

    /// The owner offers what it was asked for, or what nobody asked for yet.
    ///
    /// # Errors
    /// It has been offered, or has ended.
    pub fn offer(self, offer: Offer) -> Result<Self, StepRefused> {
        let expires_at = offer.offered_at.plus(EXPIRES_AFTER);
        let offered = self.step(|stage| match stage {
            Stage::Requested => Ok(Stage::Offered(offer)),
            stage => Err(stage),
        })?;
        Ok(Self { expires_at, ..offered })
    }

    /// The receiver says that it is the child.
    ///
    /// # Errors
    /// It is not on offer, or it is not the receiver who says so.
    pub fn confirm(self, by: Side) -> Result<Self, StepRefused> {
        self.step(|stage| match (stage, by) {
            (Stage::Offered(offer), Side::Receiver) => Ok(Stage::Confirmed(offer)),
            (stage, _) => Err(stage),
        })
    }

    /// The receiver becomes the owner of the record.
    ///
    /// # Errors
    /// It is not confirmed, or it is not the receiver who takes it.
    pub fn take_over(self, by: Side) -> Result<Self, StepRefused> {
        self.step(|stage| match (stage, by) {
            (Stage::Confirmed(offer), Side::Receiver) => Ok(Stage::TakenOver(offer)),
            (stage, _) => Err(stage),
        })
    }

    /// The owner declines a request; the receiver declines an offer, even after it has looked closer.
    ///
    /// # Errors
    /// It has ended, or it is not for that side to decline.
    pub fn reject(self, by: Side) -> Result<Self, StepRefused> {
        self.step(|stage| match (stage, by) {
            (Stage::Requested, Side::Owner) => Ok(Stage::Rejected(None)),
            (Stage::Offered(offer) | Stage::Confirmed(offer), Side::Receiver) => Ok(Stage::Rejected(Some(offer))),
            (stage, _) => Err(stage),
        })
    }

    /// Whoever has asked or offered takes that back.
    ///
    /// # Errors
    /// It has ended, or it is not for that side to take back.
    pub fn withdraw(self, by: Side) -> Result<Self, StepRefused> {
        self.step(|stage| match (stage, by) {
            (Stage::Requested, Side::Receiver) => Ok(Stage::Withdrawn(None)),
            (Stage::Offered(offer) | Stage::Confirmed(offer), Side::Owner) => Ok(Stage::Withdrawn(Some(offer))),
            (stage, _) => Err(stage),
        })
    }

    /// The receiver has seen the child. The first time counts.
    ///
    /// # Errors
    /// It is not urgent, not on offer or ended, or it is not the receiver who says so.
    pub fn check_safety(mut self, by: Side, now: Timestamp) -> Result<Self, StepRefused> {
        let state = self.state();
        match (self.stage.safety_mut(), by) {
            (Some(check), Side::Receiver) => check.checked_at = check.checked_at.or(Some(now)),
            _ => return Err(StepRefused { state }),
        }
        Ok(self)
    }

    /// What the time that has passed makes of it: an open transfer expires, a safety check that was not made becomes
    /// overdue, once.
    ///
    /// # Errors
    /// Nothing is due.
    pub fn lapse(mut self, now: Timestamp) -> Result<(Lapse, Self), StepRefused> {
        if self.expires_at <= now && self.state().is_open() {
            let expired = self.step(|stage| match stage {
                Stage::Requested => Ok(Stage::Expired(None)),
                Stage::Offered(offer) | Stage::Confirmed(offer) => Ok(Stage::Expired(Some(offer))),
                stage => Err(stage),
            })?;
            return Ok((Lapse::Expired, expired));
        }
        let state = self.state();
        match self.stage.safety_mut() {
            Some(check) if check.due_at <= now && check.checked_at.is_none() && check.escalated_at.is_none() => {
                check.escalated_at = Some(now);
                Ok((Lapse::SafetyOverdue, self))
            }
            _ => Err(StepRefused { state }),
        }
    }

    /// The transfer at its next stage, or at which it is where that is not to be reached.
    fn step(self, next: impl FnOnce(Stage) -> Result<Stage, Stage>) -> Result<Self, StepRefused> {
        let stage = next(self.stage).map_err(|stage| StepRefused { state: stage.state() })?;
        Ok(Self { stage, ..self })
    }
}

/// An open transfer ends by itself after this long without being taken over.
pub const EXPIRES_AFTER: Duration = Duration::days(30);

/// In an urgent case the child is seen face to face within 48 hours of the offer (48時間ルール), or both
/// bodies and the receiver's center are told.
pub const SAFETY_CHECK_WITHIN: Duration = Duration::hours(48);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn offer(is_urgent: bool) -> Offer {
        Offer::new(3, Some(vec![ItemGroup::Case, ItemGroup::Reporter]), is_urgent, Timestamp::from_micros(NOW))
    }

    fn at(state: TransferState, is_urgent: bool) -> Transfer {
        let of = |code: &str| OrganizationCode::parse(code).unwrap();
        let (owner, receiver) = (of("122319"), of("131130"));
        let begun = Transfer::begun(Uuid::nil(), Uuid::nil(), owner, receiver, Timestamp::from_micros(NOW));
        let offer = (state != TransferState::Requested).then(|| offer(is_urgent));
        Transfer { stage: Stage::of(state, offer).unwrap(), ..begun }
    }

    fn after(hours: i64) -> Timestamp {
        Timestamp::from_micros(NOW).plus(Duration::hours(hours))
    }

    /// Each step that is open: from which state, to which side, into which state.
    const OPEN: &str = "\
offer: requested -> offered
Receiver confirm: offered -> confirmed
Owner reject: requested -> rejected
Receiver reject: offered -> rejected
Receiver reject: confirmed -> rejected
Receiver take_over: confirmed -> taken_over
Receiver withdraw: requested -> withdrawn
Owner withdraw: offered -> withdrawn
Owner withdraw: confirmed -> withdrawn
Receiver check_safety: offered -> offered
Receiver check_safety: confirmed -> confirmed
Receiver check_safety: taken_over -> taken_over
Expired: requested -> expired
Expired: offered -> expired
Expired: confirmed -> expired
SafetyOverdue: taken_over -> taken_over
";

    #[test]
    fn every_step_is_open_to_one_side_in_some_states_and_to_nobody_else() {
        type NamedStep = (&'static str, fn(Transfer, Side) -> Result<Transfer, StepRefused>);
        let steps: [NamedStep; 5] = [
            ("confirm", Transfer::confirm),
            ("reject", Transfer::reject),
            ("take_over", Transfer::take_over),
            ("withdraw", Transfer::withdraw),
            ("check_safety", |transfer, by| transfer.check_safety(by, after(1))),
        ];
        let mut open: Vec<String> = Vec::new();
        let mut note = |step: String, from: TransferState, outcome: Result<Transfer, StepRefused>| match outcome {
            Ok(next) => open.push(format!("{step}: {} -> {}", from.as_str(), next.state().as_str())),
            Err(refused) => assert_eq!(refused.state, from),
        };
        for from in TransferState::ALL.iter().copied() {
            note("offer".into(), from, at(from, true).offer(offer(false)));
            for by in [Side::Owner, Side::Receiver] {
                for (name, step) in steps {
                    note(format!("{by:?} {name}"), from, step(at(from, true), by));
                }
            }
            match at(from, true).lapse(after(24 * 31)) {
                Ok((lapse, next)) => note(format!("{lapse:?}"), from, Ok(next)),
                Err(refused) => note(String::new(), from, Err(refused)),
            }
        }
        let mut expected: Vec<&str> = OPEN.lines().collect();
        expected.sort_unstable();
        open.sort();
        assert_eq!(open, expected);
    }

    #[test]
    fn an_offer_goes_along_to_the_end_with_the_index_and_without_the_reporter() {
        let mut transfer = at(TransferState::Requested, false).offer(offer(true)).unwrap();
        assert_eq!(transfer.expires_at, after(24 * 30));
        for step in [Transfer::confirm, Transfer::take_over] {
            transfer = step(transfer, Side::Receiver).unwrap();
            assert_eq!(transfer.offered(), Some(&offer(true)));
        }
        assert_eq!(offer(true).groups, GroupSet::of([ItemGroup::Index, ItemGroup::Case]));
        let everything = Offer::new(1, None, false, after(0)).groups;
        assert_eq!(
            everything,
            GroupSet::of(ItemGroup::ALL.iter().copied()).without(GroupSet::of([ItemGroup::Reporter]))
        );
        for ended in [
            at(TransferState::Offered, false).reject(Side::Receiver),
            at(TransferState::Offered, false).withdraw(Side::Owner),
        ] {
            assert_eq!(ended.unwrap().offered(), Some(&offer(false)));
        }
    }

    #[test]
    fn a_safety_check_is_overdue_after_48_hours_once_and_never_where_it_was_made() {
        let urgent = || at(TransferState::Offered, true);
        assert!(urgent().lapse(after(47)).is_err());
        let (lapse, escalated) = urgent().lapse(after(48)).unwrap();
        assert_eq!(lapse, Lapse::SafetyOverdue);
        assert!(escalated.clone().lapse(after(49)).is_err());
        let checked = urgent().check_safety(Side::Receiver, after(1)).unwrap();
        assert!(checked.clone().lapse(after(48)).is_err());
        let again = checked.check_safety(Side::Receiver, after(2)).unwrap();
        assert_eq!(again.offered().unwrap().safety.as_ref().unwrap().checked_at, Some(after(1)));
        assert!(at(TransferState::Offered, false).check_safety(Side::Receiver, after(1)).is_err());
        assert!(at(TransferState::Offered, false).lapse(after(48)).is_err());
    }

    #[test]
    fn a_stage_has_an_offer_where_there_must_be_one() {
        for state in TransferState::ALL.iter().copied() {
            let without = Stage::of(state, None).is_some();
            let with = Stage::of(state, Some(offer(false))).is_some();
            let expected = match state {
                TransferState::Requested => (true, false),
                TransferState::Offered | TransferState::Confirmed | TransferState::TakenOver => (false, true),
                TransferState::Rejected | TransferState::Withdrawn | TransferState::Expired => (true, true),
            };
            assert_eq!((without, with), expected, "{state:?}");
        }
    }
}
