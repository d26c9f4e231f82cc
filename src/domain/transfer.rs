//! The life of a transfer (転出・転入に伴う情報提供).
//!
//! `requested → offered → confirmed → taken_over`, or `rejected`, `withdrawn`, `expired`. The record has one owner
//! throughout: it changes at `taken_over` and nowhere else.

use serde::{Deserialize, Serialize};
use time::Duration;

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
    Clock,
}

/// What is done to a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Offer,
    Confirm,
    TakeOver,
    Reject,
    Withdraw,
    Expire,
}

/// The state after a step, or `None` where the step is not open to that side in that state.
pub fn after(state: TransferState, side: Side, step: Step) -> Option<TransferState> {
    use TransferState::{Confirmed, Expired, Offered, Rejected, Requested, TakenOver, Withdrawn};
    match (state, side, step) {
        (Requested, Side::Owner, Step::Offer) => Some(Offered),
        // The owner declines a request; the receiver declines an offer, even after it has looked closer.
        (Requested, Side::Owner, Step::Reject) | (Offered | Confirmed, Side::Receiver, Step::Reject) => Some(Rejected),
        (Requested, Side::Receiver, Step::Withdraw) | (Offered | Confirmed, Side::Owner, Step::Withdraw) => {
            Some(Withdrawn)
        }
        (Offered, Side::Receiver, Step::Confirm) => Some(Confirmed),
        (Confirmed, Side::Receiver, Step::TakeOver) => Some(TakenOver),
        (Requested | Offered | Confirmed, Side::Clock, Step::Expire) => Some(Expired),
        _ => None,
    }
}

/// An open transfer ends by itself after this long without being taken over.
pub const EXPIRES_AFTER: Duration = Duration::days(30);

/// In an urgent case the child is seen face to face within 48 hours of the offer (48時間ルール), or both
/// bodies and the receiver's center are told.
pub const SAFETY_CHECK_WITHIN: Duration = Duration::hours(48);

/// What a transfer brings, or why a part of it is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "state", deny_unknown_fields)]
pub enum Brought {
    /// The transfer brings it.
    Included,
    /// There is none, or it cannot come: the written reason, 1 to 400 characters.
    Missing { reason: String },
}

/// The completeness that every offer states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Completeness {
    /// Photos of injuries and other attachments.
    pub photos: Brought,
    pub risk_sheet: Brought,
    /// Urgency with its scale.
    pub urgency: Brought,
}

/// A part that an offer claims to bring although the record has none, or that gives no reason for missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletenessFault {
    ClaimedButAbsent(&'static str),
    ReasonMissing(&'static str),
}

impl Completeness {
    /// Holds what the offer states against what the record has.
    ///
    /// # Errors
    /// The first part whose statement is untrue or gives no reason.
    pub fn check(&self, has_photos: bool, has_risk_sheet: bool, has_urgency: bool) -> Result<(), CompletenessFault> {
        let parts = [
            ("photos", &self.photos, has_photos),
            ("risk_sheet", &self.risk_sheet, has_risk_sheet),
            ("urgency", &self.urgency, has_urgency),
        ];
        for (part, brought, present) in parts {
            match brought {
                Brought::Included if !present => return Err(CompletenessFault::ClaimedButAbsent(part)),
                Brought::Missing { reason } if reason.trim().is_empty() || reason.chars().count() > 400 => {
                    return Err(CompletenessFault::ReasonMissing(part));
                }
                Brought::Included | Brought::Missing { .. } => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_leaves_an_ended_transfer_and_only_the_receiver_takes_over() {
        for state in TransferState::ALL.iter().copied() {
            for side in [Side::Owner, Side::Receiver, Side::Clock] {
                for step in [Step::Offer, Step::Confirm, Step::TakeOver, Step::Reject, Step::Withdraw, Step::Expire] {
                    let next = after(state, side, step);
                    assert!(state.is_open() || next.is_none(), "{state:?} {side:?} {step:?}");
                    if next == Some(TransferState::TakenOver) {
                        assert_eq!((state, side), (TransferState::Confirmed, Side::Receiver));
                    }
                }
            }
        }
    }
}
