//! A client of the gateway's API over mutual TLS, for the command line, the demonstration, tests and benchmarks.
//!
//! It keeps one connection, as [`crate::https`] says.

use std::{net::SocketAddr, path::PathBuf};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, uri::Authority};
use bytes::Bytes;
use http_body_util::Full;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    clock::unclocked_id,
    https::{HttpsClient, HttpsError, tls_config},
    wire::header::{self as api, IDEMPOTENCY_KEY},
};

/// The name in the certificates of `tsunagi-testkit`, whatever the address.
const TESTKIT_NAME: &str = "localhost";

/// Why a request got no answer, or an unexpected one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Https(#[from] HttpsError),
    #[error("request: {0}")]
    Request(#[from] axum::http::Error),
    #[error("body: {0}")]
    Json(#[from] serde_json::Error),
    #[error("expected {expected}, got {got}: {text}")]
    Status { expected: u16, got: StatusCode, text: String },
}

/// Where the certificates are: `NAME.crt`, `NAME.key` and `ca.crt` in one directory.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub directory: PathBuf,
    pub name: String,
}

/// A client with one terminal's certificate and one officer.
pub struct Client {
    https: HttpsClient,
    officer: Option<String>,
    token: Option<String>,
}

impl Client {
    /// A client of a gateway whose certificate names the host of its address.
    ///
    /// # Errors
    /// The certificate files cannot be read.
    pub fn of_server(server: Authority, credentials: &Credentials, officer: Option<&str>) -> Result<Self, ClientError> {
        Self::verifying(server, None, credentials, officer)
    }

    /// A client of a gateway with a certificate of `tsunagi-testkit`, which names `localhost` wherever it serves.
    ///
    /// # Errors
    /// The certificate files cannot be read.
    pub fn new(address: SocketAddr, credentials: &Credentials, officer: Option<&str>) -> Result<Self, ClientError> {
        let server = address.to_string().parse().map_err(axum::http::Error::from)?;
        Self::verifying(server, Some(TESTKIT_NAME), credentials, officer)
    }

    fn verifying(
        server: Authority,
        server_name: Option<&str>,
        Credentials { directory, name }: &Credentials,
        officer: Option<&str>,
    ) -> Result<Self, ClientError> {
        let https = HttpsClient::new(tls_config(directory, name)?, server, server_name)?;
        Ok(Self { https, officer: officer.map(str::to_owned), token: None })
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
        self.https.disconnect().await;
    }
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
        let mut request = Request::builder().method(self.method).uri(self.path).body(Full::new(self.body))?;
        request.headers_mut().extend(self.headers);
        // Evidence is as long as it is, and the gateway is whom the caller trusts with it.
        let (parts, body) = self.client.https.send(request, usize::MAX).await?;
        Ok(Reply { status: parts.status, headers: parts.headers, body })
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
/// It has another status; the text is the reply's body.
pub fn expect(reply: Reply, status: u16) -> Result<Reply, ClientError> {
    if reply.status.as_u16() == status {
        Ok(reply)
    } else {
        Err(ClientError::Status { expected: status, got: reply.status, text: reply.text() })
    }
}
