//! The audit log: who changed what, from where, before and after, without secrets.
#![allow(missing_docs)]

mod support;

use plenary_model::{KeySettings, Scope};
use serde_json::{Value, json};
use support::{LOGIN, NOW, World};

const ROOM: &str = "/v1/rooms/1001";

async fn operator(world: &World) -> String {
    let settings = KeySettings {
        label: None,
        scopes: Scope::ALL.into_iter().collect(),
        conference: None,
        expires_at: None,
    };
    let (_, key) = world.store.key_new(world.account, &settings).await.unwrap();
    format!("Bearer {key}")
}

/// The entries, the oldest first.
async fn entries(world: &World, operator: &str, query: &str) -> Vec<Value> {
    let path = format!("/v1/operator/audit?{query}");
    let (status, _, body) = world.send_with(operator, "GET", &path, "", "").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200, "{body}");
    let mut items = body["items"].as_array().unwrap().clone();
    items.reverse();
    items
}

async fn send(world: &World, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let (kind, text) =
        if body.is_null() { ("", String::new()) } else { ("application/json", body.to_string()) };
    let (status, _, body) = world.send(method, path, kind, &text).await;
    (status, serde_json::from_str(&body).unwrap_or_default())
}

#[tokio::test]
async fn what_was_there_before_and_after_is_written_without_pins() {
    let world = World::new().await;
    let operator = operator(&world).await;
    let settings = json!({ "conference": "Board", "pin": "4711", "leader_pin": "70215548" });
    assert_eq!(send(&world, "PUT", ROOM, &settings).await.0, 201);
    assert_eq!(send(&world, "PATCH", ROOM, &json!({ "pin": null, "conference": "Tea" })).await.0, 200);
    assert_eq!(send(&world, "DELETE", ROOM, &Value::Null).await.0, 204);
    let entries = entries(&world, &operator, "").await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let of = |member: &str| entry[member]["conference"].as_str().unwrap_or("-").to_owned();
            (entry["method"].as_str().unwrap(), entry["status"].as_u64().unwrap(), of("before"), of("after"))
        })
        .collect();
    let text = str::to_owned;
    assert_eq!(
        told,
        [
            ("PUT", 201, text("-"), text("Board")),
            ("PATCH", 200, text("Board"), text("Tea")),
            ("DELETE", 204, text("Tea"), text("-")),
        ]
    );
    assert_eq!(
        (
            &entries[1]["before"]["has_pin"],
            &entries[1]["after"]["has_pin"],
            &entries[1]["after"]["has_leader_pin"]
        ),
        (&json!(true), &json!(false), &json!(true))
    );
    let all = json!(entries).to_string();
    assert!(!all.contains("4711") && !all.contains("70215548"), "{all}");
    let first = &entries[0];
    assert_eq!((&first["by"], &first["actor"], &first["path"]), (&json!("key"), &json!(LOGIN), &json!(ROOM)));
    assert_eq!((&first["account"], &first["key"]), (&json!(world.account.0), &json!(1)));
    assert_eq!(first["at"], "2019-06-20T15:00:00Z");
    assert_eq!(first["request_id"].as_str().unwrap().len(), 16);
    assert_eq!(NOW.seconds(), 1_561_042_800);
}

#[tokio::test]
async fn secrets_of_no_kind_of_thing_are_in_it() {
    let world = World::new().await;
    let operator = operator(&world).await;
    const SECRET: &str = "correct-horse-77";
    let trunk = json!({ "uri": "sip:p.example", "user": "u", "password": SECRET });
    assert_eq!(send(&world, "PUT", "/v1/trunks/p", &trunk).await.0, 201);
    assert_eq!(send(&world, "PUT", "/v1/users/desk", &json!({ "password": SECRET })).await.0, 201);
    let service = json!({ "conference": { "name": "{rest}" } });
    assert_eq!(send(&world, "PUT", "/service/v1/inbound/conf-*", &service).await.0, 201);
    let (status, key) = send(&world, "POST", "/v1/keys", &json!({ "scopes": ["read"] })).await;
    assert_eq!(status, 201);
    let (status, token) = send(&world, "POST", "/v1/tokens", &json!({ "service": "conf-Board" })).await;
    assert_eq!(status, 201);
    let entries = entries(&world, &operator, "").await;
    let paths: Vec<_> = entries.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        ["/v1/trunks/p", "/v1/users/desk", "/service/v1/inbound/conf-*", "/v1/keys", "/v1/tokens"]
    );
    assert_eq!(entries[0]["after"]["uri"], "sip:p.example");
    assert_eq!(entries[2]["after"]["conference"]["name"], "{rest}");
    assert_eq!(entries[3]["after"]["scopes"], json!(["read"]));
    assert_eq!(entries[4]["after"], Value::Null);
    let all = json!(entries).to_string();
    let secrets = [SECRET, key["secret"].as_str().unwrap(), token["token"].as_str().unwrap()];
    assert!(secrets.iter().all(|secret| !all.contains(secret)), "{all}");
}

#[tokio::test]
async fn what_the_seven_services_change_is_in_it() {
    let world = World::new().await;
    let operator = operator(&world).await;
    let token = world.example().await;
    let extend = format!("/conference_reservation_modify?reservation_token={token}&duration=15");
    assert_eq!(world.get(&extend).await.0, 200);
    assert_eq!(world.get("/conference_list").await.0, 200);
    world.control.enter(world.account, "Tea", "a.1");
    world.control.enter(world.account, "Tea", "a.2");
    let eject = "/conference_participant_eject?conference_name=Tea&participant_id=a.1";
    assert_eq!(world.get(eject).await.0, 200);
    let remove = format!("/conference_reservation_remove?reservation_token={token}");
    assert_eq!(world.get(&remove).await.0, 200);
    assert_eq!(world.get(&remove).await.0, 404);
    let entries = entries(&world, &operator, "").await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let path = entry["path"].as_str().unwrap().trim_start_matches("/conference_");
            let minutes = |member: &str| entry[member]["duration_min"].as_u64();
            (path, entry["status"].as_u64().unwrap(), minutes("before"), minutes("after"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("reservation_create", 200, None, Some(30)),
            ("reservation_modify", 200, Some(30), Some(45)),
            ("participant_eject", 200, None, None),
            ("reservation_remove", 200, Some(45), None),
            ("reservation_remove", 404, None, None),
        ]
    );
    assert_eq!(entries[0]["request"]["max_participants"], 130);
    assert_eq!(entries[2]["request"], json!({ "conference_name": "Tea", "participant_id": "a.1" }));
    assert_eq!(entries[2]["before"]["participant_id"], "a.1");
    assert_eq!(entries[2]["before"].get("statistics"), None, "it differs at each look");
}

#[tokio::test]
async fn what_is_done_in_conferences_is_in_it_with_what_was_asked_for() {
    let world = World::new().await;
    let operator = operator(&world).await;
    world.control.enter(world.account, "Tea", "a.1");
    world.control.enter(world.account, "Tea", "a.2");
    let mute = json!({ "muted": true, "except_leaders": true });
    assert_eq!(send(&world, "POST", "/v1/conferences/Tea/mute", &mute).await.0, 200);
    assert_eq!(send(&world, "PATCH", "/v1/conferences/Tea", &json!({ "locked": true })).await.0, 200);
    let entries = entries(&world, &operator, "path=/v1/conferences/").await;
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["request"], mute);
    assert_eq!(
        (&entries[1]["before"]["locked"], &entries[1]["after"]["locked"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test]
async fn refused_attempts_are_in_it_and_requests_without_a_key_are_not() {
    let world = World::new().await;
    let operator = operator(&world).await;
    let (status, _, _) = world.send_as("", "DELETE", ROOM, "", "").await;
    assert_eq!(status, 401);
    assert_eq!(send(&world, "DELETE", "/v1/operator/bans/198.51.100.7", &Value::Null).await.0, 403);
    assert_eq!(send(&world, "PUT", ROOM, &json!({ "conference": 7 })).await.0, 400);
    assert_eq!(send(&world, "GET", "/v1/rooms", &Value::Null).await.0, 200);
    let (status, _, _) = world.send_with(&operator, "DELETE", "/v1/operator/bans/198.51.100.7", "", "").await;
    assert_eq!(status, 204);
    let entries = entries(&world, &operator, "").await;
    let told: Vec<_> = entries.iter().map(|entry| entry["status"].as_u64().unwrap()).collect();
    assert_eq!(told, [403, 400, 204]);
}

#[tokio::test]
async fn a_request_that_is_sent_again_with_its_idempotency_key_is_in_it_once() {
    let world = World::new().await;
    let operator = operator(&world).await;
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri("/v1/keys")
            .header("Host", "conference.example.com")
            .header("Authorization", format!("Bearer {}", world.key))
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", "once")
            .body(axum::body::Body::from(r#"{"scopes": ["read"]}"#))
            .unwrap();
        let response = tower::ServiceExt::oneshot(world.router.clone(), request).await.unwrap();
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [201, 201]);
    assert_eq!(entries(&world, &operator, "").await.len(), 1);
}

#[tokio::test]
async fn it_is_read_page_by_page_by_operators_only() {
    let world = World::new().await;
    let operator = operator(&world).await;
    for number in 1001..1004 {
        let path = format!("/v1/rooms/{number}");
        assert_eq!(send(&world, "PUT", &path, &json!({ "conference": "Board" })).await.0, 201);
    }
    let (status, _, body) = world.send_with(&operator, "GET", "/v1/operator/audit?limit=2", "", "").await;
    let first: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &first["items"][0]["path"]), (200, &json!("/v1/rooms/1003")));
    let path = format!("/v1/operator/audit?limit=2&cursor={}", first["next"].as_str().unwrap());
    let (_, _, body) = world.send_with(&operator, "GET", &path, "", "").await;
    let second: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&second["items"][0]["path"], &second["next"]), (&json!("/v1/rooms/1001"), &Value::Null));
    assert!(entries(&world, &operator, "account=99").await.is_empty());
    assert!(entries(&world, &operator, "since=2030-01-01T00:00:00Z").await.is_empty());
    assert_eq!(world.get("/v1/operator/audit").await.0, 403);
}
