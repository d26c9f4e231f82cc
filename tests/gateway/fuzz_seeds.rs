//! Every seed of the fuzz targets through the same functions that the fuzzer calls, and mangled in small ways.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

#[path = "../../fuzz/src/lib.rs"]
mod targets;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 7] = [
    ("certificate", targets::certificate::enter),
    ("cursor", targets::cursor::enter),
    ("headers", targets::headers::enter),
    ("json", targets::json::enter),
    ("message", targets::message::enter),
    ("query", targets::query::enter),
    ("xml", targets::xml::enter),
];

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let mut seeds: Vec<_> =
        files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())).collect();
    seeds.sort();
    seeds
}

#[test]
fn every_seed_passes() {
    for (name, enter) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 5, "{name} has {} seeds", seeds.len());
        for (file, bytes) in seeds {
            assert!(catch_unwind(AssertUnwindSafe(|| enter(&bytes))).is_ok(), "{name}: {file}");
        }
    }
}

/// A fuzzer's first steps: a byte changed, a byte lost, the rest cut off. Always the same ones.
#[test]
fn seeds_a_byte_away_pass_too() {
    let mut random = fastrand::Rng::with_seed(7);
    for (name, enter) in TARGETS {
        for (file, bytes) in seeds(name) {
            for _ in 0..24 {
                let mut mangled = bytes.clone();
                if !mangled.is_empty() {
                    let at = random.usize(..mangled.len());
                    match random.u8(..3) {
                        0 => mangled[at] = random.u8(..),
                        1 => drop(mangled.remove(at)),
                        _ => mangled.truncate(at),
                    }
                }
                assert!(catch_unwind(AssertUnwindSafe(|| enter(&mangled))).is_ok(), "{name}: {file}: {mangled:?}");
            }
        }
    }
}

/// Every target has its name here, its file and its seeds: a target that nobody runs is none.
#[test]
fn every_target_of_the_fuzzer_is_run_here() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut files: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, TARGETS.map(|(name, _)| name));
}
