//! The program itself, as `tsunagi demo` and `tsunagi pki` run it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::{path::Path, process::Command};

use tsunagi::identity::certificate::TerminalCertificate;

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
    let pem = std::fs::read(directory.path().join("certs/city.crt")).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
    let certificate = TerminalCertificate::from_der(&pem.contents).unwrap();
    assert_eq!((certificate.organization.as_str(), certificate.serial.as_str()), ("392014", serial.trim()));
    run(&["pki", "revoke", "certs", serial.trim(), "--days", "2"], directory.path());
    let list = std::fs::read(directory.path().join("certs/crl.pem")).unwrap();
    let (_, list) = x509_parser::pem::parse_x509_pem(&list).unwrap();
    let (_, list) = x509_parser::parse_x509_crl(&list.contents).unwrap();
    let revoked: Vec<_> = list.iter_revoked_certificates().map(|entry| format!("{:x}", entry.serial())).collect();
    assert_eq!(revoked, [serial.trim()]);
}

#[test]
fn the_whole_story_holds() {
    let directory = tempfile::tempdir().unwrap();
    // Two ports next to each other that are free now.
    let port = (20_000..30_000_u16)
        .step_by(2)
        .map(|port| port + std::process::id() as u16 % 1_000 * 2)
        .find(|port| [*port, port + 1].iter().all(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()));
    let told = run(&["demo", "--once", "--records", "20", "--port", &port.unwrap().to_string()], directory.path());
    assert!(told.contains("expectations held, 0 did not."), "{told}");
}

#[test]
fn its_help_is_that_of_the_name_by_which_it_is_called() {
    let told = run(&["pki", "terminal", "--help"], Path::new("/"));
    assert!(told.contains("Usage: tsunagi pki terminal <DIRECTORY> <NAME> <ORGANIZATION>"), "{told}");
}
