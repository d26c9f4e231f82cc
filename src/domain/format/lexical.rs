//! The written form of each kind of text, as one regular expression.
//!
//! The same expression is printed into the XSD (`xs:pattern`), the JSON schema (`pattern`) and compiled for the
//! gateway's own check, so the three cannot disagree. Only constructs that mean the same in all three dialects
//! are used: character classes, groups, alternation and counts.

use std::{collections::HashMap, sync::LazyLock};

use regex::Regex;

use crate::domain::calendar;

/// A kind of text. Lengths are in Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lexical {
    /// One line, at most so many characters.
    Line(u32),
    /// Several lines, at most so many characters.
    Text(u32),
    /// A reading in kana.
    Kana,
    /// A whole date: `2018-04-01`, `H30.4.1` or `平成30年4月1日`.
    Date,
    /// A date whose day, or month and day, may be unknown: `2018-04`, `H30`, `平成30年4月`.
    PartialDate,
    /// `2018-04-01T09:30` in Japan's time.
    DateTime,
    Phone,
    PostalCode,
    MunicipalityCode,
    OrganizationCode,
}

/// Characters that no text may hold: controls, invisible formatting, private use (外字), noncharacters.
const FORBIDDEN: &str = "\u{0}-\u{8}\u{B}-\u{1F}\u{7F}-\u{9F}\u{AD}\u{61C}\u{180E}\u{200B}-\u{200F}\u{2028}-\u{202E}\
\u{2060}-\u{206F}\u{E000}-\u{F8FF}\u{FEFF}\u{FFF9}-\u{FFFF}\u{F0000}-\u{10FFFF}";

impl Lexical {
    /// Name of the kind in the schemas.
    pub fn name(self) -> String {
        match self {
            Self::Line(max) => format!("Line{max}"),
            Self::Text(max) => format!("Text{max}"),
            Self::Kana => "Kana".into(),
            Self::Date => "Date".into(),
            Self::PartialDate => "PartialDate".into(),
            Self::DateTime => "DateTime".into(),
            Self::Phone => "Phone".into(),
            Self::PostalCode => "PostalCode".into(),
            Self::MunicipalityCode => "MunicipalityCode".into(),
            Self::OrganizationCode => "OrganizationCode".into(),
        }
    }

    /// The expression for the whole text, without anchors.
    pub fn pattern(self) -> String {
        match self {
            Self::Line(_) => format!("[^\t\n{}]+", printable_forbidden()),
            Self::Text(_) => format!("[^{}]+", printable_forbidden()),
            Self::Kana => "[ァ-ヺー・ヽヾぁ-ゖゝゞｦ-ﾟ 　＝=]+".into(),
            Self::Date => calendar::date_pattern(),
            Self::PartialDate => calendar::partial_date_pattern(),
            Self::DateTime => format!("({})T([01][0-9]|2[0-3]):[0-5][0-9]", calendar::iso_date_pattern()),
            Self::Phone => "[0-9+][0-9()-]{5,19}".into(),
            Self::PostalCode => "[0-9]{3}-?[0-9]{4}".into(),
            Self::MunicipalityCode => "[0-9]{6}".into(),
            Self::OrganizationCode => "[0-9]{6}(-[0-9]{2})?|ministry|operator".into(),
        }
    }

    /// Longest text in characters, where the pattern does not already bound it.
    pub fn max_length(self) -> Option<u32> {
        match self {
            Self::Line(max) | Self::Text(max) => Some(max),
            Self::Kana => Some(120),
            Self::Date
            | Self::PartialDate
            | Self::DateTime
            | Self::Phone
            | Self::PostalCode
            | Self::MunicipalityCode
            | Self::OrganizationCode => None,
        }
    }

    pub fn accepts(self, text: &str) -> bool {
        if self.max_length().is_some_and(|max| text.chars().count() > max as usize) {
            return false;
        }
        match self {
            Self::Line(_) => !text.is_empty() && !text.chars().any(|c| c == '\t' || c == '\n' || is_forbidden(c)),
            Self::Text(_) => !text.is_empty() && !text.chars().any(is_forbidden),
            other => PATTERNS.get(&other).is_some_and(|pattern| pattern.is_match(text)),
        }
    }

    /// The rule in words, Japanese and English, as schemas say it.
    pub fn rule(self) -> (String, String) {
        match self {
            Self::Line(max) => (
                format!("1行、1～{max}文字。制御文字・外字・不可視文字は使えません"),
                format!("one line of 1 to {max} characters without controls, private-use or invisible characters"),
            ),
            Self::Text(max) => (
                format!("1～{max}文字。制御文字・外字・不可視文字は使えません"),
                format!("1 to {max} characters without controls, private-use or invisible characters"),
            ),
            Self::Kana => ("カナ120文字以内".into(), "kana, at most 120 characters".into()),
            Self::Date => (
                "実在する日付（例 2018-04-01、H30.4.1、平成30年4月1日）".into(),
                "a date that exists, such as 2018-04-01, H30.4.1 or 平成30年4月1日".into(),
            ),
            Self::PartialDate => (
                "実在する日付、または年月・年まで（例 2018-04-01、2018-04、H30、平成30年4月）".into(),
                "a date that exists, or its month or year alone, such as 2018-04-01, 2018-04, H30 or 平成30年4月"
                    .into(),
            ),
            Self::DateTime => ("日時（例 2018-04-01T09:30）".into(), "date and time, such as 2018-04-01T09:30".into()),
            Self::Phone => (
                "電話番号（数字とハイフン、6～20文字）".into(),
                "a telephone number of 6 to 20 digits and hyphens".into(),
            ),
            Self::PostalCode => ("郵便番号（例 270-1492）".into(), "a postal code such as 270-1492".into()),
            Self::MunicipalityCode => (
                "全国地方公共団体コード（検査数字を含む6桁）".into(),
                "a local government code of six digits with its check digit".into(),
            ),
            Self::OrganizationCode => ("機関コード".into(), "an organization code".into()),
        }
    }

    /// What is asked of the sender of a text in another form: whole sentences about the element of this Japanese name.
    pub fn request(self, japanese: &str) -> String {
        const FORBIDDEN_JA: &str = "制御文字・外字・不可視文字は使用できません。";
        match self {
            Self::Line(max) => {
                format!("「{japanese}」は、1～{max}文字の1行で記載してください。{FORBIDDEN_JA}")
            }
            Self::Text(max) => format!("「{japanese}」は、1～{max}文字で記載してください。{FORBIDDEN_JA}"),
            Self::Kana => format!("「{japanese}」は、1～120文字のカナで記載してください。"),
            Self::Date => format!(
                "「{japanese}」には、実在する日付を記載してください（例：2018-04-01、H30.4.1、平成30年4月1日）。"
            ),
            Self::PartialDate => format!(
                "「{japanese}」には、実在する日付を記載してください。日または月が不明のときは、年月または年までを記載してください\
                 （例：2018-04-01、2018-04、H30、平成30年4月）。"
            ),
            Self::DateTime => format!("「{japanese}」には、日時を記載してください（例：2018-04-01T09:30）。"),
            Self::Phone => {
                format!("「{japanese}」には、電話番号を半角の数字とハイフンの6～20文字で記載してください。")
            }
            Self::PostalCode => {
                format!("「{japanese}」には、郵便番号を半角で記載してください（例：270-1492）。")
            }
            Self::MunicipalityCode => {
                format!("「{japanese}」には、全国地方公共団体コード（検査数字を含む半角数字6桁）を記載してください。")
            }
            Self::OrganizationCode => {
                format!("「{japanese}」には、機関コードを記載してください（例：122327、120006-04）。")
            }
        }
    }
}

/// Whether no text of the format may hold this character.
pub fn is_forbidden(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{B}'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{AD}' | '\u{61C}' | '\u{180E}'
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{E000}'..='\u{F8FF}'
        | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFF}' | '\u{F0000}'..='\u{10FFFF}')
}

/// The part of [`FORBIDDEN`] that an XML document can hold at all: other controls are refused by XML itself.
fn printable_forbidden() -> String {
    FORBIDDEN
        .chars()
        .skip_while(|c| *c != '\u{7F}')
        .collect::<String>()
        .replace("\u{FFFF}", "\u{FFFD}")
        .replacen('\u{7F}', "\r\u{7F}", 1)
}

static PATTERNS: LazyLock<HashMap<Lexical, Regex>> = LazyLock::new(|| {
    [
        Lexical::Kana,
        Lexical::Date,
        Lexical::PartialDate,
        Lexical::DateTime,
        Lexical::Phone,
        Lexical::PostalCode,
        Lexical::MunicipalityCode,
        Lexical::OrganizationCode,
    ]
    .into_iter()
    .filter_map(|kind| Regex::new(&format!("^(?:{})$", kind.pattern())).ok().map(|regex| (kind, regex)))
    .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), 8);
    }

    #[test]
    fn texts_are_judged_alike_by_pattern_and_by_hand() {
        let by_pattern = Regex::new(&format!("^(?:{})$", Lexical::Line(9).pattern())).unwrap();
        for c in ('\u{9}'..='\u{10FFFF}').filter(|c| *c >= '\u{20}' || matches!(c, '\t' | '\n' | '\r')) {
            let in_xml = !matches!(c, '\u{FFFE}' | '\u{FFFF}');
            if in_xml {
                let text = c.to_string();
                assert_eq!(by_pattern.is_match(&text), Lexical::Line(9).accepts(&text), "U+{:04X}", c as u32);
            }
        }
    }
}
