//! Folding: one key for the ways a name is written.
//!
//! In order: compatibility forms and width (NFKC), variation selectors, spaces and middle dots, case, iteration
//! marks, hiragana to katakana, ヴ and ヂヅ, small to large kana, voiced to unvoiced, long vowels, variant kanji.

use unicode_normalization::UnicodeNormalization;

use crate::domain::case_record::NameForm;

/// One written form of a name, folded.
#[derive(Clone, PartialEq, Eq)]
pub struct FoldedName {
    pub form: NameForm,
    /// The whole name without its spaces.
    pub whole: String,
    /// Family name, given name, as the spaces divide them.
    pub parts: Vec<String>,
}

impl FoldedName {
    pub fn of(form: NameForm, written: &str) -> Self {
        let parts: Vec<String> = written.split(is_space).map(fold).filter(|part| !part.is_empty()).collect();
        Self { form, whole: fold(written), parts }
    }
}

/// Old and variant kanji, each with the form that stands for both. A first table of those common in names.
const VARIANTS: &[(char, char)] = &[
    ('髙', '高'),
    ('﨑', '崎'),
    ('嵜', '崎'),
    ('碕', '崎'),
    ('邊', '辺'),
    ('邉', '辺'),
    ('齋', '斎'),
    ('齊', '斎'),
    ('斉', '斎'),
    ('澤', '沢'),
    ('濵', '浜'),
    ('濱', '浜'),
    ('嶋', '島'),
    ('嶌', '島'),
    ('廣', '広'),
    ('國', '国'),
    ('櫻', '桜'),
    ('眞', '真'),
    ('龍', '竜'),
    ('瀧', '滝'),
    ('德', '徳'),
    ('惠', '恵'),
    ('壽', '寿'),
    ('靜', '静'),
    ('榮', '栄'),
    ('實', '実'),
    ('冨', '富'),
    ('桒', '桑'),
    ('𠮷', '吉'),
    ('槇', '槙'),
    ('渕', '淵'),
    ('凜', '凛'),
    ('遙', '遥'),
    ('曾', '曽'),
    ('圓', '円'),
    ('會', '会'),
    ('學', '学'),
    ('關', '関'),
    ('藏', '蔵'),
    ('薗', '園'),
    ('條', '条'),
    ('萬', '万'),
    ('與', '与'),
    ('豐', '豊'),
    ('應', '応'),
    ('將', '将'),
    ('淨', '浄'),
    ('瑤', '瑶'),
    ('禮', '礼'),
    ('縣', '県'),
    ('聰', '聡'),
    ('莊', '荘'),
    ('藝', '芸'),
    ('衞', '衛'),
    ('讓', '譲'),
    ('釋', '釈'),
    ('鐵', '鉄'),
    ('顯', '顕'),
    ('黑', '黒'),
    ('龜', '亀'),
    ('檜', '桧'),
    ('籔', '薮'),
    ('藪', '薮'),
    ('穐', '秋'),
    ('舘', '館'),
    ('埜', '野'),
    ('㟢', '崎'),
    ('芦', '蘆'),
    ('檮', '梼'),
    ('溪', '渓'),
];

/// The key of a text. Two ways of writing one name have the same key.
pub fn fold(text: &str) -> String {
    let mut folded: Vec<char> = Vec::with_capacity(text.len() / 3 + 1);
    for c in text.nfkc().filter(|c| !is_space(*c) && !is_separator(*c) && !is_variation_selector(*c)) {
        match c {
            '々' | '〻' => folded.extend(folded.last().copied()),
            'ゝ' | 'ヽ' | 'ゞ' | 'ヾ' => folded.extend(folded.last().copied()),
            c => folded.extend(c.to_lowercase().map(to_katakana)),
        }
    }
    fold_long_vowels(&fold_kana(&folded)).into_iter().map(fold_kanji).collect()
}

/// A space of any width.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{3000}'
}

fn is_separator(c: char) -> bool {
    matches!(c, '・' | '･' | '·' | '•' | '=' | '＝' | '‐' | '-' | '\'' | '’' | '.')
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' | '\u{180B}'..='\u{180D}')
}

fn to_katakana(c: char) -> char {
    match c {
        'ぁ'..='ゖ' => char::from_u32(c as u32 + 0x60).unwrap_or(c),
        c => c,
    }
}

/// ヴ行 as バ行, ヂヅ as ジズ, small as large, voiced as unvoiced.
fn fold_kana(text: &[char]) -> Vec<char> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied().peekable();
    while let Some(c) = rest.next() {
        if c == 'ヴ' {
            let row = match rest.peek() {
                Some('ァ') => Some('ハ'),
                Some('ィ') => Some('ヒ'),
                Some('ェ') => Some('ヘ'),
                Some('ォ') => Some('ホ'),
                _ => None,
            };
            if row.is_some() {
                rest.next();
            }
            out.push(row.unwrap_or('フ'));
            continue;
        }
        out.push(unvoiced(large(c)));
    }
    out
}

fn large(c: char) -> char {
    match c {
        'ァ' => 'ア',
        'ィ' => 'イ',
        'ゥ' => 'ウ',
        'ェ' => 'エ',
        'ォ' => 'オ',
        'ッ' => 'ツ',
        'ャ' => 'ヤ',
        'ュ' => 'ユ',
        'ョ' => 'ヨ',
        'ヮ' => 'ワ',
        'ヵ' => 'カ',
        'ヶ' => 'ケ',
        c => c,
    }
}

fn unvoiced(c: char) -> char {
    match c {
        'ヂ' => 'シ',
        'ヅ' => 'ス',
        'ヷ' => 'ワ',
        'ヰ' => 'イ',
        'ヱ' => 'エ',
        'ヲ' => 'オ',
        'ァ'..='ヺ' => std::iter::once(c).nfd().next().unwrap_or(c),
        c => c,
    }
}

/// Drops ー, and the second vowel of オオ・オウ, ウウ, エイ・エエ.
fn fold_long_vowels(text: &[char]) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(text.len());
    for c in text.iter().copied() {
        let row = out.last().copied().and_then(vowel_row);
        let lengthens = match c {
            'ー' => true,
            'ウ' => matches!(row, Some('オ' | 'ウ')),
            'オ' => row == Some('オ'),
            'イ' | 'エ' => row == Some('エ'),
            _ => false,
        };
        if !lengthens {
            out.push(c);
        }
    }
    out
}

/// The vowel on which an unvoiced large katakana ends, for the rows in which a long vowel is written in several ways.
fn vowel_row(c: char) -> Option<char> {
    match c {
        'オ' | 'コ' | 'ソ' | 'ト' | 'ノ' | 'ホ' | 'モ' | 'ヨ' | 'ロ' => Some('オ'),
        'ウ' | 'ク' | 'ス' | 'ツ' | 'ヌ' | 'フ' | 'ム' | 'ユ' | 'ル' => Some('ウ'),
        'エ' | 'ケ' | 'セ' | 'テ' | 'ネ' | 'ヘ' | 'メ' | 'レ' => Some('エ'),
        _ => None,
    }
}

fn fold_kanji(c: char) -> char {
    VARIANTS.iter().find(|(variant, _)| *variant == c).map_or(c, |(_, standard)| *standard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_of_writing_meet() {
        for (one, other) in [
            ("髙橋 花子", "高橋　花子"),
            ("たかはし", "ﾀｶﾊｼ"),
            ("オオノ", "オーノ"),
            ("オウノ", "おおの"),
            ("ユウコ", "ユーコ"),
            ("ジュン", "シユン"),
            ("ヂュン", "ジュン"),
            ("佐々木", "佐佐木"),
            ("ヴァレリア", "バレリア"),
            ("渡邉", "渡辺"),
            ("Garcia", "ＧＡＲＣＩＡ"),
            ("辻\u{E0100}", "辻"),
            ("ケイコ", "ケエコ"),
            ("マリア・ルイサ", "マリアルイサ"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        for (one, other) in [("高橋", "高木"), ("タカハシ", "タカギ"), ("ハナ", "ハノ")] {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
    }
}
