//! A list of records to dispose of (廃棄一覧).

use serde::{Deserialize, Serialize};
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
    /// Another officer approved, and the records are removed; their keys are being destroyed.
    Approved,
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
    pub destroyed_at: Option<Timestamp>,
}
