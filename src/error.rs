//! Every refusal of the gateway, and what a client is told of it.
//!
//! One table maps each error to its HTTP status, its stable code and its words in Japanese and English. Words never
//! hold a value from a record. The cause of an internal error is logged once, at the boundary, and not sent.

use crate::{
    domain::{
        edit_lock::EditLock,
        format::Fault,
        organization::OrganizationKind,
        transfer::{CompletenessFault, TransferState},
    },
    identity::directory::Unrecognized,
    journal::error::JournalError,
    keys::error::KeyError,
    store::error::StoreError,
};

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("caller not recognized: {0}")]
    Unrecognized(#[from] Unrecognized),
    #[error("revocation lists expired")]
    RevocationListExpired,
    #[error("role or kind of organization not allowed")]
    NotAllowed { kinds: &'static [OrganizationKind], roles: Vec<&'static str> },
    #[error("the operator appoints only the first user administrator")]
    FirstAdministratorOnly,
    /// The record does not exist, or not for this caller: the two look the same.
    #[error("record not available")]
    NotAvailable,
    /// A transfer, notice, report or other thing that does not exist for this caller.
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("no such resource")]
    NoSuchRoute,
    #[error("method not allowed")]
    MethodNotAllowed,
    #[error("document refused: {} faults", .0.len())]
    Faults(Vec<Fault>),
    #[error("field {field}: {rule_en}")]
    Field { field: &'static str, rule_ja: &'static str, rule_en: &'static str },
    #[error("request body: {0}")]
    Body(String),
    #[error("media type not supported")]
    MediaType,
    #[error("body too large")]
    TooLarge { most: usize },
    #[error("headers too large")]
    HeadersTooLarge,
    #[error("request took too long")]
    TooSlow,
    #[error("If-Match missing")]
    IfMatchMissing,
    #[error("stale version")]
    StaleVersion { sent: i64, current: i64 },
    #[error("Idempotency-Key missing")]
    IdempotencyKeyMissing,
    #[error("Idempotency-Key used for another request")]
    IdempotencyKeyReused,
    #[error("search too broad")]
    TooBroad,
    #[error("too many hits")]
    TooManyHits { most: usize },
    #[error("transfer is {state:?}")]
    TransferStep { state: TransferState },
    #[error("transfer already open")]
    TransferOpen,
    #[error("completeness: {0:?}")]
    Completeness(CompletenessFault),
    #[error("record is closed")]
    Closed,
    /// Somebody else of the caller's own organization works on it. Never for anybody outside.
    #[error("record is locked by another officer")]
    RecordLocked(Box<EditLock>),
    #[error("notice is cancelled")]
    NoticeCancelled,
    #[error("the center has told of a sighting")]
    NoticeSighted,
    #[error("shield can only be lifted by two persons")]
    ShieldNeedsTwo,
    #[error("shield lift not asked for")]
    ShieldLiftNotAsked,
    #[error("the receiver of a shielded record is not named in its shield")]
    ShieldForbids,
    #[error("settings above the ceiling")]
    SettingsUnlawful,
    #[error("retention shorter than the standard")]
    RetentionShortened,
    #[error("a record's retention has not ended")]
    DisposalNotDue,
    #[error("disposal needs two officers")]
    DisposalNeedsTwo,
    #[error("disposal is {0}")]
    DisposalState(&'static str),
    #[error("keys are being wrapped anew already")]
    RewrapRunning,
    #[error("already exists: {0}")]
    Exists(&'static str),
    #[error("rate limited")]
    RateLimited { retry_after_seconds: u64 },
    #[error("search budget used up")]
    SearchBudget { retry_after_seconds: u64 },
    #[error("overloaded")]
    Overloaded,
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(StoreError),
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::Store(error.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Moved => JournalError::Stale.into(),
            error => Self::Store(error),
        }
    }
}

/// What a client is told.
pub struct Told {
    pub status: u16,
    pub code: &'static str,
    pub title_ja: &'static str,
    pub title_en: &'static str,
    /// What to do, where there is more to say than the title.
    pub detail_ja: String,
    pub detail_en: String,
}

impl Error {
    /// The stable code, as in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        self.told().code
    }

    /// The one table of errors.
    pub fn told(&self) -> Told {
        let told = |status, code, title_ja, title_en, detail: (&str, &str)| Told {
            status,
            code,
            title_ja,
            title_en,
            detail_ja: detail.0.to_owned(),
            detail_en: detail.1.to_owned(),
        };
        match self {
            Self::Unrecognized(Unrecognized::Organization | Unrecognized::Terminal) => told(
                401,
                "terminal_not_recognized",
                "この端末は登録されていません",
                "This terminal is not registered",
                (
                    "システム運用者に端末の登録を確認してください。",
                    "Ask the operator whether the terminal is registered.",
                ),
            ),
            Self::Unrecognized(Unrecognized::TerminalRevoked) => told(
                401,
                "terminal_revoked",
                "この端末は失効しています",
                "This terminal has been revoked",
                ("新しい証明書の発行を受けてください。", "Obtain a new certificate."),
            ),
            Self::Unrecognized(Unrecognized::CertificateExpired) => told(
                401,
                "certificate_expired",
                "証明書の有効期限が切れています",
                "The certificate has expired",
                ("新しい証明書の発行を受けてください。", "Obtain a new certificate."),
            ),
            Self::Unrecognized(Unrecognized::OfficerMissing) => told(
                401,
                "officer_missing",
                "担当者が示されていません",
                "No officer is named",
                (
                    "業務システムは Tsunagi-Officer ヘッダーで担当者を、執務端末はログインで利用者を示してください。",
                    "A case system names its officer in the header Tsunagi-Officer; a desk signs in first.",
                ),
            ),
            Self::Unrecognized(Unrecognized::Officer) => told(
                401,
                "officer_not_active",
                "担当者が有効ではありません",
                "The officer is not an active staff member",
                ("利用者管理者に職員の登録を確認してください。", "Ask the user administrator of your organization."),
            ),
            Self::Unrecognized(Unrecognized::Session) => told(
                401,
                "session_invalid",
                "ログインが必要です",
                "Sign in first",
                ("ログインし直してください。", "The session is unknown or has ended; sign in again."),
            ),
            Self::RevocationListExpired => told(
                503,
                "revocation_list_expired",
                "失効リストの期限が切れています",
                "The revocation list has expired",
                ("システム運用者が失効リストを更新するまで利用できません。", "The operator must publish a new list."),
            ),
            Self::NotAllowed { kinds, roles } => {
                let mut told = told(
                    403,
                    "not_allowed",
                    "この操作は許可されていません",
                    "This is not allowed to the caller",
                    ("", ""),
                );
                let kinds = kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
                let roles = roles.join(", ");
                told.detail_ja = format!("許可される機関: {kinds}／役割: {roles}");
                told.detail_en = format!("Allowed to: {kinds}; in a role of: {roles}.");
                told
            }
            Self::FirstAdministratorOnly => told(
                403,
                "first_administrator_only",
                "運用者が他の機関に登録できるのは最初の利用者管理者だけです",
                "The operator appoints only the first user administrator of another body",
                ("その機関の利用者管理者に依頼してください。", "Ask a user administrator of that body."),
            ),
            Self::NotAvailable => told(
                404,
                "record_not_available",
                "この記録は閲覧できません",
                "The record is not available",
                ("番号を確認してください。", "Check its id."),
            ),
            Self::NotFound(_) => {
                told(404, "not_found", "見つかりません", "Not found", ("番号を確認してください。", "Check its id."))
            }
            Self::NoSuchRoute => told(
                404,
                "no_such_resource",
                "このURLはありません",
                "There is no such resource",
                ("/openapi.json を参照してください。", "See /openapi.json."),
            ),
            Self::MethodNotAllowed => told(
                405,
                "method_not_allowed",
                "このメソッドは使えません",
                "The method is not allowed here",
                ("/openapi.json を参照してください。", "See /openapi.json."),
            ),
            Self::Faults(_) => told(
                422,
                "document_refused",
                "記録票が全国共通フォーマットに合いません",
                "The document does not fit the national format",
                (
                    "faults の各項目を直して送り直してください。何も登録されていません。",
                    "Mend each of the faults and send again; nothing was registered.",
                ),
            ),
            Self::Field { field, rule_ja, rule_en } => {
                let mut told = told(422, "field_refused", "項目が正しくありません", "A field is not right", ("", ""));
                told.detail_ja = format!("{field}: {rule_ja}");
                told.detail_en = format!("{field}: {rule_en}");
                told
            }
            Self::Body(what) => {
                let mut told = told(
                    400,
                    "body_unreadable",
                    "リクエストの形式が正しくありません",
                    "The request body cannot be read",
                    ("", ""),
                );
                told.detail_ja = format!("JSONの形式と項目名を確認してください（{what}）。");
                told.detail_en = format!("Check the JSON and its field names ({what}).");
                told
            }
            Self::MediaType => told(
                415,
                "media_type",
                "この形式は扱えません",
                "The media type is not supported",
                (
                    "application/xml または application/json で送ってください。",
                    "Send application/xml or application/json.",
                ),
            ),
            Self::TooLarge { most } => {
                let mut told = told(413, "too_large", "大きすぎます", "The request is too large", ("", ""));
                told.detail_ja = format!("{most}バイトまでです。");
                told.detail_en = format!("At most {most} bytes.");
                told
            }
            Self::HeadersTooLarge => told(
                431,
                "headers_too_large",
                "ヘッダーが大きすぎます",
                "The headers of the request are too large",
                ("ヘッダーを減らして送ってください。", "Send fewer or shorter headers."),
            ),
            Self::TooSlow => told(
                408,
                "too_slow",
                "送信に時間がかかりすぎました",
                "The request took too long to arrive",
                ("回線を確認して送り直してください。", "Check the line and send again."),
            ),
            Self::IfMatchMissing => told(
                428,
                "if_match_missing",
                "If-Matchがありません",
                "If-Match is missing",
                (
                    "更新する版を If-Match: \"版番号\" で示してください。",
                    "Name the version you change as If-Match: \"VERSION\".",
                ),
            ),
            Self::StaleVersion { sent, current } => {
                let mut told =
                    told(412, "stale_version", "記録は更新されています", "The record has changed since", ("", ""));
                told.detail_ja = format!(
                    "送られた版は {sent}、現在の版は {current} です。現在の版を読み直してから更新してください。"
                );
                told.detail_en =
                    format!("You sent version {sent}; the current version is {current}. Read it again, then update.");
                told
            }
            Self::IdempotencyKeyMissing => told(
                400,
                "idempotency_key_missing",
                "Idempotency-Keyがありません",
                "Idempotency-Key is missing",
                (
                    "1回の操作に1つ、8～128文字の印字可能な文字で付けてください。再送しても二重に登録されません。",
                    "Send one of 8 to 128 printable characters for each act; a retry then acts once.",
                ),
            ),
            Self::IdempotencyKeyReused => told(
                422,
                "idempotency_key_reused",
                "Idempotency-Keyが別の操作で使われています",
                "The Idempotency-Key belongs to another request",
                ("新しいキーを付けて送ってください。", "Send a new key."),
            ),
            Self::TooBroad => told(
                422,
                "search_too_broad",
                "検索条件が少なすぎます",
                "Too little to search on",
                (
                    "氏名の連続する2文字以上、または生年月日と1文字以上で検索してください。",
                    "Give two characters of a name side by side, or one and a birth date.",
                ),
            ),
            Self::TooManyHits { most } => {
                let mut told = told(422, "too_many_hits", "該当が多すぎます", "Too many children match", ("", ""));
                told.detail_ja = format!("{most}件を超えました。氏名や生年月日を加えて絞り込んでください。");
                told.detail_en = format!("More than {most}. Narrow down by more of the name or a birth date.");
                told
            }
            Self::TransferStep { state } => {
                let mut told =
                    told(409, "transfer_state", "この段階ではできません", "Not possible in this state", ("", ""));
                told.detail_ja = format!("情報提供の状態は {} です。", state.as_str());
                told.detail_en = format!("The transfer is {}.", state.as_str());
                told
            }
            Self::TransferOpen => told(
                409,
                "transfer_open",
                "この記録の情報提供が進行中です",
                "A transfer of this record is open",
                ("先にそれを終えるか取り下げてください。", "End or withdraw it first."),
            ),
            Self::Completeness(fault) => {
                let mut told = told(
                    422,
                    "completeness",
                    "引き継ぐ内容の申告が記録と合いません",
                    "The stated completeness does not fit the record",
                    ("", ""),
                );
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
                told.detail_ja = format!("{part}: {ja}");
                told.detail_en = format!("{part} {en}");
                told
            }
            Self::Closed => told(
                409,
                "record_closed",
                "終結した記録です",
                "The record is closed",
                ("終結した記録は更新できません。", "A closed record cannot be changed."),
            ),
            Self::RecordLocked(lock) => {
                let mut told = told(
                    423,
                    "record_locked",
                    "他の職員が編集中です",
                    "Another officer is editing the record",
                    ("", ""),
                );
                let (officer, terminal, until) = (&lock.officer, &lock.terminal, lock.until.to_rfc3339());
                told.detail_ja = format!(
                    "職員 {officer}（端末 {terminal}）が {until} まで編集中です。終わるのを待つか、監督者が引き継いでください。"
                );
                told.detail_en = format!(
                    "Officer {officer} at terminal {terminal} holds it until {until}. Wait, or have a supervisor take it over."
                );
                told
            }
            Self::NoticeCancelled => told(
                409,
                "notice_cancelled",
                "解除された通知です",
                "The notice has been cancelled",
                ("新しい通知を発出してください。", "Broadcast a new one."),
            ),
            Self::NoticeSighted => told(
                409,
                "notice_sighted",
                "目撃を回答済みです",
                "A sighting has been answered",
                (
                    "同じ機関の目撃の回答は「該当なし」では取り消せません。誤りは sighted の details に書いて回答してください。",
                    "Your organization has told of a sighting, which not_here does not take back. Correct it in the \
                     details of another answer sighted.",
                ),
            ),
            Self::ShieldNeedsTwo => told(
                409,
                "shield_needs_two",
                "支援措置の解除は2人で行います",
                "A shield is lifted by two persons",
                (
                    "申請した人とは別の監督者が承認してください。記録の更新では解除できません。",
                    "A supervisor other than the one who asked must approve; an update cannot lift it.",
                ),
            ),
            Self::ShieldLiftNotAsked => told(
                409,
                "shield_lift_not_asked",
                "支援措置の解除が申請されていません",
                "Nobody has asked to lift the shield",
                ("先に解除を申請してください。", "Ask first; another supervisor then approves."),
            ),
            Self::ShieldForbids => told(
                409,
                "shield_forbids",
                "支援措置により提供できません",
                "The shield forbids this",
                (
                    "引き継ぐ機関には住所が伝わります。先に支援措置の開示先にその機関を加えてください。",
                    "Whoever takes the record over learns the address: name that body in the shield first.",
                ),
            ),
            Self::SettingsUnlawful => told(
                422,
                "settings_unlawful",
                "設定が全国の上限または下限を超えています",
                "The settings leave the national bounds",
                ("policy の標準設定を参照してください。", "See the standard matrix."),
            ),
            Self::RetentionShortened => told(
                422,
                "retention_shortened",
                "保存期間を標準より短くすることはできません",
                "Retention may not be shorter than the standard",
                (
                    "GET /v1/retention の standard 以上の年数と年齢を指定してください。",
                    "Give years and ages not below the standard in GET /v1/retention.",
                ),
            ),
            Self::DisposalNotDue => told(
                409,
                "disposal_not_due",
                "廃棄できない記録があります",
                "A record on the list may not be disposed of",
                (
                    "終結していない、保存期間が満了していない、情報提供が進行中、または別の廃棄一覧に載っている記録があります。GET /v1/disposals/due で確認してください。何も廃棄していません。",
                    "One is not closed, its retention has not ended, a transfer of it is open, or it stands on another \
                     list. See GET /v1/disposals/due; nothing was disposed of.",
                ),
            ),
            Self::DisposalNeedsTwo => told(
                409,
                "disposal_needs_two",
                "廃棄は2人で行います",
                "A disposal needs two officers",
                (
                    "申請した人とは別の監督者が承認してください。",
                    "A supervisor other than the one who asked must approve.",
                ),
            ),
            Self::DisposalState(state) => {
                let mut told =
                    told(409, "disposal_state", "この段階ではできません", "Not possible in this state", ("", ""));
                told.detail_ja = format!("廃棄一覧の状態は {state} です。");
                told.detail_en = format!("The list is {state}.");
                told
            }
            Self::RewrapRunning => told(
                409,
                "rewrap_running",
                "鍵の掛け替えが進行中です",
                "Keys are being wrapped anew already",
                ("GET /v1/keys で進み具合を確認してください。", "See GET /v1/keys for how far it is."),
            ),
            Self::Exists(_) => told(409, "already_exists", "既にあります", "It exists already", ("", "")),
            Self::RateLimited { retry_after_seconds } => {
                let mut told = told(429, "rate_limited", "操作が多すぎます", "Too many requests", ("", ""));
                told.detail_ja = format!("{retry_after_seconds}秒待ってからやり直してください。");
                told.detail_en = format!("Try again after {retry_after_seconds} seconds.");
                told
            }
            Self::SearchBudget { retry_after_seconds } => {
                let mut told = told(
                    429,
                    "search_budget",
                    "検索の回数が上限に達しました",
                    "The allowance of searches is used up",
                    ("", ""),
                );
                told.detail_ja = format!("{retry_after_seconds}秒待ってからやり直してください。何も開示していません。");
                told.detail_en = format!("Try again after {retry_after_seconds} seconds. Nothing was disclosed.");
                told
            }
            Self::Overloaded | Self::Journal(JournalError::Full) => told(
                503,
                "overloaded",
                "混み合っています",
                "The gateway is overloaded",
                (
                    "Retry-Afterの秒数を待ってからやり直してください。何も行われていません。",
                    "Try again after Retry-After; nothing was done.",
                ),
            ),
            Self::Journal(JournalError::Unavailable) => told(
                503,
                "journal_unavailable",
                "記録簿に書き込めないため、何も開示していません",
                "The ledger cannot be written, so nothing was disclosed",
                ("しばらく待ってからやり直してください。", "Try again shortly."),
            ),
            Self::Journal(JournalError::Stale) => told(
                503,
                "changed_meanwhile",
                "処理中に状態が変わりました",
                "Things changed while this was decided",
                ("やり直してください。", "Try again."),
            ),
            Self::Store(error) if error.is_outage() => told(
                503,
                "database_unavailable",
                "データベースを利用できません",
                "The database cannot be asked",
                (
                    "しばらく待ってからやり直してください。何も開示していません。",
                    "Try again shortly; nothing was disclosed.",
                ),
            ),
            // It is gone, as if it had never been there.
            Self::Store(StoreError::Key(KeyError::Destroyed)) => Self::NotAvailable.told(),
            Self::Store(StoreError::Key(KeyError::Token(_))) => told(
                503,
                "key_token",
                "鍵のトークンを使えません",
                "The token that holds the master key cannot be used",
                (
                    "システム運用者がトークンとPINを確認してください。閲覧・検索・登録は続けられます。",
                    "The operator must look after the token and its PIN. Viewing, searching and registering go on.",
                ),
            ),
            Self::Store(StoreError::Stream(_)) => told(
                503,
                "stream",
                "バックアップの保存先を読めません",
                "The stream of backups cannot be read",
                (
                    "システム運用者が保存先のディレクトリを確認してください。",
                    "The operator must look after the directory of the stream.",
                ),
            ),
            Self::Store(StoreError::Key(KeyError::Keyring(_) | KeyError::Missing { .. })) => told(
                503,
                "keyring",
                "鍵束を読み書きできません",
                "The keyring cannot be read or written",
                (
                    "システム運用者が鍵束のファイルを確認してください。",
                    "The operator must look after the keyring's files.",
                ),
            ),
            Self::Store(_) => told(
                500,
                "internal",
                "内部エラー",
                "Internal error",
                ("リクエスト番号を添えて運用者に連絡してください。", "Tell the operator the id of the request."),
            ),
        }
    }

    /// Seconds after which a retry makes sense.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_seconds } | Self::SearchBudget { retry_after_seconds } => {
                Some(*retry_after_seconds)
            }
            Self::Overloaded | Self::Journal(_) => Some(1),
            Self::Store(error) if error.is_outage() => Some(1),
            Self::RevocationListExpired => Some(60),
            _ => None,
        }
    }
}
