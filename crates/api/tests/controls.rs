//! Conferences in progress over HTTP: listing, changing, ending, and what is wrong with what was sent.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use support::World;

const ALL: &str = "/v1/conferences";

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
        list["items"],
        json!([
            { "name": "MyConferenceRoom", "state": "reserved", "reserved": true, "max_participants": 130,
              "participants": 0, "waiting": 0, "started_at": null, "ends_at": "2019-06-20T15:45:00Z",
              "locked": false, "lecture": false, "muted_on_entry": false, "self_unmute": true, "recording": null },
            { "name": "Tea", "state": "holding", "reserved": false, "max_participants": 40,
              "participants": 0, "waiting": 1, "started_at": null, "ends_at": null,
              "locked": false, "lecture": false, "muted_on_entry": false, "self_unmute": true, "recording": null },
        ])
    );
    assert_eq!(list["next"], Value::Null);
    let (_, held) = world.get(&format!("{ALL}?state=holding")).await;
    let held = &held["items"];
    assert_eq!((held.as_array().unwrap().len(), &held[0]["name"]), (1, &json!("Tea")));
    for (query, parameter, detail) in [
        ("state=open", "state", "must be `reserved`, `holding`, `active` or `completed`"),
        ("limit=0", "limit", "must be 1 to 500"),
        ("limit=501", "limit", "must be 1 to 500"),
        ("limit=many", "limit", "must be 1 to 500"),
        ("cursor=*", "cursor", "must be `next` of the page before"),
        ("cursor=AA", "cursor", "must be `next` of the page before"),
        ("stat=holding", "stat", "is not known here; did you mean `state`? known are state, limit, cursor"),
        ("limit=1&limit=2", "limit", "is named twice"),
        ("limit=1&state=%00", "state", "may not hold the character NUL"),
        ("limit=%FF", "limit", "must be text in UTF-8"),
    ] {
        let (status, problem) = world.get(&format!("{ALL}?{query}")).await;
        assert_eq!((status, &problem["code"]), (400, &json!("0002")), "{query}");
        let wrong = json!([{ "parameter": parameter, "detail": detail }]);
        assert_eq!(problem["errors"], wrong, "{query}: {problem}");
    }
    let (_, problem) = world.get(&format!("{ALL}?limit=0&stat=holding")).await;
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(2), "all that is wrong: {problem}");
    // Page by page, whatever comes or goes meanwhile.
    let (_, first) = world.get(&format!("{ALL}?limit=1")).await;
    assert_eq!(
        (&first["items"][0]["name"], first["items"].as_array().unwrap().len()),
        (&json!("MyConferenceRoom"), 1)
    );
    world.control.enter(world.account, "Before", "b.1");
    world.control.enter(world.account, "Nine", "n.1");
    let (_, rest) = world.get(&format!("{ALL}?cursor={}", first["next"].as_str().unwrap())).await;
    let names: Vec<&Value> = rest["items"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!((names, &rest["next"]), (vec![&json!("Nine"), &json!("Tea")], &Value::Null));
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
    assert_eq!(shown["items"][0]["muted_by"], "leader");
    for (method, path, body, status, code, pointer) in [
        ("PATCH", "/MyConferenceRoom", "{}", 409, "1201", None),
        ("PATCH", "/Nothing", "{}", 404, "1101", None),
        ("PATCH", "/Tea", r#"{"lock": true}"#, 400, "0005", Some("/lock")),
        ("PATCH", "/Tea", r#"{"locked": "yes"}"#, 400, "0005", Some("/locked")),
        ("POST", "/Tea/mute", "{}", 400, "0005", Some("/muted")),
        ("POST", "/Tea/mute", "[]", 400, "0005", Some("")),
        ("PATCH", "/Tea/participants/a.2", r#"{"muted": true}"#, 404, "1103", None),
        ("PATCH", "/Tea/participants/a.1", r#"{"display_name": ""}"#, 400, "0005", Some("/display_name")),
        ("PATCH", "/Tea/participants/a.1", r#"{"gain_db": 21}"#, 400, "0005", Some("/gain_db")),
        (
            "PATCH",
            "/Tea/participants/a.1",
            r#"{"sound": {"gain_db": 21}}"#,
            400,
            "0005",
            Some("/sound/gain_db"),
        ),
        ("DELETE", "/Nothing", "", 404, "1101", None),
    ] {
        let (got, problem) = send(&world, method, &format!("{ALL}{path}"), body).await;
        let expected = (status, &json!(code));
        assert_eq!((got, &problem["code"]), expected, "{method} {path} {body}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{method} {path} {body}: {problem}");
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
        let (status, problem) = world.get(&path).await;
        assert_eq!((status, &problem["code"]), (404, &json!("1101")));
    }
    assert_eq!(world.get(ALL).await, (200, json!({ "items": [], "next": null })));
}
