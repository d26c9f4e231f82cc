//! The own certificate of a gateway and of a witness is renewed while they serve.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use tokio::net::TcpStream;
use tsunagi::{
    cli::witness::create_key,
    clock::Clock,
    domain::organization::OrganizationCode,
    https::tls_config,
    witness::serve::{WitnessConfig, WitnessServer, WitnessTls},
};
use tsunagi_testkit::pki::{Authority, Flaw};
use x509_parser::parse_x509_certificate;

use crate::{faults::*, harness::*};

/// The certificate that a server shows to a new connection.
async fn shown(certs: &Path, address: SocketAddr) -> Vec<u8> {
    let config = tls_config(certs, "operator").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_certificate_is_shown_without_a_restart() {
    let stage = Stage::new().await;
    let certs = stage.directory.path().join("certs");
    let monitor = stage.world.server.as_ref().unwrap().monitor_address;
    let city = stage.party("city", CITY_A).await;
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
    let first = shown(&certs, stage.world.address).await;
    let elsewhere = tempfile::tempdir().unwrap();
    Authority::create(elsewhere.path()).unwrap().issue_server(&["localhost"]).unwrap();
    stage.world.premises.authority.issue_server(&["localhost", "127.0.0.1", "gateway.example"]).unwrap();
    until("the new certificate is not shown", async || shown(&certs, stage.world.address).await != first).await;
    let second = shown(&certs, stage.world.address).await;
    let until_when = parse_x509_certificate(&second).unwrap().1.validity().not_after.timestamp();
    until("not told", async || metric(monitor, "tsunagi_certificate_until").await == until_when).await;
    assert_eq!(metric(monitor, "tsunagi_certificate_reload_failures_total").await, 0, "a renewal is no alarm");
    // Whoever was connected stays so.
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);

    for (what, broken) in [
        ("a key that does not belong to it", fs::read(elsewhere.path().join("server.key")).unwrap()),
        ("no key", Vec::new()),
    ] {
        let failures = metric(monitor, "tsunagi_certificate_reload_failures_total").await;
        fs::write(certs.join("server.key"), broken).unwrap();
        until(what, async || metric(monitor, "tsunagi_certificate_reload_failures_total").await > failures).await;
        assert_eq!(shown(&certs, stage.world.address).await, second, "{what}");
    }
    stage.world.premises.authority.issue_server(&["localhost", "127.0.0.1"]).unwrap();
    until("a third one is not shown", async || shown(&certs, stage.world.address).await != second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_shows_its_new_certificate_too() {
    let directory = tempfile::tempdir().unwrap();
    let (certs, state, key) = (directory.path(), directory.path().join("state"), directory.path().join("key"));
    let authority = Authority::create(certs).unwrap();
    authority.issue_server(&["localhost"]).unwrap();
    authority.issue_terminal("operator", &OrganizationCode::operator(), Flaw::None).unwrap();
    fs::create_dir(&state).unwrap();
    create_key(&key, "witness.example/1").unwrap();
    let file = |name: &str| certs.join(name);
    let tls = WitnessTls { certificate: file("server.crt"), key: file("server.key"), client_ca: file("ca.crt") };
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = WitnessConfig { listen, state, key, logs: Vec::new(), tls };
    let witness = WitnessServer::start(&config, Clock::system()).await.unwrap();
    let first = shown(certs, witness.address).await;
    authority.issue_server(&["localhost"]).unwrap();
    until("the new certificate is not shown", async || shown(certs, witness.address).await != first).await;
    witness.stop().await;
}
