//! One call on its way to its operation, and the parts that both faces read.

use std::collections::HashMap;

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use uuid::Uuid;

use crate::{domain::idempotency::Idempotency, error::Error};

/// A call on its way to its operation.
#[derive(Clone)]
pub struct Call {
    /// Name of the operation, part of the idempotency digest.
    pub operation: &'static str,
    /// Id of the request.
    pub id: Uuid,
    /// Status of an answer that is no error.
    pub status: StatusCode,
    pub path: HashMap<String, String>,
    pub query: HashMap<String, String>,
    pub headers: HeaderMap,
    /// Address at which the gateway was asked, `https://HOST[:PORT]`, as the caller says it.
    pub origin: String,
    pub body: Bytes,
    /// Bytes of one record, where the body holds many.
    pub record_bytes: usize,
    /// Keys the digests of requests: a stolen database confirms no guess about a short body.
    pub fingerprint: hmac::Key,
}

impl Call {
    /// A path parameter that is an id. An id that cannot be one does not exist.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn id(&self, name: &str) -> Result<Uuid, Error> {
        self.path.get(name).and_then(|text| Uuid::parse_str(text).ok()).ok_or(Error::NotFound("id"))
    }

    /// A query parameter that is an id; `None` where it is not given.
    ///
    /// # Errors
    /// [`Error::NotFound`]: what is no id names nothing. Nothing wider is answered in its place.
    pub fn query_id(&self, name: &'static str) -> Result<Option<Uuid>, Error> {
        let id = self.query.get(name).map(|text| Uuid::parse_str(text));
        id.transpose().map_err(|_| Error::NotFound(name))
    }

    /// A path parameter as text.
    pub fn segment(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// Media type of the body without parameters, lower case.
    pub fn content_type(&self) -> String {
        let value = self.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// An idempotency key with the digest of this request; `None` where it is not of the form of one.
    pub fn keyed(&self, key: &str) -> Option<Idempotency> {
        if !(8..=128).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut context = hmac::Context::with_key(&self.fingerprint);
        context.update(self.operation.as_bytes());
        let mut path: Vec<_> = self.path.iter().collect();
        path.sort();
        for (name, value) in path {
            context.update(name.as_bytes());
            context.update(&[0]);
            context.update(value.as_bytes());
            context.update(&[0]);
        }
        context.update(self.header(header::IF_MATCH.as_str()).unwrap_or_default().as_bytes());
        context.update(&[0]);
        context.update(&self.body);
        Some(Idempotency { key: key.to_owned(), digest: context.sign().as_ref().to_vec() })
    }
}
