//! The seven services of the specification. Names of properties, their order and their types are its own.

use super::json;
use crate::{
    control::ConferenceControl,
    error::{ApiError, out_of_range},
    params::Params,
    time,
};
use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use plenary_conference::{
    AccountId, ConferenceName, ParticipantId, Refused, ReservationToken, ServiceName,
    conferences::{ConferenceRef, ConferenceSummary, State},
    reservation::{ReservationRequest, check_new},
};
use serde::Serialize;

/// Which service a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    ReservationCreate,
    ReservationModify,
    ReservationRemove,
    List,
    ParticipantList,
    ParticipantSetOptions,
    ParticipantEject,
}

impl Service {
    pub(crate) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/conference_reservation_create" => Self::ReservationCreate,
            "/conference_reservation_modify" => Self::ReservationModify,
            "/conference_reservation_remove" => Self::ReservationRemove,
            "/conference_list" => Self::List,
            "/conference_participant_list" => Self::ParticipantList,
            "/conference_participant_set_options" => Self::ParticipantSetOptions,
            "/conference_participant_eject" => Self::ParticipantEject,
            _ => return None,
        })
    }

    /// It changes something, by whatever method it is asked.
    pub(crate) fn changes(self) -> bool {
        match self {
            Self::ReservationCreate
            | Self::ReservationModify
            | Self::ReservationRemove
            | Self::ParticipantSetOptions
            | Self::ParticipantEject => true,
            Self::List | Self::ParticipantList => false,
        }
    }

    pub(crate) async fn run(
        self,
        control: &dyn ConferenceControl,
        account: AccountId,
        params: Params,
    ) -> Result<Response<Body>, ApiError> {
        match self {
            Self::ReservationCreate => create(control, account, params).await,
            Self::ReservationModify => modify(control, account, params).await,
            Self::ReservationRemove => remove(control, account, params).await,
            Self::List => list(control, account, params).await,
            Self::ParticipantList => participants(control, account, params).await,
            Self::ParticipantSetOptions => set_options(control, account, params).await,
            Self::ParticipantEject => eject(control, account, params).await,
        }
    }
}

fn ok(body: &impl Serialize) -> Result<Response<Body>, ApiError> {
    Ok(json(StatusCode::OK, body))
}

async fn create(
    control: &dyn ConferenceControl,
    account: AccountId,
    mut params: Params,
) -> Result<Response<Body>, ApiError> {
    #[derive(Serialize)]
    struct Created {
        reservation_token: ReservationToken,
    }
    let name = params.required("conference_name");
    let max_participants = params.required_number("max_participants");
    let starts_at = params.required_time("start_time");
    let duration_minutes = params.required_number("duration");
    let divert = params.optional("divert");

    // What is missing is stood in for by something allowed, so that all that is out of range can be told as well.
    let limits = control.limits();
    let now = control.now();
    let request = ReservationRequest {
        name: ConferenceName::new(name.unwrap_or_else(|| "x".to_owned())),
        max_participants: max_participants.unwrap_or(limits.min_participants),
        starts_at: starts_at.unwrap_or_else(|| now.plus_minutes(limits.max_notice_minutes)),
        duration_minutes: duration_minutes.unwrap_or(limits.min_duration_minutes),
        divert: divert.map(ServiceName::new),
    };
    if let Err(Refused::OutOfRange(wrong)) = check_new(&request, limits, now) {
        params.add_problems(out_of_range(wrong));
    }
    params.finish()?;
    ok(&Created { reservation_token: control.reserve(account, request).await? })
}

async fn modify(
    control: &dyn ConferenceControl,
    account: AccountId,
    mut params: Params,
) -> Result<Response<Body>, ApiError> {
    #[derive(Serialize)]
    struct Extended {
        extended: bool,
    }
    let token = params.required("reservation_token");
    let minutes = params.required_number("duration");
    let limits = control.limits();
    let range = limits.min_extend_minutes..=limits.max_extend_minutes;
    if let Some(minutes) = minutes
        && !range.contains(&minutes)
    {
        params.add_problems(out_of_range(vec![plenary_conference::refused::OutOfRange {
            parameter: "duration".into(),
            text: format!("must be between {} and {} minutes, not {minutes}", range.start(), range.end()),
        }]));
    }
    params.finish()?;
    let (token, minutes) = (token.unwrap_or_default(), minutes.unwrap_or_default());
    control.extend(account, ReservationToken::new(token), minutes).await?;
    ok(&Extended { extended: true })
}

async fn remove(
    control: &dyn ConferenceControl,
    account: AccountId,
    mut params: Params,
) -> Result<Response<Body>, ApiError> {
    #[derive(Serialize)]
    struct Removed {
        removed: bool,
    }
    let token = params.required("reservation_token");
    params.finish()?;
    control.remove(account, ReservationToken::new(token.unwrap_or_default())).await?;
    ok(&Removed { removed: true })
}

/// A line of the conference list: the fields of a reservation are there for reserved conferences only, `divert` only
/// where one was given.
#[derive(Serialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_token: Option<ReservationToken>,
    conference_name: ConferenceName,
    max_participants: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_datetime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divert: Option<ServiceName>,
    status: State,
}

impl From<ConferenceSummary> for Line {
    fn from(summary: ConferenceSummary) -> Self {
        let reservation = summary.reservation.as_ref();
        Self {
            reservation_token: reservation.map(|reservation| reservation.token.clone()),
            start_time: reservation.map(|reservation| time::with_minutes(reservation.starts_at)),
            start_datetime: reservation.map(|reservation| time::with_seconds(reservation.starts_at)),
            duration: reservation.map(|reservation| reservation.duration_minutes),
            divert: reservation.and_then(|reservation| reservation.divert.clone()),
            conference_name: summary.name,
            max_participants: summary.max_participants,
            status: summary.state,
        }
    }
}

async fn list(
    control: &dyn ConferenceControl,
    account: AccountId,
    params: Params,
) -> Result<Response<Body>, ApiError> {
    params.finish()?;
    let lines: Vec<Line> = control.list(account).await?.into_iter().map(Line::from).collect();
    ok(&lines)
}

/// The conference that a request means: by name, by token, or by both.
fn conference(params: &mut Params) -> Option<ConferenceRef> {
    let had_problems = params.has_problems();
    let name = params.optional("conference_name").map(ConferenceName::new);
    let token = params.optional("reservation_token").map(ReservationToken::new);
    match (name, token) {
        (Some(name), Some(token)) => Some(ConferenceRef::Both(name, token)),
        (Some(name), None) => Some(ConferenceRef::Name(name)),
        (None, Some(token)) => Some(ConferenceRef::Token(token)),
        (None, None) => {
            if !params.has_problems() || had_problems {
                params.missing("conference_name or reservation_token is missing: one of them is needed");
            }
            None
        }
    }
}

async fn participants(
    control: &dyn ConferenceControl,
    account: AccountId,
    mut params: Params,
) -> Result<Response<Body>, ApiError> {
    #[derive(Serialize)]
    struct Participant {
        participant_id: ParticipantId,
        muted: bool,
        dtmf_enabled: bool,
    }
    #[derive(Serialize)]
    struct Participants {
        status: State,
        participants: Vec<Participant>,
    }
    let which = conference(&mut params);
    params.finish()?;
    let Some(which) = which else { return Err(ApiError::problems(Vec::new())) };
    let (status, roster) = control.participants(account, which).await?;
    let participants = roster
        .into_iter()
        .map(|summary| Participant {
            participant_id: summary.id,
            muted: summary.muted,
            dtmf_enabled: summary.dtmf_enabled,
        })
        .collect();
    ok(&Participants { status, participants })
}

async fn set_options(
    control: &dyn ConferenceControl,
    account: AccountId,
    mut params: Params,
) -> Result<Response<Body>, ApiError> {
    #[derive(Serialize)]
    struct OptionsSet {
        options_set: bool,
    }
    let which = conference(&mut params);
    let participant = params.required("participant_id");
    let before = params.has_problems();
    let muted = params.optional_truth("muted");
    let dtmf_enabled = params.optional_truth("dtmf_enabled");
    if muted.is_none() && dtmf_enabled.is_none() && params.has_problems() == before {
        params.missing("muted or dtmf_enabled is missing: at least one of them is needed");
    }
    params.finish()?;
    let Some(which) = which else { return Err(ApiError::problems(Vec::new())) };
    let participant = ParticipantId::new(participant.unwrap_or_default());
    control.set_options(account, which, participant, muted, dtmf_enabled).await?;
    ok(&OptionsSet { options_set: true })
}

async fn eject(
    control: &dyn ConferenceControl,
    account: AccountId,
    mut params: Params,
) -> Result<Response<Body>, ApiError> {
    #[derive(Serialize)]
    struct Ejected {
        ejected: bool,
    }
    let which = conference(&mut params);
    let participant = params.required("participant_id");
    params.finish()?;
    let Some(which) = which else { return Err(ApiError::problems(Vec::new())) };
    control.eject(account, which, ParticipantId::new(participant.unwrap_or_default())).await?;
    ok(&Ejected { ejected: true })
}
