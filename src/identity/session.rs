//! Signing in at a desk: passwords as Argon2id (RFC 9106), sessions bound to the terminal.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use time::Duration;

use crate::{
    clock::{Timestamp, random_bytes},
    domain::organization::OrganizationCode,
};

/// A session ends after this long, whatever happens in it.
pub const LASTS: Duration = Duration::hours(10);
/// Fewest characters of a password.
pub const SHORTEST_PASSWORD: usize = 12;

/// A signed-in officer at one terminal.
#[derive(Clone)]
pub struct Session {
    pub organization: OrganizationCode,
    pub officer: String,
    pub terminal: String,
    pub expires_at: Timestamp,
}

impl Session {
    pub fn is_in_force(&self, organization: &OrganizationCode, terminal: &str, now: Timestamp) -> bool {
        self.organization == *organization && self.terminal == terminal && now < self.expires_at
    }
}

/// A new session token and the digest under which the session is kept.
pub fn new_token() -> Option<(String, [u8; 32])> {
    let token = BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>().ok()?);
    let digest = token_digest(&token);
    Some((token, digest))
}

/// SHA-256 of a token: the token itself is kept nowhere.
pub fn token_digest(token: &str) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()).as_ref());
    digest
}

/// Hashes a password in PHC form; `None` where the random generator fails. Takes tens of milliseconds.
pub fn hash_password(password: &str) -> Option<String> {
    let salt = random_bytes::<16>().ok()?;
    Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

/// Whether a password is the one hashed. An officer without a hash costs the same time as one with.
pub fn verify_password(password: &str, hash: Option<&str>) -> bool {
    match hash.and_then(|hash| PasswordHash::new(hash).ok()) {
        Some(hash) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
        None => {
            let _ = hash_password(password);
            false
        }
    }
}
