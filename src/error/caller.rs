//! Refusals of a caller: not recognized, or not allowed.

use super::problem::Problem;
use crate::{domain::organization::OrganizationKind, identity::directory::Unrecognized};

/// Why a caller is refused, whatever is asked.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    #[error("caller not recognized: {0}")]
    Unrecognized(#[from] Unrecognized),
    #[error("revocation lists expired")]
    RevocationListExpired,
    /// A machine, or somebody who showed no second factor.
    #[error("a sharp act needs a person at a desk with a second factor")]
    NotSharp,
    /// The second factor was shown a while ago, in a browser that stands open since.
    #[error("a sharp act on a page needs the second factor again")]
    ShownLongAgo,
    #[error("purpose not of this caller")]
    Purpose,
    #[error("role or kind of organization not allowed")]
    NotAllowed { kinds: &'static [OrganizationKind], roles: Vec<&'static str> },
}

impl CallerError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::Unrecognized(Unrecognized::Organization | Unrecognized::Terminal) => Problem::new(
                401,
                "terminal_not_recognized",
                "この端末は登録されていません",
                "This terminal is not registered",
            )
            .with(
                "所属機関の管理責任者に連絡してください。",
                "Contact the user administrator of your organization.",
            ),
            Self::Unrecognized(Unrecognized::TerminalRevoked) => {
                Problem::new(401, "terminal_revoked", "この端末は失効しています", "This terminal has been revoked")
                    .with("所属機関の管理責任者に、新しい証明書の発行を依頼してください。", "Ask the user administrator of your organization for a new certificate.")
            }
            Self::Unrecognized(Unrecognized::CertificateExpired) => {
                Problem::new(401, "certificate_expired", "証明書の有効期限が切れています", "The certificate has expired")
                    .with("所属機関の管理責任者に、新しい証明書の発行を依頼してください。", "Ask the user administrator of your organization for a new certificate.")
            }
            Self::Unrecognized(Unrecognized::OfficerMissing) => {
                Problem::new(401, "officer_missing", "担当者が指定されていません", "No officer is named").with(
                    "業務システムは Tsunagi-Officer ヘッダーで担当者を指定してください。執務端末では、先にサインインしてください。",
                    "A case system names its officer in the header Tsunagi-Officer; a desk signs in first.",
                )
            }
            Self::Unrecognized(Unrecognized::Officer) => Problem::new(
                401,
                "officer_not_active",
                "担当者が有効な職員として登録されていません",
                "The officer is not an active staff member",
            )
            .with("所属機関の管理責任者に、職員の登録を確認してください。", "Ask the user administrator of your organization."),
            Self::Unrecognized(Unrecognized::Session) => {
                Problem::new(401, "session_invalid", "サインインが必要です", "Sign in first")
                    .with("一定の時間操作がなかったか、サインアウトしたため、サインインし直してください。", "You were inactive for some time, or signed out. Sign in again.")
            }
            Self::RevocationListExpired => Problem::new(
                503,
                "revocation_list_expired",
                "失効リストの期限が切れています",
                "The revocation list has expired",
            )
            .with("システム運用者が失効リストを更新するまで利用できません。", "The operator must publish a new list."),
            Self::NotSharp => not_sharp(),
            Self::ShownLongAgo => shown_long_ago(),
            Self::Purpose => Problem::new(
                403,
                "purpose_not_allowed",
                "この利用目的では閲覧できません",
                "The caller cannot look for this purpose",
            )
            .with(
                "所属機関の業務に合った利用目的を指定してください。重大事案の検証は、こども家庭庁が行います。",
                "State a purpose that your body has: serious cases are reviewed by the ministry.",
            ),
            Self::NotAllowed { kinds, roles } => {
                let kinds = kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
                let roles = roles.join(", ");
                Problem::new(403, "not_allowed", "この操作は許可されていません", "This is not allowed to the caller").with(
                    format!("この画面・操作を利用できる機関の種別：{kinds}。役割：{roles}。"),
                    format!("For: {kinds}, in the role {roles}."),
                )
            }
        }
    }
}

/// A machine, or somebody with a password alone.
fn not_sharp() -> Problem {
    Problem::new(
        403,
        "sharp_act_needs_person",
        "この操作は、執務端末で二要素認証でサインインした職員が行います",
        "This is done by a person who signed in at a desk with a second factor",
    )
    .with(
        "業務システムから行えるのは、申請までです。執務端末で、認証アプリのコードを使ってサインインし直してください。",
        "A case system can at most ask for it. Sign in at a desk with a code of your device.",
    )
}

/// A page that stood open.
fn shown_long_ago() -> Problem {
    Problem::new(
        403,
        "second_factor_again",
        "この操作の前に、もう一度本人確認が必要です",
        "Show your second factor again before this",
    )
    .with(
        "操作の画面からもう一度送信し、認証アプリのコードを入力するか、パスキーを使ってください。",
        "Send the form again, and enter a code of your device or use a passkey.",
    )
}
