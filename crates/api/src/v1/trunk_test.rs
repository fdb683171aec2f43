//! Tests a trunk: whether its server answers, and whether a call through it is answered.

use super::{
    access::{Caller, Config},
    body::Body,
};
use crate::{
    answer::{Answer, to_the_end},
    control::{Invitation, ParticipantState},
    error::{ApiError, UNKNOWN_TRUNK},
    extract::Segments,
    json::json,
    operator::Ping,
    state::App,
};
use axum::{extract::State, http::StatusCode};
use data_encoding::HEXLOWER;
use plenary_conference::{ConferenceName, ParticipantId};
use plenary_model::{AccountId, FieldError, ParticipantOptions, Trunk};
use serde::{Deserialize, Serialize};
use std::{ops::RangeInclusive, time::Duration};
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

const WAIT_S: RangeInclusive<u32> = 5..=60;
/// How often is looked how far the call is: so exact are its times.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a call that is hung up may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(test))
}

/// What is tested.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestBody {
    /// Who is called through the trunk; null: nobody, only OPTIONS is sent. The call is hung up as soon as it is answered.
    #[schema(example = "tel:+441908273800")]
    to: Option<String>,
    /// For how long it may ring.
    #[serde(default = "wait_s")]
    #[schema(minimum = 5, maximum = 60, default = 30)]
    wait_s: u32,
}

fn wait_s() -> u32 {
    30
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
struct TrunkTest {
    /// Of OPTIONS.
    options: OptionsTest,
    /// Of the call; null: none was asked for.
    call: Option<CallTest>,
}

/// Whether the server answers OPTIONS. Any status shows that it is there.
#[derive(Debug, Serialize, ToSchema)]
struct OptionsTest {
    /// The SIP status; null: none came.
    #[schema(example = 200)]
    status: Option<u16>,
    /// Its phrase.
    #[schema(example = "OK")]
    reason: Option<String>,
    /// How long the answer took, DNS included.
    duration_ms: u64,
    /// Why none came; null: one came.
    error: Option<String>,
}

impl From<Ping> for OptionsTest {
    fn from(Ping { outcome, took }: Ping) -> Self {
        let duration_ms = millis(took);
        match outcome {
            Ok((status, reason)) => {
                Self { status: Some(status), reason: Some(reason), duration_ms, error: None }
            }
            Err(error) => Self { status: None, reason: None, duration_ms, error: Some(error) },
        }
    }
}

/// What came of a call. Its times are counted from its beginning, to a twentieth of a second.
#[derive(Debug, Serialize, ToSchema)]
struct CallTest {
    /// Who was called.
    to: String,
    /// The call's id, by which its record and its messages are found.
    #[schema(value_type = String, example = "01234567a1b1c1c2.234")]
    participant_id: ParticipantId,
    /// What became of it.
    outcome: CallTestOutcome,
    /// The SIP status with which it failed; 200: it was answered.
    #[schema(example = 200)]
    status: Option<u16>,
    /// Why it failed.
    reason: Option<String>,
    /// When it rang; null: it did not.
    ringing_after_ms: Option<u64>,
    /// When it was answered; null: it was not.
    answered_after_ms: Option<u64>,
    /// When it was over.
    ended_after_ms: u64,
}

/// What became of a test call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CallTestOutcome {
    /// It was answered, and hung up.
    Answered,
    /// It was refused, or could not be placed.
    Refused,
    /// It was not answered in time.
    NoAnswer,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Tests a trunk
///
/// Sends OPTIONS to its server, and places a call through it where `to` is given: in a conference of its own, and hung up as soon
/// as it is answered. It may cost money. The answer comes when all is over.
#[utoipa::path(post, path = "/v1/trunks/{name}/test", operation_id = "test_trunk", tag = "trunks",
    params(("name" = String, Path, description = "The trunk's name.", example = "office")),
    request_body(content = TestBody, example = json!({"to": "tel:+441908273800"})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "What came of it.", body = TrunkTest),
        (status = 403, description = "The trunk does not serve `to` (1301)."),
        (status = 409, description = "All lines of the trunk are in use (1209), or no seat is left (1206).")))]
async fn test(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Body(TestBody { to, wait_s }): Body<TestBody>,
) -> Answer {
    let state = caller.acting(state);
    let account = caller.account;
    if !WAIT_S.contains(&wait_s) {
        let text = format!("must be {} to {}", WAIT_S.start(), WAIT_S.end());
        return Err(ApiError::members(vec![FieldError::new("/wait_s", text)]));
    }
    let unknown = || ApiError::coded(UNKNOWN_TRUNK, "there is no trunk of this name");
    let stored = state.store.trunk(account, &name).await?.ok_or_else(unknown)?;
    // Its password is not needed for OPTIONS.
    let trunk = Trunk::new(account, &name, &stored.body, None).map_err(ApiError::members)?;
    to_the_end(async move {
        let call = async {
            match to {
                Some(to) => test_call(&state, account, &name, to, wait_s).await.map(Some),
                None => Ok(None),
            }
        };
        let (options, call) = tokio::join!(state.operator.ping(&trunk), call);
        Ok(json(StatusCode::OK, &TrunkTest { options: options.into(), call: call? }))
    })
    .await
}

async fn test_call(
    state: &App,
    account: AccountId,
    trunk: &str,
    to: String,
    wait_s: u32,
) -> Result<CallTest, ApiError> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).expect("the kernel's generator does not fail once the system has started");
    let conference = ConferenceName::new(format!("TrunkTest{}", HEXLOWER.encode(&random)));
    let invitation = Invitation {
        to: to.clone(),
        trunk: Some(trunk.to_owned()),
        options: ParticipantOptions::default(),
        ring_seconds: wait_s,
        from: None,
        display_name: None,
        confirm: None,
        redial: false,
    };
    let begun = Instant::now();
    let after = || millis(begun.elapsed());
    let id = state.control.invite(account, conference.clone(), invitation).await?;
    let mut result = CallTest {
        to,
        participant_id: id.clone(),
        outcome: CallTestOutcome::NoAnswer,
        status: None,
        reason: None,
        ringing_after_ms: None,
        answered_after_ms: None,
        ended_after_ms: 0,
    };
    // The engine gives the call up by itself; this is for the case that it does not.
    let deadline = begun + Duration::from_secs(u64::from(wait_s)) + ENDED_WITHIN;
    while Instant::now() < deadline {
        let report = state.control.participant(account, conference.clone(), id.clone()).await;
        // Its past is forgotten: it is over.
        let Ok(report) = report else { break };
        match report.participant.state {
            ParticipantState::Calling => {}
            ParticipantState::Ringing => {
                result.ringing_after_ms.get_or_insert_with(after);
            }
            ParticipantState::Waiting | ParticipantState::In | ParticipantState::Held => {
                result.outcome = CallTestOutcome::Answered;
                (result.status, result.answered_after_ms) = (Some(200), Some(after()));
                break;
            }
            ParticipantState::Failed | ParticipantState::Ended => {
                (result.status, result.reason) = (report.participant.status, report.participant.reason);
                if result.status != Some(408) {
                    result.outcome = CallTestOutcome::Refused;
                }
                break;
            }
        }
        sleep(LOOK_EVERY).await;
    }
    // It is over already where it has failed.
    let removed = state.control.remove_participant(account, conference.clone(), id.clone()).await.is_ok();
    let ended_by = Instant::now() + ENDED_WITHIN;
    while removed && Instant::now() < ended_by {
        let report = state.control.participant(account, conference.clone(), id.clone()).await;
        let is_over = |state| matches!(state, ParticipantState::Ended | ParticipantState::Failed);
        if report.map_or(true, |report| is_over(report.participant.state)) {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    result.ended_after_ms = after();
    Ok(result)
}
