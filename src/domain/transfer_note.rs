//! What people write to a transfer, and the completeness that every offer states.

use serde::{Deserialize, Serialize};

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

/// What people wrote to a transfer.
#[derive(Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TransferNote {
    /// Why the receiver asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completeness: Option<Completeness>,
    /// Why it was rejected or withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
}
