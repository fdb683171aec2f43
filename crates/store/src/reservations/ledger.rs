//! The rules of booking, applied to what was read from the database: the name is free, and enough seats are left.

use super::request::{BookingRequest, NameRule, ReserveError, StoredReservation};
use plenary_conference::{ReservationToken, Timestamp, calendar::SeatCalendar};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// The reservations of the names in question: by account and name, then by token, with their times.
pub(super) type NameHolders = BTreeMap<(i64, String), BTreeMap<ReservationToken, Range<Timestamp>>>;

/// Booked seats and stored reservations, as a batch of requests changes them.
pub(super) struct Ledger<'a> {
    seats: &'a mut SeatCalendar,
    stored: BTreeMap<ReservationToken, StoredReservation>,
    holders: NameHolders,
    made: Vec<(&'a ReservationToken, StoredReservation)>,
    restored: BTreeSet<ReservationToken>,
    changed: BTreeSet<ReservationToken>,
    removed: Vec<ReservationToken>,
}

/// What a batch writes.
pub(super) struct LedgerChanges<'a> {
    pub(super) made: Vec<(&'a ReservationToken, StoredReservation)>,
    /// Rows to be inserted again.
    pub(super) restored: BTreeMap<ReservationToken, StoredReservation>,
    pub(super) changed: BTreeMap<ReservationToken, StoredReservation>,
    pub(super) removed: Vec<ReservationToken>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        seats: &'a mut SeatCalendar,
        stored: BTreeMap<ReservationToken, StoredReservation>,
        holders: NameHolders,
    ) -> Self {
        Self {
            seats,
            stored,
            holders,
            made: Vec::new(),
            restored: BTreeSet::new(),
            changed: BTreeSet::new(),
            removed: Vec::new(),
        }
    }

    /// Decides a request and applies it in memory. `is_made`: the reservation that it makes is there already; `again`: the
    /// request may have been carried out before. Returns whether anything changed.
    pub(super) fn decide(
        &mut self,
        request: &'a BookingRequest,
        is_made: bool,
        again: bool,
    ) -> Result<bool, ReserveError> {
        match request {
            BookingRequest::Make { .. } if is_made => Ok(true),
            BookingRequest::Make { reservation, names, now, capacity } => {
                let time = reservation.starts_at..reservation.ends_at();
                let key = (reservation.account.0, reservation.name.as_str().to_owned());
                let conflicts = |held: &Range<Timestamp>| match names {
                    NameRule::Exclusive { completed_minutes } => {
                        held.end > now.minus_minutes(*completed_minutes)
                    }
                    NameRule::NonOverlapping => overlap(held, &time),
                };
                if self.holders.get(&key).is_some_and(|holders| holders.values().any(conflicts)) {
                    return Err(ReserveError::NameTaken);
                }
                let seats = reservation.max_participants;
                enough_seats(self.seats, [time.clone()], seats, *capacity)?;
                self.seats.book(time.start, time.end, u64::from(seats));
                self.holders.entry(key).or_default().insert(reservation.token.clone(), time);
                self.made.push((&reservation.token, StoredReservation::new(reservation, *now)));
                Ok(true)
            }
            BookingRequest::Extend { token, duration_minutes, capacity } => {
                let before = self.stored.get(token).ok_or(ReserveError::UnknownReservation)?;
                if *duration_minutes <= before.duration_minutes {
                    return Ok(false);
                }
                let sequence = before.sequence.saturating_add(1);
                let after =
                    StoredReservation { duration_minutes: *duration_minutes, sequence, ..before.clone() };
                self.change(token, after, *capacity)
            }
            BookingRequest::Change { reservation, capacity } => {
                let before = self.stored.get(&reservation.token).ok_or(ReserveError::UnknownReservation)?;
                let after = before.changed_to(reservation);
                self.change(&reservation.token, after, *capacity)
            }
            BookingRequest::Remove { token, .. } => Ok(self.remove(token) || again),
            BookingRequest::Withdraw { token } => Ok(self.remove(token)),
            BookingRequest::Restore { token, stored, capacity } => {
                if self.stored.contains_key(token) {
                    return self.change(token, stored.clone(), *capacity);
                }
                let time = stored.time();
                let holders = self.holders.entry((stored.account, stored.name.clone())).or_default();
                if holders.values().any(|held| overlap(held, &time)) {
                    return Err(ReserveError::NameTaken);
                }
                enough_seats(self.seats, [time.clone()], stored.max_participants, *capacity)?;
                self.seats.book(time.start, time.end, u64::from(stored.max_participants));
                holders.insert(token.clone(), time);
                self.stored.insert(token.clone(), stored.clone());
                self.restored.insert(token.clone());
                Ok(true)
            }
        }
    }

    fn remove(&mut self, token: &ReservationToken) -> bool {
        let Some(stored) = self.stored.remove(token) else { return false };
        let time = stored.time();
        self.seats.release(time.start, time.end, u64::from(stored.max_participants));
        if let Some(holders) = self.holders.get_mut(&(stored.account, stored.name)) {
            holders.remove(token);
        }
        self.removed.push(token.clone());
        true
    }

    fn change(
        &mut self,
        token: &ReservationToken,
        after: StoredReservation,
        capacity: u32,
    ) -> Result<bool, ReserveError> {
        let before = self.stored.get(token).ok_or(ReserveError::UnknownReservation)?;
        if *before == after {
            return Ok(false);
        }
        let (was, is) = (before.time(), after.time());
        let holders = self.holders.entry((after.account, after.name.clone())).or_default();
        if holders.iter().any(|(other, time)| other != token && overlap(time, &is)) {
            return Err(ReserveError::NameTaken);
        }
        // Only additional time and seats are checked: more than the capacity may be booked already, when it was lowered.
        let mut added = vec![is.start..is.end.min(was.start), is.start.max(was.end)..is.end];
        if after.max_participants > before.max_participants {
            added.push(is.start.max(was.start)..is.end.min(was.end));
        }
        let seats_before = u64::from(before.max_participants);
        self.seats.release(was.start, was.end, seats_before);
        if let Err(refused) = enough_seats(self.seats, added, after.max_participants, capacity) {
            self.seats.book(was.start, was.end, seats_before);
            return Err(refused);
        }
        self.seats.book(is.start, is.end, u64::from(after.max_participants));
        holders.insert(token.clone(), is);
        self.stored.insert(token.clone(), after);
        self.changed.insert(token.clone());
        Ok(true)
    }

    /// The rows to be written.
    pub(super) fn into_changes(self) -> LedgerChanges<'a> {
        let Self { stored, restored: inserted, changed: updated, made, removed, .. } = self;
        let (mut restored, mut changed) = (BTreeMap::new(), BTreeMap::new());
        // A row that was removed last is in neither: it is only removed.
        for (token, stored) in stored {
            if inserted.contains(&token) {
                restored.insert(token, stored);
            } else if updated.contains(&token) {
                changed.insert(token, stored);
            }
        }
        LedgerChanges { made, restored, changed, removed }
    }
}

fn overlap(one: &Range<Timestamp>, other: &Range<Timestamp>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Checks that `wanted` seats are left in all of these times.
fn enough_seats(
    booked: &SeatCalendar,
    times: impl IntoIterator<Item = Range<Timestamp>>,
    wanted: u32,
    capacity: u32,
) -> Result<(), ReserveError> {
    let times = times.into_iter().filter(|time| !time.is_empty());
    let busiest = times.map(|time| booked.busiest(time.start, time.end)).max_by_key(|busiest| busiest.seats);
    match busiest {
        Some(busiest) if wanted > capacity.saturating_sub(busiest.seats) => Err(ReserveError::NoSeats {
            available: capacity.saturating_sub(busiest.seats),
            from: busiest.from,
            to: busiest.to,
        }),
        _ => Ok(()),
    }
}
