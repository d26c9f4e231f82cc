//! Refusals about bodies, staff, terminals, and what people sign in with.

use super::problem::Problem;
use crate::{
    clock::Timestamp,
    identity::password::{LONGEST, SHORTEST, WeakPassword},
};

/// Why an act on a body, its staff or its terminals is refused.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("settings above the ceiling")]
    SettingsUnlawful,
    /// An id stays its first person's, whatever became of them.
    #[error("staff id was given before")]
    StaffIdTaken,
    #[error("password refused")]
    WeakPassword(WeakPassword),
    #[error("password is to be renewed")]
    PasswordExpired,
    /// Unknown, revoked, or another password: which of them, nobody is told.
    #[error("id or password wrong")]
    SignInRefused,
    #[error("second factor not shown")]
    SecondFactorMissing,
    /// A password that was right, and a code that was not; or nothing was right.
    #[error("the code of the device is wrong, old or used")]
    SecondFactorWrong,
    #[error("the authenticator's answer is no passkey for this gateway")]
    PasskeyRefused,
    #[error("a second factor is enrolled already")]
    SecondFactorThere,
    #[error("locked at this terminal")]
    SignInLocked { retry_after_seconds: u64 },
    #[error("enrolment code unknown, used or expired")]
    EnrolmentCode,
    #[error("the code opens a body with another number of persons")]
    FirstPersons,
    #[error("the body has persons of its own")]
    BodyIsOpen,
    #[error("a first administrator anew was not approved")]
    ReopeningNotApproved,
    #[error("a credential of somebody who is not new needs two persons")]
    CredentialNeedsTwo,
}

/// Why a waiting sharp act cannot be confirmed.
#[derive(Debug, thiserror::Error)]
pub enum SharpError {
    #[error("the two do not count as two: {0}")]
    NotTwo(&'static str),
    #[error("already decided: {0}")]
    State(&'static str),
    #[error("not before {until}")]
    TooEarly { until: String },
    #[error("asked for already")]
    AskedAlready,
    /// What it was asked about is another thing now, who asked is gone, or the body has people again.
    #[error("what it rests on has changed since it was asked")]
    Outdated,
    #[error("more roles or a credential for oneself")]
    ForOneself,
    /// Whom another body lends stands beside one of the own body.
    #[error("a person of the body itself stands for it first")]
    NotFirst,
    #[error("too many acts wait")]
    TooManyWait,
    #[error("naming a body under a shield needs two persons")]
    NamingNeedsTwo,
    #[error("retiring keys was not approved by two persons")]
    RetirementNotApproved,
}

impl AccountError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::WeakPassword(weak) => weak_password(*weak),
            Self::SignInRefused
            | Self::PasswordExpired
            | Self::SecondFactorMissing
            | Self::SecondFactorWrong
            | Self::SecondFactorThere
            | Self::SignInLocked { .. }
            | Self::PasskeyRefused
            | Self::EnrolmentCode => self.problem_of_sign_in(),
            Self::SettingsUnlawful => Problem::new(
                422,
                "settings_unlawful",
                "設定が全国共通の範囲を超えています",
                "The settings go beyond the national bounds",
            )
            .with("「変更不可（全国共通）」の項目は変更できません。それ以外の項目を選び直してください。", "Items that are the same nationwide cannot be changed. Choose others."),
            Self::StaffIdTaken => Problem::new(
                409,
                "staff_id_taken",
                "この職員番号は既に使われています",
                "This staff id was given before",
            )
            .with(
                "失効した職員の番号も再び使うことはできません。別の番号で申請してください。",
                "An id is never given again, not even to the same person. Ask with another one.",
            ),
            Self::FirstPersons => Problem::new(
                422,
                "first_persons",
                "利用開始時に登録する人数が正しくありません",
                "The number of first persons is not right",
            )
            .with(
                "管理責任者と認証情報管理者の2人を登録してください。1人だけで登録できるのは市町村に限ります。",
                "Enrol two: who administers users and who manages credentials. A municipality alone may enrol one.",
            ),
            Self::BodyIsOpen => Problem::new(
                409,
                "body_is_open",
                "この機関には既に職員又は記録があります",
                "The body has staff or records already",
            )
            .with(
                "管理責任者がいない場合は、管理責任者の再選任を申請してください。",
                "Where it has no administrator any more, ask for a first one anew.",
            ),
            Self::ReopeningNotApproved => Problem::new(
                409,
                "reopening_not_approved",
                "管理責任者の再選任が承認されていません",
                "A first administrator anew has not been approved",
            )
            .with(
                "その機関の職員が登録済みの端末から申請するか、職員がいない場合はシステム運用者2人の承認と所定の期間が必要です。取り下げられた場合は、改めて申請してください。",
                "An officer of that body asks at a terminal of long standing; where none is left, two operators approve. Where it was withdrawn, ask anew.",
            ),
            Self::CredentialNeedsTwo => Problem::new(
                409,
                "credential_needs_two",
                "この職員の認証情報の発行には2人の承認が必要です",
                "Issuing this person's credential needs two persons",
            )
            .with(
                "登録されたばかりの職員ではありません。発行を申請し、2人の承認を受けてください。",
                "The person is not new, or had one. Ask for a reissue; two persons approve it.",
            ),
        }
    }

    fn problem_of_sign_in(&self) -> Problem {
        match self {
            Self::SignInRefused => Problem::new(
                401,
                "sign_in_refused",
                "職員番号又はパスワードが正しくありません",
                "The id or the password is not right",
            )
            .with(
                "入力し直してください。分からない場合は、所属機関の監督者、管理責任者又は認証情報管理者に再発行を依頼してください。",
                "Type them again, or ask a supervisor, user administrator or credential manager of your organization for new ones.",
            ),
            Self::PasswordExpired => Problem::new(
                403,
                "password_expired",
                "パスワードの有効期限が切れています",
                "The password is to be renewed",
            )
            .with("現在のパスワードのほかに「新しいパスワード」を入力して、サインインしてください。", "Sign in with your present password, and enter a new password as well."),
            Self::SecondFactorMissing => Problem::new(
                401,
                "second_factor_missing",
                "認証アプリのコードが必要です",
                "A code of the second factor is needed",
            )
            .with(
                "認証アプリに表示される6桁のコード、又は回復用コードを入力してください。",
                "Enter the six digits that your device shows, or a recovery code.",
            ),
            Self::PasskeyRefused => passkey_refused(),
            Self::SecondFactorThere => Problem::new(
                409,
                "second_factor_there",
                "二要素認証は設定済みです",
                "A second factor is enrolled already",
            )
            .with("認証アプリの端末を紛失した場合は、所属機関の監督者、管理責任者又は認証情報管理者に再発行を依頼してください。", "If the device was lost, ask a supervisor, user administrator or credential manager of your organization for a reissue."),
            Self::SignInLocked { retry_after_seconds } => Problem::new(
                429,
                "sign_in_locked",
                "この端末では、しばらくサインインできません",
                "Signing in is locked at this terminal for a while",
            )
            .with(
                format!("{retry_after_seconds}秒後にもう一度サインインするか、監督者、管理責任者又は認証情報管理者に制限の解除を依頼してください。別の執務端末からはサインインできます。"),
                format!(
                    "Try again in {retry_after_seconds} seconds, have a supervisor, user administrator or credential \
                     manager end it at a desk, or use another desk."
                ),
            ),
            Self::EnrolmentCode => Problem::new(
                401,
                "enrolment_code_refused",
                "このコードは使用できません",
                "The code cannot be used",
            )
            .with(
                "コードは1回限りで、期限があります。所属機関の執務端末で入力してください。",
                "A code works once, until it expires, at a desk of the body that it was made for.",
            ),
            _ => Problem::new(
                401,
                "second_factor_wrong",
                "認証アプリのコード又は回復用コードが正しくありません",
                "The code of the second factor is not right",
            )
            .with(
                "認証アプリに次に表示されるコード、又は別の回復用コードで試してください。一度使ったコードは使えません。",
                "Try the next code that your device shows, or another recovery code; each works once.",
            ),
        }
    }
}

fn weak_password(weak: WeakPassword) -> Problem {
    let problem = Problem::new(422, "password_refused", "このパスワードは使用できません", "The password is refused");
    match weak {
        WeakPassword::Length => problem.with(
            format!("パスワードは、{SHORTEST}文字以上{LONGEST}文字以下で入力してください。"),
            format!("It must have {SHORTEST} to {LONGEST} characters."),
        ),
        WeakPassword::Characters => problem.with(
            "パスワードに、制御文字・外字・不可視文字は使えません。別の文字で入力してください。",
            "It must hold no control, private-use or invisible characters.",
        ),
        WeakPassword::OwnName => {
            problem.with("職員番号や氏名を使わないでください。", "It must not be made of your id or your name.")
        }
        WeakPassword::Common => problem.with(
            "よく使われるパスワードです。ほかの人が思いつかないものにしてください。",
            "Many people choose it. Take one that nobody would guess.",
        ),
    }
}

impl SharpError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::NotTwo(why) => not_two(why),
            Self::State(state) => Problem::new(
                409,
                "sharp_act_decided",
                "この申請は既に処理されています",
                "The request was decided already",
            )
            .with(format!("現在の状態：{}。", state_ja(state)), format!("It is {state}.")),
            Self::TooEarly { until } => Problem::new(
                409,
                "sharp_act_too_early",
                "まだ実行できません",
                "It cannot be done yet",
            )
            .with(
                format!("関係機関に通知してから所定の期間を置きます。{}以降に実行してください。通知を受けた機関は、この申請を取り下げることができます。", in_japan(until)),
                format!("Those concerned were told and may withdraw it until then. Do it after {until}."),
            ),
            Self::AskedAlready => Problem::new(
                409,
                "sharp_act_waiting",
                "同じ申請が既に承認を待っています",
                "The same is asked for already",
            )
            .with("「承認を待つ重要操作」で、待っている申請を承認するか、取り下げてください。", "Approve or withdraw the request that is waiting."),
            Self::Outdated | Self::ForOneself | Self::NotFirst | Self::TooManyWait => self.problem_of_waiting(),
            Self::NamingNeedsTwo => Problem::new(
                409,
                "naming_needs_two",
                "開示先の追加には監督者2人の承認が必要です",
                "Naming a body under a shield needs two persons",
            )
            .with(
                "支援措置の設定や記録の登録・更新では、開示先を追加できません。追加を申請し、監督者2人が執務端末で承認してください。",
                "Setting a shield, registering and updating name nobody. Request it; two supervisors approve at a desk.",
            ),
            Self::RetirementNotApproved => Problem::new(
                409,
                "retirement_not_approved",
                "マスター鍵の廃止が承認されていません",
                "Retiring keys has not been approved",
            )
            .with(
                "先に申請し、システム運用者2人が執務端末で承認してください。承認は24時間有効です。",
                "Ask first; two operators approve at a desk. Their approval holds for 24 hours.",
            ),
        }
    }

    fn problem_of_waiting(&self) -> Problem {
        match self {
            Self::ForOneself => Problem::new(
                409,
                "sharp_act_for_oneself",
                "自分の役割の追加や認証情報の発行は、自分では行えません",
                "Nobody gives themselves a role or a credential",
            )
            .with(
                "別の職員が申請し、承認してください。自分で関わると、以後の重要操作で2人目の職員として認められなくなります。",
                "Somebody else asks and confirms: whoever had a part in it would count as second person for nothing.",
            ),
            Self::NotFirst => Problem::new(
                409,
                "sharp_act_not_first",
                "先に、申請した機関の職員の承認が必要です",
                "A person of the body that asks stands for it first",
            )
            .with(
                "申請した機関の職員が執務端末で承認した後に、承認してください。",
                "Confirm it once somebody of that body has, at a desk.",
            ),
            Self::TooManyWait => Problem::new(
                409,
                "too_many_waiting",
                "承認を待っている申請が多すぎます",
                "Too many requests wait for a person",
            )
            .with(
                "待っている申請を承認するか取り下げてから、申請し直してください。",
                "Approve or withdraw a waiting request first, then ask again.",
            ),
            _ => Problem::new(
                409,
                "sharp_act_outdated",
                "申請の後に状況が変わったため、実行できません",
                "What it was asked about has changed since",
            )
            .with(
                "支援措置、職員の在籍・役割・氏名、機関の状態などが申請時と異なります。現在の内容を確かめ、取り下げてから申請し直してください。",
                "The shield, the staff, their roles or names, or the body is not what it was. Look at it as it is now, withdraw it, and ask again.",
            ),
        }
    }
}

/// The state of a waiting act as people call it.
fn state_ja(state: &'static str) -> &'static str {
    match state {
        "waiting" => "承認待ち",
        "approved" => "承認済み（実行待ち）",
        "done" => "実行済み",
        "withdrawn" => "取下げ済み",
        "expired" => "期限切れ",
        "disposal" => "廃棄一覧の申請（廃棄一覧から取り下げてください）",
        _ => "処理済み",
    }
}

/// A moment as officials write it; as it came where it is none.
fn in_japan(until: &str) -> String {
    Timestamp::from_rfc3339(until).map_or_else(|| until.to_owned(), Timestamp::to_text_in_japan)
}

fn not_two(why: &'static str) -> Problem {
    let problem = Problem::new(
        409,
        "not_two_persons",
        "この2人では、別々の2人による承認とは認められません",
        "These two do not count as two persons",
    );
    let (ja, en) = match why {
        "same_person" => {
            ("申請又は承認した職員とは別の職員が承認してください。", "Somebody other than the first must confirm.")
        }
        "given_by_oneself" => (
            "自分の役割や認証情報に自ら関わった職員は、2人目になれません。",
            "One of them had a part in giving themselves their role or credential.",
        ),
        "given_by_the_other" => (
            "一方が他方の役割の申請・承認又は認証情報の発行に関わっています。別の職員が承認してください。",
            "One of them had a part in giving the other a role or credential. Somebody else must confirm.",
        ),
        _ => (
            "一方の認証情報を再発行した職員が、短期間に他方の認証情報も発行しています。別の職員が承認してください。",
            "Who replaced the credential of one of them issued the other's within a short time. Somebody else must confirm.",
        ),
    };
    problem.with(ja, en)
}

/// An authenticator's answer that registers nothing.
fn passkey_refused() -> Problem {
    Problem::new(422, "passkey_refused", "このパスキーは登録できませんでした", "The passkey could not be registered").with(
        "指紋・顔・PINで本人を確認できる認証器を使い、画面を開き直し、30分以内に登録してください。同じ認証器は1度だけ、1人8個まで登録できます。",
        "Use one that verifies you by finger, face or PIN, within 30 minutes of opening the page: each once, eight a person.",
    )
}
