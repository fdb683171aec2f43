//! Numbers and names of people in what is stored, and taking them out.

use super::{
    access::{Caller, Records},
    list::Query,
};
use crate::{
    answer::{Answer, to_the_end},
    error::ApiError,
    json::json,
    state::App,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::Redaction;
use plenary_store::Redacted;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

const NUMBER_CHARS_MAX: usize = 256;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(remove))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Person {
    /// The number, in any spelling (RFC 3966), or the name. A `+` is written `%2B` in a URL.
    #[param(min_length = 1, max_length = 256, example = "+4930123456")]
    number: String,
    /// What is left: with `true` a number without its last four digits, with `false` nothing.
    #[serde(default)]
    #[param(required = false, default = false)]
    mask: bool,
}

/// What was found of a person, and removed.
#[derive(Debug, Serialize, ToSchema)]
struct RemovedPersonalData {
    /// Call records.
    call_records: u64,
    /// Stays in conferences of the history, which show the number of the call's record.
    history: u64,
    /// Events. Webhooks are sent what is left of them.
    events: u64,
    /// Entries of the audit log about conferences.
    audit: u64,
    /// Calls that failed and whose messages were kept: they are deleted.
    messages: u64,
}

impl From<Redacted> for RemovedPersonalData {
    fn from(Redacted { calls, history, events, audit, messages }: Redacted) -> Self {
        Self { call_records: calls, history, events, audit, messages }
    }
}

/// Removes a number from what is stored
///
/// From the records of calls that are over, and so from the history of conferences, from events, and so from what webhooks are sent, from
/// what the audit log tells of conferences, each of which stays without the number and the names by which the person was shown; and with
/// the messages of calls that failed. For calls that go on, ask again when they are over.
#[utoipa::path(delete, path = "/v1/personal-data", operation_id = "remove_personal_data", tag = "records",
    params(Person), security(("bearer" = ["records"])),
    responses((status = 200, description = "How often it was found and removed.", body = RemovedPersonalData)))]
async fn remove(
    caller: Caller<Records>,
    State(state): State<App>,
    Query(Person { number, mask }): Query<Person>,
) -> Answer {
    let state = caller.acting(state);
    // In a query `+` stands for a space: a number that begins with one was meant to begin with `+`.
    let number = match number.strip_prefix(' ') {
        Some(digits) => format!("+{digits}"),
        None => number,
    };
    if number.is_empty() || number.chars().count() > NUMBER_CHARS_MAX {
        return Err(ApiError::parameter("number", format!("has 1 to {NUMBER_CHARS_MAX} characters")));
    }
    let how = if mask { Redaction::Mask } else { Redaction::Drop };
    to_the_end(async move {
        let at = state.control.now();
        let found = state.store.redact_number(caller.account, &number, how, at).await?;
        Ok(json(StatusCode::OK, &RemovedPersonalData::from(found)))
    })
    .await
}
