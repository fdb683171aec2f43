//! Trunks, and calls to the outside, over HTTP.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use support::World;

const TRUNK: &str = "/service/v1/trunk/provider";
const PARTIES: &str = "/service/v1/conference/Board/participants";
const PARTY: &str = "/service/v1/conference/Board/participants/01234567a1b1c1c2.7";

async fn send(world: &World, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, text) = world.send(method, path, "application/json", body).await;
    (status, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn a_trunk_is_made_shown_merged_and_deleted_and_its_password_never_shown() {
    let world = World::new().await;
    assert_eq!(world.code(TRUNK).await, (404, "1106".into()));
    let body = r#"{"uri": "sip:provider.example;transport=tls", "user": "me", "password": "open sesame",
        "register": true, "prefixes": ["+44"], "networks": ["192.0.2.0/24"]}"#;
    let (status, shown) = send(&world, "PUT", TRUNK, body).await;
    assert_eq!(status, 201, "{shown}");
    assert_eq!(
        (&shown["name"], &shown["uri"]),
        (&json!("provider"), &json!("sip:provider.example;transport=tls"))
    );
    assert_eq!(shown["status"], json!({ "calls": 0, "registration": "off", "has_password": true }));
    let list = world.get("/service/v1/trunk").await;
    assert_eq!(list, (200, json!([shown])));
    assert!(!list.1.to_string().contains("sesame"));

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
    assert_eq!(send(&world, "DELETE", TRUNK, "").await, (200, json!({ "deleted": true })));
    assert_eq!(send(&world, "DELETE", TRUNK, "").await.1["error"]["code"], "1106");
}

#[tokio::test]
async fn a_bad_trunk_names_the_field_and_changes_nothing() {
    let world = World::new().await;
    for (path, body, field) in [
        (TRUNK, "{", "body"),
        (TRUNK, "[]", "body"),
        (TRUNK, "{}", "uri"),
        (TRUNK, r#"{"uri": "http://x"}"#, "uri"),
        (TRUNK, r#"{"uri": "sip:p", "password": "x"}"#, "password"),
        (TRUNK, r#"{"uri": "sip:p", "password": 5, "user": "u"}"#, "password"),
        (TRUNK, r#"{"uri": "sip:p", "name": "other"}"#, "name"),
        ("/service/v1/trunk/a%20b", r#"{"uri": "sip:p"}"#, "name"),
    ] {
        let (status, answer) = send(&world, "PUT", path, body).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("1007")), "{body}: {answer}");
        let text = answer["error"]["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("{field}:")), "{body}: {text}");
    }
    assert_eq!(world.get("/service/v1/trunk").await, (200, json!([])));
}

#[tokio::test]
async fn the_schema_knows_every_field_of_a_trunk() {
    let world = World::new().await;
    let (status, schema) = world.get("/service/v1/schema/trunk").await;
    assert_eq!(status, 200);
    let fields = schema["properties"].as_object().unwrap();
    for field in fields.keys() {
        // A field that the type does not know would be refused as such.
        let body = json!({ "uri": "sip:p", field.clone(): {} });
        let (_, answer) = send(&world, "PUT", TRUNK, &body.to_string()).await;
        let text = answer["error"]["text"].as_str().unwrap();
        assert!(!text.contains("not known"), "{field}: {text}");
    }
    let (_, answer) = send(&world, "PUT", TRUNK, r#"{"uri": "sip:p", "colour": 1}"#).await;
    let text = answer["error"]["text"].as_str().unwrap();
    assert!(fields.keys().all(|field| text.contains(field.as_str())), "{text}");
}

#[tokio::test]
async fn who_is_called_and_how_is_checked() {
    let world = World::new().await;
    let (status, party) = send(&world, "POST", PARTIES, r#"{"to": "tel:+44"}"#).await;
    assert_eq!((status, &party["state"]), (202, &json!("calling")), "{party}");
    for (body, status, code) in [
        ("{", 400, "1008"),
        ("{}", 400, "1008"),
        (r#"{"to": "tel:+44", "ring_seconds": 4}"#, 400, "1008"),
        (r#"{"to": "tel:+44", "from": "a b"}"#, 400, "1008"),
        (r#"{"to": "tel:+44", "participant": {"mute_digit": "66"}}"#, 400, "1008"),
        (r#"{"to": "tel:+44", "colour": 1}"#, 400, "1008"),
        (r#"{"to": "odd"}"#, 400, "1008"),
        (r#"{"to": "outside"}"#, 403, "1301"),
        (r#"{"to": "full"}"#, 409, "1206"),
    ] {
        let (given, answer) = send(&world, "POST", PARTIES, body).await;
        assert_eq!((given, answer["error"]["code"].as_str()), (status, Some(code)), "{body}: {answer}");
    }
    assert_eq!(send(&world, "GET", PARTY, "").await.1["state"], "ringing");
    assert_eq!(send(&world, "DELETE", PARTY, "").await, (200, json!({ "ended": true })));
    let (status, party) = send(&world, "POST", &format!("{PARTY}/transfer"), r#"{"to": "sip:a@b"}"#).await;
    assert_eq!((status, &party["transfer"]["state"]), (202, &json!("asked")));
    assert_eq!(send(&world, "POST", &format!("{PARTY}/transfer"), "{}").await.1["error"]["code"], "1008");
}

#[tokio::test]
async fn nobody_without_a_key_and_no_other_account_gets_anywhere() {
    let world = World::new().await;
    assert_eq!(send(&world, "PUT", TRUNK, r#"{"uri": "sip:p"}"#).await.0, 201);
    let (_, key) = world.store.create_account_login("2-2-2/eve@example.com").await.unwrap();
    let eve = format!("2-2-2/eve@example.com:{}", key.as_str());
    let transfer = format!("{PARTY}/transfer");
    for (method, path, body, others) in [
        ("GET", "/service/v1/trunk", "", 200),
        ("GET", "/service/v1/schema/trunk", "", 200),
        ("GET", TRUNK, "", 404),
        ("PATCH", TRUNK, "{}", 404),
        ("DELETE", TRUNK, "", 404),
        ("GET", PARTY, "", 404),
        ("DELETE", PARTY, "", 404),
        ("POST", transfer.as_str(), r#"{"to": "sip:a@b"}"#, 404),
        ("POST", PARTIES, r#"{"to": "outside"}"#, 403),
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
