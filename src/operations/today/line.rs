//! One thing that somebody waits for.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    domain::{organization::OrganizationCode, sharp_act::SharpKind},
};

/// What there is to do. In the order in which it is listed: what a child may be waiting for comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TodayKind {
    /// A child is missing, and this center has not answered.
    MissingNotice,
    /// A search came upon a shielded record of the body's.
    ShieldApproached,
    /// The child of an urgent transfer is to be seen.
    SafetyCheck,
    /// The glass was broken on a record of the body's, and nobody has reviewed it.
    BreakGlass,
    /// The watch over searches noticed a pattern.
    SearchAlert,
    /// Another body offers a record: confirm that it is the child, or decline.
    TransferOffered,
    /// A record is confirmed: take it over, or decline.
    TransferConfirmed,
    /// Another body asks for a record: offer it, or decline.
    TransferRequested,
    /// An offer of the body's own that the receiver has not confirmed yet.
    TransferUnconfirmed,
    /// Another body asks a question about a record.
    Inquiry,
    /// A sharp act waits for this officer.
    SharpAct,
    /// A sharp act of others to which this body may object.
    Objection,
}

/// One thing that there is to do: ids, codes and times, and the child of an own record.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TodayLine {
    pub kind: TodayKind,
    /// A transfer, notice, inquiry, break-glass or waiting act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Uuid>,
    /// Where it is about one record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    /// The other body: who offers, asks, searched, broke the glass, is offered to, or issued the notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<OrganizationCode>,
    /// RFC 3339, UTC.
    pub since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Whether it should have been done by now.
    pub overdue: bool,
    /// Whether it is an exercise; of a notice alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exercise: bool,
    /// Of a sharp act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<SharpKind>,
    /// Of what the inbox alone knows: the kind of its message, and the position that acknowledges it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// Of an own record, for those who may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<TodayChild>,
}

/// The child of an own record.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct TodayChild {
    pub name: String,
    /// `2018-04-01`, or its known part.
    pub birth_date: String,
}

impl TodayLine {
    pub(super) fn new(kind: TodayKind, subject: impl Into<Option<Uuid>>, since: Timestamp) -> Self {
        Self {
            kind,
            subject: subject.into(),
            record: None,
            other: None,
            since: since.to_rfc3339(),
            due: None,
            overdue: false,
            exercise: false,
            act: None,
            message: None,
            position: None,
            child: None,
        }
    }

    pub(super) fn about(self, record: impl Into<Option<Uuid>>) -> Self {
        Self { record: record.into(), ..self }
    }

    pub(super) fn with(self, other: &OrganizationCode) -> Self {
        Self { other: Some(other.clone()), ..self }
    }

    pub(super) fn due(self, at: Timestamp, now: Timestamp) -> Self {
        Self { due: Some(at.to_rfc3339()), overdue: at <= now, ..self }
    }

    /// What comes first: the kind, then what is due first or has waited longest.
    pub(super) fn order(&self) -> (TodayKind, &str) {
        (self.kind, self.due.as_deref().unwrap_or(&self.since))
    }
}
