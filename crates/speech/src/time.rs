//! Times of day and dates as callers hear them, already in the place's own time.

use plenary_model::LocalTime;
use serde::{Deserialize, Serialize};

/// A time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawTime", into = "RawTime")]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "TimeOfDay", deny_unknown_fields)]
struct RawTime {
    hour: u8,
    minute: u8,
}

impl TimeOfDay {
    /// `hour` from 0 to 23, `minute` from 0 to 59; `None` otherwise.
    #[must_use]
    pub fn new(hour: u8, minute: u8) -> Option<Self> {
        (hour < 24 && minute < 60).then_some(Self { hour, minute })
    }

    /// From 0 to 23.
    #[must_use]
    pub fn hour(self) -> u8 {
        self.hour
    }

    /// From 0 to 59.
    #[must_use]
    pub fn minute(self) -> u8 {
        self.minute
    }
}

impl TryFrom<RawTime> for TimeOfDay {
    type Error = String;

    fn try_from(raw: RawTime) -> Result<Self, String> {
        Self::new(raw.hour, raw.minute).ok_or_else(|| {
            format!("{}:{:02} is no time of day: hours are 0 to 23, minutes 0 to 59", raw.hour, raw.minute)
        })
    }
}

impl From<TimeOfDay> for RawTime {
    fn from(time: TimeOfDay) -> Self {
        Self { hour: time.hour, minute: time.minute }
    }
}

/// A day of the Gregorian calendar, from 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawDate", into = "RawDate")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Date", deny_unknown_fields)]
struct RawDate {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// `month` from 1 to 12, `day` from 1 to the month's last; `None` for a day that does not exist.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let last = match month {
            2 => 28 + u8::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let exists = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=last).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// From 1970 to 9999.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// From 1 to 12.
    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    /// From 1 to 31.
    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }

    /// From 1, Monday, to 7, Sunday (ISO 8601).
    #[must_use]
    pub fn weekday(self) -> u8 {
        // Zeller's congruence: the year begins in March, and 0 is Saturday.
        let (month, year) = match self.month {
            1 | 2 => (u32::from(self.month) + 12, u32::from(self.year) - 1),
            month => (u32::from(month), u32::from(self.year)),
        };
        let from_saturday =
            (u32::from(self.day) + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400) % 7;
        // The remainder is below 7, so the sum fits.
        ((from_saturday + 5) % 7 + 1) as u8
    }
}

impl TryFrom<RawDate> for Date {
    type Error = String;

    fn try_from(raw: RawDate) -> Result<Self, String> {
        Self::new(raw.year, raw.month, raw.day).ok_or_else(|| {
            format!("{}-{:02}-{:02} is no day: years are 1970 to 9999", raw.year, raw.month, raw.day)
        })
    }
}

impl From<Date> for RawDate {
    fn from(date: Date) -> Self {
        Self { year: date.year, month: date.month, day: date.day }
    }
}

/// The day that a time of day belongs to, as seen on the day when it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Today.
    Today,
    /// Tomorrow.
    Tomorrow,
    /// Any other day.
    On(Date),
}

impl Date {
    /// The day after it; `None` after the last one.
    fn next(self) -> Option<Self> {
        let Self { year, month, day } = self;
        Self::new(year, month, day + 1)
            .or_else(|| Self::new(year, month + 1, 1))
            .or_else(|| Self::new(year + 1, 1, 1))
    }
}

/// A moment as it is said at another one, by the clocks of the same place. `None`: it is in no year that can be said.
#[must_use]
pub fn said_at(moment: LocalTime, now: LocalTime) -> Option<(TimeOfDay, Day)> {
    let date = |time: LocalTime| Date::new(time.year, time.month, time.day);
    let (on, today) = (date(moment)?, date(now)?);
    let day = match () {
        () if on == today => Day::Today,
        () if today.next() == Some(on) => Day::Tomorrow,
        () => Day::On(on),
    };
    Some((TimeOfDay::new(moment.hour, moment.minute)?, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_and_times_that_exist_are_taken() {
        assert!(Date::new(2028, 2, 29).is_some());
        assert!(Date::new(2100, 2, 29).is_none());
        assert!(Date::new(2000, 2, 29).is_some());
        for (year, month, day) in
            [(2027, 2, 29), (2027, 4, 31), (2027, 13, 1), (2027, 0, 1), (2027, 1, 0), (1969, 1, 1)]
        {
            assert!(Date::new(year, month, day).is_none(), "{year}-{month}-{day}");
        }
        assert!(TimeOfDay::new(23, 59).is_some());
        assert!(TimeOfDay::new(24, 0).is_none() && TimeOfDay::new(0, 60).is_none());
        let error = serde_json::from_str::<TimeOfDay>(r#"{"hour":24,"minute":0}"#).unwrap_err();
        assert!(error.to_string().contains("hours are 0 to 23"), "{error}");
        assert!(serde_json::from_str::<Date>(r#"{"year":2027,"month":2,"day":29}"#).is_err());
    }

    #[test]
    fn a_moment_is_said_by_its_day_as_seen_from_today() {
        let local = |year, month, day, hour, minute| LocalTime { year, month, day, hour, minute };
        let now = local(2027, 12, 31, 23, 50);
        let at = |moment| said_at(moment, now).map(|(time, day)| (time.hour(), time.minute(), day));
        assert_eq!(at(local(2027, 12, 31, 23, 59)), Some((23, 59, Day::Today)));
        assert_eq!(at(local(2028, 1, 1, 0, 5)), Some((0, 5, Day::Tomorrow)));
        let second = Date::new(2028, 1, 2).unwrap();
        assert_eq!(at(local(2028, 1, 2, 10, 30)), Some((10, 30, Day::On(second))));
        let leap = said_at(local(2028, 3, 1, 9, 0), local(2028, 2, 28, 9, 0)).unwrap();
        assert_eq!(leap.1, Day::On(Date::new(2028, 3, 1).unwrap()), "there is a day between them");
        assert_eq!(said_at(local(10_000, 1, 1, 0, 0), now), None);
    }

    #[test]
    fn weekdays_follow_each_other_from_a_known_thursday() {
        // 1970-01-01 was a Thursday.
        let mut expected = 4;
        for year in 1970..=2400 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(date) = Date::new(year, month, day) {
                        assert_eq!(date.weekday(), expected, "{year}-{month}-{day}");
                        expected = expected % 7 + 1;
                    }
                }
            }
        }
    }
}
