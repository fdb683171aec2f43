//! Answers in JSON, and bodies read from it.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde::{Deserialize, Deserializer, Serialize};

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    json_as("application/json", status, body)
}

/// An answer in a format that is JSON under a name of its own.
pub(crate) fn json_as(
    content_type: &'static str,
    status: StatusCode,
    body: &impl Serialize,
) -> Response<Body> {
    // Our own types always serialise: no maps with odd keys, nothing that can fail.
    let text = serde_json::to_vec(body).expect("plain data becomes JSON");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// What a body in JSON says. A byte order mark before it is passed over (RFC 8259, section 8.1).
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body))
}

/// A member of a change: null is a value, and not the same as left out.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A member that may be left out and may not be null.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
