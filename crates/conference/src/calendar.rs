//! Seats over time: how many are sold at the busiest instant of an interval.
//!
//! Intervals are half open, `[starts_at, ends_at)`: a conference that starts when another ends takes no seat
//! from it.

use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Seats sold for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booking {
    /// First instant at which the seats are taken.
    pub starts_at: Timestamp,
    /// First instant at which they are free again.
    pub ends_at: Timestamp,
    /// How many.
    pub seats: u32,
}

/// The greatest number of seats sold at any one instant of `[from, to)`.
#[must_use]
pub fn peak_seats(bookings: impl IntoIterator<Item = Booking>, from: Timestamp, to: Timestamp) -> u32 {
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
    bookings: impl IntoIterator<Item = Booking>,
    from: Timestamp,
    to: Timestamp,
    capacity: u32,
) -> u32 {
    capacity.saturating_sub(peak_seats(bookings, from, to))
}

/// How many seats are sold at each instant, kept over many sales: a change costs what its own time is long, not what else is
/// sold.
#[derive(Debug, Clone, Default)]
pub struct SeatCalendar {
    /// From each of these instants on, until the next, so many are sold. Before the first: none.
    levels: BTreeMap<Timestamp, u64>,
}

impl SeatCalendar {
    /// Takes the seats of a booking.
    pub fn book(&mut self, starts_at: Timestamp, ends_at: Timestamp, seats: u64) {
        if starts_at >= ends_at {
            return;
        }
        self.cut(starts_at);
        self.cut(ends_at);
        for (_, level) in self.levels.range_mut(starts_at..ends_at) {
            *level = level.saturating_add(seats);
        }
    }

    /// The greatest number of seats sold at any one instant of `[from, to)`.
    #[must_use]
    pub fn peak(&self, from: Timestamp, to: Timestamp) -> u32 {
        if from >= to {
            return 0;
        }
        let within = self.levels.range(from..to).map(|(_, level)| *level).max().unwrap_or(0);
        u32::try_from(within.max(self.level_at(from))).unwrap_or(u32::MAX)
    }

    /// Forgets what was before `at`; what is sold from then on stays.
    pub fn forget_before(&mut self, at: Timestamp) {
        self.cut(at);
        self.levels = self.levels.split_off(&at);
    }

    fn level_at(&self, at: Timestamp) -> u64 {
        self.levels.range(..=at).next_back().map_or(0, |(_, level)| *level)
    }

    /// Has a level of its own begin at `at`.
    fn cut(&mut self, at: Timestamp) {
        let level = self.level_at(at);
        self.levels.entry(at).or_insert(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn booking(from: i64, to: i64, seats: u32) -> Booking {
        Booking { starts_at: Timestamp(from), ends_at: Timestamp(to), seats }
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
            let bookings: Vec<Booking> =
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
            calendar.forget_before(from);
            prop_assert_eq!(calendar.peak(from, to), counted, "what is past does not count");
            prop_assert_eq!(peak_seats(bookings, from, to), counted);
        }
    }
}
