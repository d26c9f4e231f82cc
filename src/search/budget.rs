//! How much an officer and an organization may search.

use std::num::NonZeroU32;

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use crate::{
    config::SearchConfig,
    domain::organization::OrganizationCode,
    error::{Error, SearchError},
};

/// The allowances of a node.
pub struct Budget {
    officers: DefaultKeyedRateLimiter<(OrganizationCode, String)>,
    organizations: DefaultKeyedRateLimiter<OrganizationCode>,
}

impl Budget {
    pub fn new(config: &SearchConfig) -> Self {
        let quota = |per_hour: u32, burst: u32| {
            let number = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
            Quota::per_hour(number(per_hour)).allow_burst(number(burst))
        };
        Self {
            officers: RateLimiter::keyed(quota(config.officer_per_hour, config.officer_burst)),
            organizations: RateLimiter::keyed(quota(config.organization_per_hour, config.organization_burst)),
        }
    }

    /// Takes one search from the allowance of an officer and of the organization.
    ///
    /// # Errors
    /// [`SearchError::Budget`] with the seconds to wait.
    pub fn take(&self, organization: &OrganizationCode, officer: &str) -> Result<(), Error> {
        let officer = self.officers.check_key(&(organization.clone(), officer.to_owned()));
        officer.and_then(|()| self.organizations.check_key(organization)).map_err(|wait| {
            let wait = wait.wait_time_from(DefaultClock::default().now());
            SearchError::Budget { retry_after_seconds: wait.as_secs() + 1 }.into()
        })
    }

    /// Forgets callers that have their whole allowance again.
    pub fn forget_idle(&self) {
        self.officers.retain_recent();
        self.organizations.retain_recent();
    }
}
