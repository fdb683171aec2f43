//! Sounds of the account over HTTP.
#![allow(missing_docs)]

mod support;

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use support::World;
use tower::ServiceExt;

const SOUND: &str = "/v1/media/welcome";

/// So many seconds of a quiet tone as a WAV file of 16 bits at 8000 Hz.
fn wav(seconds: u32) -> Vec<u8> {
    let data: Vec<u8> =
        (0..8000 * seconds).flat_map(|place| ((place % 20) as i16 * 100).to_le_bytes()).collect();
    let size = data.len() as u32;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((size + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    for word in [1_u16, 1] {
        file.extend(word.to_le_bytes());
    }
    file.extend(8000_u32.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    for word in [2_u16, 16] {
        file.extend(word.to_le_bytes());
    }
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }
}

async fn send(world: &World, method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("Host", "a");
    request = request.header("Authorization", format!("Bearer {}", world.key));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = world.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
}

async fn put(world: &World, path: &str, file: Vec<u8>) -> Answer {
    send(world, "PUT", path, &[], Body::from(file)).await
}

/// A key of the account with these scopes, bound to a conference or not.
async fn key(world: &World, scopes: &[&str], conference: Option<&str>) -> String {
    let body = json!({"scopes": scopes, "conference": conference}).to_string();
    let (status, _, made) = world.send("POST", "/v1/keys", "application/json", &body).await;
    assert_eq!(status, 201, "{made}");
    serde_json::from_str::<Value>(&made).unwrap()["secret"].as_str().unwrap().to_owned()
}

async fn get_as(world: &World, key: &str, path: &str) -> (u16, Value) {
    let request =
        Request::builder().uri(path).header("Host", "a").header("Authorization", format!("Bearer {key}"));
    let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn leaders_see_what_can_be_played_in_their_conference() {
    let world = World::new().await;
    assert_eq!(put(&world, SOUND, wav(2)).await.status, 201);
    world.control.enter(world.account, "Board", "p1");
    world.control.enter(world.account, "Other", "p2");
    // As organisers have them, and leaders by a link.
    let organiser = key(&world, &["read", "control", "book"], None).await;
    let leader = key(&world, &["read", "control"], Some("Board")).await;
    let path = "/v1/conferences/Board/media";
    for key in [&organiser, &leader] {
        let (status, sounds) = get_as(&world, key, path).await;
        assert_eq!((status, &sounds["items"][0]["name"]), (200, &json!("welcome")), "{sounds}");
        assert_eq!(sounds["items"][0]["duration_ms"], 2000);
        for elsewhere in ["/v1/media", SOUND] {
            assert_eq!(get_as(&world, key, elsewhere).await.0, 403, "the sounds themselves stay closed");
        }
    }
    assert_eq!(get_as(&world, &leader, "/v1/conferences/Other/media").await.1["code"], "1304");
    assert_eq!(get_as(&world, &organiser, "/v1/conferences/Nothing/media").await.1["code"], "1101");
    // As auditors have them.
    let auditor = key(&world, &["read", "records", "audit"], None).await;
    assert_eq!(get_as(&world, &auditor, path).await.1["code"], "1303");
}

#[tokio::test]
async fn a_sound_is_uploaded_listed_downloaded_replaced_and_deleted() {
    let world = World::new().await;
    assert_eq!(world.get(SOUND).await.1["code"], "1111");
    let made = put(&world, SOUND, wav(2)).await;
    let shown = made.json();
    assert_eq!(made.status, 201, "{shown}");
    assert_eq!(
        (&shown["name"], &shown["format"], &shown["bytes"], &shown["duration_ms"]),
        (&json!("welcome"), &json!("wav"), &json!(32_044), &json!(2000))
    );
    assert_eq!(world.get("/v1/media").await.1, json!({"items": [shown], "next": null}));

    let got = send(&world, "GET", SOUND, &[], Body::empty()).await;
    assert!(got.status == 200 && got.bytes == wav(2));
    assert_eq!(got.headers["content-type"], "audio/wav");
    assert_eq!(got.headers["content-disposition"], "attachment");
    let tag = made.headers["etag"].to_str().unwrap();
    assert_eq!(got.headers["etag"], tag);
    let known = send(&world, "GET", SOUND, &[("if-none-match", tag)], Body::empty()).await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));

    let typed = [("content-type", "audio/x-wav"), ("if-match", tag)];
    let replaced = send(&world, "PUT", SOUND, &typed, Body::from(wav(1))).await;
    assert_eq!((replaced.status, &replaced.json()["duration_ms"]), (200, &json!(1000)));
    let stale = send(&world, "PUT", SOUND, &typed, Body::from(wav(3))).await;
    assert_eq!((stale.status, &stale.json()["code"]), (412, &json!("1213")));
    assert!(send(&world, "GET", SOUND, &[], Body::empty()).await.bytes == wav(1));
    assert_eq!(send(&world, "DELETE", SOUND, &[("if-match", tag)], Body::empty()).await.status, 412);
    assert_eq!(send(&world, "DELETE", SOUND, &[], Body::empty()).await.status, 204);
    assert_eq!(send(&world, "DELETE", SOUND, &[], Body::empty()).await.json()["code"], "1111");
}

#[tokio::test]
async fn what_cannot_be_played_is_refused_with_the_reason() {
    let world = World::new().await;
    for (file, code, reason) in [
        (b"not audio".to_vec(), "1009", "is no audio file that can be played"),
        (Vec::new(), "1009", "file"),
        (wav(0), "1009", "has no sound in it"),
        (wav(6), "1009", "lasts longer than 5 seconds"),
    ] {
        let answer = put(&world, SOUND, file).await;
        let problem = answer.json();
        assert_eq!((answer.status, &problem["code"]), (422, &json!(code)), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{problem}");
    }
    let named = put(&world, "/v1/media/a%2Fb", wav(1)).await;
    assert_eq!((named.status, &named.json()["errors"][0]["pointer"]), (400, &json!("/name")));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(send(&world, "PUT", SOUND, &form, Body::from(wav(1))).await.status, 415);
    assert_eq!(world.get("/v1/media").await.1["items"], json!([]));
}

#[tokio::test]
async fn no_more_is_read_and_kept_than_allowed() {
    let world = World::new().await;
    // What says that it is too large is not read at all; what does not say it, not to its end.
    let declared = [("content-length", "200001")];
    let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let answer = send(&world, "PUT", SOUND, &declared, never).await;
    assert_eq!(answer.status, 413, "{}", answer.json());
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 10_000]));
    let answer = send(&world, "PUT", SOUND, &[], Body::from_stream(endless)).await;
    assert_eq!(answer.status, 413);
    assert!(answer.json()["detail"].as_str().unwrap().contains("at most 200000 bytes"), "{}", answer.json());
    let broken = futures_util::stream::iter([Ok(vec![0_u8; 100]), Err(std::io::Error::other("gone"))]);
    assert_eq!(send(&world, "PUT", SOUND, &[], Body::from_stream(broken)).await.status, 400);

    // 80,044 bytes each; 300,000 together.
    for name in ["a", "b", "c"] {
        assert_eq!(put(&world, &format!("/v1/media/{name}"), wav(5)).await.status, 201, "{name}");
    }
    let full = put(&world, "/v1/media/d", wav(5)).await;
    assert_eq!((full.status, &full.json()["code"]), (409, &json!("1217")), "{}", full.json());
    assert_eq!(put(&world, "/v1/media/a", wav(4)).await.status, 200);
    let limits = world.get("/v1/limits").await.1;
    let expected = json!({"max_bytes": 200_000, "max_duration_s": 5, "max_total_bytes": 300_000});
    assert_eq!(limits["media"], expected);
}

/// Time is paused only while the body is read: the database works in real time.
#[tokio::test]
async fn an_upload_that_stops_is_given_up_and_one_that_goes_on_is_not() {
    let world = World::new().await;
    let slow = futures_util::stream::unfold((wav(1), 0), |(file, sent)| async move {
        if sent == 0 {
            tokio::time::pause();
        }
        // Longer in all than other requests may take.
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        let piece: Vec<u8> = file[sent..].iter().copied().take(2000).collect();
        if piece.is_empty() {
            tokio::time::resume();
            return None;
        }
        let sent = sent + piece.len();
        Some((Ok::<_, std::io::Error>(piece), (file, sent)))
    });
    let answer = send(&world, "PUT", SOUND, &[], Body::from_stream(slow)).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    let never = futures_util::stream::once(async {
        tokio::time::pause();
        std::future::pending::<Result<Vec<u8>, std::io::Error>>().await
    });
    let answer = send(&world, "PUT", SOUND, &[], Body::from_stream(never)).await;
    assert_eq!(answer.status, 408, "{}", answer.json());
}
