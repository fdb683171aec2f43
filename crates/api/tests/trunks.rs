//! Trunks and outgoing calls over HTTP.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use support::World;

const TRUNK: &str = "/v1/trunks/provider";
const PARTICIPANTS: &str = "/v1/conferences/Board/participants";
const PARTICIPANT: &str = "/v1/conferences/Board/participants/01234567a1b1c1c2.7";

async fn send(world: &World, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, text) = world.send(method, path, "application/json", body).await;
    (status, serde_json::from_str(&text).unwrap_or_default())
}

#[tokio::test]
async fn a_trunk_is_made_shown_merged_and_deleted_and_its_password_never_shown() {
    let world = World::new().await;
    assert_eq!(world.get(TRUNK).await.1["code"], "1106");
    let body = r#"{"uri": "sip:provider.example;transport=tls", "user": "me", "password": "open sesame",
        "register": true, "prefixes": ["+44"], "networks": ["192.0.2.0/24"]}"#;
    let (status, shown) = send(&world, "PUT", TRUNK, body).await;
    assert_eq!(status, 201, "{shown}");
    assert_eq!(
        (&shown["name"], &shown["uri"]),
        (&json!("provider"), &json!("sip:provider.example;transport=tls"))
    );
    assert_eq!((&shown["status"]["registration"], &shown["has_password"]), (&json!("off"), &json!(true)));
    let list = world.get("/v1/trunks").await.1;
    assert_eq!(list["items"], json!([shown]));
    assert!(!list.to_string().contains("sesame"));

    // A password that is not named stays.
    let (status, merged) = send(&world, "PATCH", TRUNK, r#"{"priority": 5, "register": null}"#).await;
    assert_eq!((status, &merged["priority"], merged.get("register")), (200, &json!(5), None));
    let kept = &world.store.all_trunks().await.unwrap()[0];
    assert_eq!(
        (kept.password.as_deref(), kept.settings.priority, kept.settings.register),
        (Some("open sesame"), 5, false)
    );
    let (status, _) = send(&world, "PATCH", TRUNK, r#"{"password": null}"#).await;
    assert_eq!((status, world.store.all_trunks().await.unwrap()[0].password.as_deref()), (200, None));

    // What GET shows, PUT takes.
    assert_eq!(send(&world, "PUT", TRUNK, &merged.to_string()).await.0, 200);
    assert_eq!(send(&world, "DELETE", TRUNK, "").await.0, 204);
    assert_eq!(send(&world, "DELETE", TRUNK, "").await.1["code"], "1106");
}

#[tokio::test]
async fn a_bad_trunk_names_the_field_and_changes_nothing() {
    let world = World::new().await;
    for (path, body, pointer) in [
        (TRUNK, "{", ""),
        (TRUNK, "[]", ""),
        (TRUNK, "{}", "/uri"),
        (TRUNK, r#"{"uri": "http://x"}"#, "/uri"),
        (TRUNK, r#"{"uri": "sip:p", "password": "x"}"#, "/password"),
        (TRUNK, r#"{"uri": "sip:p", "password": 5, "user": "u"}"#, "/password"),
        (TRUNK, r#"{"uri": "sip:p", "name": "other"}"#, "/name"),
        (TRUNK, r#"{"uri": "sip:p", "colour": 1}"#, "/colour"),
        ("/v1/trunks/a%20b", r#"{"uri": "sip:p"}"#, "/name"),
    ] {
        let (status, problem) = send(&world, "PUT", path, body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("0005")), "{body}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    assert_eq!(world.get("/v1/trunks").await.1["items"], json!([]));
}

/// Two who change the same thing: the second learns that it read an older version.
#[tokio::test]
async fn of_two_changes_of_one_version_one_is_made() {
    let world = World::new().await;
    let put = |body: &'static str, name: &'static str, tag: String| {
        let request = axum::http::Request::put(TRUNK).header("Host", "a").header(name, tag);
        let login = format!("{}:{}", support::LOGIN, world.key);
        let login = data_encoding::BASE64.encode(login.as_bytes());
        let request = request.header("Authorization", format!("Basic {login}"));
        let request = request.header("Content-Type", "application/json");
        let answer = tower::ServiceExt::oneshot(
            world.router.clone(),
            request.body(axum::body::Body::from(body)).unwrap(),
        );
        async move {
            let answer = answer.await.unwrap();
            let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
            (answer.status().as_u16(), tag)
        }
    };
    let (status, tag) = put(r#"{"uri": "sip:a"}"#, "if-none-match", "*".into()).await;
    let first = tag.unwrap();
    assert_eq!(status, 201);
    assert_eq!(put(r#"{"uri": "sip:b"}"#, "if-none-match", "*".into()).await, (412, None), "there is one");
    let (status, tag) = put(r#"{"uri": "sip:b"}"#, "if-match", first.clone()).await;
    assert!(status == 200 && tag.as_ref().is_some_and(|tag| *tag != first), "{status} {tag:?}");
    assert_eq!(put(r#"{"uri": "sip:c"}"#, "if-match", first.clone()).await, (412, None));
    assert_eq!(put(r#"{"uri": "sip:c"}"#, "if-match", "sip".into()).await, (400, None), "no entity tag");
    assert_eq!(world.get(TRUNK).await.1["uri"], "sip:b");
}

#[tokio::test]
async fn who_is_called_and_how_is_checked() {
    let world = World::new().await;
    let (status, participant) = send(&world, "POST", PARTICIPANTS, r#"{"to": "tel:+44"}"#).await;
    assert_eq!(
        (status, &participant["to"], &participant["direction"]),
        (202, &json!("tel:+44"), &json!("out")),
        "{participant}"
    );
    for (body, status, code, pointer) in [
        ("{", 400, "0005", Some("")),
        ("{}", 400, "0005", Some("/to")),
        (r#"{"to": "tel:+44", "ring_s": 4}"#, 400, "0005", Some("/ring_s")),
        (r#"{"to": "tel:+44", "from": "a b"}"#, 400, "0005", Some("/from")),
        (
            r#"{"to": "tel:+44", "participant": {"mute_digit": "66"}}"#,
            400,
            "0005",
            Some("/participant/mute_digit"),
        ),
        (r#"{"to": "tel:+44", "colour": 1}"#, 400, "0005", Some("/colour")),
        (r#"{"to": "odd"}"#, 400, "1008", Some("/to")),
        (r#"{"to": "outside"}"#, 403, "1301", None),
        (r#"{"to": "full"}"#, 409, "1206", None),
        (r#"{"calls": []}"#, 400, "0005", Some("/calls")),
        (
            r#"{"calls": [{"to": "tel:+44"}, {"to": "tel:+44", "ring_s": 4}]}"#,
            400,
            "0005",
            Some("/calls/1/ring_s"),
        ),
        (r#"{"calls": [{"to": 5}]}"#, 400, "0005", Some("/calls/0/to")),
    ] {
        let (given, problem) = send(&world, "POST", PARTICIPANTS, body).await;
        assert_eq!((given, problem["code"].as_str()), (status, Some(code)), "{body}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{body}: {problem}");
    }
    let (status, called) =
        send(&world, "POST", PARTICIPANTS, r#"{"calls": [{"to": "tel:+44"}, {"to": "full"}]}"#).await;
    assert_eq!(status, 202, "{called}");
    assert_eq!(called["items"][0]["participant"]["to"], "tel:+44", "{called}");
    assert_eq!(
        (&called["items"][1]["participant"], &called["items"][1]["problem"]["code"]),
        (&json!(null), &json!("1206"))
    );
    assert_eq!(send(&world, "GET", PARTICIPANT, "").await.1["state"], "ringing");
    assert_eq!(send(&world, "DELETE", PARTICIPANT, "").await, (204, json!(null)));
    let transfer = format!("{PARTICIPANT}/transfer");
    assert_eq!(send(&world, "POST", &transfer, r#"{"to": "sip:a@b"}"#).await.0, 202);
    assert_eq!(send(&world, "POST", &transfer, "{}").await.1["errors"][0]["pointer"], "/to");
}

#[tokio::test]
async fn requests_without_a_key_and_of_other_accounts_are_refused() {
    let world = World::new().await;
    assert_eq!(send(&world, "PUT", TRUNK, r#"{"uri": "sip:p"}"#).await.0, 201);
    let (_, key) = world.store.create_account_login("2-2-2/eve@example.com").await.unwrap();
    let eve = format!("2-2-2/eve@example.com:{}", key.as_str());
    let transfer = format!("{PARTICIPANT}/transfer");
    for (method, path, body, others) in [
        ("GET", "/v1/trunks", "", 200),
        ("GET", TRUNK, "", 404),
        ("PATCH", TRUNK, "{}", 404),
        ("DELETE", TRUNK, "", 404),
        ("GET", PARTICIPANT, "", 404),
        ("DELETE", PARTICIPANT, "", 404),
        ("POST", transfer.as_str(), r#"{"to": "sip:a@b"}"#, 404),
        ("POST", PARTICIPANTS, r#"{"to": "outside"}"#, 403),
        ("PUT", TRUNK, r#"{"uri": "sip:of-eve"}"#, 201),
    ] {
        for credentials in ["", "1-2-0/bob@example.com:wrong"] {
            let (status, ..) = world.send_as(credentials, method, path, "application/json", body).await;
            assert_eq!(status, 401, "{method} {path} with {credentials:?}");
        }
        let (status, _, text) = world.send_as(&eve, method, path, "application/json", body).await;
        assert_eq!(status, others, "{method} {path} as another account: {text}");
        assert!(!text.contains("sip:p\""), "{text}");
    }
    assert_eq!(world.get(TRUNK).await.1["uri"], "sip:p", "as it was");
}
