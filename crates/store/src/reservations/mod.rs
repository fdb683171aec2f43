//! Reservations: names and seats, sold in one transaction.

mod counter;

pub(crate) use counter::Counter;

use crate::{
    Store, StoreError,
    database::{Write, execute, postgres::Lock, random_bytes, read, within},
};
use data_encoding::BASE32_NOPAD;
use plenary_conference::{
    AccountId, ConferenceName, Reservation, ReservationToken, ServiceName, Timestamp,
    calendar::{Booking, peak_seats},
};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// How long to look for what became of a commit that was not answered.
const SETTLE_WITHIN: Duration = Duration::from_secs(1);

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
        self.counter.reserve(reservation, capacity, completed_minutes, now).await
    }

    /// Makes the whole duration of a reservation `duration_minutes`, if its seats are free for the time that is
    /// added. A shorter duration than before changes nothing.
    ///
    /// # Errors
    /// [`ReserveError::UnknownReservation`], [`ReserveError::NoSeats`], and [`ReserveError::Store`] when the
    /// database fails.
    pub async fn extend(
        &self,
        token: &ReservationToken,
        duration_minutes: u32,
        capacity: u32,
    ) -> Result<(), ReserveError> {
        match self.extend_once(token, duration_minutes, capacity).await {
            Err(ReserveError::Store(unconfirmed @ StoreError::Unconfirmed { .. })) => {
                // What was done is found done.
                let again = timeout(SETTLE_WITHIN, self.extend_once(token, duration_minutes, capacity)).await;
                again.unwrap_or(Err(unconfirmed.into()))
            }
            outcome => outcome,
        }
    }

    async fn extend_once(
        &self,
        token: &ReservationToken,
        duration_minutes: u32,
        capacity: u32,
    ) -> Result<(), ReserveError> {
        let doing = "extending a reservation";
        let mut transaction = self.base.write(doing, Lock::Sales).await?;
        let row: Option<(i64, i64, i64)> = within!(transaction, doing, |on| sqlx::query_as(
            "SELECT max_participants, starts_at, ends_at FROM reservations WHERE token = $1"
        )
        .bind(token.as_str())
        .fetch_optional(on))?;
        let Some((seats, starts_at, ends_at)) = row else { return Err(ReserveError::UnknownReservation) };
        let new_end = Timestamp(starts_at).plus_minutes(duration_minutes);
        if new_end.0 <= ends_at {
            return Ok(());
        }
        let sold = seats_sold(&mut transaction, token, Timestamp(ends_at), new_end).await?;
        enough_seats(whole(seats), sold, capacity)?;
        let update = "UPDATE reservations SET duration_minutes = $1 WHERE token = $2";
        execute!(
            transaction,
            doing,
            sqlx::query(update).bind(i64::from(duration_minutes)).bind(token.as_str())
        )?;
        transaction.commit(doing).await?;
        Ok(())
    }

    /// Removes a reservation; its seats and its name are free again. `false`: there was none with this token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, token: &ReservationToken) -> Result<bool, StoreError> {
        match self.remove_once(token).await {
            Err(unconfirmed @ StoreError::Unconfirmed { .. }) => {
                // Whichever of the two did it, it is gone.
                let again = timeout(SETTLE_WITHIN, self.remove_once(token)).await;
                again.map_or(Err(unconfirmed), |outcome| outcome.map(|_| true))
            }
            outcome => outcome,
        }
    }

    async fn remove_once(&self, token: &ReservationToken) -> Result<bool, StoreError> {
        let doing = "removing a reservation";
        let mut transaction = self.base.write(doing, Lock::Sales).await?;
        let delete = "DELETE FROM reservations WHERE token = $1";
        let deleted = execute!(transaction, doing, sqlx::query(delete).bind(token.as_str()))?;
        transaction.commit(doing).await?;
        Ok(deleted == 1)
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
            "SELECT token, account_id, name, max_participants, starts_at, duration_minutes, divert
                 FROM reservations WHERE ends_at > $1 ORDER BY starts_at, token"
        )
        .bind(now.minus_minutes(completed_minutes).0)
        .fetch_all(on))?;
        Ok(rows
            .into_iter()
            .map(|(token, account, name, max_participants, starts_at, duration_minutes, divert)| {
                Reservation {
                    token: ReservationToken::new(token),
                    account: AccountId(account),
                    name: ConferenceName::new(name),
                    max_participants: whole(max_participants),
                    starts_at: Timestamp(starts_at),
                    duration_minutes: whole(duration_minutes),
                    divert: divert.map(ServiceName::new),
                }
            })
            .collect())
    }
}

/// token, account_id, name, max_participants, starts_at, duration_minutes, divert
type ReservationRow = (String, i64, String, i64, i64, i64, Option<String>);

/// The most seats sold at any instant of `from..to`, the reservation `but` left out.
async fn seats_sold(
    transaction: &mut Write,
    but: &ReservationToken,
    from: Timestamp,
    to: Timestamp,
) -> Result<u32, StoreError> {
    let doing = "counting the seats that are sold";
    let rows: Vec<(i64, i64, i64)> = within!(transaction, doing, |on| sqlx::query_as(
        "SELECT starts_at, ends_at, max_participants FROM reservations
         WHERE ends_at > $1 AND starts_at < $2 AND token <> $3"
    )
    .bind(from.0)
    .bind(to.0)
    .bind(but.as_str())
    .fetch_all(on))?;
    let bookings = rows.into_iter().map(|(starts_at, ends_at, seats)| Booking {
        starts_at: Timestamp(starts_at),
        ends_at: Timestamp(ends_at),
        seats: whole(seats),
    });
    Ok(peak_seats(bookings, from, to))
}

/// A count of a column that we fill from 32 bits.
fn whole(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn enough_seats(wanted: u32, sold: u32, capacity: u32) -> Result<(), ReserveError> {
    let available = capacity.saturating_sub(sold);
    if wanted > available { Err(ReserveError::NoSeats { available }) } else { Ok(()) }
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
