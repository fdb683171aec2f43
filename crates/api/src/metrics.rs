//! What Prometheus reads, at a listener of its own: nothing else is there, and no key is asked for.

use crate::origin::check_host;
use async_trait::async_trait;
use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{Next, from_fn},
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
    Router::new().route("/metrics", get(text)).with_state(metrics).layer(from_fn(with_host))
}

/// A request that does not say for which host it is gets 400, as at the listener of the web services.
async fn with_host(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match check_host(&parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn text(State(metrics): State<Arc<dyn Metrics>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.text().await).into_response()
}
