//! A gateway's connection to one witness: kept open, bounded in time.

use std::{path::Path, time::Duration};

use axum::http::{Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::Full;
use tokio::time::timeout;

use crate::{
    https::{HttpsClient, HttpsError, tls_config_of},
    ledger::note::parse_size,
    witness::request::{AddCheckpoint, SIZE_TYPE},
};

/// Bytes of an answer.
const MAX_ANSWER: usize = 16 * 1024;

/// What a witness answered; nothing in it is verified yet.
#[derive(Debug, PartialEq, Eq)]
pub enum WitnessAnswer {
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
    Https(#[from] HttpsError),
    #[error("request: {0}")]
    Request(#[from] axum::http::Error),
    #[error("no answer in {0} seconds")]
    Slow(u64),
    #[error("the answer is not one of a witness")]
    Form,
}

/// A client of one witness.
pub struct WitnessClient {
    path: String,
    https: HttpsClient,
    patience: Duration,
}

impl WitnessClient {
    /// # Errors
    /// The address is not one, or a certificate file cannot be read.
    pub fn new(url: &str, ca: &Path, certificate: &Path, key: &Path, patience: Duration) -> Result<Self, Unreached> {
        let wrong = || Unreached::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https") && uri.query().is_none());
        let server = authority.ok_or_else(wrong)?.clone();
        let https = HttpsClient::new(tls_config_of(ca, certificate, key)?, server, None)?;
        Ok(Self { path: format!("{}/add-checkpoint", uri.path().trim_end_matches('/')), https, patience })
    }

    /// Asks for a signature.
    ///
    /// # Errors
    /// There was no answer in time, or it was none of a witness.
    pub async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<WitnessAnswer, Unreached> {
        let request = Request::post(&self.path)
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(Bytes::from(request.write())))?;
        let sent = timeout(self.patience, self.https.send(request, MAX_ANSWER)).await;
        let (parts, body) = match sent.map_err(|_| Unreached::Slow(self.patience.as_secs()))? {
            Err(HttpsError::Answer(_)) => return Err(Unreached::Form),
            sent => sent?,
        };
        let text = std::str::from_utf8(&body).ok();
        let is_size = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == SIZE_TYPE);
        match (parts.status, text) {
            (StatusCode::OK, Some(lines)) => Ok(WitnessAnswer::Signed(lines.to_owned())),
            (StatusCode::CONFLICT, Some(size)) if is_size => {
                size.strip_suffix('\n').and_then(parse_size).map(WitnessAnswer::OtherSize).ok_or(Unreached::Form)
            }
            (StatusCode::OK | StatusCode::CONFLICT, _) => Err(Unreached::Form),
            (StatusCode::UNPROCESSABLE_ENTITY, _) => Ok(WitnessAnswer::NotProved),
            (status, _) => Ok(WitnessAnswer::Refused(status)),
        }
    }
}
