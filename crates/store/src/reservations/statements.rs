//! What bookings read from the database and write into it: one statement for many requests.

use super::{
    ledger::{LedgerChanges, NameHolders},
    request::{BookingRequest, NameRule, StoredReservation},
};
use crate::{
    StoreError,
    database::{Base, Write, execute, list, read, within},
};
use plenary_conference::{ReservationToken, Timestamp, calendar::SeatCalendar, reservation::SeriesDate};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// What the statements are for, in errors.
pub(super) const DOING: &str = "booking seats";

/// The columns of [`ReservationRow`].
macro_rules! reservation_columns {
    () => {
        "token, account_id, name, max_participants, starts_at, duration_minutes, divert, title, created_at,
         automatic_gain, noise_suppression, sequence, guests, series, occurrence"
    };
}
pub(super) use reservation_columns;

/// A row with `reservation_columns!`.
pub(super) type ReservationRow = (
    String,
    i64,
    String,
    i64,
    i64,
    i64,
    Option<String>,
    Option<String>,
    i64,
    Option<bool>,
    Option<bool>,
    i64,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

pub(super) fn stored_reservation(row: ReservationRow) -> (ReservationToken, StoredReservation) {
    let (
        token,
        account,
        name,
        max_participants,
        starts_at,
        duration_minutes,
        divert,
        title,
        created_at,
        automatic_gain,
        noise_suppression,
        sequence,
        guests,
        series,
        occurrence,
    ) = row;
    let series = series
        .zip(occurrence)
        .map(|(series, occurrence)| SeriesDate { series, occurrence: Timestamp(occurrence) });
    let stored = StoredReservation {
        account,
        name,
        max_participants: count(max_participants),
        starts_at: Timestamp(starts_at),
        duration_minutes: count(duration_minutes),
        divert,
        title,
        created_at,
        automatic_gain,
        noise_suppression,
        sequence: count(sequence),
        // Written by us; what cannot be read is nobody who could be told.
        guests: guests.and_then(|guests| serde_json::from_str(&guests).ok()).unwrap_or_default(),
        series,
    };
    (ReservationToken::new(token), stored)
}

/// A column that is only written from 32 bits.
fn count(column: i64) -> u32 {
    u32::try_from(column).unwrap_or(u32::MAX)
}

/// The booked seats of a time. A reservation overlapping it ends at most the longest duration after its end, so the index
/// is read up to there and not to the end of the calendar.
macro_rules! booked {
    () => {
        "SELECT starts_at, ends_at, CAST(sum(max_participants) AS BIGINT) FROM reservations
         WHERE ends_at > $1 AND starts_at < $2
         AND ends_at < $2 + (SELECT coalesce(max(duration_minutes), 0) FROM reservations) * 60000
         GROUP BY starts_at, ends_at"
    };
}

pub(super) async fn version(transaction: &mut Write) -> Result<i64, StoreError> {
    within!(transaction, DOING, |on| sqlx::query_scalar("SELECT version FROM calendar").fetch_one(on))
}

/// The reservations that requests are about, as far as they exist.
pub(super) async fn stored(
    transaction: &mut Write,
    requests: &[&BookingRequest],
) -> Result<BTreeMap<ReservationToken, StoredReservation>, StoreError> {
    if !requests.iter().any(|request| request.needs_stored()) {
        return Ok(BTreeMap::new());
    }
    let needed = requests.iter().filter(|request| request.needs_stored());
    of_tokens(transaction, needed.map(|request| request.token())).await
}

/// The reservations with these tokens, as far as they exist.
pub(super) async fn of_tokens(
    transaction: &mut Write,
    tokens: impl Iterator<Item = &ReservationToken>,
) -> Result<BTreeMap<ReservationToken, StoredReservation>, StoreError> {
    let tokens = list(tokens.map(ReservationToken::as_str));
    let statement = transaction.text(
        concat!(
            "SELECT ",
            reservation_columns!(),
            " FROM reservations WHERE token IN (SELECT value FROM json_each($1))"
        ),
        concat!(
            "SELECT ",
            reservation_columns!(),
            " FROM reservations WHERE token = ANY (ARRAY (SELECT json_array_elements_text($1::json)))"
        ),
    );
    let rows: Vec<ReservationRow> =
        within!(transaction, DOING, |on| sqlx::query_as(statement).bind(&tokens).fetch_all(on))?;
    Ok(rows.into_iter().map(stored_reservation).collect())
}

/// A row of [`look_up`]: the version of the calendar, or a reservation by account, name, token, start and end.
type LookupRow = (Option<i64>, Option<i64>, Option<String>, Option<String>, Option<i64>, Option<i64>);

/// Reads the version of the calendar and the reservations of the requested names in one statement. Each name is looked up
/// in the index by itself (`CROSS JOIN` in SQLite, `LATERAL` with `OFFSET` in PostgreSQL): a plan that scans all
/// reservations for a batch becomes slower with every one in the future.
pub(super) async fn look_up(
    transaction: &mut Write,
    requests: &[&BookingRequest],
    stored: &BTreeMap<ReservationToken, StoredReservation>,
) -> Result<(i64, NameHolders), StoreError> {
    let statement = transaction.text(
        "SELECT version, NULL, NULL, NULL, NULL, NULL FROM calendar
         UNION ALL
         SELECT NULL, held.account_id, held.name, held.token, held.starts_at, held.ends_at
         FROM json_each($1) AS asked CROSS JOIN reservations AS held
         WHERE held.account_id = asked.value ->> 'account' AND held.name = asked.value ->> 'name'
         AND held.ends_at > asked.value ->> 'from' AND held.starts_at < asked.value ->> 'to'",
        "SELECT version, NULL::BIGINT, NULL::TEXT, NULL::TEXT, NULL::BIGINT, NULL::BIGINT FROM calendar
         UNION ALL
         SELECT NULL, held.account_id, held.name, held.token, held.starts_at, held.ends_at
         FROM json_to_recordset($1::json) AS asked (account BIGINT, name TEXT, \"from\" BIGINT, \"to\" BIGINT)
         CROSS JOIN LATERAL (SELECT * FROM reservations
             WHERE account_id = asked.account AND name = asked.name
             AND ends_at > asked.\"from\" AND starts_at < asked.\"to\" OFFSET 0) AS held",
    );
    let lookup = |(account, name, from, to): (i64, &str, Timestamp, Timestamp)| json!({ "account": account, "name": name, "from": from.0, "to": to.0 });
    let lookups = requests.iter().filter_map(|request| match request {
        BookingRequest::Make { reservation, names, now, .. } => {
            let (from, to) = match names {
                NameRule::Exclusive { completed_minutes } => {
                    (now.minus_minutes(*completed_minutes), Timestamp(i64::MAX))
                }
                NameRule::NonOverlapping => (reservation.starts_at, reservation.ends_at()),
            };
            Some((reservation.account.0, reservation.name.as_str(), from, to))
        }
        BookingRequest::Extend { token, duration_minutes, .. } => {
            let before = stored.get(token)?;
            let to = before.starts_at.plus_minutes(*duration_minutes);
            Some((before.account, before.name.as_str(), before.starts_at, to))
        }
        BookingRequest::Change { reservation, .. } => {
            let before = stored.get(&reservation.token)?;
            Some((before.account, before.name.as_str(), reservation.starts_at, reservation.ends_at()))
        }
        BookingRequest::Restore { stored, .. } => {
            Some((stored.account, stored.name.as_str(), stored.starts_at, stored.ends_at()))
        }
        BookingRequest::Remove { .. } | BookingRequest::Withdraw { .. } => None,
    });
    let lookups = lookups.map(lookup).collect::<serde_json::Value>().to_string();
    let rows: Vec<LookupRow> =
        within!(transaction, DOING, |on| sqlx::query_as(statement).bind(&lookups).fetch_all(on))?;
    let (mut version, mut holders) = (0, NameHolders::new());
    for row in rows {
        match row {
            (_, Some(account), Some(name), Some(token), Some(from), Some(to)) => {
                let of_name = holders.entry((account, name)).or_default();
                of_name.insert(ReservationToken::new(token), Timestamp(from)..Timestamp(to));
            }
            (found, ..) => version = found.unwrap_or(version),
        }
    }
    Ok((version, holders))
}

/// Adds the booked seats of a time to a calendar.
pub(super) async fn read_booked(
    transaction: &mut Write,
    time: Range<Timestamp>,
    seats: &mut SeatCalendar,
) -> Result<(), StoreError> {
    let rows: Vec<(i64, i64, i64)> = within!(transaction, DOING, |on| sqlx::query_as(booked!())
        .bind(time.start.0)
        .bind(time.end.0)
        .fetch_all(on))?;
    seats.add(&calendar(&time, rows));
    Ok(())
}

/// The booked seats of a time, outside of a transaction.
pub(super) async fn booked(base: &Base, time: Range<Timestamp>) -> Result<SeatCalendar, StoreError> {
    let rows: Vec<(i64, i64, i64)> = read!(base, "reading booked seats", |on| sqlx::query_as(booked!())
        .bind(time.start.0)
        .bind(time.end.0)
        .fetch_all(on))?;
    Ok(calendar(&time, rows))
}

fn calendar(time: &Range<Timestamp>, rows: Vec<(i64, i64, i64)>) -> SeatCalendar {
    SeatCalendar::of(rows.into_iter().map(|(starts_at, ends_at, seats)| {
        let (from, to) = (Timestamp(starts_at).max(time.start), Timestamp(ends_at).min(time.end));
        (from, to, u64::try_from(seats).unwrap_or(0))
    }))
}

/// The tokens among those of the requests that exist.
pub(super) async fn tokens_made(
    transaction: &mut Write,
    requests: &[&BookingRequest],
) -> Result<BTreeSet<ReservationToken>, StoreError> {
    let statement = transaction.text(
        "SELECT token FROM reservations WHERE token IN (SELECT value FROM json_each($1))",
        "SELECT token FROM reservations WHERE token = ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
    );
    let tokens = list(requests.iter().map(|request| request.token().as_str()));
    let rows: Vec<String> =
        within!(transaction, DOING, |on| sqlx::query_scalar(statement).bind(&tokens).fetch_all(on))?;
    Ok(rows.into_iter().map(ReservationToken::new).collect())
}

/// Writes the changes. Returns the number of statements, each of which PostgreSQL's trigger counts.
pub(super) async fn write(transaction: &mut Write, changes: &LedgerChanges<'_>) -> Result<i64, StoreError> {
    let made = changes.made.iter().map(|(token, stored)| (*token, stored));
    let inserted: Vec<_> = made.chain(&changes.restored).collect();
    let statements = insert(transaction, &inserted).await?
        + update(transaction, &changes.changed).await?
        + delete(transaction, &changes.removed).await?;
    Ok(statements)
}

async fn delete(transaction: &mut Write, tokens: &[ReservationToken]) -> Result<i64, StoreError> {
    if tokens.is_empty() {
        return Ok(0);
    }
    let statement = transaction.text(
        "DELETE FROM reservations WHERE token IN (SELECT value FROM json_each($1))",
        "DELETE FROM reservations WHERE token = ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
    );
    let tokens = list(tokens.iter().map(ReservationToken::as_str));
    execute!(transaction, DOING, sqlx::query(statement).bind(&tokens)).map(|_| 1)
}

async fn update(
    transaction: &mut Write,
    changed: &BTreeMap<ReservationToken, StoredReservation>,
) -> Result<i64, StoreError> {
    if changed.is_empty() {
        return Ok(0);
    }
    let statement = transaction.text(
        "UPDATE reservations SET max_participants = changed.value ->> 'max_participants',
             starts_at = changed.value ->> 'starts_at', duration_minutes = changed.value ->> 'duration_minutes',
             divert = changed.value ->> 'divert', title = changed.value ->> 'title',
             sequence = changed.value ->> 'sequence', guests = changed.value ->> 'guests'
         FROM json_each($1) AS changed WHERE reservations.token = changed.value ->> 'token'",
        "UPDATE reservations SET max_participants = changed.max_participants, starts_at = changed.starts_at,
             duration_minutes = changed.duration_minutes, divert = changed.divert, title = changed.title,
             sequence = changed.sequence, guests = changed.guests
         FROM json_to_recordset($1::json) AS changed (token TEXT, max_participants BIGINT, starts_at BIGINT,
             duration_minutes BIGINT, divert TEXT, title TEXT, sequence BIGINT, guests TEXT)
         WHERE reservations.token = changed.token",
    );
    let rows = changed.iter().map(json_row).collect::<serde_json::Value>().to_string();
    execute!(transaction, DOING, sqlx::query(statement).bind(&rows)).map(|_| 1)
}

async fn insert(
    transaction: &mut Write,
    inserted: &[(&ReservationToken, &StoredReservation)],
) -> Result<i64, StoreError> {
    if inserted.is_empty() {
        return Ok(0);
    }
    let statement = transaction.text(
        concat!(
            "INSERT INTO reservations (",
            reservation_columns!(),
            ") SELECT value ->> 'token', value ->> 'account_id', value ->> 'name', value ->> 'max_participants',
                 value ->> 'starts_at', value ->> 'duration_minutes', value ->> 'divert', value ->> 'title',
                 value ->> 'created_at', value ->> 'automatic_gain', value ->> 'noise_suppression',
                 value ->> 'sequence', value ->> 'guests', value ->> 'series', value ->> 'occurrence'
               FROM json_each($1)"
        ),
        concat!(
            "INSERT INTO reservations (",
            reservation_columns!(),
            ") SELECT * FROM json_to_recordset($1::json) AS inserted (token TEXT, account_id BIGINT, name TEXT,
                 max_participants BIGINT, starts_at BIGINT, duration_minutes BIGINT, divert TEXT, title TEXT,
                 created_at BIGINT, automatic_gain BOOLEAN, noise_suppression BOOLEAN, sequence BIGINT, guests TEXT,
                 series BIGINT, occurrence BIGINT)"
        ),
    );
    let rows = inserted.iter().copied().map(json_row).collect::<serde_json::Value>().to_string();
    execute!(transaction, DOING, sqlx::query(statement).bind(&rows)).map(|_| 1)
}

fn json_row((token, stored): (&ReservationToken, &StoredReservation)) -> serde_json::Value {
    json!({
        "token": token.as_str(),
        "account_id": stored.account,
        "name": stored.name,
        "max_participants": stored.max_participants,
        "starts_at": stored.starts_at.0,
        "duration_minutes": stored.duration_minutes,
        "divert": stored.divert,
        "title": stored.title,
        "created_at": stored.created_at,
        "automatic_gain": stored.automatic_gain,
        "noise_suppression": stored.noise_suppression,
        "sequence": stored.sequence,
        "guests": (!stored.guests.is_empty())
            .then(|| serde_json::to_string(&stored.guests).expect("plain data becomes JSON")),
        "series": stored.series.map(|date| date.series),
        "occurrence": stored.series.map(|date| date.occurrence.0),
    })
}
