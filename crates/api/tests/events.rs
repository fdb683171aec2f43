//! The event log over HTTP: read page by page, followed live, resumed.
#![allow(missing_docs)]

mod support;

use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use futures_util::StreamExt;
use plenary_model::{
    AccountEvent, Actor, ConferenceName, EventKind, EventRecord, KeySettings, ParticipantId, PersonSettings,
    Role, Scope, Scopes, Timestamp,
};
use plenary_store::{Account, AccountSettings, KeyId};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Duration};
use support::{
    World,
    browser::{OWN, ask, by, own},
};
use tokio::time::timeout;
use tower::ServiceExt;

fn event(world: &World, conference: &str, kind: EventKind) -> AccountEvent {
    let event = EventRecord {
        at: Timestamp(1_700_000_000_000),
        conference: Some(ConferenceName::new(conference)),
        participant_id: None,
        actor: Actor::system(),
        reason: None,
        kind,
    };
    AccountEvent { account: world.account, event }
}

async fn write(world: &World, conferences: &[&str]) {
    let events: Vec<_> =
        conferences.iter().map(|name| event(world, name, EventKind::ConferenceStarted {})).collect();
    world.store.write_events(&events, false).await.unwrap();
}

fn seqs(page: &Value) -> Vec<i64> {
    page["items"].as_array().unwrap().iter().map(|one| one["seq"].as_i64().unwrap()).collect()
}

/// A stream of events that is being read.
struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(world: &World, path: &str, last_event_id: Option<&str>) -> Result<Self, u16> {
        Self::open_with(world, &world.key, path, last_event_id).await
    }

    async fn open_with(
        world: &World,
        key: &str,
        path: &str,
        last_event_id: Option<&str>,
    ) -> Result<Self, u16> {
        Self::open_by(world, ("Authorization", &format!("Bearer {key}")), path, last_event_id).await
    }

    /// Of who shows this header.
    async fn open_by(
        world: &World,
        shown: (&str, &str),
        path: &str,
        last_event_id: Option<&str>,
    ) -> Result<Self, u16> {
        let mut request = Request::get(path)
            .header("Host", "conference.example.com")
            .header("Accept", "text/event-stream")
            .header(shown.0, shown.1);
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self { body: response.into_body().into_data_stream(), text: String::new() })
    }

    /// The next block; `None`: the stream has ended.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                // Comments are for what is between.
                if !block.starts_with(':') {
                    return Some(block);
                }
                continue;
            }
            let chunk = timeout(Duration::from_secs(20), self.body.next()).await.expect("something comes")?;
            self.text += std::str::from_utf8(&chunk.unwrap()).unwrap();
        }
    }

    async fn id(&mut self) -> i64 {
        let block = self.next().await.expect("the stream goes on");
        block.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn the_log_is_read_page_by_page_and_by_conference() {
    let world = World::new().await;
    assert_eq!(world.get("/v1/events").await, (200, json!({"items": [], "next": null})));
    write(&world, &["Board", "Tea", "Board", "Board", "Tea"]).await;
    let (_, page) = world.get("/v1/events?limit=2").await;
    assert_eq!((seqs(&page), &page["next"]), (vec![1, 2], &json!(2)));
    assert_eq!(page["items"][0]["type"], "conference.started");
    assert_eq!(page["items"][0]["at"], "2023-11-14T22:13:20Z");
    let (_, page) = world.get("/v1/events?limit=2&after=4").await;
    assert_eq!((seqs(&page), &page["next"]), (vec![5], &Value::Null));
    let (_, page) = world.get("/v1/events?topics=room:Tea").await;
    assert_eq!(seqs(&page), [2, 5]);
    let (_, page) = world.get("/v1/events?topics=room:Tea,room:Board").await;
    assert_eq!(seqs(&page).len(), 5);
    for wrong in ["after=x", "after=-1", "topics=Tea", "topics=room:", "limit=0", "since=1"] {
        assert_eq!(world.get(&format!("/v1/events?{wrong}")).await.0, 400, "{wrong}");
    }
    world.store.prune_events(world.account, Timestamp(0), 2, 100).await.unwrap();
    let (status, gone) = world.get("/v1/events?after=1").await;
    assert_eq!((status, &gone["code"]), (410, &json!("1115")));
    assert_eq!(world.get("/v1/events?after=6").await.0, 410);
    assert_eq!(seqs(&world.get("/v1/events").await.1), [4, 5]);
}

#[tokio::test]
async fn a_stream_goes_on_live_and_resumes_where_it_broke_off() {
    let world = World::new().await;
    write(&world, &["Board", "Board"]).await;
    let mut from_now = Stream::open(&world, "/v1/events", None).await.unwrap();
    assert_eq!(from_now.id().await, 2, "where it begins");
    let mut from_one = Stream::open(&world, "/v1/events?after=0", Some("1")).await.unwrap();
    assert_eq!(from_one.id().await, 2);
    write(&world, &["Board", "Tea"]).await;
    for stream in [&mut from_now, &mut from_one] {
        assert_eq!((stream.id().await, stream.id().await), (3, 4));
    }
    let mut of_tea = Stream::open(&world, "/v1/events?after=0&topics=room:Tea", None).await.unwrap();
    assert_eq!(of_tea.id().await, 4);
    // More than three do not follow, until one leaves.
    assert_eq!(Stream::open(&world, "/v1/events", None).await.err(), Some(429));
    drop(from_one);
    let mut again = Stream::open(&world, "/v1/events", Some("3")).await.unwrap();
    assert_eq!(again.id().await, 4);
    assert_eq!(Stream::open(&world, "/v1/events", Some("x")).await.err(), Some(400));
}

#[tokio::test]
async fn who_asks_for_what_is_gone_is_told_to_begin_anew() {
    let world = World::new().await;
    write(&world, &["Board"; 5]).await;
    world.store.prune_events(world.account, Timestamp(0), 2, 100).await.unwrap();
    for known in ["1", "77"] {
        let mut stream = Stream::open(&world, "/v1/events", Some(known)).await.unwrap();
        let reset = stream.next().await.unwrap();
        assert_eq!(reset, "event: reset\nid: 5\ndata: {\"first\":4,\"last\":5}");
        drop(stream);
    }
    let mut stream = Stream::open(&world, "/v1/events", Some("1")).await.unwrap();
    stream.next().await.unwrap();
    write(&world, &["Board"]).await;
    assert_eq!(stream.id().await, 6);
}

#[tokio::test]
async fn a_follower_that_does_not_read_costs_nothing_and_begins_anew() {
    let world = World::new().await;
    let mut slow = Stream::open(&world, "/v1/events", None).await.unwrap();
    let mut quick = Stream::open(&world, "/v1/events", None).await.unwrap();
    assert_eq!((slow.id().await, quick.id().await), (0, 0));
    let mut seen = 0;
    for _ in 0..6 {
        write(&world, &["Board"; 1000]).await;
        while seen < quick_last(&world).await {
            seen = quick.id().await;
        }
    }
    assert!(slow.next().await.unwrap().starts_with("event: reset\nid: 6000\n"));
    write(&world, &["Board"]).await;
    assert_eq!((slow.id().await, quick.id().await), (6001, 6001));
}

async fn quick_last(world: &World) -> i64 {
    world.store.event_bounds(world.account).await.unwrap().last
}

#[tokio::test]
async fn what_is_only_live_has_no_id_and_is_not_kept() {
    let world = World::new().await;
    let mut stream = Stream::open(&world, "/v1/events", None).await.unwrap();
    stream.id().await;
    let mut talking = event(&world, "Board", EventKind::ParticipantTalking {});
    talking.event.participant_id = Some(ParticipantId::new("0a.1"));
    world.followers.send_live(talking);
    let block = stream.next().await.unwrap();
    assert!(!block.contains("id:"), "{block}");
    let data: Value = serde_json::from_str(block.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((&data["type"], data.get("seq")), (&json!("participant.talking"), None));
    assert_eq!(seqs(&world.get("/v1/events").await.1), [0_i64; 0]);
}

#[tokio::test]
async fn streams_end_when_the_service_drains_with_all_that_was_written() {
    let world = World::new().await;
    let mut stream = Stream::open(&world, "/v1/events", None).await.unwrap();
    stream.id().await;
    write(&world, &["Board"]).await;
    world.followers.drain();
    assert_eq!(stream.id().await, 1);
    assert_eq!(stream.next().await, None);
    // Who comes back may follow on, until the end.
    let mut stream = Stream::open(&world, "/v1/events", Some("0")).await.unwrap();
    assert_eq!(stream.id().await, 1);
    world.followers.stop();
    assert_eq!(stream.next().await, None);
    assert_eq!(Stream::open(&world, "/v1/events", None).await.err(), Some(503));
}

#[tokio::test]
async fn a_key_that_is_bound_to_a_conference_follows_that_one() {
    let world = World::new().await;
    let settings = json!({"scopes": ["read"], "conference": "Tea"});
    let (status, _, made) = world.send("POST", "/v1/keys", "application/json", &settings.to_string()).await;
    assert_eq!(status, 201, "{made}");
    let key = serde_json::from_str::<Value>(&made).unwrap()["secret"].as_str().unwrap().to_owned();
    write(&world, &["Board", "Tea"]).await;
    let mut stream =
        Stream::open_with(&world, &key, "/v1/events?after=0&topics=room:Board", None).await.unwrap();
    assert_eq!(stream.id().await, 2);
    let bearer = format!("Bearer {key}");
    let (_, _, page) = world.send_with(&bearer, "GET", "/v1/events", "", "").await;
    assert_eq!(seqs(&serde_json::from_str(&page).unwrap()), [2]);
    let settings = json!({"scopes": ["book"]});
    let (_, _, made) = world.send("POST", "/v1/keys", "application/json", &settings.to_string()).await;
    let key = serde_json::from_str::<Value>(&made).unwrap()["secret"].as_str().unwrap().to_owned();
    assert_eq!(Stream::open_with(&world, &key, "/v1/events", None).await.err(), Some(403));
}

#[tokio::test]
async fn who_changes_a_reservation_stands_in_its_event() {
    let world = World::new().await;
    let token = world.example().await;
    let (_, page) = world.get("/v1/events").await;
    let made = &page["items"][0];
    assert_eq!((&made["type"], &made["actor"]["kind"]), (&json!("reservation.created"), &json!("key")));
    assert_eq!(made["data"]["token"], json!(token));
    let keys = world.get("/v1/keys").await.1;
    assert_eq!(made["actor"]["id"], json!(keys["items"][0]["id"].to_string()));
}

/// The members of an event that tells of a talker.
fn told(block: &str) -> (String, String, String) {
    let event: Value = serde_json::from_str(block.strip_prefix("data: ").expect("it has no number")).unwrap();
    let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
    (text("type"), text("conference"), text("participant_id"))
}

#[tokio::test]
async fn one_who_comes_while_another_talks_is_told_at_once() {
    let world = World::new().await;
    let talker = |conference: &str, id: &str| (ConferenceName::new(conference), ParticipantId::new(id));
    *world.talkers.0.lock().unwrap() = vec![talker("Board", "a.1"), talker("Tea", "a.2")];
    write(&world, &["Board", "Board"]).await;
    let talking =
        |conference: &str, id: &str| ("participant.talking".to_owned(), conference.to_owned(), id.to_owned());
    // The first to come, when nothing is known yet; the levels follow.
    let mut first = Stream::open(&world, "/v1/events?topics=room:Board,levels", None).await.unwrap();
    assert_eq!(first.id().await, 2);
    assert_eq!(told(&first.next().await.unwrap()), talking("Board", "a.1"));
    let levels = first.next().await.unwrap();
    let levels: Value = serde_json::from_str(levels.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(levels["data"]["levels_dbov"], json!({ "a.1": -21.0 }));
    // One who goes on from an earlier event: that first.
    let mut second = Stream::open(&world, "/v1/events", Some("1")).await.unwrap();
    assert_eq!(second.id().await, 2);
    let both = [second.next().await.unwrap(), second.next().await.unwrap()];
    assert_eq!(both.map(|block| told(&block)), [talking("Board", "a.1"), talking("Tea", "a.2")]);
    // What has changed since counts, and not what was known at the beginning.
    let mut silent = event(&world, "Board", EventKind::ParticipantSilent {});
    silent.event.participant_id = Some(ParticipantId::new("a.1"));
    world.followers.send_live(silent);
    assert_eq!(told(&second.next().await.unwrap()).0, "participant.silent");
    let mut third = Stream::open(&world, "/v1/events", None).await.unwrap();
    assert_eq!(third.id().await, 2);
    assert_eq!(told(&third.next().await.unwrap()), talking("Tea", "a.2"));
}

/// A person of this role in the account who has signed in: the number, and the cookie.
async fn signed_in(world: &World, role: &str) -> (i64, String) {
    let person = json!({"name": "Eve", "mail": "eve@example.com",
        "roles": [{"account": world.account.0, "role": role}]});
    let made = own(world, "POST", "/v1/people", Some(person)).await.body;
    let path = made["invitation"]["path"].as_str().unwrap();
    let code = path.strip_prefix("/console/welcome#").unwrap();
    let body = json!({"code": code, "password": "correct horse"});
    let cookie = ask(world, "POST", "/v1/invitations/accept", &[OWN], Some(body)).await.cookie();
    (made["id"].as_i64().unwrap(), cookie)
}

/// A stream that goes on ends within ten seconds of what takes the right away.
async fn ends_with(world: &World, shown: (&str, &str), takes_away: impl AsyncFnOnce()) {
    let mut stream = Stream::open_by(world, shown, "/v1/events", None).await.unwrap();
    stream.id().await;
    write(world, &["Board"]).await;
    stream.id().await;
    takes_away().await;
    let ended = async { while stream.next().await.is_some() {} };
    timeout(Duration::from_secs(10), ended).await.expect("it ends");
    let again = Stream::open_by(world, shown, "/v1/events", None).await.err();
    assert!(matches!(again, Some(401 | 403) | None), "{again:?}");
}

#[tokio::test]
async fn who_loses_the_role_follows_no_longer() {
    let world = World::new().await;
    let (id, cookie) = signed_in(&world, "organiser").await;
    ends_with(&world, ("cookie", &cookie), async || {
        let (other, _) = world.store.create_account_login("3-4-5/ann@example.com").await.unwrap();
        let elsewhere = [(other.id, Role::Admin)].into();
        let id = plenary_store::PersonId(id);
        let change = world.store.change_person(id, |person| {
            Ok::<_, Infallible>(PersonSettings { roles: elsewhere, ..person.settings() })
        });
        change.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn who_works_in_another_account_follows_the_first_no_longer() {
    let world = World::new().await;
    let (id, cookie) = signed_in(&world, "admin").await;
    let (other, _) = world.store.create_account_login("3-4-5/ann@example.com").await.unwrap();
    let both = [(world.account, Role::Admin), (other.id, Role::Admin)].into();
    let id = plenary_store::PersonId(id);
    let change = world
        .store
        .change_person(id, |person| Ok::<_, Infallible>(PersonSettings { roles: both, ..person.settings() }));
    change.await.unwrap();
    ends_with(&world, ("cookie", &cookie), async || {
        let switched =
            by(&world, &cookie, "PATCH", "/v1/session", Some(json!({"account": other.id.0}))).await;
        assert_eq!(switched.status, 200, "{}", switched.text);
    })
    .await;
}

#[tokio::test]
async fn people_and_keys_of_an_account_that_is_disabled_follow_no_longer() {
    let world = World::new().await;
    let (_, cookie) = signed_in(&world, "admin").await;
    let bearer = format!("Bearer {}", world.key);
    let disable = async || {
        let change = world.store.change_account(world.account, |account: &Account| {
            Ok::<_, Infallible>(AccountSettings { is_disabled: true, ..account.settings })
        });
        change.await.unwrap();
    };
    tokio::join!(
        ends_with(&world, ("cookie", &cookie), &disable),
        ends_with(&world, ("authorization", &bearer), &disable),
    );
}

#[tokio::test]
async fn a_key_that_is_revoked_or_changed_follows_no_longer() {
    let world = World::new().await;
    let key = async |scopes: Scopes| {
        let settings = KeySettings { scopes, ..KeySettings::default() };
        let (info, key) = world.store.key_new(world.account, &settings).await.unwrap();
        (info.id, format!("Bearer {}", key.as_str()))
    };
    let [revoked, lacking, bound] =
        [key(Scopes::account()).await, key(Scopes::account()).await, key(Scopes::conference()).await];
    let change = async |id: KeyId, settings: KeySettings| {
        world.store.change_key(world.account, id, |_| Ok::<_, Infallible>(settings)).await.unwrap().unwrap();
    };
    tokio::join!(
        ends_with(&world, ("authorization", &revoked.1), async || {
            assert!(world.store.key_revoke(world.account, revoked.0).await.unwrap());
        }),
        ends_with(&world, ("authorization", &lacking.1), async || {
            let scopes = [Scope::Book].into_iter().collect();
            change(lacking.0, KeySettings { scopes, ..KeySettings::default() }).await;
        }),
        // Bound to a conference it may follow that, by another stream.
        ends_with(&world, ("authorization", &bound.1), async || {
            let conference = Some(ConferenceName::new("Board"));
            let scopes = Scopes::conference();
            change(bound.0, KeySettings { scopes, conference, ..KeySettings::default() }).await;
        }),
    );
}

#[tokio::test]
async fn who_may_still_read_follows_on() {
    let world = World::new().await;
    let (id, cookie) = signed_in(&world, "admin").await;
    let mut stream = Stream::open_by(&world, ("cookie", &cookie), "/v1/events", None).await.unwrap();
    stream.id().await;
    let id = plenary_store::PersonId(id);
    let lower = world.store.change_person(id, |person| {
        let roles = [(world.account, Role::Auditor)].into();
        Ok::<_, Infallible>(PersonSettings { roles, ..person.settings() })
    });
    lower.await.unwrap();
    // Past a look at what the session allows: the next comment comes later than that.
    timeout(Duration::from_secs(20), stream.body.next()).await.expect("a comment").unwrap().unwrap();
    write(&world, &["Board"]).await;
    assert_eq!(stream.id().await, 1);
}
