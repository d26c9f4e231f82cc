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
            Self::Cancelled => Problem::new(409, "notice_cancelled", "この通知は解除されています", "The notice has been cancelled").with("解除された通知は、更新も回答もできません。", "A cancelled notice can be neither updated nor answered."),
            Self::Sighted => Problem::new(409, "notice_sighted", "目撃情報を回答済みです", "A sighting has been reported").with("自機関が回答した目撃は、「管内に該当なし」の回答では取り消せません。誤りがあるときは、「目撃・該当の可能性あり」を選び、「目撃の内容」に訂正を入力してください。", "Your organization has reported a sighting, which not_here does not take back. Answer sighted \
                     again and correct it in details."),
        }
    }
}
