//! Statistics and sound settings over HTTP.
#![allow(missing_docs)]

mod support;

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use support::World;

const BASE: &str = "/v1/conferences/Board";

async fn patch(world: &World, path: &str, body: &str) -> (u16, Value) {
    let (status, _, text) = world.send("PATCH", path, "application/json", body).await;
    (status, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn participants_are_shown_with_what_is_measured_of_them() {
    let world = World::new().await;
    let (status, problem) = world.get(&format!("{BASE}/participants")).await;
    assert_eq!((status, &problem["code"]), (404, &json!("1101")));
    world.control.enter(world.account, "Board", "a.1");
    let (status, shown) = world.get(&format!("{BASE}/participants")).await;
    assert_eq!(status, 200);
    let shown = &shown["items"];
    assert_eq!((&shown[0]["participant_id"], &shown[0]["statistics"]["mos"]), (&json!("a.1"), &json!(4.4)));
    assert_eq!(shown[0]["muted"], json!(false));
}

#[tokio::test]
async fn sound_is_set_for_a_conference_and_for_one_participant() {
    let world = World::new().await;
    world.control.enter(world.account, "Board", "a.1");
    let of_conference = patch(&world, &format!("{BASE}/sound"), r#"{"automatic_gain": true}"#).await;
    assert_eq!(of_conference, (200, json!({ "automatic_gain": true, "noise_suppression": false })));
    let of_account = patch(&world, "/v1/sound", r#"{"noise_suppression": true}"#).await;
    assert_eq!(of_account, (200, json!({ "automatic_gain": false, "noise_suppression": true })));
    assert_eq!(world.get("/v1/sound").await.0, 200);
    let one = format!("{BASE}/participants/a.1");
    let (status, _) = patch(&world, &one, r#"{"gain_db": -6.5, "sound": {"automatic_gain": null}}"#).await;
    assert_eq!(status, 200);
    let (status, problem) = patch(&world, &format!("{BASE}/participants/a.2"), "{}").await;
    assert_eq!((status, &problem["code"]), (404, &json!("1103")));
}

/// Asks with one more header. The status, the tag of the answer, and what it says.
async fn ask(
    world: &World,
    method: &str,
    path: &str,
    (name, value): (&str, &str),
    body: &str,
) -> (u16, Option<String>, String) {
    let request = Request::builder().method(method).uri(path).header("Host", "a").header(name, value);
    let request = request.header("Authorization", format!("Bearer {}", world.key));
    let request = request.header("Content-Type", "application/json").body(Body::from(body.to_owned()));
    let answer = tower::ServiceExt::oneshot(world.router.clone(), request.unwrap()).await.unwrap();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, tag, String::from_utf8(body.to_vec()).unwrap())
}

/// Two who change the settings: the second learns that it read an older version.
#[tokio::test]
async fn of_two_changes_of_one_version_of_the_settings_one_is_made() {
    let world = World::new().await;
    world.control.enter(world.account, "Board", "a.1");
    for path in ["/v1/sound", &format!("{BASE}/sound")] {
        let (status, tag, _) = ask(&world, "GET", path, ("accept", "application/json"), "").await;
        let first = tag.unwrap();
        assert_eq!(status, 200);
        let (status, tag, body) = ask(&world, "GET", path, ("if-none-match", first.as_str()), "").await;
        assert_eq!((status, tag.as_ref(), body.as_str()), (304, Some(&first), ""));
        let louder = r#"{"automatic_gain": true}"#;
        let (status, tag, _) = ask(&world, "PATCH", path, ("if-match", first.as_str()), louder).await;
        let second = tag.unwrap();
        assert!(status == 200 && second != first, "{path}: {status} {second}");
        let quieter = r#"{"noise_suppression": true}"#;
        let (status, _, problem) = ask(&world, "PATCH", path, ("if-match", first.as_str()), quieter).await;
        assert!(status == 412 && problem.contains("1213"), "{path}: {status} {problem}");
        let (status, tag, body) = ask(&world, "GET", path, ("if-none-match", first.as_str()), "").await;
        assert_eq!((status, tag.as_ref()), (200, Some(&second)));
        let shown: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(shown, json!({ "automatic_gain": true, "noise_suppression": false }), "{path}");
        // An odd body is told before an old version, and the present one, or any, is taken.
        assert_eq!(ask(&world, "PATCH", path, ("if-match", first.as_str()), "{").await.0, 400);
        assert_eq!(ask(&world, "PATCH", path, ("if-match", second.as_str()), quieter).await.0, 200);
        assert_eq!(ask(&world, "PATCH", path, ("if-match", "*"), louder).await.0, 200);
        assert_eq!(ask(&world, "PATCH", path, ("if-match", "no tag"), louder).await.0, 400);
    }
}

#[tokio::test]
async fn what_cannot_be_set_says_why() {
    let world = World::new().await;
    world.control.enter(world.account, "Board", "a.1");
    for (path, body, pointer, word) in [
        ("/participants/a.1", r#"{"gain_db": 21}"#, "/gain_db", "-40 to 20"),
        ("/participants/a.1", r#"{"gain": 1}"#, "/gain", "gain_db"),
        ("/participants/a.1", "loud", "", "JSON"),
        ("/sound", r#"{"gain_db": 1}"#, "/gain_db", "automatic_gain"),
        ("/sound", r#"{"automatic_gain": "yes"}"#, "/automatic_gain", "true or false"),
    ] {
        let (status, problem) = patch(&world, &format!("{BASE}{path}"), body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("0005")), "{body}");
        let error = &problem["errors"][0];
        assert_eq!(error["pointer"], pointer, "{body}: {problem}");
        assert!(error["detail"].as_str().unwrap().contains(word), "{body}: {problem}");
    }
    assert_eq!(world.send("PUT", "/v1/sound", "application/json", "{}").await.0, 405);
    assert_eq!(world.send("POST", &format!("{BASE}/sound"), "application/json", "{}").await.0, 405);
    assert_eq!(world.get(&format!("{BASE}/loudness")).await.0, 404);
}
