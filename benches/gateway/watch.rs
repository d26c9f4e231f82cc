//! What the watch costs by itself: one search of an officer of whom a number are kept.

use std::time::Instant;

use tsunagi::{
    clock::Timestamp,
    domain::organization::OrganizationCode,
    search::{
        pattern::Pattern,
        query::Query,
        watch::{Watch, WatchedSearch},
    },
};
use tsunagi_testkit::people::People;
use uuid::Uuid;

const KEPT: [usize; 3] = [1, 64, 512];
/// Searches that are measured for each number.
const MEASURED: usize = 512;
/// Of one officer, so that there are not many more at the end than at the beginning.
const OF_ONE: usize = 8;
/// An officer's allowance: 120 searches an hour.
const APART: i64 = 30_000_000;
/// 2027-01-14, 10:00 in Japan.
const START: i64 = 1_799_888_400_000_000;
const FOUND: usize = 2;

/// How an officer searches.
#[derive(Clone, Copy)]
enum Habit {
    /// Families by their written names, two questions to a case.
    Casework,
    /// Names in kana in the order of a dictionary, each under a reference of its own.
    Walk,
}

pub fn print() {
    for (name, habit) in [("casework", Habit::Casework), ("a walk in kana", Habit::Walk)] {
        let nanos = KEPT.map(|kept| nanos(habit, kept));
        let figures = nanos.map(|nanos| format!("{nanos:.0}")).join(" / ");
        println!("{:<72} {figures} ns", format!("the watch, one search of {name} with 1 / 64 / 512 kept"));
    }
}

/// Nanoseconds of one search on the mean.
fn nanos(habit: Habit, kept: usize) -> f64 {
    let watch = Watch::default();
    let organization = OrganizationCode::ministry();
    let names = names(habit, kept + OF_ONE);
    let of_one = OF_ONE.min(kept);
    let mut taken = 0.0;
    for officer in 0..MEASURED / of_one {
        let officer = format!("o{officer}");
        let observe = |number: usize| {
            let (query, reference) = &names[number];
            let found =
                (0..FOUND).map(|one| (Uuid::from_u128((number * FOUND + one) as u128), OrganizationCode::operator()));
            let found = if matches!(habit, Habit::Walk) { Vec::new() } else { found.collect() };
            let search = WatchedSearch {
                request: Uuid::from_u128(number as u128 + 1),
                organization: &organization,
                officer: &officer,
                officer_name: "職員 某",
                at: Timestamp::from_micros(START + number as i64 * APART),
                query,
                case_reference: reference,
                found,
            };
            let started = Instant::now();
            std::hint::black_box(watch.observe(search));
            started.elapsed().as_secs_f64()
        };
        (0..kept).for_each(|number| {
            observe(number);
        });
        taken += (kept..kept + of_one).map(observe).sum::<f64>();
    }
    taken * 1e9 / (MEASURED / of_one * of_one) as f64
}

fn names(habit: Habit, count: usize) -> Vec<(Query, String)> {
    let mut people = People::seeded(7);
    let kana: Vec<char> =
        "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワ".chars().collect();
    let name = |number: usize| match habit {
        Habit::Casework => {
            let family = people.family("122327");
            (family.child, format!("R8-{}", number / 2 + 100))
        }
        Habit::Walk => {
            let (first, second) = (kana[number / kana.len()], kana[number % kana.len()]);
            (format!("{first}{second}ダ"), format!("R8-{}", number + 100))
        }
    };
    let query =
        |(name, reference): (String, String)| (Query { child: Pattern::of(&name), ..Query::default() }, reference);
    (0..count).map(name).map(query).collect()
}
