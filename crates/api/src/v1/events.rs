//! The event log: read page by page, or followed live.

use super::{
    access::Reader,
    list::{Limit, Query},
};
use crate::{
    answer::Answer,
    error::{ApiError, EVENTS_GONE},
    followers::{Follower, NotFollowed, Topics},
    state::App,
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use futures_util::stream;
use plenary_model::{ActorKind, EVENT_TYPES, Scope};
use plenary_store::{Access, Authenticated, EventBounds};
use serde::{Deserialize, Deserializer, Serialize};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};
use utoipa_axum::{router::OpenApiRouter, routes};

const EVENT_STREAM: &str = "text/event-stream";
const TOPICS: &str = "must be topics separated by commas: `room:` and the name of a conference, or `levels`";
const TOPICS_MAX: usize = 100;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Which events are shown, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those after the one with this number; left out: from the oldest one on, or, live, from now on.
    #[serde(default, deserialize_with = "seq")]
    #[param(value_type = u64, required = false, minimum = 0)]
    after: Option<i64>,
    /// Events to look at, at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `room:NAME`: only events of this conference; `levels`: live, how loud those are who talk. Several are separated by commas.
    #[serde(default, deserialize_with = "topics")]
    #[param(value_type = String, required = false, example = "room:Board")]
    topics: Topics,
}

fn seq<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(from)?;
    parse_seq(&text).map(Some).ok_or_else(|| serde::de::Error::custom("must be the number of an event"))
}

/// The number of an event, or 0. Plain digits: what is nearly a number is a mistake.
fn parse_seq(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn topics<'de, D: Deserializer<'de>>(from: D) -> Result<Topics, D::Error> {
    let text = String::deserialize(from)?;
    let mut topics = Topics::default();
    for topic in text.split(',') {
        match topic.strip_prefix("room:") {
            Some(name) if !name.is_empty() && topics.conferences.len() < TOPICS_MAX => {
                topics.conferences.push(name.to_owned());
            }
            None if topic == "levels" => topics.levels = true,
            _ => return Err(serde::de::Error::custom(TOPICS)),
        }
    }
    Ok(topics)
}

/// What has happened.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "the log holds events as they are sent; this describes them")]
pub(super) struct Event {
    /// Its number: counted within the account, without gaps.
    #[schema(example = 1042, minimum = 1)]
    seq: i64,
    /// Its name.
    r#type: EventType,
    /// When it happened.
    #[schema(format = DateTime)]
    at: String,
    /// In which conference; null: it is about none.
    #[schema(example = "Board")]
    conference: Option<String>,
    /// The participant that it is about.
    #[schema(example = "01234567a1b1c1c2.234")]
    participant_id: Option<String>,
    /// Who has brought it about.
    actor: EventActor,
    /// Why, in one word.
    #[schema(example = "hung_up")]
    reason: Option<String>,
    /// What depends on the type: see docs/events.md.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// Who has brought something about.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "as above")]
struct EventActor {
    /// `leader` and `participant`: by their telephone; `key`: a program, by an API key; `person`: who has signed in; `api`: the web services without a known
    /// key; `system`: the service itself.
    kind: ActorKind,
    /// The id of the participant, or the number of the key or the person.
    id: Option<String>,
}

/// The name of an event.
#[derive(Debug, Serialize)]
struct EventType;

impl PartialSchema for EventType {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(EVENT_TYPES)).into()
    }
}

impl ToSchema for EventType {}

/// Some events, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "as above")]
struct Events {
    /// In the order in which they happened.
    items: Vec<Event>,
    /// `after` of the next page; null: these are the last.
    next: Option<i64>,
}

/// Shows or follows events
///
/// What has happened in the conferences of the account, the oldest first. With `Accept: text/event-stream` the answer goes on
/// live: each event has its number as `id`, and `Last-Event-ID` (or `after`) goes on from there. An event `reset` says that events
/// are missing: what is shown has to be read anew. What is sent without an `id` is not kept. A key that is bound to a conference
/// gets the events of that conference.
#[utoipa::path(get, path = "/v1/events", operation_id = "list_events", tag = "events",
    params(Wanted, ("Last-Event-ID" = Option<String>, Header,
        description = "Live: the `id` of the last event that is known; goes before `after`.")),
    security(("bearer" = ["read"])),
    responses(
        (status = 200, description = "Some events; or the stream of them.", content(
            (Events = "application/json"), (String = "text/event-stream"))),
        (status = 410, description = "Events after this number are not kept any more (1115).")))]
async fn events(
    reader: Reader,
    State(state): State<App>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let Wanted { after, limit, mut topics } = wanted;
    if let Some(bound) = &reader.conference {
        // It sees its conference, whatever it asks for.
        topics.conferences = vec![bound.to_string()];
    }
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepts.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with(EVENT_STREAM)) {
        let after = last_event_id(&headers)?.or(after);
        return follow(state, &reader, topics, after).await;
    }
    let bounds = state.store.event_bounds(reader.account).await?;
    let after = after.unwrap_or(bounds.first - 1);
    if !bounds.continue_after(after) {
        return Err(gone(after, bounds));
    }
    let page = state.store.events_after(reader.account, after, limit.get()).await?;
    let next = page.last().map(|last| last.seq).filter(|last| *last < bounds.last);
    let items = page.into_iter().filter(|event| topics.include(event.record().ok().as_ref()));
    let items = items.map(|event| event.json()).collect::<Vec<_>>().join(",");
    let next = next.map_or_else(|| "null".to_owned(), |next| next.to_string());
    let mut response = Response::new(Body::from(format!("{{\"items\":[{items}],\"next\":{next}}}")));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn gone(after: i64, EventBounds { first, last }: EventBounds) -> ApiError {
    let text = match after > last {
        true => format!("there is no event {after}: the last one is {last}"),
        false => format!("events after {after} are not all kept: the oldest is {first}"),
    };
    ApiError::coded(EVENTS_GONE, text)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("?");
    // What an EventSource sends that has had no id yet.
    if text.is_empty() {
        return Ok(None);
    }
    let seq = parse_seq(text)
        .ok_or_else(|| ApiError::parameter("Last-Event-ID", "must be the `id` of an event: a number"))?;
    Ok(Some(seq))
}

async fn follow(state: App, reader: &Reader, topics: Topics, after: Option<i64>) -> Answer {
    let follower = match state.followers.follow(reader.account, topics, after).await {
        Ok(follower) => follower,
        Err(NotFollowed::TooMany { most }) => {
            let text = format!("{most} connections follow the events of this account; close some");
            return Err(ApiError::plain(StatusCode::TOO_MANY_REQUESTS, text));
        }
        Err(NotFollowed::Stopping) => {
            return Err(ApiError::plain(StatusCode::SERVICE_UNAVAILABLE, "the service is stopping"));
        }
        Err(NotFollowed::Store(error)) => return Err(error.into()),
    };
    let mut look = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed { follower, access: reader.access.clone(), state, look };
    let chunks = stream::unfold(feed, |mut feed| async {
        feed.next().await.map(|chunk| (Ok::<_, Infallible>(chunk), feed))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    // Proxies that gather answers do not gather this one.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// How often is looked whether who follows still may.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Events on their way to a client.
struct Feed {
    follower: Follower,
    /// What the client might do when it began: it follows no longer than that holds.
    access: Arc<Access>,
    state: App,
    look: Interval,
}

impl Feed {
    async fn next(&mut self) -> Option<Bytes> {
        let Self { follower, access, state, look } = self;
        let mut chunk = pin!(follower.next());
        loop {
            tokio::select! {
                biased;
                _ = look.tick() => {
                    if !still_lets(state, access).await {
                        return None;
                    }
                }
                chunk = &mut chunk => return chunk,
            }
        }
    }
}

/// Whether a session or a key lets read the same events as when it was shown. Where the database does not answer, the next look asks
/// again.
async fn still_lets(state: &App, before: &Access) -> bool {
    let (store, now) = (&state.store, state.control.now());
    let found = match before.by {
        Authenticated::Person { session, .. } => store.session_access(session, now).await,
        Authenticated::Key(key) => store.key_access(key).await.map(|found| found.map(Arc::unwrap_or_clone)),
        Authenticated::Leader { session, .. } => {
            let counts = store.leader_session_counts(session, now).await;
            counts.map(|counts| counts.then(|| before.clone()))
        }
    };
    let lets = |access: Access| {
        access.account.id == before.account.id
            && access.conference == before.conference
            && access.scopes.includes(Scope::Read)
    };
    found.map_or(true, |found| found.is_some_and(lets))
}
