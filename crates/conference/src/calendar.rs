//! Seats over time: how many are sold at the busiest instant of an interval.
//!
//! Intervals are half open, `[starts_at, ends_at)`: a conference that starts when another ends takes no seat
//! from it.

use crate::time::Timestamp;

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
            prop_assert_eq!(peak_seats(bookings, Timestamp(from), Timestamp(from + length)), counted);
        }
    }
}
