//! Conferences in progress over HTTP: listing, changing, ending, and what is wrong with what was sent.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use support::World;

const ALL: &str = "/service/v1/conference";

async fn send(world: &World, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, text) = world.send(method, path, "application/json", body).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

#[tokio::test]
async fn reserved_and_live_conferences_are_listed() {
    let world = World::new().await;
    world.example().await;
    world.control.enter(world.account, "Tea", "a.1");
    let (status, list) = world.get(ALL).await;
    assert_eq!(status, 200);
    assert_eq!(
        list,
        json!([
            { "name": "MyConferenceRoom", "state": "reserved", "reserved": true, "max_participants": 130,
              "participants": 0, "waiting": 0, "started_at": null, "ends_at": "2019-06-20T15:45:00Z",
              "locked": false, "lecture": false, "muted_on_entry": false, "self_unmute": true },
            { "name": "Tea", "state": "holding", "reserved": false, "max_participants": 40,
              "participants": 0, "waiting": 1, "started_at": null, "ends_at": null,
              "locked": false, "lecture": false, "muted_on_entry": false, "self_unmute": true },
        ])
    );
    let (_, held) = world.get(&format!("{ALL}?state=holding")).await;
    assert_eq!((held.as_array().unwrap().len(), &held[0]["name"]), (1, &json!("Tea")));
    assert_eq!(world.code(&format!("{ALL}?state=open")).await, (400, "1001".into()));
    world.control.enter(world.account, "Tea", "a.2");
    let (_, tea) = world.get(&format!("{ALL}/Tea")).await;
    assert_eq!((&tea["participants"], &tea["started_at"]), (&json!(2), &json!("2019-06-20T15:00:00Z")));
}

#[tokio::test]
async fn a_conference_is_changed_while_it_is_open() {
    let world = World::new().await;
    world.example().await;
    world.control.enter(world.account, "Tea", "a.1");
    let (status, tea) = send(&world, "PATCH", &format!("{ALL}/Tea"), r#"{"locked": true}"#).await;
    assert_eq!((status, &tea["locked"], &tea["lecture"]), (200, &json!(true), &json!(false)));
    let (status, _) = send(&world, "POST", &format!("{ALL}/Tea/mute"), r#"{"muted": true}"#).await;
    assert_eq!(status, 200);
    let (_, shown) = world.get(&format!("{ALL}/Tea/participants")).await;
    assert_eq!(shown[0]["muted_by"], "leader");
    for (method, path, body, status, code) in [
        ("PATCH", "/MyConferenceRoom", "{}", 409, "1201"),
        ("PATCH", "/Nothing", "{}", 404, "1101"),
        ("PATCH", "/Tea", r#"{"lock": true}"#, 400, "0002"),
        ("PATCH", "/Tea", r#"{"locked": "yes"}"#, 400, "0002"),
        ("POST", "/Tea/mute", "{}", 400, "0002"),
        ("PATCH", "/Tea/participants/a.2", r#"{"muted": true}"#, 404, "1103"),
        ("PATCH", "/Tea/participants/a.1", r#"{"display_name": ""}"#, 400, "1001"),
        ("PATCH", "/Tea/participants/a.1", r#"{"sound": {"gain_db": 21}}"#, 400, "1004"),
        ("DELETE", "/Nothing", "", 404, "1101"),
    ] {
        let (got, answer) = send(&world, method, &format!("{ALL}{path}"), body).await;
        assert_eq!(
            (got, &answer["error"]["code"]),
            (status, &json!(code)),
            "{method} {path} {body}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_conference_is_ended_in_every_state() {
    let world = World::new().await;
    world.example().await;
    world.control.enter(world.account, "Tea", "a.1");
    for name in ["Tea", "MyConferenceRoom"] {
        let path = format!("{ALL}/{name}");
        assert_eq!(send(&world, "DELETE", &path, "").await.0, 204);
        assert_eq!(world.code(&path).await, (404, "1101".into()));
    }
    assert_eq!(world.get(ALL).await, (200, json!([])));
}
