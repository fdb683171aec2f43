//! Events for calendars of other programs (RFC 5545), as they are published, invited to and cancelled (RFC 5546).

use crate::{Civil, LocalTime, Occurrence, TimeZone, Timestamp};
use std::fmt::Write;

/// Octets of a line (RFC 5545, section 3.1).
const LINE_OCTETS_MAX: usize = 75;

/// What a calendar object is sent for (RFC 5546, section 1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarMethod {
    /// To be seen.
    Publish,
    /// To invite, or to tell that something has changed.
    Request,
    /// To tell that it does not take place.
    Cancel,
}

impl CalendarMethod {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

/// The address of a person in a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarAddress {
    /// Their mail address.
    pub mail: String,
    /// What they are called.
    pub name: Option<String>,
}

/// A date of a series, by which calendars find it among those of its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarDate {
    /// When it starts.
    pub at: Timestamp,
    /// As the rule has it. A time of day that clocks leave out differs from what they show at that moment (section 3.3.5), and
    /// programs that compare what is written find the date only by this. `None`: as they show it.
    pub local: Option<LocalTime>,
}

impl From<Occurrence> for CalendarDate {
    fn from(Occurrence { local, starts_at }: Occurrence) -> Self {
        Self { at: starts_at, local: Some(local) }
    }
}

impl From<Timestamp> for CalendarDate {
    fn from(at: Timestamp) -> Self {
        Self { at, local: None }
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarEvent {
    /// The same for all versions of the event, and for all dates of a series.
    pub uid: String,
    /// Rises with each version.
    pub sequence: u32,
    /// When this was written.
    pub stamp: Timestamp,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// What it is called.
    pub summary: String,
    /// What else is to say.
    pub description: String,
    /// Where it takes place.
    pub location: Option<String>,
    /// Who invites.
    pub organizer: Option<CalendarAddress>,
    /// Who is invited.
    pub attendees: Vec<CalendarAddress>,
    /// How it repeats (section 3.3.10).
    pub rule: Option<String>,
    /// Dates on which it does not.
    pub without: Vec<CalendarDate>,
    /// The date of a series that this stands for.
    pub instead_of: Option<CalendarDate>,
    /// It does not take place.
    pub is_cancelled: bool,
}

/// A calendar object. With a zone its times are of that zone, which is described in it.
#[must_use]
pub fn calendar(
    method: Option<CalendarMethod>,
    name: Option<&str>,
    zone: Option<&TimeZone>,
    events: &[CalendarEvent],
) -> String {
    let mut out = Lines::default();
    out.line("BEGIN:VCALENDAR");
    out.line("VERSION:2.0");
    out.line("PRODID:-//Plenary//Conferences//EN");
    out.line("CALSCALE:GREGORIAN");
    if let Some(method) = method {
        out.line(&format!("METHOD:{}", method.name()));
    }
    if let Some(name) = name {
        // The first is RFC 7986, the other what most programs read.
        out.line(&format!("NAME:{}", text(name)));
        out.line(&format!("X-WR-CALNAME:{}", text(name)));
    }
    if let Some(zone) = zone {
        describe(&mut out, zone, events);
    }
    for event in events {
        write_event(&mut out, event, zone);
    }
    out.line("END:VCALENDAR");
    out.0
}

fn write_event(out: &mut Lines, event: &CalendarEvent, zone: Option<&TimeZone>) {
    out.line("BEGIN:VEVENT");
    out.line(&format!("UID:{}", text(&event.uid)));
    out.line(&format!("SEQUENCE:{}", event.sequence));
    out.line(&format!("DTSTAMP:{}", utc(event.stamp)));
    out.line(&time("DTSTART", event.starts_at.into(), zone));
    out.line(&time("DTEND", event.ends_at.into(), zone));
    if let Some(rule) = &event.rule {
        out.line(&format!("RRULE:{rule}"));
    }
    for date in &event.without {
        out.line(&time("EXDATE", *date, zone));
    }
    if let Some(date) = event.instead_of {
        out.line(&time("RECURRENCE-ID", date, zone));
    }
    out.line(&format!("SUMMARY:{}", text(&event.summary)));
    if !event.description.is_empty() {
        out.line(&format!("DESCRIPTION:{}", text(&event.description)));
    }
    if let Some(location) = &event.location {
        out.line(&format!("LOCATION:{}", text(location)));
    }
    out.line(if event.is_cancelled { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
    if let Some(organizer) = &event.organizer {
        out.line(&address("ORGANIZER", organizer, ""));
    }
    for attendee in &event.attendees {
        let parameters = ";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=FALSE";
        out.line(&address("ATTENDEE", attendee, parameters));
    }
    out.line("END:VEVENT");
}

fn address(property: &str, CalendarAddress { mail, name }: &CalendarAddress, parameters: &str) -> String {
    let name = name.as_deref().map(|name| format!(";CN=\"{}\"", parameter(name))).unwrap_or_default();
    format!("{property}{name}{parameters}:mailto:{}", mail.replace(char::is_control, ""))
}

/// The rules of a zone over the time of the events, one after the other (section 3.6.5).
fn describe(out: &mut Lines, zone: &TimeZone, events: &[CalendarEvent]) {
    let starts = events.iter().flat_map(|event| {
        let dates = event.without.iter().chain(&event.instead_of).map(|date| date.at);
        [event.starts_at, event.ends_at].into_iter().chain(dates).chain(event.rule_end())
    });
    let all: Vec<Timestamp> = starts.collect();
    let (Some(first), Some(last)) = (all.iter().min(), all.iter().max()) else { return };
    out.line("BEGIN:VTIMEZONE");
    out.line(&format!("TZID:{}", zone.name()));
    for offset in zone.offsets(*first, *last) {
        let kind = if offset.is_dst { "DAYLIGHT" } else { "STANDARD" };
        out.line(&format!("BEGIN:{kind}"));
        // What clocks showed until then.
        let local = Timestamp(offset.since.0.saturating_add(i64::from(offset.before_s) * 1000));
        out.line(&format!("DTSTART:{}", civil(local)));
        out.line(&format!("TZOFFSETFROM:{}", offset_text(offset.before_s)));
        out.line(&format!("TZOFFSETTO:{}", offset_text(offset.after_s)));
        out.line(&format!("TZNAME:{}", text(&offset.name)));
        out.line(&format!("END:{kind}"));
    }
    out.line("END:VTIMEZONE");
}

impl CalendarEvent {
    /// A moment after which no date of its rule comes: as long as the bounds of a series allow.
    fn rule_end(&self) -> Option<Timestamp> {
        const TEN_YEARS_MIN: u32 = 10 * 366 * 24 * 60;
        self.rule.as_ref().map(|_| self.starts_at.plus_minutes(TEN_YEARS_MIN))
    }
}

fn offset_text(seconds: i32) -> String {
    let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match rest {
        0 => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}{minutes:02}{rest:02}"),
    }
}

fn time(property: &str, CalendarDate { at, local }: CalendarDate, zone: Option<&TimeZone>) -> String {
    let local = zone.and_then(|zone| Some((zone, local.or_else(|| zone.local(at))?)));
    match local {
        Some((zone, local)) => {
            let date = local.date().replace('-', "");
            // A zone's offset may have seconds; moments of ours are whole minutes.
            format!("{property};TZID={}:{date}T{:02}{:02}00", zone.name(), local.hour, local.minute)
        }
        None => format!("{property}:{}", utc(at)),
    }
}

fn utc(at: Timestamp) -> String {
    format!("{}Z", civil(at))
}

fn civil(at: Timestamp) -> String {
    let Civil { year, month, day, hour, minute, second } =
        at.civil().unwrap_or(Civil { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0 });
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}")
}

/// A value of the type TEXT (section 3.3.11). Control characters other than line ends are left out.
fn text(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' | ';' | ',' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A quoted value of a parameter (RFC 6868).
fn parameter(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"' => escaped.push_str("^'"),
            '^' => escaped.push_str("^^"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Lines, folded where they are too long.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, line: &str) {
        let mut octets = 0;
        for c in line.chars() {
            if octets + c.len_utf8() > LINE_OCTETS_MAX {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            octets += c.len_utf8();
            self.0.push(c);
        }
        let _ = write!(self.0, "\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> CalendarEvent {
        CalendarEvent {
            uid: "0123@plenary".to_owned(),
            sequence: 2,
            stamp: at("2026-10-01T00:00:00Z"),
            starts_at: at("2026-10-20T08:00:00Z"),
            ends_at: at("2026-10-20T09:00:00Z"),
            summary: "Weekly, at nine; all\\of us".to_owned(),
            description: "One\nTwo\r\u{7}".to_owned(),
            location: None,
            organizer: None,
            attendees: Vec::new(),
            rule: None,
            without: Vec::new(),
            instead_of: None,
            is_cancelled: false,
        }
    }

    fn at(utc: &str) -> Timestamp {
        Timestamp(utc.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    /// Lines as they were before they were folded (section 3.1).
    fn lines(calendar: &str) -> Vec<String> {
        assert!(calendar.ends_with("\r\n") && !calendar.replace("\r\n", "").contains(['\r', '\n']));
        assert!(calendar.split("\r\n").all(|line| line.len() <= 75), "{calendar}");
        calendar.replace("\r\n ", "").trim_end().split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn what_people_write_is_escaped_and_long_lines_are_folded() {
        let long = CalendarEvent { summary: "ä".repeat(100), ..event() };
        let lines = lines(&calendar(Some(CalendarMethod::Publish), Some("Board"), None, &[event(), long]));
        let has = |line: &str| assert!(lines.iter().any(|other| other == line), "{line}: {lines:#?}");
        has("METHOD:PUBLISH");
        has("SUMMARY:Weekly\\, at nine\\; all\\\\of us");
        has("DESCRIPTION:One\\nTwo");
        has("DTSTART:20261020T080000Z");
        has("DTSTAMP:20261001T000000Z");
        has("SEQUENCE:2");
        has(&format!("SUMMARY:{}", "ä".repeat(100)));
    }

    #[test]
    fn a_name_cannot_end_its_parameter() {
        let guest = CalendarAddress {
            mail: "ann@example.com".to_owned(),
            name: Some("Ann \"the^boss\":\r\nATTENDEE".to_owned()),
        };
        let invited = CalendarEvent { attendees: vec![guest], ..event() };
        let lines = lines(&calendar(Some(CalendarMethod::Request), None, None, &[invited]));
        let attendees: Vec<&String> = lines.iter().filter(|line| line.starts_with("ATTENDEE")).collect();
        assert_eq!(attendees.len(), 1);
        assert!(
            attendees[0].starts_with("ATTENDEE;CN=\"Ann ^'the^^boss^':ATTENDEE\";CUTYPE"),
            "{attendees:?}"
        );
        assert!(attendees[0].ends_with(":mailto:ann@example.com"));
    }

    #[test]
    fn a_series_is_of_its_zone_which_is_described() {
        let berlin = TimeZone::new("Europe/Berlin").unwrap();
        let series = CalendarEvent {
            rule: Some("FREQ=WEEKLY;INTERVAL=1;COUNT=4".to_owned()),
            without: vec![at("2026-10-27T09:00:00Z").into()],
            ..event()
        };
        let moved = CalendarEvent {
            starts_at: at("2026-11-04T11:00:00Z"),
            ends_at: at("2026-11-04T12:00:00Z"),
            instead_of: Some(at("2026-11-03T09:00:00Z").into()),
            ..event()
        };
        let lines = lines(&calendar(None, None, Some(&berlin), &[series, moved]));
        let has = |line: &str| assert!(lines.iter().any(|other| other == line), "{line}: {lines:#?}");
        has("DTSTART;TZID=Europe/Berlin:20261020T100000");
        has("EXDATE;TZID=Europe/Berlin:20261027T100000");
        has("RECURRENCE-ID;TZID=Europe/Berlin:20261103T100000");
        has("DTSTART;TZID=Europe/Berlin:20261104T120000");
        // In force when it begins: daylight saving, since 29 March; then the change of 25 October.
        let described: Vec<&str> = lines
            .iter()
            .skip_while(|line| *line != "BEGIN:VTIMEZONE")
            .skip(2)
            .take(12)
            .map(String::as_str)
            .collect();
        let expected = [
            "BEGIN:DAYLIGHT",
            "DTSTART:20260329T020000",
            "TZOFFSETFROM:+0100",
            "TZOFFSETTO:+0200",
            "TZNAME:CEST",
            "END:DAYLIGHT",
            "BEGIN:STANDARD",
            "DTSTART:20261025T030000",
            "TZOFFSETFROM:+0200",
            "TZOFFSETTO:+0100",
            "TZNAME:CET",
            "END:STANDARD",
        ];
        assert_eq!(described, expected);
    }

    #[test]
    fn a_date_in_an_hour_that_clocks_leave_out_is_written_as_the_rule_has_it() {
        let berlin = TimeZone::new("Europe/Berlin").unwrap();
        // Clocks went from two to three on 28 March 2027.
        let local = LocalTime { year: 2027, month: 3, day: 28, hour: 2, minute: 30 };
        let date = CalendarDate::from(Occurrence { local, starts_at: berlin.at(local).unwrap() });
        let series = CalendarEvent { without: vec![date], ..event() };
        let moved = CalendarEvent { instead_of: Some(date), ..event() };
        let lines = lines(&calendar(None, None, Some(&berlin), &[series, moved]));
        for line in
            ["EXDATE;TZID=Europe/Berlin:20270328T023000", "RECURRENCE-ID;TZID=Europe/Berlin:20270328T023000"]
        {
            assert!(lines.iter().any(|other| other == line), "{line}: {lines:#?}");
        }
        assert_eq!(time("EXDATE", date, None), "EXDATE:20270328T013000Z");
    }

    #[test]
    fn offsets_have_hours_minutes_and_seconds() {
        for (seconds, text) in [(0, "+0000"), (19_800, "+0530"), (-12_600, "-0330"), (1_172, "+001932")] {
            assert_eq!(offset_text(seconds), text);
        }
    }
}
