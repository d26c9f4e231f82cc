//! Certificates, terminals, officers, sessions; story step 8: revocation on an open connection.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use rustls::{pki_types::UnixTime, server::danger::ClientCertVerifier};
use serde_json::json as j;
use tsunagi::{
    client::{Client, Credentials},
    clock::utc_now,
    domain::{idempotency::Idempotency, organization::OrganizationCode},
    error::Error,
    identity::{
        certificate::{ORGANIZATION_URI, TerminalCertificate},
        directory::{OfficerClaim, TerminalKind},
        session::token_digest,
        verifier::TerminalVerifier,
    },
    journal::journal::Effect,
    ledger::entry::{Act, Entry},
    operations::{
        accounts::terminals::NewTerminal,
        waiting::ask::{RegisterTerminal, register_terminal},
    },
    server::tls::provider,
};
use tsunagi_testkit::{
    pki::{Authority, Flaw},
    world::Party,
};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_terminal_is_refused_on_its_open_connection() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
    let revoke = format!("/v1/terminals/{}/revoke", city.serial);
    assert_eq!(stage.world.operator.post(&revoke).send().await.unwrap().status, 200);
    let next = city.client.get("/v1/session").send().await.unwrap();
    assert_refused(&next, 401, "terminal_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_officer_is_refused_on_an_open_connection_and_the_terminal_stays() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    stage.world.add_staff(&city, "o2", &["viewer"]).await.unwrap();
    assert_eq!(city.client.get("/v1/records").send().await.unwrap().status, 200);
    let revoke = format!("/v1/staff/{CITY_A}/o1/revoke");
    assert_eq!(stage.world.operator.post(&revoke).send().await.unwrap().status, 200);
    let next = city.client.get("/v1/records").send().await.unwrap();
    assert_refused(&next, 401, "officer_not_active");
    let other = city.client.get("/v1/records").header("tsunagi-officer", "o2").send().await.unwrap();
    assert_eq!(other.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_list_holds_on_open_connections_and_for_new_ones() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
    let serving = stage.world.server.as_ref().unwrap().serving.clone();
    stage.world.premises.authority.publish_list(std::slice::from_ref(&city.serial), 30).unwrap();
    serving.verifier.reload().unwrap();
    assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 401, "terminal_revoked");
    let fresh = stage.world.another(&city).unwrap();
    assert!(fresh.get("/v1/session").send().await.is_err(), "the handshake itself is refused");
    // A damaged list leaves the last one in force.
    std::fs::write(
        stage.directory.path().join("certs/crl.pem"),
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    )
    .unwrap();
    assert!(serving.verifier.reload().is_err());
    assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 401, "terminal_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_list_is_tolerated_for_the_grace_and_then_refuses() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let serving = stage.world.server.as_ref().unwrap().serving.clone();
    stage.world.premises.authority.publish_list(&[], 1).unwrap();
    serving.verifier.reload().unwrap();
    stage.world.clock.advance(time::Duration::hours(24 + 71));
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
    stage.world.clock.advance(time::Duration::hours(2));
    assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 503, "revocation_list_expired");
    stage.world.premises.authority.publish_list(&[], 300).unwrap();
    serving.verifier.reload().unwrap();
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_outside_the_profile_get_no_connection() {
    let stage = Stage::new().await;
    let city = OrganizationCode::parse(CITY_A).unwrap();
    let authority = &stage.world.premises.authority;
    for (name, flaw) in [
        ("no-eku", Flaw::NoClientAuth),
        ("no-organization", Flaw::NoOrganization),
        ("two-organizations", Flaw::TwoOrganizations),
        ("a-ca", Flaw::IsCa),
        ("expired", Flaw::Expired),
    ] {
        authority.issue_terminal(name, &city, flaw).unwrap();
        let client = Client::new(stage.world.address, &stage.world.premises.credentials(name), Some("o1")).unwrap();
        assert!(client.get("/v1/session").send().await.is_err(), "{name}");
    }
    // Another CA's certificate, and the server's own.
    let foreign = tempfile::tempdir().unwrap();
    Authority::create(foreign.path()).unwrap().issue_terminal("foreign", &city, Flaw::None).unwrap();
    std::fs::copy(stage.directory.path().join("certs/ca.crt"), foreign.path().join("ca.crt")).unwrap();
    let credentials = Credentials { directory: foreign.path().to_owned(), name: "foreign".into() };
    assert!(
        Client::new(stage.world.address, &credentials, Some("o1")).unwrap().get("/v1/session").send().await.is_err()
    );
    let server = stage.world.premises.credentials("server");
    assert!(Client::new(stage.world.address, &server, Some("o1")).unwrap().get("/v1/session").send().await.is_err());
    // The twin: the profile's own certificate gets a connection, and is then not registered.
    authority.issue_terminal("good", &city, Flaw::None).unwrap();
    let good = Client::new(stage.world.address, &stage.world.premises.credentials("good"), Some("o1")).unwrap();
    assert_refused(&good.get("/v1/session").send().await.unwrap(), 401, "terminal_not_recognized");
}

async fn session(client: &Client) -> tsunagi::client::Reply {
    client.get("/v1/session").without("tsunagi-officer").send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_names_its_officer_and_a_desk_signs_in() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let nobody = session(&city.client).await;
    assert_refused(&nobody, 401, "officer_missing");
    let unknown = city.client.get("/v1/session").header("tsunagi-officer", "nobody").send().await.unwrap();
    assert_refused(&unknown, 401, "officer_not_active");

    let person = stage.world.seat_new(&city, "d1", &["caseworker"]).await.unwrap();
    let desk = Client::new(stage.world.address, &stage.world.premises.credentials("city-desk"), None).unwrap();
    assert_refused(&session(&desk).await, 401, "officer_missing");
    let named = desk.get("/v1/session").header("tsunagi-officer", "d1").send().await.unwrap();
    assert_refused(&named, 401, "officer_missing");
    let sign_in =
        |password: &str| desk.post("/v1/sessions").json(&j!({ "officer": "d1", "password": password })).send();
    assert_refused(&sign_in("wrong password!").await.unwrap(), 401, "sign_in_refused");
    assert_refused(&sign_in(&person.password).await.unwrap(), 401, "second_factor_missing");
    let token = person.sign_in_anew().await.unwrap();
    let from_machine =
        city.client.get("/v1/session").header("authorization", &format!("Bearer {token}")).send().await.unwrap();
    assert_refused(&from_machine, 401, "officer_missing");
    let signed_in = Client::new(stage.world.address, &stage.world.premises.credentials("city-desk"), None)
        .unwrap()
        .with_token(token);
    assert_eq!(json(&signed_in.get("/v1/session").send().await.unwrap())["officer"], "d1");
    assert_eq!(signed_in.request(axum::http::Method::DELETE, "/v1/sessions").send().await.unwrap().status, 200);
    assert_refused(&signed_in.get("/v1/session").send().await.unwrap(), 401, "session_invalid");
}

/// Both wait until the journal has a transaction for them: it is the same one, and memory is as it was before it.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_registrations_in_one_transaction_one_is_refused() {
    let stage = Stage::new().await;
    let chair = &stage.world.operators().await.unwrap().administrator;
    for code in [CITY_A, CITY_B] {
        let connected = j!({ "code": code, "relay_desk": "000-000-0000" });
        assert_eq!(chair.post("/v1/organizations", &connected).await.unwrap().status, 200);
    }
    let gateway = stage.world.gateway().unwrap();
    let operator = TerminalCertificate {
        organization: OrganizationCode::operator(),
        serial: gateway
            .directory()
            .terminals_of(Some(&OrganizationCode::operator()))
            .into_iter()
            .find(|terminal| terminal.kind == TerminalKind::Desk)
            .unwrap()
            .serial,
        not_after: gateway.clock.now().plus(time::Duration::days(1)),
    };
    let token = chair.sign_in_anew().await.unwrap();
    let caller = || {
        let officer = OfficerClaim::Session(token_digest(&token));
        let (now, request) = (gateway.clock.now(), gateway.clock.new_id());
        gateway.directory().recognize(&operator, &officer, now, request).unwrap()
    };
    let terminal = async |key: &str, of: &str| {
        let terminal = NewTerminal {
            serial: "abc123".to_owned(),
            organization: OrganizationCode::parse(of).unwrap(),
            kind: TerminalKind::Machine,
            label: "窓口".to_owned(),
        };
        let idempotency = Idempotency { key: key.to_owned(), digest: Vec::new() };
        register_terminal(gateway, &caller(), RegisterTerminal { terminal, idempotency }).await
    };
    let (open, opened) = tokio::sync::oneshot::channel::<()>();
    let holder = caller();
    let entry = Entry::of(&holder, Act::Refused, &gateway.clock);
    let held = gateway.journal.write(&holder, None, move |_| {
        Box::pin(async move {
            opened.await.unwrap();
            Ok(Effect::new((), entry))
        })
    });
    // In this order: what waits is in the journal's queue before the transaction that is held up goes on.
    let release = async { open.send(()).unwrap() };
    let (held, first, second, ()) =
        tokio::join!(held, terminal("first-terminal", CITY_A), terminal("second-terminal", CITY_B), release);
    assert!(held.is_ok() && first.is_ok());
    assert!(matches!(second, Err(Error::Exists("terminal"))));
    assert_eq!(gateway.directory().terminal("abc123").unwrap().organization.as_str(), CITY_A);
    let (a, b) = (stage.party("a", CITY_A).await, stage.party("b", CITY_B).await);
    assert_eq!((terminals_told(&a).await, terminals_told(&b).await), (3, 2), "each is told of its own terminals");
}

async fn terminals_told(party: &Party) -> usize {
    let reply = json(&party.client.get("/v1/inbox").send().await.unwrap());
    reply["messages"].as_array().unwrap().iter().filter(|message| message["kind"] == "terminal_registered").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_organization_and_a_foreign_administrator_get_nowhere() {
    let stage = Stage::new().await;
    let (city, other) = (stage.party("city", CITY_A).await, stage.party("other", CITY_B).await);
    let foreign = other.client.post(&format!("/v1/terminals/{}/revoke", city.serial)).send().await.unwrap();
    assert_refused(&foreign, 404, "not_found");
    let foreign = other.client.post(&format!("/v1/staff/{CITY_A}/o1/revoke")).send().await.unwrap();
    assert_refused(&foreign, 404, "not_found");
    let suspended = stage.world.operator.post(&format!("/v1/organizations/{CITY_A}/suspend")).send().await.unwrap();
    assert_eq!(suspended.status, 200, "{}", suspended.text());
    assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 401, "terminal_not_recognized");
}

/// PKITS 4.7.1 and 4.7.2: a certificate that may not sign certificates has signed a terminal's.
#[test]
fn an_intermediate_that_may_not_sign_certificates_vouches_for_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let ca = |name: &str, usage: KeyUsagePurpose| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![usage];
        params
    };
    let root_key = KeyPair::generate().unwrap();
    let root = ca("root", KeyUsagePurpose::KeyCertSign);
    let file = directory.path().join("ca.crt");
    std::fs::write(&file, root.self_signed(&root_key).unwrap().pem()).unwrap();
    let root = Issuer::new(root, root_key);
    let verifier = TerminalVerifier::load(&file, None, provider()).unwrap();
    let mut verdicts = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign].into_iter().map(|usage| {
        let key = KeyPair::generate().unwrap();
        let params = ca("intermediate", usage);
        let intermediate = params.signed_by(&key, &root).unwrap().der().clone();
        let mut terminal = CertificateParams::new(Vec::new()).unwrap();
        let uri = format!("{ORGANIZATION_URI}{CITY_A}");
        terminal.subject_alt_names.push(SanType::URI(uri.as_str().try_into().unwrap()));
        terminal.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let issuer = Issuer::new(params, key);
        let terminal = terminal.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone();
        verifier.verify_client_cert(&terminal, &[intermediate], UnixTime::now()).is_ok()
    });
    assert_eq!((verdicts.next(), verdicts.next()), (Some(true), Some(false)));
}

/// Lists are known by the CAs in `client_ca`: what another one revokes would go unseen on an open connection, and an
/// older list of it could take the place of a newer one.
#[test]
fn with_lists_an_intermediate_signs_terminals_only_where_it_is_trusted_itself() {
    let directory = tempfile::tempdir().unwrap();
    let ca = |name: &str, usages: &[KeyUsagePurpose]| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = usages.to_vec();
        params
    };
    let both = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = utc_now();
    let list = |issuer: &Issuer<'_, KeyPair>, number: u64, serials: &[u64]| {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now - time::Duration::days(1),
            next_update: now + time::Duration::days(30),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(issuer).unwrap().pem().unwrap()
    };
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = ca("root", &both).self_signed(&root_key).unwrap();
    let root_issuer = Issuer::new(ca("root", &both), root_key);
    let intermediate = ca("intermediate", &both).signed_by(&key, &root_issuer).unwrap();
    let no_lists = ca("intermediate", &both[..1]).signed_by(&key, &root_issuer).unwrap();
    let issuer = Issuer::new(ca("intermediate", &both), key);
    let mut terminal = CertificateParams::new(Vec::new()).unwrap();
    let uri = format!("{ORGANIZATION_URI}{CITY_A}");
    terminal.subject_alt_names.push(SanType::URI(uri.as_str().try_into().unwrap()));
    terminal.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    terminal.serial_number = Some(SerialNumber::from(0x4711_u64));
    let terminal = terminal.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone();
    let (ca_file, crl_file) = (directory.path().join("ca.crt"), directory.path().join("crl.pem"));
    let publish = |number: u64, serials: &[u64]| {
        std::fs::write(&crl_file, list(&root_issuer, number, &[]) + &list(&issuer, number, serials)).unwrap();
    };
    publish(1, &[]);
    let lets_in = |verifier: &TerminalVerifier| {
        verifier.verify_client_cert(&terminal, &[intermediate.der().clone()], UnixTime::now()).is_ok()
    };
    std::fs::write(&ca_file, root.pem()).unwrap();
    assert!(!lets_in(&TerminalVerifier::load(&ca_file, Some(&crl_file), provider()).unwrap()));
    std::fs::write(&ca_file, root.pem() + &intermediate.pem()).unwrap();
    let verifier = TerminalVerifier::load(&ca_file, Some(&crl_file), provider()).unwrap();
    assert!(lets_in(&verifier) && !verifier.is_revoked("4711"));
    // So what its list revokes is known on open connections, and no older list brings it back.
    publish(2, &[0x4711]);
    assert!(verifier.reload().unwrap());
    assert!(!lets_in(&verifier) && verifier.is_revoked("4711"));
    publish(1, &[]);
    assert!(verifier.reload().is_err());
    assert!(!lets_in(&verifier) && verifier.is_revoked("4711"));
    // PKITS 4.7.4 and 4.7.5: a CA that may sign no lists.
    std::fs::write(&ca_file, root.pem() + &no_lists.pem()).unwrap();
    assert!(TerminalVerifier::load(&ca_file, Some(&crl_file), provider()).is_err());
}

/// `tsunagi pki check` says before the door what the door would say.
#[test]
fn a_certificate_is_checked_before_the_door() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::create(directory.path()).unwrap();
    let city = OrganizationCode::parse(CITY_A).unwrap();
    let check = |name: &str| {
        let file = |name: &str| directory.path().join(name);
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tsunagi"))
            .args(["pki", "check", "--ca"])
            .arg(file("ca.crt"))
            .arg("--revocation-list")
            .arg(file("crl.pem"))
            .arg(file(&format!("{name}.crt")))
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    };
    let serial = authority.issue_terminal("good", &city, Flaw::None).unwrap();
    assert_eq!(check("good"), (true, format!("accepted: organization {CITY_A}, serial {serial}\n")));
    for (name, flaw, why) in [
        ("no-eku", Flaw::NoClientAuth, "refused by the profile: the extended key usage clientAuth is missing"),
        ("two", Flaw::TwoOrganizations, "refused by the profile: exactly one organization URI"),
        ("expired", Flaw::Expired, "refused by the path: "),
    ] {
        authority.issue_terminal(name, &city, flaw).unwrap();
        let (accepted, said) = check(name);
        assert!(!accepted && said.contains(why), "{said}");
    }
    authority.publish_list(&[serial], 30).unwrap();
    let (accepted, said) = check("good");
    assert!(!accepted && said.contains("refused by the path: ") && said.contains("Revoked"), "{said}");
}

/// Found by schemathesis on a busy gateway: a refusal went out of date while others changed who may do what, and the
/// caller was told 503.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_put_off_by_what_others_change() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    let center = stage.party("center", CENTER_A).await;
    let changes = async {
        for number in 0..60 {
            stage.world.add_staff(&center, &format!("s{number}"), &["viewer"]).await.unwrap();
        }
    };
    let refusals = async {
        for _ in 0..120 {
            assert_refused(&city.client.get("/v1/serious-cases").send().await.unwrap(), 403, "not_allowed");
        }
    };
    tokio::join!(changes, refusals);
}
