//! One error for all of HTTP. How it looks on the wire depends on the path: the platform's form for its own services
//! ([`platform`]), RFC 9457 for `/v1` ([`problem`]).

mod codes;
pub(crate) mod platform;
pub(crate) mod problem;

pub(crate) use codes::{
    ACCOUNT_EXISTS, BAD_AUDIO, BAD_BODY, BAD_GUEST_LINK, BAD_INVITATION, BAD_LEADER_LINK, BAD_SERVICE,
    BAD_TARGET, CHANGED_MEANWHILE, EVENTS_GONE, FILES_LEFT, FOREIGN_PAGE, IDEMPOTENCY_KEY_IN_USE,
    IDEMPOTENCY_KEY_REUSED, LACKS_SCOPE, MAIL_OFF, MAIL_TAKEN, MALFORMED, MEDIA_FULL, MISSING,
    NO_GUEST_SERVICE, NOT_OUR_PAGE, OIDC_OFF, OTHER_CONFERENCE, OUT_OF_RANGE, PASSWORDS_OFF, RECORDING_RUNS,
    REPEATED, ROLE_FORBIDS, SECRET_CHANGES, SERVICE_NAME_TAKEN, TOO_MANY, UNKNOWN_ACCOUNT, UNKNOWN_BAN,
    UNKNOWN_CALL, UNKNOWN_DELIVERY, UNKNOWN_GUEST_LINK, UNKNOWN_KEY, UNKNOWN_LEADER_LINK, UNKNOWN_MEDIA,
    UNKNOWN_MESSAGES, UNKNOWN_PAST_CONFERENCE, UNKNOWN_PERSON, UNKNOWN_RECORDING, UNKNOWN_ROOM,
    UNKNOWN_SERIES, UNKNOWN_SERVICE, UNKNOWN_SESSION, UNKNOWN_TRUNK, UNKNOWN_USER, UNKNOWN_WEBHOOK,
    UNKNOWN_WEBRTC_KEY, USER_NAME_TAKEN, WEBRTC_KEY_TAKEN, WRONG_OLD_PASSWORD, WRONG_PASSWORD, WRONG_PIN,
    ZERO,
};
pub use codes::{CODES, Code};

use crate::control::{ControlError, DialRefused, store_error};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
pub(crate) use codes::{
    ALREADY_RECORDED, NAME_TAKEN, NAME_TOKEN_MISMATCH, NO_END, NO_SEATS, NOBODY_TO_RECORD, NOT_ASKED,
    NOT_NOW, NOT_PERMITTED, NOT_RECORDED, NOT_REGISTERED, RECORDING_NOT_WRITTEN, RECORDING_OFF, STORAGE_FULL,
    TOO_LATE_TO_EXTEND, TOO_LATE_TO_REMOVE, TOO_LONG, TRUNKS_BUSY, UNKNOWN_CONFERENCE, UNKNOWN_PARTICIPANT,
    UNKNOWN_PLAYBACK, UNKNOWN_RESERVATION, WRONG_STATE,
};
use plenary_conference::Refused;
use plenary_model::{FieldError, RecordingFailure, Scope};
use plenary_store::{ChangeError, PersonError, StoreError};
use std::{borrow::Cow, fmt::Write, sync::Arc};

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
    details: Box<[String]>,
    /// What is wrong with members of the body and parameters, where each is reported on its own.
    fields: Box<[Field]>,
    /// For 405.
    allow: Option<Box<str>>,
    /// The scope that was needed, for 403.
    scope: Option<Scope>,
    /// When it may be tried again, for 429 and 503.
    retry_after_s: u32,
}

/// What is wrong with one thing that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    /// A member of the body.
    Member(FieldError),
    /// A parameter of the query string or of the path, or a header.
    Parameter { name: Cow<'static, str>, detail: String },
}

/// When a request may be tried again, where nothing more is known.
const RETRY_AFTER_S: u32 = 5;

/// Which code stands for a request in which several things are wrong: the first of these that occurs.
const PRECEDENCE: [&str; 4] = ["0001", "0003", "0002", "0004"];

impl ApiError {
    pub(crate) fn coded(code: Code, text: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.status).expect("the table holds valid statuses");
        Self { code: Some(code), ..Self::plain(status, text) }
    }

    pub(crate) fn plain(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            code: None,
            text: text.into(),
            details: Box::default(),
            fields: Box::default(),
            allow: None,
            scope: None,
            retry_after_s: RETRY_AFTER_S,
        }
    }

    /// Too many tries, until this many seconds have passed.
    pub(crate) fn wait(seconds: u32, text: impl Into<String>) -> Self {
        Self { retry_after_s: seconds, ..Self::plain(StatusCode::TOO_MANY_REQUESTS, text) }
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let text = format!("this service takes {allow}");
        let allow = Some(allow.into());
        Self { allow, ..Self::plain(StatusCode::METHOD_NOT_ALLOWED, text) }
    }

    /// The path takes these methods alone.
    pub(crate) fn path_takes(methods: &str) -> Self {
        Self {
            allow: Some(methods.into()),
            ..Self::plain(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {methods}"))
        }
    }

    /// Members of a body that are wrong; at least one is.
    pub(crate) fn members(errors: Vec<FieldError>) -> Self {
        Self::fields(BAD_BODY, errors.into_iter().map(Field::Member).collect())
    }

    /// A parameter or header that is wrong.
    pub(crate) fn parameter(name: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::fields(MALFORMED, vec![Field::Parameter { name: name.into(), detail: detail.into() }])
    }

    /// Parameters of a query string that are wrong, each with its name as a pointer; at least one is.
    pub(crate) fn parameters(errors: Vec<FieldError>) -> Self {
        let name =
            |error: &FieldError| error.pointer.replacen('/', "", 1).replace("~1", "/").replace("~0", "~");
        let of = |error: FieldError| Field::Parameter { name: name(&error).into(), detail: error.detail };
        Self::fields(MALFORMED, errors.into_iter().map(of).collect())
    }

    pub(crate) fn fields(code: Code, fields: Vec<Field>) -> Self {
        let text = match &fields[..] {
            [Field::Member(error)] => error.to_string(),
            [Field::Parameter { name, detail }] => format!("{name}: {detail}"),
            _ => "several things are wrong, see errors".to_owned(),
        };
        Self { fields: fields.into(), ..Self::coded(code, text) }
    }

    /// Our code, or nothing.
    pub(crate) fn code_text(&self) -> String {
        self.code.map(|code| code.code.to_owned()).unwrap_or_default()
    }

    /// The key may not do this.
    pub(crate) fn lacks(scope: Scope) -> Self {
        let text = format!("the key lacks the scope `{scope}`, which this needs");
        Self { scope: Some(scope), ..Self::coded(LACKS_SCOPE, text) }
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

    /// Headers that go with the status, whatever form the body has.
    fn add_headers(&self, headers: &mut HeaderMap) {
        if let Some(allow) = self.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_s));
        }
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

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ApiError {}

impl From<ChangeError<Self>> for ApiError {
    fn from(error: ChangeError<Self>) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Refused(refused) => refused.into(),
            ControlError::Dial(refused) => refused.into(),
            ControlError::Changed => {
                Self::coded(CHANGED_MEANWHILE, "it was changed meanwhile; read it again")
            }
            ControlError::Unavailable(text) => Self::plain(StatusCode::SERVICE_UNAVAILABLE, text),
            ControlError::Internal(source) => {
                // The chain goes to the log; the client has no use for it and no right to it.
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

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::KeySettings(errors) => Self::members(errors),
            StoreError::TooManyKeys { .. } => Self::coded(TOO_MANY, text),
            StoreError::AccountExists { .. } => Self::coded(ACCOUNT_EXISTS, text),
            error => store_error(error).into(),
        }
    }
}

impl From<PersonError> for ApiError {
    fn from(error: PersonError) -> Self {
        let text = error.to_string();
        match error {
            PersonError::Invalid(errors) => Self::members(errors),
            PersonError::MailTaken { .. } => Self::coded(MAIL_TAKEN, text),
            PersonError::TooMany => Self::coded(TOO_MANY, text),
            PersonError::Store(StoreError::UnknownAccount) => {
                Self::members(vec![FieldError::new("/roles", "names an account that there is not")])
            }
            PersonError::Store(error) => error.into(),
        }
    }
}

impl From<ChangeError<Self, PersonError>> for ApiError {
    fn from(error: ChangeError<Self, PersonError>) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<DialRefused> for ApiError {
    fn from(refused: DialRefused) -> Self {
        let code = match refused {
            DialRefused::BadTarget(text) => {
                return Self::fields(BAD_TARGET, vec![Field::Member(FieldError::new("/to", text))]);
            }
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
            Refused::NotIn => coded(NOT_NOW),
            Refused::UnknownPlayback => coded(UNKNOWN_PLAYBACK),
            Refused::NameTokenMismatch => coded(NAME_TOKEN_MISMATCH),
            Refused::WrongState { .. }
            | Refused::Early { .. }
            | Refused::Over
            | Refused::Locked
            | Refused::Denied => coded(WRONG_STATE),
            Refused::NameTaken => coded(NAME_TAKEN),
            Refused::TooLateToRemove => coded(TOO_LATE_TO_REMOVE),
            Refused::TooLateToExtend => coded(TOO_LATE_TO_EXTEND),
            Refused::TooLong { .. } => coded(TOO_LONG),
            Refused::NoSeats { .. } | Refused::Full | Refused::LobbyFull => coded(NO_SEATS),
            Refused::AlreadyRecorded => coded(ALREADY_RECORDED),
            Refused::NotRecorded => coded(NOT_RECORDED),
            Refused::NoEnd => coded(NO_END),
            Refused::NotAsked(_) => coded(NOT_ASKED),
            Refused::NobodyToRecord => coded(NOBODY_TO_RECORD),
            Refused::RecordingOff => coded(RECORDING_OFF),
            Refused::RecordingFailed { failure: RecordingFailure::StorageFull } => coded(STORAGE_FULL),
            Refused::RecordingFailed { .. } => coded(RECORDING_NOT_WRITTEN),
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
