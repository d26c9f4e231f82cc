//! A list of records to dispose of (廃棄一覧).

use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use super::organization::OrganizationCode;
use crate::clock::Timestamp;

/// How far a list has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DisposalState {
    /// One officer asked.
    Asked,
    /// It was dropped; nothing happened.
    Withdrawn,
    /// Two persons stand for it. The records stay as they are until the waiting time is over.
    Approved,
    /// When the waiting time was over, a record was not due any more; nothing happened.
    Lapsed,
    /// The records are removed; their keys are being destroyed.
    Removed,
    /// The keys are destroyed.
    Destroyed,
}

impl DisposalState {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    /// Whether its records are still to be disposed of: they are on no other list meanwhile.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Asked | Self::Approved)
    }
}

/// Why a record may not be disposed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NotDue {
    /// It is not the organization's any more.
    NotOwned,
    /// It is not closed.
    NotClosed,
    /// A transfer of it is open.
    TransferOpen,
    /// It is on another list.
    OnOtherList,
    /// Its retention has not ended.
    RetentionRuns,
}

impl NotDue {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A list of records that one officer asks to dispose of, and another approves.
#[derive(Clone)]
pub struct Disposal {
    pub id: Uuid,
    pub organization: OrganizationCode,
    pub state: DisposalState,
    pub asked_by: String,
    pub asked_at: Timestamp,
    pub decided_by: Option<String>,
    pub decided_at: Option<Timestamp>,
    /// End of the waiting time, as the owner was told. Lists that were approved before there was one have none.
    pub destroyed_after: Option<Timestamp>,
    pub lapsed_because: Option<NotDue>,
    pub destroyed_at: Option<Timestamp>,
}

impl Disposal {
    /// The end of the waiting time, where lists wait for so long after their approval: never before the owner was told.
    /// Of a list that does not wait any more it is what the owner was told.
    pub fn waits_until(&self, wait: Duration) -> Option<Timestamp> {
        let told = self.destroyed_after?;
        let approved_at = self.decided_at.filter(|_| self.state == DisposalState::Approved);
        Some(approved_at.map_or(told, |at| at.plus(wait).max(told)))
    }
}
