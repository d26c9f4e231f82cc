//! Refusals about missing-child notices.

use super::problem::Problem;

/// Why a missing-child notice cannot be changed or answered in this way.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    #[error("notice is cancelled")]
    Cancelled,
    #[error("the center has reported a sighting")]
    Sighted,
}

impl NoticeError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::Cancelled => Problem::new(409, "notice_cancelled", "この通知は解除されています", "The notice has been cancelled").with("新しい通知を発出してください。", "Broadcast a new one."),
            Self::Sighted => Problem::new(409, "notice_sighted", "目撃情報を回答済みです", "A sighting has been reported").with("自機関が回答した目撃情報は、「該当なし」（not_here）の回答では取り消せません。誤りがあるときは、再度 sighted で回答し、details に訂正を記載してください。", "Your organization has reported a sighting, which not_here does not take back. Answer sighted \
                     again and correct it in details."),
        }
    }
}
