//! The clock that counts: the database's, as this gateway estimates it.
//!
//! Expiry, `created_at` and the `now` of a request come from here, so that gateways whose own
//! clocks differ agree with each other.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// An estimate of the database's clock.
#[derive(Debug)]
pub(super) struct Clock {
    /// What to add to this machine's clock, in microseconds. Stays 0 on `SQLite`, which has none.
    offset_us: AtomicI64,
    /// The time at which it stands still, for tests of plugins; [`MOVING`] otherwise.
    frozen_us: AtomicI64,
}

/// No time that a clock shows.
const MOVING: i64 = i64::MIN;

impl Default for Clock {
    fn default() -> Self {
        Self { offset_us: AtomicI64::new(0), frozen_us: AtomicI64::new(MOVING) }
    }
}

impl Clock {
    /// Now, in microseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        match self.frozen_us.load(Ordering::Relaxed) {
            MOVING => machine_now() + self.offset_us.load(Ordering::Relaxed),
            frozen => frozen,
        }
    }

    /// Let it stand still at this time.
    pub(super) fn freeze(&self, at: i64) {
        self.frozen_us.store(at, Ordering::Relaxed);
    }

    /// Set from the database's answer to a question asked at `asked`, by this machine's clock.
    /// The answer is taken to be from the middle of the time that it took.
    pub(super) fn set(&self, asked: i64, database_now: i64) {
        let middle = asked + (machine_now() - asked) / 2;
        self.offset_us.store(database_now - middle, Ordering::Relaxed);
    }
}

/// This machine's clock in microseconds since 1970.
pub(super) fn machine_now() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    }
}
