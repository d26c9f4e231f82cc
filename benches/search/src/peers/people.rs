//! The people as peers hold them.
//!
//! Comes in: a population. Goes out: rows in batches, each name form run together without spaces and the forms divided
//! by one; the texts to look for, and their grams.

use tsunagi::domain::case_record::Person;

use super::seconds;
use crate::population::{Population, Sample};

const BATCH: u64 = 65_536;

/// The first records of a population.
pub struct People<'a> {
    pub population: &'a Population,
    pub records: u64,
}

/// One child's record.
pub struct Row {
    pub id: u64,
    pub child_kanji: String,
    pub child_kana: String,
    /// Of all guardians: kanji, then kana.
    pub guardian: String,
    pub birth_year: i32,
    pub searchable: bool,
}

impl People<'_> {
    /// Hands over all rows, and returns the seconds that taking them took.
    pub fn each_batch(&self, mut take: impl FnMut(&[Row])) -> f64 {
        let mut taking = 0.0;
        let mut from = 0;
        while from < self.records {
            let until = (from + BATCH).min(self.records);
            let rows: Vec<Row> = (from..until).map(|id| Row::of(id, &self.population.sample(id))).collect();
            taking += seconds(|| take(&rows));
            from = until;
        }
        taking
    }
}

impl Row {
    fn of(id: u64, sample: &Sample) -> Self {
        let (child_kanji, child_kana) = forms(std::slice::from_ref(&sample.items.child));
        let (kanji, kana) = forms(&sample.items.guardians);
        let birth_year = sample.items.birth_date.year;
        Self {
            id,
            child_kanji,
            child_kana,
            guardian: format!("{kanji} {kana}"),
            birth_year,
            searchable: sample.facts.searchable,
        }
    }
}

/// The forms in kanji, and those in kana.
fn forms(people: &[Person]) -> (String, String) {
    let names = people.iter().flat_map(|person| &person.names).map(|(_, name)| name.replace('　', ""));
    let (kana, kanji): (Vec<String>, Vec<String>) = names.partition(|name| name.chars().all(is_katakana));
    (kanji.join(" "), kana.join(" "))
}

fn is_katakana(letter: char) -> bool {
    ('\u{30A1}'..='\u{30FF}').contains(&letter)
}

/// What a query divides by spaces is looked for piece by piece.
pub fn pieces(asked: &str) -> impl Iterator<Item = &str> {
    asked.split_whitespace()
}

/// Every run of so many letters, with the place of its first; none reaches over a space.
pub fn grams(text: &str, size: usize) -> impl Iterator<Item = (usize, &str)> {
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    (0..ends.len().saturating_sub(size))
        .map(move |place| (place, &text[ends[place]..ends[place + size]]))
        .filter(|(_, gram)| !gram.contains(' '))
}

/// The bigrams of a piece, or its one letter.
pub fn grams_of_piece(piece: &str) -> Vec<&str> {
    grams(piece, piece.chars().count().min(2)).map(|(_, gram)| gram).collect()
}
