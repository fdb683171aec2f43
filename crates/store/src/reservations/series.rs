//! Series: how reservations that were made together repeat. Which of their dates take place say the reservations.

use super::{
    ledger::LedgerChanges,
    request::StoredReservation,
    statements::{DOING, ReservationRow, reservation_columns, stored_reservation},
};
use crate::{
    Store, StoreError,
    database::{Write, execute, random_bytes, read, within},
    named::at_most,
};
use plenary_conference::{Reservation, ReservationToken, Timestamp};
use plenary_model::{AccountId, SeriesSettings};
use std::collections::BTreeMap;

/// A series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSeries {
    /// Its number.
    pub id: i64,
    /// How it repeats.
    pub settings: SeriesSettings,
    /// How often its dates have been changed or removed.
    pub sequence: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// id, body, sequence, `created_at`
type Row = (i64, String, i64, i64);

fn series((id, body, sequence, created_at): Row) -> Result<StoredSeries, StoreError> {
    let settings = serde_json::from_str(&body)
        .map_err(|error| StoreError::Damaged { what: format!("series {id}: {error}") })?;
    let sequence = u32::try_from(sequence).unwrap_or(u32::MAX);
    Ok(StoredSeries { id, settings, sequence, created_at: Timestamp(created_at) })
}

impl Store {
    /// Makes a series, before its dates are reserved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series_new(
        &self,
        account: AccountId,
        settings: &SeriesSettings,
        now: Timestamp,
    ) -> Result<StoredSeries, StoreError> {
        let doing = "making a series";
        let body = serde_json::to_string(settings).expect("plain data becomes JSON");
        // 52 bits, which every reader of JSON takes exactly.
        let id = i64::from_be_bytes(random_bytes::<8>()) & ((1 << 52) - 1);
        let mut transaction = self.write(doing).await?;
        execute!(
            transaction,
            doing,
            sqlx::query(
                "INSERT INTO series (id, account_id, conference, body, sequence, created_at) VALUES ($1, $2, $3, $4, 0, $5)"
            )
            .bind(id)
            .bind(account.0)
            .bind(settings.conference.as_str())
            .bind(&body)
            .bind(now.0)
        )?;
        transaction.commit(doing).await?;
        Ok(StoredSeries { id, settings: settings.clone(), sequence: 0, created_at: now })
    }

    /// So many series of an account at the most, the oldest first, from the one after `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series_after(
        &self,
        account: AccountId,
        after: Option<(Timestamp, i64)>,
        limit: usize,
    ) -> Result<Vec<StoredSeries>, StoreError> {
        let (at, id) = after.map_or((i64::MIN, i64::MIN), |(at, id)| (at.0, id));
        let rows: Vec<Row> = read!(self.base, "listing series", |on| {
            sqlx::query_as(
            "SELECT id, body, sequence, created_at FROM series WHERE account_id = $1 AND (created_at, id) > ($2, $3)
             ORDER BY created_at, id LIMIT $4"
        )
        .bind(account.0)
        .bind(at)
        .bind(id)
        .bind(at_most(limit))
        .fetch_all(on)
        })?;
        rows.into_iter().map(series).collect()
    }

    /// A series of an account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series(&self, account: AccountId, id: i64) -> Result<Option<StoredSeries>, StoreError> {
        let row: Option<Row> = read!(self.base, "reading a series", |on| sqlx::query_as(
            "SELECT id, body, sequence, created_at FROM series WHERE account_id = $1 AND id = $2"
        )
        .bind(account.0)
        .bind(id)
        .fetch_optional(on))?;
        row.map(series).transpose()
    }

    /// The reservations of a series, those that are over included, by the dates that they stand for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series_reservations(
        &self,
        account: AccountId,
        id: i64,
    ) -> Result<Vec<Reservation>, StoreError> {
        let rows: Vec<ReservationRow> = read!(self.base, "reading a series", |on| sqlx::query_as(concat!(
            "SELECT ",
            reservation_columns!(),
            " FROM reservations WHERE series = $2 AND account_id = $1 ORDER BY occurrence, token"
        ))
        .bind(account.0)
        .bind(id)
        .fetch_all(on))?;
        let reservation = |row| {
            let (token, stored) = stored_reservation(row);
            stored.into_reservation(token)
        };
        Ok(rows.into_iter().map(reservation).collect())
    }

    /// Deletes a series that has no reservations. `false`: it has some, or is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn series_delete(&self, account: AccountId, id: i64) -> Result<bool, StoreError> {
        let doing = "deleting a series";
        let mut transaction = self.write(doing).await?;
        let delete = "DELETE FROM series WHERE account_id = $1 AND id = $2
             AND NOT EXISTS (SELECT 1 FROM reservations WHERE series = $2)";
        let deleted = execute!(transaction, doing, sqlx::query(delete).bind(account.0).bind(id))?;
        transaction.commit(doing).await?;
        Ok(deleted == 1)
    }
}

/// Counts what has been changed of the dates of series: the version of the series is a later one then.
pub(super) async fn count_changes(
    transaction: &mut Write,
    changes: &LedgerChanges<'_>,
    before: &BTreeMap<ReservationToken, StoredReservation>,
) -> Result<(), StoreError> {
    let removed = changes.removed.iter().filter_map(|token| before.get(token));
    let dates = changes.changed.values().chain(changes.restored.values()).chain(removed);
    let mut counts = BTreeMap::<i64, i64>::new();
    for date in dates.filter_map(|stored| stored.series) {
        *counts.entry(date.series).or_default() += 1;
    }
    for (series, count) in counts {
        let update = "UPDATE series SET sequence = sequence + $2 WHERE id = $1";
        execute!(transaction, DOING, sqlx::query(update).bind(series).bind(count))?;
    }
    Ok(())
}

/// The version of a series, if it is there.
pub(super) async fn sequence(transaction: &mut Write, id: i64) -> Result<Option<u32>, StoreError> {
    let found: Option<i64> =
        within!(transaction, DOING, |on| sqlx::query_scalar("SELECT sequence FROM series WHERE id = $1")
            .bind(id)
            .fetch_optional(on))?;
    Ok(found.and_then(|sequence| u32::try_from(sequence).ok()))
}
