//! Calling participants into a conference.

use super::shown::{Participant, check_display_name, show};
use crate::{
    answer::{Answer, to_the_end},
    control::Invitation,
    error::{ApiError, problem::Problem},
    extract::{RequestId, Segments},
    json::{json, present},
    params::percent_encode,
    state::App,
    v1::{
        access::{Caller, Control},
        body::Body,
    },
};
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
};
use plenary_conference::{
    AccountId, ConferenceName, Digit, ParticipantOptions, reservation::is_conference_name,
};
use plenary_model::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

const RING_S: RangeInclusive<u32> = 5..=180;
const RING_S_DEFAULT: u32 = 45;
/// Participants that one request may call, at the most.
const CALLS_MAX: usize = 100;

/// A call to a participant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    /// `tel:+441908273800`, `sip:user@host` or `user:alice`.
    #[schema(example = "tel:+441908273800")]
    to: String,
    /// The trunk. Left out: the first that serves `to`, and the next where that one fails.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    trunk: Option<String>,
    /// The number or user name that the called side sees. Left out: that of the trunk.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, pattern = "^[A-Za-z0-9._+-]{1,64}$")]
    from: Option<String>,
    /// The name by which the participant is shown.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1)]
    display_name: Option<String>,
    /// What the participant may do.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    participant: Option<ParticipantOptions>,
    /// For how long it may ring.
    #[serde(default = "ring_s")]
    #[schema(minimum = 5, maximum = 180)]
    ring_s: u32,
    /// The key by which the called participant confirms that it joins, so that no answering machine does. Left out: it is in as soon as it
    /// has answered.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, value_type = String, pattern = "^[0-9*#A-Da-d]$", example = "1")]
    confirm: Option<Digit>,
    /// It is called again, once, where its call is cut off by a failure.
    #[serde(default)]
    redial: bool,
}

fn ring_s() -> u32 {
    RING_S_DEFAULT
}

/// Several calls at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Calls {
    /// Each of them.
    #[schema(min_items = 1, max_items = 100)]
    calls: Vec<Call>,
}

/// One or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "for the description alone: errors of one form are clearer than errors of either"
)]
pub(super) enum CallOrCalls {
    One(Box<Call>),
    Several(Calls),
}

/// The results of several calls, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Called {
    items: Vec<CalledItem>,
}

/// The result of one call.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CalledItem {
    /// The participant; null: the call is not placed.
    participant: Option<Participant>,
    /// Why the call is not placed; null if it is.
    #[schema(value_type = Option<Problem<'static>>)]
    problem: Option<Value>,
}

impl Call {
    pub(super) fn check(&self, at: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let wrong = |member: &str, text: String| FieldError::new(format!("{at}/{member}"), text);
        if !RING_S.contains(&self.ring_s) {
            errors.push(wrong("ring_s", format!("must be {} to {}", RING_S.start(), RING_S.end())));
        }
        if self.from.as_deref().is_some_and(|from| !plenary_model::is_user(from)) {
            errors.push(wrong("from", "has 1 to 64 letters, digits and -_.+".to_owned()));
        }
        errors.extend(check_display_name(&format!("{at}/display_name"), self.display_name.as_deref()).err());
        errors
    }

    fn invitation(self) -> Invitation {
        let Self { to, trunk, from, display_name, participant, ring_s, confirm, redial } = self;
        let options = participant.unwrap_or_default();
        Invitation { to, trunk, options, ring_seconds: ring_s, from, display_name, confirm, redial }
    }
}

/// Calls participants into a conference
///
/// One (`{"to": …}`) or several (`{"calls": […]}`). Each seat is taken when the answer comes; the call goes on by itself, and
/// `GET` of the participant says how far it has come. Of several each is called or not on its own.
#[utoipa::path(post, path = "/v1/conferences/{name}/participants", operation_id = "call_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = CallOrCalls, example = json!({"to": "tel:+441908273800", "display_name": "Reception"})),
    security(("bearer" = ["control"])),
    responses((status = 202, description = "The participant that is being called; of several what came of each.",
            body = CalledAnswer),
        (status = 403, description = "No trunk may call there (1301), or the key lacks the scope."),
        (status = 409, description = "No seat is left (1206), all lines are in use (1209), the user is not registered (1210).")))]
pub(super) async fn call(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    request_id: RequestId,
    Body(body): Body<Value>,
) -> Answer {
    let state = caller.acting(state);
    let account = caller.account;
    if !is_conference_name(&name) {
        return Err(ApiError::parameter("name", "a conference's name has 1 to 47 letters and digits"));
    }
    if body.get("calls").is_none() {
        let call: Call = plenary_model::read_value(body).map_err(ApiError::members)?;
        let errors = call.check("");
        if !errors.is_empty() {
            return Err(ApiError::members(errors));
        }
        return to_the_end(async move {
            let shown = place(&state, account, &name, call).await?;
            let location = format!(
                "/v1/conferences/{}/participants/{}",
                percent_encode(&name),
                percent_encode(shown.participant_id.as_str())
            );
            let mut response = json(StatusCode::ACCEPTED, &CalledAnswer::One(Box::new(shown)));
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            Ok(response)
        })
        .await;
    }
    let Calls { calls } = plenary_model::read_value(body).map_err(ApiError::members)?;
    if !(1..=CALLS_MAX).contains(&calls.len()) {
        let error = FieldError::new("/calls", format!("has 1 to {CALLS_MAX} calls"));
        return Err(ApiError::members(vec![error]));
    }
    let at = |index| format!("/calls/{index}");
    let errors: Vec<FieldError> =
        calls.iter().enumerate().flat_map(|(index, call)| call.check(&at(index))).collect();
    if !errors.is_empty() {
        return Err(ApiError::members(errors));
    }
    to_the_end(async move {
        let mut items = Vec::with_capacity(calls.len());
        for call in calls {
            items.push(match place(&state, account, &name, call).await {
                Ok(participant) => CalledItem { participant: Some(participant), problem: None },
                Err(error) => {
                    CalledItem { participant: None, problem: Some(error.problem_of(&request_id.0)) }
                }
            });
        }
        Ok(json(StatusCode::ACCEPTED, &CalledAnswer::Several(Called { items })))
    })
    .await
}

/// The answer to a call, or to several.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum CalledAnswer {
    One(Box<Participant>),
    Several(Called),
}

async fn place(state: &App, account: AccountId, name: &str, call: Call) -> Result<Participant, ApiError> {
    let conference = ConferenceName::new(name);
    let participant = state.control.invite(account, conference.clone(), call.invitation()).await?;
    show(state, account, conference, participant).await
}
