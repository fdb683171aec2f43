//! The npm package `aculab-webrtc` as it is, in Chromium: host names lead to loopback, nothing else is changed. `make interop`
//! installs both.
#![allow(missing_docs)]

#[path = "../browser/driver.rs"]
mod driver;
#[path = "../support/mod.rs"]
mod support;

mod keypad;

use driver::Browser;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use support::{LOGIN, Phone, Server, certificate, plenary, talk::reserve, wait_for};
use tempfile::TempDir;

const PAGE: &str = include_str!("../browser/client.html");
/// What a telephone and two browsers speak.
const TONES: [u32; 3] = [500, 1100, 1900];
/// What is announced to them.
const ANNOUNCED: u32 = 2700;

/// The package and what it depends on, where `scripts/need interop` puts them.
fn packages() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/npm/node_modules");
    assert!(folder.join("aculab-webrtc").exists(), "aculab-webrtc is installed (make interop does that)");
    folder
}

fn start(config: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let section = config.find('[').unwrap_or(config.len());
    let (keys, sections) = config.split_at(section);
    // The page is of another site, so it may connect because that is configured, and call because of its access key.
    let web = "[web]\nallowed_origins = [\"*\"]\n";
    (Server::start(&format!("https = \"127.0.0.1:0\"\n{keys}{tls}{web}{sections}")), folder)
}

/// A new access key that leads to all services.
fn access_key(server: &Server) -> String {
    let run = plenary()
        .args(["account", "webrtc-key", "new", LOGIN, "--data"])
        .arg(server.data())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", support::text(&run));
    String::from_utf8(run.stdout).unwrap().lines().last().unwrap().to_owned()
}

fn open(server: &Server, client: &str, hz: u32) -> Browser {
    let key = access_key(server);
    let host = "webrtc-1-2-0.aculabcloud.net";
    let flags = [format!("--host-resolver-rules=MAP {host} {}", server.https)];
    let tones: Vec<String> = TONES.iter().chain([&ANNOUNCED]).map(ToString::to_string).collect();
    let query = format!("cloud=1-2-0&key={key}&client={client}&tones={}", tones.join(","));
    Browser::open(PAGE, Some(packages()), &query, hz, &flags)
}

fn tell(browser: &Browser, act: Value) {
    browser.tell(&act.to_string());
}

#[track_caller]
fn wait_for_call(browser: &Browser, state: &str) -> Value {
    browser.wait_until(&format!("a call that is {state}"), |said| said["call"] == state)
}

#[track_caller]
fn wait_for_end(browser: &Browser, cause: &str) {
    let said = wait_for_call(browser, "over");
    assert_eq!(said["cause"], cause, "{said}");
}

/// Places a call that ends without having been up.
#[track_caller]
fn call_in_vain(browser: &Browser, act: Value, cause: &str) {
    let before = browser.said()["calls"].as_u64().unwrap_or_default();
    let what = format!("the end of {act}");
    tell(browser, act);
    let said = browser.wait_until(&what, |said| said["calls"] == before + 1 && said["call"] == "over");
    assert_eq!(said["cause"], cause, "{what}: {said}");
}

#[track_caller]
fn wait_for_registration(browser: &Browser, ready: bool, cause: &str) {
    browser.wait_until(&format!("registered: {ready}, {cause}"), |said| {
        said["registered"]["ready"] == ready && said["registered"]["cause"] == cause
    });
}

fn token(server: &Server, query: &str) -> String {
    let made = server.get(&format!("/webrtc_generate_token?{query}"));
    made["token"].as_str().unwrap().to_owned()
}

/// A token whose seal is not ours.
fn forged(good: &str) -> String {
    let (rest, last) = good.split_at(good.len() - 2);
    let other = if last.starts_with('A') { "B" } else { "A" };
    format!("{rest}{other}{}", &last[1..])
}

/// A token that has ended.
fn old(server: &Server, query: &str) -> String {
    let made = server.get(&format!("/webrtc_generate_token?{query}&ttl=1"));
    wait_for("the token to end", || {
        (jiff::Timestamp::now().as_second() >= made["expires"].as_i64().unwrap()).then_some(())
    });
    made["token"].as_str().unwrap().to_owned()
}

#[test]
fn two_browsers_and_a_telephone_hear_each_other_and_keys_mute_and_eject_work() {
    let (server, _folder) = start("");
    server.put_service(
        "web",
        r#"{"access": {"webrtc": true}, "srtp": "required", "conference": {"name": "Web", "participant": {"mute_digit": "5"}}}"#,
    );
    server.put_service("desk", r#"{"conference": {"name": "Web"}}"#);
    let phone = Phone::call(&server.uri("desk"), 500, "PCMU");
    server.wait_for_participants("Web", 1);
    let alice = open(&server, "alice", 1100);
    tell(&alice, json!(["service", "web"]));
    assert_eq!(wait_for_call(&alice, "up")["iceServers"], json!([]));
    let ids = server.wait_for_participants("Web", 2);
    let bob = open(&server, "bob", 1900);
    tell(&bob, json!(["service", "web"]));
    wait_for_call(&bob, "up");
    server.wait_for_participants("Web", 3);
    alice.wait_to_hear_all(&[500, 1900], &[1100]);
    bob.wait_to_hear_all(&[500, 1100], &[1900]);
    support::assert_hears_little_else(&phone, &[1100, 1900], &TONES, -50.0);

    // A key (RFC 4733) that mutes, and mutes no longer.
    let muted = || server.participants("Web")[1]["muted"].clone();
    tell(&alice, json!(["keys", "5"]));
    wait_for("the key", || (muted() == true).then_some(()));
    support::assert_hears_little_else(&phone, &[1900], &TONES, -50.0);
    tell(&alice, json!(["keys", "5"]));
    wait_for("the key", || (muted() == false).then_some(()));
    bob.wait_to_hear_all(&[500, 1100], &[1900]);
    // A microphone that is muted in the browser.
    tell(&bob, json!(["mute", true]));
    support::assert_hears_little_else(&phone, &[1100], &TONES, -50.0);
    tell(&bob, json!(["mute", false]));
    support::assert_hears_little_else(&phone, &[1100, 1900], &TONES, -50.0);
    // One whom a web service mutes.
    let mute = |muted: bool| {
        let path = "/conference_participant_set_options?conference_name=Web";
        server.get(&format!("{path}&participant_id={}&muted={muted}", ids[1]));
    };
    mute(true);
    support::assert_hears_little_else(&phone, &[1900], &TONES, -50.0);
    bob.wait_to_hear_all(&[500], &[1100, 1900]);
    alice.wait_to_hear_all(&[500, 1900], &[1100]);
    mute(false);
    support::assert_hears_little_else(&phone, &[1100, 1900], &TONES, -50.0);

    server.get(&format!("/conference_participant_eject?conference_name=Web&participant_id={}", ids[1]));
    wait_for_end(&alice, "NORMAL");
    server.wait_for_participants("Web", 2);
    bob.wait_to_hear_all(&[500], &[1100, 1900]);
    tell(&bob, json!(["hang up"]));
    wait_for_end(&bob, "NORMAL");
    server.wait_for_participants("Web", 1);
    assert_eq!(alice.said()["errors"], json!([]));
    assert_eq!(bob.said()["errors"], json!([]));
}

#[test]
fn the_user_learns_why_a_call_failed_and_the_client_learns_ice_servers() {
    let (server, _folder) = start(
        "[conferences]\nunreserved_max_participants = 1\n\
         [ice]\nstun = [\"stun:127.0.0.1:9\"]\nturn = [\"turn:127.0.0.1:9?transport=udp\"]\nturn_secret = \"s\"\n",
    );
    server.put_service("conf-*", r#"{"access": {"webrtc": true}, "conference": {"name": "{rest}"}}"#);
    let _phone = Phone::call(&server.uri("conf-Full"), 500, "PCMU");
    server.wait_for_participants("Full", 1);
    assert_eq!(reserve(&server, "Early", 10).0, 200);
    let alice = open(&server, "alice", 1100);
    for (service, cause) in [("conf-Full", "BUSY"), ("conf-Early", "BUSY"), ("nothing", "UNOBTAINABLE")] {
        call_in_vain(&alice, json!(["service", service]), cause);
    }
    let servers = alice.said()["iceServers"].clone();
    assert_eq!(servers[0], json!({ "urls": ["stun:127.0.0.1:9"] }));
    let name = servers[1]["username"].as_str().unwrap();
    assert!(name.ends_with(":alice"), "{servers}");
    assert_eq!(servers[1]["credential"].as_str().map(str::len), Some(28), "{servers}");

    // Where the service drains the client still gets its answer to OPTIONS, without which it would not call for a minute.
    support::signal(server.pid(), "TERM");
    wait_for("the health check to say so", || (server.curl(&[], "/healthz").0 == 503).then_some(()));
    call_in_vain(&alice, json!(["service", "conf-Full"]), "FAILED");
    assert_eq!(alice.said()["iceServers"][0], servers[0]);
    assert_eq!(server.participants("Full").len(), 1, "who is in stays in");
}

#[test]
fn a_client_that_registers_with_a_token_is_called_by_a_conference() {
    let (server, _folder) = start("");
    let phone = Phone::call(&server.uri("conf-Desk"), 500, "PCMU");
    server.wait_for_participants("Desk", 1);
    let alice = open(&server, "alice", 1100);
    let invite = || {
        let body = r#"{"to": "webrtc:alice"}"#;
        server.curl(&["-X", "POST", "-d", body], "/v1/conferences/Desk/participants")
    };
    let (status, answer) = invite();
    assert_eq!((status, answer["code"].as_str()), (409, Some("1210")), "{answer}");

    // Tokens that are not good: forged, too old, for another client, without leave to be called.
    let good = token(&server, "client_id=alice&enable_incoming=true&ttl=600");
    let bad = [
        forged(&good),
        old(&server, "client_id=alice&enable_incoming=true"),
        token(&server, "client_id=bob&enable_incoming=true"),
        token(&server, "client_id=alice"),
    ];
    for (number, bad) in bad.iter().enumerate() {
        tell(&alice, json!(["enable", bad]));
        alice.wait_until(&format!("refusal {number}"), |said| {
            said["registered"]["ready"] == false && said["registered"]["cause"] == "INVALIDTOKEN"
        });
        tell(&alice, json!(["enable", good]));
        wait_for_registration(&alice, true, "NORMAL");
    }

    let (status, participant) = invite();
    assert!(matches!(status, 200..=202), "{participant}");
    let offered = wait_for_call(&alice, "offered");
    let expected = json!({ "from": "conference", "type": "service", "audio": true, "video": false });
    assert_eq!(offered["incoming"], expected);
    tell(&alice, json!(["answer"]));
    wait_for_call(&alice, "up");
    server.wait_for_participants("Desk", 2);
    alice.wait_to_hear_all(&[500], &[1100, 1900]);
    support::assert_hears_little_else(&phone, &[1100], &TONES, -50.0);
    tell(&alice, json!(["hang up"]));
    wait_for_end(&alice, "NORMAL");
    server.wait_for_participants("Desk", 1);

    // Refused by its user.
    let (_, participant) = invite();
    wait_for_call(&alice, "offered");
    tell(&alice, json!(["reject", 603]));
    let shown =
        format!("/v1/conferences/Desk/participants/{}", participant["participant_id"].as_str().unwrap());
    wait_for("the refusal", || {
        let participant = server.get(&shown);
        (participant["state"] == "failed" && participant["status"] == 603).then_some(())
    });

    // It takes its registration back without a token.
    tell(&alice, json!(["disable"]));
    wait_for_registration(&alice, false, "NORMAL");
    assert_eq!(invite().0, 409);
    // And loses it with its connection.
    tell(&alice, json!(["enable", good]));
    wait_for_registration(&alice, true, "NORMAL");
    drop(alice);
    wait_for("the registration to be gone", || (invite().0 == 409).then_some(()));
}

#[test]
fn one_client_calls_another() {
    let (server, _folder) = start("");
    let (alice, bob) = (open(&server, "alice", 1100), open(&server, "bob", 1900));
    let any = token(&server, "client_id=alice&call_client=*");
    tell(&alice, json!(["client", "bob", any]));
    wait_for_end(&alice, "UNOBTAINABLE");
    tell(&bob, json!(["enable", token(&server, "client_id=bob&enable_incoming=true")]));
    wait_for_registration(&bob, true, "NORMAL");

    tell(&alice, json!(["client", "bob", any]));
    let offered = wait_for_call(&bob, "offered");
    assert_eq!(
        offered["incoming"],
        json!({ "from": "alice", "type": "client", "audio": true, "video": false })
    );
    alice.wait_until("the ringing", |said| said["ringing"] == true);
    tell(&bob, json!(["answer"]));
    wait_for_call(&alice, "up");
    wait_for_call(&bob, "up");
    alice.wait_to_hear_all(&[1900], &[500, 1100]);
    bob.wait_to_hear_all(&[1100], &[500, 1900]);
    tell(&bob, json!(["hang up"]));
    wait_for_end(&alice, "NORMAL");

    tell(&alice, json!(["client", "bob", any]));
    wait_for_call(&bob, "offered");
    tell(&bob, json!(["reject", 486]));
    wait_for_end(&alice, "BUSY");
    wait_for_call(&bob, "over");

    // A caller who gives up is rung for no longer.
    tell(&alice, json!(["client", "bob", any]));
    alice.wait_until("the ringing", |said| said["call"] == "connecting" && said["ringing"] == true);
    wait_for_call(&bob, "offered");
    tell(&alice, json!(["hang up"]));
    wait_for_call(&bob, "over");
    wait_for_end(&alice, "NOANSWER");
    // Tokens that do not permit it: for others to be called, of another client, forged, too old.
    for bad in [
        token(&server, "client_id=alice&call_client=carol"),
        token(&server, "client_id=carol&call_client=*"),
        forged(&any),
        old(&server, "client_id=alice&call_client=*"),
    ] {
        call_in_vain(&alice, json!(["client", "bob", bad]), "FAILED");
    }
    assert_eq!(bob.said()["call"], "over", "nothing rings");
    wait_for("all to be gone", || (server.get("/conference_list") == json!([])).then_some(()));
}

/// So soon a seat is free again; without any of this it is after 30 s, when no RTP has come for that long.
const SOON: Duration = Duration::from_secs(15);

#[test]
fn a_browser_that_reloads_closes_or_crashes_gives_its_seat_back_and_another_takes_one_over() {
    let (server, _folder) = start("[conferences]\nunreserved_max_participants = 2\n");
    server.put_service("room", r#"{"access": {"webrtc": true}, "conference": {"name": "Room"}}"#);
    let leader = r#"{"access": {"webrtc": true}, "conference": {"name": "Room", "participant": {"destroy_on_exit": true}}}"#;
    server.put_service("leader", leader);
    let phone = Phone::call(&server.uri("room"), 500, "PCMU");
    server.wait_for_participants("Room", 1);
    let mut alice = open(&server, "alice", 1100);
    tell(&alice, json!(["service", "room"]));
    wait_for_call(&alice, "up");
    server.wait_for_participants("Room", 2);

    // The conference is full, and a page that is loaded again gets in again.
    let began = Instant::now();
    tell(&alice, json!(["reload"]));
    server.wait_for_participants("Room", 1);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    alice.wait_until("the page to be there again", |said| said["page"] == 2);
    tell(&alice, json!(["service", "room"]));
    let dialog = wait_for_call(&alice, "up")["dialog"].clone();
    server.wait_for_participants("Room", 2);
    alice.wait_to_hear_all(&[500], &[1100, 1900]);

    // Chromium says goodbye by DTLS, which ends the call at once.
    let has_said_goodbye = || {
        let calls = server.get("/v1/calls").to_string();
        calls.contains("The other side has closed its media").then_some(())
    };
    wait_for("the record of the call whose page was loaded again", has_said_goodbye);

    // One that asks for its own call when it is loaded again is in again, although that call is over.
    let began = Instant::now();
    tell(&alice, json!(["reload and take over", "room", dialog]));
    let said = alice.wait_until("what became of the call", |said| {
        said["page"] == 3 && (said["call"] == "up" || said["call"] == "over")
    });
    assert_eq!(said["call"], "up", "{said}");
    let dialog = wait_for_call(&alice, "up")["dialog"].clone();
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    server.wait_for_participants("Room", 2);

    // Another browser takes the call over, though the conference is full (RFC 3891).
    let mut bob = open(&server, "bob", 1900);
    tell(&bob, json!(["service", "room"]));
    wait_for_end(&bob, "BUSY");
    tell(&bob, json!(["take over", "room", dialog]));
    wait_for_call(&bob, "up");
    wait_for_end(&alice, "NORMAL");
    server.wait_for_participants("Room", 2);
    bob.wait_to_hear_all(&[500], &[1100, 1900]);
    support::assert_hears_little_else(&phone, &[1900], &TONES, -50.0);

    // It crashes: it says no goodbye, and is a participant until its RTP is missed. Until then its call can be taken over.
    let dialog = bob.said()["dialog"].clone();
    let began = Instant::now();
    bob.kill();
    tell(&alice, json!(["take over", "room", dialog]));
    wait_for_call(&alice, "up");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    alice.wait_to_hear_all(&[500], &[1100, 1900]);
    support::assert_hears_little_else(&phone, &[1100], &TONES, -50.0);
    server.wait_for_participants("Room", 2);

    // Otherwise the seat is free when its connection has closed and its RTP is missing.
    let began = Instant::now();
    alice.kill();
    server.wait_for_participants("Room", 1);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());

    // A leader who closes the page ends the conference.
    let leader = open(&server, "leader", 1100);
    tell(&leader, json!(["service", "leader"]));
    wait_for_call(&leader, "up");
    server.wait_for_participants("Room", 2);
    let began = Instant::now();
    drop(leader);
    wait_for("the conference to be gone", || (server.get("/conference_list") == json!([])).then_some(()));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}
