/// What a client learns of a refusal: the content of `application/problem+json` (RFC 9457).
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// The stable code, as in `docs/errors.md`.
    pub code: &'static str,
    pub title_ja: &'static str,
    pub title_en: &'static str,
    /// What to do, where there is more to say than the title.
    pub detail_ja: String,
    pub detail_en: String,
}

impl Problem {
    pub fn new(status: u16, code: &'static str, title_ja: &'static str, title_en: &'static str) -> Self {
        Self { status, code, title_ja, title_en, detail_ja: String::new(), detail_en: String::new() }
    }

    /// The same with what to do, in Japanese and English.
    pub fn with(self, detail_ja: impl Into<String>, detail_en: impl Into<String>) -> Self {
        Self { detail_ja: detail_ja.into(), detail_en: detail_en.into(), ..self }
    }
}
