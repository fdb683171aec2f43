//! Reservations as events of calendars: alone, as a date of a series, and whole series.

pub use crate::ways::Invitations;

use crate::ways::RoomWay;
use data_encoding::HEXLOWER;
use plenary_conference::{Reservation, Timestamp, reservation::SeriesDate};
use plenary_model::{
    CalendarAddress, CalendarDate, CalendarEvent, Guest, LanguageCode, MailKind, Pin, SeriesSettings,
};
use plenary_store::{Store, StoreError, StoredSeries};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What stands for the code of a guest's link.
const CODE: &str = "{code}";

/// The words for how one joins.
struct Words {
    join: &'static str,
    number: &'static str,
    room: &'static str,
    pin: &'static str,
    pin_apart: &'static str,
    pin_as_before: &'static str,
}

const ENGLISH: Words = Words {
    join: "Join in the browser",
    number: "Telephone",
    room: "Room number",
    pin: "PIN for the telephone",
    pin_apart: "You receive the PIN for the telephone separately.",
    pin_as_before: "The PIN for the telephone stays as in the first invitation.",
};

const GERMAN: Words = Words {
    join: "Im Browser teilnehmen",
    number: "Telefon",
    room: "Raumnummer",
    pin: "PIN für das Telefon",
    pin_apart: "Die PIN für das Telefon erhalten Sie getrennt.",
    pin_as_before: "Die PIN für das Telefon bleibt wie in der ersten Einladung.",
};

/// For whom it is described how to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// A guest, by a mail of this kind, with the PIN if who invites gave it.
    Guest(&'a Guest, MailKind, Option<&'a Pin>),
    /// Who reads the reservation from a calendar, and may invite.
    Calendar,
    /// A reader who gets no code.
    WithoutCode,
}

/// What is said of the PIN that callers by telephone are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PinSaid {
    /// Nothing: there is none.
    #[default]
    None,
    /// It is sent separately.
    Apart,
    /// It stays as it was said before.
    AsBefore,
    /// This is it.
    Is(Pin),
}

/// A guest's link that also says the PIN to the page: browsers do not send what is behind `#`, so no log and no proxy sees it.
pub(crate) fn with_pin(link: String, pin: Option<&Pin>) -> String {
    match pin {
        Some(pin) => format!("{link}#pin={}", pin.digits()),
        None => link,
    }
}

/// What an event says beside its times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Who invites.
    pub organizer: Option<CalendarAddress>,
    /// Where one calls, where there is a number.
    pub number: Option<String>,
    /// The number of the room, where callers reach the conference by one.
    pub room: Option<String>,
    /// The PIN that they are asked for there.
    pub pin: PinSaid,
    /// The page by which browsers join.
    pub join: Option<String>,
    /// In which it is said: English or German; others get English.
    pub language: LanguageCode,
}

impl About {
    /// What a description of this reservation for the recipient has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new(
        store: &Store,
        invitations: &Invitations,
        reservation: &Reservation,
        to: Recipient<'_>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let name = &reservation.name;
        let RoomWay { number, room, has_pin } =
            RoomWay::to(store, invitations, reservation.account, name).await?;
        let pin = match to {
            _ if !has_pin => PinSaid::None,
            Recipient::Guest(_, _, Some(pin)) => PinSaid::Is(pin.clone()),
            Recipient::Guest(_, MailKind::Update, None) => PinSaid::AsBefore,
            Recipient::Guest(..) | Recipient::Calendar | Recipient::WithoutCode => PinSaid::Apart,
        };
        let join = match invitations.join.as_deref() {
            Some(join) if join.contains(CODE) => {
                let code = code_for(store, reservation, to, now).await?;
                let pin = if let PinSaid::Is(pin) = &pin { Some(pin) } else { None };
                code.map(|code| with_pin(join.replace(CODE, &code), pin))
            }
            join => join.map(str::to_owned),
        };
        Ok(Self {
            organizer: invitations
                .mail_from
                .clone()
                .map(|mail| CalendarAddress { mail, name: Some("Plenary".to_owned()) }),
            number,
            room,
            pin,
            join: join.map(|join| join.replace("{conference}", name.as_str())),
            language: match to {
                Recipient::Guest(guest, ..) => guest.language.clone(),
                Recipient::Calendar | Recipient::WithoutCode => LanguageCode::default(),
            },
        })
    }

    /// The same in words, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let words = match self.language.is_german() {
            true => &GERMAN,
            false => &ENGLISH,
        };
        let named = [(words.join, &self.join), (words.number, &self.number), (words.room, &self.room)];
        let lines = named.into_iter().filter_map(|(word, what)| Some(format!("{word}: {}", what.as_ref()?)));
        let pin = match &self.pin {
            PinSaid::None => None,
            PinSaid::Apart => Some(words.pin_apart.to_owned()),
            PinSaid::AsBefore => Some(words.pin_as_before.to_owned()),
            PinSaid::Is(pin) => Some(format!("{}: {}", words.pin, pin.digits())),
        };
        lines.chain(pin).collect()
    }

    fn event(&self, reservation: &Reservation, stamp: Timestamp) -> CalendarEvent {
        let title = reservation.title.as_deref().unwrap_or(reservation.name.as_str());
        CalendarEvent {
            uid: uid(reservation),
            sequence: reservation.sequence,
            stamp,
            starts_at: reservation.starts_at,
            ends_at: reservation.ends_at(),
            summary: title.to_owned(),
            description: self.lines().join("\n"),
            location: self.join.clone().or_else(|| self.number.clone()),
            organizer: self.organizer.clone(),
            attendees: Vec::new(),
            rule: None,
            without: Vec::new(),
            instead_of: reservation.series.map(|date| date.occurrence.into()),
            is_cancelled: false,
        }
    }
}

/// The code of the link that a recipient gets. `None`: they get none, or no service takes it, and it would lead nowhere.
async fn code_for(
    store: &Store,
    reservation: &Reservation,
    to: Recipient<'_>,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let guest = match to {
        Recipient::Guest(_, MailKind::Cancellation, _) | Recipient::WithoutCode => return Ok(None),
        Recipient::Guest(guest, ..) => Some(guest.mail.as_str()),
        Recipient::Calendar => None,
    };
    if store.service_for_guests(reservation.account, &reservation.name).await?.is_none() {
        return Ok(None);
    }
    store.guest_code_for(reservation, guest, now).await.map(Some)
}

/// By what calendars know a reservation, or the series that it is a date of. The token does not follow from it.
fn uid(reservation: &Reservation) -> String {
    let digest = match reservation.series {
        Some(SeriesDate { series, .. }) => {
            Sha256::new().chain_update("series ").chain_update(series.to_be_bytes())
        }
        None => Sha256::new().chain_update("reservation ").chain_update(reservation.token.as_str()),
    };
    format!("{}@plenary", HEXLOWER.encode(&digest.finalize()[..16]))
}

/// A reservation as an event; as a date of its series, if it is one. `series`: what is still known of that.
#[must_use]
pub fn reservation_event(
    reservation: &Reservation,
    series: Option<&SeriesSettings>,
    about: &About,
    stamp: Timestamp,
) -> CalendarEvent {
    let mut event = about.event(reservation, stamp);
    let planned = event.instead_of.zip(series).and_then(|(date, series)| series.occurrence_at(date.at));
    event.instead_of = planned.map(CalendarDate::from).or(event.instead_of);
    event
}

/// A reservation as an event of its own, also where it is of a series.
#[must_use]
pub fn single_event(reservation: &Reservation, about: &About, stamp: Timestamp) -> CalendarEvent {
    about.event(&Reservation { series: None, ..reservation.clone() }, stamp)
}

/// The reservations of a series by the date that each was made for.
pub(crate) fn by_date<'a>(
    settings: &SeriesSettings,
    reservations: &'a [Reservation],
) -> BTreeMap<String, &'a Reservation> {
    reservations.iter().filter_map(|one| Some((settings.date_of(one.series?.occurrence)?, one))).collect()
}

/// A series as events: the series with its rule, and each date that differs from it. Empty: none of its dates takes place.
#[must_use]
pub fn series_events(
    series: &StoredSeries,
    reservations: &[Reservation],
    about: &About,
    stamp: Timestamp,
) -> Vec<CalendarEvent> {
    let settings = &series.settings;
    let Some(any) = reservations.first() else { return Vec::new() };
    let by_date = by_date(settings, reservations);
    let occurrences = settings.occurrences();
    let first = Reservation {
        title: settings.title.clone(),
        starts_at: settings.starts_at,
        duration_minutes: settings.duration_min,
        sequence: series.sequence,
        ..any.clone()
    };
    let without = occurrences.iter().filter(|one| !by_date.contains_key(&one.date()));
    let master = CalendarEvent {
        rule: Some(settings.rule()),
        without: without.map(|one| CalendarDate::from(*one)).collect(),
        instead_of: None,
        ..about.event(&first, stamp)
    };
    let differs = |one: &Reservation, planned: Timestamp| {
        (one.starts_at, one.duration_minutes, &one.title) != (planned, settings.duration_min, &settings.title)
    };
    let moved = occurrences.iter().filter_map(|planned| {
        let one = *by_date.get(&planned.date())?;
        let event = CalendarEvent {
            sequence: series.sequence,
            instead_of: Some((*planned).into()),
            ..about.event(one, stamp)
        };
        differs(one, planned.starts_at).then_some(event)
    });
    std::iter::once(master).chain(moved).collect()
}
