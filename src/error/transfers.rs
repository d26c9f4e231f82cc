//! Refusals about transfers.

use super::told::Told;
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
    pub(super) fn told(&self) -> Told {
        match self {
            Self::Step { state } => {
                Told::new(409, "transfer_state", "この段階ではできません", "Not possible in this state").with(
                    format!("情報提供の状態は {} です。", state.as_str()),
                    format!("The transfer is {}.", state.as_str()),
                )
            }
            Self::Open => {
                Told::new(409, "transfer_open", "この記録の情報提供が進行中です", "A transfer of this record is open")
                    .with("先にそれを終えるか取り下げてください。", "End or withdraw it first.")
            }
            Self::Completeness(fault) => {
                let (part, ja, en) = match fault {
                    CompletenessFault::ClaimedButAbsent(part) => (
                        part,
                        "記録にありません。理由を書いて missing としてください。",
                        "is not in the record; state it as missing, with the reason.",
                    ),
                    CompletenessFault::ReasonMissing(part) => (
                        part,
                        "無い理由を400文字以内で書いてください。",
                        "is missing: write the reason in at most 400 characters.",
                    ),
                };
                Told::new(
                    422,
                    "completeness",
                    "引き継ぐ内容の申告が記録と合いません",
                    "The stated completeness does not fit the record",
                )
                .with(format!("{part}: {ja}"), format!("{part} {en}"))
            }
        }
    }
}
