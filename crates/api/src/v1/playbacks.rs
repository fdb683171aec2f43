//! Announcements: what programs have played to a conference or to one of its participants.

use super::{
    access::{Caller, Control},
    body::Body,
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    control::Playback,
    error::{ApiError, UNKNOWN_MEDIA},
    extract::Segments,
    json::json,
    state::App,
};
use axum::{extract::State, http::StatusCode};
use plenary_conference::{ConferenceName, ParticipantId};
use plenary_model::PlaybackRequest;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(play)).routes(routes!(stop))
}

/// A playback that has begun.
#[derive(Debug, Serialize, ToSchema)]
struct Playing {
    /// Its id, for as long as it goes on.
    #[schema(example = "01234567a1b1c1c2.7")]
    playback_id: String,
}

/// Plays an announcement
///
/// To all of a conference or to one participant, who alone hears it. What is played to one listener comes one after the other.
/// Voices go on; an announcement to all is lowered while a participant speaks.
#[utoipa::path(post, path = "/v1/conferences/{name}/playbacks", operation_id = "play_announcement",
    tag = "playbacks",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = PlaybackRequest, example = json!({"to": "all", "play": ["tone:440/1000"]})),
    security(("bearer" = ["control"])),
    responses((status = 202, description = "It plays, or will as soon as what came before is over.", body = Playing),
        (status = 404, description = "There is no such participant (1103), or the account has no such sound (1111).")))]
async fn play(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Body(request): Body<PlaybackRequest>,
) -> Answer {
    let state = caller.acting(state);
    let PlaybackRequest { to, play, gain_db, repeat } = request;
    let to = (to != "all").then(|| ParticipantId::new(to));
    let playback = Playback { to, play, gain_db, repeat };
    to_the_end(async move {
        for name in playback.play.0.iter().filter_map(|item| item.strip_prefix("sound:")) {
            if state.store.media(caller.account, name).await?.is_none() {
                let text = format!("there is no sound of the name `{name}`");
                return Err(ApiError::coded(UNKNOWN_MEDIA, text));
            }
        }
        let conference = ConferenceName::new(name);
        let playback_id = state.control.announce(caller.account, conference, playback).await?;
        Ok(json(StatusCode::ACCEPTED, &Playing { playback_id }))
    })
    .await
}

/// Stops an announcement
#[utoipa::path(delete, path = "/v1/conferences/{name}/playbacks/{playback_id}", operation_id = "stop_announcement",
    tag = "playbacks",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("playback_id" = String, Path, description = "The playback's id.", example = "01234567a1b1c1c2.7")),
    security(("bearer" = ["control"])),
    responses((status = 204, description = "It has stopped.")))]
async fn stop(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name, id]): Segments<2>,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        state.control.stop_announcement(caller.account, ConferenceName::new(name), id).await?;
        Ok::<_, ApiError>(no_content())
    })
    .await
}
