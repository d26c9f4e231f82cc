//! The two languages of the pages.

use axum::http::{HeaderMap, header};

/// Japanese, and English where the browser prefers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Japanese,
    English,
}

impl Language {
    /// What the browser prefers of the two (`Accept-Language`, RFC 9110 section 12.5.4); Japanese where it says neither.
    pub fn of(headers: &HeaderMap) -> Self {
        let stated = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut preferred = (Self::Japanese, 0.0);
        for range in stated.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let language = match parts.next().and_then(|tag| tag.split('-').next()) {
                Some(tag) if tag.eq_ignore_ascii_case("ja") => Self::Japanese,
                Some(tag) if tag.eq_ignore_ascii_case("en") => Self::English,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            if weight > preferred.1 {
                preferred = (language, weight);
            }
        }
        preferred.0
    }

    /// One of two texts.
    pub fn say<'t>(self, japanese: &'t str, english: &'t str) -> &'t str {
        match self {
            Self::Japanese => japanese,
            Self::English => english,
        }
    }

    /// Of a pair of texts.
    pub fn of_pair<'t>(self, (japanese, english): (&'t str, &'t str)) -> &'t str {
        self.say(japanese, english)
    }

    /// As HTML names it (BCP 47).
    pub fn code(self) -> &'static str {
        self.say("ja", "en")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_chooses() {
        for (stated, expected) in [
            ("", Language::Japanese),
            ("en", Language::English),
            ("en-US,en;q=0.9,ja;q=0.8", Language::English),
            ("fr,ja;q=0.5,en;q=0.4", Language::Japanese),
            ("ja,en;q=0.9", Language::Japanese),
            ("en;q=0", Language::Japanese),
            ("en;q=x, JA", Language::Japanese),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, stated.parse().unwrap());
            assert_eq!(Language::of(&headers), expected, "{stated}");
        }
    }
}
