//! Time and randomness. Everything that needs either takes it from here, so that a test can hold the time.
#![allow(clippy::disallowed_methods, reason = "the one place that may ask the system")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use time::{Date, Duration, OffsetDateTime, UtcOffset, macros::format_description};
use uuid::Uuid;

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

    /// RFC 3339 in UTC, always with six digits of a second: `2026-04-01T09:30:00.123456Z`. A text whose length
    /// depended on the moment would be a length that says something.
    pub fn to_rfc3339(self) -> String {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
        self.utc().format(&format).unwrap_or_default()
    }

    /// The calendar day in Japan (UTC+9, without daylight saving time).
    pub fn day_in_japan(self) -> Date {
        self.utc().to_offset(UtcOffset::from_hms(9, 0, 0).unwrap_or(UtcOffset::UTC)).date()
    }

    /// The hour of the day in Japan, 0 to 23.
    pub fn hour_in_japan(self) -> u8 {
        self.utc().to_offset(UtcOffset::from_hms(9, 0, 0).unwrap_or(UtcOffset::UTC)).hour()
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
#[derive(Clone, Debug)]
pub struct Clock {
    /// Added to the system's time; moved by tests only.
    offset: Arc<AtomicI64>,
}

impl Clock {
    pub fn system() -> Self {
        Self { offset: Arc::new(AtomicI64::new(0)) }
    }

    pub fn now(&self) -> Timestamp {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        Timestamp(i64::try_from(system).unwrap_or(i64::MAX).saturating_add(self.offset.load(Ordering::Relaxed)))
    }

    pub fn today_in_japan(&self) -> Date {
        self.now().day_in_japan()
    }

    /// Moves this clock on.
    pub fn advance(&self, by: Duration) {
        self.offset.fetch_add(i64::try_from(by.whole_microseconds()).unwrap_or(0), Ordering::Relaxed);
    }

    /// A new identifier: ordered by time of making, otherwise random (RFC 9562 version 7).
    pub fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
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
/// Where the generator fails; nothing that needs a key may go on then.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(bytes)
}
