//! Attachments: photos and papers of a record.

use bytes::Bytes;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::photo;
use crate::clock::Timestamp;

/// A file as it was sent. Whether its bytes begin like one of its kind has been looked at by the faces.
pub struct FileContent {
    media_type: String,
    bytes: Bytes,
}

impl FileContent {
    pub fn new(media_type: String, bytes: Bytes) -> Self {
        Self { media_type, bytes }
    }

    /// The file without what a camera writes beside its picture; `None` for a photo that is not whole.
    pub fn bare(self) -> Option<Self> {
        let bytes = photo::bare(&self.media_type, self.bytes)?;
        Some(Self { bytes, ..self })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its line in the list of a record's attachments.
    pub fn line(self, id: Uuid, kind: AttachmentKind, at: Timestamp) -> AttachmentLine {
        let bytes = i64::try_from(self.bytes.len()).unwrap_or(i64::MAX);
        AttachmentLine { id, media_type: self.media_type, kind: kind.as_str().to_owned(), bytes, at }
    }
}

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
