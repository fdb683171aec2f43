//! Reservations: names and seats, sold in one transaction.

use crate::{Store, StoreError};
use plenary_conference::{Reservation, ReservationToken, Timestamp};
use thiserror::Error;

/// Why a reservation was not made or extended.
#[derive(Debug, Error)]
pub enum ReserveError {
    /// The account has a reservation of this name that is not over yet.
    #[error("the conference name is taken")]
    NameTaken,
    /// Not enough seats are left over the whole of the time.
    #[error("only {available} seats are left for this time")]
    NoSeats {
        /// Seats that could still be sold over the whole interval.
        available: u32,
    },
    /// There is no reservation with this token.
    #[error("there is no reservation with this token")]
    UnknownReservation,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A fresh token: 160 random bits as 32 upper-case base32 characters.
#[must_use]
pub fn new_reservation_token() -> ReservationToken {
    todo!()
}

#[allow(missing_docs)]
impl Store {
    pub async fn reserve(&self, reservation: &Reservation, capacity: u32, completed_minutes: u32, now: Timestamp) -> Result<(), ReserveError> { todo!() }
    pub async fn extend(&self, token: &ReservationToken, duration_minutes: u32, capacity: u32) -> Result<(), ReserveError> { todo!() }
    pub async fn remove(&self, token: &ReservationToken) -> Result<bool, StoreError> { todo!() }
    pub async fn open_reservations(&self, now: Timestamp, completed_minutes: u32) -> Result<Vec<Reservation>, StoreError> { todo!() }
}
