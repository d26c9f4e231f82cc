//! A call as the server hands it to a route.

use std::collections::HashMap;

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, StatusCode};
use tsunagi::face::call::Call;

pub(super) fn call(headers: HeaderMap, query: HashMap<String, String>, body: Vec<u8>) -> Call {
    Call {
        id: uuid::Uuid::nil(),
        operation: "fuzz",
        status: StatusCode::OK,
        path: query.clone(),
        query,
        headers,
        origin: String::new(),
        body: body.into(),
        record_bytes: 2_000_000,
        fingerprint: hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]),
    }
}
