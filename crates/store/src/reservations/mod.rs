//! Reservations: names and seats, sold, changed and given back in one transaction.

mod counter;
mod deciding;
mod statements;

pub(crate) use counter::Counter;
pub use deciding::Names;

use crate::{
    Store, StoreError,
    database::{random_bytes, read},
};
use counter::Order;
use data_encoding::BASE32_NOPAD;
use plenary_conference::{
    AccountId, ConferenceName, Reservation, ReservationToken, ServiceName, Timestamp, calendar::SeatCalendar,
};
use std::{ops::Range, time::Duration};
use thiserror::Error;

/// How long to look for what became of a commit that was not answered.
const SETTLE_WITHIN: Duration = Duration::from_secs(1);

/// Why a reservation was not made or changed.
#[derive(Debug, Error)]
pub enum ReserveError {
    /// The account has a reservation of this name that is not over yet, or that overlaps.
    #[error("the conference name is taken")]
    NameTaken,
    /// Not enough seats are left over the whole of the time.
    #[error("only {available} seats are left for this time")]
    NoSeats {
        /// Seats that could still be sold over the whole interval.
        available: u32,
        /// The first time of it in which no more are left.
        from: Timestamp,
        /// When that ends.
        to: Timestamp,
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
    ReservationToken::new(BASE32_NOPAD.encode(&random_bytes::<20>()))
}

impl Store {
    /// Sells the seats of `reservation` and takes its name, both or neither. When it returns `Ok`, the
    /// reservation is on the disk.
    ///
    /// `capacity` is the number of seats that may be sold at any instant over all accounts. A name stays taken
    /// until `completed_minutes` after the end of its reservation; `now` is the time by which that is judged.
    ///
    /// # Errors
    /// [`ReserveError::NameTaken`], [`ReserveError::NoSeats`], and [`ReserveError::Store`] when the database fails.
    pub async fn reserve(
        &self,
        reservation: &Reservation,
        capacity: u32,
        completed_minutes: u32,
        now: Timestamp,
    ) -> Result<(), ReserveError> {
        self.reserve_by(reservation, Names::Alone { completed_minutes }, capacity, now).await
    }

    /// The same by the rule for names that is given.
    ///
    /// # Errors
    /// As [`Store::reserve`].
    pub async fn reserve_by(
        &self,
        reservation: &Reservation,
        names: Names,
        capacity: u32,
        now: Timestamp,
    ) -> Result<(), ReserveError> {
        let order = Order::Make { reservation: reservation.clone(), names, now, capacity };
        self.counter.carry_out(order).await.map(drop)
    }

    /// Makes the whole duration of a reservation `duration_minutes`, if its seats and its name are free for the time that is
    /// added. A shorter duration than before changes nothing.
    ///
    /// # Errors
    /// [`ReserveError::UnknownReservation`], [`ReserveError::NameTaken`], [`ReserveError::NoSeats`], and
    /// [`ReserveError::Store`] when the database fails.
    pub async fn extend(
        &self,
        token: &ReservationToken,
        duration_minutes: u32,
        capacity: u32,
    ) -> Result<(), ReserveError> {
        let order = Order::Extend { token: token.clone(), duration_minutes, capacity };
        self.counter.carry_out(order).await.map(drop)
    }

    /// Makes the reservation with this token this one, apart from its account and its name, which stay. Its seats are given back
    /// and sold again in one transaction; where it takes no more than before, that is never refused.
    ///
    /// # Errors
    /// As [`Store::extend`].
    pub async fn change_reservation(
        &self,
        reservation: &Reservation,
        capacity: u32,
    ) -> Result<(), ReserveError> {
        let order = Order::Change { reservation: reservation.clone(), capacity };
        self.counter.carry_out(order).await.map(drop)
    }

    /// Removes a reservation; its seats and its name are free again. `false`: there was none with this token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, token: &ReservationToken) -> Result<bool, StoreError> {
        match self.counter.carry_out(Order::Remove { token: token.clone() }).await {
            Ok(removed) => Ok(removed),
            Err(ReserveError::Store(error)) => Err(error),
            // Nothing is asked of a removal.
            Err(
                ReserveError::NameTaken | ReserveError::NoSeats { .. } | ReserveError::UnknownReservation,
            ) => Ok(false),
        }
    }

    /// The seats that are sold in a time, over all accounts; outside of it nothing is in the calendar.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sold(&self, time: Range<Timestamp>) -> Result<SeatCalendar, StoreError> {
        statements::sold(&self.base, time).await
    }

    /// The reservations whose name is still taken at `now`: those that are not over since `completed_minutes`.
    /// Ordered by start.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_reservations(
        &self,
        now: Timestamp,
        completed_minutes: u32,
    ) -> Result<Vec<Reservation>, StoreError> {
        let rows: Vec<ReservationRow> = read!(self.base, "reading the reservations", |on| sqlx::query_as(
            "SELECT token, account_id, name, max_participants, starts_at, duration_minutes, divert, title
                 FROM reservations WHERE ends_at > $1 ORDER BY starts_at, token"
        )
        .bind(now.minus_minutes(completed_minutes).0)
        .fetch_all(on))?;
        Ok(rows
            .into_iter()
            .map(|(token, account, name, max_participants, starts_at, duration_minutes, divert, title)| {
                Reservation {
                    token: ReservationToken::new(token),
                    account: AccountId(account),
                    name: ConferenceName::new(name),
                    max_participants: whole(max_participants),
                    starts_at: Timestamp(starts_at),
                    duration_minutes: whole(duration_minutes),
                    divert: divert.map(ServiceName::new),
                    title,
                }
            })
            .collect())
    }
}

/// token, account_id, name, max_participants, starts_at, duration_minutes, divert, title
type ReservationRow = (String, i64, String, i64, i64, i64, Option<String>, Option<String>);

/// A count of a column that we fill from 32 bits.
fn whole(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_of_the_characters_clients_know() {
        let (one, other) = (new_reservation_token(), new_reservation_token());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 32);
        assert!(one.as_str().bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')));
    }
}
