//! What was used: minutes of calls and of seats, as JSON or as CSV.

use super::{
    access::{Caller, Records},
    history::minutes,
    list::Query,
    moment::Moment,
};
use crate::{answer::Answer, csv::Csv, error::ApiError, json::json, state::App, time};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use plenary_model::{AccountId, Scope, Timestamp, Usage, UsageBy, UsageKey};
use plenary_store::UsageQuery;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, iter};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

const DAYS_MAX: i64 = 366;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// What lines of usage are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageBy)]
enum By {
    /// A day, UTC.
    #[default]
    Day,
    /// A month, UTC.
    Month,
    /// An account.
    Account,
    /// A conference.
    Conference,
    /// A trunk.
    Trunk,
}

impl From<By> for UsageBy {
    fn from(by: By) -> Self {
        match by {
            By::Day => Self::Day,
            By::Month => Self::Month,
            By::Account => Self::Account,
            By::Conference => Self::Conference,
            By::Trunk => Self::Trunk,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsageOf {
    /// The beginning of the time.
    #[param(value_type = String, format = DateTime, example = "2030-06-01T00:00:00Z")]
    from: Moment,
    /// Its end, at most 366 days later.
    #[param(value_type = String, format = DateTime, example = "2030-07-01T00:00:00Z")]
    to: Moment,
    /// What each line is about.
    #[serde(default)]
    #[param(inline, required = false)]
    by: By,
    /// `json` or `csv`; where it is left out, as `Accept` says.
    #[param(inline, required = false)]
    format: Option<Format>,
}

/// How usage is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageFormat)]
enum Format {
    Json,
    Csv,
}

/// What was used within a time.
#[derive(Debug, Serialize, ToSchema)]
struct UsageReport {
    /// The beginning of the time.
    #[schema(format = DateTime)]
    from: String,
    /// Its end.
    #[schema(format = DateTime)]
    to: String,
    /// What each line is about.
    by: By,
    /// By day or month, by account, by name of conference or trunk. What has used nothing has no line.
    items: Vec<UsageLine>,
}

/// What was used. Of members that say what a line is about, only that one is not null which was asked for. Minutes have two digits
/// after the point.
#[derive(Debug, Serialize, ToSchema)]
struct UsageLine {
    /// The day, UTC.
    #[schema(example = "2030-06-20", format = Date)]
    day: Option<String>,
    /// The month, UTC.
    #[schema(example = "2030-06", pattern = "^[0-9]{4}-[0-9]{2}$")]
    month: Option<String>,
    /// The account's `cloudID/username`.
    #[schema(example = "1-2-0/bob@example.com")]
    account: Option<String>,
    /// The conference's name; null also: calls that were in none.
    #[schema(example = "Board")]
    conference: Option<String>,
    /// The trunk's name; null also: calls by none.
    #[schema(example = "provider")]
    trunk: Option<String>,
    /// Answered calls that began within the time.
    calls: u64,
    /// Minutes of answered calls, within the time: both of the next two.
    call_minutes: f64,
    /// Of calls that came in.
    incoming_minutes: f64,
    /// Of calls that we placed.
    outgoing_minutes: f64,
    /// Conferences that began within the time; 0 by trunk, like all that follows.
    conferences: u64,
    /// Minutes of participants in conferences.
    seat_minutes: f64,
    /// Minutes of seats of reservations, whether or not they were taken.
    reserved_seat_minutes: f64,
    /// The most participants in conferences at a time.
    peak_seats: u32,
}

impl UsageLine {
    fn new(key: UsageKey, usage: &Usage, accounts: &BTreeMap<AccountId, String>) -> Self {
        let (mut day, mut month, mut account, mut conference, mut trunk) = (None, None, None, None, None);
        match key {
            UsageKey::Day(at) => day = Some(date(at, "2030-06-20")),
            UsageKey::Month(at) => month = Some(date(at, "2030-06")),
            UsageKey::Account(id) => {
                account = Some(accounts.get(&id).cloned().unwrap_or_else(|| id.0.to_string()));
            }
            UsageKey::Conference(_, name) => conference = name,
            UsageKey::Trunk(_, name) => trunk = name,
        }
        Self {
            day,
            month,
            account,
            conference,
            trunk,
            calls: usage.calls,
            call_minutes: minutes(usage.incoming_ms.saturating_add(usage.outgoing_ms)),
            incoming_minutes: minutes(usage.incoming_ms),
            outgoing_minutes: minutes(usage.outgoing_ms),
            conferences: usage.conferences,
            seat_minutes: minutes(usage.seat_ms),
            reserved_seat_minutes: minutes(usage.reserved_seat_ms),
            peak_seats: usage.peak_seats,
        }
    }

    /// What it is about.
    fn subject(&self, by: By) -> &str {
        let subject = match by {
            By::Day => &self.day,
            By::Month => &self.month,
            By::Account => &self.account,
            By::Conference => &self.conference,
            By::Trunk => &self.trunk,
        };
        subject.as_deref().unwrap_or_default()
    }

    fn numbers(&self) -> [String; 8] {
        [
            self.calls.to_string(),
            format!("{:.2}", self.call_minutes),
            format!("{:.2}", self.incoming_minutes),
            format!("{:.2}", self.outgoing_minutes),
            self.conferences.to_string(),
            format!("{:.2}", self.seat_minutes),
            format!("{:.2}", self.reserved_seat_minutes),
            self.peak_seats.to_string(),
        ]
    }
}

/// The headings of [`UsageLine::numbers`].
const NUMBERS: [&str; 8] = [
    "calls",
    "call_minutes",
    "incoming_minutes",
    "outgoing_minutes",
    "conferences",
    "seat_minutes",
    "reserved_seat_minutes",
    "peak_seats",
];

/// A date, as exact as this one.
fn date(at: Timestamp, like: &str) -> String {
    let mut text = time::rfc3339(at);
    text.truncate(like.len());
    text
}

/// Shows what was used
///
/// Minutes of answered calls and of seats in conferences, as far as they are within the time. What goes on at midnight (UTC) is divided
/// among its days or months, and what still goes on counts up to now. By `account` a key with the scope `operator` gets all accounts; others
/// get their own.
#[utoipa::path(get, path = "/v1/usage", operation_id = "get_usage", tag = "records",
    params(UsageOf), security(("bearer" = ["records"])),
    responses((status = 200, description = "What was used; as CSV (RFC 4180) the same lines under a line of headings.",
        content((UsageReport = "application/json"), (String = "text/csv")))))]
async fn show(
    caller: Caller<Records>,
    State(state): State<App>,
    Query(asked): Query<UsageOf>,
    headers: HeaderMap,
) -> Answer {
    let UsageOf { from: Moment(from), to: Moment(to), by, format } = asked;
    if to <= from {
        return Err(ApiError::parameter("to", "must be later than `from`"));
    }
    if to.0.saturating_sub(from.0) > DAYS_MAX * DAY_MS {
        return Err(ApiError::parameter("to", format!("must be at most {DAYS_MAX} days after `from`")));
    }
    let of_all = by == By::Account && caller.access.scopes.includes(Scope::Operator);
    let account = (!of_all).then_some(caller.account);
    let now = state.control.now();
    let usage = state.store.usage(UsageQuery { account, from, to, now, by: by.into() }).await?;
    let accounts: BTreeMap<AccountId, String> = if of_all {
        state.store.list_accounts().await?.iter().map(login).collect()
    } else {
        iter::once(login(&caller.access.account)).collect()
    };
    let items: Vec<UsageLine> =
        usage.into_iter().map(|(key, usage)| UsageLine::new(key, &usage, &accounts)).collect();
    if format.map_or_else(|| prefers_csv(&headers), |format| format == Format::Csv) {
        return Ok(csv(by, &items).answer("usage.csv"));
    }
    let report = UsageReport { from: time::rfc3339(from), to: time::rfc3339(to), by, items };
    let mut response = json(StatusCode::OK, &report);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

fn login(account: &plenary_store::Account) -> (AccountId, String) {
    (account.id, format!("{}/{}", account.cloud_id, account.username))
}

fn csv(by: By, items: &[UsageLine]) -> Csv {
    let mut csv = Csv::default();
    csv.line(iter::once(UsageBy::from(by).name()).chain(NUMBERS));
    for line in items {
        let numbers = line.numbers();
        csv.line(iter::once(line.subject(by)).chain(numbers.iter().map(String::as_str)));
    }
    csv
}

/// CSV is asked for, and nothing that comes before it.
fn prefers_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let first = kinds.into_iter().find(|kind| {
        ["text/csv", "application/json", "*/*"].iter().any(|known| known.eq_ignore_ascii_case(kind))
    });
    first.is_some_and(|kind| kind.eq_ignore_ascii_case("text/csv"))
}
