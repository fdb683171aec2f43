//! What is done to participants over HTTP beside calling them: changes, the lobby, moves, announcements.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use support::World;

const ALL: &str = "/v1/conferences/Tea/participants";

async fn send(world: &World, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, text) = world.send(method, path, "application/json", body).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// A world with two participants in the conference Tea.
async fn two() -> World {
    let world = World::new().await;
    world.control.enter(world.account, "Tea", "a.1");
    world.control.enter(world.account, "Tea", "a.2");
    world
}

#[tokio::test]
async fn a_participant_is_changed_in_what_is_named_alone() {
    let world = two().await;
    let path = format!("{ALL}/a.1");
    for (body, member, value) in [
        (json!({"muted": true}), "muted", json!(true)),
        (json!({"leader": true}), "leader", json!(true)),
        (json!({"heard_by": ["a.2"]}), "heard_by", json!(["a.2"])),
        (json!({"heard_by": null}), "heard_by", json!(null)),
        (json!({"inband_dtmf": "always"}), "muted", json!(true)),
        (json!({"inband_dtmf": null}), "inband_dtmf", json!(null)),
        (json!({"held": true, "hand_raised": false, "self_unmute": null}), "muted", json!(true)),
    ] {
        let (status, shown) = send(&world, "PATCH", &path, &body.to_string()).await;
        assert_eq!((status, &shown[member]), (200, &value), "{body}: {shown}");
    }
    for (body, pointer) in [
        (json!({"hand_raised": true}), "/hand_raised"),
        (json!({"held": "yes"}), "/held"),
        (json!({"inband_dtmf": "sometimes"}), "/inband_dtmf"),
        (json!({"heard": []}), "/heard"),
    ] {
        let (status, problem) = send(&world, "PATCH", &path, &body.to_string()).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!(pointer)), "{body}: {problem}");
    }
    let (status, problem) = send(&world, "PATCH", &path, r#"{"heard_by": ["a.9"]}"#).await;
    assert_eq!((status, &problem["code"]), (400, &json!("1001")), "{problem}");
}

#[tokio::test]
async fn a_participant_is_moved_or_nothing_changes() {
    let world = two().await;
    let (status, shown) =
        send(&world, "POST", &format!("{ALL}/a.1/move"), r#"{"conference": "Annex"}"#).await;
    assert_eq!((status, &shown["participant_id"]), (200, &json!("a.1")), "{shown}");
    let (_, there) = world.get("/v1/conferences/Annex/participants").await;
    assert_eq!(there["items"].as_array().unwrap().len(), 1);
    for (body, status, code) in [
        (r#"{"conference": "An annex"}"#, 400, "0005"),
        (r#"{"conference": "Annex"}"#, 404, "1103"),
        ("{}", 400, "0005"),
    ] {
        let (found, problem) = send(&world, "POST", &format!("{ALL}/a.1/move"), body).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{body}: {problem}");
    }
    // Where it is already it stays, as after a request that is sent again.
    let path = "/v1/conferences/Annex/participants/a.1/move";
    let (status, shown) = send(&world, "POST", path, r#"{"conference": "Annex"}"#).await;
    assert_eq!((status, &shown["participant_id"]), (200, &json!("a.1")), "{shown}");
    let (status, shown) = send(&world, "POST", "/v1/conferences/Annex/participants/a.1/admit", "").await;
    assert_eq!((status, &shown["participant_id"]), (200, &json!("a.1")), "it is in: {shown}");
}

#[tokio::test]
async fn nobody_is_admitted_who_does_not_wait() {
    let world = two().await;
    let (status, problem) = send(&world, "POST", &format!("{ALL}/a.9/admit"), "").await;
    assert_eq!((status, &problem["code"]), (404, &json!("1103")), "{problem}");
    let (status, shown) = send(&world, "POST", "/v1/conferences/Tea/admit", "").await;
    assert_eq!((status, &shown["name"]), (200, &json!("Tea")), "{shown}");
    let (status, shown) = send(&world, "POST", "/v1/conferences/Tea/refuse", "").await;
    assert_eq!((status, &shown["name"]), (200, &json!("Tea")), "{shown}");
    for path in ["/v1/conferences/Nothing/admit", "/v1/conferences/Nothing/refuse"] {
        assert_eq!(send(&world, "POST", path, "").await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn an_announcement_is_played_and_stopped_by_its_id() {
    let world = two().await;
    let path = "/v1/conferences/Tea/playbacks";
    let body = r#"{"to": "a.2", "play": ["tone:440/1000", "music:hold"], "gain_db": -6, "loop": true}"#;
    let (status, playing) = send(&world, "POST", path, body).await;
    assert_eq!(status, 202, "{playing}");
    let id = playing["playback_id"].as_str().unwrap();
    let (status, _) = send(&world, "DELETE", &format!("{path}/{id}"), "").await;
    assert_eq!(status, 204);
    let (status, problem) = send(&world, "DELETE", &format!("{path}/other"), "").await;
    assert_eq!((status, &problem["code"]), (404, &json!("1112")), "{problem}");
    let missing = r#"{"play": ["tone:440/1000", "sound:nothing"]}"#;
    let (status, problem) = send(&world, "POST", path, missing).await;
    assert_eq!((status, &problem["code"]), (404, &json!("1111")), "{problem}");
    for (body, pointer) in [
        (json!({"play": ["../secret.wav"]}), "/play/0"),
        (json!({"play": []}), "/play"),
        (json!({"play": "tone:440/1000", "gain_db": 21}), "/gain_db"),
    ] {
        let (status, problem) = send(&world, "POST", path, &body.to_string()).await;
        let found = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert!(status == 400 && pointer.starts_with(found), "{body}: {problem}");
    }
    let (status, _) = send(&world, "POST", path, r#"{"to": "a.9", "play": "tone:440/1000"}"#).await;
    assert_eq!(status, 404);
}
