//! The recording of a conference in progress: beginning, pausing and ending it.

use super::{
    access::{Caller, Control, Read},
    body::Body,
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    control::ConferenceChange,
    error::{ApiError, NOT_RECORDED},
    extract::Segments,
    json::{json, present},
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_conference::{AccountId, ConferenceName, recording::RecordingOverview};
use plenary_model::{RecordedTracks, RecordingFormat, RecordingSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, start, pause, stop))
}

/// The recording of a conference that is in progress.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConferenceRecording {
    /// Its id; null: it is about to begin.
    #[schema(example = "019a7c3e5b1f00112233445566778899")]
    recording_id: Option<String>,
    /// `mixed`: one track with what a listener hears; `separate`: one for each participant.
    tracks: RecordedTracks,
    /// Ogg with Opus, or WAV.
    format: RecordingFormat,
    /// Participants are told of it.
    announce: bool,
    /// Nothing is recorded for now.
    paused: bool,
    /// Since when it runs.
    #[schema(format = DateTime)]
    started_at: Option<String>,
}

impl From<RecordingOverview> for ConferenceRecording {
    fn from(overview: RecordingOverview) -> Self {
        let RecordingOverview { recording, settings, is_paused, started_at } = overview;
        let RecordingSettings { tracks, format, announce } = settings;
        let recording_id = recording.map(|id| id.0);
        Self {
            recording_id,
            tracks,
            format,
            announce,
            paused: is_paused,
            started_at: started_at.map(time::rfc3339),
        }
    }
}

/// How to record; what is left out is as configured.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecordingStart {
    /// One track with what a listener hears, or one for each participant.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    tracks: Option<RecordedTracks>,
    /// Ogg with Opus, or WAV.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    format: Option<RecordingFormat>,
    /// Participants are told: now, when it pauses, goes on and stops, and who comes later before they are heard. The law of
    /// many places asks for that.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    announce: Option<bool>,
}

/// What becomes of a recording.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecordingPatch {
    /// Whether nothing is to be recorded for now.
    paused: bool,
}

async fn shown(state: &App, account: AccountId, name: ConferenceName, status: StatusCode) -> Answer {
    let recording = state.control.conference(account, name).await?.recording;
    let recording =
        recording.ok_or_else(|| ApiError::coded(NOT_RECORDED, "the conference is not being recorded"))?;
    Ok(json(status, &ConferenceRecording::from(recording)))
}

/// Shows the recording of a conference
#[utoipa::path(get, path = "/v1/conferences/{name}/recording", operation_id = "get_conference_recording",
    tag = "recordings",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The recording that is in progress.", body = ConferenceRecording)))]
async fn show(caller: Caller<Read>, State(state): State<App>, Segments([name]): Segments<1>) -> Answer {
    shown(&state, caller.account, ConferenceName::new(name), StatusCode::OK).await
}

/// Records a conference
///
/// At least one participant has to be in. Answered when the files are there and all participants are being told.
#[utoipa::path(post, path = "/v1/conferences/{name}/recording", operation_id = "start_conference_recording",
    tag = "recordings",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = RecordingStart, example = json!({"tracks": "mixed", "format": "opus"})),
    security(("bearer" = ["control"])),
    responses((status = 201, description = "It is recorded.", body = ConferenceRecording),
        (status = 409, description = "It is recorded already (1218), nobody is in it (1219), or it is not open (1201)."),
        (status = 503, description = "Its files cannot be written (1157)."),
        (status = 507, description = "Too little disk space is left (1401).")))]
async fn start(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Body(start): Body<RecordingStart>,
) -> Answer {
    let state = caller.acting(state);
    let usual = state.recordings.settings;
    let settings = RecordingSettings {
        tracks: start.tracks.unwrap_or(usual.tracks),
        format: start.format.unwrap_or(usual.format),
        announce: start.announce.unwrap_or(usual.announce),
    };
    changed(state, caller.account, name, ConferenceChange::Record(settings), StatusCode::CREATED).await
}

/// Pauses the recording of a conference, or has it go on
///
/// The file goes on where it stopped; the pause is noted beside it.
#[utoipa::path(patch, path = "/v1/conferences/{name}/recording", operation_id = "pause_conference_recording",
    tag = "recordings",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = RecordingPatch, example = json!({"paused": true})),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The recording as it is now.", body = ConferenceRecording)))]
async fn pause(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Body(RecordingPatch { paused }): Body<RecordingPatch>,
) -> Answer {
    let state = caller.acting(state);
    changed(state, caller.account, name, ConferenceChange::PauseRecording(paused), StatusCode::OK).await
}

async fn changed(
    state: App,
    account: AccountId,
    name: String,
    change: ConferenceChange,
    status: StatusCode,
) -> Answer {
    to_the_end(async move {
        let name = ConferenceName::new(name);
        state.control.change_conference(account, name.clone(), change).await?;
        shown(&state, account, name, status).await
    })
    .await
}

/// Ends the recording of a conference
///
/// Its file is among the recordings of the account a moment later.
#[utoipa::path(delete, path = "/v1/conferences/{name}/recording", operation_id = "stop_conference_recording",
    tag = "recordings",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    security(("bearer" = ["control"])),
    responses((status = 204, description = "It has ended.")))]
async fn stop(caller: Caller<Control>, State(state): State<App>, Segments([name]): Segments<1>) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let name = ConferenceName::new(name);
        state.control.change_conference(caller.account, name, ConferenceChange::StopRecording).await?;
        Ok::<_, ApiError>(no_content())
    })
    .await
}
