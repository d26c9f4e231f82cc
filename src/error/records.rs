//! Refusals about records, their locks and their shields.

use super::problem::Problem;
use crate::domain::edit_lock::EditLock;

/// Why a record cannot be changed in this way.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("stale version")]
    StaleVersion { sent: i64, current: i64 },
    #[error("record is closed")]
    Closed,
    /// Somebody else of the caller's own organization works on it. Never for anybody outside.
    #[error("record is locked by another officer")]
    Locked(Box<EditLock>),
    #[error("shield can only be lifted by two persons")]
    ShieldNeedsTwo,
    #[error("shield lift not asked for")]
    ShieldLiftNotAsked,
    #[error("the receiver of a shielded record is not named in its shield")]
    ShieldForbids,
    #[error("too many drafts")]
    TooManyDrafts,
}

impl RecordError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::StaleVersion { sent, current } => {
                Problem::new(412, "stale_version", "開いた後に内容が変更されています", "The record has changed since").with(
                    format!(
                        "この画面は第{sent}版を開いていますが、現在は第{current}版です。最新の内容を開き直してから、もう一度操作してください。"
                    ),
                    format!("You sent version {sent}; the current version is {current}. Read it again, then update."),
                )
            }
            Self::Closed => Problem::new(409, "record_closed", "この記録は終結しています", "The record is closed")
                .with("終結した記録は編集できません。", "A closed record cannot be changed."),
            Self::Locked(lock) => {
                let (officer, terminal, until) = (&lock.officer, &lock.terminal, lock.until.to_rfc3339());
                Problem::new(423, "record_locked", "ほかの職員が編集中です", "Another officer is editing the record").with(format!(
                    "職員 {officer}（端末 {terminal}）が {until} まで編集中です。編集の終了を待つか、監督者が編集を引き継いでください。"
                ), format!(
                    "Officer {officer} at terminal {terminal} holds it until {until}. Wait, or have a supervisor take it over."
                ))
            }
            Self::ShieldNeedsTwo => Problem::new(
                409,
                "shield_needs_two",
                "支援措置の解除には監督者2人の承認が必要です",
                "A shield is lifted by two persons",
            )
            .with(
                "解除を申請し、監督者2人が執務端末で承認してください。記録の更新では解除できません。",
                "Ask for it, and have two supervisors approve at a desk; an update cannot lift it.",
            ),
            Self::ShieldLiftNotAsked => Problem::new(
                409,
                "shield_lift_not_asked",
                "支援措置の解除が申請されていません",
                "Nobody has asked to lift the shield",
            )
            .with("先に解除を申請してください。", "Ask first; two supervisors then approve it."),
            Self::TooManyDrafts => Problem::new(
                409,
                "too_many_drafts",
                "下書きの件数が上限に達しています",
                "You have as many drafts as you may have",
            )
            .with("不要な下書きを破棄するか、下書きを開いて登録又は保存してください。", "Send or discard some of them first."),
            Self::ShieldForbids => {
                Problem::new(409, "shield_forbids", "支援措置のため提供できません", "The shield forbids this").with(
                    "記録を引き継ぐ機関には住所が開示されます。先に、支援措置の開示先にその機関を加えてください。",
                    "Whoever takes the record over learns the address: name that body in the shield first.",
                )
            }
        }
    }
}
