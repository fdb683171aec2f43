//! How voices are made to sound: in all conferences of the account, in one of them. That of a participant is a part of it.

use super::{
    access::{Caller, Config, Control, Needs, Read},
    body::Body,
    conditions::{Conditions, Tag, tagged},
};
use crate::{
    answer::{Answer, to_the_end},
    control::{ControlError, SoundChange, SoundOf},
    extract::Segments,
    json::given,
    state::App,
};
use axum::{extract::State, http::StatusCode};
use plenary_conference::{ConferenceName, conferences::ConferenceRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// How often it is decided anew about a change under a condition, where others change the same meanwhile.
const DECIDED_AT_MOST: u32 = 5;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(account, change_account))
        .routes(routes!(conference, change_conference))
}

/// How voices are made to sound.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct Sound {
    /// Voices are brought to a common level.
    pub(super) automatic_gain: bool,
    /// Steady noise is taken out.
    pub(super) noise_suppression: bool,
}

impl From<crate::control::SoundSettings> for Sound {
    fn from(settings: crate::control::SoundSettings) -> Self {
        let crate::control::SoundSettings { automatic_gain, noise_suppression, gain_db: _ } = settings;
        Self { automatic_gain, noise_suppression }
    }
}

/// A change of sound settings: what is left out stays, null goes back to what the conference, the account or the configuration says.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SoundPatch {
    /// Voices are brought to a common level.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    automatic_gain: Option<Option<bool>>,
    /// Steady noise is taken out.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    noise_suppression: Option<Option<bool>>,
}

impl From<SoundPatch> for SoundChange {
    fn from(patch: SoundPatch) -> Self {
        let SoundPatch { automatic_gain, noise_suppression } = patch;
        Self { automatic_gain, noise_suppression, gain_db: None }
    }
}

/// Shows the account's sound settings
#[utoipa::path(get, path = "/v1/sound", operation_id = "get_sound", tag = "sound", security(("bearer" = ["config"])),
    responses((status = 200, description = "What holds where a conference has no settings of its own.", body = Sound,
        headers(("ETag" = String, description = "Its version.")))))]
async fn account(caller: Caller<Config>, State(state): State<App>, conditions: Conditions) -> Answer {
    shown(&state, &caller, SoundOf::Account, &conditions).await
}

/// Changes the account's sound settings
#[utoipa::path(patch, path = "/v1/sound", operation_id = "change_sound", tag = "sound",
    request_body(content = SoundPatch, example = json!({"noise_suppression": true})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The settings as they are now.", body = Sound,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change_account(
    caller: Caller<Config>,
    State(state): State<App>,
    conditions: Conditions,
    Body(patch): Body<SoundPatch>,
) -> Answer {
    changed(caller.acting(state), &caller, SoundOf::Account, patch, conditions).await
}

/// Shows a conference's sound settings
#[utoipa::path(get, path = "/v1/conferences/{name}/sound", operation_id = "get_conference_sound", tag = "sound",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "What holds where a participant has no settings of its own.", body = Sound,
        headers(("ETag" = String, description = "Its version.")))))]
async fn conference(
    caller: Caller<Read>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    shown(&state, &caller, of(name), &conditions).await
}

/// Changes a conference's sound settings
///
/// Those of a reserved conference last as long as its reservation, those of another one until it is over.
#[utoipa::path(patch, path = "/v1/conferences/{name}/sound", operation_id = "change_conference_sound", tag = "sound",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = SoundPatch, example = json!({"automatic_gain": null})),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The settings as they are now.", body = Sound,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change_conference(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    Body(patch): Body<SoundPatch>,
) -> Answer {
    changed(caller.acting(state), &caller, of(name), patch, conditions).await
}

fn of(conference: String) -> SoundOf {
    SoundOf::Conference(ConferenceRef::Name(ConferenceName::new(conference)))
}

/// Settings are read by a change of nothing.
async fn shown<S: Needs>(state: &App, caller: &Caller<S>, of: SoundOf, conditions: &Conditions) -> Answer {
    let settings = state.control.change_sound(caller.account, of, SoundChange::default(), None).await?;
    let sound = Sound::from(settings);
    Ok(conditions.show(&Tag::of(&sound), &sound))
}

async fn changed<S: Needs>(
    state: App,
    caller: &Caller<S>,
    of: SoundOf,
    patch: SoundPatch,
    conditions: Conditions,
) -> Answer {
    let (account, change) = (caller.account, SoundChange::from(patch));
    to_the_end(async move {
        let mut decided = 0;
        let settings = loop {
            let expected = match conditions.are_given() {
                true => {
                    let nothing = SoundChange::default();
                    let now = state.control.change_sound(account, of.clone(), nothing, None).await?;
                    conditions.check(Some(&Tag::of(&Sound::from(now))))?;
                    Some(now)
                }
                false => None,
            };
            decided += 1;
            match state.control.change_sound(account, of.clone(), change, expected).await {
                Err(ControlError::Changed) if decided < DECIDED_AT_MOST => {}
                done => break done?,
            }
        };
        let sound = Sound::from(settings);
        Ok(tagged(StatusCode::OK, &Tag::of(&sound), &sound))
    })
    .await
}
