//! The HTTPS client, of the gateway's API and of witnesses: TLS 1.3 with a certificate of one's own, HTTP/1.1.
//!
//! The CA of the server is given as a file, and no other is believed; no proxy is asked and no redirect followed. A
//! client keeps one connection, opens another where that has ended, and sends one request at a time.

use std::{
    error::Error,
    iter::successors,
    path::{Path, PathBuf},
};

use axum::http::{HeaderValue, Request, Uri, header, response::Parts, uri::Authority};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, pem::PemObject},
    version::TLS13,
};
use tokio::sync::Mutex;
use tower::Service;

use crate::server::tls;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    #[error("{0}: not a certificate or key in PEM")]
    Pem(PathBuf),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("server name: {0}")]
    ServerName(#[from] InvalidDnsNameError),
    #[error("server: {0}")]
    Server(#[from] axum::http::Error),
    #[error("connection: {}", with_causes(.0.as_ref()))]
    Connection(Box<dyn Error + Send + Sync>),
    #[error("HTTP: {}", with_causes(.0))]
    Http(#[from] hyper::Error),
    #[error("the answer is not whole, or too long: {0}")]
    Answer(Box<dyn Error + Send + Sync>),
}

/// The libraries' own text names the step; what went wrong is in its causes.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = successors(error.source(), |cause| (**cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A client of one server.
pub struct HttpsClient {
    connector: HttpsConnector<HttpConnector>,
    server: Uri,
    host: HeaderValue,
    kept: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl HttpsClient {
    /// A client whose server has the name of its address in its certificate, or another that is given.
    ///
    /// # Errors
    /// It is not a name.
    pub fn new(config: ClientConfig, server: Authority, name: Option<&str>) -> Result<Self, HttpsError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let host = HeaderValue::from_str(name.unwrap_or(server.as_str())).map_err(axum::http::Error::from)?;
        let mut builder = HttpsConnectorBuilder::new().with_tls_config(config).https_only();
        if let Some(name) = name {
            let name = ServerName::try_from(name.to_owned())?;
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
        }
        Ok(Self {
            connector: builder.enable_http1().wrap_connector(connector),
            server: Uri::builder().scheme("https").authority(server).path_and_query("/").build()?,
            host,
            kept: Mutex::new(None),
        })
    }

    /// Sends a request, whose URI is a path. A body of the answer that is longer than `max_bytes` is an error.
    ///
    /// A caller that drops the future gives up the connection with it.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        max_bytes: usize,
    ) -> Result<(Parts, Bytes), HttpsError> {
        request.headers_mut().insert(header::HOST, self.host.clone());
        let mut kept = self.kept.lock().await;
        // Taken out meanwhile: a connection that was given up half-way is not used again.
        let mut sender = match kept.take() {
            Some(sender) => self.ready(sender).await?,
            None => self.connect().await?,
        };
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, max_bytes).collect().await.map_err(HttpsError::Answer)?;
        *kept = Some(sender);
        Ok((parts, body.to_bytes()))
    }

    /// Ends the kept connection.
    pub async fn disconnect(&self) {
        *self.kept.lock().await = None;
    }

    /// The connection, or another where it has ended: nothing was sent on it yet.
    async fn ready(&self, mut sender: SendRequest<Full<Bytes>>) -> Result<SendRequest<Full<Bytes>>, HttpsError> {
        match sender.ready().await {
            Ok(()) => Ok(sender),
            Err(_) => self.connect().await,
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, HttpsError> {
        // A clone: to connect needs the connector for itself, and holds nothing that lasts.
        let stream = self.connector.clone().call(self.server.clone()).await.map_err(HttpsError::Connection)?;
        let (sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(async move {
            // Its end is noticed by the next request.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

/// The TLS side of a client whose files are `ca.crt`, `NAME.crt` and `NAME.key` of one directory.
///
/// # Errors
/// The certificate files cannot be read.
pub fn tls_config(directory: &Path, name: &str) -> Result<ClientConfig, HttpsError> {
    let file = |name: String| directory.join(name);
    tls_config_of(&file("ca.crt".into()), &file(format!("{name}.crt")), &file(format!("{name}.key")))
}

/// The same, of three files: the CA of the server, one's own certificate and key.
///
/// # Errors
/// A file cannot be read.
pub fn tls_config_of(ca: &Path, certificate: &Path, key: &Path) -> Result<ClientConfig, HttpsError> {
    let pem = |path: &Path| HttpsError::Pem(path.to_owned());
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
