//! The letters of search keys. A symbol is a code point below 2^18; kana take single bytes, so that a reading is kept
//! in a byte a kana.

/// Large, unvoiced katakana and the long mark, in the order of their codes.
const KANA: [char; 46] = [
    'ア', 'イ', 'ウ', 'エ', 'オ', 'カ', 'キ', 'ク', 'ケ', 'コ', 'サ', 'シ', 'ス', 'セ', 'ソ', 'タ', 'チ', 'ツ', 'テ',
    'ト', 'ナ', 'ニ', 'ヌ', 'ネ', 'ノ', 'ハ', 'ヒ', 'フ', 'ヘ', 'ホ', 'マ', 'ミ', 'ム', 'メ', 'モ', 'ヤ', 'ユ', 'ヨ',
    'ラ', 'リ', 'ル', 'レ', 'ロ', 'ワ', 'ン', 'ー',
];
/// Codes 0x01 to 0x1F, then 0x40 to 0x4E: the bytes that no digit, letter, space or wildcard takes.
const FIRST_RUN: u32 = 31;
const SECOND_RUN: u32 = 0x40;

/// One letter of a search key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// Stands between the parts of a name.
    pub const BOUNDARY: Self = Self(0x20);
    /// `*` in a query: any run of letters.
    pub const ANY: Self = Self(0x2A);
    /// `?` in a query: one letter.
    pub const ONE: Self = Self(0x3F);
    /// The second half of a long vowel, however it is written.
    pub const LONG: Self = Self(0x4E);

    /// The symbol of a folded character.
    pub fn of(c: char) -> Self {
        let code = u32::from(c).checked_sub(BLOCK).and_then(|at| CODES.get(at as usize)).copied().unwrap_or(0);
        Self(if code == 0 { u32::from(c) & 0x3_FFFF } else { u32::from(code) })
    }

    /// The character that is written for it.
    pub fn to_char(self) -> char {
        let kana = match self.0 {
            1..=FIRST_RUN => KANA.get(self.0 as usize - 1),
            SECOND_RUN..=0x4E => KANA.get((self.0 - SECOND_RUN + FIRST_RUN) as usize),
            _ => None,
        };
        kana.copied().or_else(|| char::from_u32(self.0)).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    pub fn number(self) -> u32 {
        self.0
    }

    /// A kana, a Latin letter or a digit: there are few of them, and they are searched three at a time.
    pub fn is_light(self) -> bool {
        self.0 < 0x80
    }

    pub fn is_kana(self) -> bool {
        matches!(self.0, 1..=FIRST_RUN | SECOND_RUN..=0x4E)
    }

    pub fn is_wildcard(self) -> bool {
        self == Self::ANY || self == Self::ONE
    }

    /// Whether this vowel after that kana is heard as the kana's long vowel: オオ and オウ, ウウ, エイ and エエ, アア, イイ.
    pub fn lengthens(self, after: Self) -> bool {
        let (Some(vowel), Some(heard)) = (self.vowel(), after.vowel()) else { return false };
        // Codes 1 to 5 are the vowels themselves: ア イ ウ エ オ.
        self.0 <= 5 && (vowel == heard || (vowel == 1 && heard == 3) || (vowel == 2 && heard == 4))
    }

    /// ア, イ, ウ, エ or オ: it may be the second half of a long vowel.
    pub fn is_vowel(self) -> bool {
        matches!(self.0, 1..=5)
    }

    /// The vowel on which a kana ends, as it is written.
    pub fn ending_vowel(self) -> Option<char> {
        self.vowel().and_then(|vowel| KANA.get(vowel as usize)).copied()
    }

    /// The same as a number, from ア to オ.
    fn vowel(self) -> Option<u32> {
        let at = match self.0 {
            1..=FIRST_RUN => self.0 - 1,
            SECOND_RUN..=0x4E => self.0 - SECOND_RUN + FIRST_RUN,
            _ => return None,
        };
        match at {
            0..=34 => Some(at % 5),
            35 => Some(0),
            36 => Some(2),
            37 => Some(4),
            38..=42 => Some(at - 38),
            43 => Some(0),
            _ => None,
        }
    }

    /// Appends its bytes.
    pub fn pack(self, out: &mut Vec<u8>) {
        if self.is_light() {
            // Below 0x80.
            out.push(self.0 as u8);
        } else {
            let mut utf8 = [0; 4];
            out.extend_from_slice(self.to_char().encode_utf8(&mut utf8).as_bytes());
        }
    }
}

/// Start of the katakana block.
const BLOCK: u32 = 0x30A0;

/// Code of each character of the katakana block; 0 where it has none.
#[expect(clippy::indexing_slicing, reason = "evaluated while compiling: a wrong index does not compile")]
const CODES: [u8; 96] = {
    let mut codes = [0; 96];
    let mut at = 0;
    while at < KANA.len() {
        let code = if at < FIRST_RUN as usize { at + 1 } else { at - FIRST_RUN as usize + SECOND_RUN as usize };
        codes[(KANA[at] as u32 - BLOCK) as usize] = code as u8;
        at += 1;
    }
    codes
};

/// Reads symbols from bytes that [`Symbol::pack`] wrote.
pub fn unpack(packed: &[u8]) -> impl Iterator<Item = Symbol> + '_ {
    let mut rest = packed;
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        let (width, high) = match first {
            0..0x80 => (0, u32::from(*first)),
            0x80..0xE0 => (1, u32::from(first & 0x1F)),
            0xE0..0xF0 => (2, u32::from(first & 0x0F)),
            _ => (3, u32::from(first & 0x07)),
        };
        let (following, after) = after.split_at_checked(width)?;
        rest = after;
        Some(Symbol(following.iter().fold(high, |symbol, byte| symbol << 6 | u32::from(byte & 0x3F))))
    })
}

/// Packs symbols.
pub fn pack(symbols: impl IntoIterator<Item = Symbol>) -> Vec<u8> {
    let mut packed = Vec::new();
    symbols.into_iter().for_each(|symbol| symbol.pack(&mut packed));
    packed
}

/// Writes symbols as text: a search key as a person can read it.
pub fn readable(symbols: impl IntoIterator<Item = Symbol>) -> String {
    symbols.into_iter().map(Symbol::to_char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_survives_packing() {
        let all: Vec<Symbol> = "アンー佐藤az09 ノ𠮷?*é".chars().map(Symbol::of).collect();
        assert_eq!(unpack(&pack(all.iter().copied())).collect::<Vec<_>>(), all);
        assert_eq!(readable(all.iter().copied()), "アンー佐藤az09 ノ𠮷?*é");
        assert_eq!(pack([Symbol::of('ア'), Symbol::of('ー')]).len(), 2);
        let codes: std::collections::BTreeSet<u32> = KANA.iter().map(|c| Symbol::of(*c).number()).collect();
        assert_eq!(codes.len(), KANA.len());
        assert_eq!(Symbol::of('ー'), Symbol::LONG);
        for (long, written) in
            [("オ", "コ"), ("ウ", "コ"), ("ウ", "ユ"), ("イ", "ケ"), ("エ", "ケ"), ("ア", "ワ"), ("イ", "リ")]
        {
            let [long, after] = [long, written].map(|text| Symbol::of(text.chars().next().unwrap()));
            assert!(long.lengthens(after));
        }
        assert!(!Symbol::of('オ').lengthens(Symbol::of('ウ')) && !Symbol::of('イ').lengthens(Symbol::of('カ')));
        assert!(KANA.iter().all(|c| Symbol::of(*c).is_kana() && !Symbol::of(*c).is_wildcard()));
    }
}
