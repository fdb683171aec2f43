//! Reservations: names and seats, sold in one transaction.

use crate::{Store, StoreError, database::random_bytes};
use data_encoding::BASE32_NOPAD;
use plenary_conference::{
    AccountId, ConferenceName, Reservation, ReservationToken, ServiceName, Timestamp,
    calendar::{Booking, peak_seats},
};
use sqlx::SqliteConnection;
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
        let doing = "making a reservation";
        let mut transaction = self.write(doing).await?;
        let taken: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM reservations WHERE account_id = ? AND name = ? AND ends_at > ? LIMIT 1",
        )
        .bind(reservation.account.0)
        .bind(reservation.name.as_str())
        .bind(now.minus_minutes(completed_minutes).0)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(StoreError::when(doing))?;
        if taken.is_some() {
            return Err(ReserveError::NameTaken);
        }

        let sold = seats_sold(&mut transaction, None, reservation.starts_at, reservation.ends_at()).await?;
        enough_seats(reservation.max_participants, sold, capacity)?;

        sqlx::query(
            "INSERT INTO reservations
                 (token, account_id, name, max_participants, starts_at, duration_minutes, divert, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(reservation.token.as_str())
        .bind(reservation.account.0)
        .bind(reservation.name.as_str())
        .bind(reservation.max_participants)
        .bind(reservation.starts_at.0)
        .bind(reservation.duration_minutes)
        .bind(reservation.divert.as_ref().map(ServiceName::as_str))
        .bind(now.0)
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::when(doing))?;
        transaction.commit().await.map_err(StoreError::when(doing))?;
        Ok(())
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
        let doing = "extending a reservation";
        let mut transaction = self.write(doing).await?;
        let row: Option<(u32, i64, i64)> =
            sqlx::query_as("SELECT max_participants, starts_at, ends_at FROM reservations WHERE token = ?")
                .bind(token.as_str())
                .fetch_optional(&mut *transaction)
                .await
                .map_err(StoreError::when(doing))?;
        let Some((seats, starts_at, ends_at)) = row else { return Err(ReserveError::UnknownReservation) };
        let new_end = Timestamp(starts_at).plus_minutes(duration_minutes);
        if new_end.0 <= ends_at {
            return Ok(());
        }
        let sold = seats_sold(&mut transaction, Some(token), Timestamp(ends_at), new_end).await?;
        enough_seats(seats, sold, capacity)?;
        sqlx::query("UPDATE reservations SET duration_minutes = ? WHERE token = ?")
            .bind(duration_minutes)
            .bind(token.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::when(doing))?;
        transaction.commit().await.map_err(StoreError::when(doing))?;
        Ok(())
    }

    /// Removes a reservation; its seats and its name are free again. `false`: there was none with this token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, token: &ReservationToken) -> Result<bool, StoreError> {
        let doing = "removing a reservation";
        let mut transaction = self.write(doing).await?;
        let done = sqlx::query("DELETE FROM reservations WHERE token = ?")
            .bind(token.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::when(doing))?;
        transaction.commit().await.map_err(StoreError::when(doing))?;
        Ok(done.rows_affected() == 1)
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
        let rows: Vec<ReservationRow> = sqlx::query_as(
            "SELECT token, account_id, name, max_participants, starts_at, duration_minutes, divert
             FROM reservations WHERE ends_at > ? ORDER BY starts_at, token",
        )
        .bind(now.minus_minutes(completed_minutes).0)
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::when("reading the reservations"))?;
        Ok(rows
            .into_iter()
            .map(|(token, account, name, max_participants, starts_at, duration_minutes, divert)| {
                Reservation {
                    token: ReservationToken::new(token),
                    account: AccountId(account),
                    name: ConferenceName::new(name),
                    max_participants,
                    starts_at: Timestamp(starts_at),
                    duration_minutes,
                    divert: divert.map(ServiceName::new),
                }
            })
            .collect())
    }
}

/// token, account_id, name, max_participants, starts_at, duration_minutes, divert
type ReservationRow = (String, i64, String, u32, i64, u32, Option<String>);

/// The most seats sold at any instant of `from..to`, the reservation `but` left out.
async fn seats_sold(
    connection: &mut SqliteConnection,
    but: Option<&ReservationToken>,
    from: Timestamp,
    to: Timestamp,
) -> Result<u32, StoreError> {
    let rows: Vec<(i64, i64, u32)> = sqlx::query_as(
        "SELECT starts_at, ends_at, max_participants FROM reservations
         WHERE ends_at > ? AND starts_at < ? AND token IS NOT ?",
    )
    .bind(from.0)
    .bind(to.0)
    .bind(but.map(ReservationToken::as_str))
    .fetch_all(connection)
    .await
    .map_err(StoreError::when("counting the seats that are sold"))?;
    let bookings = rows.into_iter().map(|(starts_at, ends_at, seats)| Booking {
        starts_at: Timestamp(starts_at),
        ends_at: Timestamp(ends_at),
        seats,
    });
    Ok(peak_seats(bookings, from, to))
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
