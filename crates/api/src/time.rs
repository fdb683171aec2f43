//! Dates and times as the web services write them, always UTC.

use plenary_conference::Timestamp;
use plenary_model::Civil;
use std::time::{SystemTime, UNIX_EPOCH};

/// Calendar time, by the clock of the machine.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// `YYYY-MM-DD_hh:mm:ss`.
#[must_use]
pub fn with_seconds(at: Timestamp) -> String {
    let Civil { year, month, day, hour, minute, second } = civil(at);
    format!("{year:04}-{month:02}-{day:02}_{hour:02}:{minute:02}:{second:02}")
}

/// From `now` on, rounded up, for `Retry-After`.
pub(crate) fn seconds_until(at: Timestamp, now: Timestamp) -> u32 {
    let wait_ms = at.0.saturating_sub(now.0).max(0);
    u32::try_from(wait_ms / 1000 + 1).unwrap_or(u32::MAX)
}

/// `YYYY-MM-DD-hh-mm`.
pub(crate) fn with_minutes(at: Timestamp) -> String {
    let Civil { year, month, day, hour, minute, second: _ } = civil(at);
    format!("{year:04}-{month:02}-{day:02}-{hour:02}-{minute:02}")
}

/// `YYYY-MM-DDThh:mm:ssZ` (RFC 3339).
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let Civil { year, month, day, hour, minute, second } = civil(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The same with microseconds.
pub(crate) fn rfc3339_with_micros(at_us: i64) -> String {
    let seconds = rfc3339(Timestamp(at_us.div_euclid(1_000_000).saturating_mul(1000)));
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), at_us.rem_euclid(1_000_000))
}

fn civil(at: Timestamp) -> Civil {
    // Years beyond 9999 can't be written; no clock of ours shows them.
    at.civil().or_else(|| Timestamp::default().civil()).expect("the epoch is in 1970")
}

/// Reads a moment of RFC 3339, in whatever zone, to the millisecond.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (local, rest) = text.split_at_checked(19)?;
    let local = reads(local, "dddd-dd-ddTdd:dd:dd")?;
    let [year, month, day, hour, minute, second] = local[..] else { return None };
    // RFC 3339 shows leap seconds, the clocks of computers do not: it is the second before.
    let second = if second == 60 { 59 } else { second };
    let (ms, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, zone) = rest.split_at(digits);
            (format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok().filter(|_| digits > 0)?, zone)
        }
        None => (0, rest),
    };
    let offset_minutes = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = match zone.as_bytes().first()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let offset = reads(&zone[1..], "dd:dd")?;
            let [hours, minutes] = offset[..] else { return None };
            (hours < 24 && minutes < 60).then_some(sign * (i64::from(hours) * 60 + i64::from(minutes)))?
        }
    };
    let Timestamp(local) = moment(year, month, day, hour, minute, second)?;
    Some(Timestamp(local - offset_minutes * 60_000 + ms))
}

/// Reads either form of the platform; `None` for anything else, and for dates that no calendar has.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let numbers = reads(text, "dddd-dd-dd_dd:dd:dd").or_else(|| reads(text, "dddd-dd-dd-dd-dd"))?;
    match numbers[..] {
        [year, month, day, hour, minute] => moment(year, month, day, hour, minute, 0),
        [year, month, day, hour, minute, second] => moment(year, month, day, hour, minute, second),
        _ => None,
    }
}

/// The numbers of a text of this shape, in which each run of `d` stands for as many digits. Letters in either case.
fn reads(text: &str, shape: &str) -> Option<Vec<u16>> {
    if text.len() != shape.len() {
        return None;
    }
    let (mut numbers, mut is_digit_before) = (Vec::new(), false);
    for (byte, meant) in text.bytes().zip(shape.bytes()) {
        let is_digit = meant == b'd';
        if is_digit {
            let digit = u16::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
            if !is_digit_before {
                numbers.push(0);
            }
            // Runs have four digits at the most.
            let number = numbers.last_mut()?;
            *number = *number * 10 + digit;
        } else if !byte.eq_ignore_ascii_case(&meant) {
            return None;
        }
        is_digit_before = is_digit;
    }
    Some(numbers)
}

fn moment(year: u16, month: u16, day: u16, hour: u16, minute: u16, second: u16) -> Option<Timestamp> {
    // Two digits each.
    let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(|number| number as u8);
    Civil { year, month, day, hour, minute, second }.timestamp()
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
            "2019-06-20T15:15:00.0009999999Z",
            "2019-06-20T00:45:00-14:30",
            "2019-06-20T15:15:00-00:00",
        ] {
            assert_eq!(parse_rfc3339(text), Some(at), "{text}");
        }
        assert_eq!(parse_rfc3339("2019-06-20T15:15:00.25Z"), Some(Timestamp(at.0 + 250)));
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59.999Z"), Some(Timestamp(-1)));
        let last_second = Timestamp::from_seconds(1_483_228_799);
        assert_eq!(parse_rfc3339("2016-12-31T23:59:60Z"), Some(last_second), "the leap second");
        for text in [
            "",
            "2019-06-20",
            "2019-06-20T15:15:00",
            "2019-06-20 15:15:00Z",
            "2019-06-31T15:15:00Z",
            "20190620T151500Z",
            "2019-06-20T15:15:00.Z",
            "2019-06-20T15:15:00+0200",
            "2019-06-20T15:15:00+02",
            "2019-06-20T15:15:00+24:00",
            "2019-06-20T15:15:00+02:60",
            "2019-06-20T15:15:00Zulu",
            "2019-06-20T15:15:61Z",
            "+019-06-20T15:15:00Z",
            "２019-06-20T15:15:0Z",
            "2019-06-20T15:15:00.0２Z",
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

    proptest::proptest! {
        #[test]
        fn what_a_library_writes_is_read_alike(seconds in -62_167_219_200_i64..253_402_300_800) {
            let theirs = jiff::Timestamp::from_second(seconds).unwrap();
            let ours = Timestamp::from_seconds(seconds);
            proptest::prop_assert_eq!(rfc3339(ours), theirs.to_string());
            proptest::prop_assert_eq!(with_seconds(ours), theirs.strftime("%Y-%m-%d_%H:%M:%S").to_string());
            proptest::prop_assert_eq!(parse_rfc3339(&theirs.to_string()), Some(ours));
            proptest::prop_assert_eq!(parse(&with_seconds(ours)), Some(ours));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}") {
            let _ = (parse(&text), parse_rfc3339(&text));
        }

        #[test]
        fn a_library_reads_the_same(
            text in "20[0-9]{2}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?([Zz]|[+-][01][0-9]:[0-6][0-9])"
        ) {
            let theirs = text.parse::<jiff::Timestamp>().ok();
            proptest::prop_assert_eq!(parse_rfc3339(&text), theirs.map(|at| Timestamp(at.as_millisecond())), "{}", text);
        }
    }
}
