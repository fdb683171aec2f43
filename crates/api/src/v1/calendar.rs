//! Reservations for calendars of other programs: one of them, and the link by which a calendar reads all.

use super::{
    access::{Caller, Read},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    audit::Audit,
    auth::SignedIn,
    calendar::{About, reservation_event},
    error::{ApiError, ROLE_FORBIDS, UNKNOWN_SESSION},
    extract::Segments,
    json::json,
    state::App,
    time,
};
use axum::{
    body::Body as HttpBody,
    extract::State,
    http::{HeaderValue, Response, StatusCode, header},
};
use plenary_conference::ReservationToken;
use plenary_model::{CalendarMethod, MailKind, MailState, calendar as written};
use plenary_store::MailRecord;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(one))
        .routes(routes!(mails))
        .routes(routes!(feed, make_feed, end_feed))
}

/// A calendar object as a file of this name, which has letters and digits only.
pub(super) fn file(calendar: String, name: &str) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::from(calendar));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/calendar; charset=utf-8; method=PUBLISH");
    headers.insert(header::CONTENT_TYPE, kind);
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.ics\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// Shows a reservation as an event for calendars
///
/// iCalendar (RFC 5545), with the code of a guest's link for those who may make one (`control`), where `mail.join` takes one. `SEQUENCE`
/// rises with each change. A date of a series has `RECURRENCE-ID` and the `UID` of the series.
#[utoipa::path(get, path = "/v1/reservations/{token}/calendar", operation_id = "get_reservation_calendar", tag = "reservations",
    params(("token" = String, Path, description = "The reservation's token.")),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The event.", body = String, content_type = "text/calendar")))]
async fn one(caller: Caller<Read>, State(state): State<App>, Segments([token]): Segments<1>) -> Answer {
    let (reservation, _) = state.control.reservation(caller.account, ReservationToken::new(token)).await?;
    let now = state.control.now();
    let about =
        About::new(&state.store, &state.invitations, &reservation, caller.calendar_recipient(), now).await?;
    let series = match reservation.series {
        Some(date) => state.store.series(caller.account, date.series).await?,
        None => None,
    };
    let settings = series.as_ref().map(|series| &series.settings);
    let event = reservation_event(&reservation, settings, &about, now);
    let zone = settings.map(|settings| &settings.time_zone);
    let calendar = written(Some(CalendarMethod::Publish), None, zone, &[event]);
    Ok(file(calendar, reservation.name.as_str()))
}

/// A mail to a guest.
#[derive(Debug, Serialize, ToSchema)]
struct Mail {
    /// Its number.
    id: i64,
    /// The address that it goes to.
    #[schema(example = "ann@example.com")]
    to: String,
    /// What it says.
    kind: MailKind,
    /// `waiting`: it is tried (again); `sent`: a mail server has taken it; `failed`: it was given up.
    state: MailState,
    /// How often it was tried.
    attempts: u32,
    /// Why the last try failed; null: it did not.
    error: Option<String>,
    /// When it was written.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it is tried next; null: it is not.
    #[schema(format = DateTime)]
    next_at: Option<String>,
    /// When it was sent; null: it was not.
    #[schema(format = DateTime)]
    sent_at: Option<String>,
}

impl From<MailRecord> for Mail {
    fn from(mail: MailRecord) -> Self {
        Self {
            id: mail.id,
            to: mail.to,
            kind: mail.kind,
            state: mail.state,
            attempts: mail.attempts,
            error: mail.error,
            created_at: time::rfc3339(mail.created_at),
            next_at: mail.next_at.map(time::rfc3339),
            sent_at: mail.sent_at.map(time::rfc3339),
        }
    }
}

/// Lists the mails to the guests of a reservation
///
/// The oldest first, with what has become of each. They are kept for 30 days.
#[utoipa::path(get, path = "/v1/reservations/{token}/mails", operation_id = "list_reservation_mails", tag = "reservations",
    params(("token" = String, Path, description = "The reservation's token."), Page),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "Some of the mails.", body = List<Mail>)))]
async fn mails(
    caller: Caller<Read>,
    State(state): State<App>,
    Segments([token]): Segments<1>,
    Query(page): Query<Page>,
) -> Answer {
    let after = page.after_as(|key| key.parse().ok())?;
    let token = ReservationToken::new(token);
    let (found, _) = state.control.reservation(caller.account, token.clone()).await?;
    let series = found.series.map(|date| date.series);
    let mails = state.store.mails_after(caller.account, &token, series, after, page.to_fetch()).await?;
    page.answer(mails, |mail| mail.id.to_string(), Mail::from)
}

/// The link by which one's calendar reads the reservations of an account.
#[derive(Debug, Serialize, ToSchema)]
struct Feed {
    /// When it was made; null: there is none.
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// When it was last read, to an hour; null: never.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

/// A link that was just made.
#[derive(Debug, Serialize, ToSchema)]
struct NewFeed {
    /// Where calendars read on this host, also as `webcal://`. It is shown this once.
    #[schema(example = "/calendar/k3v9qa….ics")]
    path: String,
    #[serde(flatten)]
    feed: Feed,
}

/// Shows the link of one's calendar
///
/// Without its secret.
#[utoipa::path(get, path = "/v1/session/calendar", operation_id = "get_calendar_feed", tag = "people",
    security(("session" = [])),
    responses((status = 200, description = "When it was made.", body = Feed)))]
async fn feed(SignedIn { person, .. }: SignedIn, State(state): State<App>) -> Answer {
    let found = state.store.calendar_feed(person.id).await?;
    let shown = Feed {
        created_at: found.map(|feed| time::rfc3339(feed.created_at)),
        last_used_at: found.and_then(|feed| feed.last_used_at).map(time::rfc3339),
    };
    Ok(json(StatusCode::OK, &shown))
}

/// Makes the link of one's calendar
///
/// By it a calendar program reads the reservations of the account that is worked in, without signing in. An earlier link does
/// not count any more.
#[utoipa::path(post, path = "/v1/session/calendar", operation_id = "make_calendar_feed", tag = "people",
    security(("session" = [])),
    responses((status = 201, description = "The link.", body = NewFeed)))]
async fn make_feed(signed_in: SignedIn, State(state): State<App>, audit: Audit) -> Answer {
    let state = signed_in.acting(&state, &audit);
    let SignedIn { session, person } = signed_in;
    to_the_end(async move {
        let Some(account) = state.store.account_of(&session, &person).await? else {
            return Err(ApiError::coded(ROLE_FORBIDS, "there is no account yet that you could work in"));
        };
        let now = state.control.now();
        let secret = state.store.calendar_feed_new(person.id, account.id, now).await?;
        let feed = Feed { created_at: Some(time::rfc3339(now)), last_used_at: None };
        Ok(json(StatusCode::CREATED, &NewFeed { path: format!("/calendar/{secret}.ics"), feed }))
    })
    .await
}

/// Ends the link of one's calendar
#[utoipa::path(delete, path = "/v1/session/calendar", operation_id = "end_calendar_feed", tag = "people",
    security(("session" = [])),
    responses((status = 204, description = "It counts no more."),
        (status = 404, description = "There is none (1124).")))]
async fn end_feed(signed_in: SignedIn, State(state): State<App>, audit: Audit) -> Answer {
    let state = signed_in.acting(&state, &audit);
    let SignedIn { person, .. } = signed_in;
    to_the_end(async move {
        match state.store.end_calendar_feed(person.id).await? {
            true => Ok(no_content()),
            false => Err(ApiError::coded(UNKNOWN_SESSION, "you have no link for a calendar")),
        }
    })
    .await
}
