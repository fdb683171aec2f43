//! Participants of conferences: who is in, calling one, how a call is doing, ending it, sending it elsewhere.

use crate::{
    answer::{Answer, read, to_the_end},
    control::{
        Direction, Invitation, Participant, ParticipantChange, ParticipantReport, ParticipantState,
        PartyState, SoundChange, SoundSettings,
    },
    error::{ApiError, BAD_TARGET, OUT_OF_RANGE},
    extract::{Account, Segments, Whole},
    json::{given, json},
    methods::only,
    state::App,
    time,
};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use plenary_calls::DISPLAY_NAME_LENGTH_MAX;
use plenary_conference::{
    ConferenceName, ParticipantId, ParticipantOptions, conferences::MutedBy, reservation::is_conference_name,
};
use plenary_model::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value};
use std::ops::RangeInclusive;

const RING_SECONDS: RangeInclusive<u32> = 5..=180;
const RING_SECONDS_DEFAULT: u32 = 45;

pub(crate) fn routes() -> Router<App> {
    const OF: &str = "/service/v1/conference/{name}/participants";
    Router::new()
        .route(OF, only("GET, HEAD, POST", get(list).post(invite)))
        .route(&format!("{OF}/{{id}}"), only("GET, HEAD, PATCH, DELETE", get(one).patch(change).delete(end)))
        .route(&format!("{OF}/{{id}}/transfer"), only("POST", post(transfer)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InviteBody {
    to: String,
    #[serde(default)]
    trunk: Option<String>,
    #[serde(default)]
    participant: Option<Value>,
    #[serde(default)]
    ring_seconds: Option<u32>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
}

/// What is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    muted: Option<bool>,
    dtmf_enabled: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    display_name: Option<Option<String>>,
    sound: Option<Value>,
}

/// A name that can be shown as it is.
fn check_display_name(name: Option<&str>) -> Result<(), ApiError> {
    let fits = |name: &str| {
        (1..=DISPLAY_NAME_LENGTH_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    if name.is_none_or(fits) {
        return Ok(());
    }
    Err(ApiError::coded(
        OUT_OF_RANGE,
        format!(
            "display_name: has 1 to {DISPLAY_NAME_LENGTH_MAX} characters, none of them a control character"
        ),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferBody {
    to: String,
}

/// What is wrong is named below `participant`.
fn participant_options(options: &Value) -> Result<ParticipantOptions, ApiError> {
    plenary_model::read_value(options.clone()).map_err(|mut errors| {
        let first = errors.swap_remove(0);
        let pointer = format!("/participant{}", first.pointer);
        wrong(FieldError { pointer, ..first }.to_string())
    })
}

fn wrong(text: impl Into<String>) -> ApiError {
    ApiError::coded(BAD_TARGET, text)
}

/// A line of the list.
#[derive(Serialize)]
struct Line<'a> {
    participant_id: &'a ParticipantId,
    display_name: Option<&'a str>,
    from: &'a str,
    direction: Direction,
    admitted_by: Option<&'static str>,
    muted: bool,
    muted_by: Option<MutedBy>,
    dtmf_enabled: bool,
    entered_at: Option<String>,
    leader: bool,
    state: ParticipantState,
    talking: bool,
    sound: Option<SoundSettings>,
    statistics: &'a Value,
}

impl<'a> From<&'a ParticipantReport> for Line<'a> {
    fn from(report: &'a ParticipantReport) -> Self {
        let ParticipantReport { participant, statistics } = report;
        Self {
            participant_id: &participant.id,
            display_name: participant.display_name.as_deref(),
            from: &participant.name,
            direction: participant.direction,
            admitted_by: participant.admitted_by,
            muted: participant.muted_by.is_some(),
            muted_by: participant.muted_by,
            dtmf_enabled: participant.dtmf_enabled,
            entered_at: participant.entered_at.map(time::rfc3339),
            leader: participant.is_leader,
            state: participant.state,
            talking: participant.talking,
            sound: participant.sound,
            statistics,
        }
    }
}

/// How the call of a participant is doing.
fn party(participant: Participant) -> PartyState {
    PartyState {
        participant_id: participant.id,
        direction: match participant.direction {
            Direction::In => "in",
            Direction::Out => "out",
        },
        to: participant.to,
        from: participant.from,
        display_name: participant.display_name,
        state: match participant.state {
            ParticipantState::Calling => "calling",
            ParticipantState::Ringing => "ringing",
            ParticipantState::Waiting | ParticipantState::In | ParticipantState::Held => "answered",
            ParticipantState::Ended => "ended",
            ParticipantState::Failed => "failed",
        },
        status: participant.status,
        reason: participant.reason,
        trunk: participant.trunk,
        transfer: participant.transfer,
    }
}

/// Each with what is measured of the call.
async fn list(State(state): State<App>, Account(account): Account, Segments([name]): Segments<1>) -> Answer {
    let roster = state.control.roster(account, ConferenceName::new(name)).await?;
    Ok(json(StatusCode::OK, &roster.iter().map(Line::from).collect::<Vec<_>>()))
}

async fn invite(
    State(state): State<App>,
    Account(account): Account,
    Segments([name]): Segments<1>,
    Whole(body): Whole,
) -> Answer {
    let body: InviteBody = crate::json::parse(&body).map_err(|error| {
        wrong(format!(
            "body: must be {{\"to\": \"tel:+…\"}}, with trunk, participant, ring_seconds and from where wanted: {error}"
        ))
    })?;
    if !is_conference_name(&name) {
        return Err(wrong("conference: its name has 1 to 47 letters and digits"));
    }
    let options = match &body.participant {
        None => ParticipantOptions::default(),
        Some(options) => participant_options(options)?,
    };
    let ring_seconds = body.ring_seconds.unwrap_or(RING_SECONDS_DEFAULT);
    if !RING_SECONDS.contains(&ring_seconds) {
        return Err(wrong(format!(
            "ring_seconds: must be {} to {}",
            RING_SECONDS.start(),
            RING_SECONDS.end()
        )));
    }
    if body.from.as_deref().is_some_and(|from| !plenary_model::is_user(from)) {
        return Err(wrong("from: has 1 to 64 letters, digits and -_.+"));
    }
    check_display_name(body.display_name.as_deref())?;
    let InviteBody { to, trunk, from, display_name, .. } = body;
    let invitation = Invitation { to, trunk, options, ring_seconds, from, display_name };
    to_the_end(async move {
        let party = state.control.invite(account, ConferenceName::new(name), invitation).await?;
        Ok(json(StatusCode::ACCEPTED, &party))
    })
    .await
}

async fn one(
    State(state): State<App>,
    Account(account): Account,
    Segments([name, id]): Segments<2>,
) -> Answer {
    let report =
        state.control.participant(account, ConferenceName::new(name), ParticipantId::new(id)).await?;
    Ok(json(StatusCode::OK, &party(report.participant)))
}

async fn change(
    State(state): State<App>,
    Account(account): Account,
    Segments([name, id]): Segments<2>,
    Whole(body): Whole,
) -> Answer {
    let ChangeBody { muted, dtmf_enabled, display_name, sound } = read(&body)?;
    check_display_name(display_name.as_ref().and_then(Option::as_deref))?;
    let sound = match sound {
        Some(sound) => super::sound::change(sound.to_string().as_bytes(), true)?,
        None => SoundChange::default(),
    };
    let change = ParticipantChange { muted, dtmf_enabled, display_name, sound };
    let (name, id) = (ConferenceName::new(name), ParticipantId::new(id));
    to_the_end(async move {
        state.control.change_participant(account, name.clone(), id.clone(), change).await?;
        let report = state.control.participant(account, name, id).await?;
        Ok(json(StatusCode::OK, &Line::from(&report)))
    })
    .await
}

async fn end(
    State(state): State<App>,
    Account(account): Account,
    Segments([name, id]): Segments<2>,
) -> Answer {
    to_the_end(async move {
        state.control.remove_participant(account, ConferenceName::new(name), ParticipantId::new(id)).await?;
        Ok(json(StatusCode::OK, &value!({ "ended": true })))
    })
    .await
}

async fn transfer(
    State(state): State<App>,
    Account(account): Account,
    Segments([name, id]): Segments<2>,
    Whole(body): Whole,
) -> Answer {
    let body: TransferBody = crate::json::parse(&body)
        .map_err(|error| wrong(format!("body: must be {{\"to\": \"sip:…\"}}: {error}")))?;
    let (name, id) = (ConferenceName::new(name), ParticipantId::new(id));
    to_the_end(async move {
        let party = state.control.transfer(account, name, id, body.to).await?;
        Ok(json(StatusCode::ACCEPTED, &party))
    })
    .await
}
