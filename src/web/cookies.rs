//! The cookies of the pages. Both are bound to the host, out of reach of scripts, and sent by no other site.

use axum::http::{HeaderMap, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{clock::random_bytes, planted::Planted};

/// The token of a session.
pub const SESSION: &str = "__Host-tsunagi-session";
/// A random value to which forms are bound that come before there is a session.
pub const VISIT: &str = "__Host-tsunagi-visit";

/// The value of a cookie; `None` where it is missing or sent twice.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = pairs
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(named, _)| *named == name)
        .map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}

/// `Set-Cookie` of a value, until the browser is closed.
pub fn setting(name: &str, value: &str) -> String {
    let same_site = if Planted::LaxCookies.is_planted() { "None" } else { "Strict" };
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}")
}

/// `Set-Cookie` that takes it away.
pub fn removing(name: &str) -> String {
    format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// A new random value; `None` where the random generator failed.
pub fn random_value() -> Option<String> {
    Some(BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_is_sent_twice_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; __Host-tsunagi-visit=x".parse().unwrap());
        assert_eq!(cookie(&headers, VISIT), Some("x"));
        headers.append(header::COOKIE, "__Host-tsunagi-visit=y".parse().unwrap());
        assert_eq!(cookie(&headers, VISIT), None);
        assert_eq!(cookie(&headers, SESSION), None);
    }
}
