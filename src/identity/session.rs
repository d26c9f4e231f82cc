//! Sessions of desks: bound to terminal and person, ended by time, by standing idle, or by hand.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use time::Duration;

use crate::{
    clock::{Timestamp, random_bytes},
    domain::organization::OrganizationCode,
    planted::Planted,
};

/// That a session is used is noted so often: it is exact to this.
pub const NOTED_EVERY: Duration = Duration::minutes(1);

/// A signed-in officer at one terminal.
#[derive(Clone)]
pub struct Session {
    pub organization: OrganizationCode,
    pub officer: String,
    pub terminal: String,
    /// When the second factor was shown last; none where it never was.
    pub second_factor: Option<Timestamp>,
    /// The end, whatever happens in it.
    pub expires_at: Timestamp,
    /// The end, unless it is used before.
    pub idle_at: Timestamp,
}

impl Session {
    pub fn ends_at(&self) -> Timestamp {
        if Planted::IdleForever.is_planted() {
            return self.expires_at;
        }
        if Planted::SessionsForever.is_planted() {
            return self.idle_at;
        }
        self.expires_at.min(self.idle_at)
    }

    /// Whether it is time to note that the session is used; `idle` is how long it may stand unused.
    pub fn is_to_be_noted(&self, now: Timestamp, idle: Duration) -> bool {
        self.idle_at < now.plus(idle).plus(-NOTED_EVERY)
    }

    pub fn is_in_force(&self, organization: &OrganizationCode, terminal: &str, now: Timestamp) -> bool {
        self.organization == *organization && self.terminal == terminal && now < self.ends_at()
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

/// Wrong tries of an id at a terminal before it is locked there.
pub const FREE_TRIES: u32 = 5;
/// How long it is locked at first; each further wrong try doubles it, up to the longest.
pub const FIRST_LOCK: Duration = Duration::minutes(1);
pub const LONGEST_LOCK: Duration = Duration::minutes(60);
/// After so long without a wrong try they are forgotten.
pub const TRIES_COUNT_FOR: Duration = Duration::hours(12);

/// Wrong tries at signing in with one id at one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInLock {
    pub failures: u32,
    pub failed_at: Timestamp,
    pub locked_until: Timestamp,
}

impl SignInLock {
    /// After one more wrong try.
    pub fn after(before: Option<Self>, now: Timestamp) -> Self {
        let counted = before.filter(|before| now < before.failed_at.plus(TRIES_COUNT_FOR));
        let failures = counted.map_or(0, |before| before.failures).saturating_add(1);
        let locked_for = match failures.checked_sub(FREE_TRIES) {
            None => Duration::ZERO,
            Some(beyond) => (FIRST_LOCK * 2_i32.saturating_pow(beyond.min(16))).min(LONGEST_LOCK),
        };
        Self { failures, failed_at: now, locked_until: now.plus(locked_for) }
    }

    /// Without the last try, which was right and locks nobody; none where it was the only one.
    pub fn taken_back(self) -> Option<Self> {
        let failures = self.failures.saturating_sub(1);
        (failures > 0).then_some(Self { failures, locked_until: self.failed_at, ..self })
    }

    /// Seconds for which it is still locked.
    pub fn seconds_left(self, now: Timestamp) -> Option<u64> {
        let left = self.locked_until.as_micros().saturating_sub(now.as_micros());
        u64::try_from(left).ok().filter(|left| *left > 0).map(|micros| micros.div_ceil(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_tries_lock_for_longer_and_longer_and_are_forgotten() {
        let mut now = Timestamp::from_micros(1);
        let mut lock = None;
        let mut locked = Vec::new();
        for _ in 0..14 {
            let after = SignInLock::after(lock, now);
            locked.push(after.seconds_left(now).unwrap_or(0));
            lock = Some(after);
            now = after.locked_until.plus(Duration::seconds(1));
        }
        assert_eq!(locked, [0, 0, 0, 0, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600, 3_600]);
        let later = now.plus(TRIES_COUNT_FOR);
        assert_eq!(SignInLock::after(lock, later).failures, 1);
        let fifth = SignInLock::after(Some(SignInLock { failures: 4, ..SignInLock::after(None, now) }), now);
        assert_eq!((fifth.failures, fifth.seconds_left(now)), (5, Some(60)));
        let back = fifth.taken_back().unwrap();
        assert_eq!((back.failures, back.seconds_left(now)), (4, None));
        assert_eq!(SignInLock::after(None, now).taken_back(), None);
    }
}
