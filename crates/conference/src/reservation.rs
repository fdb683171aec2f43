//! Reservations and the rules by which they are made, extended and removed.

use crate::{
    conferences::State,
    id::{AccountId, ConferenceName, ReservationToken, ServiceName},
    limits::ReservationLimits,
    refused::{OutOfRange, Refused},
    time::Timestamp,
};
use plenary_model::id::CONFERENCE_NAME_LENGTH_MAX;
pub use plenary_model::id::is_conference_name;
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
}

impl Reservation {
    /// When its time is up.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.starts_at.plus_minutes(self.duration_minutes)
    }
}

/// What somebody asks for. The start is as asked, not yet rounded.
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
}

/// Judges a new reservation. The start is judged as asked; what comes back is the start rounded down to the
/// minute. Everything that is out of range is reported together.
pub fn check_new(
    request: &ReservationRequest,
    limits: &ReservationLimits,
    now: Timestamp,
) -> Result<Timestamp, Refused> {
    let mut wrong = Vec::new();
    let name = request.name.as_str();
    if !is_conference_name(name) {
        wrong.push(OutOfRange {
            parameter: "conference_name".into(),
            text: format!("must be 1 to {CONFERENCE_NAME_LENGTH_MAX} letters and digits"),
        });
    }
    check_range(
        &mut wrong,
        "max_participants",
        request.max_participants,
        (limits.min_participants, limits.max_participants),
        "",
    );
    let earliest = now.plus_minutes(limits.min_notice_minutes);
    let latest = now.plus_minutes(limits.max_notice_minutes);
    if request.starts_at < earliest || request.starts_at > latest {
        wrong.push(OutOfRange {
            parameter: "start_time".into(),
            text: format!(
                "must be at least {} minutes and at most {} minutes in the future (UTC)",
                limits.min_notice_minutes, limits.max_notice_minutes
            ),
        });
    }
    check_range(
        &mut wrong,
        "duration",
        request.duration_minutes,
        (limits.min_duration_minutes, limits.max_duration_minutes),
        " minutes",
    );
    if wrong.is_empty() { Ok(request.starts_at.floor_to_minute()) } else { Err(Refused::OutOfRange(wrong)) }
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
