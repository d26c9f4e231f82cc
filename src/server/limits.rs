//! Limits by caller: so many requests a second for a terminal, and for an officer; so many at once for a terminal.

use std::{
    collections::{HashMap, hash_map::Entry},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use governor::{
    DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    config::Limits,
    domain::organization::OrganizationCode,
    error::{Error, ServiceError},
};

/// The limiters of a server.
pub struct CallerLimits {
    terminals: DefaultKeyedRateLimiter<String>,
    officers: DefaultKeyedRateLimiter<(OrganizationCode, String)>,
    sign_ins: DefaultKeyedRateLimiter<(String, String)>,
    terminal_tries: DefaultKeyedRateLimiter<String>,
}

/// Requests at once: so many, and so many of one terminal.
pub struct Room {
    slots: Arc<Semaphore>,
    places: Arc<TerminalPermits>,
}

/// Those in a room, by terminal: a terminal without any is not kept.
struct TerminalPermits {
    taken: Mutex<HashMap<String, usize>>,
    max: usize,
}

/// A request that was let into a room, until it is dropped.
pub struct Admitted {
    _slot: OwnedSemaphorePermit,
    _place: TerminalPermit,
}

/// A request's place among those of its terminal, until it is dropped.
struct TerminalPermit {
    places: Arc<TerminalPermits>,
    terminal: String,
}

impl CallerLimits {
    pub fn new(limits: &Limits) -> Self {
        let quota =
            |per_second: u32, burst: u32| Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        Self {
            terminals: RateLimiter::keyed(quota(limits.terminal_per_second, limits.terminal_burst)),
            officers: RateLimiter::keyed(quota(limits.officer_per_second, limits.officer_burst)),
            sign_ins: RateLimiter::keyed(Quota::per_hour(at_least_one(limits.sign_ins_per_hour))),
            terminal_tries: RateLimiter::keyed(Quota::per_hour(at_least_one(limits.terminal_tries_per_hour))),
        }
    }

    /// Takes one request from a terminal's allowance.
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] with the seconds to wait.
    pub fn take_terminal(&self, serial: &str) -> Result<(), Error> {
        self.terminals.check_key(&serial.to_owned()).map_err(|wait| limited(&wait))
    }

    /// Takes one request from an officer's allowance.
    ///
    /// # Errors
    /// As [`Self::take_terminal`].
    pub fn take_officer(&self, organization: &OrganizationCode, officer: &str) -> Result<(), Error> {
        self.officers.check_key(&(organization.clone(), officer.to_owned())).map_err(|wait| limited(&wait))
    }

    /// Takes one try of an id at a terminal, and one of that terminal: who is typed elsewhere by somebody else is not held
    /// up here, and made-up ids come to an end.
    ///
    /// # Errors
    /// As [`Self::take_terminal`].
    pub fn take_sign_in(&self, serial: &str, officer: &str) -> Result<(), Error> {
        self.sign_ins.check_key(&(serial.to_owned(), officer.to_owned())).map_err(|wait| limited(&wait))?;
        self.terminal_tries.check_key(&serial.to_owned()).map_err(|wait| limited(&wait))
    }

    /// Forgets callers that have their whole allowance again.
    pub fn forget_idle(&self) {
        self.terminals.retain_recent();
        self.officers.retain_recent();
        self.sign_ins.retain_recent();
        self.terminal_tries.retain_recent();
    }
}

impl Room {
    pub fn new(max: usize, max_of_terminal: usize) -> Self {
        let places = TerminalPermits { taken: Mutex::default(), max: max_of_terminal.max(1) };
        Self { slots: Arc::new(Semaphore::new(max)), places: Arc::new(places) }
    }

    /// Lets a request of a terminal in. Without the bound by terminal, one terminal whose bodies come slowly, whose
    /// answers are taken slowly, or who waits for news often enough, would keep everybody else out.
    ///
    /// # Errors
    /// [`ServiceError::Overloaded`] where the room is full; [`ServiceError::RateLimited`] where it is full for this terminal.
    pub fn enter(&self, serial: &str) -> Result<Admitted, Error> {
        let slot = self.slots.clone().try_acquire_owned().map_err(|_| ServiceError::Overloaded)?;
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_terminal = taken.entry(serial.to_owned()).or_default();
        if *of_terminal >= self.places.max {
            return Err(ServiceError::RateLimited { retry_after_seconds: 1 }.into());
        }
        *of_terminal += 1;
        Ok(Admitted {
            _slot: slot,
            _place: TerminalPermit { places: self.places.clone(), terminal: serial.to_owned() },
        })
    }
}

impl Drop for TerminalPermit {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut of_terminal) = taken.entry(std::mem::take(&mut self.terminal)) {
            *of_terminal.get_mut() = of_terminal.get().saturating_sub(1);
            if *of_terminal.get() == 0 {
                of_terminal.remove();
            }
        }
    }
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn limited(wait: &NotUntil<Instant>) -> Error {
    let wait = wait.wait_time_from(DefaultClock::default().now());
    ServiceError::RateLimited { retry_after_seconds: wait.as_secs() + 1 }.into()
}
