//! All paths: each resource has a file with its routes under `web`.

use crate::{
    error::ApiError,
    frame, pages,
    state::ApiState,
    web::{
        conferences, health, inbound, participants, seven, sound, tokens, trunks, users, webrtc_keys,
        websocket,
    },
};
use axum::{Router, middleware::from_fn_with_state};
use std::sync::Arc;

/// The web services. Every refusal, down to an unknown path, has the form of `ApiError`.
pub fn router(state: ApiState) -> Router {
    let state = Arc::new(state);
    let resources = [
        seven::routes(),
        inbound::routes(),
        trunks::routes(),
        users::routes(),
        tokens::routes(),
        webrtc_keys::routes(),
        sound::routes(),
        conferences::routes(),
        participants::routes(),
        websocket::routes(),
        health::routes(),
        pages::routes(),
    ];
    resources
        .into_iter()
        .fold(Router::new(), Router::merge)
        .fallback(|| async { ApiError::nothing_here() })
        .layer(from_fn_with_state(state.clone(), frame::around))
        .with_state(state)
}
