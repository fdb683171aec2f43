//! Errors of `/v1`: problem details (RFC 9457).

use super::{ApiError, Field};
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "https://conference.example.com/docs/errors#1206",
    "title": "Not enough seats are left",
    "status": 409,
    "detail": "only 12 seats are left at that time",
    "code": "1206",
    "errors": [],
    "request_id": "0a1b2c3d00000007",
}))]
pub(crate) struct Problem<'a> {
    /// The page that explains it.
    #[serde(rename = "type")]
    kind: String,
    /// What the kind of problem is called.
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong this time and what is allowed, for people.
    detail: &'a str,
    /// Four digits that never change their meaning; null where the status says all.
    #[schema(pattern = "^[0-9]{4}$")]
    code: Option<&'static str>,
    /// Each member and parameter that is wrong.
    errors: Vec<Item<'a>>,
    /// As in the header `X-Request-Id` and in the log.
    request_id: &'a str,
}

/// One member of the body or one parameter that is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemItem)]
struct Item<'a> {
    /// The member: a JSON pointer into the body (RFC 6901). Empty: the body itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pointer: Option<&'a str>,
    /// The parameter or header, where it is no member of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<&'a str>,
    /// What is wrong and what is allowed.
    detail: &'a str,
}

impl<'a> From<&'a Field> for Item<'a> {
    fn from(field: &'a Field) -> Self {
        match field {
            Field::Member(error) => {
                Self { pointer: Some(&error.pointer), parameter: None, detail: &error.detail }
            }
            Field::Parameter { name, detail } => {
                Self { pointer: None, parameter: Some(name.as_ref()), detail }
            }
        }
    }
}

impl ApiError {
    fn as_problem<'a>(&'a self, request_id: &'a str, base: &str) -> Problem<'a> {
        let anchor = match self.code {
            Some(code) => code.code.to_owned(),
            None => format!("http-{}", self.status.as_u16()),
        };
        Problem {
            kind: format!("{base}/docs/errors#{anchor}"),
            title: match self.code {
                Some(code) => code.title,
                None => self.status.canonical_reason().unwrap_or("Error"),
            },
            status: self.status.as_u16(),
            detail: &self.text,
            code: self.code.map(|code| code.code),
            errors: self.fields.iter().map(Item::from).collect(),
            request_id,
        }
    }

    /// As a part of an answer that reports several things.
    pub(crate) fn problem_of(&self, request_id: &str) -> Value {
        serde_json::to_value(self.as_problem(request_id, "")).expect("plain data becomes JSON")
    }

    /// The answer as a problem. `base` is where our pages are. To a request that a page of ours sends no password is asked for
    /// by the browser: it would put a dialogue of its own before the page.
    pub(crate) fn problem(&self, request_id: &str, base: &str, is_of_page: bool) -> Response<Body> {
        let problem = self.as_problem(request_id, base);
        let mut response = crate::json::json_as(CONTENT_TYPE, self.status, &problem);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenges = ["Bearer realm=\"Plenary\"", "Basic realm=\"Plenary\", charset=\"UTF-8\""];
            for challenge in challenges.into_iter().take(if is_of_page { 1 } else { 2 }) {
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        if let Some(scope) = self.scope {
            // RFC 6750, section 3.
            let text = format!("Bearer realm=\"Plenary\", error=\"insufficient_scope\", scope=\"{scope}\"");
            if let Ok(challenge) = HeaderValue::from_str(&text) {
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        self.add_headers(headers);
        response
    }
}
