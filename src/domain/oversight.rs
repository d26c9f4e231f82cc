//! What is written about a record by those who look after others' work: reviews, reasons, questions.

use serde::Serialize;
use uuid::Uuid;

/// A designation or a review note of a serious case.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SeriousNote {
    pub id: Uuid,
    pub organization: String,
    pub officer: String,
    /// `designation` or `review`.
    pub kind: String,
    /// RFC 3339, UTC.
    pub at: String,
    pub note: String,
}

/// A break-glass as its reviewers see it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BrokenGlass {
    pub id: Uuid,
    pub record: Uuid,
    pub organization: String,
    pub officer: String,
    /// Name of the officer, as the body had registered it at that time.
    pub officer_name: String,
    pub until: String,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed_at: Option<String>,
}

/// A question to the owner of a shielded record, through the gateway.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Inquiry {
    pub id: Uuid,
    pub record: Uuid,
    /// The asking center; the owner is not named.
    pub asker: String,
    pub at: String,
    pub question: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}
