//! The calendar.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Calendar time (UTC) in milliseconds since the Unix epoch. May be corrected forwards or backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds since the Unix epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment plus `minutes`.
    #[must_use]
    pub const fn plus_minutes(self, minutes: u32) -> Self {
        Self(self.0.saturating_add(minutes as i64 * 60_000))
    }

    /// This moment minus `minutes`.
    #[must_use]
    pub const fn minus_minutes(self, minutes: u32) -> Self {
        Self(self.0.saturating_sub(minutes as i64 * 60_000))
    }

    /// This moment minus a span.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The start of the minute this moment is in.
    #[must_use]
    pub const fn floor_to_minute(self) -> Self {
        Self(self.0.div_euclid(60_000) * 60_000)
    }
}

/// A date of the Gregorian calendar and a time of day, in UTC, of the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// From 0 to 9999.
    pub year: u16,
    /// From 1 to 12.
    pub month: u8,
    /// From 1 to 31.
    pub day: u8,
    /// From 0 to 23.
    pub hour: u8,
    /// From 0 to 59.
    pub minute: u8,
    /// From 0 to 59: leap seconds have no place in a [`Timestamp`].
    pub second: u8,
}

const SECONDS_OF_DAY: i64 = 86_400;
/// Of 400 years, after which the calendar repeats.
const DAYS_OF_CYCLE: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01. Years begin in March here, so that the leap day is the last of its year.
const DAYS_TO_EPOCH: i64 = 719_468;

impl Civil {
    /// The moment; `None` if no calendar or clock shows this.
    #[must_use]
    pub fn timestamp(self) -> Option<Timestamp> {
        let Self { year, month, day, hour, minute, second } = self;
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 => 28 + u8::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if year > 9999 || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let month_from_march = (i64::from(month) + 9) % 12;
        let year = i64::from(year) - i64::from(month < 3);
        let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
        // 153 days in five months from March on: 31, 30, 31, 30, 31.
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
        let day_of_cycle = year * 365 + year / 4 - year / 100 + day_of_year;
        let days = cycle * DAYS_OF_CYCLE + day_of_cycle - DAYS_TO_EPOCH;
        let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
        Some(Timestamp::from_seconds(days * SECONDS_OF_DAY + seconds))
    }
}

impl Timestamp {
    /// What calendar and clock show; `None` outside of the years 0 to 9999.
    #[must_use]
    pub fn civil(self) -> Option<Civil> {
        let (days, second) =
            (self.seconds().div_euclid(SECONDS_OF_DAY), self.seconds().rem_euclid(SECONDS_OF_DAY));
        let days = days + DAYS_TO_EPOCH;
        let (cycle, day) = (days.div_euclid(DAYS_OF_CYCLE), days.rem_euclid(DAYS_OF_CYCLE));
        // Less the leap days before it a day has as many whole years of 365 days.
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year =
            u16::try_from(cycle * 400 + year + i64::from(month < 3)).ok().filter(|year| *year <= 9999)?;
        // All are below the bounds that the type states.
        Some(Civil {
            year,
            month: month as u8,
            day: day as u8,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every calendar agrees on.
    const KNOWN: [(i64, [u16; 6]); 7] = [
        (0, [1970, 1, 1, 0, 0, 0]),
        (-1, [1969, 12, 31, 23, 59, 59]),
        (951_782_400, [2000, 2, 29, 0, 0, 0]),
        (1_561_043_700, [2019, 6, 20, 15, 15, 0]),
        (4_107_542_400, [2100, 3, 1, 0, 0, 0]),
        (253_402_300_799, [9999, 12, 31, 23, 59, 59]),
        (-62_167_219_200, [0, 1, 1, 0, 0, 0]),
    ];

    #[test]
    fn known_moments_are_converted_both_ways() {
        for (seconds, [year, rest @ ..]) in KNOWN {
            let [month, day, hour, minute, second] = rest.map(|number| number as u8);
            let civil = Civil { year, month, day, hour, minute, second };
            assert_eq!(Timestamp::from_seconds(seconds).civil(), Some(civil), "{seconds}");
            assert_eq!(civil.timestamp(), Some(Timestamp::from_seconds(seconds)), "{civil:?}");
        }
        assert_eq!(Timestamp::from_seconds(253_402_300_800).civil(), None);
        assert_eq!(Timestamp::from_seconds(-62_167_219_201).civil(), None);
        assert_eq!(Timestamp(i64::MAX).civil(), None);
        assert_eq!(Timestamp(i64::MIN).civil(), None);
    }

    #[test]
    fn days_follow_each_other_without_a_gap() {
        let mut last = Civil { year: 1969, month: 12, day: 31, hour: 0, minute: 0, second: 0 };
        for day in 0..146_097 * 2 {
            let civil = Timestamp::from_seconds(day * SECONDS_OF_DAY).civil().unwrap();
            assert_eq!(civil.timestamp(), Some(Timestamp::from_seconds(day * SECONDS_OF_DAY)));
            let next_day = Civil { day: last.day + 1, ..last };
            let next_month = Civil { month: last.month + 1, day: 1, ..last };
            let next_year = Civil { year: last.year + 1, month: 1, day: 1, ..last };
            // The next day, else the first of the next month, else New Year: the first of them that exists.
            let expected =
                [next_day, next_month, next_year].into_iter().find(|one| one.timestamp().is_some());
            assert_eq!(Some(civil), expected);
            last = civil;
        }
    }

    #[test]
    fn what_no_calendar_shows_is_no_moment() {
        let civil = |year, month, day, hour, minute, second| Civil { year, month, day, hour, minute, second };
        for odd in [
            civil(2019, 2, 29, 0, 0, 0),
            civil(2100, 2, 29, 0, 0, 0),
            civil(2019, 4, 31, 0, 0, 0),
            civil(2019, 0, 1, 0, 0, 0),
            civil(2019, 13, 1, 0, 0, 0),
            civil(2019, 1, 0, 0, 0, 0),
            civil(2019, 1, 32, 0, 0, 0),
            civil(2019, 1, 1, 24, 0, 0),
            civil(2019, 1, 1, 0, 60, 0),
            civil(2019, 1, 1, 0, 0, 60),
            civil(10_000, 1, 1, 0, 0, 0),
        ] {
            assert_eq!(odd.timestamp(), None, "{odd:?}");
        }
        assert!(civil(2000, 2, 29, 23, 59, 59).timestamp().is_some());
    }

    #[test]
    fn a_span_may_reach_back_further_than_time_does() {
        assert_eq!(Timestamp(7_000).minus(Duration::from_millis(7_500)), Timestamp(-500));
        assert_eq!(Timestamp(i64::MIN + 1).minus(Duration::MAX), Timestamp(i64::MIN));
    }
}
