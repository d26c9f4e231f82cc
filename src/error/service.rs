//! The gateway cannot serve now: too many calls, or its journal, store or keys fail.

use super::problem::Problem;
use crate::{
    journal::error::JournalError,
    keys::error::{KeyError, MASTER},
    store::error::StoreError,
};

/// Why the gateway does not serve this now.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("keys are being wrapped anew already")]
    RewrapRunning,
    #[error("rate limited")]
    RateLimited { retry_after_seconds: u64 },
    #[error("overloaded")]
    Overloaded,
}

impl ServiceError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::RewrapRunning => {
                Problem::new(409, "rewrap_running", "鍵の掛け替えが進行中です", "Keys are being wrapped anew already")
                    .with(
                        "「鍵の掛け替え」の「進み具合」を確認してください。",
                        "Look at the progress on the page of keys.",
                    )
            }
            Self::RateLimited { retry_after_seconds } => {
                Problem::new(429, "rate_limited", "短い時間に操作が集中しました", "Too many requests").with(
                    format!("{retry_after_seconds}秒待ってから、もう一度操作してください。"),
                    format!("Try again after {retry_after_seconds} seconds."),
                )
            }
            Self::Overloaded => {
                Problem::new(503, "overloaded", "システムが混み合っています", "The gateway is overloaded").with(
                    "少し待ってから、もう一度操作してください。操作は行われていません。",
                    "Wait a little, then try again; nothing was done.",
                )
            }
        }
    }
}

/// What a client gets where the journal failed.
pub(super) fn problem_of_journal(error: &JournalError) -> Problem {
    match error {
        JournalError::Full => ServiceError::Overloaded.problem(),
        JournalError::Unavailable => Problem::new(
            503,
            "journal_unavailable",
            "記録簿に書き込めないため、開示を行いませんでした",
            "The ledger cannot be written, so nothing was disclosed",
        )
        .with("しばらく待ってからやり直してください。", "Try again shortly."),
        JournalError::Stale => Problem::new(
            503,
            "changed_meanwhile",
            "処理中に内容が変わりました",
            "The state changed while the request was decided",
        )
        .with(
            "画面を開き直してから、もう一度操作してください。操作は行われていません。",
            "Open the page again, then try once more; nothing was done.",
        ),
    }
}

fn keyring() -> Problem {
    Problem::new(503, "keyring", "鍵束を読み書きできません", "The keyring cannot be read or written")
        .with("システム運用者が鍵束のファイルを確認してください。", "The operator must check the files of the keyring.")
}

/// What a client gets where the store failed.
pub(super) fn problem_of_store(error: &StoreError) -> Problem {
    match error {
        error if error.is_outage() => {
            Problem::new(503, "database_unavailable", "データベースを利用できません", "The database is not available")
                .with(
                    "しばらく待ってからやり直してください。開示は行われていません。",
                    "Try again shortly; nothing was disclosed.",
                )
        }
        StoreError::Key(KeyError::Token(_)) => Problem::new(
            503,
            "key_token",
            "マスター鍵のトークンを使用できません",
            "The token that holds the master key cannot be used",
        )
        .with(
            "システム運用者がトークンとPINを確認してください。閲覧・検索・登録は引き続き利用できます。",
            "The operator must check the token and its PIN. Viewing, searching and registering go on.",
        ),
        StoreError::Key(KeyError::Missing { prefecture, .. }) if prefecture == MASTER => keyring(),
        // A record whose prefecture's key is damaged is set aside as a row that is.
        StoreError::Refuted(_) | StoreError::Key(KeyError::Missing { .. } | KeyError::Damaged { .. }) => Problem::new(
            503,
            "row_refuted",
            "保存されているデータに改ざんの疑いがあるため、この操作は行えません",
            "What is stored is not what the gateway wrote, so this is not done",
        )
        .with(
            "システム運用者に通知しました。復旧するまで、この記録や端末に関する操作はできません。",
            "The operator has been told. What rests on it waits until it is had back.",
        ),
        StoreError::Stream(_) => {
            Problem::new(503, "stream", "バックアップの保存先を読み取れません", "The backup stream cannot be read")
                .with(
                    "システム運用者が保存先のディレクトリを確認してください。",
                    "The operator must check the directory of the stream.",
                )
        }
        StoreError::Key(KeyError::Keyring(_)) => keyring(),
        _ => Problem::new(500, "internal", "内部エラーが発生しました", "Internal error").with(
            "画面の下の番号（request_id）を添えて、システム運用者に連絡してください。",
            "Give the operator the number at the foot of the page (request_id).",
        ),
    }
}
