//! Participants of conferences: who is in, waits, or is being called; calling, changing, ejecting, transferring one.

use super::{
    access::{Caller, Control, Read},
    body::Body,
    list::{List, Page, Query},
    sound::{Sound, SoundPatch},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    control::{
        ConferenceChange, Direction, Invitation, ParticipantChange, ParticipantReport, ParticipantState,
        SoundChange, TransferState,
    },
    error::{ApiError, problem::Problem},
    extract::{RequestId, Segments},
    json::{given, json, present},
    state::App,
    time,
};
use axum::{
    body::Body as Bytes,
    extract::State,
    http::{HeaderValue, Response, StatusCode, header},
};
use data_encoding::HEXUPPER;
use plenary_calls::DISPLAY_NAME_LENGTH_MAX;
use plenary_conference::{
    AccountId, ConferenceName, Digit, MutedBy, ParticipantChange as HomeChange, ParticipantId,
    ParticipantOptions, reservation::is_conference_name,
};
use plenary_model::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::RangeInclusive;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

const RING_S: RangeInclusive<u32> = 5..=180;
const RING_S_DEFAULT: u32 = 45;
const GAIN_DB: RangeInclusive<f32> = -40.0..=20.0;
/// Participants that one request may call, at the most.
const CALLS_MAX: usize = 100;
/// Participants who alone hear another, at the most.
const HEARD_BY_MAX: usize = 500;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, call))
        .routes(routes!(one, change, remove))
        .routes(routes!(transfer))
        .routes(routes!(admit))
        .routes(routes!(move_to))
}

/// A participant.
#[derive(Debug, Serialize, ToSchema)]
struct Participant {
    /// Its id, for as long as it is there: that of its call.
    #[schema(value_type = String, example = "01234567a1b1c1c2.234")]
    participant_id: ParticipantId,
    /// The name that is shown; null: it has none.
    display_name: Option<String>,
    /// Who calls, or who is called, as far as others may see: a number or user name.
    from: String,
    /// What was dialled, or who is called.
    to: String,
    /// Which way it was called.
    direction: Way,
    /// How far it has come.
    state: Phase,
    /// It starts the conference, and may end it by leaving.
    leader: bool,
    /// It is not heard.
    muted: bool,
    /// Who muted it; null: it is not muted.
    muted_by: Option<Muter>,
    /// Its keys do something.
    dtmf_enabled: bool,
    /// It talks now.
    talking: bool,
    /// Gain on top of the automatic one, in dB; null: there is no call.
    gain_db: Option<f32>,
    /// When it entered; null: it has not.
    #[schema(format = DateTime)]
    entered_at: Option<String>,
    /// Since when its hand is up; null: it is down.
    #[schema(format = DateTime)]
    hand_raised_at: Option<String>,
    /// It may unmute itself although a leader has muted it.
    self_unmute: bool,
    /// The ids of the participants who alone hear it (coach, whisper); null: all do.
    #[schema(value_type = Option<Vec<String>>)]
    heard_by: Option<Vec<ParticipantId>>,
    /// What is done to its voice; null: there is no call.
    sound: Option<Sound>,
    /// What admitted the caller; null: it was called.
    #[schema(example = "network")]
    admitted_by: Option<&'static str>,
    /// The trunk that the call goes through.
    trunk: Option<String>,
    /// The SIP status with which the call failed.
    status: Option<u16>,
    /// Why the call failed or ended.
    reason: Option<String>,
    /// What came of a transfer.
    transfer: Option<Transfer>,
    /// Counters and measures of the audio; null: there is no call.
    #[schema(value_type = Option<Object>)]
    statistics: Value,
}

/// Which way a participant was called.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Direction)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// It called in.
    In,
    /// It was called.
    Out,
}

/// How far a participant has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParticipantState)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// It is being called.
    Calling,
    /// Its telephone rings.
    Ringing,
    /// It is in a conference that has not started, or has stopped.
    Waiting,
    /// It is in.
    In,
    /// It is in, and has put the conference on hold.
    Held,
    /// It has left.
    Ended,
    /// It was called and did not answer, or was not reached.
    Failed,
}

/// Who muted a participant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MutedBy)]
#[serde(rename_all = "snake_case")]
enum Muter {
    /// The participant, with a key.
    #[serde(rename = "self")]
    Own,
    /// A leader, or a program, or the conference's `muted_on_entry`.
    Leader,
    /// The conference's `lecture`.
    Lecture,
}

/// The outcome of a transfer: a telephone was asked to call another target (REFER, RFC 3515).
#[derive(Debug, Serialize, ToSchema)]
struct Transfer {
    /// The target.
    to: String,
    /// `asked`, `trying`, `done` or `failed`.
    state: &'static str,
    /// The last SIP status that the telephone reported.
    status: Option<u16>,
}

impl From<TransferState> for Transfer {
    fn from(TransferState { to, state, status }: TransferState) -> Self {
        Self { to, state, status }
    }
}

impl From<ParticipantReport> for Participant {
    fn from(ParticipantReport { participant, statistics }: ParticipantReport) -> Self {
        Self {
            participant_id: participant.id,
            display_name: participant.display_name,
            from: participant.name,
            to: participant.to,
            direction: match participant.direction {
                Direction::In => Way::In,
                Direction::Out => Way::Out,
            },
            state: match participant.state {
                ParticipantState::Calling => Phase::Calling,
                ParticipantState::Ringing => Phase::Ringing,
                ParticipantState::Waiting => Phase::Waiting,
                ParticipantState::In => Phase::In,
                ParticipantState::Held => Phase::Held,
                ParticipantState::Ended => Phase::Ended,
                ParticipantState::Failed => Phase::Failed,
            },
            leader: participant.is_leader,
            muted: participant.muted_by.is_some(),
            muted_by: participant.muted_by.map(|by| match by {
                MutedBy::Own => Muter::Own,
                MutedBy::Leader => Muter::Leader,
                MutedBy::Lecture => Muter::Lecture,
            }),
            dtmf_enabled: participant.dtmf_enabled,
            talking: participant.talking,
            gain_db: participant.sound.and_then(|sound| sound.gain_db),
            entered_at: participant.entered_at.map(time::rfc3339),
            hand_raised_at: participant.hand_raised_at.map(time::rfc3339),
            self_unmute: participant.may_unmute,
            heard_by: participant.heard_by,
            sound: participant.sound.map(Sound::from),
            admitted_by: participant.admitted_by,
            trunk: participant.trunk,
            status: participant.status,
            reason: participant.reason,
            transfer: participant.transfer.map(Transfer::from),
            statistics,
        }
    }
}

/// Ids in the order in which their calls came: the number behind the point grows.
fn order(id: &str) -> (usize, &str) {
    (id.len(), id)
}

/// Lists the participants of a conference
///
/// Who is in, waits, or is being called, in the order in which their calls began.
#[utoipa::path(get, path = "/v1/conferences/{name}/participants", operation_id = "list_participants",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"), Page),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "Some of the participants.", body = List<Participant>)))]
async fn list(
    caller: Caller<Read>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Query(page): Query<Page>,
) -> Answer {
    let mut roster = state.control.roster(caller.account, ConferenceName::new(name)).await?;
    let id = |report: &ParticipantReport| report.participant.id.to_string();
    if let Some(after) = page.after() {
        roster.retain(|report| order(report.participant.id.as_str()) > order(after));
    }
    roster
        .sort_by(|one, other| order(one.participant.id.as_str()).cmp(&order(other.participant.id.as_str())));
    Ok(json(StatusCode::OK, &page.of(roster, id, Participant::from)))
}

/// Shows a participant
///
/// One that was called is shown for some minutes after its call has ended.
#[utoipa::path(get, path = "/v1/conferences/{name}/participants/{id}", operation_id = "get_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The participant.", body = Participant)))]
async fn one(caller: Caller<Read>, State(state): State<App>, Segments([name, id]): Segments<2>) -> Answer {
    let shown = show(&state, caller.account, ConferenceName::new(name), ParticipantId::new(id)).await?;
    Ok(json(StatusCode::OK, &shown))
}

async fn show(
    state: &App,
    account: AccountId,
    name: ConferenceName,
    id: ParticipantId,
) -> Result<Participant, ApiError> {
    Ok(state.control.participant(account, name, id).await?.into())
}

/// Whom to call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Call {
    /// `tel:+441908273800`, `sip:user@host` or `user:alice`.
    #[schema(example = "tel:+441908273800")]
    to: String,
    /// The trunk. Left out: the first that serves `to`, and the next where that one fails.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    trunk: Option<String>,
    /// The number or user name that the called side sees. Left out: that of the trunk.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, pattern = "^[A-Za-z0-9._+-]{1,64}$")]
    from: Option<String>,
    /// The name by which the participant is shown.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1)]
    display_name: Option<String>,
    /// What the participant may do.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    participant: Option<ParticipantOptions>,
    /// For how long it may ring.
    #[serde(default = "ring_s")]
    #[schema(minimum = 5, maximum = 180)]
    ring_s: u32,
    /// The key by which the called participant confirms that it joins, so that no answering machine does. Left out: it is in as soon as it
    /// has answered.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, value_type = String, pattern = "^[0-9*#A-Da-d]$", example = "1")]
    confirm: Option<Digit>,
    /// It is called again, once, where its call is cut off by a failure.
    #[serde(default)]
    redial: bool,
}

fn ring_s() -> u32 {
    RING_S_DEFAULT
}

/// Several calls at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Calls {
    /// Each of them.
    #[schema(min_items = 1, max_items = 100)]
    calls: Vec<Call>,
}

/// One or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the description alone: errors of one form are clearer than errors of either")]
enum CallOrCalls {
    One(Call),
    Several(Calls),
}

/// What came of several calls, in their order.
#[derive(Debug, Serialize, ToSchema)]
struct Called {
    items: Vec<CalledItem>,
}

/// What came of one call.
#[derive(Debug, Serialize, ToSchema)]
struct CalledItem {
    /// The participant; null: the call is not placed.
    participant: Option<Participant>,
    /// Why the call is not placed; null if it is.
    #[schema(value_type = Option<Problem<'static>>)]
    problem: Option<Value>,
}

/// A name that can be shown as it is.
fn check_display_name(pointer: &str, name: Option<&str>) -> Result<(), FieldError> {
    let fits = |name: &str| {
        (1..=DISPLAY_NAME_LENGTH_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    if name.is_none_or(fits) {
        return Ok(());
    }
    let text = format!("has 1 to {DISPLAY_NAME_LENGTH_MAX} characters, none of them a control character");
    Err(FieldError::new(pointer, text))
}

impl Call {
    fn check(&self, at: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let wrong = |member: &str, text: String| FieldError::new(format!("{at}/{member}"), text);
        if !RING_S.contains(&self.ring_s) {
            errors.push(wrong("ring_s", format!("must be {} to {}", RING_S.start(), RING_S.end())));
        }
        if self.from.as_deref().is_some_and(|from| !plenary_model::is_user(from)) {
            errors.push(wrong("from", "has 1 to 64 letters, digits and -_.+".to_owned()));
        }
        errors.extend(check_display_name(&format!("{at}/display_name"), self.display_name.as_deref()).err());
        errors
    }

    fn invitation(self) -> Invitation {
        let Self { to, trunk, from, display_name, participant, ring_s, confirm, redial } = self;
        let options = participant.unwrap_or_default();
        Invitation { to, trunk, options, ring_seconds: ring_s, from, display_name, confirm, redial }
    }
}

/// Calls participants into a conference
///
/// One (`{"to": …}`) or several (`{"calls": […]}`). Each seat is taken when the answer comes; the call goes on by itself, and
/// `GET` of the participant says how far it has come. Of several each is called or not on its own.
#[utoipa::path(post, path = "/v1/conferences/{name}/participants", operation_id = "call_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    request_body(content = CallOrCalls, example = json!({"to": "tel:+441908273800", "display_name": "Reception"})),
    security(("bearer" = ["control"])),
    responses((status = 202, description = "The participant that is being called; of several what came of each.",
            body = CalledAnswer),
        (status = 403, description = "No trunk may call there (1301), or the key lacks the scope."),
        (status = 409, description = "No seat is left (1206), all lines are in use (1209), the user is not registered (1210).")))]
async fn call(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    request_id: RequestId,
    Body(body): Body<Value>,
) -> Answer {
    let account = caller.account;
    if !is_conference_name(&name) {
        return Err(ApiError::parameter("name", "a conference's name has 1 to 47 letters and digits"));
    }
    if body.get("calls").is_none() {
        let call: Call = plenary_model::read_value(body).map_err(ApiError::members)?;
        let errors = call.check("");
        if !errors.is_empty() {
            return Err(ApiError::members(errors));
        }
        return to_the_end(async move {
            let shown = place(&state, account, &name, call).await?;
            let location = format!(
                "/v1/conferences/{}/participants/{}",
                percent_encode(&name),
                percent_encode(shown.participant_id.as_str())
            );
            let mut response = json(StatusCode::ACCEPTED, &CalledAnswer::One(Box::new(shown)));
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            Ok(response)
        })
        .await;
    }
    let Calls { calls } = plenary_model::read_value(body).map_err(ApiError::members)?;
    if !(1..=CALLS_MAX).contains(&calls.len()) {
        let error = FieldError::new("/calls", format!("has 1 to {CALLS_MAX} calls"));
        return Err(ApiError::members(vec![error]));
    }
    let at = |index| format!("/calls/{index}");
    let errors: Vec<FieldError> =
        calls.iter().enumerate().flat_map(|(index, call)| call.check(&at(index))).collect();
    if !errors.is_empty() {
        return Err(ApiError::members(errors));
    }
    to_the_end(async move {
        let mut items = Vec::with_capacity(calls.len());
        for call in calls {
            items.push(match place(&state, account, &name, call).await {
                Ok(participant) => CalledItem { participant: Some(participant), problem: None },
                Err(error) => {
                    CalledItem { participant: None, problem: Some(error.problem_of(&request_id.0)) }
                }
            });
        }
        Ok(json(StatusCode::ACCEPTED, &CalledAnswer::Several(Called { items })))
    })
    .await
}

/// The answer to [`call`].
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum CalledAnswer {
    One(Box<Participant>),
    Several(Called),
}

async fn place(state: &App, account: AccountId, name: &str, call: Call) -> Result<Participant, ApiError> {
    let conference = ConferenceName::new(name);
    let participant = state.control.invite(account, conference.clone(), call.invitation()).await?;
    show(state, account, conference, participant).await
}

/// A segment of a path.
fn percent_encode(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&HEXUPPER.encode(&[byte]));
        }
        encoded
    })
}

/// What becomes of a participant; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ParticipantPatch {
    /// It is not heard.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    muted: Option<bool>,
    /// It may unmute itself although a leader has muted it; null: as the conference says.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    self_unmute: Option<Option<bool>>,
    /// Its keys do something.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    dtmf_enabled: Option<bool>,
    /// Its hand is taken down. Only a participant can raise it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    hand_raised: Option<bool>,
    /// It is on hold: hears music, and is not heard.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    held: Option<bool>,
    /// It is a leader.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    leader: Option<bool>,
    /// The ids of the participants who alone hear it (coach, whisper); null: all do.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 500)]
    heard_by: Option<Option<Vec<String>>>,
    /// The name that is shown; null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1)]
    display_name: Option<Option<String>>,
    /// Gain on top of the automatic one, in dB; null: 0.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f32>, minimum = -40, maximum = 20)]
    gain_db: Option<Option<f32>>,
    /// What is done to its voice.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    sound: Option<SoundPatch>,
}

/// Changes a participant
///
/// In whatever state it and the conference are.
#[utoipa::path(patch, path = "/v1/conferences/{name}/participants/{id}", operation_id = "change_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    request_body(content = ParticipantPatch, example = json!({"muted": true})),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The participant as it is now.", body = Participant),
        (status = 409, description = "Its call has ended (1211).")))]
async fn change(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name, id]): Segments<2>,
    Body(patch): Body<ParticipantPatch>,
) -> Answer {
    let ParticipantPatch {
        muted,
        self_unmute,
        dtmf_enabled,
        hand_raised,
        held,
        leader,
        heard_by,
        display_name,
        gain_db,
        sound,
    } = patch;
    let named = display_name.as_ref().and_then(Option::as_deref);
    let mut errors: Vec<FieldError> = check_display_name("/display_name", named).err().into_iter().collect();
    if gain_db.flatten().is_some_and(|gain| !GAIN_DB.contains(&gain)) {
        let text = format!("must be {} to {}", GAIN_DB.start(), GAIN_DB.end());
        errors.push(FieldError::new("/gain_db", text));
    }
    if hand_raised == Some(true) {
        errors.push(FieldError::new("/hand_raised", "can only be false: a participant raises its own hand"));
    }
    let ids = heard_by.as_ref().and_then(Option::as_ref).map_or(0, Vec::len);
    if ids > HEARD_BY_MAX {
        errors.push(FieldError::new("/heard_by", format!("has {HEARD_BY_MAX} participants at the most")));
    }
    if !errors.is_empty() {
        return Err(ApiError::members(errors));
    }
    let heard_by = heard_by.map(|by| by.map(|by| by.into_iter().map(ParticipantId::new).collect()));
    let lower_hand = hand_raised == Some(false);
    let home = HomeChange { muted, dtmf_enabled, self_unmute, lower_hand, held, leader, heard_by };
    let sound = SoundChange { gain_db, ..sound.map(SoundChange::from).unwrap_or_default() };
    let change = ParticipantChange { home, display_name, sound };
    let (account, name, id) = (caller.account, ConferenceName::new(name), ParticipantId::new(id));
    to_the_end(async move {
        state.control.change_participant(account, name.clone(), id.clone(), change).await?;
        Ok(json(StatusCode::OK, &show(&state, account, name, id).await?))
    })
    .await
}

/// Ejects a participant
///
/// In whatever state it and the conference are; one that is being called is given up.
#[utoipa::path(delete, path = "/v1/conferences/{name}/participants/{id}", operation_id = "eject_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["control"])),
    responses((status = 204, description = "It is out.")))]
async fn remove(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name, id]): Segments<2>,
) -> Result<Response<Bytes>, ApiError> {
    to_the_end(async move {
        let (name, id) = (ConferenceName::new(name), ParticipantId::new(id));
        state.control.remove_participant(caller.account, name, id).await?;
        Ok(no_content())
    })
    .await
}

/// Admits a participant from the lobby
#[utoipa::path(post, path = "/v1/conferences/{name}/participants/{id}/admit", operation_id = "admit_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The participant, who is on the way in.", body = Participant),
        (status = 409, description = "No seat is left (1206).")))]
async fn admit(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name, id]): Segments<2>,
) -> Answer {
    let (account, name, id) = (caller.account, ConferenceName::new(name), ParticipantId::new(id));
    to_the_end(async move {
        let change = ConferenceChange::Admit(Some(id.clone()));
        state.control.change_conference(account, name.clone(), change).await?;
        Ok(json(StatusCode::OK, &show(&state, account, name, id).await?))
    })
    .await
}

/// The conference that a participant goes to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveTo {
    /// Its name: 1 to 47 letters and digits. It is created where it does not exist.
    #[schema(pattern = "^[A-Za-z0-9]{1,47}$", example = "Annex")]
    conference: String,
}

/// Moves a participant to another conference
///
/// Its call stays up. It is a participant of the other conference when the answer comes, or nothing has changed.
#[utoipa::path(post, path = "/v1/conferences/{name}/participants/{id}/move", operation_id = "move_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    request_body(content = MoveTo),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The participant, in the other conference.", body = Participant),
        (status = 409, description = "No seat is left there (1206), or it is not open (1201).")))]
async fn move_to(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name, id]): Segments<2>,
    Body(MoveTo { conference }): Body<MoveTo>,
) -> Answer {
    if !is_conference_name(&conference) {
        let error = FieldError::new("/conference", "a conference's name has 1 to 47 letters and digits");
        return Err(ApiError::members(vec![error]));
    }
    let (account, name, id) = (caller.account, ConferenceName::new(name), ParticipantId::new(id));
    let to = ConferenceName::new(conference);
    to_the_end(async move {
        let change = ConferenceChange::Move { participant: id.clone(), to: to.clone() };
        state.control.change_conference(account, name, change).await?;
        Ok(json(StatusCode::OK, &show(&state, account, to, id).await?))
    })
    .await
}

/// Where a participant is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferTo {
    /// `tel:+441908273800` or `sip:user@host`.
    #[schema(example = "sip:reception@example.com")]
    to: String,
}

/// Transfers a participant to another place
///
/// Its telephone is asked to call there (REFER, RFC 3515) and leaves the conference once it is through; `transfer` says how far
/// that has come.
#[utoipa::path(post, path = "/v1/conferences/{name}/participants/{id}/transfer", operation_id = "transfer_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    request_body(content = TransferTo),
    security(("bearer" = ["control"])),
    responses((status = 202, description = "Its telephone has been asked.", body = Participant),
        (status = 403, description = "Nothing allows a call there (1301), or the key lacks the scope."),
        (status = 409, description = "The call is not in a state for this (1211).")))]
async fn transfer(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name, id]): Segments<2>,
    Body(TransferTo { to }): Body<TransferTo>,
) -> Answer {
    let (account, name, id) = (caller.account, ConferenceName::new(name), ParticipantId::new(id));
    to_the_end(async move {
        state.control.transfer(account, name.clone(), id.clone(), to).await?;
        Ok(json(StatusCode::ACCEPTED, &show(&state, account, name, id).await?))
    })
    .await
}

#[cfg(fuzzing)]
pub(super) fn take_apart(body: &[u8]) {
    if let Ok(call) = plenary_model::read::<Call>(body) {
        let _ = call.check("");
    }
    let _ = plenary_model::read::<Calls>(body);
    let _ = plenary_model::read::<ParticipantPatch>(body);
}
