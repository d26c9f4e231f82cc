//! What a search asks for, in the form in which the watch compares it.

use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use super::Symbol;
use crate::search::query::BirthCriterion;

/// What was asked: the names, and when the child was born.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub(super) names: Arc<[Vec<Symbol>]>,
    pub(super) birth: Option<BirthCriterion>,
}

/// A reference as it is compared; empty where it refers to nothing.
pub(super) fn reference(written: &str) -> String {
    let text: String = written.nfkc().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let nothing = [
        "なし",
        "無し",
        "無",
        "未定",
        "未",
        "新規",
        "受理前",
        "確認",
        "確認中",
        "不明",
        "none",
        "na",
        "new",
        "test",
        "テスト",
        "0",
        "1",
    ];
    if nothing.contains(&text.as_str()) { String::new() } else { text }
}

/// A name in kana with its long vowels written out; empty for any other.
pub(super) fn dictionary_order(name: &[Symbol]) -> Vec<Symbol> {
    let mut before = None;
    let letters = name.iter().map(|letter| {
        let vowel = before.replace(*letter).and_then(Symbol::ending_vowel).map(Symbol::of);
        if *letter == Symbol::LONG { vowel.unwrap_or(*letter) } else { *letter }
    });
    if name.iter().all(|letter| letter.is_kana()) { letters.collect() } else { Vec::new() }
}
