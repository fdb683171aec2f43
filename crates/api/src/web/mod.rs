//! The services, and what all answers have in common.

pub(crate) mod callers;
pub(crate) mod conferences;
pub(crate) mod inbound;
pub(crate) mod named;
pub(crate) mod parties;
pub(crate) mod sound;
pub(crate) mod trunks;
pub(crate) mod webrtc_keys;
pub(crate) mod websocket;

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde::{Deserialize, Serialize};

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

/// The JSON Schema of what a service takes.
pub(crate) fn schema(text: &str) -> Response<Body> {
    let schema: serde_json::Value =
        serde_json::from_str(text).expect("the schema is JSON, which a test proves");
    json(StatusCode::OK, &schema)
}
