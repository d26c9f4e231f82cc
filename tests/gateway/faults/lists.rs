//! A file of revocation lists without a list in it does not say that nobody is revoked. Which lists there are, of whom,
//! and until when.

use std::{fs, path::Path, process::Command};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa, KeyIdMethod,
    KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::{CertificateRevocationListDer, pem::PemObject};
use tsunagi::{
    clock::{Clock, utc_now},
    domain::organization::OrganizationCode,
    server::start::Server,
};
use tsunagi_testkit::pki::{Authority, Flaw};

use crate::{crash, faults::*, harness::*};

/// A CA of another name.
fn other_ca() -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "Other CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// What may lie where a list should be, and revokes nobody.
fn no_lists(certs: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let list = fs::read_to_string(certs.join("crl.pem")).unwrap();
    let der = as_der(certs);
    vec![
        ("an empty file", Vec::new()),
        ("a line", b"# published on Monday\n".to_vec()),
        ("another label", list.replace("X509 CRL", "CRL").into_bytes()),
        ("the CA itself", fs::read(certs.join("ca.crt")).unwrap()),
        ("a key", fs::read(certs.join("ca.key")).unwrap()),
        ("text of two bytes a letter", list.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("half a list in DER", der[..der.len() / 2].to_vec()),
        ("a list in DER and more", [&der[..], b"more"].concat()),
    ]
}

/// The list of a CA as its DER.
fn as_der(certs: &Path) -> Vec<u8> {
    CertificateRevocationListDer::from_pem_file(certs.join("crl.pem")).unwrap().to_vec()
}

/// What `tsunagi pki check` says of the terminal `t`.
fn checked(certs: &Path, defect: Option<&str>) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(["pki", "check", "--ca", "ca.crt", "--revocation-list", "crl.pem", "t.crt"])
        .current_dir(certs)
        .envs(defect.map(|defect| ("PLANTED_DEFECT", defect)))
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

/// A CA whose list revokes its one terminal.
fn revoked_terminal() -> (tempfile::TempDir, Authority) {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::create(directory.path()).unwrap();
    let serial = authority.issue_terminal("t", &OrganizationCode::parse(CITY_A).unwrap(), Flaw::None).unwrap();
    authority.publish_list(&[serial], 30).unwrap();
    (directory, authority)
}

#[test]
fn a_check_without_a_list_accepts_nobody() {
    let (directory, authority) = revoked_terminal();
    let certs = directory.path();
    for (what, bytes) in no_lists(certs) {
        fs::write(certs.join("crl.pem"), bytes).unwrap();
        let (accepted, said) = checked(certs, None);
        assert!(!accepted && said.contains("crl.pem: ") && said.contains("Publish "), "{what}: {said}");
    }
    authority.publish_list(&[], 30).unwrap();
    // A list of another CA alone.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(certs.join("crl.pem"), elsewhere.path().join("crl.pem")).unwrap();
    fs::write(elsewhere.path().join("ca.crt"), other_ca()).unwrap();
    fs::copy(certs.join("t.crt"), elsewhere.path().join("t.crt")).unwrap();
    let (accepted, said) = checked(elsewhere.path(), None);
    assert!(!accepted && said.contains("of no CA in client_ca"), "{said}");
    assert!(checked(certs, None).0, "with a list that names nobody it is accepted");
}

/// The twin: taken for a list that revokes nobody, the empty file lets the revoked terminal in.
#[test]
fn believing_an_empty_list_is_caught() {
    let (directory, _authority) = revoked_terminal();
    assert!(!checked(directory.path(), Some("believe-an-empty-list")).0, "it is on the list");
    fs::write(directory.path().join("crl.pem"), "").unwrap();
    assert!(checked(directory.path(), Some("believe-an-empty-list")).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_does_not_start_without_a_list() {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let certs = directory.path().join("certs");
    for (what, bytes) in no_lists(&certs) {
        fs::write(certs.join("crl.pem"), bytes).unwrap();
        let told = Server::start(premises.config.clone(), Clock::system()).await.err();
        let told = told.unwrap_or_else(|| panic!("it starts with {what}")).to_string();
        assert!(told.contains("crl.pem: ") && told.contains("Publish "), "{what}: {told}");
    }
    premises.authority.publish_list(&[], 30).unwrap();
    Server::start(premises.config.clone(), Clock::system()).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_list_leaves_the_last_list_in_force_and_alarms() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
    stage.world.premises.authority.publish_list(std::slice::from_ref(&city.serial), 30).unwrap();
    let server = stage.world.server.as_ref().unwrap();
    server.serving.verifier.reload().unwrap();
    let certs = stage.directory.path().join("certs");
    for (what, bytes) in no_lists(&certs) {
        fs::write(certs.join("crl.pem"), bytes).unwrap();
        let told = server.serving.verifier.reload().unwrap_err().to_string();
        assert!(told.contains("crl.pem: ") && told.contains("Publish "), "{what}: {told}");
        assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 401, "terminal_revoked");
        assert!(stage.world.another(&city).unwrap().get("/v1/session").send().await.is_err(), "{what}");
    }
    until("it does not come", async || metric(server.monitor_address, "tsunagi_trust_reload_failures_total").await > 0)
        .await;
    // The twin: with the CA's list the terminal is back.
    stage.world.premises.authority.publish_list(&[], 30).unwrap();
    server.serving.verifier.reload().unwrap();
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_der_revokes_as_one_in_pem() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let certs = stage.directory.path().join("certs");
    stage.world.premises.authority.publish_list(std::slice::from_ref(&city.serial), 30).unwrap();
    let der = as_der(&certs);
    let verifier = &stage.world.server.as_ref().unwrap().serving.verifier;
    fs::write(certs.join("crl.pem"), &der).unwrap();
    verifier.reload().unwrap();
    assert!(verifier.is_revoked(&city.serial));
    assert!(stage.world.another(&city).unwrap().get("/v1/session").send().await.is_err());
    // Several, one behind the other.
    stage.world.premises.authority.publish_list(&[], 30).unwrap();
    fs::write(certs.join("crl.pem"), [as_der(&certs), as_der(&certs)].concat()).unwrap();
    verifier.reload().unwrap();
    assert_eq!(stage.world.another(&city).unwrap().get("/v1/session").send().await.unwrap().status, 200);
    assert_eq!(verifier.marks().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_names_the_ca_that_has_no_list() {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let (ca, log) = (directory.path().join("certs/ca.crt"), directory.path().join("log"));
    let said = || fs::read_to_string(&log).unwrap();
    let has_none = |ca: &str| {
        said().lines().filter(|line| line.contains("has no revocation list") && line.contains(ca)).count() == 1
    };
    fs::write(&ca, fs::read_to_string(&ca).unwrap() + &other_ca()).unwrap();
    let mut running = crash::serve_logging(&premises, &log).await;
    until("it does not come", async || has_none("CN=Other CA")).await;
    running.end().await;
    assert!(has_none("CN=Other CA") && !has_none("development"), "said once, and of that one alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_each_list_is_a_metric_and_past_it_an_alarm() {
    let stage = Stage::new().await;
    let monitor = stage.world.server.as_ref().unwrap().monitor_address;
    let name = "tsunagi_revocation_list_until{issuer=\"CN=Tsunagi development CA\"}";
    let (now, day) = (utc_now().unix_timestamp(), 24 * 60 * 60);
    let days = (metric(monitor, name).await - now + day / 2) / day;
    assert_eq!((days, metric(monitor, "tsunagi_revocation_list_expired").await), (30, 0));
    stage.world.premises.authority.publish_list(&[], 3).unwrap();
    until("it does not come", async || (metric(monitor, name).await - now + day / 2) / day == 3).await;
    stage.world.clock.advance(time::Duration::days(4));
    until("it does not come", async || metric(monitor, "tsunagi_revocation_list_expired").await == 1).await;
    stage.world.premises.authority.publish_list(&[], 30).unwrap();
    until("it does not come", async || metric(monitor, "tsunagi_revocation_list_expired").await == 0).await;
}

/// The list of a CA that nobody here knows, ended yesterday.
fn list_of_nobody() -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "Other CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let list = CertificateRevocationListParams {
        this_update: utc_now() - time::Duration::days(30),
        next_update: utc_now() - time::Duration::days(1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(&issuer).unwrap().pem().unwrap()
}

/// What is left over beside the newest list of each CA turns nobody away.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_list_of_a_known_ca_alone_ends() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let authority = &stage.world.premises.authority;
    let file = authority.directory().join("crl.pem");
    let published = |valid_days| {
        authority.publish_list(&[], valid_days).unwrap();
        fs::read_to_string(&file).unwrap()
    };
    let (old, new) = (published(1), published(30));
    let verifier = &stage.world.server.as_ref().unwrap().serving.verifier;
    for lists in [[&old, &new, &list_of_nobody()], [&list_of_nobody(), &new, &old]] {
        fs::write(&file, lists.map(String::as_str).concat()).unwrap();
        verifier.reload().unwrap();
        assert_eq!(verifier.list_ends().len(), 1, "lists that end");
        let until = verifier.lists_valid_until().unwrap();
        assert!(until > stage.world.clock.now().plus(time::Duration::days(29)), "{}", until.to_rfc3339());
    }
    stage.world.clock.advance(time::Duration::days(5));
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
}
