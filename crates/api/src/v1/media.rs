//! Sounds of the account: audio files that are uploaded and played.

use super::{
    access::{Caller, Config, Control},
    conditions::{Conditions, Tag, put_or_patched, tagged},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    error::{ApiError, BAD_AUDIO, MEDIA_FULL, TOO_MANY, UNKNOWN_MEDIA},
    extract::Segments,
    media::Media,
    state::{ApiState, App},
};
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{HeaderValue, Response, StatusCode, header, request::Parts},
};
use http_body_util::BodyExt;
use plenary_model::{ConferenceName, StoredMedia, check_media_name};
use plenary_sounds::{Kind, Limits, Longer};
use plenary_store::{Change, ChangeError, MediaError, NewMedia};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, put, delete))
        .routes(routes!(list_for_conference))
}

fn tag(media: &StoredMedia) -> Tag {
    Tag::of(&(&media.name, media.version, media.updated_at))
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_MEDIA, "there is no sound of this name")
}

impl From<ChangeError<ApiError, MediaError>> for ApiError {
    fn from(error: ChangeError<Self, MediaError>) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Store(error) => match error {
                MediaError::Invalid(errors) => Self::members(errors),
                MediaError::TooMany => Self::coded(TOO_MANY, error.to_string()),
                MediaError::Full { .. } => Self::coded(MEDIA_FULL, error.to_string()),
                MediaError::Store(error) => error.into(),
            },
        }
    }
}

/// The name of a format in JSON and in the database, and its media type.
fn format(kind: Kind) -> &'static str {
    match kind {
        Kind::Wav => "wav",
        Kind::Flac => "flac",
        Kind::Mp3 => "mp3",
        Kind::Opus => "opus",
        Kind::Vorbis => "vorbis",
    }
}

fn media_type(format: &str) -> &'static str {
    match format {
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "mp3" => "audio/mpeg",
        "opus" | "vorbis" => "audio/ogg",
        _ => "application/octet-stream",
    }
}

/// One of the sounds that are in memory at the same time.
#[derive(Debug)]
struct Transfer {
    _permit: OwnedSemaphorePermit,
}

impl FromRequestParts<App> for Transfer {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, state: &App) -> Result<Self, ApiError> {
        let permit =
            tokio::time::timeout(state.request_timeout, state.media.transfers.clone().acquire_owned());
        match permit.await {
            Ok(Ok(permit)) => Ok(Self { _permit: permit }),
            Ok(Err(_)) | Err(_) => {
                let text = "too many sounds are being uploaded and downloaded; try again";
                Err(ApiError::plain(StatusCode::SERVICE_UNAVAILABLE, text))
            }
        }
    }
}

/// A body with audio, no larger than allowed.
#[derive(Debug)]
struct Audio(Vec<u8>);

impl FromRequest<App> for Audio {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &App) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        // What it is the bytes say. A form is none: a form of another site could send it.
        let is_audio = kind.as_deref().is_none_or(|kind| {
            kind.starts_with("audio/") || matches!(kind, "application/ogg" | "application/octet-stream")
        });
        if !is_audio {
            let text = "Content-Type must be audio/… or application/octet-stream, or be left out (with curl: -T FILE)";
            return Err(ApiError::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        let most = state.media.bytes_max;
        let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if declared.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > most) {
            return Err(too_large(most));
        }
        read(request.into_body(), most, state.request_timeout).await.map(Self)
    }
}

fn too_large(most: u64) -> ApiError {
    ApiError::plain(StatusCode::PAYLOAD_TOO_LARGE, format!("a sound may have at most {most} bytes"))
}

/// Reads a body, piece by piece, each of which has to come within the time.
async fn read(mut body: Body, most: u64, within: Duration) -> Result<Vec<u8>, ApiError> {
    let mut audio = Vec::new();
    loop {
        let frame = tokio::time::timeout(within, body.frame()).await.map_err(|_| {
            ApiError::plain(StatusCode::REQUEST_TIMEOUT, "the audio stopped coming; try again")
        })?;
        let Some(frame) = frame else { return Ok(audio) };
        let frame =
            frame.map_err(|_| ApiError::plain(StatusCode::BAD_REQUEST, "the body did not arrive whole"))?;
        let Ok(piece) = frame.into_data() else { continue };
        if (audio.len() + piece.len()) as u64 > most {
            return Err(too_large(most));
        }
        audio.extend_from_slice(&piece);
    }
}

/// Lists sounds
///
/// By name, without their audio.
#[utoipa::path(get, path = "/v1/media", operation_id = "list_media", tag = "media", params(Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the sounds.", body = List<Media>)))]
async fn list(caller: Caller<Config>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let found = state.store.media_after(caller.account, page.after(), page.to_fetch()).await?;
    page.answer(found, |media| media.name.clone(), Media::from)
}

/// Lists sounds that can be announced
///
/// The sounds of the account, by name, for the leaders of a conference: `sound:NAME` in an announcement plays one.
#[utoipa::path(get, path = "/v1/conferences/{name}/media", operation_id = "list_conference_media", tag = "playbacks",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"), Page),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "Some of the sounds.", body = List<Media>)))]
async fn list_for_conference(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Query(page): Query<Page>,
) -> Answer {
    state.control.conference(caller.account, ConferenceName::new(name)).await?;
    let found = state.store.media_after(caller.account, page.after(), page.to_fetch()).await?;
    page.answer(found, |media| media.name.clone(), Media::from)
}

/// Gives the audio of a sound
///
/// As it was uploaded.
#[utoipa::path(get, path = "/v1/media/{name}", operation_id = "get_media", tag = "media",
    params(("name" = String, Path, description = "The sound's name.", example = "welcome")),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The file.", body = Vec<u8>, content_type = "audio/*",
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    _transfer: Transfer,
) -> Answer {
    let media = state.store.media(caller.account, &name).await?.ok_or_else(unknown)?;
    if let Some(unchanged) = conditions.unchanged(&tag(&media)) {
        return Ok(unchanged);
    }
    let found = state.store.media_audio(caller.account, &name, None).await?;
    let (media, audio) = found.ok_or_else(unknown)?;
    let mut response = Response::new(Body::from(audio.unwrap_or_default()));
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag(&media).header());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(&media.format)));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// Uploads a sound
///
/// The body is the file: WAV, FLAC, MP3, Ogg Opus or Ogg Vorbis, at any usual sample rate. It is decoded once, and refused with the
/// reason if that fails. What is being played when a sound is replaced is played to its end.
#[utoipa::path(put, path = "/v1/media/{name}", operation_id = "put_media", tag = "media",
    params(("name" = String, Path, description = "The sound's name: 1 to 64 letters, digits and `-_.`, the first no dot.", example = "welcome")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file; also as `audio/*`."),
    security(("bearer" = ["config"])),
    responses(
        (status = 200, description = "The sound, replaced.", body = Media, headers(("ETag" = String, description = "Its version."))),
        (status = 201, description = "The sound, made.", body = Media, headers(("ETag" = String, description = "Its version."))),
        (status = 409, description = "The account's sounds are too large together (1217), or too many (1216)."),
        (status = 422, description = "The file cannot be played (1009).")))]
async fn put(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    transfer: Transfer,
    Audio(audio): Audio,
) -> Answer {
    let state = caller.acting(state);
    let errors = check_media_name(&name);
    if !errors.is_empty() {
        return Err(ApiError::members(errors));
    }
    let account = caller.account;
    to_the_end(async move {
        let _transfer = transfer;
        let (audio, kind, duration_ms) = decode(&state, audio).await?;
        let stored = state.store.upload_media(&audio).await?;
        drop(audio);
        let media = NewMedia {
            upload: stored,
            format: format(kind).to_owned(),
            duration_ms,
            account_bytes_max: state.media.account_bytes_max,
        };
        let decide = |before: Option<&StoredMedia>| {
            conditions.check(before.map(tag).as_ref())?;
            Ok::<_, ApiError>(Change::Put(media))
        };
        match state.store.change_media(account, &name, decide).await {
            Ok(changed) => {
                let (status, media) = put_or_patched(changed).ok_or_else(unknown)?;
                Ok(tagged(status, &tag(&media), &Media::from(media)))
            }
            Err(error) => {
                state.store.discard_media(stored).await;
                Err(error.into())
            }
        }
    })
    .await
}

/// Decodes a file as a whole, beside the threads that answer, and says what it is and how long it plays.
async fn decode(state: &ApiState, audio: Vec<u8>) -> Result<(Vec<u8>, Kind, u64), ApiError> {
    let limits = Limits {
        bytes_max: state.media.bytes_max,
        seconds_max: state.media.seconds_max,
        longer: Longer::Refuse,
    };
    let decoded = tokio::task::spawn_blocking(move || {
        let read = plenary_sounds::read(&audio, &limits);
        read.map(|recording| (recording.kind, recording.milliseconds())).map(|(kind, ms)| (audio, kind, ms))
    });
    match decoded.await {
        Ok(read) => read.map_err(|error| ApiError::coded(BAD_AUDIO, format!("the file {error}"))),
        Err(panicked) => Err(crate::ControlError::Internal(panicked.into()).into()),
    }
}

/// Deletes a sound
///
/// What is being played is played to its end.
#[utoipa::path(delete, path = "/v1/media/{name}", operation_id = "delete_media", tag = "media",
    params(("name" = String, Path, description = "The sound's name.", example = "welcome")),
    security(("bearer" = ["config"])),
    responses((status = 204, description = "It is deleted."),
        (status = 412, description = "There is another version by now (1213).")))]
async fn delete(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let decide = |before: Option<&StoredMedia>| {
            conditions.check(Some(&tag(before.ok_or_else(unknown)?)))?;
            Ok::<_, ApiError>(Change::Delete)
        };
        state.store.change_media(caller.account, &name, decide).await?;
        Ok(no_content())
    })
    .await
}
