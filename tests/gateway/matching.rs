//! The labelled pairs of `tests/matching/`: another way of writing is found, another person is not.

use std::collections::BTreeMap;

use tsunagi::search::{explain::explain, pattern::Rank};

/// One class of pairs: how many there are, and how many came out wrong.
#[derive(Default)]
struct Class {
    same: usize,
    missed: Vec<String>,
    different: usize,
    mistaken: Vec<String>,
}

fn classes(file: &str, meet: impl Fn(&str, &str) -> Option<Rank>) -> BTreeMap<String, Class> {
    let mut classes: BTreeMap<String, Class> = BTreeMap::new();
    for line in file.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let [class, label, query, registered] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}")
        };
        let counted = classes.entry(class.to_owned()).or_default();
        let rank = meet(query, registered);
        if label == "same" {
            counted.same += 1;
            // A weaker hit counts only where that is what was asked for.
            let found = rank.is_some_and(|rank| rank != Rank::NearMiss || class.starts_with("near_miss"));
            counted.missed.extend((!found).then(|| format!("{query} | {registered}")));
        } else {
            counted.different += 1;
            let mistaken = rank.is_some_and(|rank| rank <= Rank::WholeName);
            counted.mistaken.extend(mistaken.then(|| format!("{query} | {registered}")));
        }
    }
    classes
}

fn recall(classes: &BTreeMap<String, Class>) -> f64 {
    let (same, missed) = classes.values().fold((0, 0), |(same, missed), c| (same + c.same, missed + c.missed.len()));
    1.0 - missed as f64 / same as f64
}

const PAIRS: &str = include_str!("../matching/pairs.tsv");
const HARD_CASES: &str = include_str!("../matching/hard_cases.tsv");

fn by_search(query: &str, registered: &str) -> Option<Rank> {
    explain(query, registered).rank
}

#[test]
fn another_way_of_writing_is_found_and_another_person_is_not() {
    for file in [PAIRS, HARD_CASES] {
        let classes = classes(file, by_search);
        for (name, class) in &classes {
            let Class { same, missed, different, mistaken } = class;
            println!("{name}: {} of {same} missed, {} of {different} mistaken", missed.len(), mistaken.len());
            missed.iter().for_each(|pair| println!("  missed   {pair}"));
            mistaken.iter().for_each(|pair| println!("  mistaken {pair}"));
        }
        for (name, class) in &classes {
            assert!(class.missed.len() * 100 <= class.same * 3, "{name}: recall below 0.97");
        }
        assert!(recall(&classes) >= 0.99);
        let (different, mistaken) =
            classes.values().fold((0, 0), |(all, wrong), c| (all + c.different, wrong + c.mistaken.len()));
        assert!(mistaken * 1_000 <= different, "{mistaken} of {different} whole names mistaken");
    }
    assert!(classes(PAIRS, by_search).values().map(|class| class.same + class.different).sum::<usize>() >= 3_000);
}

#[test]
fn exact_comparison_misses_most_of_them() {
    let exact = |query: &str, registered: &str| (query == registered).then_some(Rank::Exact);
    assert!(recall(&classes(PAIRS, exact)) < 0.1, "the pairs must be hard enough to tell a matcher from none");
    let everything = |_: &str, _: &str| Some(Rank::Exact);
    assert!(classes(PAIRS, everything).values().map(|class| class.mistaken.len()).sum::<usize>() > 5_000);
}

/// Whoever reads may have gone, as `head` does: the program ends without a word.
#[test]
fn a_program_whose_output_nobody_reads_ends_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tsunagi"));
    let ended = command.args(["match", "explain", "架空", "架空"]).stdout(writer).output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(141), ""));
}
