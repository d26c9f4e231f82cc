//! The program itself, as `tsunagi demo` and `tsunagi pki` run it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use tsunagi::identity::certificate::TerminalCertificate;
use tsunagi_testkit::demo::site::make_anew;

fn run(arguments: &[&str], directory: &Path) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tsunagi-testkit")).args(arguments).current_dir(directory).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

#[test]
fn a_terminal_gets_a_certificate_of_the_profile_and_a_list_revokes_it() {
    let directory = tempfile::tempdir().unwrap();
    run(&["pki", "create", "certs"], directory.path());
    let serial = run(&["pki", "terminal", "certs", "city", "392014"], directory.path());
    let pem = fs::read(directory.path().join("certs/city.crt")).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
    let certificate = TerminalCertificate::from_der(&pem.contents).unwrap();
    assert_eq!((certificate.organization.as_str(), certificate.serial.as_str()), ("392014", serial.trim()));
    run(&["pki", "revoke", "certs", serial.trim(), "--days", "2"], directory.path());
    let list = fs::read(directory.path().join("certs/crl.pem")).unwrap();
    let (_, list) = x509_parser::pem::parse_x509_pem(&list).unwrap();
    let (_, list) = x509_parser::parse_x509_crl(&list.contents).unwrap();
    let revoked: Vec<_> = list.iter_revoked_certificates().map(|entry| format!("{:x}", entry.serial())).collect();
    assert_eq!(revoked, [serial.trim()]);
}

/// A port that is free now, and the next one too.
fn free_port() -> String {
    let is_free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let port = (20_000..30_000_u16)
        .step_by(2)
        .map(|port| port + std::process::id() as u16 % 1_000 * 2)
        .find(|port| is_free(*port) && is_free(port + 1));
    port.unwrap().to_string()
}

#[test]
fn the_whole_story_holds_and_is_played_anew_where_it_was() {
    let root = tempfile::tempdir().unwrap();
    let demo = root.path().join("var/demo");
    let play = || {
        let told = run(&["demo", "--once", "--records", "20", "--port", &free_port()], root.path());
        assert!(told.contains("expectations held, 0 did not."), "{told}");
        fs::read(demo.join("certs/ca.key")).unwrap()
    };
    let first = play();
    fs::write(demo.join("notes.txt"), "mine").unwrap();
    assert_ne!(play(), first);
    assert_eq!(fs::read_to_string(demo.join("notes.txt")).unwrap(), "mine");
    // Every file that a demonstration makes is known as such.
    make_anew(&demo).unwrap();
    for emptied in ["certs", "devices"] {
        assert_eq!(fs::read_dir(demo.join(emptied)).unwrap().count(), 0, "{emptied}");
    }
    let mut left: Vec<_> = fs::read_dir(&demo).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".tsunagi-demo", "certs", "devices", "notes.txt"]);
}

/// It once removed whatever directory held a keyring.
#[test]
fn a_keyring_of_production_survives_a_demonstration_in_its_directory() {
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc/tsunagi");
    fs::create_dir_all(&etc).unwrap();
    fs::write(etc.join("keyring.toml"), "the only copy").unwrap();
    fs::write(etc.join("tsunagi.toml"), "node = \"node-1\"").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi-testkit"));
    let output = command.args(["demo", "--once", "--port", &free_port(), "--directory"]).arg(&etc).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("is not a demonstration. Nothing was removed"), "{told}");
    assert_eq!(fs::read_to_string(etc.join("keyring.toml")).unwrap(), "the only copy");
    assert_eq!(fs::read_dir(&etc).unwrap().count(), 2);
}

#[test]
fn its_help_is_that_of_the_name_by_which_it_is_called() {
    let told = run(&["pki", "terminal", "--help"], Path::new("/"));
    assert!(told.contains("Usage: tsunagi pki terminal [OPTIONS] <DIRECTORY> <NAME> <ORGANIZATION>"), "{told}");
}

#[test]
fn a_stage_does_what_it_is_asked_for_and_ends_when_nobody_asks_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi-testkit"));
    command.args(["stage", "--party", "city-a", "--directory"]).arg(directory.path());
    let mut stage = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut asked = stage.stdin.take().unwrap();
    for line in [
        r#"{"do":"step","party":"city-a","officer":"sato"}"#,
        r#"{"do":"call","party":"city-a","officer":"sato","method":"GET","path":"/v1/session"}"#,
        r#"{"do":"record","party":"city-a","seed":1}"#,
        r#"{"do":"step","party":"city-a","officer":"nobody"}"#,
        r#"{"do":"dance"}"#,
    ] {
        writeln!(asked, "{line}").unwrap();
    }
    drop(asked);
    let told = String::from_utf8(stage.wait_with_output().unwrap().stdout).unwrap();
    let lines: Vec<_> = told.lines().collect();
    let words = [
        "\"ready\":true",
        "\"step\":",
        "\"assurance\":\"two_factors\"",
        "\"record\":",
        "\"failed\":\"nobody is nobody of city-a\"",
        "\"failed\":\"unknown variant `dance`",
    ];
    assert_eq!(lines.len(), words.len(), "{told}");
    for (line, words) in lines.iter().zip(words) {
        assert!(line.contains(words), "{line}");
    }
    let file = fs::read_to_string(directory.path().join("stage.json")).unwrap();
    for words in ["\"city-a-desk\"", "\"operator-desk\"", "\"stranger\"", "\"secret\"", "city-a-desk.p12"] {
        assert!(file.contains(words), "{words}");
    }
}
