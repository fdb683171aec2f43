//! Conferences that are over.

use super::{
    access::{Caller, Records},
    calls::{CallDirection, kept},
    list::{Cursor, Limit, List, Page, Query},
    moment::Moment,
};
use crate::{
    answer::Answer,
    error::{ApiError, UNKNOWN_PAST_CONFERENCE},
    extract::Segments,
    json::json,
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::{HistoryReason, PastConference as Past, PastParticipant as Stay};
use plenary_store::HistoryQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

const MINUTE_MS: f64 = 60_000.0;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// A conference that is over.
#[derive(Debug, Serialize, ToSchema)]
struct PastConference {
    /// Its id. Ids sort by time.
    #[schema(example = "019a7c3e5b1f0000000100000007")]
    id: String,
    /// Its name.
    #[schema(example = "Board")]
    conference: String,
    /// It was reserved.
    reserved: bool,
    /// So many participants might be in when it began: the seats of its reservation, or what the configuration allows.
    max_participants: u32,
    /// When it began: with its reservation, or with its first participant.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: String,
    /// Why: `all_left`, `time_is_up`, `ended` (by a program), `ended_by_leader`, `leader_left`, `alone`, `stopped`: the service was;
    /// `interrupted`: the service was cut off.
    end_reason: HistoryReason,
    /// The most participants at a time.
    peak_participants: u32,
    /// How often participants entered.
    entries: u32,
    /// The minutes that participants were in, all together.
    seat_minutes: f64,
}

/// The same with who was in.
#[derive(Debug, Serialize, ToSchema)]
struct PastConferenceDetail {
    #[serde(flatten)]
    conference: PastConference,
    /// Each stay of a participant, in the order in which they entered.
    participants: Vec<PastParticipant>,
}

/// What a participant was in a conference.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PastRole {
    /// A leader, if only for a while.
    Leader,
    /// No leader.
    Participant,
}

/// A stay of a participant.
#[derive(Debug, Serialize, ToSchema)]
struct PastParticipant {
    /// Its id, which is that of its call's record.
    #[schema(example = "01234567a1b1c1c2.234")]
    participant_id: String,
    /// Who called, as the call's record has it.
    from: Option<String>,
    /// What was called, as the call's record has it.
    to: Option<String>,
    /// Which way the call went.
    direction: Option<CallDirection>,
    /// `leader`, if only for a while, or `participant`.
    role: PastRole,
    /// When it entered.
    #[schema(format = DateTime)]
    entered_at: String,
    /// When it left.
    #[schema(format = DateTime)]
    left_at: String,
    /// Why: `hung_up`, `exit_key`, `moved` (to another conference), `ejected` (by a program), `removed_by_leader`, or that for which the
    /// conference ended.
    leave_reason: HistoryReason,
}

/// To two digits after the point.
pub(super) fn minutes(ms: i64) -> f64 {
    (ms as f64 / MINUTE_MS * 100.0).round() / 100.0
}

impl From<Past> for PastConference {
    fn from(past: Past) -> Self {
        Self {
            id: past.id,
            conference: past.conference,
            reserved: past.is_reserved,
            max_participants: past.seats,
            started_at: time::rfc3339(past.started_at),
            ended_at: time::rfc3339(past.ended_at),
            end_reason: past.end_reason,
            peak_participants: past.peak,
            entries: past.entries,
            seat_minutes: minutes(past.present_ms),
        }
    }
}

impl From<Stay> for PastParticipant {
    fn from(stay: Stay) -> Self {
        Self {
            participant_id: stay.participant,
            from: stay.from.and_then(kept),
            to: stay.to.and_then(kept),
            direction: stay.is_outgoing.map(|is_outgoing| match is_outgoing {
                true => CallDirection::Out,
                false => CallDirection::In,
            }),
            role: if stay.is_leader { PastRole::Leader } else { PastRole::Participant },
            entered_at: time::rfc3339(stay.entered_at),
            left_at: time::rfc3339(stay.left_at),
            leave_reason: stay.leave_reason,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only conferences of this name.
    #[param(required = false, example = "Board")]
    conference: Option<String>,
    /// Only those that began then or later.
    #[param(value_type = String, required = false, format = DateTime, example = "2030-06-20T00:00:00Z")]
    since: Option<Moment>,
    /// Only those that began before then.
    #[param(value_type = String, required = false, format = DateTime, example = "2030-06-21T00:00:00Z")]
    until: Option<Moment>,
    /// Items at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    cursor: Option<Cursor>,
}

/// Lists conferences that are over
///
/// The latest first.
#[utoipa::path(get, path = "/v1/history", operation_id = "list_history", tag = "records",
    params(Filter), security(("bearer" = ["records"])),
    responses((status = 200, description = "Some of the conferences.", body = List<PastConference>)))]
async fn list(caller: Caller<Records>, State(state): State<App>, Query(filter): Query<Filter>) -> Answer {
    let page = Page { limit: filter.limit, cursor: filter.cursor };
    let query = HistoryQuery {
        conference: filter.conference,
        since: filter.since.map(|Moment(at)| at),
        until: filter.until.map(|Moment(at)| at),
        before: page.after().map(str::to_owned),
        limit: page.to_fetch(),
    };
    let found = state.store.past_conferences(caller.account, &query).await?;
    page.answer(found, |one| one.id.clone(), PastConference::from)
}

/// Shows a conference that is over
///
/// With who was in, from when to when.
#[utoipa::path(get, path = "/v1/history/{id}", operation_id = "get_history", tag = "records",
    params(("id" = String, Path, description = "The conference's id in the history.", example = "019a7c3e5b1f0000000100000007")),
    security(("bearer" = ["records"])),
    responses((status = 200, description = "The conference.", body = PastConferenceDetail)))]
async fn one(caller: Caller<Records>, State(state): State<App>, Segments([id]): Segments<1>) -> Answer {
    let found = state.store.past_conference(caller.account, &id).await?;
    let (conference, stays) = found.ok_or_else(|| {
        ApiError::coded(UNKNOWN_PAST_CONFERENCE, "there is no conference with this id in the history")
    })?;
    let participants = stays.into_iter().map(PastParticipant::from).collect();
    Ok(json(StatusCode::OK, &PastConferenceDetail { conference: conference.into(), participants }))
}
