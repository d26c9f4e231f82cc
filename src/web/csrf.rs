//! What keeps another site from having a browser send a form here. Three guards stand beside each other: cookies that no
//! other site sends ([`super::cookies`]), the headers by which a browser says where a request comes from, and a token in
//! each form.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use axum::http::{HeaderMap, Method, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::cookies::{SESSION, VISIT, cookie};
use crate::{
    clock::random_bytes,
    error::{Error, RequestError},
    face::{CallHead, own_origin},
    planted::Planted,
};

/// Of a form: the field in which the token is.
pub const FIELD: &str = "form_token";

const SECRET_BYTES: usize = 32;

/// Refuses what changes something and comes from another site, or from nobody knows where (Fetch Metadata; `Origin` where
/// a browser sends none).
///
/// # Errors
/// [`RequestError::ForeignForm`].
pub fn guard(head: &CallHead<'_>) -> Result<(), Error> {
    if matches!(*head.method, Method::GET | Method::HEAD) || Planted::BelieveAnyOrigin.is_planted() {
        return Ok(());
    }
    let text = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_own = match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => !origin.is_empty() && origin == own_origin(head),
        (None, None) => Planted::BelieveSilence.is_planted(),
    };
    if is_own { Ok(()) } else { Err(RequestError::ForeignForm.into()) }
}

/// To what the forms of a browser are bound: its session, or before there is one its visit.
fn anchors(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    [SESSION, VISIT].into_iter().filter_map(|name| cookie(headers, name))
}

/// To what the forms of its pages are bound now.
pub fn anchor(headers: &HeaderMap) -> Option<&str> {
    anchors(headers).next()
}

fn secret(key: &hmac::Key, anchor: &str) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(b"form token\0");
    context.update(anchor.as_bytes());
    context.sign()
}

/// A token for the forms of one page: the secret of the session under a mask of its own, so that no two pages show the
/// same and a compressed answer tells nothing of it. Empty where the random generator failed: such a form is refused.
pub fn token(key: &hmac::Key, anchor: &str) -> String {
    let Ok(mask) = random_bytes::<SECRET_BYTES>() else { return String::new() };
    let mask = if Planted::BareToken.is_planted() { [0; SECRET_BYTES] } else { mask };
    let secret = secret(key, anchor);
    let masked = mask.iter().zip(secret.as_ref()).map(|(mask, secret)| mask ^ secret);
    let both: Vec<u8> = mask.iter().copied().chain(masked).collect();
    BASE64_URL_SAFE_NO_PAD.encode(both)
}

/// The same for the session of a call; empty where it has none.
pub fn token_of(key: &hmac::Key, headers: &HeaderMap) -> String {
    anchor(headers).map(|anchor| token(key, anchor)).unwrap_or_default()
}

/// Refuses a form whose token is not of this session.
///
/// # Errors
/// [`RequestError::ForeignForm`].
pub fn check(key: &hmac::Key, headers: &HeaderMap, token: &str) -> Result<(), Error> {
    if Planted::BelieveAnyToken.is_planted() {
        return Ok(());
    }
    // A page of signing in that was opened beside a session is bound to the visit.
    let is_own = anchors(headers).any(|anchor| {
        let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((mask, masked)) = bytes.split_at_checked(SECRET_BYTES) else { return false };
        let shown: Vec<u8> = mask.iter().zip(masked).map(|(mask, masked)| mask ^ masked).collect();
        masked.len() == SECRET_BYTES && verify_slices_are_equal(secret(key, anchor).as_ref(), &shown).is_ok()
    });
    if is_own { Ok(()) } else { Err(RequestError::ForeignForm.into()) }
}
