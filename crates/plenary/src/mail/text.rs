//! What mails say, in English and German. Names and titles that people choose stand in them as text.

use super::Letter;
use plenary_model::{CalendarEvent, LanguageCode, LocalTime, MailKind, TimeZone};
use std::fmt::Write;

/// Dates that are listed at the most.
const LISTED_MAX: usize = 20;

/// A mail's subject and body.
pub(super) struct Said {
    pub(super) subject: String,
    pub(super) plain: String,
    pub(super) html: String,
}

/// The words of a language.
struct Words {
    subjects: [&'static str; 3],
    first_lines: [&'static str; 3],
    greeting: &'static str,
    when: &'static str,
    repeats: &'static str,
    more: &'static str,
    end: &'static str,
    months: [&'static str; 12],
}

const ENGLISH: Words = Words {
    subjects: ["Invitation", "Updated", "Cancelled"],
    first_lines: [
        "You are invited to a conference:",
        "A conference to which you are invited has changed:",
        "This conference does not take place, or you are not invited to it any more:",
    ],
    greeting: "Hello",
    when: "When",
    repeats: "It repeats; the attached calendar file has all dates.",
    more: "and more; the attached calendar file has all dates",
    end: "This mail was sent by a conferencing service. Replies may not be read.",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
};

const GERMAN: Words = Words {
    subjects: ["Einladung", "Geändert", "Abgesagt"],
    first_lines: [
        "Sie sind zu einer Konferenz eingeladen:",
        "Eine Konferenz, zu der Sie eingeladen sind, hat sich geändert:",
        "Diese Konferenz findet nicht statt, oder Sie sind nicht mehr eingeladen:",
    ],
    greeting: "Guten Tag",
    when: "Wann",
    repeats: "Die Konferenz wiederholt sich; alle Termine stehen in der angehängten Kalenderdatei.",
    more: "und weitere; alle Termine stehen in der angehängten Kalenderdatei",
    end: "Diese Nachricht kommt von einem Konferenzdienst. Antworten werden unter Umständen nicht gelesen.",
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
};

impl Words {
    fn of(language: &LanguageCode) -> (&'static Self, bool) {
        match language.is_german() {
            true => (&GERMAN, true),
            false => (&ENGLISH, false),
        }
    }

    fn date(&self, at: LocalTime, is_german: bool) -> String {
        let month = self.months[usize::from(at.month.saturating_sub(1)) % 12];
        let dot = if is_german { "." } else { "" };
        format!("{}{dot} {month} {}", at.day, at.year)
    }

    /// `20 June 2030, 16:15–16:45 (Europe/London)`
    fn time(&self, event: &CalendarEvent, zone: &TimeZone, is_german: bool) -> String {
        let (Some(from), Some(to)) = (zone.local(event.starts_at), zone.local(event.ends_at)) else {
            return String::new();
        };
        let mut text = format!(
            "{}, {:02}:{:02}–{:02}:{:02}",
            self.date(from, is_german),
            from.hour,
            from.minute,
            to.hour,
            to.minute
        );
        let _ = write!(text, " ({})", zone.name());
        text
    }
}

impl Said {
    pub(super) fn of(letter: &Letter) -> Self {
        let (words, is_german) = Words::of(&letter.guest.language);
        let which = match letter.kind {
            MailKind::Invitation => 0,
            MailKind::Update => 1,
            MailKind::Cancellation => 2,
        };
        let title = letter.events.first().map_or("", |event| event.summary.as_str());
        // Of a series the first date stands for all.
        let shown = if letter.is_series { 1 } else { LISTED_MAX };
        let times: Vec<String> = letter
            .events
            .iter()
            .take(shown)
            .map(|event| words.time(event, &letter.zone, is_german))
            .collect();
        let first = times.first().cloned().unwrap_or_default();
        let mut lines = vec![(words.when, times.join("\n"))];
        let mut notes = Vec::new();
        if letter.is_series {
            notes.push(words.repeats);
        } else if letter.events.len() > LISTED_MAX {
            notes.push(words.more);
        }
        let how = match letter.kind {
            MailKind::Cancellation => Vec::new(),
            MailKind::Invitation | MailKind::Update => letter.about.lines(),
        };
        let greeting = match &letter.guest.name {
            Some(name) => format!("{} {name},", words.greeting),
            None => format!("{},", words.greeting),
        };
        lines.retain(|(_, text)| !text.is_empty());
        let subject = format!("{}: {title}, {first}", words.subjects[which]);
        Self {
            subject,
            plain: plain(&greeting, words.first_lines[which], title, &lines, &notes, &how, words.end),
            html: html(&greeting, words.first_lines[which], title, &lines, &notes, &how, words.end),
        }
    }
}

fn plain(
    greeting: &str,
    first: &str,
    title: &str,
    lines: &[(&str, String)],
    notes: &[&str],
    how: &[String],
    end: &str,
) -> String {
    let mut text = format!("{greeting}\r\n\r\n{first}\r\n\r\n{title}\r\n");
    for (word, value) in lines {
        let _ = write!(text, "{word}: {}\r\n", value.replace('\n', "\r\n      "));
    }
    for note in notes {
        let _ = write!(text, "{note}\r\n");
    }
    if !how.is_empty() {
        let _ = write!(text, "\r\n{}\r\n", how.join("\r\n"));
    }
    let _ = write!(text, "\r\n-- \r\n{end}\r\n");
    text
}

fn html(
    greeting: &str,
    first: &str,
    title: &str,
    lines: &[(&str, String)],
    notes: &[&str],
    how: &[String],
    end: &str,
) -> String {
    let mut text = String::from(
        "<!doctype html><html><body style=\"font-family:sans-serif;font-size:15px;color:#1c2430\">",
    );
    let mut paragraph = |content: String| {
        let _ = write!(text, "<p>{content}</p>");
    };
    paragraph(escaped(greeting));
    paragraph(escaped(first));
    paragraph(format!("<strong>{}</strong>", escaped(title)));
    for (word, value) in lines {
        paragraph(format!("{}: {}", escaped(word), escaped(value).replace('\n', "<br>")));
    }
    for note in notes {
        paragraph(escaped(note));
    }
    for line in how {
        paragraph(linked(line));
    }
    paragraph(format!("<small>{}</small>", escaped(end)));
    text.push_str("</body></html>");
    text
}

/// A line whose end may be an address of the web.
fn linked(line: &str) -> String {
    match line.split_once(": ") {
        Some((word, url)) if url.starts_with("https://") || url.starts_with("http://") => {
            format!("{}: <a href=\"{}\">{}</a>", escaped(word), escaped(url), escaped(url))
        }
        _ => escaped(line),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_api::calendar::{About, PinSaid};
    use plenary_model::{Guest, Pin, Timestamp};

    fn letter(kind: MailKind, language: &str, title: &str) -> Letter {
        let event = CalendarEvent {
            uid: "1@plenary".to_owned(),
            sequence: 0,
            stamp: Timestamp(0),
            // 2030-06-20 15:15 UTC.
            starts_at: Timestamp::from_seconds(1_908_198_900),
            ends_at: Timestamp::from_seconds(1_908_200_700),
            summary: title.to_owned(),
            description: String::new(),
            location: None,
            organizer: None,
            attendees: Vec::new(),
            rule: None,
            without: Vec::new(),
            instead_of: None,
            is_cancelled: false,
        };
        Letter {
            id: "1".to_owned(),
            kind,
            guest: Guest {
                mail: "ann@example.com".to_owned(),
                name: Some("Ann <script>".to_owned()),
                language: LanguageCode::new(language).unwrap(),
            },
            events: vec![event],
            zone: TimeZone::new("Europe/Berlin").unwrap(),
            is_series: false,
            about: About {
                organizer: None,
                number: Some("+49 30 123456".to_owned()),
                room: Some("1001".to_owned()),
                pin: PinSaid::Apart,
                join: Some("https://conference.example.com/join/conf-Board".to_owned()),
                language: LanguageCode::new(language).unwrap(),
            },
        }
    }

    #[test]
    fn an_invitation_says_what_when_and_how() {
        let said = Said::of(&letter(MailKind::Invitation, "en", "Weekly"));
        assert_eq!(said.subject, "Invitation: Weekly, 20 June 2030, 17:15–17:45 (Europe/Berlin)");
        for part in [
            "Hello Ann <script>,",
            "Weekly",
            "Telephone: +49 30 123456",
            "Room number: 1001",
            "/join/conf-Board",
            "You receive the PIN for the telephone separately.",
        ] {
            assert!(said.plain.contains(part), "{part}: {}", said.plain);
        }
        let said = Said::of(&letter(MailKind::Invitation, "de-AT", "Weekly"));
        assert_eq!(said.subject, "Einladung: Weekly, 20. Juni 2030, 17:15–17:45 (Europe/Berlin)");
        assert!(said.plain.contains("Raumnummer: 1001"));
    }

    #[test]
    fn a_pin_stands_in_a_mail_where_who_invites_gave_it() {
        let with = |kind, language, pin| {
            let mut letter = letter(kind, language, "Weekly");
            letter.about.pin = pin;
            Said::of(&letter)
        };
        let is = || PinSaid::Is(Pin::new("482913").unwrap());
        let said = with(MailKind::Invitation, "en", is());
        assert!(said.plain.contains("PIN for the telephone: 482913\r\n"), "{}", said.plain);
        assert!(said.html.contains("482913") && !said.plain.contains("separately"));
        assert!(with(MailKind::Invitation, "de", is()).plain.contains("PIN für das Telefon: 482913"));
        let later = with(MailKind::Update, "en", PinSaid::AsBefore).plain;
        assert!(later.contains("The PIN for the telephone stays as in the first invitation."), "{later}");
        assert!(!with(MailKind::Invitation, "en", PinSaid::None).plain.contains("PIN"));
        assert!(!with(MailKind::Cancellation, "en", is()).plain.contains("482913"));
    }

    #[test]
    fn a_cancellation_does_not_say_how_to_join() {
        let said = Said::of(&letter(MailKind::Cancellation, "en", "Weekly"));
        assert!(said.subject.starts_with("Cancelled: Weekly"));
        assert!(!said.plain.contains("PIN"));
        assert!(!said.plain.contains("1001") && !said.html.contains("1001"));
    }

    #[test]
    fn what_people_choose_is_text_in_the_html() {
        let said = Said::of(&letter(MailKind::Update, "en", "<img src=x onerror=\"alert(1)\">"));
        assert!(!said.html.contains("<img") && !said.html.contains("<script"), "{}", said.html);
        assert!(said.html.contains("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;"));
    }
}
