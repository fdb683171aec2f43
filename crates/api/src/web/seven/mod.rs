//! The seven services of the specification. Names of properties, their order and their types are its own.
//!
//! [`table`] says what each takes; routes, reading and all messages about wrong parameters come from it.

pub(crate) mod table;

use crate::{
    answer::{Answer, to_the_end},
    audit::{Audit, Audited},
    control::ConferenceControl,
    error::out_of_range,
    extract::{Account, OwnPage},
    json::json,
    methods::{only, only_but_head},
    params::{Params, percent_encode},
    state::App,
    time,
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use plenary_conference::{
    AccountId, ConferenceName, ParticipantId, Refused, ReservationToken, ServiceName,
    State as ConferenceState, Timestamp,
    conferences::{ConferenceRef, ConferenceSummary},
    reservation::{ReservationRequest, check_new},
};
use plenary_model::is_service_name;
use serde::Serialize;
use std::sync::Arc;
use table::{Kind, Need, Parameter, SERVICES, Service, Type};

pub(crate) fn routes() -> Router<App> {
    SERVICES.iter().fold(Router::new(), |router, service| {
        let methods = if service.changes {
            let run = move |state: State<App>, _: OwnPage, account: Account, audit: Audit, params: Params| {
                run(service, state, account, audit, params)
            };
            only_but_head("GET, POST", get(run).post(run))
        } else {
            let run = move |state: State<App>, _: OwnPage, account: Account, params: Params| {
                run(service, state, account, Audit(None), params)
            };
            only("GET, HEAD, POST", get(run).post(run))
        };
        router.route(service.path, methods)
    })
}

async fn run(
    service: &'static Service,
    State(state): State<App>,
    by: Account,
    Audit(audited): Audit,
    params: Params,
) -> Answer {
    let account = by.needs(service.scope)?;
    let given = read(service.parameters, params);
    if let Some(audited) = &audited {
        audited.about(by.access(), given.shown(), given.subject()).await;
    }
    let control = by.acting(&state).control.clone();
    let request = Request { control, account, audited, given };
    match service.kind {
        Kind::ReservationCreate => to_the_end(create(request)).await,
        Kind::ReservationModify => to_the_end(modify(request)).await,
        Kind::ReservationRemove => to_the_end(remove(request)).await,
        Kind::List => list(request).await,
        Kind::ParticipantList => participants(request).await,
        Kind::ParticipantSetOptions => to_the_end(set_options(request)).await,
        Kind::ParticipantEject => to_the_end(eject(request)).await,
    }
}

/// What is asked, by whom, of whom.
struct Request {
    control: Arc<dyn ConferenceControl>,
    account: AccountId,
    audited: Option<Audited>,
    given: Given,
}

/// The values of a service's parameters, and what is wrong with them.
struct Given {
    values: Vec<(&'static str, Value)>,
    params: Params,
}

enum Value {
    Text(String),
    Number(u32),
    Time(Timestamp),
    Truth(bool),
}

fn read(parameters: &[Parameter], mut params: Params) -> Given {
    let mut values = Vec::with_capacity(parameters.len());
    for group in parameters
        .chunk_by(|one, other| one.need == Need::One && other.need == Need::One && alike(one, other))
    {
        let (problems, known) = (params.problem_count(), values.len());
        for parameter in group {
            let text = match parameter.need {
                Need::Required => params.required(parameter.name),
                Need::Optional | Need::One => params.optional(parameter.name),
            };
            let Some(text) = text else { continue };
            let value = match parameter.of {
                Type::Text => Some(Value::Text(text)),
                Type::Number => params.number(parameter.name, &text).map(Value::Number),
                Type::Time => params.time(parameter.name, &text).map(Value::Time),
                Type::Truth => params.truth(parameter.name, &text).map(Value::Truth),
            };
            values.extend(value.map(|value| (parameter.name, value)));
        }
        if group[0].need == Need::One && values.len() == known && params.problem_count() == problems {
            let names: Vec<&str> = group.iter().map(|parameter| parameter.name).collect();
            let needed = match group[0].of {
                Type::Truth => "at least one of them",
                Type::Text | Type::Number | Type::Time => "one of them",
            };
            params.missing(&format!("{} is missing: {needed} is needed", names.join(" or ")));
        }
    }
    Given { values, params }
}

/// Takes a request of a service apart; all that is wrong can be reported.
#[cfg(feature = "fuzzing")]
pub(crate) fn take_apart(service: &Service, params: Params) {
    let given = read(service.parameters, params);
    assert!(given.values.iter().all(|(_, value)| !matches!(value, Value::Number(0))));
    let _ = (given.conference(), given.params.finish());
}

/// Parameters of one choice are of one type.
fn alike(one: &Parameter, other: &Parameter) -> bool {
    std::mem::discriminant(&one.of) == std::mem::discriminant(&other.of)
}

impl Given {
    fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// The text; empty where it is missing, which stops the request before it is used.
    fn text(&self, name: &str) -> String {
        self.optional_text(name).unwrap_or_default()
    }

    fn optional_text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Text(text) => Some(text.clone()),
            Value::Number(_) | Value::Time(_) | Value::Truth(_) => None,
        }
    }

    fn number(&self, name: &str) -> Option<u32> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            Value::Text(_) | Value::Time(_) | Value::Truth(_) => None,
        }
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        match self.value(name)? {
            Value::Time(at) => Some(*at),
            Value::Text(_) | Value::Number(_) | Value::Truth(_) => None,
        }
    }

    fn truth(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Truth(truth) => Some(*truth),
            Value::Text(_) | Value::Number(_) | Value::Time(_) => None,
        }
    }

    /// What is asked for, as the audit log shows it: parameters that are known, none of which is secret.
    fn shown(&self) -> serde_json::Value {
        let shown = |value: &Value| match value {
            Value::Text(text) => text.as_str().into(),
            Value::Number(number) => (*number).into(),
            Value::Time(at) => time::rfc3339(*at).into(),
            Value::Truth(truth) => (*truth).into(),
        };
        let members = self.values.iter().map(|(name, value)| ((*name).to_owned(), shown(value)));
        serde_json::Value::Object(members.collect())
    }

    /// The path of `/v1` that shows what is about to be changed.
    fn subject(&self) -> Option<String> {
        let token = self.optional_text("reservation_token");
        match (self.optional_text("participant_id"), self.optional_text("conference_name"), token) {
            (Some(id), Some(name), _) => {
                let [name, id] = [name, id].map(|text| percent_encode(&text));
                Some(format!("/v1/conferences/{name}/participants/{id}"))
            }
            (None, _, Some(token)) => Some(reservation_path(&token)),
            _ => None,
        }
    }

    /// The conference that is meant: by name, by token, or by both.
    fn conference(&self) -> ConferenceRef {
        let name = self.optional_text("conference_name").map(ConferenceName::new);
        let token = self.optional_text("reservation_token").map(ReservationToken::new);
        match (name, token) {
            (Some(name), Some(token)) => ConferenceRef::Both(name, token),
            (Some(name), None) => ConferenceRef::Name(name),
            // One of them is there, or the request stops before this is used.
            (None, token) => ConferenceRef::Token(token.unwrap_or_else(|| ReservationToken::new(""))),
        }
    }
}

fn reservation_path(token: &str) -> String {
    format!("/v1/reservations/{}", percent_encode(token))
}

fn ok(body: &impl Serialize) -> Answer {
    Ok(json(StatusCode::OK, body))
}

async fn create(Request { control, account, audited, mut given }: Request) -> Answer {
    #[derive(Serialize)]
    struct Created {
        reservation_token: ReservationToken,
    }
    // What is missing is stood in for by something allowed, so that all that is out of range can be reported as well.
    let limits = control.limits();
    let now = control.now();
    let name = given.optional_text("conference_name").unwrap_or_else(|| "x".to_owned());
    let request = ReservationRequest {
        name: ConferenceName::new(name),
        max_participants: given.number("max_participants").unwrap_or(limits.min_participants),
        starts_at: given.time("start_time").unwrap_or_else(|| now.plus_minutes(limits.max_notice_minutes)),
        duration_minutes: given.number("duration").unwrap_or(limits.min_duration_minutes),
        divert: given.optional_text("divert").map(ServiceName::new),
        title: None,
        guests: Vec::new(),
        series: None,
    };
    // The same bound as in the management API; what no database holds is none either.
    if request.divert.as_ref().is_some_and(|name| !is_service_name(name.as_str())) {
        given.params.malformed("divert must be the name of an inbound service".to_owned());
    }
    if let Err(Refused::OutOfRange(wrong)) = check_new(&request, limits, now) {
        given.params.add_problems(out_of_range(wrong));
    }
    given.params.finish()?;
    let reservation_token = control.reserve(account, request).await?;
    if let Some(audited) = audited {
        audited.made(reservation_path(reservation_token.as_str()));
    }
    ok(&Created { reservation_token })
}

async fn modify(Request { control, account, mut given, .. }: Request) -> Answer {
    #[derive(Serialize)]
    struct Extended {
        extended: bool,
    }
    let token = ReservationToken::new(given.text("reservation_token"));
    let minutes = given.number("duration");
    let limits = control.limits();
    let range = limits.min_extend_minutes..=limits.max_extend_minutes;
    if let Some(minutes) = minutes
        && !range.contains(&minutes)
    {
        given.params.add_problems(out_of_range(vec![plenary_conference::refused::OutOfRange {
            parameter: "duration".into(),
            text: format!("must be between {} and {} minutes, not {minutes}", range.start(), range.end()),
        }]));
    }
    given.params.finish()?;
    control.extend(account, token, minutes.unwrap_or_default()).await?;
    ok(&Extended { extended: true })
}

async fn remove(Request { control, account, given, .. }: Request) -> Answer {
    #[derive(Serialize)]
    struct Removed {
        removed: bool,
    }
    let token = ReservationToken::new(given.text("reservation_token"));
    given.params.finish()?;
    control.remove(account, token, None).await?;
    ok(&Removed { removed: true })
}

/// A line of the conference list: the fields of a reservation are there for reserved conferences only, `divert` only
/// where one was given.
#[derive(Serialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_token: Option<ReservationToken>,
    conference_name: ConferenceName,
    max_participants: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_datetime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divert: Option<ServiceName>,
    status: ConferenceState,
}

impl From<ConferenceSummary> for Line {
    fn from(summary: ConferenceSummary) -> Self {
        let reservation = summary.reservation.as_ref();
        Self {
            reservation_token: reservation.map(|reservation| reservation.token.clone()),
            start_time: reservation.map(|reservation| time::with_minutes(reservation.starts_at)),
            start_datetime: reservation.map(|reservation| time::with_seconds(reservation.starts_at)),
            duration: reservation.map(|reservation| reservation.duration_minutes),
            divert: reservation.and_then(|reservation| reservation.divert.clone()),
            conference_name: summary.name,
            max_participants: summary.max_participants,
            status: summary.state,
        }
    }
}

async fn list(Request { control, account, given, .. }: Request) -> Answer {
    given.params.finish()?;
    let lines: Vec<Line> = control.list(account).await?.into_iter().map(Line::from).collect();
    ok(&lines)
}

async fn participants(Request { control, account, given, .. }: Request) -> Answer {
    #[derive(Serialize)]
    struct Participant {
        participant_id: ParticipantId,
        muted: bool,
        dtmf_enabled: bool,
    }
    #[derive(Serialize)]
    struct Participants {
        status: ConferenceState,
        participants: Vec<Participant>,
    }
    let which = given.conference();
    given.params.finish()?;
    let (status, roster) = control.participants(account, which).await?;
    let participants = roster
        .into_iter()
        .map(|summary| Participant {
            participant_id: summary.id,
            muted: summary.muted,
            dtmf_enabled: summary.dtmf_enabled,
        })
        .collect();
    ok(&Participants { status, participants })
}

async fn set_options(Request { control, account, given, .. }: Request) -> Answer {
    #[derive(Serialize)]
    struct OptionsSet {
        options_set: bool,
    }
    let which = given.conference();
    let participant = ParticipantId::new(given.text("participant_id"));
    let (muted, dtmf_enabled) = (given.truth("muted"), given.truth("dtmf_enabled"));
    given.params.finish()?;
    control.set_options(account, which, participant, muted, dtmf_enabled).await?;
    ok(&OptionsSet { options_set: true })
}

async fn eject(Request { control, account, given, .. }: Request) -> Answer {
    #[derive(Serialize)]
    struct Ejected {
        ejected: bool,
    }
    let which = given.conference();
    let participant = ParticipantId::new(given.text("participant_id"));
    given.params.finish()?;
    control.eject(account, which, participant).await?;
    ok(&Ejected { ejected: true })
}
