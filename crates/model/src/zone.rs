//! Time zones, by which times of day are said.
//!
//! Zones are those of the system's time zone database, so that its updates count. The database that is built in takes the place
//! of one that is missing or lacks a zone.

use crate::{Timestamp, nearest};
use jiff::tz::{self, TimeZoneDatabase};
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
        let there = jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(self.zone.clone());
        let part = |part: i8| u8::try_from(part).ok();
        Some(LocalTime {
            year: u16::try_from(there.year()).ok()?,
            month: part(there.month())?,
            day: part(there.day())?,
            hour: part(there.hour())?,
            minute: part(there.minute())?,
        })
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
