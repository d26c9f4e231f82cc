//! Limits: nobody is slowed by somebody else.

use std::{sync::Arc, time::Duration};

use axum::http::Request;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json as j;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::client::TlsStream;
use tsunagi::{client::Reply, domain::format::NAMESPACE, https::tls_config};
use tsunagi_testkit::world::Party;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_limited_by_terminal_and_officer() {
    let stage = Stage::with("[limits]\nterminal_per_second = 1\nterminal_burst = 20\n").await;
    let city = stage.party("city", CITY_A).await;
    let mut limited = None;
    for _ in 0..30 {
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
    let other = stage.world.add_terminal("other", &city, "o1").await.unwrap();
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
async fn raw(stage: &Stage) -> TlsStream<TcpStream> {
    secured(stage, TcpStream::connect(stage.world.address).await.unwrap(), &[]).await
}

async fn secured(stage: &Stage, stream: TcpStream, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut config = tls_config(&stage.directory.path().join("certs"), "city").unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

/// An HTTP/2 connection of city A that takes so many bytes of each answer, and what ends with it.
async fn http2(stage: &Stage, window: u32) -> (SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let stream = secured(stage, TcpStream::connect(stage.world.address).await.unwrap(), &[b"h2"]).await;
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) =
        builder.initial_stream_window_size(window).handshake(TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

/// What an HTTP/2 client takes where nobody tells it otherwise.
const USUAL_WINDOW: u32 = 65_535;
const BOUND: Duration = Duration::from_secs(30);

fn asking(path: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(format!("https://localhost{path}")).header("tsunagi-officer", "o1");
    request.body(Empty::new()).unwrap()
}

/// A client with a window of zero: the gateway may send nothing of its answers but the headers.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_taken_keep_their_places_until_their_connection_is_ended() {
    let stage = Stage::with(&format!("{GENEROUS}terminal_in_flight = 2\nanswer_seconds = 5\n")).await;
    let city = stage.party("city", CITY_A).await;
    let center = stage.party("center", CENTER_A).await;
    let (mut sender, connection) = http2(&stage, 0).await;
    let mut untaken = Vec::new();
    for _ in 0..2 {
        let answer = sender.send_request(asking("/v1/session")).await.unwrap();
        assert_eq!(answer.status(), 200);
        untaken.push(answer);
    }
    assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 429, "rate_limited");
    assert_refused(&city.client.get("/openapi.json").send().await.unwrap(), 429, "rate_limited");
    assert_eq!(center.client.get("/v1/session").send().await.unwrap().status, 200);
    let _ = tokio::time::timeout(BOUND, connection).await.expect("the connection is kept");
    tokio::time::timeout(BOUND, until(&city, |status| status == 200)).await.expect("the places do not come back");
    drop(untaken);
}

/// The twin: a client that reads holds nothing, and its connection stays.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_taken_keep_no_place() {
    let stage = Stage::with(&format!("{GENEROUS}terminal_in_flight = 2\nanswer_seconds = 1\n")).await;
    let _city = stage.party("city", CITY_A).await;
    let (mut sender, connection) = http2(&stage, USUAL_WINDOW).await;
    let since = std::time::Instant::now();
    while since.elapsed() < Duration::from_secs(3) {
        let answer = sender.send_request(asking("/openapi.json")).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.into_body().collect().await.unwrap().to_bytes().len() > 65_536);
    }
    assert!(!connection.is_finished());
}

/// Over HTTP/1, where it is the kernel's buffers that are full.
#[tokio::test(flavor = "multi_thread")]
async fn a_hung_client_keeps_its_attachment_no_longer_than_it_may() {
    let stage = Stage::with(&format!("{GENEROUS}terminal_in_flight = 2\nanswer_seconds = 5\n")).await;
    let city = stage.party("city", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let path = format!("/v1/records/{record}/attachments");
    let photo = crate::photos::png(10_000_000);
    let attached = city.client.post(&path).body("image/png", photo).send().await.unwrap();
    let path = format!("{path}/{}", json(&attached)["attachment"].as_str().unwrap());
    let mut hung = Vec::new();
    for _ in 0..2 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = secured(&stage, socket.connect(stage.world.address).await.unwrap(), &[]).await;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nTsunagi-Officer: o1\r\nTsunagi-Purpose: casework\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        hung.push(stream);
    }
    assert_refused(&city.client.get("/v1/session").send().await.unwrap(), 429, "rate_limited");
    tokio::time::timeout(BOUND, until(&city, |status| status == 200)).await.expect("the places do not come back");
    drop(hung);
}

/// The handshake of any valid certificate, and then not a word: HTTP/1, and HTTP/2 with its preface.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_nothing_after_the_handshake_is_closed_and_who_asked_is_not() {
    let stage = Stage::with(&format!("{GENEROUS}header_seconds = 1\n")).await;
    let _city = stage.party("city", CITY_A).await;
    let (mut asked, kept) = http2(&stage, USUAL_WINDOW).await;
    assert_eq!(asked.send_request(asking("/v1/session")).await.unwrap().status(), 200);
    let mut silent = raw(&stage).await;
    let (_sender, prefaced) = http2(&stage, USUAL_WINDOW).await;
    let read = tokio::time::timeout(BOUND, silent.read_to_end(&mut Vec::new())).await;
    assert!(read.is_ok(), "a silent client kept its connection");
    let _ = tokio::time::timeout(BOUND, prefaced).await.expect("a preface alone kept its connection");
    let connections = &stage.world.server.as_ref().unwrap().serving.metrics.connections;
    let freed = async {
        while connections.get() > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(BOUND, freed).await.expect("the places of the connections do not come back");
    assert!(!kept.is_finished());
    assert_eq!(asked.send_request(asking("/v1/session")).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_terminal_does_not_wait_in_every_place() {
    let stage = Stage::with(&format!("{GENEROUS}terminal_in_flight = 2\n")).await;
    let city = stage.party("city", CITY_A).await;
    let center = stage.party("center", CENTER_A).await;
    let cursor = json(&city.client.get("/v1/inbox").send().await.unwrap())["cursor"].clone();
    let (mut sender, connection) = http2(&stage, USUAL_WINDOW).await;
    let path = format!("/v1/inbox?after={cursor}&wait=30");
    let waiting: Vec<_> = (0..3).map(|_| Box::pin(sender.send_request(asking(&path)))).collect();
    // Whichever comes last: two wait, and it is told at once.
    let first = futures_util::future::select_all(waiting);
    let (refused, _, waiting) = tokio::time::timeout(Duration::from_secs(20), first).await.expect("all of them wait");
    let refused = refused.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_refused(&city.client.get("/v1/inbox").send().await.unwrap(), 429, "rate_limited");
    assert_eq!(center.client.get("/v1/inbox").send().await.unwrap().status, 200);
    assert_eq!(city.client.get("/v1/session").send().await.unwrap().status, 200, "waiting keeps nobody from work");
    drop(waiting);
    connection.abort();
    let freed = async { while city.client.get("/v1/inbox").send().await.unwrap().status != 200 {} };
    tokio::time::timeout(BOUND, freed).await.expect("the places do not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_says_of_itself_counts_against_the_rate() {
    let stage = Stage::with("[limits]\nterminal_per_second = 1\nterminal_burst = 20\n").await;
    let city = stage.party("city", CITY_A).await;
    for path in ["/openapi.json", "/docs/"] {
        let mut statuses = Vec::new();
        for _ in 0..30 {
            statuses.push(city.client.get(path).send().await.unwrap().status.as_u16());
        }
        assert!(statuses.contains(&429), "{path}: {statuses:?}");
    }
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
    let stage = Stage::with(&format!("{GENEROUS}requests_in_flight = 8\nbody_seconds = 5\n")).await;
    let city = stage.party("city", CITY_A).await;
    // Requests hold every place: their bodies never come. `100 Continue` says that the gateway has begun to read one.
    let head = "POST /v1/searches HTTP/1.1\r\nHost: localhost\r\nTsunagi-Officer: o1\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n";
    let mut holding = Vec::new();
    for _ in 0..8 {
        let mut one = raw(&stage).await;
        one.write_all(head.as_bytes()).await.unwrap();
        let mut begun = [0; 12];
        one.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 100");
        holding.push(one);
    }
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
