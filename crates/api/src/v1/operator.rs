//! The installation as a whole, for keys with the scope `operator`, which only the command line gives.

use super::{
    access::{Caller, Operator},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    error::{ApiError, UNKNOWN_BAN},
    extract::Segments,
    json::json,
    operator::{Ban, BanReason, DiskSpace, Health, MediaThread},
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use std::net::IpAddr;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(bans))
        .routes(routes!(lift))
        .routes(routes!(health))
        .routes(routes!(settings))
        .routes(routes!(log))
}

/// A source that SIP does not answer.
#[derive(Debug, Serialize, ToSchema)]
struct BannedSource {
    /// Its address; of IPv6 the first of its network of 64 bits.
    #[schema(value_type = String, example = "198.51.100.7")]
    source: IpAddr,
    /// Why it is not answered.
    reason: BanReason,
    /// How long it still lasts.
    left_s: u64,
    /// Until when.
    #[schema(format = DateTime)]
    until: String,
    /// Only datagrams without a password are not answered, for their source may be forged.
    doubtful: bool,
    /// The only caller from there that is not answered; null: all.
    caller: Option<String>,
}

impl BannedSource {
    fn new(Ban { source, left, doubtful, caller, reason }: Ban, now: Timestamp) -> Self {
        // The last second is one too.
        let left_s = left.as_secs() + 1;
        let until = Timestamp(now.0.saturating_add_unsigned(left_s.saturating_mul(1000)));
        Self { source, reason, left_s, until: time::rfc3339(until), doubtful, caller }
    }
}

/// Lists banned sources
///
/// Sources that SIP does not answer, since many of their requests were refused.
#[utoipa::path(get, path = "/v1/operator/bans", operation_id = "list_bans", tag = "operator", params(Page),
    security(("bearer" = ["operator"])),
    responses((status = 200, description = "Some of the bans, by address.", body = List<BannedSource>)))]
async fn bans(_: Caller<Operator>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let mut bans = state.operator.bans().await;
    let key = |ban: &Ban| match &ban.caller {
        None => ban.source.to_string(),
        Some(caller) => format!("{} {caller}", ban.source),
    };
    bans.sort_by_key(key);
    if let Some(after) = page.after() {
        bans.retain(|ban| key(ban).as_str() > after);
    }
    let now = state.control.now();
    page.answer(bans, key, |ban| BannedSource::new(ban, now))
}

/// Lifts a ban
///
/// The source is answered again, of IPv6 its whole network of 64 bits, with all of its callers.
#[utoipa::path(delete, path = "/v1/operator/bans/{source}", operation_id = "lift_ban", tag = "operator",
    params(("source" = String, Path, description = "The source's address.", example = "198.51.100.7")),
    security(("bearer" = ["operator"])),
    responses((status = 204, description = "It is answered again.")))]
async fn lift(_: Caller<Operator>, State(state): State<App>, Segments([source]): Segments<1>) -> Answer {
    let source: IpAddr =
        source.parse().map_err(|_| ApiError::parameter("source", "must be an address of IPv4 or IPv6"))?;
    to_the_end(async move {
        match state.operator.lift_ban(source).await {
            true => Ok(no_content()),
            false => Err(ApiError::coded(UNKNOWN_BAN, format!("{source} is not banned"))),
        }
    })
    .await
}

/// The health of the service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
struct Shown {
    /// `ok`; `draining`: it is going away; `overloaded`: new calls are refused; `failing`: the engine does not answer, or the database
    /// cannot be used.
    status: HealthStatus,
    /// The program's version.
    version: &'static str,
    /// When it was started.
    #[schema(format = DateTime)]
    started_at: String,
    /// How long the engine, which decides about all calls, took to answer just now; null: it did not within two seconds.
    engine_answer_ms: Option<f64>,
    /// What is wrong with the database; null: nothing.
    database_error: Option<String>,
    /// The disk with the data folder; null: it cannot be looked at.
    disk: Option<Disk>,
    /// When the certificate of the service expires, or the first of those between it and its authority; null: the service has none.
    #[schema(format = DateTime)]
    certificate_expires_at: Option<String>,
    /// The threads that move and mix audio.
    media: Vec<Thread>,
}

/// The health of the service in one word: the first of these, from the last, that is so.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HealthStatus {
    /// All is well.
    Ok,
    /// New calls are refused: there is too much to do.
    Overloaded,
    /// It is going away.
    Draining,
    /// The engine does not answer, or the database cannot be used.
    Failing,
}

/// The space of a disk.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DiskSpace)]
struct Disk {
    /// What is left.
    free_bytes: u64,
    /// All of it.
    size_bytes: u64,
    /// With less than this left no conference is recorded (`recordings.keep_free_bytes`); null: recordings are off.
    recording_needs_bytes: Option<u64>,
}

impl From<DiskSpace> for Disk {
    fn from(DiskSpace { free, size, needed_to_record }: DiskSpace) -> Self {
        Self { free_bytes: free, size_bytes: size, recording_needs_bytes: needed_to_record }
    }
}

/// A thread that moves and mixes audio; counted from its start.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MediaThread)]
struct Thread {
    /// Calls.
    calls: u64,
    /// Ticks of conferences: 50 a second for each.
    ticks: u64,
    /// Ticks that began more than 20 ms late, or were left out.
    ticks_late: u64,
    /// Time spent in ticks.
    busy_ms: u64,
}

impl From<MediaThread> for Thread {
    fn from(MediaThread { calls, ticks, ticks_late, busy }: MediaThread) -> Self {
        Self { calls, ticks, ticks_late, busy_ms: u64::try_from(busy.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl From<Health> for Shown {
    fn from(health: Health) -> Self {
        let status = match &health {
            Health { database_error: Some(_), .. } | Health { engine_answer: None, .. } => {
                HealthStatus::Failing
            }
            Health { is_draining: true, .. } => HealthStatus::Draining,
            Health { is_overloaded: true, .. } => HealthStatus::Overloaded,
            Health { .. } => HealthStatus::Ok,
        };
        Self {
            status,
            version: env!("CARGO_PKG_VERSION"),
            started_at: time::rfc3339(health.started_at),
            // To hundredths: an answer takes microseconds.
            engine_answer_ms: health
                .engine_answer
                .map(|took| (took.as_secs_f64() * 100_000.0).round() / 100.0),
            database_error: health.database_error,
            disk: health.disk.map(Disk::from),
            certificate_expires_at: health.certificate_expires_at.map(time::rfc3339),
            media: health.media.into_iter().map(Thread::from).collect(),
        }
    }
}

/// Shows the health of the service
#[utoipa::path(get, path = "/v1/operator/health", operation_id = "get_health", tag = "operator",
    security(("bearer" = ["operator"])),
    responses((status = 200, description = "How it does.", body = Shown)))]
async fn health(_: Caller<Operator>, State(state): State<App>) -> Answer {
    Ok(json(StatusCode::OK, &Shown::from(state.operator.health().await)))
}

/// Shows the effective configuration
///
/// By the names of the configuration file, without its secrets.
#[utoipa::path(get, path = "/v1/operator/settings", operation_id = "get_settings", tag = "operator",
    security(("bearer" = ["operator"])),
    responses((status = 200, description = "The configuration.", body = Object)))]
async fn settings(_: Caller<Operator>, State(state): State<App>) -> Answer {
    Ok(json(StatusCode::OK, &state.operator.settings()))
}

const LINES_DEFAULT: u32 = 100;
const LINES_MAX: u32 = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Lines {
    /// Lines at the most.
    #[serde(default = "lines_default", deserialize_with = "lines")]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 1000, default = 100)]
    lines: u32,
}

fn lines_default() -> u32 {
    LINES_DEFAULT
}

fn lines<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let text = String::deserialize(from)?;
    let lines = text.parse().ok().filter(|lines| (1..=LINES_MAX).contains(lines));
    lines.ok_or_else(|| serde::de::Error::custom(format!("lines must be 1 to {LINES_MAX}")))
}

/// The end of the log.
#[derive(Debug, Serialize, ToSchema)]
struct Log {
    /// Its last lines, the oldest first.
    lines: Vec<String>,
}

/// Shows the end of the log
///
/// The last lines since the service was started, 1000 at the most.
#[utoipa::path(get, path = "/v1/operator/log", operation_id = "get_log", tag = "operator", params(Lines),
    security(("bearer" = ["operator"])),
    responses((status = 200, description = "The end of the log.", body = Log)))]
async fn log(_: Caller<Operator>, State(state): State<App>, Query(Lines { lines }): Query<Lines>) -> Answer {
    Ok(json(StatusCode::OK, &Log { lines: state.operator.log(lines as usize) }))
}
