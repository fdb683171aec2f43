//! One error for all web services, and how it looks on the wire.

mod codes;

pub(crate) use codes::{
    BAD_SERVICE, BAD_SOUND, BAD_TARGET, BAD_TOKEN, BAD_TRUNK, BAD_USER, BAD_WEBRTC_KEY, FOREIGN_PAGE,
    MALFORMED, MISSING, OUT_OF_RANGE, REPEATED, SERVICE_NAME_TAKEN, UNKNOWN_SERVICE, UNKNOWN_TRUNK,
    UNKNOWN_USER, UNKNOWN_WEBRTC_KEY, USER_NAME_TAKEN, WEBRTC_KEY_TAKEN, ZERO,
};
pub use codes::{CODES, Code};

use crate::{
    control::{ControlError, DialRefused},
    time,
};
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use codes::{
    NAME_TAKEN, NAME_TOKEN_MISMATCH, NO_SEATS, NOT_NOW, NOT_PERMITTED, NOT_REGISTERED, TOO_LATE_TO_EXTEND,
    TOO_LATE_TO_REMOVE, TOO_LONG, TRUNKS_BUSY, UNKNOWN_CONFERENCE, UNKNOWN_PARTICIPANT, UNKNOWN_RESERVATION,
    WRONG_STATE,
};
use plenary_conference::{Refused, Timestamp};
use serde::Serialize;
use std::{fmt::Write, sync::Arc};

/// What is wrong with one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) text: String,
}

/// A request that is not answered with success.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: Option<Code>,
    text: String,
    details: Vec<String>,
    /// For 405.
    allow: Option<&'static str>,
}

/// Which code stands for a request in which several things are wrong: the first of these that occurs.
const PRECEDENCE: [&str; 4] = ["0001", "0003", "0002", "0004"];

impl ApiError {
    pub(crate) fn coded(code: Code, text: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.status).expect("the table holds valid statuses");
        Self { status, code: Some(code), text: text.into(), details: Vec::new(), allow: None }
    }

    pub(crate) fn plain(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, code: None, text: text.into(), details: Vec::new(), allow: None }
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let text = format!("this service takes {allow}");
        Self { allow: Some(allow), ..Self::plain(StatusCode::METHOD_NOT_ALLOWED, text) }
    }

    /// All that is wrong with a request's parameters; at least one thing is.
    pub(crate) fn problems(mut problems: Vec<Problem>) -> Self {
        if problems.len() == 1 {
            let problem = problems.remove(0);
            return Self::coded(problem.code, problem.text);
        }
        let leading =
            PRECEDENCE.iter().find_map(|code| problems.iter().find(|problem| problem.code.code == *code));
        let code = leading.or(problems.first()).map_or(MALFORMED, |problem| problem.code);
        let details = problems.into_iter().map(|problem| problem.text).collect();
        Self { details, ..Self::coded(code, "several parameters are wrong, see details") }
    }

    /// No path of ours.
    pub(crate) fn nothing_here() -> Self {
        Self::plain(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    /// The answer. `request` is when the request came and for which path; `base` is where our pages are.
    pub(crate) fn response(
        &self,
        path: &str,
        asked_at: Timestamp,
        now: Timestamp,
        base: &str,
    ) -> Response<Body> {
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
                datetime: time::with_seconds(now),
                link: format!("{base}/docs/errors#{anchor}"),
            },
            request: RequestPart { url: path, datetime: time::with_seconds(asked_at) },
        };
        let mut response = crate::json::json(self.status, &body);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"Plenary\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// A refusal travels to the frame around all handlers, which knows what of the request stands in it.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(Arc::new(self));
        response
    }
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

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Refused(refused) => refused.into(),
            ControlError::Dial(refused) => refused.into(),
            ControlError::Changed => Self::plain(StatusCode::PRECONDITION_FAILED, error.to_string()),
            ControlError::Unavailable(text) => Self::plain(StatusCode::SERVICE_UNAVAILABLE, text),
            ControlError::Internal(source) => {
                // The chain goes to the log; whoever asked has no use for it and no right to it.
                let mut text = source.to_string();
                let mut cause = source.source();
                while let Some(next) = cause {
                    let _ = write!(text, ": {next}");
                    cause = next.source();
                }
                tracing::error!(error = %text, "a web service failed");
                Self::plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "something went wrong on our side; it is in the log",
                )
            }
        }
    }
}

impl From<plenary_store::StoreError> for ApiError {
    fn from(error: plenary_store::StoreError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(%error, "the database cannot be used");
            return Self::plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "the database cannot be used right now; try again",
            );
        }
        ControlError::Internal(error.into()).into()
    }
}

impl From<DialRefused> for ApiError {
    fn from(refused: DialRefused) -> Self {
        let code = match refused {
            DialRefused::BadTarget(_) => BAD_TARGET,
            DialRefused::UnknownTrunk => UNKNOWN_TRUNK,
            DialRefused::NotPermitted(_) => NOT_PERMITTED,
            DialRefused::TrunksBusy => TRUNKS_BUSY,
            DialRefused::UnknownUser => UNKNOWN_USER,
            DialRefused::NotRegistered => NOT_REGISTERED,
            DialRefused::NotNow(_) => NOT_NOW,
        };
        Self::coded(code, refused.to_string())
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        let coded = |code| Self::coded(code, text.clone());
        match refused {
            Refused::OutOfRange(wrong) => Self::problems(out_of_range(wrong)),
            Refused::UnknownConference => coded(UNKNOWN_CONFERENCE),
            Refused::UnknownReservation => coded(UNKNOWN_RESERVATION),
            Refused::UnknownParticipant => coded(UNKNOWN_PARTICIPANT),
            Refused::NameTokenMismatch => coded(NAME_TOKEN_MISMATCH),
            Refused::WrongState { .. } | Refused::Early { .. } | Refused::Over | Refused::Locked => {
                coded(WRONG_STATE)
            }
            Refused::NameTaken => coded(NAME_TAKEN),
            Refused::TooLateToRemove => coded(TOO_LATE_TO_REMOVE),
            Refused::TooLateToExtend => coded(TOO_LATE_TO_EXTEND),
            Refused::TooLong { .. } => coded(TOO_LONG),
            Refused::NoSeats { .. } | Refused::Full => coded(NO_SEATS),
            Refused::AlreadyAdmitted => Self::plain(StatusCode::INTERNAL_SERVER_ERROR, text),
        }
    }
}

/// What the rules say of parameters. A name of wrong letters or length is malformed; a number or time is out of range.
pub(crate) fn out_of_range(wrong: Vec<plenary_conference::refused::OutOfRange>) -> Vec<Problem> {
    let problem = |wrong: plenary_conference::refused::OutOfRange| Problem {
        code: if wrong.parameter == "conference_name" { MALFORMED } else { OUT_OF_RANGE },
        text: format!("{} {}", wrong.parameter, wrong.text),
    };
    wrong.into_iter().map(problem).collect()
}
