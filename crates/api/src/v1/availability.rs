//! How many seats are left when.

use super::{
    access::{Caller, Read},
    list::{Cursor, Limit, Page, Query},
    moment::Moment,
};
use crate::{answer::Answer, error::ApiError, json::json, state::App, time};
use axum::{extract::State, http::StatusCode};
use plenary_conference::{
    Timestamp,
    calendar::{Availability as Left, Step as Stretch},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Longest time that can be asked for.
const DAYS_MAX: u32 = 366;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(availability))
}

/// How many seats are left.
#[derive(Debug, Serialize, ToSchema)]
struct Availability {
    /// The fewest at any moment of all of the time: so many can be reserved for the whole of it.
    least: u32,
    /// The first steps, or those behind the cursor.
    items: Vec<Step>,
    /// The `cursor` of the next page; null: these are the last.
    next: Option<String>,
}

/// A time in which the number of seats left stays the same.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AvailabilityStep)]
struct Step {
    /// Its beginning.
    #[schema(format = DateTime)]
    from: String,
    /// Its end, which is no part of it.
    #[schema(format = DateTime)]
    to: String,
    /// Seats that are left, over all accounts.
    seats_left: u32,
}

impl From<Stretch> for Step {
    fn from(stretch: Stretch) -> Self {
        Self { from: time::rfc3339(stretch.from), to: time::rfc3339(stretch.to), seats_left: stretch.seats }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AvailabilityQuery {
    /// The beginning of the time.
    #[param(value_type = String, format = DateTime, example = "2030-06-20T15:00:00Z")]
    from: Moment,
    /// Its end, at most 366 days later.
    #[param(value_type = String, format = DateTime, example = "2030-06-21T15:00:00Z")]
    to: Moment,
    /// Steps at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    cursor: Option<Cursor>,
}

/// Shows how many seats are left over a time
///
/// Step by step, and the fewest in all of the time. It is true at this moment; only a reservation keeps seats.
#[utoipa::path(get, path = "/v1/availability", operation_id = "get_availability", tag = "reservations",
    params(AvailabilityQuery), security(("bearer" = ["read"])),
    responses((status = 200, description = "What is left.", body = Availability)))]
async fn availability(
    _: Caller<Read>,
    State(state): State<App>,
    Query(query): Query<AvailabilityQuery>,
) -> Answer {
    let AvailabilityQuery { from, to, limit, cursor } = query;
    // As exact as answers write it.
    let [from, to] = [from, to].map(|Moment(at)| Timestamp::from_seconds(at.seconds()));
    if to <= from {
        return Err(ApiError::parameter("to", "must be later than `from`"));
    }
    if to > from.plus_minutes(DAYS_MAX * 24 * 60) {
        return Err(ApiError::parameter("to", format!("must be at most {DAYS_MAX} days after `from`")));
    }
    let page = Page { limit, cursor };
    let start = match page.after().map(|key| key.parse().map(Timestamp)) {
        None => from,
        Some(Ok(at)) if (from..to).contains(&at) => at,
        Some(_) => {
            return Err(ApiError::parameter(
                "cursor",
                "must be `next` of the page before, for the same time",
            ));
        }
    };
    // One less than is fetched of lists: the calendar itself tells whether there are more.
    let Left { steps, least, next } =
        state.control.availability(from..to, start, page.to_fetch() - 1).await?;
    let items = steps.into_iter().map(Step::from).collect();
    let next = next.map(|at| Cursor(at.0.to_string()).to_string());
    Ok(json(StatusCode::OK, &Availability { least, items, next }))
}
