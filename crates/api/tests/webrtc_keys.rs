//! Access keys of browsers over HTTP.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use support::World;

const PATH: &str = "/v1/webrtc_keys";

async fn send(world: &World, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, text) = world.send(method, path, "application/json", body).await;
    (status, serde_json::from_str(&text).unwrap_or_default())
}

#[tokio::test]
async fn keys_are_made_listed_changed_and_revoked() {
    let world = World::new().await;
    assert_eq!(world.get(PATH).await.1["items"], json!([]));
    let (status, made) = send(&world, "POST", PATH, "{}").await;
    let key = made["key"].as_str().unwrap();
    assert_eq!((status, key.len()), (201, 16), "{made}");
    assert_eq!((&made["services"], &made["revoked_at"]), (&Value::Null, &Value::Null), "{made}");
    assert!(made["created_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{made}");
    assert_eq!(world.get(PATH).await.1["items"], json!([made]), "keys are shown, they are no secret");

    let one = format!("{PATH}/{key}");
    let (status, changed) = send(&world, "PATCH", &one, r#"{"services": ["conf-*"]}"#).await;
    assert_eq!((status, &changed["services"]), (200, &json!(["conf-*"])));
    assert_eq!(send(&world, "PATCH", &one, "{}").await.1["services"], json!(["conf-*"]), "nothing is named");
    assert_eq!(send(&world, "PATCH", &one, r#"{"services": null}"#).await.1["services"], Value::Null);
    // What GET shows, PUT takes.
    let shown = world.get(&one).await.1;
    let (status, put) = send(&world, "PUT", &one, &shown.to_string()).await;
    assert_eq!(
        (status, &put["services"], &put["created_at"]),
        (200, &shown["services"], &shown["created_at"])
    );

    assert_eq!(send(&world, "DELETE", &one, "").await.0, 204);
    assert!(world.get(&one).await.1["revoked_at"].as_str().is_some(), "it can still be read");
    for (method, body) in [("DELETE", ""), ("PATCH", r#"{"services": null}"#)] {
        let (status, answer) = send(&world, method, &one, body).await;
        assert_eq!((status, &answer["code"]), (404, &json!("1107")), "{method}");
    }
    let (status, again) = send(&world, "PUT", &one, "{}").await;
    assert_eq!((status, &again["revoked_at"]), (201, &Value::Null), "made valid again");
}

#[tokio::test]
async fn a_key_that_a_page_carries_already_can_be_kept_unless_another_account_has_it() {
    let world = World::new().await;
    let path = format!("{PATH}/acc2");
    let (status, made) = send(&world, "PUT", &path, r#"{"services": ["support"]}"#).await;
    assert_eq!((status, &made["key"], &made["services"]), (201, &json!("acc2"), &json!(["support"])));
    let other = world.store.create_account_login("3-4-5/eve@example.com").await.unwrap().0;
    world.store.put_webrtc_key(other.id, "taken", None).await.unwrap();
    let (status, answer) = send(&world, "PUT", &format!("{PATH}/taken"), "{}").await;
    assert_eq!((status, &answer["code"]), (409, &json!("1212")));
    assert_eq!(world.get(&format!("{PATH}/taken")).await.0, 404, "keys of others do not exist");
}

#[tokio::test]
async fn a_bad_key_names_the_field() {
    let world = World::new().await;
    for (method, path, body, field) in [
        ("PUT", "Upper", "{}", json!({ "parameter": "key" })),
        ("PUT", "a-b", "{}", json!({ "parameter": "key" })),
        ("PUT", "good", r#"{"key": "other"}"#, json!({ "pointer": "/key" })),
        ("PUT", "good", "[]", json!({ "pointer": "" })),
        ("PUT", "good", "{", json!({ "pointer": "" })),
        ("PUT", "good", r#"{"services": "conf-*"}"#, json!({ "pointer": "/services" })),
        ("PUT", "good", r#"{"services": []}"#, json!({ "pointer": "/services" })),
        ("PUT", "good", r#"{"service": ["conf-*"]}"#, json!({ "pointer": "/service" })),
        ("POST", "", r#"{"services": [1]}"#, json!({ "pointer": "/services/0" })),
        ("POST", "", r#"{"key": "mine"}"#, json!({ "pointer": "/key" })),
    ] {
        let path = if path.is_empty() { PATH.to_owned() } else { format!("{PATH}/{path}") };
        let (status, mut problem) = send(&world, method, &path, body).await;
        assert_eq!(status, 400, "{body}: {problem}");
        problem["errors"][0].as_object_mut().unwrap().remove("detail");
        assert_eq!(problem["errors"], json!([field]), "{body}: {problem}");
    }
    assert_eq!(world.get(PATH).await.1["items"], json!([]), "nothing was made");
}
