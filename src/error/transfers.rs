//! Refusals about transfers.

use super::problem::Problem;
use crate::domain::{transfer::TransferState, transfer_note::CompletenessFault};

/// Why a step of a transfer is not possible.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("transfer is {state:?}")]
    Step { state: TransferState },
    #[error("transfer already open")]
    Open,
    #[error("completeness: {0:?}")]
    Completeness(CompletenessFault),
}

impl TransferError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::Step { state } => Problem::new(
                409,
                "transfer_state",
                "情報提供の現在の状態では、この操作はできません",
                "The state of the transfer does not allow this",
            )
            .with(
                format!("現在の状態：{}。画面を開き直してください。", state.as_str()),
                format!("The transfer is {}.", state.as_str()),
            ),
            Self::Open => Problem::new(
                409,
                "transfer_open",
                "この記録の情報提供が手続中です",
                "A transfer of this record is open",
            )
            .with(
                "手続中の情報提供を引き継ぐか、取り下げてから、もう一度操作してください。",
                "End or withdraw it first.",
            ),
            Self::Completeness(fault) => {
                let (part, ja, en) = match fault {
                    CompletenessFault::ClaimedButAbsent(part) => (
                        part,
                        "は記録にありません。「提供しない・記録なし」（missing）とし、理由を入力してください。",
                        "is not in the record; state it as missing, with the reason.",
                    ),
                    CompletenessFault::ReasonMissing(part) => (
                        part,
                        "がない理由、又は提供しない理由を、1～400文字で入力してください。",
                        "is missing: give the reason in at most 400 characters.",
                    ),
                };
                Problem::new(
                    422,
                    "completeness",
                    "提供する内容の申告が記録と一致しません",
                    "The stated completeness does not fit the record",
                )
                .with(format!("{part} {ja}"), format!("{part} {en}"))
            }
        }
    }
}
