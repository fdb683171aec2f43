//! Reservations by the management API against the running binary: what was answered is there after `kill -9`, and calls follow it.
#![allow(missing_docs)]

mod support;

use plenary_caller::{CallState, Caller};
use serde_json::{Value, json};
use std::time::Duration;
use support::{Server, talk::Talk, wait_for};
use tokio::runtime::Runtime;

const ALL: &str = "/v1/reservations";

#[track_caller]
fn send(server: &Server, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    server.curl(&["-X", method, "-H", "Content-Type: application/json", "-d", &body], path)
}

fn at(now: jiff::Timestamp, minutes: i64) -> String {
    (now + jiff::SignedDuration::from_mins(minutes)).strftime("%Y-%m-%dT%H:%M:00Z").to_string()
}

#[track_caller]
fn make(server: &Server, conference: &str, starts_at: &str, duration_min: u32) -> Value {
    let body = json!({ "conference": conference, "max_participants": 40, "starts_at": starts_at, "duration_min": duration_min });
    let (status, made) = send(server, "POST", ALL, &body);
    assert_eq!(status, 201, "{made}");
    made
}

#[test]
fn what_was_answered_is_there_after_kill_9_as_it_was_answered() {
    let mut server = Server::start("");
    let now = jiff::Timestamp::now();
    let path = |made: &Value| format!("{ALL}/{}", made["token"].as_str().unwrap());
    let first = make(&server, "Board", &at(now, 20), 30);
    let second = make(&server, "Board", &at(now, 50), 30);
    let far = make(&server, "Board", &at(now, 365 * 24 * 60), 30);
    let removed = make(&server, "Board", &at(now, 100), 30);
    let change = json!({ "title": "Weekly", "duration_min": 60, "starts_at": at(now, 200) });
    assert_eq!(send(&server, "PATCH", &path(&second), &change).0, 200);
    assert_eq!(send(&server, "DELETE", &path(&removed), &json!({})).0, 204);
    let before = server.get(ALL);
    server.kill_and_restart();
    assert_eq!(server.get(ALL), before);
    let items = before["items"].as_array().unwrap();
    let tokens: Vec<&Value> = items.iter().map(|one| &one["token"]).collect();
    assert_eq!(tokens, [&first["token"], &second["token"], &far["token"]]);
    assert_eq!((&items[1]["title"], &items[1]["duration_min"]), (&json!("Weekly"), &json!(60)));
    // What was sold is sold.
    let overlapping = json!({ "conference": "Board", "max_participants": 40, "starts_at": at(now, 230), "duration_min": 30 });
    assert_eq!(send(&server, "POST", ALL, &overlapping).1["code"], "1202");
    let (status, left) =
        server.curl(&[], &format!("/v1/availability?from={}&to={}", at(now, 10), at(now, 300)));
    assert_eq!((status, &left["least"]), (200, &json!(3460)), "{left}");
    assert_eq!(left["items"].as_array().unwrap().len(), 5, "{left}");
}

/// The first one lasts a minute or two and is followed by the next: who is in the one is hung up, and the other one is open.
#[test]
fn one_ends_and_the_next_begins_at_once_also_after_kill_9() {
    let mut server = Server::start("[reservations]\nmin_notice_minutes = 0\nmin_duration_minutes = 1\n");
    // A start in ten seconds is rounded down to this minute, unless the next one begins before: then it is on at once.
    let now = wait_for("a minute that lasts", || {
        let now = jiff::Timestamp::now();
        (now.as_second().rem_euclid(60) < 48).then_some(now)
    });
    // Until its end there is time for what comes before it.
    let minutes = if now.as_second().rem_euclid(60) < 25 { 1 } else { 2 };
    let soon = (now + jiff::SignedDuration::from_secs(10)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let first = make(&server, "Board", &soon, minutes);
    let second = make(&server, "Board", &at(now, i64::from(minutes)), 30);
    assert_eq!((&first["state"], &second["state"]), (&json!("holding"), &json!("reserved")), "{first}");
    assert_eq!(first["ends_at"], second["starts_at"]);
    server.kill_and_restart();
    let runtime = Runtime::new().unwrap();
    let caller = runtime.block_on(Caller::new(Default::default())).unwrap();
    let talk = Talk { runtime, caller, calls: Vec::new() };
    let mut call = talk.call(&server, "Board", 440.0);
    server.wait_for_participants("Board", 1);
    let end =
        talk.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(130), call.ended()).await });
    let Ok(CallState::Ended { by_remote: true, reason }) = end else { panic!("{end:?}") };
    assert!(reason.contains("time is up"), "{reason}");
    let state = |made: &Value| {
        let shown = server.get(&format!("{ALL}/{}", made["token"].as_str().unwrap()));
        shown["state"].as_str().unwrap().to_owned()
    };
    assert_eq!((state(&first), state(&second)), ("completed".to_owned(), "holding".to_owned()));
    let _second_call = talk.call(&server, "Board", 440.0);
    server.wait_for_participants("Board", 1);
}
