//! Whether the right record comes first.
//!
//! Comes in: a population. Goes out: for searchers who know the birth year and all of a name but one letter, how often
//! the record meant is the first hit, by where the letter was.

use tsunagi::search::index::SearchIndex;

use crate::{
    engine,
    population::{Population, Sample},
    queries::Asked,
};

const RECORDS: u64 = 1_000_000;
const SAMPLED: usize = 2_000;
const SEED: u64 = 41;
/// Kanji that must be left of a name.
const MIN_KANJI: usize = 3;
/// Of what the best order could.
const MIN_OF_CEILING: f64 = 0.98;

/// Which letter was not heard.
#[derive(Clone, Copy, Debug)]
enum Unheard {
    First,
    /// Written as `?`.
    Inner,
    Last,
}

/// How the searches ended.
#[derive(Default)]
struct Firsts {
    asked: usize,
    /// The record meant comes first.
    first: usize,
    /// Another child of the very same written name and birth year does: nothing that was asked distinguishes them.
    namesake: usize,
    too_many: usize,
    /// Another child whose name answers as well does.
    other: usize,
    /// What the best order could expect: of `n` names that hold the very fragment, one in `n` is meant.
    ceiling: f64,
}

/// Prints how often the right record came first; the process fails where that is too seldom.
pub fn run(population: &Population) {
    let built = engine::build(population, RECORDS);
    println!("name but one letter + birth year, {RECORDS} records");
    println!("{:<10} {:>7} {:>7} {:>10} {:>10} {:>7}", "unheard", "asked", "first", "namesake", "too many", "other");
    let mut all = Firsts::default();
    for unheard in [Unheard::First, Unheard::Inner, Unheard::Last] {
        let Firsts { asked, first, namesake, too_many, other, ceiling } = count(population, &built.index, unheard);
        println!("{:<10} {asked:>7} {first:>7} {namesake:>10} {too_many:>10} {other:>7}", format!("{unheard:?}"));
        all.asked += asked;
        all.first += first;
        all.namesake += namesake;
        all.ceiling += ceiling;
    }
    let percent = |count: f64| count / all.asked as f64 * 100.0;
    println!(
        "the right record first: {:.1} %; with namesakes {:.1} %; the best that any order could: {:.1} %",
        percent(all.first as f64),
        percent((all.first + all.namesake) as f64),
        percent(all.ceiling)
    );
    if (all.first as f64) < all.ceiling * MIN_OF_CEILING {
        eprintln!("the right record comes first too seldom");
        std::process::exit(1);
    }
}

fn count(population: &Population, index: &SearchIndex, unheard: Unheard) -> Firsts {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut firsts = Firsts::default();
    while firsts.asked < SAMPLED {
        let sample = population.sample(random.u64(0..RECORDS));
        if !sample.facts.searchable {
            continue;
        }
        firsts.asked += 1;
        let asked = half_heard(&sample, unheard, &mut random);
        let found = engine::search(index, &asked.query());
        let shown: Vec<Sample> =
            found.records.iter().map(|(record, _)| population.sample(Population::number(record))).collect();
        firsts.ceiling += 1.0 / shown.iter().filter(|shown| holds(shown, &asked.child)).count().max(1) as f64;
        match shown.first() {
            _ if found.too_many => firsts.too_many += 1,
            Some(first) if first.facts.id == sample.facts.id => firsts.first += 1,
            Some(first) if first.items.child.written == sample.items.child.written => firsts.namesake += 1,
            _ => firsts.other += 1,
        }
    }
    firsts
}

/// Whether a name holds the very letters of a fragment.
fn holds(sample: &Sample, fragment: &str) -> bool {
    let fragment: Vec<char> = fragment.chars().collect();
    sample.items.child.names.iter().any(|(_, name)| {
        let letters: Vec<char> = name.chars().filter(|letter| !letter.is_whitespace()).collect();
        let holds = |here: &[char]| here.iter().zip(&fragment).all(|(letter, asked)| letter == asked || *asked == '?');
        letters.windows(fragment.len()).any(holds)
    })
}

/// The name less a letter, and the birth year. Of a name too short for that in kanji the reading is known.
fn half_heard(sample: &Sample, unheard: Unheard, random: &mut fastrand::Rng) -> Asked {
    let kanji: Vec<char> = sample.surname.kanji.chars().chain(sample.given.kanji.chars()).collect();
    let kana = || sample.surname.kana.chars().chain(sample.given.kana.chars()).collect();
    let mut letters: Vec<char> = if kanji.len() > MIN_KANJI { kanji } else { kana() };
    match unheard {
        Unheard::First => drop(letters.remove(0)),
        Unheard::Inner => {
            let inner = random.usize(1..letters.len() - 1);
            letters[inner] = '?';
        }
        Unheard::Last => drop(letters.pop()),
    }
    Asked { child: letters.into_iter().collect(), year: Some(sample.items.birth_date.year), ..Asked::default() }
}
