//! What sales ask of the database and write into it, many of them in one statement.

use super::{
    ReservationRow,
    counter::{DOING, Order},
    deciding::{Held, Names, Row, Written},
    whole,
};
use crate::{
    StoreError,
    database::{Base, Write, execute, list, read, within},
};
use plenary_conference::{Reservation, ReservationToken, ServiceName, Timestamp, calendar::SeatCalendar};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// What is sold in a time. A reservation that has a part of it ends at most the longest duration behind it: so only those are read,
/// and not all that are to come.
macro_rules! sold {
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

/// The reservations that are to be changed or removed, as far as there are such.
pub(super) async fn rows(
    transaction: &mut Write,
    orders: &[Order],
) -> Result<BTreeMap<ReservationToken, Row>, StoreError> {
    if !orders.iter().any(Order::is_about_one_that_is_there) {
        return Ok(BTreeMap::new());
    }
    let there = orders.iter().filter(|order| order.is_about_one_that_is_there());
    let tokens = list(there.map(|order| order.token().as_str()));
    let statement = transaction.text(
        "SELECT token, account_id, name, max_participants, starts_at, duration_minutes, divert, title FROM reservations
         WHERE token IN (SELECT value FROM json_each($1))",
        "SELECT token, account_id, name, max_participants, starts_at, duration_minutes, divert, title FROM reservations
         WHERE token = ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
    );
    let found: Vec<ReservationRow> =
        within!(transaction, DOING, |on| sqlx::query_as(statement).bind(&tokens).fetch_all(on))?;
    let row = |(token, account, name, max_participants, starts_at, duration_minutes, divert, title)| {
        let row = Row {
            account,
            name,
            max_participants: whole(max_participants),
            starts_at: Timestamp(starts_at),
            duration_minutes: whole(duration_minutes),
            divert,
            title,
        };
        (ReservationToken::new(token), row)
    };
    Ok(found.into_iter().map(row).collect())
}

/// A line of [`look`]: the number of the last change, or a reservation that has a name.
type Looked = (Option<i64>, Option<i64>, Option<String>, Option<String>, Option<i64>, Option<i64>);

/// The number of the last change, and who holds the names that are asked for, in one question. Each name is looked up in the index
/// by itself (`CROSS JOIN` in SQLite, `LATERAL` with `OFFSET` in PostgreSQL): a plan that reads all reservations for a batch makes
/// it slower the more lie in the future.
pub(super) async fn look(
    transaction: &mut Write,
    orders: &[Order],
    rows: &BTreeMap<ReservationToken, Row>,
) -> Result<(i64, Held), StoreError> {
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
    let asked = |(account, name, from, to): (i64, &str, Timestamp, Timestamp)| json!({ "account": account, "name": name, "from": from.0, "to": to.0 });
    let times = orders.iter().filter_map(|order| match order {
        Order::Make { reservation, names, now, .. } => {
            let (from, to) = match names {
                Names::Alone { completed_minutes } => {
                    (now.minus_minutes(*completed_minutes), Timestamp(i64::MAX))
                }
                Names::Beside => (reservation.starts_at, reservation.ends_at()),
            };
            Some((reservation.account.0, reservation.name.as_str(), from, to))
        }
        Order::Extend { token, duration_minutes, .. } => {
            let row = rows.get(token)?;
            let to = row.starts_at.plus_minutes(*duration_minutes);
            Some((row.account, row.name.as_str(), row.starts_at, to))
        }
        Order::Change { reservation, .. } => {
            let row = rows.get(&reservation.token)?;
            Some((row.account, row.name.as_str(), reservation.starts_at, reservation.ends_at()))
        }
        Order::Remove { .. } => None,
    });
    let asked = times.map(asked).collect::<serde_json::Value>().to_string();
    let lines: Vec<Looked> =
        within!(transaction, DOING, |on| sqlx::query_as(statement).bind(&asked).fetch_all(on))?;
    let (mut version, mut held) = (0, Held::new());
    for line in lines {
        match line {
            (_, Some(account), Some(name), Some(token), Some(from), Some(to)) => {
                let of_name = held.entry((account, name)).or_default();
                of_name.insert(ReservationToken::new(token), Timestamp(from)..Timestamp(to));
            }
            (found, ..) => version = found.unwrap_or(version),
        }
    }
    Ok((version, held))
}

/// Adds what is sold within a time.
pub(super) async fn read_sold(
    transaction: &mut Write,
    time: Range<Timestamp>,
    seats: &mut SeatCalendar,
) -> Result<(), StoreError> {
    let sold: Vec<(i64, i64, i64)> = within!(transaction, DOING, |on| sqlx::query_as(sold!())
        .bind(time.start.0)
        .bind(time.end.0)
        .fetch_all(on))?;
    seats.add(&calendar(&time, sold));
    Ok(())
}

/// What is sold within a time, outside of a transaction.
pub(super) async fn sold(base: &Base, time: Range<Timestamp>) -> Result<SeatCalendar, StoreError> {
    let sold: Vec<(i64, i64, i64)> = read!(base, "reading what is sold", |on| sqlx::query_as(sold!())
        .bind(time.start.0)
        .bind(time.end.0)
        .fetch_all(on))?;
    Ok(calendar(&time, sold))
}

fn calendar(time: &Range<Timestamp>, sold: Vec<(i64, i64, i64)>) -> SeatCalendar {
    SeatCalendar::of(sold.into_iter().map(|(starts_at, ends_at, sold)| {
        let (from, to) = (Timestamp(starts_at).max(time.start), Timestamp(ends_at).min(time.end));
        (from, to, u64::try_from(sold).unwrap_or(0))
    }))
}

/// Which of the reservations that are to be made are there already.
pub(super) async fn tokens_made(
    transaction: &mut Write,
    orders: &[Order],
) -> Result<BTreeSet<ReservationToken>, StoreError> {
    let statement = transaction.text(
        "SELECT token FROM reservations WHERE token IN (SELECT value FROM json_each($1))",
        "SELECT token FROM reservations WHERE token = ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
    );
    let tokens = list(orders.iter().map(|order| order.token().as_str()));
    let rows: Vec<String> =
        within!(transaction, DOING, |on| sqlx::query_scalar(statement).bind(&tokens).fetch_all(on))?;
    Ok(rows.into_iter().map(ReservationToken::new).collect())
}

/// Writes it. What comes back is the number of statements.
pub(super) async fn write(transaction: &mut Write, written: &Written<'_>) -> Result<i64, StoreError> {
    let statements = insert(transaction, &written.made).await?
        + update(transaction, &written.changed).await?
        + delete(transaction, &written.removed).await?;
    Ok(statements)
}

pub(super) async fn delete(transaction: &mut Write, tokens: &[ReservationToken]) -> Result<i64, StoreError> {
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

pub(super) async fn update(
    transaction: &mut Write,
    changed: &BTreeMap<ReservationToken, Row>,
) -> Result<i64, StoreError> {
    if changed.is_empty() {
        return Ok(0);
    }
    let statement = transaction.text(
        "UPDATE reservations SET max_participants = changed.value ->> 'max_participants',
             starts_at = changed.value ->> 'starts_at', duration_minutes = changed.value ->> 'duration_minutes',
             divert = changed.value ->> 'divert', title = changed.value ->> 'title'
         FROM json_each($1) AS changed WHERE reservations.token = changed.value ->> 'token'",
        "UPDATE reservations SET max_participants = changed.max_participants, starts_at = changed.starts_at,
             duration_minutes = changed.duration_minutes, divert = changed.divert, title = changed.title
         FROM json_to_recordset($1::json) AS changed (token TEXT, max_participants BIGINT, starts_at BIGINT,
             duration_minutes BIGINT, divert TEXT, title TEXT)
         WHERE reservations.token = changed.token",
    );
    let row = |(token, row): (&ReservationToken, &Row)| {
        json!({
            "token": token.as_str(),
            "max_participants": row.max_participants,
            "starts_at": row.starts_at.0,
            "duration_minutes": row.duration_minutes,
            "divert": row.divert,
            "title": row.title,
        })
    };
    let rows = changed.iter().map(row).collect::<serde_json::Value>().to_string();
    execute!(transaction, DOING, sqlx::query(statement).bind(&rows)).map(|_| 1)
}

async fn insert(transaction: &mut Write, made: &[(&Reservation, Timestamp)]) -> Result<i64, StoreError> {
    if made.is_empty() {
        return Ok(0);
    }
    let statement = transaction.text(
        "INSERT INTO reservations
             (token, account_id, name, max_participants, starts_at, duration_minutes, divert, title, created_at)
         SELECT value ->> 'token', value ->> 'account_id', value ->> 'name', value ->> 'max_participants',
             value ->> 'starts_at', value ->> 'duration_minutes', value ->> 'divert', value ->> 'title',
             value ->> 'created_at'
         FROM json_each($1)",
        "INSERT INTO reservations
             (token, account_id, name, max_participants, starts_at, duration_minutes, divert, title, created_at)
         SELECT * FROM json_to_recordset($1::json) AS sold (token TEXT, account_id BIGINT, name TEXT,
             max_participants BIGINT, starts_at BIGINT, duration_minutes BIGINT, divert TEXT, title TEXT,
             created_at BIGINT)",
    );
    let row = |(reservation, now): &(&Reservation, Timestamp)| {
        json!({
            "token": reservation.token.as_str(),
            "account_id": reservation.account.0,
            "name": reservation.name.as_str(),
            "max_participants": reservation.max_participants,
            "starts_at": reservation.starts_at.0,
            "duration_minutes": reservation.duration_minutes,
            "divert": reservation.divert.as_ref().map(ServiceName::as_str),
            "title": reservation.title,
            "created_at": now.0,
        })
    };
    let rows = made.iter().map(row).collect::<serde_json::Value>().to_string();
    execute!(transaction, DOING, sqlx::query(statement).bind(&rows)).map(|_| 1)
}
