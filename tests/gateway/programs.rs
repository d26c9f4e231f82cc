//! Two programs: `tsunagi demo` and `tsunagi pki` become the one beside it.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use tempfile::TempDir;

/// The served program in a folder of its own, with or without something beside it that answers as the second.
fn alone() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = folder.path().join("tsunagi");
    fs::hard_link(env!("CARGO_BIN_EXE_tsunagi"), &program).unwrap();
    (folder, program)
}

#[test]
fn what_makes_certificates_is_passed_on_untouched_with_its_streams_and_its_status() {
    let (folder, program) = alone();
    let beside = folder.path().join("tsunagi-testkit");
    fs::write(&beside, "#!/bin/sh\nfor argument; do echo \"<$argument>\"; done\ncat >&2\nexit 7\n").unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
    for arguments in [
        &["demo"][..],
        &["demo", "--help"],
        &["demo", "--once", "--records", "5", "--directory", "a b"],
        &["pki", "create", "certs"],
        &["pki", "terminal", "--help"],
        &["pki", "revoke", "certs", "5f03", "--days=3", "--", "-x"],
    ] {
        let input = fs::File::open("LICENSE").unwrap();
        let output = Command::new(&program).args(arguments).stdin(input).output().unwrap();
        let told: String = arguments.iter().map(|argument| format!("<{argument}>\n")).collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), told);
        assert_eq!(output.stderr, fs::read("LICENSE").unwrap(), "{arguments:?}");
        assert_eq!(output.status.code(), Some(7), "{arguments:?}");
    }
}

#[test]
fn where_the_second_is_missing_the_error_says_how_to_build_it() {
    let (_folder, program) = alone();
    for arguments in [&["demo", "--once"][..], &["pki", "create", "certs"]] {
        let output = Command::new(&program).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(told.matches("cargo build --release --locked").count(), 2, "{told}");
        assert!(told.contains("がありません") && told.contains("is missing"), "{told}");
    }
}

#[test]
fn the_help_of_the_served_program_names_what_the_second_does() {
    let (_folder, program) = alone();
    let help = |arguments: &[&str]| {
        let output = Command::new(&program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let all = help(&["--help"]);
    assert!(all.contains("Play the whole story") && all.contains("Certificates for development"), "{all}");
    let pki = help(&["pki", "--help"]);
    for command in ["create", "terminal", "revoke", "check"] {
        assert!(pki.contains(&format!("  {command} ")), "{pki}");
    }
}
