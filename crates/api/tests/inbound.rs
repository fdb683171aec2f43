//! Inbound services over HTTP.
#![allow(missing_docs)]

mod support;

use plenary_conference::ParticipantOptions;
use serde_json::{Value, json};
use support::World;

async fn send(world: &World, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, text) = world.send(method, path, "application/json", body).await;
    (status, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn a_service_is_made_shown_replaced_merged_and_deleted() {
    let world = World::new().await;
    let path = "/service/v1/inbound/conf-*";
    assert_eq!(world.code(path).await, (404, "1104".into()));
    let first = r#"{"conference": {"name": "{rest}", "participant": {"mute_digit": "6", "talker": false}}}"#;
    let (status, shown) = send(&world, "PUT", path, first).await;
    assert_eq!(status, 201);
    assert_eq!(shown["name"], "conf-*");
    assert_eq!(world.get(path).await, (200, shown.clone()));
    assert_eq!(world.get("/service/v1/inbound").await, (200, json!([shown])));

    let (status, merged) = send(
        &world,
        "PATCH",
        path,
        r#"{"conference": {"participant": {"talker": null, "exit_digit": "9"}}}"#,
    )
    .await;
    assert_eq!(
        (status, &merged["conference"]["participant"]),
        (200, &json!({ "mute_digit": "6", "exit_digit": "9" }))
    );

    let (status, replaced) =
        send(&world, "PUT", path, r#"{"announcement": {"play": ["tone:440/1000"]}}"#).await;
    assert_eq!((status, replaced.get("conference")), (200, None), "what is left out takes its default");
    // What GET shows, PUT takes.
    assert_eq!(send(&world, "PUT", path, &replaced.to_string()).await.0, 200);

    assert_eq!(send(&world, "DELETE", path, "").await, (200, json!({ "deleted": true })));
    assert_eq!(send(&world, "DELETE", path, "").await.0, 404);
}

#[tokio::test]
async fn a_service_to_a_conference_may_have_menus() {
    let world = World::new().await;
    let path = "/service/v1/inbound/board";
    let conference =
        json!({"name": "Board", "menu": {"*6": "mute"}, "leader_menu": {"*7": "lock"}, "language": "en-GB"});
    let (status, shown) = send(&world, "PUT", path, &json!({ "conference": conference }).to_string()).await;
    assert_eq!((status, &shown["conference"]), (201, &conference));
    for (member, body, text) in [
        ("menu", json!({"*7": "lock"}), "`lock` is for leaders: it belongs into `leader_menu`"),
        ("menu", json!({"*6": "mut"}), "did you mean `mute`?"),
        ("leader_menu", json!({"*": "help", "*6": "mute"}), "only one of them can be reached"),
        ("language", json!("english"), "must be a language tag"),
    ] {
        let mut wrong = json!({"name": "Board"});
        wrong[member] = body;
        let (status, answer) = send(&world, "PUT", path, &json!({ "conference": wrong }).to_string()).await;
        assert_eq!(status, 400, "{answer}");
        let answer = answer.to_string();
        assert!(answer.contains(text) && answer.contains(member), "{answer}");
    }
    let schema = world.get("/service/v1/schema/inbound").await.1;
    let members = &schema["properties"]["conference"]["properties"];
    assert!(members["menu"].is_object() && members["leader_menu"].is_object(), "{members}");
}

#[tokio::test]
async fn a_bad_body_names_the_field_and_changes_nothing() {
    let world = World::new().await;
    let path = "/service/v1/inbound/board";
    assert_eq!(send(&world, "PUT", path, r#"{"conference": {"name": "Board"}}"#).await.0, 201);
    for (method, body, field) in [
        ("PUT", "{", "body"),
        (
            "PUT",
            r#"{"conference": {"name": "Board", "participant": {"exit_digit": "99"}}}"#,
            "conference.participant.exit_digit",
        ),
        ("PATCH", r#"{"conference": {"name": "no way"}}"#, "conference.name"),
        ("PATCH", r#"{"announcement": {"play": "a.wav"}}"#, "body"),
        ("PUT", r#"{"name": "other", "conference": {"name": "Board"}}"#, "name"),
    ] {
        let (status, answer) = send(&world, method, path, body).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("1003")), "{answer}");
        let text = answer["error"]["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("{field}:")), "{body}: {text}");
    }
    assert_eq!(world.get(path).await.1["conference"]["name"], "Board");
}

#[tokio::test]
async fn names_are_percent_decoded() {
    let world = World::new().await;
    let body = r#"{"conference": {"name": "{rest}"}}"#;
    assert_eq!(send(&world, "PUT", "/service/v1/inbound/%2B44%2A", body).await.0, 201);
    assert_eq!(world.get("/service/v1/inbound/+44*").await.1["name"], "+44*");
}

#[tokio::test]
async fn the_schema_knows_every_option_and_its_default() {
    let world = World::new().await;
    let schema = world.get("/service/v1/schema/inbound").await.1;
    let options =
        schema["properties"]["conference"]["properties"]["participant"]["properties"].as_object().unwrap();
    let defaults = serde_json::to_value(ParticipantOptions::default()).unwrap();
    let defaults = defaults.as_object().unwrap();
    assert_eq!(options.keys().collect::<Vec<_>>(), defaults.keys().collect::<Vec<_>>());
    for (name, default) in defaults {
        assert_eq!(options[name].get("default").unwrap_or(&Value::Null), default, "{name}");
    }
}
