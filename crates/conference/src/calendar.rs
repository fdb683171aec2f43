//! Seats over time: how many are sold at the busiest instant of an interval.
//!
//! Intervals are half open, `[starts_at, ends_at)`: a conference that starts when another ends takes no seat
//! from it.

use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Seats sold for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookedSeats {
    /// First instant at which the seats are taken.
    pub starts_at: Timestamp,
    /// First instant at which they are free again.
    pub ends_at: Timestamp,
    /// Seats that are taken in this time.
    pub seats: u32,
}

/// The greatest number of seats sold at any one instant of `[from, to)`.
#[must_use]
pub fn peak_seats(bookings: impl IntoIterator<Item = BookedSeats>, from: Timestamp, to: Timestamp) -> u32 {
    let mut changes: Vec<(Timestamp, i64)> = Vec::new();
    for booking in bookings {
        let (starts_at, ends_at) = (booking.starts_at.max(from), booking.ends_at.min(to));
        if starts_at < ends_at {
            changes.push((starts_at, i64::from(booking.seats)));
            changes.push((ends_at, -i64::from(booking.seats)));
        }
    }
    // Seats given back at an instant can be sold again at the same instant, so returns sort first.
    changes.sort_unstable();
    let (mut sold, mut peak) = (0_i64, 0_i64);
    for (_, change) in changes {
        sold += change;
        peak = peak.max(sold);
    }
    u32::try_from(peak).unwrap_or(u32::MAX)
}

/// Seats that can still be sold over the whole of `[from, to)`.
#[must_use]
pub fn available_seats(
    bookings: impl IntoIterator<Item = BookedSeats>,
    from: Timestamp,
    to: Timestamp,
    capacity: u32,
) -> u32 {
    capacity.saturating_sub(peak_seats(bookings, from, to))
}

/// A stretch of time in which the number of seats stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
    /// How many seats.
    pub seats: u32,
}

/// How many seats are left when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// Seats that are left, one step behind the other, each other than the one before; the first ones of the time that was asked
    /// for.
    pub steps: Vec<Step>,
    /// The fewest that are left at any instant of all of that time.
    pub least: u32,
    /// Where the steps go on that were left out.
    pub next: Option<Timestamp>,
}

/// How many seats are sold at each instant, kept over many sales: a change costs what its own time is long, not what else is
/// sold.
#[derive(Debug, Clone, Default)]
pub struct SeatCalendar {
    /// From each of these instants on, until the next, so many are sold; each other than the one before. Before the first: none.
    levels: BTreeMap<Timestamp, u64>,
}

impl SeatCalendar {
    /// Of many bookings at once: from when to when, and how many seats. That is quicker than one after the other.
    #[must_use]
    pub fn of(bookings: impl IntoIterator<Item = (Timestamp, Timestamp, u64)>) -> Self {
        let mut changes: Vec<(Timestamp, i128)> = Vec::new();
        for (from, to, seats) in bookings {
            if from < to {
                changes.extend([(from, i128::from(seats)), (to, -i128::from(seats))]);
            }
        }
        changes.sort_unstable();
        let mut sold = 0_i128;
        let levels = changes.chunk_by(|one, other| one.0 == other.0).filter_map(|at_once| {
            let change: i128 = at_once.iter().map(|(_, change)| change).sum();
            sold += change;
            (change != 0).then(|| (at_once[0].0, u64::try_from(sold).unwrap_or(u64::MAX)))
        });
        Self { levels: levels.collect() }
    }

    /// Adds all that is sold by another calendar.
    pub fn add(&mut self, other: &Self) {
        let ends = other.levels.keys().skip(1);
        for ((from, level), to) in other.levels.iter().zip(ends) {
            if *level > 0 {
                self.book(*from, *to, *level);
            }
        }
    }

    /// Takes the seats of a booking.
    pub fn book(&mut self, starts_at: Timestamp, ends_at: Timestamp, seats: u64) {
        self.change(starts_at, ends_at, |level| level.saturating_add(seats));
    }

    /// Gives the seats of a booking back.
    pub fn release(&mut self, starts_at: Timestamp, ends_at: Timestamp, seats: u64) {
        self.change(starts_at, ends_at, |level| level.saturating_sub(seats));
    }

    fn change(&mut self, from: Timestamp, to: Timestamp, change: impl Fn(u64) -> u64) {
        if from >= to {
            return;
        }
        self.cut(from);
        self.cut(to);
        for (_, level) in self.levels.range_mut(from..to) {
            *level = change(*level);
        }
        self.heal(from);
        self.heal(to);
    }

    /// The greatest number of seats sold at any one instant of `[from, to)`.
    #[must_use]
    pub fn peak(&self, from: Timestamp, to: Timestamp) -> u32 {
        self.busiest(from, to).seats
    }

    /// The first stretch of `[from, to)` in which as many seats are sold as at its busiest instant.
    #[must_use]
    pub fn busiest(&self, from: Timestamp, to: Timestamp) -> Step {
        let none = Step { from, to, seats: 0 };
        // Of equal ones `max_by_key` takes the last.
        self.steps(from, to)
            .reduce(|busiest, step| if step.seats > busiest.seats { step } else { busiest })
            .unwrap_or(none)
    }

    /// The seats sold over `[from, to)`, step by step.
    pub fn steps(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Step> {
        let cuts = self.levels.range(from..to.max(from)).map(|(at, level)| (*at, *level));
        let first = (from, self.level_at(from));
        let mut cuts = std::iter::once(first).chain(cuts.filter(move |(at, _)| *at > from)).peekable();
        std::iter::from_fn(move || {
            let (start, level) = cuts.next().filter(|_| from < to)?;
            let end = cuts.peek().map_or(to, |(at, _)| *at);
            Some(Step { from: start, to: end, seats: u32::try_from(level).unwrap_or(u32::MAX) })
        })
    }

    /// How many of `capacity` seats are left over `[from, to)`: the first `limit` steps, and the fewest of all.
    #[must_use]
    pub fn availability(&self, from: Timestamp, to: Timestamp, capacity: u32, limit: usize) -> Availability {
        let mut availability = Availability { steps: Vec::new(), least: capacity, next: None };
        for sold in self.steps(from, to) {
            let left = Step { seats: capacity.saturating_sub(sold.seats), ..sold };
            availability.least = availability.least.min(left.seats);
            if availability.next.is_some() {
                continue;
            }
            let is_full = availability.steps.len() >= limit;
            match availability.steps.last_mut() {
                // More is sold than there is: of both none is left.
                Some(last) if last.seats == left.seats => last.to = left.to,
                _ if is_full => availability.next = Some(left.from),
                _ => availability.steps.push(left),
            }
        }
        availability
    }

    /// Forgets what was before `at`; what is sold from then on stays.
    pub fn forget_before(&mut self, at: Timestamp) {
        self.cut(at);
        self.levels = self.levels.split_off(&at);
        if self.levels.first_key_value().is_some_and(|(_, level)| *level == 0) {
            self.levels.pop_first();
        }
    }

    fn level_at(&self, at: Timestamp) -> u64 {
        self.levels.range(..=at).next_back().map_or(0, |(_, level)| *level)
    }

    /// Has a level of its own begin at `at`.
    fn cut(&mut self, at: Timestamp) {
        let level = self.level_at(at);
        self.levels.entry(at).or_insert(level);
    }

    /// Has no level begin at `at` that is the one before.
    fn heal(&mut self, at: Timestamp) {
        let before = self.levels.range(..at).next_back().map_or(0, |(_, level)| *level);
        if self.levels.get(&at) == Some(&before) {
            self.levels.remove(&at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn booking(from: i64, to: i64, seats: u32) -> BookedSeats {
        BookedSeats { starts_at: Timestamp(from), ends_at: Timestamp(to), seats }
    }

    #[test]
    fn neighbours_do_not_take_each_others_seats() {
        let bookings = [booking(0, 10, 40), booking(10, 20, 50)];
        assert_eq!(peak_seats(bookings, Timestamp(0), Timestamp(20)), 50);
        assert_eq!(peak_seats(bookings, Timestamp(0), Timestamp(10)), 40);
        assert_eq!(available_seats(bookings, Timestamp(5), Timestamp(15), 60), 10);
    }

    #[test]
    fn what_lies_outside_the_interval_does_not_count() {
        assert_eq!(peak_seats([booking(0, 10, 40)], Timestamp(10), Timestamp(20)), 0);
        assert_eq!(peak_seats([], Timestamp(0), Timestamp(1)), 0);
    }

    proptest! {
        #[test]
        fn the_sweep_agrees_with_counting_every_instant(
            bookings in prop::collection::vec((0..50_i64, 1..50_i64, 0..100_u32), 0..20),
            from in 0..60_i64,
            length in 1..60_i64,
        ) {
            let bookings: Vec<BookedSeats> =
                bookings.into_iter().map(|(start, length, seats)| booking(start, start + length, seats)).collect();
            let counted = (from..from + length)
                .map(|at| {
                    bookings
                        .iter()
                        .filter(|booking| booking.starts_at.0 <= at && at < booking.ends_at.0)
                        .map(|booking| booking.seats)
                        .sum::<u32>()
                })
                .max()
                .unwrap_or(0);
            let mut calendar = SeatCalendar::default();
            for booking in &bookings {
                calendar.book(booking.starts_at, booking.ends_at, u64::from(booking.seats));
            }
            let (from, to) = (Timestamp(from), Timestamp(from + length));
            prop_assert_eq!(calendar.peak(from, to), counted);
            let at_once = |bookings: &[BookedSeats]| {
                SeatCalendar::of(bookings.iter().map(|one| (one.starts_at, one.ends_at, u64::from(one.seats))))
            };
            prop_assert_eq!(&at_once(&bookings).levels, &calendar.levels);
            let (some, others) = bookings.split_at(bookings.len() / 2);
            let mut added = at_once(some);
            added.add(&at_once(others));
            prop_assert_eq!(&added.levels, &calendar.levels);
            calendar.forget_before(from);
            prop_assert_eq!(calendar.peak(from, to), counted, "what is past does not count");
            prop_assert_eq!(peak_seats(bookings, from, to), counted);
        }

        #[test]
        fn what_is_left_agrees_with_counting_every_instant(
            // Some of them are given back.
            bookings in prop::collection::vec((0..50_i64, 1..30_i64, 0..60_u32, any::<bool>()), 0..20),
            from in 0..60_i64,
            length in 0..60_i64,
            capacity in 0..200_u32,
            limit in 1..6_usize,
        ) {
            let mut calendar = SeatCalendar::default();
            for (start, length, seats, _) in &bookings {
                calendar.book(Timestamp(*start), Timestamp(start + length), u64::from(*seats));
            }
            for (start, length, seats, _) in bookings.iter().filter(|(.., is_given_back)| *is_given_back) {
                calendar.release(Timestamp(*start), Timestamp(start + length), u64::from(*seats));
            }
            let left_at = |at: i64| {
                let sold = bookings.iter().filter(|(start, length, _, is_given_back)| {
                    !is_given_back && (*start..start + length).contains(&at)
                });
                capacity.saturating_sub(sold.map(|(_, _, seats, _)| *seats).sum())
            };
            let all = from..from + length;
            let least = all.clone().map(left_at).min().unwrap_or(capacity);
            // Page by page.
            let (mut at, mut pages) = (from, 0);
            loop {
                let page = calendar.availability(Timestamp(at), Timestamp(all.end), capacity, limit);
                if pages == 0 {
                    prop_assert_eq!(page.least, least);
                }
                prop_assert!(page.steps.len() <= limit);
                for step in &page.steps {
                    prop_assert_eq!(step.from.0, at, "no gap, no overlap");
                    prop_assert!(step.to.0 > at);
                    for instant in step.from.0..step.to.0 {
                        prop_assert_eq!(step.seats, left_at(instant), "at {}", instant);
                    }
                    at = step.to.0;
                }
                for two in page.steps.windows(2) {
                    prop_assert_ne!(two[0].seats, two[1].seats);
                }
                pages += 1;
                match page.next {
                    Some(next) => prop_assert_eq!(next.0, at),
                    None => break,
                }
            }
            prop_assert_eq!(at, all.end, "all of the time is covered");
            let busiest = calendar.busiest(Timestamp(from), Timestamp(all.end));
            prop_assert_eq!(capacity.saturating_sub(busiest.seats), least);
        }

        #[test]
        fn what_is_given_back_leaves_nothing_behind(
            bookings in prop::collection::vec((0..50_i64, 1..30_i64, 0..60_u64), 0..20),
        ) {
            let mut calendar = SeatCalendar::default();
            for (start, length, seats) in &bookings {
                calendar.book(Timestamp(*start), Timestamp(start + length), *seats);
            }
            for (start, length, seats) in &bookings {
                calendar.release(Timestamp(*start), Timestamp(start + length), *seats);
            }
            prop_assert!(calendar.levels.is_empty(), "{:?}", calendar);
        }
    }
}
