//! All paths: each resource has a file with its routes under `web`.

use crate::{
    audit::Auditor,
    error::ApiError,
    frame::{self, Frame},
    pages,
    state::ApiState,
    v1,
    web::{calendar_feed, client_tokens, console, health, inbound, seven, websocket},
};
use axum::{Router, middleware::from_fn_with_state};
use std::sync::Arc;

/// The web services. Every refusal, down to an unknown path, has the form of `ApiError`.
pub fn router(state: ApiState) -> Router {
    let state = Arc::new(state);
    let resources = [
        seven::routes(),
        inbound::routes(),
        client_tokens::routes(),
        websocket::routes(),
        calendar_feed::routes(),
        health::routes(),
        pages::routes(),
        console::routes(plenary_web::FILES),
        v1::routes(&state),
    ];
    let resources = resources
        .into_iter()
        .fold(Router::new(), Router::merge)
        .fallback(|| async { ApiError::nothing_here() });
    let auditor = Arc::new(Auditor::new(state.clone(), resources.clone().with_state(state.clone())));
    let frame = Frame { state: state.clone(), auditor };
    resources.layer(from_fn_with_state(frame, frame::around)).with_state(state)
}
