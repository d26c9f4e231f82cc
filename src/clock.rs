//! Time and randomness. Everything that needs either takes it from here, so that a test can hold the time.
#![allow(clippy::disallowed_methods, reason = "the one place that may ask the system")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use rustls::{pki_types::UnixTime, time_provider::TimeProvider};
use time::{Date, Duration, OffsetDateTime, UtcOffset, macros::format_description};
use uuid::{ContextV7, Uuid};

use crate::planted::Planted;

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub fn as_micros(self) -> i64 {
        self.0
    }

    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.whole_microseconds()).unwrap_or(i64::MAX)))
    }

    /// Ids that a clock gives from this moment on are greater than all that it gave before.
    pub fn first_id(self) -> Uuid {
        let millis = u128::try_from(self.0.div_euclid(1_000)).unwrap_or(0);
        Uuid::from_u128(millis << 80)
    }

    /// RFC 3339 in UTC, always with six digits of a second: `2026-04-01T09:30:00.123456Z`. The length does not depend
    /// on the moment: it would tell something.
    pub fn to_rfc3339(self) -> String {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
        self.utc().format(&format).unwrap_or_default()
    }

    /// To the minute, begun or not, as officials write it: `2026年4月1日18時31分（日本時間）`.
    pub fn to_text_in_japan(self) -> String {
        const MINUTE: i64 = 60_000_000;
        let minute = Self(self.0.saturating_add(MINUTE - 1).div_euclid(MINUTE).saturating_mul(MINUTE));
        let at = minute.utc().to_offset(UtcOffset::from_hms(9, 0, 0).unwrap_or(UtcOffset::UTC));
        let (date, month) = (at.date(), u8::from(at.month()));
        format!("{}年{month}月{}日{}時{:02}分（日本時間）", date.year(), date.day(), at.hour(), at.minute())
    }

    /// Reads what [`Self::to_rfc3339`] wrote.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos() / 1_000).ok().map(Self)
    }

    /// The calendar day in Japan (UTC+9, without daylight saving time).
    pub fn day_in_japan(self) -> Date {
        self.utc().to_offset(UtcOffset::from_hms(9, 0, 0).unwrap_or(UtcOffset::UTC)).date()
    }

    /// The hour of the day in Japan, 0 to 23.
    pub fn hour_in_japan(self) -> u8 {
        self.utc().to_offset(UtcOffset::from_hms(9, 0, 0).unwrap_or(UtcOffset::UTC)).hour()
    }

    /// The minute of the hour, 0 to 59.
    pub fn minute_in_japan(self) -> u8 {
        self.utc().minute()
    }

    fn utc(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// For `serialize_with`: a moment as RFC 3339.
///
/// # Errors
/// The serializer's own.
pub fn as_rfc3339<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339())
}

/// The clock of one gateway. Clones share it.
///
/// It asks the system for the time, and does not believe everything. A second clock, which runs evenly and which nobody
/// can set, says how much time has passed since the start. A step of the system's clock up to [`FOLLOWED`] is a
/// correction, and is followed; a larger one is a mistake: this clock goes on by itself, and [`Clock::off`] says by how
/// much the two differ. It never goes back.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Added to the time; moved by tests only.
    offset: AtomicI64,
    /// The start, by the system's clock in microseconds and by the one that runs evenly.
    started: (i64, Instant),
    /// By how much the system's clock was corrected since the start.
    followed: AtomicI64,
    /// The latest moment that was given out, without the offset.
    latest: AtomicI64,
    ids: Mutex<ContextV7>,
    believes_everything: bool,
}

/// The largest step of the system's clock that is believed.
pub const FOLLOWED: Duration = Duration::minutes(5);

impl Clock {
    pub fn system() -> Self {
        let now = system_micros();
        Self(Arc::new(Inner {
            offset: AtomicI64::new(0),
            started: (now, Instant::now()),
            followed: AtomicI64::new(0),
            latest: AtomicI64::new(now),
            ids: Mutex::new(ContextV7::new()),
            believes_everything: Planted::BelieveTheClock.is_planted(),
        }))
    }

    pub fn now(&self) -> Timestamp {
        let Inner { offset, latest, .. } = &*self.0;
        let told = self.told(system_micros());
        let before = latest.fetch_max(told, Ordering::Relaxed);
        let never_back = if self.0.believes_everything { told } else { before.max(told) };
        Timestamp(never_back.saturating_add(offset.load(Ordering::Relaxed)))
    }

    /// The time to give out when the system's clock says this.
    fn told(&self, system: i64) -> i64 {
        if self.0.believes_everything {
            return system;
        }
        let (at, instant) = self.0.started;
        let even = at.saturating_add(i64::try_from(instant.elapsed().as_micros()).unwrap_or(i64::MAX));
        let step = system.saturating_sub(even);
        let followed = self.0.followed.load(Ordering::Relaxed);
        if is_correction(step, followed) {
            self.0.followed.store(step, Ordering::Relaxed);
            return system;
        }
        even.saturating_add(followed)
    }

    /// By how much the system's clock is ahead of this one, where it is not followed.
    pub fn off(&self) -> Option<Duration> {
        let system = system_micros();
        let ahead = system.saturating_sub(self.told(system));
        (ahead != 0).then(|| Duration::microseconds(ahead))
    }

    pub fn today_in_japan(&self) -> Date {
        self.now().day_in_japan()
    }

    /// Moves this clock on.
    pub fn advance(&self, by: Duration) {
        self.0.offset.fetch_add(i64::try_from(by.whole_microseconds()).unwrap_or(0), Ordering::Relaxed);
    }

    /// A new identifier: ordered by time of making, otherwise random (RFC 9562 version 7).
    pub fn new_id(&self) -> Uuid {
        let micros = self.now().as_micros();
        let seconds = u64::try_from(micros.div_euclid(1_000_000)).unwrap_or(0);
        let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(&self.0.ids, seconds, nanos))
    }
}

/// Certificates are held against the same clock as everything else.
impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.now().as_micros().div_euclid(1_000_000)).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

fn system_micros() -> i64 {
    let system = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    i64::try_from(system).unwrap_or(i64::MAX)
}

/// Whether the system's clock, which is a step away from the one that runs evenly, was corrected or was moved.
fn is_correction(step: i64, followed: i64) -> bool {
    i128::from(step.saturating_sub(followed)).abs() <= FOLLOWED.whole_microseconds()
}

/// An identifier where there is no clock at hand: an answer before any gateway is asked, a client's key.
pub fn unclocked_id() -> Uuid {
    Uuid::now_v7()
}

/// The system's time, for certificates of the development PKI.
pub fn utc_now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Random bytes from the operating system's generator by way of the TLS library's provider.
///
/// # Errors
/// The generator failed; nothing that needs a key may go on.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;
    const DAY: i64 = 1_440 * MINUTE;

    #[test]
    fn a_correction_is_followed_and_a_leap_is_not() {
        let clock = Clock::system();
        let (start, _) = clock.0.started;
        for leap in [400 * DAY, -400 * DAY, 6 * MINUTE, -6 * MINUTE] {
            let told = clock.told(start + leap);
            assert!((told - start).abs() < MINUTE, "the system moved by {leap}, this clock by {}", told - start);
        }
        // Steps of some minutes add up: each is followed from where the last one led.
        for minutes in [4, 8, 12, 9, 5, 1] {
            assert_eq!(clock.told(start + minutes * MINUTE), start + minutes * MINUTE);
        }
        // The twin: a clock that follows everything would have gone 400 days.
        assert!(is_correction(400 * DAY, 400 * DAY - MINUTE));
    }

    #[test]
    fn it_never_goes_back_and_its_ids_stay_in_order() {
        let clock = Clock::system();
        // The system's clock has just been set back by four minutes.
        clock.0.latest.fetch_add(4 * MINUTE, Ordering::Relaxed);
        let (mut latest, mut last) = (clock.now(), clock.new_id());
        assert!(latest.as_micros() >= clock.0.started.0 + 4 * MINUTE);
        for _ in 0..1_000 {
            let (now, id) = (clock.now(), clock.new_id());
            assert!(now >= latest && id > last);
            (latest, last) = (now, id);
        }
    }
}
