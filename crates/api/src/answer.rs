//! What handlers give, and how changes run.

use crate::{ControlError, error::ApiError};
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};
use tracing::Instrument;

/// The answer is the one that was given to the first try.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a handler gives.
pub(crate) type Answer = Result<Response<Body>, ApiError>;

/// 204.
pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The answer to DELETE: it is gone, or never was there.
pub(crate) fn gone(was_there: bool, unknown: impl FnOnce() -> ApiError) -> Answer {
    if was_there { Ok(no_content()) } else { Err(unknown()) }
}

/// 308 to another path.
pub(crate) fn moved_to(path: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(path));
    response
}

/// Runs a change to its end even when its client disconnects or its time is up: a handler is dropped then, and what is
/// half done, stored and not yet effective, would stay so.
///
/// # Errors
/// Those of the change; [`ControlError::Internal`] if it panics.
pub async fn to_the_end<T: Send + 'static, E: From<ControlError> + Send + 'static>(
    change: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    match tokio::spawn(change.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(panicked) => Err(ControlError::Internal(panicked.into()).into()),
    }
}
