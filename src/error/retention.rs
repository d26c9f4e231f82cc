//! Refusals about retention and disposal.

use super::problem::Problem;

/// Why a retention rule or a disposal is refused.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    #[error("retention shorter than the standard")]
    Shortened,
    #[error("a record's retention has not ended")]
    DisposalNotDue,
    #[error("disposal is {0}")]
    DisposalState(&'static str),
}

impl RetentionError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::Shortened => Problem::new(422, "retention_shortened", "保存期間を標準より短くすることはできません", "Retention may not be shorter than the standard").with("「全国の標準」以上の年数と年齢を入力してください。", "Enter years and ages not below the national standard."),
            Self::DisposalNotDue => Problem::new(409, "disposal_not_due", "廃棄できない記録があります", "A record on the list may not be disposed of").with("終結していない記録、保存期間が満了していない記録、情報提供が手続中の記録、又は別の廃棄一覧に載っている記録が含まれています。「保存期間が満了した記録」を開き直して確認してください。廃棄は申請されていません。", "One is not closed, its retention has not ended, a transfer of it is open, or it is on another \
                     list. Look again at the records that are due; nothing was requested."),
            Self::DisposalState(state) => {
                Problem::new(409, "disposal_state", "廃棄一覧の現在の状態では、この操作はできません", "The state of the disposal list does not allow this").with(format!("現在の状態：{state}。画面を開き直してください。"), format!("The list is {state}."))
            }
        }
    }
}
