//! Conferences and participants are changed, removed and ended over HTTP, in every state, with callers over SIP and RTP.
#![allow(missing_docs)]

mod support;

use plenary_caller::{Call, CallState, Caller};
use serde_json::{Value, json};
use std::{net::UdpSocket, time::Duration};
use support::{
    Server,
    talk::{TONES, Talk},
    wait_for,
};
use tokio::runtime::Runtime;

const TEA: &str = "/v1/conferences/Tea";

/// Callers of whom nobody need be heard yet.
fn nobody() -> Talk {
    let runtime = Runtime::new().unwrap();
    let caller = runtime.block_on(Caller::new(Default::default())).unwrap();
    Talk { runtime, caller, calls: Vec::new() }
}

#[track_caller]
fn send(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = server.curl(&["-X", method, "-d", &body.to_string()], path);
    assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
    answer
}

fn one(id: &str) -> String {
    format!("{TEA}/participants/{id}")
}

/// Whether the first is heard by the second, once that is so for all of the last 600 ms.
#[track_caller]
fn wait_for_hearing(call: &Call, hz: f32, is_heard: bool) {
    wait_for(&format!("{hz} Hz to be heard: {is_heard}"), || {
        (call.hears_tones(&[hz], 600, -25.0) == [is_heard]).then_some(())
    });
}

#[track_caller]
fn assert_ended(talk: &Talk, call: &mut Call, why: &str) {
    let end =
        talk.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), call.ended()).await });
    let Ok(CallState::Ended { by_remote: true, reason }) = end else { panic!("{end:?}") };
    assert!(reason.contains(why), "{reason}");
}

#[test]
fn who_waits_is_muted_named_and_ejected() {
    let server = Server::start("");
    let talk = nobody();
    let mut first = talk.call(&server, "Tea", TONES[0]);
    let id = server.wait_for_participants("Tea", 1).remove(0);
    let shown = send(&server, "PATCH", &one(&id), &json!({ "muted": true, "display_name": "Line 1" }));
    assert_eq!(shown["state"], "waiting");
    assert_eq!((&shown["muted_by"], &shown["display_name"]), (&json!("leader"), &json!("Line 1")));
    assert_eq!(shown["inband_dtmf"], Value::Null, "as configured");
    for (tones, expected) in [(json!("always"), json!("always")), (Value::Null, Value::Null)] {
        let shown = send(&server, "PATCH", &one(&id), &json!({ "inband_dtmf": tones }));
        assert_eq!(shown["inband_dtmf"], expected);
    }
    let overview = server.get(TEA);
    assert_eq!((&overview["state"], &overview["waiting"]), (&json!("holding"), &json!(1)));
    // The seven refuse it in this state.
    let seven =
        format!("/conference_participant_set_options?conference_name=Tea&participant_id={id}&muted=false");
    assert_eq!(server.curl(&[], &seven).1["error"]["code"], "1201");
    let second = talk.call(&server, "Tea", TONES[1]);
    server.wait_for_participants("Tea", 2);
    wait_for_hearing(&first, TONES[1], true);
    wait_for_hearing(&second, TONES[0], false);
    send(&server, "PATCH", &one(&id), &json!({ "muted": false }));
    wait_for_hearing(&second, TONES[0], true);
    let list = server.get(&format!("{TEA}/participants"))["items"].take();
    assert_eq!(list[0]["state"], "in");
    assert!(list[0]["entered_at"].as_str().unwrap().ends_with('Z'), "{list}");
    second.hang_up();
    server.wait_for_participants("Tea", 1);
    // Alone again, it waits, and is ejected all the same.
    assert_eq!(server.curl(&["-X", "DELETE"], &one(&id)).0, 204);
    assert_ended(&talk, &mut first, "Ejected from the conference");
    assert_eq!(server.curl(&[], TEA).0, 404);
    assert_eq!(server.curl(&["-X", "DELETE"], &one(&id)).1["code"], "1101");
}

#[test]
fn a_lecture_is_heard_and_a_locked_conference_is_busy() {
    let server = Server::start("");
    let mut talk = Talk::begin(&server, "Tea");
    let set = send(&server, "PATCH", TEA, &json!({ "lecture": true, "locked": true }));
    assert_eq!(
        (&set["lecture"], &set["locked"], &set["state"]),
        (&json!(true), &json!(true), &json!("active"))
    );
    wait_for_hearing(&talk.calls[0], TONES[1], false);
    wait_for_hearing(&talk.calls[1], TONES[0], false);
    let (state, _) = talk.dial(&server, "Tea", 1700.0);
    let CallState::Refused { status: 486, phrase } = state else { panic!("{state:?}") };
    assert_eq!(phrase, "The conference is locked");
    let ids = server.wait_for_participants("Tea", 2);
    // One is given the floor.
    send(&server, "PATCH", &one(&ids[0]), &json!({ "muted": false }));
    wait_for_hearing(&talk.calls[1], TONES[0], true);
    wait_for_hearing(&talk.calls[0], TONES[1], false);
    send(&server, "PATCH", TEA, &json!({ "lecture": false, "locked": false }));
    talk.assert_is_heard();
    send(&server, "POST", &format!("{TEA}/mute"), &json!({ "muted": true }));
    wait_for_hearing(&talk.calls[1], TONES[0], false);
    send(&server, "POST", &format!("{TEA}/mute"), &json!({ "muted": false }));
    talk.assert_is_heard();
    let (status, _) = server.curl(&["-X", "DELETE"], TEA);
    assert_eq!(status, 204);
    for mut call in std::mem::take(&mut talk.calls) {
        assert_ended(&talk, &mut call, "The conference was ended");
    }
    assert_eq!(server.curl(&["-X", "DELETE"], TEA).1["code"], "1101");
}

#[test]
fn a_telephone_that_rings_is_listed_and_given_up() {
    let server = Server::start("");
    let telephone = UdpSocket::bind("127.0.0.1:0").unwrap();
    telephone.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let address = telephone.local_addr().unwrap();
    let trunk = json!({ "uri": format!("sip:{address}"), "prefixes": ["*"], "hosts": [] });
    send(&server, "PUT", "/v1/trunks/office", &trunk);
    let body = json!({ "to": "tel:+441908273800", "display_name": "Anna" });
    let id = send(&server, "POST", &format!("{TEA}/participants"), &body)["participant_id"].clone();
    let id = id.as_str().unwrap();
    let mut buffer = [0; 16_384];
    let mut wait = |method: &str| loop {
        let (length, from) = telephone.recv_from(&mut buffer).expect(method);
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with(method) {
            return (text, from);
        }
    };
    let (request, from) = wait("INVITE ");
    let line = |name: &str| request.lines().find(|line| line.starts_with(name)).unwrap().trim_end();
    let ringing = format!(
        "SIP/2.0 180 Ringing\r\n{}\r\n{}\r\n{};tag=there\r\n{}\r\n{}\r\nContact: <sip:{address}>\r\n\
         Content-Length: 0\r\n\r\n",
        line("Via:"),
        line("From:"),
        line("To:"),
        line("Call-ID:"),
        line("CSeq:"),
    );
    telephone.send_to(ringing.as_bytes(), from).unwrap();
    let shown = wait_for("ringing", || {
        let list = server.get(&format!("{TEA}/participants"))["items"].take();
        (list[0]["state"] == "ringing").then(|| list[0].clone())
    });
    assert_eq!((&shown["participant_id"], &shown["display_name"]), (&json!(id), &json!("Anna")));
    assert_eq!(shown["entered_at"], Value::Null);
    assert!(server.participants("Tea").is_empty(), "the seven list who is in");
    let muted = send(&server, "PATCH", &one(id), &json!({ "muted": true }));
    assert_eq!(muted["muted_by"], "leader", "it will enter muted");
    assert_eq!(server.curl(&["-X", "DELETE"], &one(id)).0, 204);
    wait("CANCEL ");
    wait_for("nobody is called any more", || {
        (server.curl(&[], &format!("{TEA}/participants")).0 == 404).then_some(())
    });
}

#[test]
fn a_reserved_conference_is_ended_and_its_name_is_free() {
    let server = Server::start("[reservations]\nmin_notice_minutes = 0\n");
    server.reserve_now("Tea");
    wait_for("open", || (server.get(TEA)["state"] == "holding").then_some(()));
    let talk = nobody();
    let mut call = talk.call(&server, "Tea", TONES[0]);
    let overview = server.get(TEA);
    assert_eq!((&overview["reserved"], &overview["max_participants"]), (&json!(true), &json!(40)));
    assert!(overview["ends_at"].as_str().unwrap().ends_with('Z'), "{overview}");
    assert_eq!(server.curl(&["-X", "DELETE"], TEA).0, 204);
    assert_ended(&talk, &mut call, "The conference was ended");
    assert_eq!(server.get("/conference_list"), json!([]));
    server.reserve_now("Tea");
}
