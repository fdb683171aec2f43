//! Errors as the platform writes them: the seven services, inbound services, and all else that is not below `/v1`.

use super::ApiError;
use crate::time;
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use plenary_conference::Timestamp;
use serde::Serialize;

/// What of a request stands in the answer, beside the error.
pub(crate) struct About<'a> {
    pub(crate) path: &'a str,
    pub(crate) asked_at: Timestamp,
    pub(crate) now: Timestamp,
    /// Where our pages are.
    pub(crate) base: &'a str,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorPart<'a>,
    request: RequestPart<'a>,
}

#[derive(Serialize)]
struct ErrorPart<'a> {
    code: String,
    text: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    details: &'a [String],
    datetime: String,
    link: String,
}

#[derive(Serialize)]
struct RequestPart<'a> {
    url: &'a str,
    datetime: String,
}

impl ApiError {
    /// The answer in the platform's form.
    pub(crate) fn platform(&self, about: &About<'_>) -> Response<Body> {
        let code = match self.code {
            Some(code) => code.code.to_owned(),
            None => format!("HTTP {}", self.status.as_u16()),
        };
        let anchor = code.replace(' ', "-").to_ascii_lowercase();
        let body = ErrorBody {
            error: ErrorPart {
                code,
                text: &self.text,
                details: &self.details,
                datetime: time::with_seconds(about.now),
                link: format!("{}/docs/errors#{anchor}", about.base),
            },
            request: RequestPart { url: about.path, datetime: time::with_seconds(about.asked_at) },
        };
        let mut response = crate::json::json(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"Plenary\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        self.add_headers(response.headers_mut());
        response
    }
}
