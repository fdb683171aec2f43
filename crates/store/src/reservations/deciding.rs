//! The rules of sales, over what was read of the database: the name is free, and enough seats are over.

use super::{ReserveError, counter::Order};
use plenary_conference::{Reservation, ReservationToken, ServiceName, Timestamp, calendar::SeatCalendar};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// What may have the name of a new reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Nothing: a name stays taken until so many minutes after the end of its reservation.
    Alone {
        /// Minutes.
        completed_minutes: u32,
    },
    /// Reservations that do not overlap.
    Beside,
}

/// A reservation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) account: i64,
    pub(super) name: String,
    pub(super) max_participants: u32,
    pub(super) starts_at: Timestamp,
    pub(super) duration_minutes: u32,
    pub(super) divert: Option<String>,
    pub(super) title: Option<String>,
}

impl Row {
    pub(super) fn ends_at(&self) -> Timestamp {
        self.starts_at.plus_minutes(self.duration_minutes)
    }

    fn time(&self) -> Range<Timestamp> {
        self.starts_at..self.ends_at()
    }

    /// As it will be.
    fn become_one(&self, reservation: &Reservation) -> Self {
        Self {
            account: self.account,
            name: self.name.clone(),
            max_participants: reservation.max_participants,
            starts_at: reservation.starts_at,
            duration_minutes: reservation.duration_minutes,
            divert: reservation.divert.as_ref().map(ServiceName::as_str).map(str::to_owned),
            title: reservation.title.clone(),
        }
    }
}

/// Who holds which name when, as far as it matters: account and name, token, time.
pub(super) type Held = BTreeMap<(i64, String), BTreeMap<ReservationToken, Range<Timestamp>>>;

/// What is sold, and what becomes of it by a batch of orders.
pub(super) struct Ledger<'a> {
    seats: &'a mut SeatCalendar,
    rows: BTreeMap<ReservationToken, Row>,
    held: Held,
    made: Vec<(&'a Reservation, Timestamp)>,
    changed: BTreeSet<ReservationToken>,
    removed: Vec<ReservationToken>,
}

/// What is to be written.
pub(super) struct Written<'a> {
    /// With the time at which each was made.
    pub(super) made: Vec<(&'a Reservation, Timestamp)>,
    pub(super) changed: BTreeMap<ReservationToken, Row>,
    pub(super) removed: Vec<ReservationToken>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        seats: &'a mut SeatCalendar,
        rows: BTreeMap<ReservationToken, Row>,
        held: Held,
    ) -> Self {
        Self { seats, rows, held, made: Vec::new(), changed: BTreeSet::new(), removed: Vec::new() }
    }

    /// Decides an order, and does it in memory. `is_made`: the reservation that it makes is there already; `again`: the order may
    /// have been carried out before. What comes back is whether there was something to do.
    pub(super) fn decide(
        &mut self,
        order: &'a Order,
        is_made: bool,
        again: bool,
    ) -> Result<bool, ReserveError> {
        match order {
            Order::Make { .. } if is_made => Ok(true),
            Order::Make { reservation, names, now, capacity } => {
                let time = reservation.starts_at..reservation.ends_at();
                let key = (reservation.account.0, reservation.name.as_str().to_owned());
                let is_in_the_way = |held: &Range<Timestamp>| match names {
                    Names::Alone { completed_minutes } => held.end > now.minus_minutes(*completed_minutes),
                    Names::Beside => overlap(held, &time),
                };
                if self.held.get(&key).is_some_and(|held| held.values().any(is_in_the_way)) {
                    return Err(ReserveError::NameTaken);
                }
                let seats = reservation.max_participants;
                enough_seats(self.seats, [time.clone()], seats, *capacity)?;
                self.seats.book(time.start, time.end, u64::from(seats));
                self.held.entry(key).or_default().insert(reservation.token.clone(), time);
                self.made.push((reservation, *now));
                Ok(true)
            }
            Order::Extend { token, duration_minutes, capacity } => {
                let row = self.rows.get(token).ok_or(ReserveError::UnknownReservation)?;
                if *duration_minutes <= row.duration_minutes {
                    return Ok(false);
                }
                let after = Row { duration_minutes: *duration_minutes, ..row.clone() };
                self.change(token, after, *capacity)
            }
            Order::Change { reservation, capacity } => {
                let row = self.rows.get(&reservation.token).ok_or(ReserveError::UnknownReservation)?;
                let after = row.become_one(reservation);
                self.change(&reservation.token, after, *capacity)
            }
            Order::Remove { token } => {
                let Some(row) = self.rows.remove(token) else { return Ok(again) };
                self.seats.release(row.starts_at, row.ends_at(), u64::from(row.max_participants));
                if let Some(held) = self.held.get_mut(&(row.account, row.name)) {
                    held.remove(token);
                }
                self.removed.push(token.clone());
                Ok(true)
            }
        }
    }

    fn change(&mut self, token: &ReservationToken, after: Row, capacity: u32) -> Result<bool, ReserveError> {
        let before = self.rows.get(token).ok_or(ReserveError::UnknownReservation)?;
        if *before == after {
            return Ok(false);
        }
        let (was, is) = (before.time(), after.time());
        let held = self.held.entry((after.account, after.name.clone())).or_default();
        if held.iter().any(|(other, time)| other != token && overlap(time, &is)) {
            return Err(ReserveError::NameTaken);
        }
        // Where it takes no more than before, there is nothing to ask: more may be sold than there is now.
        let mut asked = vec![is.start..is.end.min(was.start), is.start.max(was.end)..is.end];
        if after.max_participants > before.max_participants {
            asked.push(is.start.max(was.start)..is.end.min(was.end));
        }
        let seats_before = u64::from(before.max_participants);
        self.seats.release(was.start, was.end, seats_before);
        if let Err(refused) = enough_seats(self.seats, asked, after.max_participants, capacity) {
            self.seats.book(was.start, was.end, seats_before);
            return Err(refused);
        }
        self.seats.book(is.start, is.end, u64::from(after.max_participants));
        held.insert(token.clone(), is);
        self.rows.insert(token.clone(), after);
        self.changed.insert(token.clone());
        Ok(true)
    }

    /// What of it has to be written.
    pub(super) fn written(self) -> Written<'a> {
        let Self { mut rows, changed, made, removed, .. } = self;
        // What was changed and then removed is only removed.
        rows.retain(|token, _| changed.contains(token));
        Written { made, changed: rows, removed }
    }
}

fn overlap(one: &Range<Timestamp>, other: &Range<Timestamp>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Whether so many seats are over in all of these times.
fn enough_seats(
    sold: &SeatCalendar,
    times: impl IntoIterator<Item = Range<Timestamp>>,
    wanted: u32,
    capacity: u32,
) -> Result<(), ReserveError> {
    let times = times.into_iter().filter(|time| !time.is_empty());
    let busiest = times.map(|time| sold.busiest(time.start, time.end)).max_by_key(|busiest| busiest.seats);
    match busiest {
        Some(busiest) if wanted > capacity.saturating_sub(busiest.seats) => Err(ReserveError::NoSeats {
            available: capacity.saturating_sub(busiest.seats),
            from: busiest.from,
            to: busiest.to,
        }),
        _ => Ok(()),
    }
}
