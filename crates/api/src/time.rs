//! Dates and times as the web services write them, always UTC.

use plenary_conference::Timestamp;

/// `YYYY-MM-DD_hh:mm:ss`
const WITH_SECONDS: &str = "%Y-%m-%d_%H:%M:%S";
/// `YYYY-MM-DD-hh-mm`
const WITH_MINUTES: &str = "%Y-%m-%d-%H-%M";

pub(crate) fn with_seconds(at: Timestamp) -> String {
    text(at, WITH_SECONDS)
}

pub(crate) fn with_minutes(at: Timestamp) -> String {
    text(at, WITH_MINUTES)
}

/// `YYYY-MM-DDThh:mm:ssZ` (RFC 3339).
pub(crate) fn rfc3339(at: Timestamp) -> String {
    text(at, "%Y-%m-%dT%H:%M:%SZ")
}

/// Reads a moment of RFC 3339, in whatever zone.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let has_shape =
        text.len() >= 20 && text.as_bytes().get(10).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'T'));
    let at: jiff::Timestamp = text.parse().ok().filter(|_| has_shape)?;
    Some(Timestamp(at.as_millisecond()))
}

fn text(at: Timestamp, format: &str) -> String {
    // Years beyond 9999 can't be written; no clock of ours shows them.
    let at = jiff::Timestamp::from_second(at.seconds()).unwrap_or_default();
    at.strftime(format).to_string()
}

/// Reads either form; `None` for anything else, and for dates that no calendar has.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let format = match shape.as_str() {
        "0000-00-00_00:00:00" => WITH_SECONDS,
        "0000-00-00-00-00" => WITH_MINUTES,
        _ => return None,
    };
    let broken_down = jiff::fmt::strtime::parse(format, text).ok()?;
    let civil = broken_down.to_datetime().ok()?;
    // jiff takes 60 for a leap second and means 59; conferences are not scheduled by leap seconds.
    if text.ends_with(":60") {
        return None;
    }
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_seconds(zoned.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_written() {
        let at = Timestamp::from_seconds(1_561_043_700);
        assert_eq!(with_seconds(at), "2019-06-20_15:15:00");
        assert_eq!(with_minutes(at), "2019-06-20-15-15");
        assert_eq!(rfc3339(at), "2019-06-20T15:15:00Z");
        assert_eq!(parse("2019-06-20_15:15:00"), Some(at));
        assert_eq!(parse("2019-06-20-15-15"), Some(at));
        assert_eq!(parse("2024-02-29_23:59:59").map(with_seconds).as_deref(), Some("2024-02-29_23:59:59"));
    }

    #[test]
    fn moments_of_rfc_3339_are_read() {
        let at = Timestamp::from_seconds(1_561_043_700);
        for text in [
            "2019-06-20T15:15:00Z",
            "2019-06-20t15:15:00z",
            "2019-06-20T17:15:00+02:00",
            "2019-06-20T15:15:00.000Z",
        ] {
            assert_eq!(parse_rfc3339(text), Some(at), "{text}");
        }
        for text in [
            "",
            "2019-06-20",
            "2019-06-20T15:15:00",
            "2019-06-20 15:15:00Z",
            "2019-06-31T15:15:00Z",
            "20190620T151500Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            "now",
            "2019-06-20",
            "2019-06-20 15:15:00",
            "2019-06-20_15:15",
            "2019-6-20_15:15:00",
            "2019-02-29-12-00",
            "2019-13-01-12-00",
            "2019-06-20-24-00",
            "2019-06-20_15:60:00",
            "2019-06-20_15:15:60",
            "2019-06-20T15:15:00",
            "+2019-06-20-15-15",
            "2019-06-20-15-15 ",
            "２019-06-20-15-15",
            "1561043700",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
