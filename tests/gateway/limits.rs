//! Limits: nobody is slowed by somebody else.

use std::time::Duration;

use serde_json::json as j;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tsunagi::{
    cli::demo::world::Party,
    client::{Reply, tls_config},
    domain::format::NAMESPACE,
};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_limited_by_terminal_and_officer() {
    let stage = Stage::with("[limits]\nterminal_per_second = 1\nterminal_burst = 6\n").await;
    let city = stage.party("city", CITY_A).await;
    let mut limited = None;
    for _ in 0..8 {
        let reply = city.client.get("/v1/session").send().await.unwrap();
        if reply.status == 429 {
            limited = Some(reply);
        }
    }
    let limited = limited.expect("never limited");
    assert_refused(&limited, 429, "rate_limited");
    assert!(limited.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_is_limited_at_every_terminal_together() {
    let stage = Stage::with("[limits]\nofficer_per_second = 1\nofficer_burst = 5\n").await;
    let city = stage.party("city", CITY_A).await;
    let other = stage.world.add_terminal("other", &city.code, "o1").await.unwrap();
    let mut statuses = Vec::new();
    for turn in 0..8 {
        let client = if turn % 2 == 0 { &city.client } else { &other.client };
        statuses.push(client.get("/v1/session").send().await.unwrap().status.as_u16());
    }
    assert!(statuses[..4].iter().all(|status| *status == 200) && statuses.contains(&429), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_depths_and_attributes_are_bounded() {
    let stage = Stage::with(&format!("{GENEROUS}record_bytes = 100000\n")).await;
    let city = stage.party("city", CITY_A).await;
    let send = |body: String| city.client.post("/v1/records").xml(body).send();
    assert_refused(&send("x".repeat(100_001)).await.unwrap(), 413, "too_large");
    let deep = format!("<childRecord xmlns=\"{NAMESPACE}\">{}", "<index>".repeat(80));
    let reply = send(deep).await.unwrap();
    assert_eq!(json(&reply)["faults"][0]["rule"], "depth");
    let attributes: String = (0..300).map(|n| format!(" a{n}=\"u\"")).collect();
    let reply = send(format!("<childRecord xmlns=\"{NAMESPACE}\"{attributes}/>")).await.unwrap();
    assert_eq!(json(&reply)["faults"][0]["rule"], "attribute");
    let reply = send(format!(
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><childRecord xmlns=\"{NAMESPACE}\">&e;</childRecord>"
    ))
    .await
    .unwrap();
    assert_eq!(json(&reply)["faults"][0]["rule"], "document_type");
    let large =
        city.client.post("/v1/searches").json(&j!({ "case_reference": "x".repeat(70_000) })).send().await.unwrap();
    assert_refused(&large, 413, "too_large");
    let mut many = city.client.get("/v1/session");
    for name in ["x-a", "x-b", "x-c"] {
        many = many.header(name, &"v".repeat(9_000));
    }
    assert!(many.send().await.map_or(true, |reply| reply.status.as_u16() == 431), "header bytes are bounded");
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_no_text_is_refused_like_any_other() {
    let stage = Stage::new().await;
    let city = stage.party("city", CITY_A).await;
    for path in ["/v1/records/%FF/history", "/v1/records/%C0%AF/history", "/v1/staffing-reports/%FF/export"] {
        let reply = city.client.get(path).header("tsunagi-purpose", "casework").send().await.unwrap();
        assert!(matches!(reply.status.as_u16(), 403 | 404), "{path}: {}", reply.status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
}

/// Found by slowhttptest: as many slow bodies as there are places, and nobody else was answered.
#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_of_one_terminal_keep_no_place_from_another() {
    let stage =
        Stage::with(&format!("{GENEROUS}requests_in_flight = 4\nterminal_in_flight = 2\nbody_seconds = 20\n")).await;
    let city = stage.party("city", CITY_A).await;
    let center = stage.party("center", CENTER_A).await;
    let head = "POST /v1/searches HTTP/1.1\r\nHost: localhost\r\nTsunagi-Officer: o1\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n";
    let mut holding = Vec::new();
    for _ in 0..2 {
        let mut stream = raw(&stage).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 100");
        holding.push(stream);
    }
    let refused = city.client.get("/v1/session").send().await.unwrap();
    assert_refused(&refused, 429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(center.client.get("/v1/session").send().await.unwrap().status, 200);
    // Who waits for news holds no place, and the places come back with the connections.
    assert_eq!(city.client.get("/v1/inbox").send().await.unwrap().status, 200);
    drop(holding);
    let bound = Duration::from_secs(20);
    tokio::time::timeout(bound, until(&city, |status| status == 200)).await.expect("the places do not come back");
}

/// A TLS connection with city A's certificate, to send whatever a client would not.
async fn raw(stage: &Stage) -> tokio_rustls::client::TlsStream<TcpStream> {
    let config = tls_config(&stage.directory.path().join("certs"), "city").unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = TcpStream::connect(stage.world.address).await.unwrap();
    connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_closed() {
    let extra = format!("{GENEROUS}handshake_seconds = 1\nheader_seconds = 1\nbody_seconds = 1\n");
    let stage = Stage::with(&extra).await;
    let _city = stage.party("city", CITY_A).await;
    let bound = Duration::from_secs(20);
    // Says nothing at all.
    let mut silent = TcpStream::connect(stage.world.address).await.unwrap();
    let read = tokio::time::timeout(bound, silent.read_to_end(&mut Vec::new())).await;
    assert!(read.is_ok(), "a silent client kept its connection");
    // Begins its headers and stops.
    let mut headers = raw(&stage).await;
    headers.write_all(b"GET /v1/session HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
    let read = tokio::time::timeout(bound, headers.read_to_end(&mut Vec::new())).await;
    assert!(read.is_ok(), "half a header kept its connection");
    // Begins its body and stops.
    let mut body = raw(&stage).await;
    let head = "POST /v1/searches HTTP/1.1\r\nHost: localhost\r\nTsunagi-Officer: o1\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{";
    body.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(bound, body.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "half a body kept its connection");
    assert!(String::from_utf8_lossy(&answer).contains("408"), "{}", String::from_utf8_lossy(&answer));
}

/// Asks until an answer has the wanted status.
async fn until(city: &Party, wanted: impl Fn(u16) -> bool) -> Reply {
    loop {
        let reply = city.client.get("/v1/session").send().await.unwrap();
        if wanted(reply.status.as_u16()) {
            return reply;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_answered_and_costs_nobody_else() {
    let stage = Stage::with(&format!("{GENEROUS}requests_in_flight = 1\nbody_seconds = 5\n")).await;
    let city = stage.party("city", CITY_A).await;
    // One request holds the only place: its body never comes. `100 Continue` says that the gateway has begun to read it.
    let mut holding = raw(&stage).await;
    let head = "POST /v1/searches HTTP/1.1\r\nHost: localhost\r\nTsunagi-Officer: o1\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n";
    holding.write_all(head.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    holding.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100");
    let reply = city.client.get("/v1/session").send().await.unwrap();
    assert_refused(&reply, 503, "overloaded");
    assert_eq!(reply.header("retry-after"), Some("1"));
    drop(holding);
    let bound = Duration::from_secs(20);
    tokio::time::timeout(bound, until(&city, |status| status == 200)).await.expect("it does not recover");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tls_13_without_resumption() {
    let stage = Stage::new().await;
    let _city = stage.party("city", CITY_A).await;
    let mut stream = raw(&stage).await;
    assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    stream
        .write_all(b"GET /v1/session HTTP/1.1\r\nHost: localhost\r\nTsunagi-Officer: o1\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(
        stream.get_ref().1.tls13_tickets_received(),
        0,
        "a ticket would get in without the certificate being looked at"
    );
    // Plain HTTP and an older protocol get nothing.
    let mut plain = TcpStream::connect(stage.world.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
}
