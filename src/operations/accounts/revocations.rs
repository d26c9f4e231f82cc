//! How many people and terminals of other bodies a machine of the operator's takes out of service.
//!
//! Taking away waits for nobody. But ids and serials that were revoked are gone for good, and a certificate can be stolen:
//! by machine alone it comes to an end, and a person who signed in goes on.

use std::num::NonZeroU32;

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use crate::{
    domain::organization::OrganizationCode,
    error::{Error, ServiceError},
    identity::{Caller, sharp::SharpCaller},
    planted::Planted,
};

/// The allowances of a node.
pub struct MachineRevocations(DefaultKeyedRateLimiter<String>);

impl MachineRevocations {
    /// So many an hour for each machine; 0 counts as 1.
    pub fn new(per_hour: u32) -> Self {
        Self(RateLimiter::keyed(Quota::per_hour(NonZeroU32::new(per_hour).unwrap_or(NonZeroU32::MIN))))
    }

    /// Takes one from the allowance of a machine that revokes something of another body.
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] with the seconds to wait.
    pub(super) fn take(&self, caller: &Caller, body: &OrganizationCode) -> Result<(), Error> {
        let is_free = caller.organization() == body || SharpCaller::is_person(caller);
        if is_free || Planted::RevokeWithoutEnd.is_planted() {
            return Ok(());
        }
        self.0.check_key(&caller.terminal().to_owned()).map_err(|wait| {
            let wait = wait.wait_time_from(DefaultClock::default().now());
            ServiceError::RateLimited { retry_after_seconds: wait.as_secs() + 1 }.into()
        })
    }
}
