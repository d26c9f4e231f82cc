//! What the configuration says of disposal.

use serde::Deserialize;
use time::Duration;

/// Disposal: how long a list waits that two persons stand for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Days between the approval of a list and the destruction of its records' keys; never fewer than 1.
    pub disposal_wait_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { disposal_wait_days: 7 }
    }
}

impl RetentionConfig {
    /// Never less than a day: who is told must have time to object.
    pub fn disposal_wait(&self) -> Duration {
        Duration::days(self.disposal_wait_days.max(1).into())
    }
}
