//! Reservations and the rules by which they are made, extended and removed.

use crate::{
    id::{AccountId, ConferenceName, ReservationToken, ServiceName},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// A conference booked for a time and a number of seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its secret handle.
    pub token: ReservationToken,
    /// Whose it is.
    pub account: AccountId,
    /// The conference's name.
    pub name: ConferenceName,
    /// Seats.
    pub max_participants: u32,
    /// When it starts: a whole minute.
    pub starts_at: Timestamp,
    /// How long it runs, extensions included.
    pub duration_minutes: u32,
    /// The inbound service for callers that come early.
    pub divert: Option<ServiceName>,
}

impl Reservation {
    /// When its time is up.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.starts_at.plus_minutes(self.duration_minutes)
    }
}
