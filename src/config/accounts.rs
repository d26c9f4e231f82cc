//! What the configuration says of persons.

use serde::Deserialize;
use time::Duration;

/// Persons: how long sessions, codes and requests last.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsConfig {
    /// Hours after which a session ends, whatever happens in it.
    pub session_hours: u32,
    /// Minutes after which a session ends that is not used.
    pub idle_minutes: u32,
    /// Minutes after which a page asks for the second factor again before a sharp act; 0 counts as 1.
    pub sharp_minutes: u32,
    /// Host name under which browsers reach the gateway, without a port. Passkeys are bound to it: with another one none
    /// of them works any more. Without it there are none.
    pub passkey_host: Option<String>,
    /// Hours for which a code to enrol with can be used.
    pub enrolment_code_hours: u32,
    /// Hours for which a sharp act waits for the persons that it needs.
    pub waiting_hours: u32,
    /// Hours between telling everybody that a body is to get a first administrator anew, and the code for it; never
    /// fewer than 24.
    pub takeover_hours: u32,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        Self {
            session_hours: 10,
            idle_minutes: 30,
            sharp_minutes: 10,
            passkey_host: None,
            enrolment_code_hours: 24,
            waiting_hours: 168,
            takeover_hours: 72,
        }
    }
}

/// Fewest hours for [`AccountsConfig::takeover_hours`].
const SHORTEST_TAKEOVER: u32 = 24;

impl AccountsConfig {
    pub fn session(&self) -> Duration {
        Duration::hours(self.session_hours.into())
    }

    pub fn idle(&self) -> Duration {
        Duration::minutes(self.idle_minutes.into())
    }

    pub fn sharp(&self) -> Duration {
        Duration::minutes(self.sharp_minutes.max(1).into())
    }

    pub fn enrolment_code(&self) -> Duration {
        Duration::hours(self.enrolment_code_hours.into())
    }

    pub fn waiting(&self) -> Duration {
        Duration::hours(self.waiting_hours.into())
    }

    /// Never less than a day: who is told must have time to object.
    pub fn takeover(&self) -> Duration {
        Duration::hours(self.takeover_hours.max(SHORTEST_TAKEOVER).into())
    }
}
