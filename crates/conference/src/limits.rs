//! The limits of the specification, configurable, with the specification's values as defaults.

use serde::{Deserialize, Serialize};

/// `[reservations]` of the configuration. All times in minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReservationLimits {
    /// A reservation starts at least this many minutes after it is made.
    pub min_notice_minutes: u32,
    /// A reservation starts at most this many minutes after it is made by the seven web services.
    pub max_notice_minutes: u32,
    /// A reservation starts at most this many days after it is made by the management API.
    pub max_days_ahead: u32,
    /// Shortest duration.
    pub min_duration_minutes: u32,
    /// Longest duration, extensions included.
    pub max_duration_minutes: u32,
    /// Shortest single extension.
    pub min_extend_minutes: u32,
    /// Longest single extension.
    pub max_extend_minutes: u32,
    /// Fewest seats that can be reserved.
    pub min_participants: u32,
    /// Most seats that can be reserved.
    pub max_participants: u32,
    /// A reservation can't be removed when it starts within this many minutes.
    pub no_remove_before_start_minutes: u32,
    /// A reservation can't be extended when it ends within this many minutes.
    pub no_extend_before_end_minutes: u32,
    /// How long a finished reservation keeps its name and is listed as COMPLETED.
    pub completed_minutes: u32,
    /// Seats that may be sold at any instant, over all accounts.
    pub capacity: u32,
}

impl Default for ReservationLimits {
    fn default() -> Self {
        Self {
            min_notice_minutes: 5,
            max_notice_minutes: 1440,
            max_days_ahead: 366,
            min_duration_minutes: 15,
            max_duration_minutes: 480,
            min_extend_minutes: 15,
            max_extend_minutes: 60,
            min_participants: 40,
            max_participants: 350,
            no_remove_before_start_minutes: 5,
            no_extend_before_end_minutes: 5,
            completed_minutes: 5,
            capacity: 3500,
        }
    }
}

/// Most days ahead that can be configured: ten years.
pub const DAYS_AHEAD_MAX: u32 = 3660;

impl ReservationLimits {
    /// [`Self::max_days_ahead`] in minutes.
    #[must_use]
    pub fn ahead_minutes(&self) -> u32 {
        self.max_days_ahead.saturating_mul(24 * 60)
    }
}

/// `[conferences]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConferenceLimits {
    /// Seats of an unreserved conference.
    pub unreserved_max_participants: u32,
}

impl Default for ConferenceLimits {
    fn default() -> Self {
        Self { unreserved_max_participants: 40 }
    }
}
