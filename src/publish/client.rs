//! A gateway's connection to one witness: kept open, bounded in time.

use std::{io, path::Path, sync::Arc, time::Duration};

use axum::http::{StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, sync::Mutex, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    client::{ClientError, tls_config_of},
    ledger::note::parse_size,
    witness::request::{AddCheckpoint, SIZE_TYPE},
};

/// Bytes of an answer.
const MOST_ANSWER: usize = 16 * 1024;

/// What a witness answered; nothing in it is verified yet.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its signature lines.
    Signed(String),
    /// The size it holds (409).
    OtherSize(u64),
    /// The proof does not hold (422).
    NotProved,
    /// Anything else: it does not know the log or its key, or has a fault of its own.
    Refused(StatusCode),
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    #[error("{0}: not of the form https://HOST[:PORT][/PREFIX]")]
    Url(String),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("no answer in {0} seconds")]
    Slow(u64),
    #[error("the answer is not one of a witness")]
    Form,
}

/// A client of one witness.
pub struct WitnessClient {
    host: String,
    port: u16,
    path: String,
    connector: TlsConnector,
    patience: Duration,
    sender: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl WitnessClient {
    /// # Errors
    /// The address is not one, or a certificate file cannot be read.
    pub fn new(url: &str, ca: &Path, certificate: &Path, key: &Path, patience: Duration) -> Result<Self, Unreached> {
        let wrong = || Unreached::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host =
            uri.host().filter(|_| uri.scheme_str() == Some("https") && uri.query().is_none()).ok_or_else(wrong)?;
        let path = format!("{}/add-checkpoint", uri.path().trim_end_matches('/'));
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(443),
            path,
            connector: TlsConnector::from(Arc::new(tls_config_of(ca, certificate, key)?)),
            patience,
            sender: Mutex::new(None),
        })
    }

    /// Asks for a signature.
    ///
    /// # Errors
    /// There was no answer in time, or it was none of a witness.
    pub async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Answer, Unreached> {
        let mut kept = self.sender.lock().await;
        // Taken out meanwhile: a connection that was given up half-way is not used again.
        let sender = kept.take().filter(|sender| !sender.is_closed());
        let (sender, answer) = timeout(self.patience, self.ask(sender, request))
            .await
            .map_err(|_| Unreached::Slow(self.patience.as_secs()))??;
        *kept = Some(sender);
        answer.ok_or(Unreached::Form)
    }

    async fn ask(
        &self,
        sender: Option<SendRequest<Full<Bytes>>>,
        request: &AddCheckpoint,
    ) -> Result<(SendRequest<Full<Bytes>>, Option<Answer>), ClientError> {
        let mut sender = match sender {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await?;
        let request = axum::http::Request::post(&self.path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(Bytes::from(request.write())))?;
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let Ok(body) = Limited::new(body, MOST_ANSWER).collect().await else { return Ok((sender, None)) };
        let body = body.to_bytes();
        let text = std::str::from_utf8(&body).ok();
        let is_size = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == SIZE_TYPE);
        let answer = match (parts.status, text) {
            (StatusCode::OK, Some(lines)) => Some(Answer::Signed(lines.to_owned())),
            (StatusCode::CONFLICT, Some(size)) if is_size => {
                size.strip_suffix('\n').and_then(parse_size).map(Answer::OtherSize)
            }
            (StatusCode::OK | StatusCode::CONFLICT, _) => None,
            (StatusCode::UNPROCESSABLE_ENTITY, _) => Some(Answer::NotProved),
            (status, _) => Some(Answer::Refused(status)),
        };
        Ok((sender, answer))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "not a host name"))?;
        let stream = self.connector.connect(name, stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Its end is noticed by the next request.
            let _ = connection.await;
        });
        Ok(sender)
    }
}
