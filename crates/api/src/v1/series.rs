//! Series: reservations that repeat. Each date is a reservation of its own, which is changed and removed like any other.

use super::{
    access::{Book, Caller, Read},
    body::Body,
    calendar::file,
    invited_pin::check_pin,
    list::{List, Page, Query},
    moment::Moment,
    reservations::{check_mail, refused},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    calendar::{About, by_date, series_events},
    control::ControlError,
    error::{ApiError, UNKNOWN_SERIES},
    extract::Segments,
    json::json,
    state::App,
    time,
};
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
};
use plenary_conference::{
    AccountId, Refused, Reservation, ReservationToken, Timestamp,
    reservation::{ReservationRequest, SeriesDate, check_booking},
};
use plenary_model::{
    CalendarMethod, ConferenceName, FieldError, Guest, Occurrence, Pin, Repeat, SeriesSettings, ServiceName,
    TimeZone, calendar as written,
};
use plenary_store::StoredSeries;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(one, remove)).routes(routes!(calendar))
}

/// A series of reservations.
#[derive(Debug, Serialize, ToSchema)]
struct Series {
    /// Its number.
    id: i64,
    /// The conference's name.
    #[schema(value_type = String, example = "Board")]
    conference: ConferenceName,
    /// What people call it; null: nothing.
    title: Option<String>,
    /// Seats of each date, as it was made.
    max_participants: u32,
    /// When the first date starts.
    #[schema(format = DateTime)]
    starts_at: String,
    /// How long each date lasts, as it was made.
    duration_min: u32,
    /// The inbound service that early callers are sent to; null: they hear busy.
    #[schema(value_type = Option<String>)]
    divert: Option<ServiceName>,
    /// Who was invited to all dates.
    guests: Vec<Guest>,
    /// In whose time of day it repeats.
    time_zone: TimeZone,
    /// How often it repeats.
    repeat: Repeat,
    /// Every so many days, weeks or months.
    interval: u32,
    /// How many dates it has, those included that do not take place.
    count: u32,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<&StoredSeries> for Series {
    fn from(series: &StoredSeries) -> Self {
        let settings = series.settings.clone();
        Self {
            id: series.id,
            conference: settings.conference,
            title: settings.title,
            max_participants: settings.max_participants,
            starts_at: time::rfc3339(settings.starts_at),
            duration_min: settings.duration_min,
            divert: settings.divert,
            guests: settings.guests,
            time_zone: settings.time_zone,
            repeat: settings.repeat,
            interval: settings.interval,
            count: settings.count,
            created_at: time::rfc3339(series.created_at),
        }
    }
}

/// A series with its dates.
#[derive(Debug, Serialize, ToSchema)]
struct WholeSeries {
    #[serde(flatten)]
    series: Series,
    /// Its dates, in order.
    dates: Vec<Date>,
}

/// A date of a series.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SeriesDate)]
struct Date {
    /// The date, as calendars of the zone show it.
    #[schema(format = Date, example = "2030-06-20")]
    date: String,
    /// When it starts; of one that does not take place, when it would have.
    #[schema(format = DateTime)]
    starts_at: String,
    /// Whether it takes place.
    state: DateState,
    /// The token of its reservation; null: there is none.
    #[schema(value_type = Option<String>)]
    reservation: Option<ReservationToken>,
    /// Why it was refused; null: it was not.
    problem: Option<DateProblem>,
}

/// Whether a date of a series takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SeriesDateState)]
enum DateState {
    /// As planned.
    Booked,
    /// At another time.
    Moved,
    /// It was left out, or its reservation removed.
    Dropped,
    /// It could not be reserved. Only the answer that makes the series says so.
    Refused,
}

/// Why a date was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SeriesDateProblem)]
struct DateProblem {
    /// The code of the error, as in errors.md.
    #[schema(example = "1206")]
    code: String,
    /// What is wrong with this date, in words.
    detail: String,
}

/// The dates as they stand; `refused`: why some of them could not be reserved.
fn whole(
    series: &StoredSeries,
    reservations: &[Reservation],
    refused: &BTreeMap<String, DateProblem>,
) -> WholeSeries {
    let settings = &series.settings;
    let by_date = by_date(settings, reservations);
    let shown = |planned: Occurrence| {
        let date = planned.date();
        let booked = by_date.get(&date);
        let problem = refused.get(&date);
        let starts_at = booked.map_or(planned.starts_at, |one| one.starts_at);
        let state = match (booked, problem) {
            (Some(_), _) if starts_at == planned.starts_at => DateState::Booked,
            (Some(_), _) => DateState::Moved,
            (None, Some(_)) => DateState::Refused,
            (None, None) => DateState::Dropped,
        };
        Date {
            date,
            starts_at: time::rfc3339(starts_at),
            state,
            reservation: booked.map(|one| one.token.clone()),
            problem: problem
                .map(|problem| DateProblem { code: problem.code.clone(), detail: problem.detail.clone() }),
        }
    };
    WholeSeries { series: series.into(), dates: settings.occurrences().into_iter().map(shown).collect() }
}

/// A new series.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SeriesBody {
    /// The conference's name.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9]{1,47}$", example = "Board")]
    conference: ConferenceName,
    /// Seats of each date.
    #[schema(minimum = 1)]
    max_participants: u32,
    /// When the first date starts; rounded down to the minute.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Moment,
    /// How long each date lasts.
    #[schema(minimum = 1)]
    duration_min: u32,
    /// The inbound service that early callers are sent to. It need not exist yet.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    divert: Option<ServiceName>,
    /// What people call it.
    #[schema(min_length = 1, max_length = 200, example = "Weekly meeting")]
    title: Option<String>,
    /// Who is invited to all dates by mail.
    #[serde(default)]
    #[schema(max_items = 100)]
    guests: Vec<Guest>,
    /// In whose time of day it repeats: each date starts at the time of day of the first.
    time_zone: TimeZone,
    /// How often it repeats.
    repeat: Repeat,
    /// Every so many days, weeks or months.
    #[serde(default = "one_step")]
    #[schema(minimum = 1, maximum = 99, default = 1)]
    interval: u32,
    /// How many dates there are, those that are left out included.
    #[schema(minimum = 1, maximum = 366)]
    count: u32,
    /// Dates on which it does not take place, as calendars of the zone show them.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 366, example = json!(["2030-07-04"]))]
    without: Vec<String>,
    /// The PIN of participants of the conference's room, for the invitations: it is compared with the stored hash, and is in the mails alone. Left
    /// out: mails say that guests receive it separately.
    #[schema(value_type = Option<String>, write_only, pattern = "^[0-9]{4,12}$", example = "482913")]
    pin: Option<Pin>,
}

fn one_step() -> u32 {
    1
}

impl SeriesBody {
    /// The settings, and the dates that are to be reserved.
    fn settings(self) -> Result<(SeriesSettings, Vec<Occurrence>), ApiError> {
        let settings = SeriesSettings {
            conference: self.conference,
            title: self.title,
            max_participants: self.max_participants,
            starts_at: self.starts_at.0.floor_to_minute(),
            duration_min: self.duration_min,
            divert: self.divert,
            guests: self.guests,
            time_zone: self.time_zone,
            repeat: self.repeat,
            interval: self.interval,
            count: self.count,
        };
        let mut errors = settings.check();
        if settings.divert.as_ref().is_some_and(|name| !plenary_model::is_service_name(name.as_str())) {
            errors.push(FieldError::new("/divert", "must be the name of an inbound service"));
        }
        let mut dates = settings.occurrences();
        for (place, date) in self.without.iter().enumerate() {
            if !dates.iter().any(|one| one.date() == *date) {
                let text = "must be one of the dates of the series, as in `2030-07-04`, and named once";
                errors.push(FieldError::new(format!("/without/{place}"), text));
            }
            dates.retain(|one| one.date() != *date);
        }
        if errors.is_empty() && dates.is_empty() {
            errors.push(FieldError::new("/without", "leaves no date"));
        }
        if errors.is_empty() { Ok((settings, dates)) } else { Err(ApiError::members(errors)) }
    }
}

fn request(settings: &SeriesSettings, series: i64, occurrence: Timestamp) -> ReservationRequest {
    ReservationRequest {
        name: settings.conference.clone(),
        max_participants: settings.max_participants,
        starts_at: occurrence,
        duration_minutes: settings.duration_min,
        divert: settings.divert.clone(),
        title: settings.title.clone(),
        guests: settings.guests.clone(),
        series: Some(SeriesDate { series, occurrence }),
    }
}

/// Lists series
///
/// In the order in which they were made, without their dates.
#[utoipa::path(get, path = "/v1/series", operation_id = "list_series", tag = "reservations", params(Page),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "Some of the series.", body = List<Series>)))]
async fn list(caller: Caller<Read>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let after = page.after_as(|key| {
        let (at, id) = key.split_once(' ')?;
        Some((Timestamp(at.parse().ok()?), id.parse().ok()?))
    })?;
    let found = state.store.series_after(caller.account, after, page.to_fetch()).await?;
    let key = |series: &StoredSeries| format!("{} {}", series.created_at.0, series.id);
    page.answer(found, key, |series| Series::from(&series))
}

/// Makes a series
///
/// A reservation for each date, at the same time of day also over changes of daylight saving. Dates that cannot be reserved are
/// `refused` in this answer, and left out; where none can be, nothing is made and the first refusal is the answer.
#[utoipa::path(post, path = "/v1/series", operation_id = "make_series", tag = "reservations",
    request_body(content = SeriesBody, example = json!({"conference": "Board", "max_participants": 20,
        "starts_at": "2030-06-20T15:15:00Z", "duration_min": 30, "title": "Weekly meeting", "time_zone": "Europe/London",
        "repeat": "weekly", "count": 10})),
    security(("bearer" = ["book"])),
    responses((status = 201, description = "The series.", body = WholeSeries,
        headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "No date can be reserved: the name is taken (1202), or too few seats are left (1206); or \
            there are guests and mail is not configured (1142)."),
        (status = 422, description = "The PIN is not that of participants (1160).")))]
async fn make(caller: Caller<Book>, State(state): State<App>, Body(mut body): Body<SeriesBody>) -> Answer {
    let pin = body.pin.take();
    let (settings, dates) = body.settings()?;
    check_mail(&state, &settings.guests)?;
    // What is wrong with all dates alike is told once, and of the first one.
    let first = request(&settings, 0, dates.first().map_or(settings.starts_at, |date| date.starts_at));
    check_booking(&first, state.control.limits(), state.control.now())
        .map_err(|error| refused(error.into()))?;
    let account = caller.account;
    to_the_end(async move {
        let pin = check_pin(&caller, &state, &settings.conference, pin).await?;
        let state = caller.inviting(&state, pin);
        let series = state.store.series_new(account, &settings, state.control.now()).await?;
        let (mut problems, mut first_refusal) = (BTreeMap::new(), None);
        for date in dates {
            match state.control.book(account, request(&settings, series.id, date.starts_at)).await {
                Ok(_) => {}
                Err(error @ ControlError::Refused(_)) => {
                    let error = refused(error);
                    let problem = DateProblem { code: error.code_text(), detail: error.to_string() };
                    problems.insert(date.date(), problem);
                    first_refusal.get_or_insert(error);
                }
                // The database, or the engine: what was reserved stays, and is shown by the series.
                Err(error) => return Err(error.into()),
            }
        }
        let reservations = state.store.series_reservations(account, series.id).await?;
        if let (true, Some(error)) = (reservations.is_empty(), first_refusal) {
            state.store.series_delete(account, series.id).await?;
            return Err(error);
        }
        let mut response = json(StatusCode::CREATED, &whole(&series, &reservations, &problems));
        if let Ok(location) = HeaderValue::from_str(&format!("/v1/series/{}", series.id)) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        Ok(response)
    })
    .await
}

async fn found(
    state: &App,
    account: AccountId,
    number: &str,
) -> Result<(StoredSeries, Vec<Reservation>), ApiError> {
    let unknown = || ApiError::coded(UNKNOWN_SERIES, "the account has no such series");
    let id = number.parse().map_err(|_| unknown())?;
    let series = state.store.series(account, id).await?.ok_or_else(unknown)?;
    let reservations = state.store.series_reservations(account, id).await?;
    Ok((series, reservations))
}

/// Shows a series
///
/// With its dates. A single date is moved and dropped by its reservation.
#[utoipa::path(get, path = "/v1/series/{id}", operation_id = "get_series", tag = "reservations",
    params(("id" = i64, Path, description = "The series' number.", example = 4)),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The series.", body = WholeSeries)))]
async fn one(caller: Caller<Read>, State(state): State<App>, Segments([number]): Segments<1>) -> Answer {
    let (series, reservations) = found(&state, caller.account, &number).await?;
    Ok(json(StatusCode::OK, &whole(&series, &reservations, &BTreeMap::new())))
}

/// Shows a series for calendars
///
/// iCalendar (RFC 5545): with `RRULE`, `EXDATE` of dates that do not take place, and `RECURRENCE-ID` of those that were changed.
#[utoipa::path(get, path = "/v1/series/{id}/calendar", operation_id = "get_series_calendar", tag = "reservations",
    params(("id" = i64, Path, description = "The series' number.", example = 4)),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The series.", body = String, content_type = "text/calendar")))]
async fn calendar(caller: Caller<Read>, State(state): State<App>, Segments([number]): Segments<1>) -> Answer {
    let (series, reservations) = found(&state, caller.account, &number).await?;
    let now = state.control.now();
    let about = match reservations.first() {
        Some(any) => {
            About::new(&state.store, &state.invitations, any, caller.calendar_recipient(), now).await?
        }
        None => About::default(),
    };
    let events = series_events(&series, &reservations, &about, now);
    let zone = Some(&series.settings.time_zone);
    let text = written(Some(CalendarMethod::Publish), None, zone, &events);
    Ok(file(text, series.settings.conference.as_str()))
}

/// Removes a series
///
/// The reservations of its dates that have not begun, as far as each could be removed alone.
#[utoipa::path(delete, path = "/v1/series/{id}", operation_id = "remove_series", tag = "reservations",
    params(("id" = i64, Path, description = "The series' number.", example = 4)),
    security(("bearer" = ["book"])),
    responses((status = 204, description = "They are removed.")))]
async fn remove(caller: Caller<Book>, State(state): State<App>, Segments([number]): Segments<1>) -> Answer {
    let state = caller.acting(state);
    let account = caller.account;
    to_the_end(async move {
        let (series, reservations) = found(&state, account, &number).await?;
        let now = state.control.now();
        for date in reservations.into_iter().filter(|date| date.starts_at > now) {
            match state.control.remove(account, date.token, None).await {
                // It begins too soon, has begun, or another request was faster.
                Ok(())
                | Err(ControlError::Refused(
                    Refused::TooLateToRemove | Refused::WrongState { .. } | Refused::UnknownReservation,
                )) => {}
                Err(error) => return Err(error.into()),
            }
        }
        state.store.series_delete(account, series.id).await?;
        Ok(no_content())
    })
    .await
}
