//! `/healthz`: whether new calls and requests should come here. `/livez`: whether the process answers at all.

use crate::{methods::only, state::App};
use axum::{Router, extract::State, http::StatusCode, routing::get};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", only("GET, HEAD", get(health)))
        .route("/livez", only("GET, HEAD", get(|| async { "ok\n" })))
}

async fn health(State(state): State<App>) -> (StatusCode, &'static str) {
    if state.control.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}
