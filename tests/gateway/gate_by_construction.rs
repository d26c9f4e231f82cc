//! The gate is held by types: every way to cheat it from inside the crate is refused by the compiler.

use std::{collections::HashMap, process::Command};

use serde_json::Value;

const CHEATS: &str = include_str!("../compile_fail/cheats.rs");

/// A way to cheat: its name, its lines, and the code with which it must be refused; none for an honest way.
struct Cheat {
    name: String,
    lines: std::ops::Range<u64>,
    code: Option<String>,
}

/// The functions of one module of the cheats.
fn cheats(module: &str) -> Vec<Cheat> {
    let lines: Vec<&str> = CHEATS.lines().collect();
    let start = lines.iter().position(|line| *line == format!("mod {module} {{")).unwrap();
    let end = (start..).find(|at| lines[*at] == "}").unwrap();
    (start..end)
        .filter_map(|index| {
            let rest = lines[index].strip_prefix("    fn ")?;
            let name = rest.split('(').next()?.to_owned();
            let last = (index..).find(|at| lines[*at] == "    }")?;
            let code = lines[index - 1].trim().trim_start_matches("// ").to_owned();
            Some(Cheat { name, lines: index as u64 + 1..last as u64 + 2, code: (code != "honest").then_some(code) })
        })
        .collect()
}

/// Compiles the crate with one module of cheats; returns the codes of errors by line of `cheats.rs`.
fn compile(module: &str) -> HashMap<u64, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["rustc", "--package", "tsunagi", "--lib", "--locked", "--offline", "--message-format=json", "--"])
        .args(["--cfg", &format!("tsunagi_cheats=\"{module}\"")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(!output.status.success(), "the cheats compile");
    let mut refused: HashMap<u64, Vec<String>> = HashMap::new();
    for message in String::from_utf8(output.stdout).unwrap().lines() {
        let Ok(message) = serde_json::from_str::<Value>(message) else { continue };
        let message = &message["message"];
        let Some(code) = message["code"]["code"].as_str().filter(|_| message["level"] == "error") else { continue };
        for span in message["spans"].as_array().into_iter().flatten().filter(|span| span["is_primary"] == true) {
            assert!(span["file_name"].as_str().unwrap().ends_with("cheats.rs"), "an error elsewhere: {message}");
            refused.entry(span["line_start"].as_u64().unwrap()).or_default().push(code.to_owned());
        }
    }
    refused
}

#[test]
fn every_cheat_is_refused_for_the_right_reason_and_the_honest_ways_are_not() {
    let mut count = 0;
    for module in ["types", "fields"] {
        let refused = compile(module);
        for Cheat { name, lines, code } in cheats(module) {
            let codes: Vec<&String> =
                refused.iter().filter(|(at, _)| lines.contains(at)).flat_map(|(_, codes)| codes).collect();
            match code {
                Some(code) => assert!(codes.contains(&&code), "{name}: expected {code}, got {codes:?}"),
                None => assert!(codes.is_empty(), "{name} is honest, yet refused: {codes:?}"),
            }
            count += 1;
        }
    }
    assert!(count >= 14, "{count}");
}
