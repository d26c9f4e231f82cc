//! The headers that an operation reads, one a line as `name: value`, and the body after an empty line.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tsunagi::domain::purpose::Purpose;

use super::called::call;

/// Nothing panics; what is read from a header is of its form.
pub fn enter(bytes: &[u8]) {
    let call = call(headers(bytes), HashMap::new(), bytes.to_vec());
    if let Ok(purpose) = call.purpose() {
        assert!(Purpose::parse(purpose.as_str()) == Some(purpose));
    }
    if let Ok(version) = call.if_match() {
        let header = call.header("if-match").unwrap_or_default();
        assert!(header.contains('"') && header.contains(&version.unsigned_abs().to_string()));
    }
    if let Ok(idempotency) = call.idempotency() {
        assert!((8..=128).contains(&idempotency.key.len()) && idempotency.key.is_ascii());
        assert!(idempotency.digest.len() == 32);
        let again = call.idempotency().map(|again| again.digest);
        assert!(again.is_ok_and(|again| again == idempotency.digest), "a retry would act twice");
    }
    assert!(call.content_type().chars().all(|c| !c.is_ascii_uppercase() && c != ';'));
    if call.wants_xml() {
        assert!(call.header("accept").is_some_and(|accept| accept.contains("/xml")));
    }
}

fn headers(bytes: &[u8]) -> HeaderMap {
    let lines = bytes.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let pair = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name).ok()?;
        Some((name, HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?))
    };
    lines.filter_map(pair).collect()
}
