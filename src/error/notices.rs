//! Refusals about missing-child notices.

use super::told::Told;

/// Why a missing-child notice cannot be changed or answered so.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    #[error("notice is cancelled")]
    Cancelled,
    #[error("the center has told of a sighting")]
    Sighted,
}

impl NoticeError {
    pub(super) fn told(&self) -> Told {
        match self {
            Self::Cancelled => Told::new(409, "notice_cancelled", "解除された通知です", "The notice has been cancelled").with("新しい通知を発出してください。", "Broadcast a new one."),
            Self::Sighted => Told::new(409, "notice_sighted", "目撃を回答済みです", "A sighting has been answered").with("同じ機関の目撃の回答は「該当なし」では取り消せません。誤りは sighted の details に書いて回答してください。", "Your organization has told of a sighting, which not_here does not take back. Correct it in the \
                     details of another answer sighted."),
        }
    }
}
