//! Missing-child notices (行方不明児童・CA情報), with the life cycle of the Common Alerting Protocol.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::organization::OrganizationCode;
use crate::clock::Timestamp;

/// A notice without its content.
#[derive(Clone)]
pub struct Notice {
    pub id: Uuid,
    pub issuer: OrganizationCode,
    pub version: i64,
    pub state: NoticeState,
    pub exercise: bool,
    pub issued_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Whether a notice is meant (CAP 1.2 `status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeStatus {
    Actual,
    Exercise,
}

/// What the latest message of a notice is (CAP 1.2 `msgType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NoticeState {
    Alert,
    Update,
    Cancel,
}

impl NoticeState {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Which notices are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedNotices {
    /// Those that stand.
    Standing,
    /// Those that were cancelled.
    Ended,
    All,
}

/// The child a notice is about. No address and no affiliation: a notice goes to every center in the country.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MissingChild {
    /// Name as written, 1 to 120 characters.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kana: Option<String>,
    /// Code of the list `SexCode`.
    pub sex: String,
    /// Any form of date that the national format accepts.
    pub birth_date: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardians: Vec<String>,
}

/// The content of a notice.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeContent {
    pub status: NoticeStatus,
    pub child: MissingChild,
    /// Circumstances and appearance, 1 to 4,000 characters.
    pub circumstances: String,
    /// Whom to call, 1 to 200 characters.
    pub contact: String,
}

/// What a center answers to a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum NoticeAnswer {
    NotHere,
    Sighted,
}

impl NoticeAnswer {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What one center did with a notice.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CenterState {
    pub center: String,
    /// RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    /// `not_here` or `sighted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// All that it reported, the latest last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}
