//! The classes of queries, each drawn from records that exist.

use tsunagi::{
    domain::calendar::PartialDate,
    search::{
        pattern::Pattern,
        query::{BirthCriterion, NearMisses, Query},
    },
};

use crate::population::Population;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    TwoKanjiCommon,
    TwoKanjiRare,
    OneKanjiAndYear,
    KanaFragment,
    FullKanji,
    FullKanjiDivided,
    FullKana,
    ChildAndGuardian,
    CommonAndYear,
    NearMiss,
}

impl Class {
    pub const ALL: [Self; 10] = [
        Self::TwoKanjiCommon,
        Self::TwoKanjiRare,
        Self::OneKanjiAndYear,
        Self::KanaFragment,
        Self::FullKanji,
        Self::FullKanjiDivided,
        Self::FullKana,
        Self::ChildAndGuardian,
        Self::CommonAndYear,
        Self::NearMiss,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::TwoKanjiCommon => "2 kanji, common",
            Self::TwoKanjiRare => "2 kanji, rare",
            Self::OneKanjiAndYear => "1 kanji + birth year",
            Self::KanaFragment => "kana fragment, 3 to 4",
            Self::FullKanji => "full kanji name",
            Self::FullKanjiDivided => "full kanji name, divided",
            Self::FullKana => "full kana name",
            Self::ChildAndGuardian => "child + guardian",
            Self::CommonAndYear => "common + birth year",
            Self::NearMiss => "near miss",
        }
    }
}

/// A query as a person would put it, before any engine reads it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub child: String,
    pub guardian: Option<String>,
    pub year: Option<i32>,
    pub near: bool,
}

impl Asked {
    /// For the gateway's own engine.
    pub fn query(&self) -> Query {
        let year = |year| BirthCriterion::on(PartialDate { year, month: None, day: None });
        Query {
            child: Pattern::of(&self.child),
            guardian: self.guardian.as_deref().and_then(Pattern::of),
            birth: self.year.map(year),
            near_misses: if self.near { NearMisses::Always } else { NearMisses::Never },
            ..Query::default()
        }
    }
}

/// Queries of a class, from records 0 to `records`.
pub fn draw(population: &Population, class: Class, records: u64, count: usize) -> Vec<Asked> {
    let mut random = fastrand::Rng::with_seed(class as u64 + 1);
    let of_two = |name: &str| name.chars().count() == 2;
    let common: Vec<&str> =
        population.surnames().iter().map(|name| name.kanji).filter(|name| of_two(name)).take(100).collect();
    let commonest: std::collections::HashSet<&str> =
        population.surnames().iter().take(3_000).map(|n| n.kanji).collect();
    let mut asked = Vec::with_capacity(count);
    while asked.len() < count {
        let sample = population.sample(random.u64(0..records));
        let (surname, given) = (sample.surname, sample.given);
        let year = Some(sample.items.birth_date.year);
        let one = match class {
            Class::TwoKanjiCommon => {
                Asked { child: random.choice(&common).map_or("", |name| *name).to_owned(), ..Asked::default() }
            }
            Class::TwoKanjiRare if of_two(surname.kanji) && !commonest.contains(surname.kanji) => {
                Asked { child: surname.kanji.to_owned(), ..Asked::default() }
            }
            Class::OneKanjiAndYear => {
                let whole: Vec<char> = format!("{}{}", surname.kanji, given.kanji).chars().collect();
                Asked {
                    child: random.choice(&whole).map(|c| c.to_string()).unwrap_or_default(),
                    year,
                    ..Asked::default()
                }
            }
            Class::KanaFragment => {
                let whole: Vec<char> = format!("{}{}", surname.kana, given.kana).chars().collect();
                let length = random.usize(3..=4).min(whole.len());
                let from = random.usize(0..=whole.len() - length);
                Asked { child: whole[from..from + length].iter().collect(), ..Asked::default() }
            }
            Class::FullKanji => Asked { child: format!("{}{}", surname.kanji, given.kanji), ..Asked::default() },
            Class::FullKanjiDivided => {
                Asked { child: format!("{} {}", surname.kanji, given.kanji), ..Asked::default() }
            }
            Class::FullKana => Asked { child: format!("{}{}", surname.kana, given.kana), ..Asked::default() },
            Class::ChildAndGuardian => Asked {
                child: surname.kanji.to_owned(),
                guardian: Some(sample.guardian_given.kanji.to_owned()),
                ..Asked::default()
            },
            Class::CommonAndYear => {
                Asked { child: random.choice(&common).map_or("", |name| *name).to_owned(), year, ..Asked::default() }
            }
            Class::NearMiss if surname.kana.chars().count() >= 4 => {
                let mut kana: Vec<char> = surname.kana.chars().collect();
                let at = random.usize(0..kana.len());
                kana[at] = *random.choice(&['ア', 'カ', 'シ', 'タ', 'ナ', 'モ', 'ヤ', 'リ']).expect("kana");
                Asked { child: kana.into_iter().collect(), near: true, ..Asked::default() }
            }
            _ => continue,
        };
        asked.push(one);
    }
    asked
}
