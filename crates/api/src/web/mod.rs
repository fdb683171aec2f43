//! The resources, one file each, and what all answers have in common.

pub(crate) mod conferences;
pub(crate) mod health;
pub(crate) mod inbound;
pub(crate) mod named;
pub(crate) mod participants;
pub(crate) mod seven;
pub(crate) mod sound;
pub(crate) mod tokens;
pub(crate) mod trunks;
pub(crate) mod users;
pub(crate) mod webrtc_keys;
pub(crate) mod websocket;

use crate::{
    ControlError,
    error::{ApiError, MALFORMED},
};
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde::{Deserialize, Deserializer, Serialize};
use tracing::Instrument;

/// What a handler gives.
pub(crate) type Answer = Result<Response<Body>, ApiError>;

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    // Our own types always serialise: no maps with odd keys, nothing that can fail.
    let text = serde_json::to_vec(body).expect("plain data becomes JSON");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What a body in JSON says. A byte order mark before it is passed over (RFC 8259, section 8.1).
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body))
}

/// As [`parse`], refused in our form.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    parse(body).map_err(|error| ApiError::coded(MALFORMED, format!("body: {error}")))
}

/// A member of a change: null is a value, and not the same as left out.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
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
