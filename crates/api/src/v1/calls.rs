//! Call records: who called, when, by which way, how it ended, and how it sounded.

use super::{
    access::{Caller, Records},
    events::Event,
    list::{Cursor, Limit, List, Page, Query},
    moment::Moment,
};
use crate::{
    answer::Answer,
    error::{ApiError, UNKNOWN_CALL},
    extract::Segments,
    json::json,
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::{
    CallQuality, CallRecordEntry, CallSample, CallSamples, EndedBy, ParticipantId, Timestamp,
};
use plenary_store::{CallOutcome, CallsQuery, StoreError, StoredEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(quality))
        .routes(routes!(events))
}

/// A call.
#[derive(Debug, Serialize, ToSchema)]
struct CallRecord {
    /// Its id, which is its participant's.
    #[schema(example = "01234567a1b1c1c2.234")]
    id: String,
    /// Which way it went.
    direction: CallDirection,
    /// Who called; null: removed.
    #[schema(example = "+4930123456")]
    from: Option<String>,
    /// The name or number that was called; null: removed.
    #[schema(example = "board")]
    to: Option<String>,
    /// What let the caller in: `network`, `trunk`, `user`, `token`, `guest` (the code of a guest's link), or `webrtc` (an access key of
    /// browsers); null: we called.
    admitted_by: Option<String>,
    /// The inbound service it came by; null: we called.
    service: Option<String>,
    /// The trunk it came or went through.
    trunk: Option<String>,
    /// The conference it was in last.
    conference: Option<String>,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it was answered; null: it was not.
    #[schema(format = DateTime)]
    answered_at: Option<String>,
    /// When it ended; null: it goes on.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// From the answer to the end; null: it goes on, or was not answered.
    duration_ms: Option<i64>,
    /// What became of it.
    outcome: Outcome,
    /// Why it ended, in words.
    end_reason: Option<String>,
    /// Which side ended it: `remote`, `service`; `network`: the other side was not reached any more, or the service was cut off; null: it goes on.
    ended_by: Option<EndedBy>,
    /// The codec, by its name in SDP.
    codec: Option<String>,
    /// The SRTP cipher; null: its audio was not protected, or there was none.
    cipher: Option<String>,
    /// How it sounded; null: it goes on, or had no audio.
    quality: Option<Quality>,
}

/// Which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CallDirection {
    /// It came in.
    In,
    /// We placed it.
    Out,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CallOutcome)]
enum Outcome {
    /// It goes on.
    InProgress,
    /// It was answered, and is over.
    Answered,
    /// It is over, and was never answered.
    NotAnswered,
}

impl From<Outcome> for CallOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::InProgress => Self::InProgress,
            Outcome::Answered => Self::Answered,
            Outcome::NotAnswered => Self::NotAnswered,
        }
    }
}

impl From<CallOutcome> for Outcome {
    fn from(outcome: CallOutcome) -> Self {
        match outcome {
            CallOutcome::InProgress => Self::InProgress,
            CallOutcome::Answered => Self::Answered,
            CallOutcome::NotAnswered => Self::NotAnswered,
        }
    }
}

/// How a call sounded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallQuality)]
struct Quality {
    /// RTP packets received.
    packets_received: u64,
    /// Packets expected by their numbers and not received.
    packets_lost: u64,
    /// Their share, 0 to 1.
    loss: f64,
    /// RTP packets sent.
    packets_sent: u64,
    /// Interarrival jitter (RFC 3550) at the end.
    jitter_ms: f64,
    /// The highest of it.
    jitter_ms_max: f64,
    /// Mean opinion score at the end, of what was heard of the caller; null: nothing came.
    mos: Option<f64>,
    /// The lowest of it.
    mos_min: Option<f64>,
    /// Share of what was sent that the other side last reported as lost.
    remote_loss: Option<f64>,
    /// Jitter in the other side's last report.
    remote_jitter_ms: Option<f64>,
    /// Round-trip time by RTCP.
    round_trip_ms: Option<f64>,
    /// How long audio went one way only.
    one_way_ms: u64,
}

impl From<&CallQuality> for Quality {
    fn from(quality: &CallQuality) -> Self {
        let expected = quality.packets_received + quality.packets_lost;
        Self {
            packets_received: quality.packets_received,
            packets_lost: quality.packets_lost,
            loss: if expected == 0 { 0.0 } else { rounded(quality.packets_lost as f64 / expected as f64) },
            packets_sent: quality.packets_sent,
            jitter_ms: rounded(quality.jitter_ms),
            jitter_ms_max: rounded(quality.jitter_ms_max),
            mos: Some(quality.mos).filter(|mos| *mos > 0.0).map(rounded),
            mos_min: quality.mos_min.map(rounded),
            remote_loss: quality.remote_loss.map(rounded),
            remote_jitter_ms: quality.remote_jitter_ms.map(rounded),
            round_trip_ms: quality.round_trip_ms.map(rounded),
            one_way_ms: quality.one_way_ms,
        }
    }
}

/// To four digits after the point: what is beyond says nothing.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// A number or name of a record; `None`: it was removed.
pub(super) fn kept(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl From<CallRecordEntry> for CallRecord {
    fn from(entry: CallRecordEntry) -> Self {
        let (outcome, quality) = (CallOutcome::of(&entry).into(), entry.quality());
        let CallRecordEntry { call, ended_at, cause, ended_by, stats: _ } = entry;
        let duration_ms = call.answered_at.zip(ended_at).map(|(from, to)| to.0.saturating_sub(from.0).max(0));
        Self {
            id: call.id,
            direction: if call.is_outgoing { CallDirection::Out } else { CallDirection::In },
            from: kept(call.from),
            to: kept(call.to),
            admitted_by: call.admitted_by,
            service: kept(call.service),
            trunk: call.trunk,
            conference: call.conference,
            started_at: time::rfc3339(call.started_at),
            answered_at: call.answered_at.map(time::rfc3339),
            ended_at: ended_at.map(time::rfc3339),
            duration_ms,
            outcome,
            end_reason: cause,
            ended_by,
            codec: quality.as_ref().and_then(|quality| quality.codec.clone()),
            cipher: quality.as_ref().and_then(|quality| quality.srtp.clone()),
            quality: quality.as_ref().filter(|quality| quality.codec.is_some()).map(Quality::from),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only calls of this conference.
    #[param(required = false, example = "Board")]
    conference: Option<String>,
    /// Only calls by this caller; a number in any spelling (RFC 3966), with `tel:` or without.
    #[param(required = false, example = "+49-30-123456")]
    from: Option<String>,
    /// Only calls to this name or number; a number in any spelling, with `tel:` or without.
    #[param(required = false, example = "+49-30-123456")]
    to: Option<String>,
    /// Only calls that began then or later.
    #[param(value_type = String, required = false, format = DateTime, example = "2030-06-20T00:00:00Z")]
    since: Option<Moment>,
    /// Only calls that began before then.
    #[param(value_type = String, required = false, format = DateTime, example = "2030-06-21T00:00:00Z")]
    until: Option<Moment>,
    /// Only calls that came in, or that we placed.
    #[param(inline, required = false)]
    direction: Option<CallDirection>,
    /// Only calls of which this has become.
    #[param(inline, required = false)]
    outcome: Option<Outcome>,
    /// Items at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    cursor: Option<Cursor>,
}

/// Lists calls
///
/// The latest first.
#[utoipa::path(get, path = "/v1/calls", operation_id = "list_calls", tag = "records",
    params(Filter), security(("bearer" = ["records"])),
    responses((status = 200, description = "Some of the calls.", body = List<CallRecord>)))]
async fn list(caller: Caller<Records>, State(state): State<App>, Query(filter): Query<Filter>) -> Answer {
    let page = Page { limit: filter.limit, cursor: filter.cursor };
    let before = page.after_as(|key| {
        let (at, id) = key.split_once(' ')?;
        Some((Timestamp(at.parse().ok()?), id.to_owned()))
    })?;
    let query = CallsQuery {
        conference: filter.conference,
        from: filter.from,
        to: filter.to,
        since: filter.since.map(|Moment(at)| at),
        until: filter.until.map(|Moment(at)| at),
        is_outgoing: filter.direction.map(|direction| direction == CallDirection::Out),
        outcome: filter.outcome.map(CallOutcome::from),
        before,
        limit: page.to_fetch(),
    };
    let found = state.store.calls(caller.account, &query).await?;
    let key = |entry: &CallRecordEntry| format!("{} {}", entry.call.started_at.0, entry.call.id);
    page.answer(found, key, CallRecord::from)
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_CALL, "there is no record of a call with this id")
}

/// Shows a call
#[utoipa::path(get, path = "/v1/calls/{id}", operation_id = "get_call", tag = "records",
    params(("id" = String, Path, description = "The call's id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["records"])),
    responses((status = 200, description = "The call.", body = CallRecord)))]
async fn one(caller: Caller<Records>, State(state): State<App>, Segments([id]): Segments<1>) -> Answer {
    let found = state.store.call(caller.account, &id).await?;
    let entry = found.ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, &CallRecord::from(entry)))
}

/// Events may be told a bit earlier or later than what the record says.
const EVENTS_AROUND_MS: i64 = 10_000;

/// Shows what a call did in conferences
///
/// The events about its participant, the oldest first: when it waited, entered, was muted, moved, left. Events are kept for a shorter time than
/// calls (`events.days`): of an older call there are none.
#[utoipa::path(get, path = "/v1/calls/{id}/events", operation_id = "list_call_events", tag = "records",
    params(("id" = String, Path, description = "The call's id.", example = "01234567a1b1c1c2.234"), Page),
    security(("bearer" = ["records"])),
    responses((status = 200, description = "Some of the events.", body = List<Event>)))]
async fn events(
    caller: Caller<Records>,
    State(state): State<App>,
    Segments([id]): Segments<1>,
    Query(page): Query<Page>,
) -> Answer {
    let after = page.after_as(|key| key.parse().ok().filter(|seq: &i64| *seq > 0))?.unwrap_or_default();
    let entry = state.store.call(caller.account, &id).await?.ok_or_else(unknown)?;
    let around = |at: Timestamp| Timestamp(at.0.saturating_add(EVENTS_AROUND_MS));
    let mut end = around(entry.ended_at.unwrap_or_else(|| state.control.now()));
    if entry.is_interrupted() {
        // Between a crash and the next start nothing happened: what the start closed is what comes next in the log, however late.
        end = state.store.next_event_at(caller.account, end).await?.map_or(end, around);
    }
    let within = Timestamp(entry.call.started_at.0.saturating_sub(EVENTS_AROUND_MS))..end;
    let participant = ParticipantId::new(&entry.call.id);
    let found = state
        .store
        .events_of_participant(caller.account, &participant, within, after, page.to_fetch())
        .await?;
    let read = |event: &StoredEvent| {
        serde_json::from_str::<Value>(&event.json())
            .map_err(|error| StoreError::Damaged { what: format!("event {}: {error}", event.seq) })
    };
    let found = found.iter().map(|event| Ok((event.seq, read(event)?))).collect::<Result<_, StoreError>>()?;
    page.answer(found, |(seq, _): &(i64, Value)| seq.to_string(), |(_, event)| event)
}

/// How a call sounded while it lasted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallSamples)]
struct Samples {
    /// Seconds that each sample stands for: 10, and of a long call more.
    interval_s: u32,
    /// The samples, the oldest first; 720 at the most.
    items: Vec<Sample>,
}

/// How a call sounded at a moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallSample)]
struct Sample {
    /// When it was measured.
    #[schema(format = DateTime)]
    at: String,
    /// Mean opinion score of the participant's audio; null: nothing had arrived.
    #[schema(example = 4.3)]
    mos: Option<f32>,
    /// Level of the participant's last speech; null: none yet.
    #[schema(example = -23.5)]
    level_dbov: Option<f32>,
    /// Share of packets that did not arrive, since the sample before.
    loss_percent: f32,
    /// Interarrival jitter.
    jitter_ms: f32,
    /// Round-trip time by RTCP; null before the first report.
    rtt_ms: Option<f32>,
}

impl From<CallSamples> for Samples {
    fn from(samples: CallSamples) -> Self {
        let tenths = |value: f32| (value * 10.0).round() / 10.0;
        let item = |CallSample { at, mos, level_dbov, loss_percent, jitter_ms, rtt_ms }| Sample {
            at: time::rfc3339(at),
            mos: mos.map(|mos| (mos * 100.0).round() / 100.0),
            level_dbov: level_dbov.map(tenths),
            loss_percent: tenths(loss_percent),
            jitter_ms: tenths(jitter_ms),
            rtt_ms: rtt_ms.map(tenths),
        };
        Self { interval_s: samples.interval_s, items: samples.items.into_iter().map(item).collect() }
    }
}

/// Shows how a call sounded while it lasted
///
/// Of one that goes on, up to now. A sample every ten seconds; of a call of more than two hours each stands for longer, and says
/// the worst of that time.
#[utoipa::path(get, path = "/v1/calls/{id}/quality", operation_id = "get_call_quality", tag = "records",
    params(("id" = String, Path, description = "The call's id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["records"])),
    responses((status = 200, description = "The samples.", body = Samples)))]
async fn quality(caller: Caller<Records>, State(state): State<App>, Segments([id]): Segments<1>) -> Answer {
    let live = state.operator.call_samples(&id).filter(|(account, _)| *account == caller.account);
    let samples = match live {
        Some((_, samples)) => samples,
        None => match state.store.call_samples(caller.account, &id).await? {
            Some(samples) => samples,
            // It was too short for one.
            None if state.store.call(caller.account, &id).await?.is_some() => CallSamples::default(),
            None => return Err(unknown()),
        },
    };
    Ok(json(StatusCode::OK, &Samples::from(samples)))
}
