//! A client of the gateway's API over mutual TLS, for the command line, the demonstration, tests and benchmarks.
//!
//! It keeps one connection and opens another where that has ended. One request at a time.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::TLS13,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::TcpStream, sync::Mutex};
use tokio_rustls::TlsConnector;
use uuid::Uuid;

use crate::{
    clock::unclocked_id,
    server::tls,
    wire::header::{self as api, IDEMPOTENCY_KEY},
};

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0}: not a certificate or key in PEM")]
    Pem(PathBuf),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("request: {0}")]
    Request(#[from] axum::http::Error),
    #[error("body: {0}")]
    Json(#[from] serde_json::Error),
    #[error("expected {expected}, got {got}: {text}")]
    Status { expected: u16, got: StatusCode, text: String },
}

/// Where certificates lie: `NAME.crt`, `NAME.key` and `ca.crt` in one directory.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub directory: PathBuf,
    pub name: String,
}

/// A client with one terminal's certificate and one officer.
pub struct Client {
    address: SocketAddr,
    connector: TlsConnector,
    officer: Option<String>,
    token: Option<String>,
    sender: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl Client {
    /// # Errors
    /// The certificate files cannot be read.
    pub fn new(address: SocketAddr, credentials: &Credentials, officer: Option<&str>) -> Result<Self, ClientError> {
        let Credentials { directory, name } = credentials;
        let config = tls_config(directory, name)?;
        Ok(Self {
            address,
            connector: TlsConnector::from(Arc::new(config)),
            officer: officer.map(str::to_owned),
            token: None,
            sender: Mutex::new(None),
        })
    }

    /// The same client with a session's token instead of an officer's name.
    pub fn with_token(self, token: String) -> Self {
        Self { token: Some(token), officer: None, ..self }
    }

    /// Begins a request. A writing one gets a fresh idempotency key; give another to repeat it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder<'_> {
        let mut headers = HeaderMap::new();
        if let Some(officer) = &self.officer {
            insert(&mut headers, api::OFFICER, officer);
        }
        if let Some(token) = &self.token {
            insert(&mut headers, header::AUTHORIZATION, &format!("Bearer {token}"));
        }
        if method != Method::GET {
            insert(&mut headers, IDEMPOTENCY_KEY, &unclocked_id().to_string());
        }
        RequestBuilder { client: self, method, path: path.to_owned(), headers, body: Bytes::new() }
    }

    pub fn get(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::PUT, path)
    }

    /// Ends the kept connection.
    pub async fn disconnect(&self) {
        *self.sender.lock().await = None;
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").map_err(|_| ClientError::Pem("localhost".into()))?;
        let stream = self.connector.connect(name, stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Its end is noticed by the next request.
            let _ = connection.await;
        });
        Ok(sender)
    }

    async fn send(&self, request: axum::http::Request<Full<Bytes>>) -> Result<Reply, ClientError> {
        let mut kept = self.sender.lock().await;
        if kept.as_ref().is_none_or(SendRequest::is_closed) {
            *kept = Some(self.connect().await?);
        }
        let Some(sender) = kept.as_mut() else { return Err(io::Error::from(io::ErrorKind::NotConnected).into()) };
        let sent = async {
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Reply { status: parts.status, headers: parts.headers, body })
        };
        let outcome: Result<Reply, hyper::Error> = sent.await;
        if outcome.is_err() {
            *kept = None;
        }
        Ok(outcome?)
    }
}

/// The TLS side of a client.
///
/// # Errors
/// The certificate files cannot be read.
pub fn tls_config(directory: &Path, name: &str) -> Result<ClientConfig, ClientError> {
    let file = |name: String| directory.join(name);
    tls_config_of(&file("ca.crt".into()), &file(format!("{name}.crt")), &file(format!("{name}.key")))
}

/// The same, of three files: the CA of the server, one's own certificate and key.
///
/// # Errors
/// A file cannot be read.
pub fn tls_config_of(ca: &Path, certificate: &Path, key: &Path) -> Result<ClientConfig, ClientError> {
    let pem = |path: &Path| ClientError::Pem(path.to_owned());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).map_err(|_| pem(ca))?)?;
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(|_| pem(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|_| pem(key))?;
    Ok(ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// A request being put together.
pub struct RequestBuilder<'c> {
    client: &'c Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl RequestBuilder<'_> {
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        insert(&mut self.headers, HeaderName::from_static(name), value);
        self
    }

    /// Leaves a header out.
    pub fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn purpose(mut self, purpose: &str) -> Self {
        insert(&mut self.headers, api::PURPOSE, purpose);
        self
    }

    pub fn if_match(self, version: i64) -> Self {
        self.header("if-match", &format!("\"{version}\""))
    }

    pub fn json<T: Serialize>(self, body: &T) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        self.body("application/json", body)
    }

    pub fn xml(self, body: impl Into<Bytes>) -> Self {
        self.body("application/xml", body)
    }

    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        insert(&mut self.headers, header::CONTENT_TYPE, content_type);
        self.body = body.into();
        self
    }

    /// # Errors
    /// There was no answer.
    pub async fn send(self) -> Result<Reply, ClientError> {
        let mut request = axum::http::Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(header::HOST, "localhost")
            .body(Full::new(self.body))?;
        request.headers_mut().extend(self.headers);
        self.client.send(request).await
    }
}

/// An answer.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Ids of the ledger entries that account for the answer.
    pub fn entries(&self) -> Vec<Uuid> {
        let list = self.header(api::LEDGER_ENTRIES.as_str()).unwrap_or_default();
        list.split(", ").filter_map(|id| Uuid::parse_str(id).ok()).collect()
    }
}

/// The reply, if it has the expected status.
///
/// # Errors
/// It has another; the text says what it says.
pub fn expect(reply: Reply, status: u16) -> Result<Reply, ClientError> {
    if reply.status.as_u16() == status {
        Ok(reply)
    } else {
        Err(ClientError::Status { expected: status, got: reply.status, text: reply.text() })
    }
}
