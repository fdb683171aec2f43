//! Recordings of the account: which there are, their audio, their waveforms, and deleting them.

use super::{
    access::{Caller, Records},
    list::{Cursor, Limit, List, Page, Query},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    control::ControlError,
    error::{ApiError, FILES_LEFT, RECORDING_RUNS, UNKNOWN_RECORDING},
    extract::Segments,
    json::json,
    state::App,
    time,
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use plenary_model::{
    AccountId, RecordedTracks, RecordingEnd, RecordingFormat, RecordingManifest, RecordingState, Timestamp,
    TranscriptState,
};
use plenary_recording::{Archive, Peaks, StoredFile};
use plenary_store::{RecordingsQuery, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::{error::Error, io, sync::Arc};
use thiserror::Error;
use tracing::{info, warn};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Octets that are read from the disk at once.
const PIECE_BYTES: u64 = 64 * 1024;
/// Steps of a waveform.
const POINTS_DEFAULT: u32 = 1000;
const POINTS_MAX: u32 = 20_000;
/// Deleted recordings that are read at once.
const LEFT_AT_ONCE: usize = 100;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, delete))
        .routes(routes!(audio))
        .routes(routes!(waveform))
        .routes(routes!(transcript))
}

/// A recording.
#[derive(Debug, Serialize, ToSchema)]
struct Recording {
    /// Its id. Ids sort by time.
    #[schema(example = "019a7c3e5b1f00112233445566778899")]
    id: String,
    /// The conference.
    #[schema(example = "Board")]
    conference: String,
    /// Counts the recordings of one conference that follow on each other after interruptions, from 1.
    part: u32,
    /// The recording that it goes on with.
    continues: Option<String>,
    /// `running`: it is being written, or its files are being completed; `finished`; `interrupted`: the service ended meanwhile; `failed`: the disk was full, or failed. What is there can
    /// be played in each of them.
    state: RecordingState,
    /// `mixed` or `separate`.
    tracks: RecordedTracks,
    /// `opus` or `wav`.
    format: RecordingFormat,
    /// Participants were told of it.
    announced: bool,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended: known a moment before its files are complete.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// Why it ended; null: it runs.
    end_reason: Option<RecordingEnd>,
    /// How long it plays, pauses left out; of one that runs, as of the last five seconds.
    duration_ms: u64,
    /// Audio that was lost because the disk or the processor was too slow; silence of the same length is in its place.
    lost_ms: u64,
    /// Its files. All begin at the same moment and have the same length.
    files: Vec<RecordingFile>,
    /// Participants who were there.
    participants: Vec<RecordingParticipant>,
    /// When nothing was recorded.
    pauses: Vec<RecordingPause>,
    /// `waiting`: it is being made, or waits for that; `ready`; `failed`: the log says why, and the next start of the service tries
    /// again; null: none is made.
    transcript: Option<TranscriptState>,
}

/// A file of a recording.
#[derive(Debug, Serialize, ToSchema)]
struct RecordingFile {
    /// Its number, for `track`.
    track: u32,
    /// Whose voice it is; null: it is the mix, or the participant is not known.
    participant_id: Option<String>,
    /// When the participant was heard first, from the beginning; silence comes before.
    offset_ms: u64,
    /// Octets of the file; 0 while it is being written.
    bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits, once it has ended.
    sha256: Option<String>,
}

/// A participant of a recorded conference.
#[derive(Debug, Serialize, ToSchema)]
struct RecordingParticipant {
    /// Its id.
    participant_id: String,
    /// Its name, as it was shown.
    display_name: Option<String>,
    /// When it came, or when the recording began.
    #[schema(format = DateTime)]
    joined_at: String,
    /// When it was told that the conference is recorded.
    #[schema(format = DateTime)]
    told_at: Option<String>,
}

/// A time in which nothing was recorded.
#[derive(Debug, Serialize, ToSchema)]
struct RecordingPause {
    /// The place in the files.
    at_ms: u64,
    /// When it began.
    #[schema(format = DateTime)]
    began_at: String,
    /// When it ended; null: it had not when the recording ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

fn written(ms: i64) -> String {
    time::rfc3339(Timestamp(ms))
}

impl From<RecordingManifest> for Recording {
    fn from(manifest: RecordingManifest) -> Self {
        let file = |track: plenary_model::RecordedTrack| RecordingFile {
            track: track.number,
            participant_id: track.participant_id,
            offset_ms: track.offset_ms,
            bytes: track.bytes,
            sha256: track.sha256,
        };
        let participant = |participant: plenary_model::RecordedParticipant| RecordingParticipant {
            participant_id: participant.participant_id,
            display_name: participant.display_name,
            joined_at: written(participant.joined_at_ms),
            told_at: participant.told_at_ms.map(written),
        };
        let pause = |pause: plenary_model::RecordingPause| RecordingPause {
            at_ms: pause.at_ms,
            began_at: written(pause.began_at_ms),
            ended_at: pause.ended_at_ms.map(written),
        };
        Self {
            id: manifest.id,
            conference: manifest.conference,
            part: manifest.part,
            continues: manifest.continues,
            state: manifest.state,
            tracks: manifest.tracks_kind,
            format: manifest.format,
            announced: manifest.announced,
            started_at: written(manifest.started_at_ms),
            ended_at: manifest.ended_at_ms.map(written),
            end_reason: manifest.end_reason,
            duration_ms: manifest.duration_ms,
            lost_ms: manifest.lost_ms,
            files: manifest.tracks.into_iter().map(file).collect(),
            participants: manifest.participants.into_iter().map(participant).collect(),
            pauses: manifest.pauses.into_iter().map(pause).collect(),
            transcript: manifest.transcript,
        }
    }
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_RECORDING, "there is no recording with this id")
}

fn failed(error: io::Error) -> ApiError {
    ControlError::Internal(error.into()).into()
}

/// Does something that waits for the disk, beside the threads that answer.
pub(super) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(failed),
        Err(panicked) => Err(ControlError::Internal(panicked.into()).into()),
    }
}

/// A recording as it is now: of one that runs the folder knows more than the database.
async fn find(state: &App, account: AccountId, id: &str) -> Result<RecordingManifest, ApiError> {
    let stored = state.store.recording(account, id).await?.ok_or_else(unknown)?;
    let mut found = vec![stored];
    look_at_folders(state, &mut found).await?;
    found.pop().ok_or_else(unknown)
}

/// Replaces those that run by what their folders say. They run until the database has their end: what it does not have can neither be
/// deleted nor outlast a crash.
async fn look_at_folders(state: &App, found: &mut [RecordingManifest]) -> Result<(), ApiError> {
    let running: Vec<_> = found.iter_mut().filter(|one| one.state == RecordingState::Running).collect();
    if running.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = running.iter().map(|one| (one.account, one.id.clone())).collect();
    let archive = state.recordings.archive.clone();
    let look = move || {
        let look = |(account, id): &(i64, String)| {
            // One that cannot be read hides no other: the database knows how it began.
            archive.manifest(*account, id).unwrap_or_else(|error| {
                warn!(recording = %id, account, %error, "the manifest of a recording that runs cannot be read");
                None
            })
        };
        Ok(ids.iter().map(look).collect::<Vec<_>>())
    };
    let here = on_disk(look).await?;
    for (one, here) in running.into_iter().zip(here) {
        if let Some(here) = here {
            *one = RecordingManifest { state: RecordingState::Running, ..here };
        }
    }
    Ok(())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only recordings of this conference.
    #[param(required = false, example = "Board")]
    conference: Option<String>,
    /// Items at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    cursor: Option<Cursor>,
}

/// Lists recordings
///
/// The latest first.
#[utoipa::path(get, path = "/v1/recordings", operation_id = "list_recordings", tag = "recordings",
    params(Filter), security(("bearer" = ["records"])),
    responses((status = 200, description = "Some of the recordings.", body = List<Recording>)))]
async fn list(caller: Caller<Records>, State(state): State<App>, Query(filter): Query<Filter>) -> Answer {
    let Filter { conference, limit, cursor } = filter;
    let page = Page { limit, cursor };
    let before = page.after().map(str::to_owned);
    let query = RecordingsQuery { conference, before, limit: page.to_fetch() };
    let mut found = state.store.recordings(caller.account, &query).await?;
    look_at_folders(&state, &mut found).await?;
    page.answer(found, |one| one.id.clone(), Recording::from)
}

/// Shows a recording
#[utoipa::path(get, path = "/v1/recordings/{id}", operation_id = "get_recording", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id.", example = "019a7c3e5b1f00112233445566778899")),
    security(("bearer" = ["records"])),
    responses((status = 200, description = "The recording.", body = Recording)))]
async fn one(caller: Caller<Records>, State(state): State<App>, Segments([id]): Segments<1>) -> Answer {
    Ok(json(StatusCode::OK, &Recording::from(find(&state, caller.account, &id).await?)))
}

/// Deletes a recording
///
/// Its files and everything that is known of it. One that runs has to be ended first. The entry of the audit log and the event are
/// written with the deletion; the files go after that, also where the service is cut off in between.
#[utoipa::path(delete, path = "/v1/recordings/{id}", operation_id = "delete_recording", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id.", example = "019a7c3e5b1f00112233445566778899")),
    security(("bearer" = ["records"])),
    responses((status = 204, description = "It is deleted."),
        (status = 409, description = "It is running (1220)."),
        (status = 503, description = "It is deleted, and its files are not yet: they are tried again (1158).")))]
async fn delete(caller: Caller<Records>, State(state): State<App>, Segments([id]): Segments<1>) -> Answer {
    let state = caller.acting(state);
    let account = caller.account;
    to_the_end(async move {
        let manifest = state.store.recording(account, &id).await?.ok_or_else(unknown)?;
        if manifest.state == RecordingState::Running {
            return Err(ApiError::coded(RECORDING_RUNS, "the recording is running; end it first"));
        }
        let archive = &state.recordings.archive;
        match delete_recording(&state.store, archive, account, &id, None).await {
            Ok(true) => Ok(no_content()),
            Ok(false) => Err(unknown()),
            Err(DeleteRecordingError::Database(error)) => Err(error.into()),
            Err(error @ DeleteRecordingError::Files(_)) => {
                let why = error.source().map(ToString::to_string).unwrap_or_default();
                warn!(recording = %id, account = account.0, "{error}: {why}");
                Err(ApiError::coded(FILES_LEFT, "the recording is deleted, but its files are still on the disk, which does not let them go; the service tries again every ten minutes, and the log says why"))
            }
        }
    })
    .await
}

/// Why a recording is not deleted, or not whole.
#[derive(Debug, Error)]
pub enum DeleteRecordingError {
    /// It is as it was.
    #[error("it cannot be deleted from the database")]
    Database(#[from] StoreError),
    /// It is deleted, and its files are still there. [`delete_left_files`] tries again.
    #[error("it is deleted, but its files cannot be")]
    Files(#[source] io::Error),
}

/// Deletes a recording that has ended: what is known of it, and then its files. `reason`: why, where nobody has asked for it.
/// `false`: there is none that has ended.
///
/// # Errors
/// [`DeleteRecordingError`].
pub async fn delete_recording(
    store: &Store,
    archive: &Archive,
    account: AccountId,
    id: &str,
    reason: Option<&str>,
) -> Result<bool, DeleteRecordingError> {
    if !store.delete_recording(account, id, reason).await? {
        return Ok(false);
    }
    delete_files(store, archive, account, id).await?;
    Ok(true)
}

/// Deletes the files of a recording that is deleted from the database.
async fn delete_files(
    store: &Store,
    archive: &Archive,
    account: AccountId,
    id: &str,
) -> Result<(), DeleteRecordingError> {
    let (archive, of_thread) = (archive.clone(), id.to_owned());
    let deleted = tokio::task::spawn_blocking(move || archive.delete(account.0, &of_thread)).await;
    deleted.map_err(io::Error::other).flatten().map_err(DeleteRecordingError::Files)?;
    // Where this fails, they are looked for once more and are not there.
    if let Err(error) = store.forget_deleted_recording(id).await {
        warn!(recording = %id, account = account.0, %error, "it cannot be written down that the files of a recording are deleted");
    }
    Ok(())
}

/// Deletes the files of recordings that are deleted: those that were left when the service was cut off in between, or when the disk did
/// not let them go. Those that stay are told in the log.
///
/// # Errors
/// When the database fails.
pub async fn delete_left_files(store: &Store, archive: &Archive) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let left = store.deleted_recordings(after.as_deref(), LEFT_AT_ONCE).await?;
        for (account, id) in &left {
            match delete_files(store, archive, *account, id).await {
                Ok(()) => {
                    info!(recording = %id, account = account.0, "the files of a deleted recording are deleted")
                }
                Err(error) => {
                    let why = error.source().map(ToString::to_string).unwrap_or_default();
                    warn!(recording = %id, account = account.0, "{error}, and are tried again: {why}");
                }
            }
        }
        if left.len() < LEFT_AT_ONCE {
            return Ok(());
        }
        after = left.into_iter().next_back().map(|(_, id)| id);
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Track {
    /// Which file; the first, if left out.
    #[serde(default)]
    #[param(required = false, minimum = 1)]
    track: Option<u32>,
}

/// The file of a track.
async fn file_of(
    state: &App,
    account: AccountId,
    id: &str,
    track: Option<u32>,
) -> Result<(RecordingManifest, u32, StoredFile), ApiError> {
    let manifest = find(state, account, id).await?;
    let no_such =
        || ApiError::coded(UNKNOWN_RECORDING, "the recording has no such track, or its file is gone");
    let number = track.or(manifest.tracks.first().map(|track| track.number)).ok_or_else(no_such)?;
    let (archive, of_thread) = (state.recordings.archive.clone(), manifest.clone());
    let file = on_disk(move || archive.track(&of_thread, number)).await?.ok_or_else(no_such)?;
    Ok((manifest, number, file))
}

/// Gives the audio of a recording
///
/// With `Range`, so that players can seek. Of a recording that runs, what is there up to now.
#[utoipa::path(get, path = "/v1/recordings/{id}/audio", operation_id = "get_recording_audio", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id.", example = "019a7c3e5b1f00112233445566778899"), Track,
        ("Range" = Option<String>, Header, description = "One range of octets.", example = "bytes=0-1023")),
    security(("bearer" = ["records"])),
    responses(
        (status = 200, description = "The file.", body = Vec<u8>, content_type = "audio/*"),
        (status = 206, description = "The octets that were asked for.", body = Vec<u8>, content_type = "audio/*"),
        (status = 416, description = "The file has no such octets.")))]
async fn audio(
    caller: Caller<Records>,
    State(state): State<App>,
    Segments([id]): Segments<1>,
    Query(Track { track }): Query<Track>,
    headers: HeaderMap,
) -> Answer {
    let (manifest, number, file) = file_of(&state, caller.account, &id, track).await?;
    let length = file.length().map_err(failed)?;
    let sha256 =
        manifest.tracks.iter().find(|track| track.number == number).and_then(|track| track.sha256.as_ref());
    let tag = sha256.map(|sha256| format!("\"{sha256}\""));
    // A condition that is not met asks for the whole file (RFC 9110, section 13.1.5).
    let is_same = match headers.get(header::IF_RANGE) {
        Some(condition) => tag.as_deref().is_some_and(|tag| condition.as_bytes() == tag.as_bytes()),
        None => true,
    };
    let asked = headers.get(header::RANGE).filter(|_| is_same).and_then(|range| range.to_str().ok());
    let (status, from, to) = match asked.map_or(Range::Whole, |asked| range(asked, length)) {
        Range::Whole => (StatusCode::OK, 0, length),
        Range::Part(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Range::Outside => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{length}"));
            return Ok(response);
        }
    };
    let mut response = Response::new(stream(Arc::new(file), from, to));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status == StatusCode::PARTIAL_CONTENT {
        set(headers, header::CONTENT_RANGE, &format!("bytes {from}-{}/{length}", to - 1));
    }
    if let Some(tag) = tag {
        set(headers, header::ETAG, &tag);
    }
    set(headers, header::CONTENT_LENGTH, &(to - from).to_string());
    set(headers, header::CONTENT_TYPE, manifest.format.media_type());
    set(headers, header::ACCEPT_RANGES, "bytes");
    set(
        headers,
        header::CONTENT_DISPOSITION,
        &format!("attachment; filename=\"{}\"", file_name(&manifest, number)),
    );
    Ok(response)
}

/// The name under which a track is saved: of which conference, from when (UTC), which track.
fn file_name(manifest: &RecordingManifest, track: u32) -> String {
    let conference: String = manifest.conference.chars().filter(char::is_ascii_alphanumeric).collect();
    let began = Timestamp(manifest.started_at_ms).civil().map_or_else(String::new, |at| {
        format!("-{:04}-{:02}-{:02}-{:02}{:02}", at.year, at.month, at.day, at.hour, at.minute)
    });
    format!("{conference}{began}-{track}.{}", manifest.format.extension())
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The octets of a file from one place to another, read as they are wanted.
fn stream(file: Arc<StoredFile>, from: u64, to: u64) -> Body {
    let pieces = futures_util::stream::unfold((file, from), move |(file, at)| async move {
        if at >= to {
            return None;
        }
        let of_thread = Arc::clone(&file);
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; (to - at).min(PIECE_BYTES) as usize];
            of_thread.read_exact_at(&mut piece, at).map(|()| piece)
        });
        let piece = match read.await {
            Ok(Ok(piece)) => piece,
            // The client sees that the body is shorter than it was told.
            Ok(Err(error)) => return Some((Err(error), (file, to))),
            Err(_) => return None,
        };
        let next = at + piece.len() as u64;
        Some((Ok(Bytes::from(piece)), (file, next)))
    });
    Body::from_stream(pieces)
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// From this octet up to this one, which is not part of it.
    Part(u64, u64),
    Outside,
}

/// One range of octets (RFC 9110, section 14.1.2). Several, and what is not a range, mean the whole file.
fn range(asked: &str, length: u64) -> Range {
    let Some(spec) = asked.strip_prefix("bytes=").map(str::trim) else { return Range::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Range::Whole };
    let number =
        |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (from, to) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(length)),
        (Some(first), None) if last.is_empty() => (first, length),
        // The last so many.
        (None, Some(count)) if first.is_empty() => (length.saturating_sub(count), length),
        _ => return Range::Whole,
    };
    if from < to { Range::Part(from, to) } else { Range::Outside }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Waveform {
    /// Which file; the first, if left out.
    #[serde(default)]
    #[param(required = false, minimum = 1)]
    track: Option<u32>,
    /// Steps at the most.
    #[serde(default)]
    #[param(required = false, minimum = 1, maximum = 20_000, default = 1000)]
    points: Option<u32>,
}

/// The waveform of a track, in the form of audiowaveform, which players of web pages read.
#[derive(Debug, Serialize, ToSchema)]
struct RecordingWaveform {
    /// 2.
    version: u8,
    /// 1.
    channels: u8,
    /// Samples per second.
    sample_rate: u32,
    /// Samples of a step.
    samples_per_pixel: u64,
    /// 8.
    bits: u8,
    /// Steps.
    length: usize,
    /// The lowest and the highest value of each step, -128 to 127.
    data: Vec<i8>,
}

impl From<Peaks> for RecordingWaveform {
    fn from(peaks: Peaks) -> Self {
        let Peaks { version, channels, sample_rate, samples_per_pixel, bits, length, data } = peaks;
        Self { version, channels, sample_rate, samples_per_pixel, bits, length, data }
    }
}

/// Gives the waveform of a recording
///
/// The file is read for it, which takes some seconds for an hour.
#[utoipa::path(get, path = "/v1/recordings/{id}/waveform", operation_id = "get_recording_waveform",
    tag = "recordings",
    params(("id" = String, Path, description = "The recording's id.", example = "019a7c3e5b1f00112233445566778899"), Waveform),
    security(("bearer" = ["records"])),
    responses((status = 200, description = "The waveform.", body = RecordingWaveform)))]
async fn waveform(
    caller: Caller<Records>,
    State(state): State<App>,
    Segments([id]): Segments<1>,
    Query(Waveform { track, points }): Query<Waveform>,
) -> Answer {
    let points = points.unwrap_or(POINTS_DEFAULT);
    if !(1..=POINTS_MAX).contains(&points) {
        return Err(ApiError::parameter("points", format!("must be 1 to {POINTS_MAX}")));
    }
    let (manifest, _, file) = file_of(&state, caller.account, &id, track).await?;
    let permit = state.recordings.waveforms.clone().acquire_owned();
    let permit = match tokio::time::timeout(state.request_timeout, permit).await {
        Ok(Ok(permit)) => permit,
        Ok(Err(_)) | Err(_) => {
            let text = "too many waveforms are being computed; try again";
            return Err(ApiError::plain(StatusCode::SERVICE_UNAVAILABLE, text));
        }
    };
    let peaks = on_disk(move || {
        // Until it is done, also where the client has gone.
        let _permit = permit;
        plenary_recording::peaks(&file, manifest.format, points as usize)
    })
    .await?;
    Ok(json(StatusCode::OK, &RecordingWaveform::from(peaks)))
}

/// Gives the transcript of a recording
///
/// WebVTT, as the configured program has written it.
#[utoipa::path(get, path = "/v1/recordings/{id}/transcript", operation_id = "get_recording_transcript", tag = "recordings",
    params(("id" = String, Path, description = "The recording's id.", example = "019a7c3e5b1f00112233445566778899")),
    security(("bearer" = ["records"])),
    responses((status = 200, description = "The transcript.", body = String, content_type = "text/vtt")))]
async fn transcript(
    caller: Caller<Records>,
    State(state): State<App>,
    Segments([id]): Segments<1>,
) -> Answer {
    let account = caller.account;
    let manifest = find(&state, account, &id).await?;
    let (archive, of_thread) = (state.recordings.archive.clone(), manifest.id);
    let text = on_disk(move || archive.transcript(account.0, &of_thread)).await?;
    let text = text.ok_or_else(|| {
        let why = match manifest.transcript {
            Some(TranscriptState::Waiting) => "the transcript is not made yet",
            Some(TranscriptState::Failed) => "the transcript could not be made; the log says why",
            Some(TranscriptState::Ready) => "the transcript is not here any more",
            None => "no transcript is made of this recording (transcripts.command)",
        };
        ApiError::coded(UNKNOWN_RECORDING, why)
    })?;
    let mut response = Response::new(Body::from(text));
    set(response.headers_mut(), header::CONTENT_TYPE, "text/vtt; charset=utf-8");
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_octets_is_read_as_rfc_9110_says() {
        for (asked, expected) in [
            ("bytes=0-9", Range::Part(0, 10)),
            ("bytes=90-", Range::Part(90, 100)),
            ("bytes=-10", Range::Part(90, 100)),
            ("bytes=-1000", Range::Part(0, 100)),
            ("bytes=99-99999999999999999999", Range::Whole),
            ("bytes=99-1000", Range::Part(99, 100)),
            ("bytes=100-", Range::Outside),
            ("bytes=-0", Range::Outside),
            ("bytes=9-0", Range::Whole),
            ("bytes=0-1,5-6", Range::Whole),
            ("bytes=+1-2", Range::Whole),
            ("bytes=", Range::Whole),
            ("items=0-9", Range::Whole),
        ] {
            assert_eq!(range(asked, 100), expected, "{asked}");
        }
        assert_eq!(range("bytes=0-", 0), Range::Outside);
    }
}
