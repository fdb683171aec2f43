//! What handlers give, and how changes run.

use crate::{
    ControlError,
    error::{ApiError, MALFORMED},
    json::parse,
};
use axum::{body::Body, http::Response};
use serde::Deserialize;
use tracing::Instrument;

/// What a handler gives.
pub(crate) type Answer = Result<Response<Body>, ApiError>;

/// As [`parse`], refused in our form.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    parse(body).map_err(|error| ApiError::coded(MALFORMED, format!("body: {error}")))
}

/// Runs a change to its end even when its client disconnects or its time is up: a handler is dropped then, and what is
/// half done, stored and not yet effective, would stay so.
pub(crate) async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(change.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(panicked) => Err(ControlError::Internal(panicked.into()).into()),
    }
}
