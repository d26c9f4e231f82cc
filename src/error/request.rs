//! Refusals of a request as such: its route, its headers, its body, its fields.

use super::problem::Problem;
use crate::domain::format::Fault;

/// Why a request cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
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
    TooLarge { max_bytes: usize },
    #[error("headers too large")]
    HeadersTooLarge,
    #[error("request took too long")]
    TooSlow,
    #[error("If-Match missing")]
    IfMatchMissing,
    #[error("Idempotency-Key missing")]
    IdempotencyKeyMissing,
    #[error("Idempotency-Key used for another request")]
    IdempotencyKeyReused,
    /// It came from another site, or from nobody knows where, or is of another session.
    #[error("form of another site or session")]
    ForeignForm,
    /// The page has no such field, or has it once.
    #[error("form field unknown, repeated or missing")]
    FormField,
}

impl RequestError {
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::NoSuchRoute => Problem::new(404, "no_such_resource", "指定された画面又はURLは存在しません", "There is no such page or resource")
                .with(
                    "アドレスを確かめるか、「今日」の画面から開き直してください。",
                    "Check the address, or open the page from Today.",
                ),
            Self::MethodNotAllowed => {
                Problem::new(405, "method_not_allowed", "このURLでは使用できないメソッドです", "The method is not allowed here")
                    .with("/openapi.json を参照してください。", "See /openapi.json.")
            }
            Self::Faults(_) => Problem::new(
                422,
                "document_refused",
                "記録票が全国共通フォーマットに適合していません",
                "The document does not fit the national format",
            )
            .with(
                "表示された各項目を直して、もう一度送信してください。登録は行われていません。",
                "Correct each of the faults and send again; nothing was registered.",
            ),
            Self::Field { field, rule_ja, rule_en } => {
                Problem::new(422, "field_refused", "入力内容が規則に合っていません", "A field breaks its rule")
                    .with(format!("{field}: {rule_ja}"), format!("{field} {rule_en}."))
            }
            Self::Body(what) => Problem::new(
                400,
                "body_unreadable",
                "リクエストの形式が正しくありません",
                "The request body cannot be read",
            )
            .with(
                format!("JSONの形式と項目名を確認してください（{what}）。"),
                format!("Check the JSON and its field names ({what})."),
            ),
            Self::MediaType => Problem::new(415, "media_type", "このデータ形式には対応していません", "The media type is not supported")
                .with(
                    "application/xml 又は application/json で送信してください。",
                    "Send application/xml or application/json.",
                ),
            Self::TooLarge { max_bytes } => Problem::new(413, "too_large", "送信されたデータ又はファイルが大きすぎます", "The request is too large")
                .with(format!("上限は{max_bytes}バイトです。小さくして、もう一度送信してください。"), format!("At most {max_bytes} bytes.")),
            Self::HeadersTooLarge => Problem::new(
                431,
                "headers_too_large",
                "ヘッダーが大きすぎます",
                "The headers of the request are too large",
            )
            .with("ヘッダーの数を減らすか、短くして再送してください。", "Send fewer or shorter headers."),
            Self::TooSlow => {
                Problem::new(408, "too_slow", "送信に時間がかかりすぎました", "The request took too long to arrive")
                    .with("回線の状態を確認して再送してください。", "Check the connection and send again.")
            }
            Self::IfMatchMissing => Problem::new(428, "if_match_missing", "If-Matchがありません", "If-Match is missing")
                .with(
                    "更新する版を If-Match: \"版番号\" で指定してください。",
                    "Name the version you change as If-Match: \"VERSION\".",
                ),
            Self::IdempotencyKeyMissing => {
                Problem::new(400, "idempotency_key_missing", "Idempotency-Keyがありません", "Idempotency-Key is missing")
                    .with(
                        "操作ごとに異なる値を、印字可能な文字8～128文字で付けてください。同じ値で再送しても、操作は1回だけ行われます。",
                        "Send a key of 8 to 128 printable characters, another for each act; a retry with the same key acts once.",
                    )
            }
            Self::IdempotencyKeyReused => Problem::new(
                422,
                "idempotency_key_reused",
                "このIdempotency-Keyは別の操作で使用されています",
                "The Idempotency-Key belongs to another request",
            )
            .with("新しい値を付けて送信してください。", "Send a new key."),
            Self::ForeignForm | Self::FormField => self.problem_of_form(),
        }
    }

    /// Of what a browser sent.
    fn problem_of_form(&self) -> Problem {
        match self {
            Self::ForeignForm => Problem::new(
                403,
                "foreign_form",
                "この画面からの送信として確認できませんでした",
                "The form was not sent from a page of this session",
            )
            .with(
                "サインインし直したあとや、別のタブでサインアウトしたあとの画面は使えません。画面を開き直してから、もう一度送信してください。",
                "A page that was opened before signing in or out anew cannot send. Open it again and send once more.",
            ),
            _ => Problem::new(
                400,
                "form_field",
                "送信された項目が画面の項目と一致しません",
                "What was sent are not the fields of the page",
            )
            .with("画面を開き直してから、もう一度送信してください。", "Open the page again and send once more."),
        }
    }
}
