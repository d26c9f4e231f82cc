//! A revocation of whatever kind is in force within a second: for the next request of an open connection, for a request
//! that waits, and for one whose body is still coming. Over one HTTP/2 connection, as a case system keeps it.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{Method, Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json as j;
use tokio::{net::TcpStream, sync::mpsc};
use tsunagi::{client::Client, domain::organization::OrganizationCode, https::tls_config};

use crate::{crash, faults::*, harness::*};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    List,
    Terminal,
    Officer,
    Session,
    Organization,
}

pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// One HTTP/2 connection of a terminal, and how its requests name their officer.
pub struct Connection {
    sender: SendRequest<Body>,
    officer: (&'static str, String),
}

impl Connection {
    pub async fn open(premises: &Premises, name: &str, officer: (&'static str, String)) -> Self {
        let mut config = tls_config(premises.authority.directory(), name).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(premises.config.listen).await.unwrap();
        let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = handshake.unwrap();
        tokio::spawn(connection);
        Self { sender, officer }
    }

    /// Sends a request at once; its answer, status and text, comes when it comes.
    pub fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Body,
    ) -> tokio::task::JoinHandle<(u16, String)> {
        let (name, value) = &self.officer;
        let request = Request::builder()
            .method(method)
            .uri(format!("https://localhost{path}"))
            .header(*name, value)
            .header(header::CONTENT_TYPE, content_type)
            .header("idempotency-key", "revocation-0001")
            .body(body)
            .unwrap();
        // Queued at once: requests reach the gateway in the order in which they are sent.
        let mut sender = self.sender.clone();
        let sent = sender.send_request(request);
        tokio::spawn(async move {
            let response = sent.await.unwrap();
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8_lossy(&body).into_owned())
        })
    }

    pub fn get(&self, path: &str) -> tokio::task::JoinHandle<(u16, String)> {
        self.send(Method::GET, path, "", Empty::new().boxed_unsync())
    }
}

/// A body whose parts are sent when the test wants.
pub fn streamed() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, parts) = mpsc::channel(4);
    let frames = futures_util::stream::unfold(parts, |mut parts: mpsc::Receiver<Bytes>| async move {
        parts.recv().await.map(|part| (Ok::<_, Infallible>(Frame::data(part)), parts))
    });
    (sender, StreamBody::new(frames).boxed_unsync())
}

/// What became of the requests of a caller who was revoked.
#[derive(Debug)]
struct Outcome {
    /// How long after the revocation was in force for those who made it, or the list was published.
    refused_after: Option<Duration>,
    waiting: (u16, String),
    upload: u16,
    written: usize,
}

async fn revoke(kind: Kind, premises: &Premises, operator: &Client, city: &Party, token: &str) {
    let path = match kind {
        Kind::List => return premises.authority.publish_list(std::slice::from_ref(&city.serial), 30).unwrap(),
        Kind::Session => {
            let desk = Client::new(premises.config.listen, &premises.credentials("desk"), None).unwrap();
            let desk = desk.with_token(token.to_owned());
            assert_eq!(desk.request(Method::DELETE, "/v1/sessions").send().await.unwrap().status, 200);
            return;
        }
        Kind::Terminal => format!("/v1/terminals/{}/revoke", city.serial),
        Kind::Officer => format!("/v1/staff/{CITY_A}/o1/revoke"),
        Kind::Organization => format!("/v1/organizations/{CITY_A}/suspend"),
    };
    assert_eq!(operator.post(&path).send().await.unwrap().status, 200);
}

async fn course(kind: Kind, defect: Option<&str>) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let mut running = crash::serve(&premises, defect).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    let far = crash::connect(&premises, &operator, "far", FAR_CENTER).await;
    let record = register(&city, &family(CITY_A)).await;
    let token = at_a_desk(&premises, &city).await;
    let connection = match kind {
        Kind::Session => Connection::open(&premises, "desk", ("authorization", format!("Bearer {token}"))).await,
        _ => Connection::open(&premises, "a", ("tsunagi-officer", "o1".into())).await,
    };
    let read: serde_json::Value = serde_json::from_str(&connection.get("/v1/inbox").await.unwrap().1).unwrap();
    let waiting = connection.get(&format!("/v1/inbox?after={}&wait=25", read["cursor"]));
    let (parts, body) = streamed();
    let upload = connection.send(Method::POST, &format!("/v1/records/{record}/attachments"), "image/png", body);
    let mut rest = Bytes::from(crate::photos::png(8));
    parts.send(rest.split_to(8)).await.unwrap();
    // Both are under way: what was sent after them on the same connection has been answered.
    for _ in 0..3 {
        assert_eq!(connection.get("/v1/session").await.unwrap().0, 200);
    }
    revoke(kind, &premises, &operator, &city, &token).await;
    let since = Instant::now();
    let mut refused_after = None;
    while refused_after.is_none() && since.elapsed() < Duration::from_secs(3) {
        let (status, text) = connection.get("/v1/session").await.unwrap();
        if status != 200 {
            assert_eq!(status, 401, "{text}");
            refused_after = Some(since.elapsed());
        }
    }
    // News for the organization, which whoever was revoked must not have; and the rest of the file.
    let reason = j!({ "reason": "当直" });
    let night = far.first.seat("o1").await.unwrap();
    let broken = night.post(&format!("/v1/records/{record}/break-glass"), &reason).await.unwrap();
    assert_eq!(broken.status, 201, "{}", broken.text());
    parts.send(rest).await.unwrap();
    drop(parts);
    let (upload, waiting) = (upload.await.unwrap().0, waiting.await.unwrap());
    running.stop().await;
    let gateway = Gateway::open(premises.config.clone(), Clock::system()).await.unwrap();
    let mut tx = gateway.store.read().await.unwrap();
    let owner = OrganizationCode::parse(CITY_A).unwrap();
    let written = store::attachments::of_record(&mut tx, &owner, record.parse().unwrap()).await.unwrap().len();
    drop(tx);
    gateway.store.close().await;
    Outcome { refused_after, waiting, upload, written }
}

async fn is_in_force_within_a_second(kind: Kind) {
    let Outcome { refused_after, waiting, upload, written } = course(kind, None).await;
    let refused_after = refused_after.expect("the next request is answered");
    assert!(refused_after <= Duration::from_secs(1), "{refused_after:?}");
    assert_eq!(waiting.0, 401, "{}", waiting.1);
    assert!(!waiting.1.contains("messages"), "{}", waiting.1);
    assert_eq!((upload, written), (401, 0));
    println!("{kind:?}: refused after {refused_after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_on_the_list_is_out_within_a_second() {
    is_in_force_within_a_second(Kind::List).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_terminal_is_out_within_a_second() {
    is_in_force_within_a_second(Kind::Terminal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_officer_is_out_within_a_second() {
    is_in_force_within_a_second(Kind::Officer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_is_out_within_a_second() {
    is_in_force_within_a_second(Kind::Session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_organization_is_out_within_a_second() {
    is_in_force_within_a_second(Kind::Organization).await;
}

/// The twin: a gateway that recognizes a caller once for a request, and looks at no list, is caught.
#[tokio::test(flavor = "multi_thread")]
async fn recognizing_once_is_caught() {
    for kind in [Kind::Terminal, Kind::List] {
        let outcome = course(kind, Some("recognize-once")).await;
        assert!(outcome.waiting.0 == 200 && outcome.waiting.1.contains("\"kind\""), "{outcome:?}");
        assert_eq!((outcome.upload, outcome.written), (201, 1), "{kind:?}");
        assert_eq!(outcome.refused_after.is_none(), kind == Kind::List, "{outcome:?}");
    }
}
