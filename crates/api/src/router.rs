//! All paths: each resource has a file with its routes under `web`.

use crate::{
    error::ApiError,
    frame, pages,
    state::{ApiState, App},
    web::{
        conferences, health, inbound, participants, seven, sound, tokens, trunks, users, webrtc_keys,
        websocket,
    },
};
use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{MethodRouter, head},
};
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

/// These methods, and 405 in our form for all others.
pub(crate) fn only(allow: &'static str, methods: MethodRouter<App>) -> MethodRouter<App> {
    methods.fallback(move || async move { ApiError::method_not_allowed(allow) })
}

/// As [`only`], for what changes something by GET: HEAD is safe (RFC 9110, section 9.2.1), which these are not, and a
/// router would answer HEAD as GET.
pub(crate) fn only_but_head(allow: &'static str, methods: MethodRouter<App>) -> MethodRouter<App> {
    only(allow, methods.merge(head(move || async move { ApiError::method_not_allowed(allow) })))
}
