//! What a calendar program reads by a person's link: the reservations of an account.

use crate::{
    answer::Answer,
    auth,
    calendar::{About, Recipient, single_event},
    error::ApiError,
    extract::Segments,
    methods::only,
    state::App,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, Response, header, request::Parts},
    routing::get,
};
use plenary_conference::conferences::ReservationsQuery;
use plenary_model::{CalendarMethod, calendar};
use std::collections::{BTreeMap, btree_map::Entry};

/// Reservations that are shown at the most.
const SHOWN_MAX: usize = 1000;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/calendar/{secret}", only("GET, HEAD", get(feed)))
}

async fn feed(State(state): State<App>, Segments([name]): Segments<1>, parts: Parts) -> Answer {
    let now = state.control.now();
    let found = match name.strip_suffix(".ics") {
        Some(secret) => state.store.open_calendar_feed(secret, now).await?,
        None => None,
    };
    let Some(found) = found else {
        return Err(auth::refusal(&state, auth::source(&parts), ApiError::nothing_here()));
    };
    let query = ReservationsQuery { limit: SHOWN_MAX, ..ReservationsQuery::default() };
    let reservations = state.control.reservations(found.account, query).await?;
    let mut events = Vec::with_capacity(reservations.len());
    let mut known = BTreeMap::new();
    for (reservation, _) in &reservations {
        let about = match known.entry(&reservation.name) {
            Entry::Occupied(about) => about.into_mut(),
            Entry::Vacant(place) => place.insert(
                About::new(&state.store, &state.invitations, reservation, Recipient::WithoutCode, now)
                    .await?,
            ),
        };
        events.push(single_event(reservation, about, now));
    }
    let text = calendar(Some(CalendarMethod::Publish), Some("Plenary"), None, &events);
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/calendar; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
