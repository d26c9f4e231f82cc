//! Folding: one key for the ways a name is written.
//!
//! In order: compatibility forms and width (NFKC), variation selectors, spaces and middle dots, case and diacritics,
//! iteration marks, hiragana to katakana, ヴ, ヂヅ, small to large kana, voiced to unvoiced, long vowels, ノ之乃, old and
//! variant kanji, ヶケガ. `docs/matching.md` explains the rules to users.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{
    kanji::standard_form,
    symbol::{Symbol, pack},
};
use crate::domain::case_record::NameForm;

/// One written form of a name, folded.
#[derive(Clone, PartialEq, Eq)]
pub struct FoldedName {
    pub form: NameForm,
    /// Its search keys: parts divided by [`Symbol::BOUNDARY`], packed. More than one where the rules leave a choice.
    pub keys: Vec<Vec<u8>>,
}

impl FoldedName {
    pub fn of(form: NameForm, written: &str) -> Self {
        let mut keys: Vec<Vec<u8>> = Vec::with_capacity(1);
        let parts = letters(written, Wildcards::Dropped);
        for choice in choices(&parts).iter().copied() {
            let folded: Vec<Vec<Symbol>> = parts.iter().map(|part| fold_part(part, choice)).collect();
            let divided = pack(folded.join(&Symbol::BOUNDARY));
            // A long vowel or an iteration mark may reach over the boundary in a name written without one.
            let whole = fold_part(&parts.concat(), choice);
            let differs = !whole.iter().eq(folded.iter().flatten());
            for key in [Some(divided), differs.then(|| pack(whole))].into_iter().flatten() {
                if !key.is_empty() && !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        Self { form, keys }
    }

    /// Whether both may be one name, run together or not.
    pub fn shares_key(&self, other: &Self) -> bool {
        self.run_together().any(|key| other.run_together().any(|other| key == other))
    }

    fn run_together(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let boundary = Symbol::BOUNDARY.number();
        self.keys.iter().map(move |key| key.iter().copied().filter(|byte| u32::from(*byte) != boundary).collect())
    }
}

/// The folded pieces of a query, each way the rules leave open. Pieces are divided by spaces and the like; they may
/// hold [`Symbol::ONE`] and [`Symbol::ANY`].
pub fn fold_query(text: &str) -> Vec<FoldedQuery> {
    let parts = letters(text, Wildcards::Kept);
    choices(&parts)
        .iter()
        .map(|choice| FoldedQuery {
            pieces: parts.iter().map(|part| fold_part(part, *choice)).collect(),
            whole: fold_part(&parts.concat(), *choice),
        })
        .collect()
}

/// One reading of a query.
pub struct FoldedQuery {
    pub pieces: Vec<Vec<Symbol>>,
    /// The pieces run together before they were folded: a long vowel may reach over where they meet.
    pub whole: Vec<Symbol>,
}

/// Whether a reading in unvoiced kana (清音カナ) wrote ヂ as チ, or a searcher meant ジ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    AsShiSu,
    AsChiTsu,
}

fn choices(parts: &[Vec<char>]) -> &'static [Choice] {
    let open = parts.iter().flatten().any(|c| matches!(c, 'ヂ' | 'ヅ'));
    if open { &[Choice::AsShiSu, Choice::AsChiTsu] } else { &[Choice::AsShiSu] }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wildcards {
    Kept,
    Dropped,
}

/// The letters of a text, in one width and case, katakana for hiragana, iteration marks written out, cut into parts.
fn letters(text: &str, wildcards: Wildcards) -> Vec<Vec<char>> {
    let mut parts = Parts { done: Vec::new(), current: Vec::new(), wildcards };
    if text.chars().all(is_plain) {
        text.chars().for_each(|c| parts.push(c));
    } else {
        text.nfkc().for_each(|c| parts.push(c));
    }
    parts.end();
    parts.done
}

/// Whether normalization leaves a character alone: kanji of the basic planes' unified blocks, kana, ASCII.
fn is_plain(c: char) -> bool {
    matches!(c, '\u{20}'..='\u{7E}' | '\u{3000}'..='\u{3007}' | 'ぁ'..='ゖ' | 'ゝ'..='ゞ' | 'ァ'..='ヾ'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}')
}

struct Parts {
    done: Vec<Vec<char>>,
    current: Vec<char>,
    wildcards: Wildcards,
}

impl Parts {
    fn end(&mut self) {
        if !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
        }
    }

    fn push(&mut self, c: char) {
        match c {
            '?' | '*' if self.wildcards == Wildcards::Kept => self.current.push(c),
            'ぁ'..='ゖ' => self.current.extend(char::from_u32(u32::from(c) + 0x60)),
            'ァ'..='ヺ' | 'ー' | '\u{3400}'..='\u{9FFF}' | 'a'..='z' | '0'..='9' => self.current.push(c),
            '々' | '〻' | 'ゝ' | 'ゞ' | 'ヽ' | 'ヾ' => match self.current.last() {
                Some(last) => self.current.push(*last),
                // A fragment that begins with it: whatever comes before.
                None if self.wildcards == Wildcards::Kept => self.current.push('?'),
                None => {}
            },
            'A'..='Z' => self.current.push(c.to_ascii_lowercase()),
            '-' | '\u{2010}'..='\u{2015}' | '−' if self.current.last().is_some_and(|last| is_katakana(*last)) => {
                self.current.push('ー');
            }
            '\'' | '\u{2018}' | '\u{2019}' | 'ʼ' | '`' => {}
            c if is_combining_mark(c) || is_invisible(c) => {}
            c if c.is_alphanumeric() => self.push_foreign(c),
            _ => self.end(),
        }
    }

    /// A letter of another script: lower case, without diacritics.
    fn push_foreign(&mut self, c: char) {
        for c in c.to_lowercase().nfd().filter(|c| !is_combining_mark(*c)) {
            match c {
                'ø' => self.current.push('o'),
                'đ' | 'ð' => self.current.push('d'),
                'ł' => self.current.push('l'),
                'ı' => self.current.push('i'),
                'ħ' => self.current.push('h'),
                'ß' => self.current.extend(['s', 's']),
                'æ' => self.current.extend(['a', 'e']),
                'œ' => self.current.extend(['o', 'e']),
                'þ' => self.current.extend(['t', 'h']),
                c => self.current.push(c),
            }
        }
    }
}

fn is_katakana(c: char) -> bool {
    matches!(c, 'ァ'..='ー')
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{180B}'..='\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' | '\u{E0100}'..='\u{E01EF}')
}

fn fold_part(letters: &[char], choice: Choice) -> Vec<Symbol> {
    let mut folded: Vec<Symbol> = Vec::with_capacity(letters.len());
    let mut rest = letters.iter().copied().peekable();
    while let Some(c) = rest.next() {
        let large = match c {
            'ヴ' => match rest.peek() {
                Some('ァ' | 'ア') => swallow(&mut rest, 'ハ'),
                Some('ィ' | 'イ') => swallow(&mut rest, 'ヒ'),
                Some('ェ' | 'エ') => swallow(&mut rest, 'ヘ'),
                Some('ォ' | 'オ') => swallow(&mut rest, 'ホ'),
                Some('ュ' | 'ユ') => 'ヒ',
                _ => 'フ',
            },
            'ヂ' if choice == Choice::AsShiSu => 'シ',
            'ヅ' if choice == Choice::AsShiSu => 'ス',
            // Read as the vowel it repeats, so that オー and オオ stay alike after another long vowel.
            'ー' => {
                match folded.iter().rev().find(|symbol| **symbol != Symbol::LONG).and_then(|last| last.ending_vowel()) {
                    Some(vowel) => vowel,
                    None => continue,
                }
            }
            'ァ'..='ヺ' => unvoiced(large(c)),
            '之' | '乃' => 'ノ',
            c => standard_form(c),
        };
        let symbol = Symbol::of(large);
        let lengthens = folded.last().is_some_and(|last| symbol.lengthens(*last));
        folded.push(if lengthens { Symbol::LONG } else { symbol });
    }
    fold_ga_between_kanji(&mut folded);
    folded
}

fn swallow(rest: &mut impl Iterator<Item = char>, folded: char) -> char {
    rest.next();
    folded
}

/// ヶ, ケ, カ and ガ alone beside kanji are one: 関ヶ原, 関ケ原, 関が原.
fn fold_ga_between_kanji(folded: &mut [Symbol]) {
    let (ka, ke) = (Symbol::of('カ'), Symbol::of('ケ'));
    for at in 0..folded.len() {
        let neighbours = [at.checked_sub(1), Some(at + 1)].map(|at| at.and_then(|at| folded.get(at)).copied());
        let beside_kanji = neighbours.iter().flatten().any(|symbol| !symbol.is_light());
        let beside_kana = neighbours.iter().flatten().any(|symbol| symbol.is_kana());
        if let Some(symbol) = folded.get_mut(at)
            && *symbol == ka
            && beside_kanji
            && !beside_kana
        {
            *symbol = ke;
        }
    }
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
    let back = match c {
        'ガ' | 'ギ' | 'グ' | 'ゲ' | 'ゴ' | 'ザ' | 'ジ' | 'ズ' | 'ゼ' | 'ゾ' | 'ダ' | 'ヂ' | 'ヅ' | 'デ' | 'ド'
        | 'バ' | 'ビ' | 'ブ' | 'ベ' | 'ボ' => 1,
        'パ' | 'ピ' | 'プ' | 'ペ' | 'ポ' => 2,
        'ヰ' | 'ヸ' => return 'イ',
        'ヱ' | 'ヹ' => return 'エ',
        'ヲ' | 'ヺ' => return 'オ',
        'ヷ' => return 'ワ',
        _ => 0,
    };
    char::from_u32(u32::from(c) - back).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::symbol::{readable, unpack};

    fn keys(written: &str) -> Vec<String> {
        FoldedName::of(NameForm::Written, written).keys.iter().map(|key| readable(unpack(key))).collect()
    }

    #[test]
    fn ways_of_writing_meet() {
        for (one, other) in [
            ("髙橋 花子", "高橋　花子"),
            ("たかはし", "ﾀｶﾊｼ"),
            ("オオノ", "オーノ"),
            ("オウノ", "おおの"),
            ("ユウコ", "ユーコ"),
            ("ケイイチ", "ケーイチ"),
            ("コ－タ", "コウタ"),
            ("ジュン", "シユン"),
            ("ヂュン", "ジュン"),
            ("ハナヂ", "ハナチ"),
            ("佐々木", "佐佐木"),
            ("みすゞ", "ミスズ"),
            ("ヴァレリア", "バレリア"),
            ("渡邉", "渡辺"),
            ("Garcia", "ＧＡＲＣＩＡ"),
            ("José Nguyễn", "jose nguyen"),
            ("O'Brien", "OBRIEN"),
            ("辻\u{E0100}", "辻"),
            ("ケイコ", "ケエコ"),
            ("一ノ瀬", "一之瀬"),
            ("関ヶ原", "関が原"),
            ("ﾊﾞﾝﾊﾞ", "ハ\u{3099}ンバ"),
            ("マリア・ルイサ", "マリア ルイサ"),
        ] {
            let (one, other) = (keys(one), keys(other));
            assert!(one.iter().any(|key| other.contains(key)), "{one:?} {other:?}");
        }
        for (one, other) in [
            ("高橋", "高木"),
            ("タカハシ", "タカギ"),
            ("ハナ", "ハノ"),
            ("オオノ", "オノ"),
            ("イイダ", "イダ"),
            ("一ノ関", "一関"),
        ] {
            assert!(keys(one).iter().all(|key| !keys(other).contains(key)), "{one} {other}");
        }
    }

    #[test]
    fn a_vowel_reaches_over_the_boundary_only_where_there_is_none() {
        assert_eq!(keys("サトウ ウメ"), ["サトー ウメ"]);
        assert_eq!(keys("サト ウメ"), ["サト ウメ", "サトーメ"]);
        assert_eq!(keys("サトウメ"), ["サトーメ"]);
        assert!(keys(" ・　").is_empty());
    }
}
