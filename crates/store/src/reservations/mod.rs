//! Reservations: names and seats, booked, changed and released in one transaction.

pub(crate) mod guest_links;
mod ledger;
mod mails;
mod request;
mod series;
mod statements;
mod told;
pub(crate) mod worker;

pub use guest_links::{GuestLink, LinkPurpose, OpenGuestLink};
pub use mails::{MAIL_KEPT_MS, MailContent, MailRecord, QueuedMail};
pub use request::{NameRule, ReserveError};
pub use series::StoredSeries;
pub(crate) use told::current;

use crate::{
    Store, StoreError,
    database::{random_bytes, read},
    named::at_most,
};
use data_encoding::BASE32_NOPAD;
use plenary_conference::{Reservation, ReservationToken, Timestamp, calendar::SeatCalendar};
use request::BookingRequest;
use statements::{ReservationRow, reservation_columns, stored_reservation};
use std::ops::Range;

/// A fresh token: 160 random bits as 32 upper-case base32 characters.
#[must_use]
pub fn new_reservation_token() -> ReservationToken {
    ReservationToken::new(BASE32_NOPAD.encode(&random_bytes::<20>()))
}

impl Store {
    /// Books the seats of `reservation` and takes its name, both or neither. `Ok`: the reservation is on the disk.
    ///
    /// `capacity` is the number of seats that may be booked at any instant over all accounts. A name stays taken until
    /// `completed_minutes` after the end of its reservation, as judged at `now`.
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
        self.reserve_by(reservation, NameRule::Exclusive { completed_minutes }, capacity, now).await
    }

    /// As [`Store::reserve`], with another rule for names.
    ///
    /// # Errors
    /// As [`Store::reserve`].
    pub async fn reserve_by(
        &self,
        reservation: &Reservation,
        names: NameRule,
        capacity: u32,
        now: Timestamp,
    ) -> Result<(), ReserveError> {
        let request = BookingRequest::Make { reservation: reservation.clone(), names, now, capacity };
        self.bookings.carry_out(request, &self.doing).await.map(drop)
    }

    /// Extends a reservation to a whole duration of `duration_minutes`, if its seats and its name are free for the added
    /// time. A shorter duration than before changes nothing.
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
        let request = BookingRequest::Extend { token: token.clone(), duration_minutes, capacity };
        self.bookings.carry_out(request, &self.doing).await.map(drop)
    }

    /// Replaces the reservation with this token, apart from its account and its name. Its seats are released and booked
    /// again in one transaction; a change that needs no more seats than before is never refused for want of seats.
    ///
    /// # Errors
    /// As [`Store::extend`].
    pub async fn change_reservation(
        &self,
        reservation: &Reservation,
        capacity: u32,
    ) -> Result<(), ReserveError> {
        let request = BookingRequest::Change { reservation: reservation.clone(), capacity };
        self.bookings.carry_out(request, &self.doing).await.map(drop)
    }

    /// Removes a reservation and releases its seats and its name. `false`: no reservation has this token.
    ///
    /// An error means that nothing is removed: if the database did not confirm the commit, the reservation is put back,
    /// unless another process has booked its seats (up to `capacity`) or its name meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, token: &ReservationToken, capacity: u32) -> Result<bool, StoreError> {
        let request = BookingRequest::Remove { token: token.clone(), capacity };
        match self.bookings.carry_out(request, &self.doing).await {
            Ok(removed) => Ok(removed),
            Err(ReserveError::Store(error)) => Err(error),
            // A removal is subject to no rule.
            Err(
                ReserveError::NameTaken | ReserveError::NoSeats { .. } | ReserveError::UnknownReservation,
            ) => Ok(false),
        }
    }

    /// The booked seats of a time, over all accounts. The calendar is empty outside of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn booked_seats(&self, time: Range<Timestamp>) -> Result<SeatCalendar, StoreError> {
        statements::booked(&self.base, time).await
    }

    /// Reservations that ended behind a time and a token, and until another time, in the order in which they did, `limit` at the most.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reservations_ended(
        &self,
        after: (Timestamp, &str),
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Reservation>, StoreError> {
        let rows: Vec<ReservationRow> =
            read!(self.base, "reading the reservations", |on| sqlx::query_as(concat!(
                "SELECT ",
                reservation_columns!(),
                " FROM reservations WHERE (ends_at > $1 OR (ends_at = $1 AND token > $2)) AND ends_at <= $3
                 ORDER BY ends_at, token LIMIT $4"
            ))
            .bind(after.0.0)
            .bind(after.1)
            .bind(until.0)
            .bind(at_most(limit))
            .fetch_all(on))?;
        let reservation = |row| {
            let (token, stored) = stored_reservation(row);
            stored.into_reservation(token)
        };
        Ok(rows.into_iter().map(reservation).collect())
    }

    /// The reservations whose name is still taken at `now`: those that ended less than `completed_minutes` ago, or have not
    /// ended. Ordered by start.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_reservations(
        &self,
        now: Timestamp,
        completed_minutes: u32,
    ) -> Result<Vec<Reservation>, StoreError> {
        let rows: Vec<ReservationRow> =
            read!(self.base, "reading the reservations", |on| sqlx::query_as(concat!(
                "SELECT ",
                reservation_columns!(),
                " FROM reservations WHERE ends_at > $1 ORDER BY starts_at, token"
            ))
            .bind(now.minus_minutes(completed_minutes).0)
            .fetch_all(on))?;
        let reservation = |row| {
            let (token, stored) = stored_reservation(row);
            stored.into_reservation(token)
        };
        Ok(rows.into_iter().map(reservation).collect())
    }
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
