//! Time zones, by which times of day are said.
//!
//! Zones are those of the system's time zone database, so that its updates count. The database that is built in takes the place
//! of one that is missing or lacks a zone.

use crate::{Timestamp, nearest};
use jiff::{
    Span, civil,
    tz::{self, TimeZoneDatabase},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

/// The longest names have some thirty characters.
const NAME_CHARS_MAX: usize = 64;

/// A time zone of the IANA database, such as `Europe/London`.
#[derive(Clone, PartialEq, Eq)]
pub struct TimeZone {
    name: String,
    zone: tz::TimeZone,
}

/// A moment as clocks and calendars of a place show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Of the Gregorian calendar.
    pub year: u16,
    /// From 1 to 12.
    pub month: u8,
    /// From 1 to 31.
    pub day: u8,
    /// From 0 to 23.
    pub hour: u8,
    /// From 0 to 59.
    pub minute: u8,
}

/// What clocks of a place are set to, from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneOffset {
    /// From then on.
    pub since: Timestamp,
    /// Seconds that they were ahead of UTC until then.
    pub before_s: i32,
    /// Seconds that they are ahead of UTC.
    pub after_s: i32,
    /// It is daylight saving time.
    pub is_dst: bool,
    /// What it is called: `CET`.
    pub name: String,
}

impl LocalTime {
    /// So many days later, at the same time of day.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Option<Self> {
        self.plus(Span::new().try_days(days).ok()?)
    }

    /// So many months later, on the same day or the last one of a shorter month, at the same time of day.
    #[must_use]
    pub fn plus_months(self, months: u32) -> Option<Self> {
        self.plus(Span::new().try_months(months).ok()?)
    }

    /// The date: `2030-06-20`.
    #[must_use]
    pub fn date(self) -> String {
        let Self { year, month, day, .. } = self;
        format!("{year:04}-{month:02}-{day:02}")
    }

    fn plus(self, span: Span) -> Option<Self> {
        Self::of(self.civil()?.checked_add(span).ok()?)
    }

    fn civil(self) -> Option<civil::DateTime> {
        let part = |part: u8| i8::try_from(part).ok();
        let (year, month, day) = (i16::try_from(self.year).ok()?, part(self.month)?, part(self.day)?);
        civil::DateTime::new(year, month, day, part(self.hour)?, part(self.minute)?, 0, 0).ok()
    }

    fn of(there: civil::DateTime) -> Option<Self> {
        let part = |part: i8| u8::try_from(part).ok();
        Some(Self {
            year: u16::try_from(there.year()).ok()?,
            month: part(there.month())?,
            day: part(there.day())?,
            hour: part(there.hour())?,
            minute: part(there.minute())?,
        })
    }
}

/// There is no time zone of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTimeZone {
    nearest: Option<String>,
}

impl fmt::Display for UnknownTimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be the IANA name of a time zone, as in `Europe/London` or `UTC`")?;
        match &self.nearest {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownTimeZone {}

impl TimeZone {
    /// The zone of this name, in whatever case it is written.
    ///
    /// # Errors
    /// [`UnknownTimeZone`] with the name that may be meant.
    pub fn new(name: &str) -> Result<Self, UnknownTimeZone> {
        let found = (name.len() <= NAME_CHARS_MAX)
            .then(|| tz::db().get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok())
            .flatten();
        // A zone without a name is a file that belongs to no database.
        let named = found
            .filter(|zone| !zone.is_unknown())
            .and_then(|zone| zone.iana_name().map(str::to_owned).map(|name| (name, zone)));
        match named {
            Some((name, zone)) => Ok(Self { name, zone }),
            None => {
                let known: Vec<String> =
                    TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                Err(UnknownTimeZone { nearest: nearest(name, &known).map(str::to_owned) })
            }
        }
    }

    /// Its name in the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How clocks and calendars there show this moment. `None`: it is before the year 0, or after 9999.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> Option<LocalTime> {
        LocalTime::of(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(self.zone.clone()).datetime())
    }

    /// The moment that clocks and calendars there show so: of an hour that comes twice the first, and of one that is left out
    /// what it would be by the offset before it (RFC 5545, section 3.3.5). `None`: no calendar shows it.
    #[must_use]
    pub fn at(&self, local: LocalTime) -> Option<Timestamp> {
        let at = local.civil()?.to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp(at.timestamp().as_millisecond()))
    }

    /// What clocks there are set to from one moment to another: what counts at the first, then each change.
    #[must_use]
    pub fn offsets(&self, from: Timestamp, to: Timestamp) -> Vec<ZoneOffset> {
        let moment = |at: Timestamp| jiff::Timestamp::from_millisecond(at.0).ok();
        let (Some(first), Some(last)) = (moment(from), moment(to)) else { return Vec::new() };
        // What counts before a change counts up to the instant before it.
        let before = |at: jiff::Timestamp| {
            let earlier = at.as_millisecond().saturating_sub(1);
            let earlier = jiff::Timestamp::from_millisecond(earlier).unwrap_or(at);
            self.zone.to_offset_info(earlier).offset().seconds()
        };
        let change = |at: jiff::Timestamp| {
            let info = self.zone.to_offset_info(at);
            ZoneOffset {
                since: Timestamp(at.as_millisecond()),
                before_s: before(at),
                after_s: info.offset().seconds(),
                is_dst: info.dst().is_dst(),
                name: info.abbreviation().to_owned(),
            }
        };
        // `preceding` leaves out a change at that very instant.
        let next = first.checked_add(Span::new().milliseconds(1)).unwrap_or(first);
        let in_force =
            self.zone.preceding(next).next().map_or(jiff::Timestamp::UNIX_EPOCH, |one| one.timestamp());
        let changes = self.zone.following(first).map(|one| one.timestamp()).take_while(|at| *at <= last);
        std::iter::once(in_force).chain(changes).map(change).collect()
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeZone({})", self.name)
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::new(&name).map_err(D::Error::custom)
    }
}

impl PartialSchema for TimeZone {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The IANA name of a time zone."))
            .max_length(Some(NAME_CHARS_MAX))
            .examples([serde_json::json!("Europe/London")])
            .into()
    }
}

impl ToSchema for TimeZone {}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::new(name).unwrap()
    }

    /// Month, day, hour and minute there at a moment of 2026, given in UTC.
    fn shown(name: &str, utc: &str) -> (u8, u8, u8, u8) {
        let at: jiff::Timestamp = format!("2026-{utc}:00Z").parse().unwrap();
        let local = zone(name).local(Timestamp(at.as_millisecond())).unwrap();
        (local.month, local.day, local.hour, local.minute)
    }

    #[test]
    fn zones_are_found_by_their_names() {
        assert_eq!(zone("europe/london").name(), "Europe/London");
        assert_eq!(zone("UTC").name(), "UTC");
        assert_eq!(zone("Europe/London"), zone("EUROPE/LONDON"));
        assert_ne!(zone("Europe/London"), zone("Europe/Berlin"));
        assert_eq!(serde_json::to_string(&zone("Asia/Kolkata")).unwrap(), "\"Asia/Kolkata\"");
        for wrong in
            ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "posixrules/..", &"x".repeat(5000)]
        {
            let error = TimeZone::new(wrong).unwrap_err().to_string();
            assert!(
                error.starts_with("must be the IANA name of a time zone, as in `Europe/London`"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_misspelt_name_is_told_the_nearest_one() {
        for (wrong, near) in [
            ("Europe/Londn", "Europe/London"),
            ("europe berlin", "Europe/Berlin"),
            ("America/New-York", "America/New_York"),
        ] {
            let error = TimeZone::new(wrong).unwrap_err().to_string();
            assert!(error.ends_with(&format!("did you mean `{near}`?")), "{wrong}: {error}");
        }
        assert!(!TimeZone::new("qqqqqqqqqqqq").unwrap_err().to_string().contains("did you mean"));
    }

    #[test]
    fn daylight_saving_time_is_kept() {
        // Clocks went forward on 29 March and back on 25 October, at 01:00 UTC.
        assert_eq!(shown("Europe/London", "03-29T00:59"), (3, 29, 0, 59));
        assert_eq!(shown("Europe/London", "03-29T01:00"), (3, 29, 2, 0));
        assert_eq!(shown("Europe/London", "10-25T00:30"), (10, 25, 1, 30));
        assert_eq!(shown("Europe/London", "10-25T01:30"), (10, 25, 1, 30), "the hour comes twice");
        assert_eq!(shown("Europe/Berlin", "07-01T08:30"), (7, 1, 10, 30));
        assert_eq!(shown("Europe/Berlin", "12-01T08:30"), (12, 1, 9, 30));
        // South of the equator it is the other way round, and half an hour is enough on Lord Howe Island.
        assert_eq!(shown("Australia/Lord_Howe", "01-01T00:00"), (1, 1, 11, 0));
        assert_eq!(shown("Australia/Lord_Howe", "07-01T00:00"), (7, 1, 10, 30));
        assert_eq!(shown("Asia/Kathmandu", "12-31T20:00"), (1, 1, 1, 45), "the new year has begun there");
    }

    #[test]
    fn moments_out_of_range_are_not_shown() {
        for at in [i64::MIN, i64::MAX] {
            assert_eq!(zone("UTC").local(Timestamp(at)), None);
        }
    }
}
