//! Requests to make, change and remove reservations, and why they are refused.

use crate::{StoreError, audit::Doing};
use plenary_conference::{
    AccountId, ConferenceName, Reservation, ReservationToken, ServiceName, Timestamp, reservation::SeriesDate,
};
use plenary_model::Guest;
use std::{ops::Range, sync::Arc};
use thiserror::Error;

/// A request, and whose it is.
#[derive(Debug)]
pub(super) struct Booking {
    pub(super) request: BookingRequest,
    pub(super) doing: Arc<Doing>,
}

/// A change of the reservations.
#[derive(Debug)]
pub(super) enum BookingRequest {
    /// Make a reservation.
    Make {
        reservation: Reservation,
        names: NameRule,
        /// The time by which the name is judged.
        now: Timestamp,
        /// Seats that may be booked at any instant.
        capacity: u32,
    },
    /// Make the whole duration this long, unless it is already.
    Extend { token: ReservationToken, duration_minutes: u32, capacity: u32 },
    /// Replace the settings of the reservation with this token.
    Change { reservation: Reservation, capacity: u32 },
    /// Remove a reservation. The capacity counts if the removal has to be undone.
    Remove { token: ReservationToken, capacity: u32 },
    /// Undo: put a reservation back as it was, whether it was changed or removed.
    Restore { token: ReservationToken, stored: StoredReservation, capacity: u32 },
    /// Undo: delete a reservation that may have been made.
    Withdraw { token: ReservationToken },
}

impl BookingRequest {
    pub(super) fn token(&self) -> &ReservationToken {
        match self {
            Self::Make { reservation, .. } | Self::Change { reservation, .. } => &reservation.token,
            Self::Extend { token, .. }
            | Self::Remove { token, .. }
            | Self::Restore { token, .. }
            | Self::Withdraw { token } => token,
        }
    }

    /// Whether the stored reservation has to be read to decide it.
    pub(super) fn needs_stored(&self) -> bool {
        match self {
            Self::Make { .. } => false,
            Self::Extend { .. }
            | Self::Change { .. }
            | Self::Remove { .. }
            | Self::Restore { .. }
            | Self::Withdraw { .. } => true,
        }
    }

    /// How many seats may be booked at any instant, where the request can be undone to what was stored before.
    pub(super) fn restoring_capacity(&self) -> Option<u32> {
        match self {
            Self::Extend { capacity, .. } | Self::Change { capacity, .. } | Self::Remove { capacity, .. } => {
                Some(*capacity)
            }
            Self::Make { .. } | Self::Restore { .. } | Self::Withdraw { .. } => None,
        }
    }
}

/// Which other reservations of the same name a new one allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// None: a name stays taken until `completed_minutes` after the end of its reservation.
    Exclusive {
        /// In minutes.
        completed_minutes: u32,
    },
    /// Reservations that do not overlap it.
    NonOverlapping,
}

/// A row of the table of reservations, apart from its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredReservation {
    pub(super) account: i64,
    pub(super) name: String,
    pub(super) max_participants: u32,
    pub(super) starts_at: Timestamp,
    pub(super) duration_minutes: u32,
    pub(super) divert: Option<String>,
    pub(super) title: Option<String>,
    pub(super) created_at: i64,
    pub(super) automatic_gain: Option<bool>,
    pub(super) noise_suppression: Option<bool>,
    pub(super) sequence: u32,
    pub(super) guests: Vec<Guest>,
    pub(super) series: Option<SeriesDate>,
}

impl StoredReservation {
    pub(super) fn new(reservation: &Reservation, created_at: Timestamp) -> Self {
        let base = Self {
            account: reservation.account.0,
            name: reservation.name.as_str().to_owned(),
            max_participants: 0,
            starts_at: reservation.starts_at,
            duration_minutes: 0,
            divert: None,
            title: None,
            created_at: created_at.0,
            automatic_gain: None,
            noise_suppression: None,
            sequence: 0,
            guests: Vec::new(),
            series: reservation.series,
        };
        base.changed_to(reservation)
    }

    pub(super) fn ends_at(&self) -> Timestamp {
        self.starts_at.plus_minutes(self.duration_minutes)
    }

    pub(super) fn time(&self) -> Range<Timestamp> {
        self.starts_at..self.ends_at()
    }

    pub(super) fn into_reservation(self, token: ReservationToken) -> Reservation {
        Reservation {
            token,
            account: AccountId(self.account),
            name: ConferenceName::new(self.name),
            max_participants: self.max_participants,
            starts_at: self.starts_at,
            duration_minutes: self.duration_minutes,
            divert: self.divert.map(ServiceName::new),
            title: self.title,
            guests: self.guests,
            sequence: self.sequence,
            series: self.series,
        }
    }

    /// With the settings of `reservation`; account, name and what else is stored stay.
    pub(super) fn changed_to(&self, reservation: &Reservation) -> Self {
        Self {
            max_participants: reservation.max_participants,
            starts_at: reservation.starts_at,
            duration_minutes: reservation.duration_minutes,
            divert: reservation.divert.as_ref().map(ServiceName::as_str).map(str::to_owned),
            title: reservation.title.clone(),
            guests: reservation.guests.clone(),
            sequence: reservation.sequence,
            ..self.clone()
        }
    }
}

/// Why a reservation was not made or changed.
#[derive(Debug, Error)]
pub enum ReserveError {
    /// The account has another reservation of this name that is not over yet, or that overlaps.
    #[error("the conference name is taken")]
    NameTaken,
    /// Too few seats are left over the whole time.
    #[error("only {available} seats are left for this time")]
    NoSeats {
        /// Seats that can still be booked for the whole interval.
        available: u32,
        /// Start of the first part of it in which no more are left.
        from: Timestamp,
        /// End of that part.
        to: Timestamp,
    },
    /// No reservation has this token.
    #[error("there is no reservation with this token")]
    UnknownReservation,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
