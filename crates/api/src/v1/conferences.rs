//! Conferences in progress: which there are, what is set for one, muting all, ending it.

use super::{
    access::{Caller, Control, Read},
    body::Body,
    list::{Cursor, Limit, List, Page, Query},
    recording::ConferenceRecording,
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    control::{ConferenceChange, ControlError},
    error::ApiError,
    extract::Segments,
    json::{json, present},
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_conference::{
    AccountId, ConferenceName, ControlsChange, Refused, State as ConferenceState, Timestamp,
    conferences::ConferenceOverview,
};
use plenary_model::FieldError;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, change, end))
        .routes(routes!(mute))
        .routes(routes!(admit))
        .routes(routes!(extend))
        .routes(routes!(warn_of_end))
        .routes(routes!(refuse))
}

/// A conference.
#[derive(Debug, Serialize, ToSchema)]
struct Conference {
    /// Its name.
    #[schema(value_type = String, example = "Board")]
    name: ConferenceName,
    /// How far it has come.
    state: Phase,
    /// It has a reservation.
    reserved: bool,
    /// Its seats.
    max_participants: u32,
    /// Participants who are in while it is `active`.
    participants: usize,
    /// Participants who wait: for it to start, or in the lobby while it is `active`.
    waiting: usize,
    /// Since when it is `active`.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// When its reservation ends.
    #[schema(format = DateTime)]
    ends_at: Option<String>,
    /// New callers are refused.
    locked: bool,
    /// Only leaders may speak.
    lecture: bool,
    /// Participants are muted as they enter.
    muted_on_entry: bool,
    /// Participants that a leader muted may unmute themselves.
    self_unmute: bool,
    /// Its recording; null: it is not recorded.
    recording: Option<ConferenceRecording>,
}

/// How far a conference has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Its time has not come.
    Reserved,
    /// Participants wait for it to start, or for its leader to come back.
    Holding,
    /// Participants hear each other.
    Active,
    /// Its reservation is over.
    Completed,
}

impl From<ConferenceState> for Phase {
    fn from(state: ConferenceState) -> Self {
        match state {
            ConferenceState::Reserved => Self::Reserved,
            ConferenceState::Holding => Self::Holding,
            ConferenceState::Active => Self::Active,
            ConferenceState::Completed => Self::Completed,
        }
    }
}

impl From<Phase> for ConferenceState {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Reserved => Self::Reserved,
            Phase::Holding => Self::Holding,
            Phase::Active => Self::Active,
            Phase::Completed => Self::Completed,
        }
    }
}

impl From<ConferenceOverview> for Conference {
    fn from(overview: ConferenceOverview) -> Self {
        let controls = overview.controls.unwrap_or_default();
        let written = |at: Timestamp| time::rfc3339(at);
        Self {
            name: overview.name,
            state: overview.state.into(),
            reserved: overview.reservation.is_some(),
            max_participants: overview.max_participants,
            participants: overview.participants,
            waiting: overview.waiting,
            started_at: overview.started_at.map(written),
            ends_at: overview.reservation.map(|reservation| written(reservation.ends_at())),
            locked: controls.locked,
            lecture: controls.lecture,
            muted_on_entry: controls.muted_on_entry,
            self_unmute: controls.self_unmute,
            recording: overview.recording.map(ConferenceRecording::from),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only conferences in this state.
    #[param(inline, required = false)]
    state: Option<Phase>,
    /// Items at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    cursor: Option<Cursor>,
}

/// Lists conferences
///
/// Reserved conferences and those in progress, by name.
#[utoipa::path(get, path = "/v1/conferences", operation_id = "list_conferences", tag = "conferences",
    params(Filter), security(("bearer" = ["read"])),
    responses((status = 200, description = "Some of the conferences.", body = List<Conference>)))]
async fn list(caller: Caller<Read>, State(state): State<App>, Query(filter): Query<Filter>) -> Answer {
    let Filter { state: wanted, limit, cursor } = filter;
    let page = Page { limit, cursor };
    let after = page.after().map(ConferenceName::new);
    let wanted = wanted.map(ConferenceState::from);
    let found = state.control.conferences(caller.account, after, wanted, page.to_fetch()).await?;
    let list = page.of(found, |one| one.name.to_string(), Conference::from);
    Ok(json(StatusCode::OK, &list))
}

async fn show(state: &App, account: AccountId, name: ConferenceName) -> Answer {
    Ok(json(StatusCode::OK, &Conference::from(state.control.conference(account, name).await?)))
}

/// Shows a conference
#[utoipa::path(get, path = "/v1/conferences/{name}", operation_id = "get_conference", tag = "conferences",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The conference.", body = Conference)))]
async fn one(caller: Caller<Read>, State(state): State<App>, Segments([name]): Segments<1>) -> Answer {
    show(&state, caller.account, ConferenceName::new(name)).await
}

/// A change of a conference; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConferencePatch {
    /// New callers are refused.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    locked: Option<bool>,
    /// Only leaders may speak.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    lecture: Option<bool>,
    /// Participants are muted as they enter.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    muted_on_entry: Option<bool>,
    /// Participants that a leader muted may unmute themselves.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    self_unmute: Option<bool>,
}

/// Changes a conference
///
/// It has to be open: `holding` or `active`, or reserved with its time come.
#[utoipa::path(patch, path = "/v1/conferences/{name}", operation_id = "change_conference", tag = "conferences",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = ConferencePatch, example = json!({"locked": true})),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The conference as it is now.", body = Conference),
        (status = 409, description = "It is not open (1201).")))]
async fn change(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Body(patch): Body<ConferencePatch>,
) -> Answer {
    let state = caller.acting(state);
    let ConferencePatch { locked, lecture, muted_on_entry, self_unmute } = patch;
    let change = ConferenceChange::Controls(ControlsChange { locked, lecture, muted_on_entry, self_unmute });
    changed(state, caller.account, name, change).await
}

/// Mutes all participants, or unmutes them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Mute {
    /// Whether to mute them.
    muted: bool,
    /// Leaders stay as they are.
    #[serde(default)]
    except_leaders: bool,
    /// Whether participants may unmute themselves from now on. Left out: as before.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    self_unmute: Option<bool>,
}

/// Mutes or unmutes all participants
#[utoipa::path(post, path = "/v1/conferences/{name}/mute", operation_id = "mute_conference", tag = "conferences",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = Mute, example = json!({"muted": true, "except_leaders": true})),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The conference as it is now.", body = Conference),
        (status = 409, description = "It is not open (1201).")))]
async fn mute(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Body(Mute { muted, except_leaders, self_unmute }): Body<Mute>,
) -> Answer {
    let state = caller.acting(state);
    let change = ConferenceChange::MuteAll { muted, except_leaders, self_unmute };
    changed(state, caller.account, name, change).await
}

/// Admits all callers in the lobby
///
/// As many as there are seats for; the others go on waiting.
#[utoipa::path(post, path = "/v1/conferences/{name}/admit", operation_id = "admit_waiting", tag = "conferences",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The conference as it is now.", body = Conference),
        (status = 409, description = "It is not open (1201), or no seat is left (1206).")))]
async fn admit(caller: Caller<Control>, State(state): State<App>, Segments([name]): Segments<1>) -> Answer {
    let state = caller.acting(state);
    changed(state, caller.account, name, ConferenceChange::Admit(None)).await
}

/// Refuses all callers in the lobby
///
/// They hear that the leader cannot admit them, and their calls end.
#[utoipa::path(post, path = "/v1/conferences/{name}/refuse", operation_id = "refuse_waiting", tag = "conferences",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The conference as it is now.", body = Conference),
        (status = 409, description = "It is not open (1201).")))]
async fn refuse(caller: Caller<Control>, State(state): State<App>, Segments([name]): Segments<1>) -> Answer {
    let state = caller.acting(state);
    changed(state, caller.account, name, ConferenceChange::RefuseAll).await
}

async fn changed(state: App, account: AccountId, name: String, change: ConferenceChange) -> Answer {
    to_the_end(async move {
        let name = ConferenceName::new(name);
        state.control.change_conference(account, name.clone(), change).await?;
        show(&state, account, name).await
    })
    .await
}

/// How much longer a conference lasts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Extension {
    /// Minutes more, within the limits of reservations.
    #[schema(minimum = 1, example = 15)]
    minutes: u32,
}

/// Extends a conference in progress
///
/// Its reservation gets longer, if seats are left for the added time. All participants who came by a room hear by how much.
#[utoipa::path(post, path = "/v1/conferences/{name}/extend", operation_id = "extend_conference", tag = "conferences",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = Extension, example = json!({"minutes": 15})),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The conference as it is now.", body = Conference),
        (status = 409, description = "It is not in progress (1201), has no end (1152), ends too soon (1204), would last too long (1205), its name is taken (1202), or too few seats are left (1206).")))]
async fn extend(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Body(Extension { minutes }): Body<Extension>,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let name = ConferenceName::new(name);
        state.control.extend_running(caller.account, name.clone(), minutes).await.map_err(not_extended)?;
        show(&state, caller.account, name).await
    })
    .await
}

fn not_extended(error: ControlError) -> ApiError {
    match error {
        ControlError::Refused(Refused::OutOfRange(wrong)) => {
            ApiError::members(wrong.into_iter().map(|one| FieldError::new("/minutes", one.text)).collect())
        }
        error => error.into(),
    }
}

/// What participants hear about the end of a conference.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TimeWarning {
    /// So many minutes are left, 1 to 120. Left out: as many as are left of its reservation.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1, maximum = 120, example = 5)]
    minutes: Option<u32>,
}

/// The longest time that is announced, as for `time_warnings_min` of rooms.
const WARNING_MIN: RangeInclusive<u32> = 1..=120;

/// Says that a conference will end
///
/// All participants hear in what time, in its language. It does not end by that.
#[utoipa::path(post, path = "/v1/conferences/{name}/time-warning", operation_id = "warn_of_end", tag = "conferences",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = TimeWarning, example = json!({"minutes": 5})),
    security(("bearer" = ["control"])),
    responses((status = 204, description = "They hear it."),
        (status = 409, description = "Nobody is in (1201), or `minutes` is left out and it has no end (1152).")))]
async fn warn_of_end(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Body(TimeWarning { minutes }): Body<TimeWarning>,
) -> Answer {
    let state = caller.acting(state);
    if minutes.is_some_and(|minutes| !WARNING_MIN.contains(&minutes)) {
        let text = format!("must be {} to {}", WARNING_MIN.start(), WARNING_MIN.end());
        return Err(ApiError::members(vec![FieldError::new("/minutes", text)]));
    }
    to_the_end(async move {
        let change = ConferenceChange::WarnOfEnd { seconds: minutes.map(|minutes| minutes * 60) };
        state.control.change_conference(caller.account, ConferenceName::new(name), change).await?;
        Ok::<_, ApiError>(no_content())
    })
    .await
}

/// Ends a conference for all participants
///
/// In whatever state it is. The reservation of a reserved one is removed: its seats and its name are free.
#[utoipa::path(delete, path = "/v1/conferences/{name}", operation_id = "end_conference", tag = "conferences",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    security(("bearer" = ["control"])),
    responses((status = 204, description = "It has ended.")))]
async fn end(caller: Caller<Control>, State(state): State<App>, Segments([name]): Segments<1>) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        state.control.end_conference(caller.account, ConferenceName::new(name)).await?;
        Ok::<_, ApiError>(no_content())
    })
    .await
}
