//! The calendar.

use serde::{Deserialize, Serialize};

/// Calendar time (UTC) in milliseconds since the Unix epoch. May be corrected forwards or backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds since the Unix epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment plus `minutes`.
    #[must_use]
    pub const fn plus_minutes(self, minutes: u32) -> Self {
        Self(self.0.saturating_add(minutes as i64 * 60_000))
    }

    /// This moment minus `minutes`.
    #[must_use]
    pub const fn minus_minutes(self, minutes: u32) -> Self {
        Self(self.0.saturating_sub(minutes as i64 * 60_000))
    }

    /// The start of the minute this moment is in.
    #[must_use]
    pub const fn floor_to_minute(self) -> Self {
        Self(self.0.div_euclid(60_000) * 60_000)
    }
}
