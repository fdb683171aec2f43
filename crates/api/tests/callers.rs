//! Users and tokens over HTTP.
#![allow(missing_docs)]

mod support;

use plenary_model::Token;
use serde_json::{Value, json};
use support::World;

async fn send(world: &World, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, _, text) = world.send(method, path, "application/json", body).await;
    (status, serde_json::from_str(&text).unwrap_or_default())
}

#[tokio::test]
async fn users_are_made_listed_and_deleted_and_their_passwords_never_shown() {
    let world = World::new().await;
    let path = "/v1/users/alice";
    let body = r#"{"password": "correct horse"}"#;
    let (status, made) = send(&world, "PUT", path, body).await;
    assert_eq!((status, &made["name"], &made["realm"]), (201, &json!("alice"), &json!("plenary")));
    let (status, users) = world.get("/v1/users").await;
    assert_eq!((status, &users["items"]), (200, &json!([made])));
    assert!(!users.to_string().contains("horse") && !users.to_string().contains("ha1"), "{users}");
    let secret = world.store.sip_secret("alice").await.unwrap().unwrap();
    // printf 'alice:plenary:correct horse' | md5sum, and sha256sum.
    assert_eq!(secret.ha1_md5, "dde0ca2155fecd97adb731f013f10970");
    assert_eq!(secret.ha1_sha256, "5c3f35907c779f62490194d326bbed1a5c012646dbb126cefdd1ceb49f53dbba");
    for (body, pointer) in [("{}", "/password"), (r#"{"password": "short"}"#, "/password"), ("x", "")] {
        let (status, problem) = send(&world, "PUT", path, body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("0005")), "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let (status, problem) = send(&world, "PUT", "/v1/users/a%20b", body).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/name")), "{problem}");
    // What is not named stays.
    let (status, same) = send(&world, "PATCH", path, "{}").await;
    assert_eq!((status, &same), (200, &made));
    assert_eq!(send(&world, "PATCH", path, r#"{"password": "another horse"}"#).await.0, 200);
    assert_ne!(world.store.sip_secret("alice").await.unwrap().unwrap().ha1_md5, secret.ha1_md5);
    assert_eq!(send(&world, "DELETE", path, "").await.0, 204);
    for (method, body) in [("DELETE", ""), ("PATCH", "{}"), ("GET", "")] {
        assert_eq!(send(&world, method, path, body).await.1["code"], "1105", "{method}");
    }
}

#[tokio::test]
async fn a_token_says_what_it_is_for_and_ends() {
    let world = World::new().await;
    let body = r#"{"service": "conf-Board", "valid_s": 60}"#;
    let (status, made) = send(&world, "POST", "/v1/tokens", body).await;
    assert_eq!((status, &made["expires_at"]), (201, &json!("2019-06-20T15:01:00Z")), "{made}");
    let (token, expires) = (made["token"].as_str().unwrap(), support::NOW.seconds() + 60);
    let check = async |token: &str, at: i64| {
        world.store.check_call_token(token, plenary_conference::Timestamp(at * 1000)).await.unwrap()
    };
    assert_eq!(check(token, expires - 1).await.unwrap().service, "conf-Board");
    assert_eq!(check(token, expires).await, None);
    let forged = token.replacen('.', "x.", 1);
    for bad in ["", "a.b.c.d", &forged, &token[..token.len() - 1]] {
        assert_eq!(check(bad, expires - 1).await, None, "{bad}");
    }
    for (body, pointer) in [
        ("{}", "/service"),
        (r#"{"service": ""}"#, "/service"),
        (r#"{"service": "a", "valid_s": 0}"#, "/valid_s"),
        (r#"{"service": "a", "valid_s": 86401}"#, "/valid_s"),
        (r#"{"service": "a", "seconds": 60}"#, "/seconds"),
    ] {
        let (status, problem) = send(&world, "POST", "/v1/tokens", body).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!(pointer)), "{body}: {problem}");
    }
}

#[tokio::test]
async fn a_client_in_a_browser_gets_a_token_of_the_form_that_it_takes() {
    let world = World::new().await;
    let (status, made) = world
        .get("/webrtc_generate_token?client_id=alice-1&ttl=600&enable_incoming=true&call_client=*")
        .await;
    assert_eq!(status, 200, "{made}");
    let (token, expires) = (made["token"].as_str().unwrap(), made["expires"].as_i64().unwrap());
    // The client looks at its form before it sends it.
    let parts: Vec<&str> = token.split('.').collect();
    let is_base64url = |part: &&str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    assert!(parts.len() == 3 && parts.iter().all(is_base64url), "{token}");
    let check = async |token: &str, at: i64| {
        world.store.check_token(token, plenary_conference::Timestamp(at * 1000)).await.unwrap()
    };
    let Token::Client(client) = check(token, expires - 1).await else { panic!("{token}") };
    assert_eq!((client.client.as_str(), client.incoming), ("alice-1", true));
    assert!(client.may_call("anybody"));
    assert_eq!(check(token, expires).await, Token::Expired);
    assert_eq!(world.store.check_call_token(token, plenary_conference::Timestamp(0)).await.unwrap(), None);

    // Nothing is permitted that was not asked for.
    let (_, _, text) = world
        .send("POST", "/webrtc_generate_token", "application/x-www-form-urlencoded", "client_id=bob")
        .await;
    let made: Value = serde_json::from_str(&text).unwrap();
    let now = made["expires"].as_i64().unwrap() - 3600;
    let Token::Client(client) = check(made["token"].as_str().unwrap(), now).await else { panic!("{made}") };
    assert!(!client.incoming && !client.may_call("alice-1"), "{client:?}");

    for (query, code, field) in [
        ("", "0001", "client_id"),
        ("client_id=a%20b", "0002", "client_id"),
        ("client_id=a&ttl=0", "0004", "ttl"),
        ("client_id=a&ttl=x", "0002", "ttl"),
        ("client_id=a&ttl=87601", "1001", "ttl"),
        ("client_id=a&enable_incoming=yes", "0002", "enable_incoming"),
        ("client_id=a&call_client=b%2C%2Fc", "0002", "call_client"),
    ] {
        let (status, answer) = world.get(&format!("/webrtc_generate_token?{query}")).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some(code)), "{query}: {answer}");
        assert!(answer["error"]["text"].as_str().unwrap().starts_with(field), "{query}: {answer}");
    }
    assert_eq!(world.send("PUT", "/webrtc_generate_token?client_id=a", "", "").await.0, 405);
}

#[tokio::test]
async fn who_may_call_a_service_is_checked_field_by_field() {
    let world = World::new().await;
    let path = "/service/v1/inbound/board";
    let put = async |rest: &str| {
        send(&world, "PUT", path, &format!(r#"{{"conference": {{"name": "Board"}}, {rest}}}"#)).await
    };
    let good = r#""srtp": "required", "access": {"networks": ["192.0.2.0/24", "2001:db8::1"], "trunks": ["provider"], "users": ["alice"], "tokens": true, "webrtc": true}"#;
    let (status, shown) = put(good).await;
    assert_eq!((status, &shown["srtp"], &shown["access"]["tokens"]), (201, &json!("required"), &json!(true)));
    for (bad, field) in [
        (r#""srtp": "yes""#, "srtp"),
        (r#""access": []"#, "access"),
        (r#""access": {"nets": []}"#, "access.nets"),
        (r#""access": {"networks": ["10.0.0.0/40"]}"#, "access.networks[0]"),
        (r#""access": {"users": "alice"}"#, "access.users"),
        (r#""access": {"users": [1]}"#, "access.users[0]"),
        (r#""access": {"tokens": 1}"#, "access.tokens"),
        (r#""access": {"webrtc": "yes"}"#, "access.webrtc"),
        (r#""access": {"trunks": "provider"}"#, "access.trunks"),
        (r#""access": {"trunks": [1]}"#, "access.trunks[0]"),
    ] {
        let (status, answer) = put(bad).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("1003")), "{answer}");
        let text = answer["error"]["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("{field}:")), "{bad}: {text}");
    }
}

#[tokio::test]
async fn a_caller_may_have_no_one_called_where_nothing_is_configured() {
    let world = World::new().await;
    let put = async |rest: &str| {
        let body = format!(r#"{{"conference": {{"name": "Board"{rest}}}}}"#);
        send(&world, "PUT", "/service/v1/inbound/board", &body).await
    };
    for (rest, refer) in
        [("", "None"), (r#", "refer": "members""#, "Members"), (r#", "refer": "all""#, "All")]
    {
        assert!(matches!(put(rest).await.0, 200 | 201), "{rest}");
        let (service, _) = world.store.match_service("board").await.unwrap().unwrap();
        assert!(format!("{:?}", service.action).contains(&format!("refer: {refer}")), "{:?}", service.action);
        assert!(service.access.includes_trunk("any"), "trunks may call where no networks are named");
    }
    let (status, answer) = put(r#", "refer": "everybody""#).await;
    assert_eq!(status, 400);
    assert!(answer["error"]["text"].as_str().unwrap().starts_with("conference.refer:"), "{answer}");
}
