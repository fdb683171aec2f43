//! Reservations that repeat: on which dates, at which moments. Each date has the time of day of the first one, also over changes
//! of daylight saving.

use crate::{ConferenceName, FieldError, Guest, LocalTime, ServiceName, TimeZone, Timestamp, check_guests};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Dates of a series at the most.
pub const SERIES_DATES_MAX: u32 = 366;
/// The longest step from one date to the next.
const INTERVAL_MAX: u32 = 99;

/// How often a reservation repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Each day.
    Daily,
    /// Each week, on the same day.
    Weekly,
    /// Each month, on the same day; in shorter months on the last one.
    Monthly,
}

/// What a series is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesSettings {
    /// The conference's name.
    pub conference: ConferenceName,
    /// What people call it.
    pub title: Option<String>,
    /// Its seats.
    pub max_participants: u32,
    /// When the first one starts.
    pub starts_at: Timestamp,
    /// How long each lasts.
    pub duration_min: u32,
    /// The inbound service for callers that come early.
    pub divert: Option<ServiceName>,
    /// Who is invited.
    pub guests: Vec<Guest>,
    /// In whose time of day it repeats.
    pub time_zone: TimeZone,
    /// By days, weeks or months.
    pub repeat: Repeat,
    /// Every so many days, weeks or months.
    pub interval: u32,
    /// How many dates there are, those that are left out included.
    pub count: u32,
}

/// A date of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// Its date, at the time of day of the first one, also where clocks there leave that time out.
    pub local: LocalTime,
    /// When it starts.
    pub starts_at: Timestamp,
}

impl Occurrence {
    /// As calendars there show it: `2030-06-20`.
    #[must_use]
    pub fn date(self) -> String {
        self.local.date()
    }
}

impl SeriesSettings {
    /// What is wrong with how it repeats and who is invited. The rules of reservations judge each date.
    #[must_use]
    pub fn check(&self) -> Vec<FieldError> {
        let mut errors = check_guests(&self.guests);
        if !(1..=INTERVAL_MAX).contains(&self.interval) {
            errors.push(FieldError::new("/interval", format!("must be 1 to {INTERVAL_MAX}")));
        }
        if !(1..=SERIES_DATES_MAX).contains(&self.count) {
            errors.push(FieldError::new("/count", format!("must be 1 to {SERIES_DATES_MAX}")));
        }
        errors
    }

    /// Its dates, in order.
    #[must_use]
    pub fn occurrences(&self) -> Vec<Occurrence> {
        let Some(first) = self.time_zone.local(self.starts_at) else { return Vec::new() };
        let at = |index: u32| {
            let steps = index.checked_mul(self.interval)?;
            let local = match self.repeat {
                Repeat::Daily => first.plus_days(steps)?,
                Repeat::Weekly => first.plus_days(steps.checked_mul(7)?)?,
                Repeat::Monthly => first.plus_months(steps)?,
            };
            Some(Occurrence { local, starts_at: self.time_zone.at(local)? })
        };
        (0..self.count.min(SERIES_DATES_MAX)).map_while(at).collect()
    }

    /// The date of the series that a moment stands for.
    #[must_use]
    pub fn date_of(&self, at: Timestamp) -> Option<String> {
        self.time_zone.local(at).map(LocalTime::date)
    }

    /// The date of the series that starts at this moment; `None`: none of them can.
    #[must_use]
    pub fn occurrence_at(&self, starts_at: Timestamp) -> Option<Occurrence> {
        let LocalTime { hour, minute, .. } = self.time_zone.local(self.starts_at)?;
        let local = LocalTime { hour, minute, ..self.time_zone.local(starts_at)? };
        (self.time_zone.at(local)? == starts_at).then_some(Occurrence { local, starts_at })
    }

    /// How it repeats, as calendars write it (RFC 5545, section 3.3.10).
    #[must_use]
    pub fn rule(&self) -> String {
        let Self { interval, count, .. } = self;
        let day = self.time_zone.local(self.starts_at).map_or(1, |local| local.day);
        match (self.repeat, day) {
            (Repeat::Daily, _) => format!("FREQ=DAILY;INTERVAL={interval};COUNT={count}"),
            (Repeat::Weekly, _) => format!("FREQ=WEEKLY;INTERVAL={interval};COUNT={count}"),
            (Repeat::Monthly, 29..=31) => {
                // The last of these days that the month has.
                let days: Vec<String> = (28..=day).map(|day| day.to_string()).collect();
                let days = days.join(",");
                format!("FREQ=MONTHLY;INTERVAL={interval};COUNT={count};BYMONTHDAY={days};BYSETPOS=-1")
            }
            (Repeat::Monthly, _) => format!("FREQ=MONTHLY;INTERVAL={interval};COUNT={count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(utc: &str) -> Timestamp {
        Timestamp(utc.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn series(repeat: Repeat, first: &str, interval: u32, count: u32) -> SeriesSettings {
        SeriesSettings {
            conference: ConferenceName::new("Board"),
            title: None,
            max_participants: 10,
            starts_at: at(first),
            duration_min: 60,
            divert: None,
            guests: Vec::new(),
            time_zone: TimeZone::new("Europe/Berlin").unwrap(),
            repeat,
            interval,
            count,
        }
    }

    fn dates(series: &SeriesSettings) -> Vec<(String, Timestamp)> {
        series.occurrences().into_iter().map(|one| (one.date(), one.starts_at)).collect()
    }

    #[test]
    fn each_date_has_the_time_of_day_of_the_first_over_daylight_saving() {
        // Clocks in Berlin went back on 25 October 2026 and forward on 28 March 2027.
        let weekly = series(Repeat::Weekly, "2026-10-20T08:00:00Z", 1, 2);
        let expected = [("2026-10-20", "2026-10-20T08:00:00Z"), ("2026-10-27", "2026-10-27T09:00:00Z")];
        assert_eq!(dates(&weekly), expected.map(|(date, utc)| (date.to_owned(), at(utc))));
        let daily = series(Repeat::Daily, "2027-03-27T08:00:00Z", 1, 2);
        let expected = [("2027-03-27", "2027-03-27T08:00:00Z"), ("2027-03-28", "2027-03-28T07:00:00Z")];
        assert_eq!(dates(&daily), expected.map(|(date, utc)| (date.to_owned(), at(utc))));
    }

    #[test]
    fn an_hour_that_is_left_out_counts_by_the_offset_before_it_and_one_that_comes_twice_the_first_time() {
        // 02:30 in Berlin.
        let gap = series(Repeat::Daily, "2027-03-27T01:30:00Z", 1, 2);
        assert_eq!(dates(&gap)[1].1, at("2027-03-28T01:30:00Z"), "half past three there");
        let skipped = gap.occurrences()[1];
        assert_eq!((skipped.local.hour, skipped.local.minute), (2, 30), "as the series has it");
        for one in gap.occurrences() {
            assert_eq!(gap.occurrence_at(one.starts_at), Some(one));
        }
        assert_eq!(gap.occurrence_at(at("2027-03-28T00:30:00Z")), None, "half past one there");
        let twice = series(Repeat::Daily, "2026-10-24T00:30:00Z", 1, 3);
        assert_eq!(dates(&twice)[1].1, at("2026-10-25T00:30:00Z"));
        assert_eq!(dates(&twice)[2].1, at("2026-10-26T01:30:00Z"));
    }

    #[test]
    fn in_shorter_months_it_is_the_last_day() {
        let monthly = series(Repeat::Monthly, "2027-01-31T09:00:00Z", 1, 4);
        let days: Vec<String> = dates(&monthly).into_iter().map(|(date, _)| date).collect();
        assert_eq!(days, ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]);
        assert_eq!(monthly.rule(), "FREQ=MONTHLY;INTERVAL=1;COUNT=4;BYMONTHDAY=28,29,30,31;BYSETPOS=-1");
        let every_other = series(Repeat::Monthly, "2027-01-15T09:00:00Z", 2, 3);
        let days: Vec<String> = dates(&every_other).into_iter().map(|(date, _)| date).collect();
        assert_eq!(days, ["2027-01-15", "2027-03-15", "2027-05-15"]);
        assert_eq!(every_other.rule(), "FREQ=MONTHLY;INTERVAL=2;COUNT=3");
    }

    #[test]
    fn how_it_repeats_has_bounds() {
        let pointers = |series: SeriesSettings| {
            series.check().into_iter().map(|error| error.pointer).collect::<Vec<_>>()
        };
        assert_eq!(pointers(series(Repeat::Daily, "2027-01-15T09:00:00Z", 1, 366)), [""; 0]);
        assert_eq!(pointers(series(Repeat::Daily, "2027-01-15T09:00:00Z", 0, 0)), ["/interval", "/count"]);
        assert_eq!(
            pointers(series(Repeat::Daily, "2027-01-15T09:00:00Z", 100, 367)),
            ["/interval", "/count"]
        );
    }
}
