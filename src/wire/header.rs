//! Headers that this API defines.

use axum::http::HeaderName;

/// In which a case system names its responsible officer.
pub const OFFICER: HeaderName = HeaderName::from_static("tsunagi-officer");
/// By which a caller states why it looks.
pub const PURPOSE: HeaderName = HeaderName::from_static("tsunagi-purpose");
/// Of a file: `injury_photo` or `other`.
pub const ATTACHMENT_KIND: HeaderName = HeaderName::from_static("tsunagi-attachment-kind");
/// By which a repeated write is known.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Names the ledger entries that account for an answer.
pub const LEDGER_ENTRIES: HeaderName = HeaderName::from_static("tsunagi-ledger-entries");
