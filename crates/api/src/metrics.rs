//! What Prometheus reads, at a listener of its own: nothing else is there, and no key is asked for.

use async_trait::async_trait;
use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;

/// Says how things are.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// All metrics as of now, in the text format of OpenMetrics.
    async fn text(&self) -> String;
}

/// `/metrics`.
pub fn metrics_router(metrics: Arc<dyn Metrics>) -> Router {
    Router::new().route("/metrics", get(text)).with_state(metrics)
}

async fn text(State(metrics): State<Arc<dyn Metrics>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.text().await).into_response()
}
