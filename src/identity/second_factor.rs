//! The second factor: codes by time (TOTP, RFC 6238: SHA-1, six digits, 30 seconds), and recovery codes.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use totp_rs::{Builder, Secret, Totp};

use super::session::token_digest;
use crate::{
    clock::{Timestamp, random_bytes},
    domain::{organization::OrganizationCode, two_persons::StaffId},
    planted::Planted,
};

/// Bytes of a secret, as RFC 4226 recommends.
pub const SECRET_BYTES: usize = 20;
/// Recovery codes that are given at once.
pub const RECOVERY_CODES: usize = 8;

fn totp(secret: &[u8], account: &StaffId) -> Option<Totp> {
    Builder::new()
        .with_secret(Secret::from(secret.to_vec()))
        .with_issuer(Some("Tsunagi"))
        .with_account_name(format!("{}/{}", account.organization, account.officer))
        .build()
        .ok()
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_micros().div_euclid(1_000_000)).unwrap_or(0)
}

/// The time step of a code, where it is right at this moment or one step beside it, and no code of that step or a later
/// one was used before.
pub fn accepted_step(secret: &[u8], account: &StaffId, code: &str, now: Timestamp, last_used: i64) -> Option<i64> {
    let step = i64::try_from(totp(secret, account)?.check(code, seconds(now))?).ok()?;
    (step > last_used || Planted::AcceptReplays.is_planted()).then_some(step)
}

/// The code of a moment: what the person's device shows.
pub fn code_at(secret: &[u8], account: &StaffId, now: Timestamp) -> Option<String> {
    Some(totp(secret, account)?.generate(seconds(now)).to_string())
}

/// The secret as a device takes it in, `otpauth://…`.
pub fn provisioning_url(secret: &[u8], account: &StaffId) -> Option<String> {
    totp(secret, account)?.to_url().ok()
}

/// The secret as a person types it in.
pub fn typed_secret(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

/// A secret that a ticket stands for: nothing is written before the person has shown that their device has it.
pub fn secret_of_ticket(key: &hmac::Key, organization: &OrganizationCode, officer: &str, ticket: &str) -> Vec<u8> {
    let mut context = hmac::Context::with_key(key);
    for part in ["second factor", organization.as_str(), officer, ticket] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    context.sign().as_ref().iter().copied().take(SECRET_BYTES).collect()
}

/// A code that is told once: 80 random bits in groups of four letters and digits, and the digest that is kept.
pub fn new_code() -> Option<(String, [u8; 32])> {
    let letters = BASE32_NOPAD.encode(&random_bytes::<10>().ok()?);
    let groups: Vec<String> = letters.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into()).collect();
    let digest = code_digest(&letters);
    Some((groups.join("-"), digest))
}

/// Digest of a code, however it was typed.
pub fn code_digest(code: &str) -> [u8; 32] {
    let typed: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    token_digest(&typed.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8; 20] = b"12345678901234567890";

    fn person() -> StaffId {
        StaffId { organization: OrganizationCode::operator(), officer: "p".to_owned() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// RFC 6238, appendix B: the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        for (second, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            assert_eq!(code_at(SECRET, &person(), at(second)).unwrap(), code);
        }
    }

    #[test]
    fn a_code_is_right_a_step_beside_its_own_and_once() {
        let step = |second, last| accepted_step(SECRET, &person(), "287082", at(second), last);
        assert_eq!([step(29, 0), step(59, 0), step(89, 0)], [Some(1); 3]);
        assert_eq!((step(120, 0), step(59, 1), step(59, 2)), (None, None, None));
        assert_eq!(accepted_step(SECRET, &person(), "287083", at(59), 0), None);
    }

    #[test]
    fn a_code_may_be_typed_with_and_without_its_dashes() {
        let (code, digest) = new_code().unwrap();
        assert_eq!((code.len(), code_digest(&code)), (19, digest));
        assert_eq!(code_digest(&code.replace('-', " ").to_ascii_lowercase()), digest);
        assert_ne!(new_code().unwrap().1, digest);
    }
}
