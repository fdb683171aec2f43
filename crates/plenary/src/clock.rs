//! The one place that reads the clocks for the deciding crates.

use plenary_conference::{Mono, Now, Timestamp};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks; monotonic time counts from the making of this value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            mono: Mono(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)),
            wall: wall_now(),
        }
    }

    /// The runtime's instant for a deadline of the deciding crates.
    pub(crate) fn instant(&self, at: Mono) -> tokio::time::Instant {
        (self.start + std::time::Duration::from_millis(at.0)).into()
    }
}

/// The calendar, in milliseconds since the Unix epoch.
pub(crate) fn wall_now() -> Timestamp {
    let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    };
    Timestamp(ms)
}
