//! Kinds of file that may be attached to a record, by either face.

use bytes::Bytes;

use crate::domain::attachment::FileContent;

/// Media types, with the bytes on which each begins.
const MEDIA: [(&str, &[u8]); 3] =
    [("image/jpeg", &[0xFF, 0xD8, 0xFF]), ("image/png", b"\x89PNG\r\n\x1a\n"), ("application/pdf", b"%PDF-")];

/// The file, where it is of a kind that may be attached, and what its media type says.
pub fn file(media_type: &str, bytes: Bytes) -> Option<FileContent> {
    let is_known = MEDIA.iter().any(|(name, start)| *name == media_type && bytes.starts_with(start));
    is_known.then(|| FileContent::new(media_type.to_owned(), bytes))
}
