//! Limits by caller: so many requests a second for a terminal, and for an officer; so many at once for a terminal.

use std::{
    collections::{HashMap, hash_map::Entry},
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use governor::{
    DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{config::Limits, domain::organization::OrganizationCode, error::Error};

/// The limiters of a server.
pub struct CallerLimits {
    terminals: DefaultKeyedRateLimiter<String>,
    officers: DefaultKeyedRateLimiter<(OrganizationCode, String)>,
    sign_ins: DefaultKeyedRateLimiter<(OrganizationCode, String)>,
    /// Password hashing costs memory and a core: so many at once.
    passwords: Semaphore,
    /// Requests being worked on, by terminal: none stays here with 0.
    places: Mutex<HashMap<String, usize>>,
    most_places: usize,
}

/// A request's place among those of its terminal, until it is dropped.
pub struct Place<'l> {
    limits: &'l CallerLimits,
    terminal: &'l str,
}

const PASSWORDS_AT_ONCE: usize = 2;

impl CallerLimits {
    pub fn new(limits: &Limits) -> Self {
        let quota =
            |per_second: u32, burst: u32| Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        let sign_ins = Quota::per_hour(at_least_one(limits.sign_ins_per_hour));
        Self {
            terminals: RateLimiter::keyed(quota(limits.terminal_per_second, limits.terminal_burst)),
            officers: RateLimiter::keyed(quota(limits.officer_per_second, limits.officer_burst)),
            sign_ins: RateLimiter::keyed(sign_ins),
            passwords: Semaphore::new(PASSWORDS_AT_ONCE),
            places: Mutex::default(),
            most_places: limits.terminal_in_flight.max(1),
        }
    }

    /// Takes one request from a terminal's allowance.
    ///
    /// # Errors
    /// [`Error::RateLimited`] with the seconds to wait.
    pub fn take_terminal(&self, serial: &str) -> Result<(), Error> {
        self.terminals.check_key(&serial.to_owned()).map_err(|wait| limited(&wait))
    }

    /// Takes a place for a request of a terminal. Without this bound, one terminal whose bodies come slowly would hold
    /// the places of all.
    ///
    /// # Errors
    /// As [`Self::take_terminal`].
    pub fn take_place<'l>(&'l self, serial: &'l str) -> Result<Place<'l>, Error> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = places.entry(serial.to_owned()).or_default();
        if *taken >= self.most_places {
            return Err(Error::RateLimited { retry_after_seconds: 1 });
        }
        *taken += 1;
        Ok(Place { limits: self, terminal: serial })
    }

    /// Takes one request from an officer's allowance.
    ///
    /// # Errors
    /// As [`Self::take_terminal`].
    pub fn take_officer(&self, organization: &OrganizationCode, officer: &str) -> Result<(), Error> {
        self.officers.check_key(&(organization.clone(), officer.to_owned())).map_err(|wait| limited(&wait))
    }

    /// Takes one try at a password.
    ///
    /// # Errors
    /// As [`Self::take_terminal`].
    pub fn take_sign_in(&self, organization: &OrganizationCode, officer: &str) -> Result<(), Error> {
        self.sign_ins.check_key(&(organization.clone(), officer.to_owned())).map_err(|wait| limited(&wait))
    }

    /// Waits for one of the places in which passwords are hashed.
    ///
    /// # Errors
    /// Never while the server runs.
    pub async fn password_slot(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.passwords.acquire().await.map_err(|_| Error::Overloaded)
    }

    /// Forgets callers that have their whole allowance again.
    pub fn forget_idle(&self) {
        self.terminals.retain_recent();
        self.officers.retain_recent();
        self.sign_ins.retain_recent();
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.limits.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut taken) = places.entry(self.terminal.to_owned()) {
            *taken.get_mut() = taken.get().saturating_sub(1);
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn limited(wait: &NotUntil<Instant>) -> Error {
    let wait = wait.wait_time_from(DefaultClock::default().now());
    Error::RateLimited { retry_after_seconds: wait.as_secs() + 1 }
}
