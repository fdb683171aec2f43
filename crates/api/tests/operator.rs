//! What the operator sees of the installation.
#![allow(missing_docs)]

mod support;

use plenary_model::{KeySettings, Scope};
use serde_json::{Value, json};
use support::{BANNED, LOGIN, World};

/// What the operator gets.
async fn get(world: &World, path: &str) -> Value {
    let settings = KeySettings { scopes: [Scope::Operator].into_iter().collect(), ..KeySettings::default() };
    let (_, key) = world.store.key_new(world.account, &settings).await.unwrap();
    let (status, _, body) = world.send_as(&format!("{LOGIN}:{}", key.as_str()), "GET", path, "", "").await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn health_says_how_the_engine_the_disk_and_the_certificate_do() {
    let world = World::new().await;
    let health = get(&world, "/v1/operator/health").await;
    let told = ["status", "engine_answer_ms", "database_error", "disk", "certificate_expires_at"]
        .map(|member| health[member].clone());
    let disk = json!({ "free_bytes": 7_000, "size_bytes": 9_000, "recording_needs_bytes": 1_000 });
    assert_eq!(told, [json!("overloaded"), json!(0.25), Value::Null, disk, Value::Null]);
}

#[tokio::test]
async fn bans_say_why_they_are_and_until_when() {
    let world = World::new().await;
    let bans = get(&world, "/v1/operator/bans").await;
    let expected = json!({
        "source": BANNED, "reason": "guessing", "left_s": 2, "until": "2019-06-20T15:00:02Z",
        "doubtful": false, "caller": null,
    });
    assert_eq!(bans["items"], json!([expected]));
}
