//! The messages of a call, as the operator reads them.
#![allow(missing_docs)]

mod support;

use axum::{body::Body, http::Request};
use data_encoding::BASE64;
use http_body_util::BodyExt;
use plenary_model::{KeySettings, Scope};
use serde_json::{Value, json};
use support::{LOGIN, World};
use tower::ServiceExt;

const PATH: &str = "/v1/operator/calls/01234567a1b1c1c2.7/messages";

/// A key of the operator.
async fn operator(world: &World) -> String {
    let settings = KeySettings { scopes: [Scope::Operator].into_iter().collect(), ..KeySettings::default() };
    let (_, key) = world.store.key_new(world.account, &settings).await.unwrap();
    format!("{LOGIN}:{}", key.as_str())
}

#[tokio::test]
async fn messages_and_reports_of_a_call_are_told_apart() {
    let world = World::new().await;
    let key = operator(&world).await;
    let (status, _, body) = world.send_as(&key, "GET", PATH, "", "").await;
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let expected = json!({
        "sip_call_ids": ["1@h"], "over": true, "failed": false, "left_out": 3,
        "messages": [
            {
                "at": "1970-01-01T00:00:01.500000Z", "kind": "sip", "direction": "received", "transport": "udp",
                "from": "198.51.100.9:5060", "to": "192.0.2.1:5060", "summary": "BYE sip:a@b SIP/2.0",
                "text": "BYE sip:a@b SIP/2.0\r\nCall-ID: 1@h\r\n\r\n", "report": null,
            },
            {
                "at": "1970-01-01T00:00:01.600000Z", "kind": "rtcp", "direction": "sent", "transport": "udp",
                "from": "192.0.2.1:5060", "to": "198.51.100.9:5060", "summary": "RTCP BYE", "text": null,
                "report": { "ssrc": 7, "packets_sent": null, "bytes_sent": null, "received": [], "goodbye": true },
            },
        ],
    });
    assert_eq!(body, expected);
    let (status, _, body) = world.send_as(&key, "GET", "/v1/operator/calls/x.1/messages", "", "").await;
    assert!(status == 404 && body.contains("\"1122\""), "{body}");
    let (status, ..) = world.send("GET", PATH, "", "").await;
    assert_eq!(status, 403, "an account does not see how others' calls went");
}

#[tokio::test]
async fn a_packet_capture_is_given_to_those_who_ask_for_one() {
    let world = World::new().await;
    let key = operator(&world).await;
    for (accept, is_capture) in [
        ("application/vnd.tcpdump.pcap", true),
        ("text/html, application/vnd.tcpdump.pcap;q=0.9", true),
        ("application/json", false),
        ("*/*", false),
    ] {
        let request = Request::builder()
            .uri(PATH)
            .header("Host", "conference.example.com")
            .header("Authorization", format!("Basic {}", BASE64.encode(key.as_bytes())))
            .header("Accept", accept)
            .body(Body::empty())
            .unwrap();
        let (parts, body) = world.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!(parts.status, 200);
        let kind = if is_capture { "application/vnd.tcpdump.pcap" } else { "application/json" };
        assert_eq!(parts.headers["content-type"], kind, "{accept}");
        assert_eq!(bytes.starts_with(&0xa1b2_c3d4_u32.to_le_bytes()), is_capture, "{accept}");
    }
}

#[tokio::test]
async fn calls_whose_messages_are_kept_are_listed_the_latest_first() {
    let world = World::new().await;
    let key = operator(&world).await;
    let get = async |query: &str| -> Value {
        let path = format!("/v1/operator/calls?{query}");
        let (status, _, body) = world.send_as(&key, "GET", &path, "", "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let page = get("limit=2").await;
    let latest = json!({ "id": "01234567a1b1c1c2.3", "last_at": "2019-06-20T15:03:00Z", "over": false, "failed": false,
        "people": ["+4930123456"] });
    assert_eq!(page["items"][0], latest);
    assert_eq!(page["items"][1]["id"], "01234567a1b1c1c2.2");
    let rest = get(&format!("cursor={}", page["next"].as_str().unwrap())).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&rest["items"][0]["id"], &rest["items"][0]["failed"], &rest["next"]),
        (&json!("01234567a1b1c1c2.1"), &json!(true), &Value::Null)
    );
    assert_eq!(world.get("/v1/operator/calls").await.0, 403);
}
