//! A browser in a conference with a SIP phone: Chromium without a screen, a page of ours with SIP over a secure
//! WebSocket, ICE, DTLS-SRTP, Opus. `make interop` installs it.
#![allow(missing_docs)]

#[path = "browser/driver.rs"]
mod driver;
mod support;

use driver::{Browser, escaped};
use std::time::Duration;
use support::{Phone, Server, certificate, wait_for};

const PAGE: &str = include_str!("browser/page.html");

const LEVELS: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

/// Calls `uri` over `wss://{https}/sipproxy`. `hz`: what it speaks; `tones`: what it looks for.
fn call(https: &str, uri: &str, token: &str, hz: u32, tones: &[u32]) -> Browser {
    let tones: Vec<String> = tones.iter().map(ToString::to_string).collect();
    let query = format!(
        "ws={}&uri={}&from=tone{hz}&token={token}&tones={}",
        escaped(&format!("wss://{https}/sipproxy")),
        escaped(uri),
        tones.join(",")
    );
    Browser::open(PAGE, None, &query, hz, &[])
}

#[test]
fn a_browser_hears_a_sip_phone_and_is_heard_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let server = Server::start(&format!(
        "https = \"127.0.0.1:0\"\n{tls}[signalling]\ntrusted = []\n[web]\nallowed_origins = [\"*\"]\n"
    ));
    server.put_service(
        "web",
        r#"{"access": {"tokens": true}, "srtp": "required", "conference": {"name": "Web"}}"#,
    );
    server.put_service("desk", r#"{"access": {"networks": ["127.0.0.0/8"]}, "conference": {"name": "Web"}}"#);
    let (status, made) = server.curl(&["-d", r#"{"service": "web", "valid_s": 300}"#], "/v1/tokens");
    assert!(matches!(status, 200 | 201), "{made}");
    let token = made["token"].as_str().unwrap();

    let mut phone = Phone::call(&server.uri("desk"), 500, "PCMU");
    server.wait_for_participants("Web", 1);
    let browser = call(&server.https, "sip:web@conference.invalid;transport=tcp", token, 1100, &[500, 1100]);
    let up = browser.wait_until("the call", |said| said["state"] == "up");
    assert_eq!(up["turn"], serde_json::json!([]), "it asked for servers that help with ICE");
    // It offers to say how loud each packet is (RFC 6464), and does so.
    let agreed = |line: &str| line.starts_with("a=extmap:") && line.ends_with(&format!("/recvonly {LEVELS}"));
    assert!(up["remote"].as_str().unwrap().lines().any(agreed), "{up}");
    assert_eq!(up["extensions"], serde_json::json!([LEVELS]));
    let ids = server.wait_for_participants("Web", 2);
    browser.wait_to_hear(500, &[1100]);
    support::assert_hears_little_else(&phone, &[1100], &[500, 1100], -50.0);
    let shown = server.get("/v1/conferences/Web/participants")["items"].take();
    assert_eq!(shown[1]["statistics"]["codec"], "opus", "{shown}");
    assert!(shown[1]["statistics"]["srtp"].is_string(), "{shown}");

    // It asks for consent to be sent to every few seconds (RFC 7675), and is without it for a while where it gets no
    // answer for five.
    for _ in 0..8 {
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(browser.said()["ice"], "connected");
    }
    browser.wait_to_hear(500, &[1100]);

    // Held, it hears nothing and is not heard.
    browser.tell("hold");
    browser.wait_until("silence", |said| said["levels"]["500"].as_f64().is_some_and(|level| level < -80.0));
    support::assert_hears_little_else(&phone, &[], &[500, 1100], -50.0);
    browser.tell("resume");
    browser.wait_to_hear(500, &[1100]);
    support::assert_hears_little_else(&phone, &[1100], &[500, 1100], -50.0);

    let eject = format!("/conference_participant_eject?conference_name=Web&participant_id={}", ids[1]);
    server.get(&eject);
    browser.wait_until("the end", |said| said["state"] == "over");
    server.wait_for_participants("Web", 1);
    phone.hang_up();
    wait_for("the conference to be gone", || {
        (server.get("/conference_list") == serde_json::json!([])).then_some(())
    });
}

#[test]
fn a_browser_hangs_up_and_one_that_may_not_call_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let server = Server::start(&format!("https = \"127.0.0.1:0\"\n{tls}[web]\nallowed_origins = [\"*\"]\n"));
    server.put_service(
        "keys",
        r#"{"access": {"tokens": true}, "conference": {"name": "Web", "participant": {"mute_digit": "5"}}}"#,
    );
    let (status, made) = server.curl(&["-d", r#"{"service": "keys", "valid_s": 300}"#], "/v1/tokens");
    assert!(matches!(status, 200 | 201), "{made}");
    let token = made["token"].as_str().unwrap();
    server.put_service("closed", r#"{"access": {"networks": []}, "conference": {"name": "Closed"}}"#);
    let browser = call(&server.https, "sip:keys@conference.invalid", token, 1100, &[500]);
    browser.wait_until("the call", |said| said["state"] == "up" && said["connection"] == "connected");
    server.wait_for_participants("Web", 1);
    // A key that mutes (RFC 4733).
    browser.tell("key 5");
    wait_for("the key", || (server.participants("Web")[0]["muted"] == true).then_some(()));
    browser.tell("hang up");
    browser.wait_until("the end", |said| said["state"] == "over");
    wait_for("the conference to be gone", || {
        (server.get("/conference_list") == serde_json::json!([])).then_some(())
    });
    let stranger = call(&server.https, "sip:closed@conference.invalid", "", 1100, &[500]);
    stranger.wait_until("the refusal", |said| {
        said["state"].as_str().is_some_and(|s| s.starts_with("refused 403"))
    });
}
