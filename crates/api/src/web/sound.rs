//! How participants sound: what is measured of each call, and what is done to it. Ours, not the specification's.

use super::json;
use crate::{
    control::{SoundChange, SoundOf},
    error::{ApiError, BAD_SOUND},
    server::ApiState,
};
use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use plenary_conference::{AccountId, ConferenceName, ParticipantId, conferences::ConferenceRef};
use serde::{Deserialize, Deserializer};

/// What holds for all conferences of an account.
pub(crate) const OF_ACCOUNT: &str = "/service/v1/sound";
/// What all paths of one conference begin with.
pub(crate) const COLLECTION: &str = "/service/v1/conference/";

/// What a path means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Participants(String),
    Sound(String),
    ParticipantSound(String, String),
    Participant(String, String),
    Transfer(String, String),
}

impl Resource {
    /// Of the decoded segments after the collection.
    pub(crate) fn of(segments: &[String]) -> Option<Self> {
        match segments {
            [name, last] if last == "participants" => Some(Self::Participants(name.clone())),
            [name, last] if last == "sound" => Some(Self::Sound(name.clone())),
            [name, part, id] if part == "participants" => Some(Self::Participant(name.clone(), id.clone())),
            [name, part, id, last] if part == "participants" && last == "transfer" => {
                Some(Self::Transfer(name.clone(), id.clone()))
            }
            [name, part, id, last] if part == "participants" && last == "sound" => {
                Some(Self::ParticipantSound(name.clone(), id.clone()))
            }
            _ => None,
        }
    }

    pub(crate) fn methods(&self) -> (&'static [Method], &'static str) {
        match self {
            Self::Participants(_) => (&[Method::GET, Method::HEAD, Method::POST], "GET, HEAD, POST"),
            Self::Participant(..) => (&[Method::GET, Method::HEAD, Method::DELETE], "GET, HEAD, DELETE"),
            Self::Transfer(..) => (&[Method::POST], "POST"),
            Self::Sound(_) | Self::ParticipantSound(..) => {
                (&[Method::GET, Method::HEAD, Method::PATCH], "GET, HEAD, PATCH")
            }
        }
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

fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

pub(crate) async fn answer(
    state: &ApiState,
    account: AccountId,
    method: &Method,
    resource: Resource,
    body: &[u8],
) -> Result<Response<Body>, ApiError> {
    let which = |name| ConferenceRef::Name(ConferenceName::new(name));
    let of = match resource {
        Resource::Participants(name) => {
            let reports = state.control.participant_reports(account, which(name)).await?;
            return Ok(json(StatusCode::OK, &reports));
        }
        Resource::Sound(name) => SoundOf::Conference(which(name)),
        Resource::ParticipantSound(name, id)
        | Resource::Participant(name, id)
        | Resource::Transfer(name, id) => SoundOf::Participant(which(name), ParticipantId::new(id)),
    };
    settings(state, account, method, of, body).await
}

/// Tells and changes how something sounds.
pub(crate) async fn settings(
    state: &ApiState,
    account: AccountId,
    method: &Method,
    of: SoundOf,
    body: &[u8],
) -> Result<Response<Body>, ApiError> {
    let change = match *method == Method::PATCH {
        true => change(body, matches!(of, SoundOf::Participant(..)))?,
        false => SoundChange::default(),
    };
    let settings = state.control.change_sound(account, of, change).await?;
    Ok(json(StatusCode::OK, &settings))
}

pub(crate) fn change(body: &[u8], is_of_participant: bool) -> Result<SoundChange, ApiError> {
    let wrong = |text: String| ApiError::coded(BAD_SOUND, text);
    let body: SoundBody = super::parse(body).map_err(|error| {
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
