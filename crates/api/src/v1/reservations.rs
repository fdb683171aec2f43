//! Reservations beside the seven services: several of one name that do not overlap, further ahead, and changed as a whole.

use super::{
    access::{Book, Caller, Read},
    body::{Body, Patch},
    conditions::{Conditions, Tag, created, tagged},
    conferences::Phase,
    invited_pin::check_pin,
    list::{Cursor, Limit, List, Page, Query},
    moment::Moment,
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    control::ControlError,
    error::{ApiError, Field, MAIL_OFF, NAME_TAKEN, NO_SEATS, OUT_OF_RANGE, TOO_LATE_TO_EXTEND, WRONG_STATE},
    extract::Segments,
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_conference::{
    Refused, Reservation as Stored, ReservationToken, State as ConferenceState, Timestamp,
    conferences::ReservationsQuery,
    refused::OutOfRange,
    reservation::{ReservationChange, ReservationRequest, SeriesDate, check_change},
};
use plenary_model::{ConferenceName, FieldError, Guest, Pin, ServiceName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// How often a change is decided anew where another one has come in between.
const DECIDED_AT_MOST: u32 = 5;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(one, change, remove))
}

/// A reservation.
#[derive(Debug, Serialize, ToSchema)]
struct Reservation {
    /// Its secret handle.
    #[schema(value_type = String, example = "GIYDCMZNGA2C2MRVFUYTKLJRGVPXE33C")]
    token: ReservationToken,
    #[serde(flatten)]
    set: Set,
    /// When it ends.
    #[schema(format = DateTime)]
    ends_at: String,
    /// How far it has come.
    state: Phase,
    /// Rises with each change; calendars go by it.
    sequence: u32,
    /// The date of a series that it was made for; null: it is of none.
    series: Option<OfSeries>,
}

/// The date of a series that a reservation stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReservationSeries)]
struct OfSeries {
    /// The number of the series.
    id: i64,
    /// When the series has it start, wherever it was moved to.
    #[schema(format = DateTime)]
    occurrence: String,
}

/// What can be set of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReservationSettings)]
struct Set {
    /// The conference's name.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9]{1,47}$", example = "Board")]
    conference: ConferenceName,
    /// Its seats.
    max_participants: u32,
    /// When it starts.
    #[schema(format = DateTime)]
    starts_at: String,
    /// How long it lasts.
    duration_min: u32,
    /// The inbound service that early callers are sent to; null: they hear busy.
    #[schema(value_type = Option<String>)]
    divert: Option<ServiceName>,
    /// What people call it; null: nothing.
    title: Option<String>,
    /// Who is invited by mail.
    guests: Vec<Guest>,
}

impl Set {
    fn of(stored: &Stored) -> Self {
        Self {
            conference: stored.name.clone(),
            max_participants: stored.max_participants,
            starts_at: time::rfc3339(stored.starts_at),
            duration_min: stored.duration_minutes,
            divert: stored.divert.clone(),
            title: stored.title.clone(),
            guests: stored.guests.clone(),
        }
    }
}

fn tag(stored: &Stored) -> Tag {
    Tag::of(&Set::of(stored))
}

impl From<(Stored, ConferenceState)> for Reservation {
    fn from((stored, state): (Stored, ConferenceState)) -> Self {
        Self {
            set: Set::of(&stored),
            ends_at: time::rfc3339(stored.ends_at()),
            state: state.into(),
            sequence: stored.sequence,
            series: stored.series.map(|SeriesDate { series, occurrence }| OfSeries {
                id: series,
                occurrence: time::rfc3339(occurrence),
            }),
            token: stored.token,
        }
    }
}

/// A new reservation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReservationBody {
    /// The conference's name. One name may have several reservations that do not overlap. It stays as it is.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9]{1,47}$", example = "Board")]
    conference: ConferenceName,
    /// Its seats, within the configured limits. Participants stay where there are fewer seats than before.
    #[schema(minimum = 1)]
    max_participants: u32,
    /// When it starts; rounded down to the minute. Of one that has begun it stays as it is.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Moment,
    /// How long it lasts in all.
    #[schema(minimum = 1)]
    duration_min: u32,
    /// The inbound service that early callers are sent to. It need not exist yet.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    divert: Option<ServiceName>,
    /// What people call it.
    #[schema(min_length = 1, max_length = 200, example = "Weekly meeting")]
    title: Option<String>,
    /// Who is invited by mail; each gets an invitation, and is told of changes. Mail has to be configured.
    #[serde(default)]
    #[schema(max_items = 100)]
    guests: Vec<Guest>,
    /// The PIN of participants of the conference's room, for the mails that this writes: it is compared with the stored hash, and is in the mails
    /// alone. Left out: mails say that guests receive it separately.
    #[schema(value_type = Option<String>, write_only, pattern = "^[0-9]{4,12}$", example = "482913")]
    pin: Option<Pin>,
}

impl ReservationBody {
    /// What the rules of reservations do not look at.
    fn check(&self) -> Result<(), ApiError> {
        let is_service = |name: &ServiceName| plenary_model::is_service_name(name.as_str());
        if self.divert.as_ref().is_none_or(is_service) {
            return Ok(());
        }
        Err(ApiError::members(vec![FieldError::new("/divert", "must be the name of an inbound service")]))
    }

    fn request(self) -> Result<ReservationRequest, ApiError> {
        self.check()?;
        Ok(ReservationRequest {
            name: self.conference,
            max_participants: self.max_participants,
            starts_at: self.starts_at.0,
            duration_minutes: self.duration_min,
            divert: self.divert,
            title: self.title,
            guests: self.guests,
            series: None,
        })
    }

    /// What changes in a reservation that is to become this.
    fn change(self, stored: &Stored) -> Result<ReservationChange, ApiError> {
        if self.conference != stored.name {
            let detail = "stays as it is; make another reservation and remove this one";
            return Err(ApiError::members(vec![FieldError::new("/conference", detail)]));
        }
        if self.divert != stored.divert {
            self.check()?;
        }
        Ok(ReservationChange {
            max_participants: Some(self.max_participants),
            starts_at: Some(self.starts_at.0),
            duration_minutes: Some(self.duration_min),
            divert: Some(self.divert),
            title: Some(self.title),
            guests: Some(self.guests),
        })
    }
}

/// Guests can be invited where mail is configured.
pub(super) fn check_mail(state: &App, guests: &[Guest]) -> Result<(), ApiError> {
    if guests.is_empty() || state.invitations.mail_from.is_some() {
        return Ok(());
    }
    let text = "guests cannot be invited: mail is not configured ([mail] in the configuration)";
    Err(ApiError::fields(MAIL_OFF, vec![Field::Member(FieldError::new("/guests", text))]))
}

/// A refusal, at the member that it is about.
pub(super) fn refused(error: ControlError) -> ApiError {
    let member = |pointer: &str, detail: String| Field::Member(FieldError::new(pointer, detail));
    match error {
        ControlError::Refused(Refused::OutOfRange(wrong)) => {
            let of = |OutOfRange { parameter, text }| member(&format!("/{parameter}"), text);
            ApiError::fields(OUT_OF_RANGE, wrong.into_iter().map(of).collect())
        }
        ControlError::Refused(Refused::NoSeats { available, from, to }) => {
            let (from, to) = (time::rfc3339(from), time::rfc3339(to));
            let text = format!("only {available} seats are left from {from} to {to}");
            ApiError::fields(NO_SEATS, vec![member("/max_participants", text)])
        }
        ControlError::Refused(Refused::NameTaken) => {
            let text = "has another reservation in this time, or participants without a reservation";
            ApiError::fields(NAME_TAKEN, vec![member("/conference", text.to_owned())])
        }
        ControlError::Refused(refused @ Refused::TooLateToExtend) => {
            ApiError::fields(TOO_LATE_TO_EXTEND, vec![member("/duration_min", refused.to_string())])
        }
        ControlError::Refused(Refused::WrongState { state }) => {
            let state = format!("{state}").to_lowercase();
            ApiError::coded(WRONG_STATE, format!("the reservation is {state}"))
        }
        error => error.into(),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those of this conference.
    #[param(value_type = String, required = false)]
    conference: Option<ConferenceName>,
    /// Only those that end after this time.
    #[param(value_type = String, required = false, format = DateTime)]
    from: Option<Moment>,
    /// Only those that start before this time.
    #[param(value_type = String, required = false, format = DateTime)]
    to: Option<Moment>,
    /// Only those in this state.
    #[param(inline, required = false)]
    state: Option<Phase>,
    /// Items at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    cursor: Option<Cursor>,
}

/// Lists reservations
///
/// By start. Those that are over are listed for as long as `completed_for_min` of the limits says.
#[utoipa::path(get, path = "/v1/reservations", operation_id = "list_reservations", tag = "reservations",
    params(Filter), security(("bearer" = ["read"])),
    responses((status = 200, description = "Some of the reservations.", body = List<Reservation>)))]
async fn list(caller: Caller<Read>, State(state): State<App>, Query(filter): Query<Filter>) -> Answer {
    let Filter { conference, from, to, state: wanted, limit, cursor } = filter;
    let page = Page { limit, cursor };
    let place = |key: &str| {
        let (at, token) = key.split_once(' ')?;
        Some((Timestamp(at.parse().ok()?), ReservationToken::new(token)))
    };
    let after = page.after_as(place)?;
    let query = ReservationsQuery {
        conference,
        from: from.map(|Moment(at)| at),
        to: to.map(|Moment(at)| at),
        state: wanted.map(ConferenceState::from),
        after,
        limit: page.to_fetch(),
    };
    let found = state.control.reservations(caller.account, query).await?;
    let key = |(one, _): &(Stored, ConferenceState)| format!("{} {}", one.starts_at.0, one.token);
    page.answer(found, key, Reservation::from)
}

/// Makes a reservation
///
/// Several of one name are possible where they do not overlap. Seats are never sold twice: when this answers, they are the
/// conference's, also after a crash.
#[utoipa::path(post, path = "/v1/reservations", operation_id = "make_reservation", tag = "reservations",
    request_body(content = ReservationBody, example = json!({"conference": "Board", "max_participants": 130,
        "starts_at": "2030-06-20T15:15:00Z", "duration_min": 30, "title": "Weekly meeting"})),
    security(("bearer" = ["book"])),
    responses((status = 201, description = "The reservation.", body = Reservation,
        headers(("Location" = String, description = "Its path."), ("ETag" = String, description = "Its version."))),
        (status = 409, description = "The name is taken at this time (1202), or too few seats are left (1206)."),
        (status = 422, description = "The PIN is not that of participants (1160).")))]
async fn make(
    caller: Caller<Book>,
    State(state): State<App>,
    Body(mut body): Body<ReservationBody>,
) -> Answer {
    check_mail(&state, &body.guests)?;
    let pin = body.pin.take();
    let request = body.request()?;
    to_the_end(async move {
        let pin = check_pin(&caller, &state, &request.name, pin).await?;
        let state = caller.inviting(&state, pin);
        let made = state.control.book(caller.account, request).await.map_err(refused)?;
        let location = format!("/v1/reservations/{}", made.0.token);
        Ok(created(&tag(&made.0), &Reservation::from(made), &location))
    })
    .await
}

/// Shows a reservation
#[utoipa::path(get, path = "/v1/reservations/{token}", operation_id = "get_reservation", tag = "reservations",
    params(("token" = String, Path, description = "The reservation's token.")),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The reservation.", body = Reservation,
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    caller: Caller<Read>,
    State(state): State<App>,
    Segments([token]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let found = state.control.reservation(caller.account, ReservationToken::new(token)).await?;
    Ok(conditions.show(&tag(&found.0), &Reservation::from(found)))
}

/// Changes a reservation
///
/// One that has not begun, as a whole; of one in progress the duration, the seats, the title and `divert`. A longer one needs
/// its seats and its name free for the time that is added.
#[utoipa::path(patch, path = "/v1/reservations/{token}", operation_id = "change_reservation", tag = "reservations",
    params(("token" = String, Path, description = "The reservation's token.")),
    request_body(content = ReservationBody, content_type = "application/merge-patch+json", example = json!({"duration_min": 60})),
    security(("bearer" = ["book"])),
    responses((status = 200, description = "The reservation as it is now.", body = Reservation,
        headers(("ETag" = String, description = "Its version."))),
        (status = 409, description = "It is over, or in progress (1201); the name is taken (1202); it ends too soon (1204); too few seats are left (1206)."),
        (status = 422, description = "The PIN is not that of participants (1160).")))]
async fn change(
    caller: Caller<Book>,
    State(state): State<App>,
    Segments([token]): Segments<1>,
    conditions: Conditions,
    patch: Patch,
) -> Answer {
    let token = ReservationToken::new(token);
    to_the_end(async move {
        let mut decided = 0;
        loop {
            let (stored, phase) = state.control.reservation(caller.account, token.clone()).await?;
            let mut body: ReservationBody = patch.merge_into(&Set::of(&stored))?;
            let pin = body.pin.take();
            if body.guests != stored.guests {
                check_mail(&state, &body.guests)?;
            }
            let change = body.change(&stored)?;
            // A precondition counts only where the request would succeed without it (RFC 9110, section 13.2.1).
            check_change(&stored, phase, &change, state.control.limits(), state.control.now())
                .map_err(|error| refused(error.into()))?;
            conditions.check(Some(&tag(&stored)))?;
            let pin = check_pin(&caller, &state, &stored.name, pin).await?;
            let state = caller.inviting(&state, pin);
            decided += 1;
            match state.control.change_reservation(caller.account, token.clone(), change, Some(stored)).await
            {
                Err(ControlError::Changed) if decided < DECIDED_AT_MOST => {}
                Ok(changed) => {
                    return Ok(tagged(StatusCode::OK, &tag(&changed.0), &Reservation::from(changed)));
                }
                Err(error) => return Err(refused(error)),
            }
        }
    })
    .await
}

/// Removes a reservation
///
/// One that has not begun; the limits say until when. One in progress ends with its conference: `DELETE /v1/conferences/{name}`.
#[utoipa::path(delete, path = "/v1/reservations/{token}", operation_id = "remove_reservation", tag = "reservations",
    params(("token" = String, Path, description = "The reservation's token.")),
    security(("bearer" = ["book"])),
    responses((status = 204, description = "It is removed."),
        (status = 409, description = "It is in progress or over (1201), or starts too soon (1203)."),
        (status = 412, description = "There is another version by now (1213).")))]
async fn remove(
    caller: Caller<Book>,
    State(state): State<App>,
    Segments([token]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let state = caller.acting(state);
    let token = ReservationToken::new(token);
    to_the_end(async move {
        let mut decided = 0;
        loop {
            let (stored, _) = state.control.reservation(caller.account, token.clone()).await?;
            conditions.check(Some(&tag(&stored)))?;
            decided += 1;
            match state.control.remove(caller.account, token.clone(), Some(stored)).await {
                Err(ControlError::Changed) if decided < DECIDED_AT_MOST => {}
                Ok(()) => return Ok(no_content()),
                Err(error) => return Err(refused(error)),
            }
        }
    })
    .await
}
