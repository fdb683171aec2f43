//! Reservations and the rules by which they are made, changed, extended and removed.

use crate::{
    id::{AccountId, ConferenceName, ReservationToken, ServiceName},
    limits::ReservationLimits,
    refused::{OutOfRange, Refused},
    state::State,
    time::Timestamp,
};
pub use plenary_model::id::is_conference_name;
use plenary_model::{FieldError, Guest, ReservationData, check_guests, id::CONFERENCE_NAME_LENGTH_MAX};
use serde::{Deserialize, Serialize};

/// A conference booked for a time and a number of seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its secret handle.
    pub token: ReservationToken,
    /// Whose it is.
    pub account: AccountId,
    /// The conference's name.
    pub name: ConferenceName,
    /// Seats.
    pub max_participants: u32,
    /// When it starts: a whole minute.
    pub starts_at: Timestamp,
    /// How long it runs, extensions included.
    pub duration_minutes: u32,
    /// The inbound service for callers that come early.
    pub divert: Option<ServiceName>,
    /// What people call it; shown, and otherwise without effect.
    pub title: Option<String>,
    /// Who is invited by mail.
    pub guests: Vec<Guest>,
    /// Rises with each change, so that calendars know which version is the latest.
    pub sequence: u32,
    /// The date of a series that it was made for.
    pub series: Option<SeriesDate>,
}

/// A date of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesDate {
    /// The number of the series.
    pub series: i64,
    /// When the series has it start, wherever it was moved to.
    pub occurrence: Timestamp,
}

impl Reservation {
    /// When its time is up.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.starts_at.plus_minutes(self.duration_minutes)
    }

    /// The same as a later version.
    #[must_use]
    pub fn next_version(self) -> Self {
        Self { sequence: self.sequence.saturating_add(1), ..self }
    }

    /// As events tell it.
    #[must_use]
    pub fn data(&self) -> ReservationData {
        ReservationData {
            token: self.token.clone(),
            max_participants: self.max_participants,
            starts_at: self.starts_at,
            duration_min: self.duration_minutes,
            title: self.title.clone(),
            divert: self.divert.clone(),
        }
    }
}

/// A requested reservation. The start is as requested, not yet rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationRequest {
    /// The conference's name.
    pub name: ConferenceName,
    /// Seats.
    pub max_participants: u32,
    /// When it shall start.
    pub starts_at: Timestamp,
    /// How long it shall run, in minutes.
    pub duration_minutes: u32,
    /// The inbound service for callers that come early. It need not exist yet.
    pub divert: Option<ServiceName>,
    /// What people call it.
    pub title: Option<String>,
    /// Who is invited by mail.
    pub guests: Vec<Guest>,
    /// The date of a series that it is for.
    pub series: Option<SeriesDate>,
}

/// What becomes of a reservation: what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReservationChange {
    /// Seats. Participants who are in stay, also where there are fewer seats than before.
    pub max_participants: Option<u32>,
    /// When it shall start, as asked, not yet rounded; only of one that has not begun.
    pub starts_at: Option<Timestamp>,
    /// How long it shall run in all, in minutes.
    pub duration_minutes: Option<u32>,
    /// The inbound service for callers that come early, or none.
    pub divert: Option<Option<ServiceName>>,
    /// What people call it, or nothing.
    pub title: Option<Option<String>>,
    /// Who is invited by mail.
    pub guests: Option<Vec<Guest>>,
}

/// Longest title, in characters.
pub const TITLE_LENGTH_MAX: usize = 200;

/// Judges a new reservation of the seven web services. The start is judged as asked; what comes back is the start rounded down to
/// the minute. Everything that is out of range is reported together.
///
/// # Errors
/// [`Refused::OutOfRange`].
pub fn check_new(
    request: &ReservationRequest,
    limits: &ReservationLimits,
    now: Timestamp,
) -> Result<Timestamp, Refused> {
    let latest = limits.max_notice_minutes;
    let text = format!(
        "must be at least {} minutes and at most {latest} minutes in the future (UTC)",
        limits.min_notice_minutes
    );
    let names = ["conference_name", "start_time", "duration", " minutes"];
    check_request(request, limits, now, names, latest, text)
}

/// Judges a new reservation of the management API, which may be made longer ahead.
///
/// # Errors
/// [`Refused::OutOfRange`], by the names of the management API.
pub fn check_booking(
    request: &ReservationRequest,
    limits: &ReservationLimits,
    now: Timestamp,
) -> Result<Timestamp, Refused> {
    let text = booking_notice(limits);
    check_request(
        request,
        limits,
        now,
        ["conference", "starts_at", "duration_min", ""],
        limits.ahead_minutes(),
        text,
    )
}

fn booking_notice(limits: &ReservationLimits) -> String {
    format!(
        "must be at least {} minutes and at most {} days in the future",
        limits.min_notice_minutes, limits.max_days_ahead
    )
}

fn check_request(
    request: &ReservationRequest,
    limits: &ReservationLimits,
    now: Timestamp,
    [conference, start, duration, unit]: [&'static str; 4],
    max_notice_minutes: u32,
    notice: String,
) -> Result<Timestamp, Refused> {
    let mut wrong = Vec::new();
    if !is_conference_name(request.name.as_str()) {
        wrong.push(OutOfRange {
            parameter: conference.into(),
            text: format!("must be 1 to {CONFERENCE_NAME_LENGTH_MAX} letters and digits"),
        });
    }
    check_seats(&mut wrong, request.max_participants, limits);
    if !is_in_time(request.starts_at, limits.min_notice_minutes, max_notice_minutes, now) {
        wrong.push(OutOfRange { parameter: start.into(), text: notice });
    }
    let durations = (limits.min_duration_minutes, limits.max_duration_minutes);
    check_range(&mut wrong, duration, request.duration_minutes, durations, unit);
    check_title(&mut wrong, request.title.as_deref());
    wrong.extend(check_guests(&request.guests).into_iter().map(guest_error));
    if wrong.is_empty() { Ok(request.starts_at.floor_to_minute()) } else { Err(Refused::OutOfRange(wrong)) }
}

/// What is wrong with a guest: `guests/0/mail`.
fn guest_error(error: FieldError) -> OutOfRange {
    OutOfRange { parameter: error.pointer.trim_start_matches('/').to_owned().into(), text: error.detail }
}

fn is_in_time(starts_at: Timestamp, min_minutes: u32, max_minutes: u32, now: Timestamp) -> bool {
    (now.plus_minutes(min_minutes)..=now.plus_minutes(max_minutes)).contains(&starts_at)
}

fn check_seats(wrong: &mut Vec<OutOfRange>, seats: u32, limits: &ReservationLimits) {
    check_range(wrong, "max_participants", seats, (limits.min_participants, limits.max_participants), "");
}

fn check_title(wrong: &mut Vec<OutOfRange>, title: Option<&str>) {
    let is_title = |title: &str| {
        (1..=TITLE_LENGTH_MAX).contains(&title.chars().count()) && !title.chars().any(char::is_control)
    };
    if !title.is_none_or(is_title) {
        let text = format!("must be 1 to {TITLE_LENGTH_MAX} characters, none of them a control character");
        wrong.push(OutOfRange { parameter: "title".into(), text });
    }
}

/// Judges a change by the management API; what comes back is the reservation as it will be. What stays as it is, is not judged.
///
/// # Errors
/// [`Refused::OutOfRange`], by the names of the management API; [`Refused::WrongState`] of one that is over, and where the start of
/// one is to change that has begun; [`Refused::TooLateToExtend`].
pub fn check_change(
    reservation: &Reservation,
    state: State,
    change: &ReservationChange,
    limits: &ReservationLimits,
    now: Timestamp,
) -> Result<Reservation, Refused> {
    let before = reservation;
    let ReservationChange { max_participants, starts_at, duration_minutes, divert, title, guests } =
        change.clone();
    let after = Reservation {
        max_participants: max_participants.unwrap_or(before.max_participants),
        starts_at: starts_at.map_or(before.starts_at, Timestamp::floor_to_minute),
        duration_minutes: duration_minutes.unwrap_or(before.duration_minutes),
        divert: divert.unwrap_or_else(|| before.divert.clone()),
        title: title.unwrap_or_else(|| before.title.clone()),
        guests: guests.unwrap_or_else(|| before.guests.clone()),
        ..before.clone()
    };
    let after = if after == *before { after } else { after.next_version() };
    let mut wrong = Vec::new();
    if after.max_participants != before.max_participants {
        check_seats(&mut wrong, after.max_participants, limits);
    }
    let is_moved = after.starts_at != before.starts_at;
    if is_moved
        && let Some(asked) = starts_at
        && !is_in_time(asked, limits.min_notice_minutes, limits.ahead_minutes(), now)
    {
        wrong.push(OutOfRange { parameter: "starts_at".into(), text: booking_notice(limits) });
    }
    if after.duration_minutes != before.duration_minutes {
        let durations = (limits.min_duration_minutes, limits.max_duration_minutes);
        let fine = wrong.len();
        check_range(&mut wrong, "duration_min", after.duration_minutes, durations, "");
        if wrong.len() == fine && after.ends_at() <= now {
            wrong.push(OutOfRange {
                parameter: "duration_min".into(),
                text: format!(
                    "must be more than the {} minutes that have passed since its start, not {}",
                    (now.0 - after.starts_at.0) / 60_000,
                    after.duration_minutes
                ),
            });
        }
    }
    if after.title != before.title {
        check_title(&mut wrong, after.title.as_deref());
    }
    if after.guests != before.guests {
        wrong.extend(check_guests(&after.guests).into_iter().map(guest_error));
    }
    match state {
        State::Completed => return Err(Refused::WrongState { state }),
        _ if !wrong.is_empty() => return Err(Refused::OutOfRange(wrong)),
        State::Holding | State::Active if is_moved => return Err(Refused::WrongState { state }),
        State::Reserved | State::Holding | State::Active => {}
    }
    let is_longer = !is_moved && after.duration_minutes > before.duration_minutes;
    if is_longer && now >= before.ends_at().minus_minutes(limits.no_extend_before_end_minutes) {
        return Err(Refused::TooLateToExtend);
    }
    Ok(after)
}

/// Judges an extension by `extend_minutes`; what comes back is the new whole duration.
pub fn check_extend(
    reservation: &Reservation,
    state: State,
    extend_minutes: u32,
    limits: &ReservationLimits,
    now: Timestamp,
) -> Result<u32, Refused> {
    let mut wrong = Vec::new();
    check_range(
        &mut wrong,
        "duration",
        extend_minutes,
        (limits.min_extend_minutes, limits.max_extend_minutes),
        " minutes",
    );
    if !wrong.is_empty() {
        return Err(Refused::OutOfRange(wrong));
    }
    match state {
        State::Reserved | State::Holding | State::Active => {}
        State::Completed => return Err(Refused::WrongState { state }),
    }
    if now >= reservation.ends_at().minus_minutes(limits.no_extend_before_end_minutes) {
        return Err(Refused::TooLateToExtend);
    }
    let duration_minutes = reservation.duration_minutes.saturating_add(extend_minutes);
    if duration_minutes > limits.max_duration_minutes {
        return Err(Refused::TooLong { max_duration_minutes: limits.max_duration_minutes });
    }
    Ok(duration_minutes)
}

/// Judges a removal.
pub fn check_remove(
    reservation: &Reservation,
    state: State,
    limits: &ReservationLimits,
    now: Timestamp,
) -> Result<(), Refused> {
    match state {
        State::Reserved => {}
        State::Holding | State::Active | State::Completed => return Err(Refused::WrongState { state }),
    }
    if now >= reservation.starts_at.minus_minutes(limits.no_remove_before_start_minutes) {
        return Err(Refused::TooLateToRemove);
    }
    Ok(())
}

fn check_range(
    wrong: &mut Vec<OutOfRange>,
    parameter: &'static str,
    value: u32,
    (low, high): (u32, u32),
    unit: &str,
) {
    if !(low..=high).contains(&value) {
        wrong.push(OutOfRange {
            parameter: parameter.into(),
            text: format!("must be between {low} and {high}{unit}, not {value}"),
        });
    }
}
