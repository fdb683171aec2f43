//! A POST that is sent again, because its answer did not arrive, does nothing again and gets the first answer.
#![allow(missing_docs)]

mod support;

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use plenary_model::KeySettings;
use serde_json::Value;
use support::World;
use tower::ServiceExt;

struct Sent {
    status: u16,
    replayed: bool,
    location: Option<String>,
    body: Value,
}

async fn post(world: &World, bearer: &str, path: &str, key: &str, body: &str) -> Sent {
    let request = Request::post(path)
        .header("Host", "a")
        .header("Authorization", format!("Bearer {bearer}"))
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", key)
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = world.router.clone().oneshot(request).await.unwrap();
    let text = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, replayed, location) =
        (response.status().as_u16(), text("idempotency-replayed").is_some(), text("location"));
    assert!(text("x-request-id").is_some());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Sent { status, replayed, location, body: serde_json::from_slice(&body).unwrap_or_default() }
}

const BODY: &str = r#"{"scopes": ["read"], "label": "one"}"#;

#[tokio::test]
async fn the_first_answer_is_given_again_with_its_secret() {
    let world = World::new().await;
    let first = post(&world, &world.key, "/v1/keys", "abc", BODY).await;
    assert_eq!((first.status, first.replayed), (201, false), "{}", first.body);
    let again = post(&world, &world.key, "/v1/keys", "abc", BODY).await;
    assert_eq!((again.status, again.replayed, &again.body), (201, true, &first.body));
    assert_eq!(again.location, first.location);
    assert_eq!(world.store.keys(world.account).await.unwrap().len(), 2, "one was made");
    // What is kept is of no use to a reader of the database.
    let database = std::fs::read(world.folder.path().join("plenary.db")).unwrap();
    let log = std::fs::read(world.folder.path().join("plenary.db-wal")).unwrap_or_default();
    let secret = first.body["secret"].as_str().unwrap().as_bytes();
    assert!(![database, log].iter().any(|bytes| bytes.windows(secret.len()).any(|part| part == secret)));
}

#[tokio::test]
async fn another_request_with_the_same_key_is_refused() {
    let world = World::new().await;
    assert_eq!(post(&world, &world.key, "/v1/keys", "abc", BODY).await.status, 201);
    for (path, body) in
        [("/v1/keys", r#"{"scopes": ["book"]}"#), ("/v1/keys?", BODY), ("/v1/webrtc_keys", BODY)]
    {
        let other = post(&world, &world.key, path, "abc", body).await;
        assert_eq!(
            (other.status, &other.body["code"]),
            (422, &"1215".into()),
            "{path} {body}: {}",
            other.body
        );
    }
    assert_eq!(post(&world, &world.key, "/v1/keys", "abd", BODY).await.status, 201, "another key");
    // Neither another API key of the account nor another account gets it.
    let (_, second) = world.store.key_new(world.account, &KeySettings::default()).await.unwrap();
    let (_, eve) = world.store.create_account_login("2-2-2/eve@example.com").await.unwrap();
    for bearer in [second.as_str(), eve.as_str()] {
        let own = post(&world, bearer, "/v1/keys", "abc", BODY).await;
        assert_eq!((own.status, own.replayed), (201, false));
    }
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again() {
    let world = World::new().await;
    let wrong = post(&world, &world.key, "/v1/keys", "abc", r#"{"scopes": ["all"]}"#).await;
    assert_eq!((wrong.status, &wrong.body["errors"][0]["pointer"]), (400, &"/scopes/0".into()));
    assert_eq!(post(&world, &world.key, "/v1/keys", "abc", BODY).await.status, 201);
    let long = "x".repeat(256);
    for key in ["", "a b", "ä", &long] {
        let odd = post(&world, &world.key, "/v1/keys", key, BODY).await;
        assert_eq!(
            (odd.status, &odd.body["errors"][0]["parameter"]),
            (400, &"Idempotency-Key".into()),
            "{key}"
        );
    }
    assert_eq!(post(&world, "nobody", "/v1/keys", "abc", BODY).await.status, 401);
}

#[tokio::test]
async fn of_many_at_once_one_is_carried_out() {
    let world = World::new().await;
    let sent =
        futures_util::future::join_all((0..16).map(|_| post(&world, &world.key, "/v1/keys", "abc", BODY)))
            .await;
    let made: Vec<&Sent> = sent.iter().filter(|sent| sent.status == 201).collect();
    assert!(!made.is_empty() && made.iter().all(|sent| sent.body == made[0].body));
    assert_eq!(made.iter().filter(|sent| !sent.replayed).count(), 1);
    assert!(sent.iter().all(|sent| sent.status == 201 || sent.body["code"] == "1214"));
    assert_eq!(world.store.keys(world.account).await.unwrap().len(), 2, "one was made");
}
