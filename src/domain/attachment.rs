//! Attachments: photos and papers of a record.

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock::Timestamp;

/// The content of one attachment.
pub struct Attachment {
    pub at: Timestamp,
    pub media_type: String,
    pub content: Zeroizing<Vec<u8>>,
}

/// One line of the list of a record's attachments.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct AttachmentLine {
    pub id: Uuid,
    pub media_type: String,
    /// `injury_photo` or `other`.
    pub kind: String,
    pub bytes: i64,
    /// When it was attached.
    #[serde(serialize_with = "crate::clock::as_rfc3339")]
    #[schema(value_type = String)]
    pub at: Timestamp,
}

/// What a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum AttachmentKind {
    InjuryPhoto,
    Other,
}

impl AttachmentKind {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
