//! Refusals about bodies, staff and terminals.

use super::problem::Problem;

/// Why an act on a body, its staff or its terminals is refused.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("the operator appoints only the first user administrator")]
    FirstAdministratorOnly,
    #[error("settings above the ceiling")]
    SettingsUnlawful,
}

impl AccountError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::FirstAdministratorOnly => Problem::new(
                403,
                "first_administrator_only",
                "他の機関についてシステム運用者が登録できるのは、最初の利用者管理者だけです",
                "The operator appoints only the first user administrator of another body",
            )
            .with("その機関の利用者管理者に依頼してください。", "Ask a user administrator of that body."),
            Self::SettingsUnlawful => Problem::new(
                422,
                "settings_unlawful",
                "設定が全国の上限または下限を超えています",
                "The settings go beyond the national bounds",
            )
            .with("閲覧制限の標準設定が定める範囲で指定してください。", "Stay within what the standard matrix allows."),
        }
    }
}
