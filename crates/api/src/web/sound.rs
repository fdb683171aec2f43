//! How participants sound: what is done to the audio of an account's conferences, of one of them, of one participant.

use crate::{
    answer::{Answer, to_the_end},
    control::{SoundChange, SoundOf},
    error::{ApiError, BAD_SOUND},
    extract::{Account, Segments, Whole},
    json::{given, json},
    methods::only,
    state::App,
};
use axum::{
    Router,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
    routing::get,
};
use plenary_conference::{ConferenceName, ParticipantId, conferences::ConferenceRef};
use serde::Deserialize;

pub(crate) fn routes() -> Router<App> {
    const OF_CONFERENCE: &str = "/service/v1/conference/{name}/sound";
    const OF_PARTICIPANT: &str = "/service/v1/conference/{name}/participants/{id}/sound";
    let methods = || only("GET, HEAD, PATCH", get(read).patch(patch));
    Router::new()
        .route("/service/v1/sound", methods())
        .route(OF_CONFERENCE, methods())
        .route(OF_PARTICIPANT, methods())
}

/// Whose sound a path means.
struct Of(SoundOf);

impl FromRequestParts<App> for Of {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, ApiError> {
        let conference = |name| ConferenceRef::Name(ConferenceName::new(name));
        if let Ok(Segments([])) = Segments::<0>::from_request_parts(parts, state).await {
            return Ok(Self(SoundOf::Account));
        }
        if let Ok(Segments([name])) = Segments::<1>::from_request_parts(parts, state).await {
            return Ok(Self(SoundOf::Conference(conference(name))));
        }
        let Segments([name, id]) = Segments::<2>::from_request_parts(parts, state).await?;
        Ok(Self(SoundOf::Participant(conference(name), ParticipantId::new(id))))
    }
}

/// The body of PATCH: what is left out stays, what is null goes back to its default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SoundBody {
    #[serde(default, deserialize_with = "given")]
    automatic_gain: Option<Option<bool>>,
    #[serde(default, deserialize_with = "given")]
    noise_suppression: Option<Option<bool>>,
    #[serde(default, deserialize_with = "given")]
    gain_db: Option<Option<f32>>,
}

async fn read(State(state): State<App>, Account(account): Account, Of(of): Of) -> Answer {
    let settings = state.control.change_sound(account, of, SoundChange::default()).await?;
    Ok(json(StatusCode::OK, &settings))
}

async fn patch(
    State(state): State<App>,
    Account(account): Account,
    Of(of): Of,
    Whole(body): Whole,
) -> Answer {
    let change = change(&body, matches!(of, SoundOf::Participant(..)))?;
    to_the_end(async move {
        let settings = state.control.change_sound(account, of, change).await?;
        Ok(json(StatusCode::OK, &settings))
    })
    .await
}

pub(crate) fn change(body: &[u8], is_of_participant: bool) -> Result<SoundChange, ApiError> {
    let wrong = |text: String| ApiError::coded(BAD_SOUND, text);
    let body: SoundBody = crate::json::parse(body).map_err(|error| {
        wrong(format!(
            "body: {error}; automatic_gain, noise_suppression (true, false, null) and gain_db are known"
        ))
    })?;
    if let Some(Some(gain_db)) = body.gain_db
        && !(-40.0..=20.0).contains(&gain_db)
    {
        return Err(wrong(format!("gain_db: must be from -40 to 20, not {gain_db}")));
    }
    if body.gain_db.is_some() && !is_of_participant {
        return Err(wrong("gain_db: is set for each participant, not for all".to_owned()));
    }
    let SoundBody { automatic_gain, noise_suppression, gain_db } = body;
    Ok(SoundChange { automatic_gain, noise_suppression, gain_db })
}
