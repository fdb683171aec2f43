//! Stock SIP phones (baresip) in conferences that curl commands: each hears all the others and not itself.
#![allow(missing_docs)]

mod support;

use support::{Phone, Server, assert_hears, assert_hears_little_else, wait_for};

const NO_NOTICE: &str = "[reservations]\nmin_notice_minutes = 0\n";

/// Red is reserved, Blue is not; they must never mix.
const RED: [(u32, &str); 3] = [(400, "PCMU"), (900, "PCMA"), (1600, "PCMU")];
const BLUE: [(u32, &str); 2] = [(600, "PCMU"), (2300, "PCMU")];
const ALL: [u32; 5] = [400, 900, 1600, 600, 2300];

fn enter(server: &Server, conference: &str, phones: &[(u32, &str)]) -> (Vec<Phone>, Vec<String>) {
    let mut ids = Vec::new();
    let mut inside = Vec::new();
    for (hz, law) in phones {
        inside.push(Phone::call(&server.uri(&format!("conf-{conference}")), *hz, law));
        ids = server.wait_for_participants(conference, inside.len());
    }
    (inside, ids)
}

#[test]
fn each_hears_all_the_others_through_mute_unmute_and_eject() {
    let server = Server::start(NO_NOTICE);
    server.reserve_now("Red");
    let (red, ids) = enter(&server, "Red", &RED);
    let (blue, _) = enter(&server, "Blue", &BLUE);
    let set_options = |options: &str| {
        let path = format!(
            "/conference_participant_set_options?conference_name=Red&participant_id={}&{options}",
            ids[1]
        );
        assert_eq!(server.get(&path), serde_json::json!({ "options_set": true }));
    };
    let all_hear_each_other = || {
        assert_hears(&red[0], &[900, 1600], &ALL);
        assert_hears(&red[1], &[400, 1600], &ALL);
        assert_hears(&red[2], &[400, 900], &ALL);
    };
    all_hear_each_other();
    assert_hears(&blue[0], &[2300], &ALL);
    assert_hears(&blue[1], &[600], &ALL);

    set_options("muted=true");
    assert_eq!(server.participants("Red")[1]["muted"], true, "the next answer shows it");
    assert_hears(&red[0], &[1600], &ALL);
    assert_hears(&red[1], &[400, 1600], &ALL);
    assert_hears(&red[2], &[400], &ALL);

    set_options("muted=false");
    all_hear_each_other();

    let path = format!("/conference_participant_eject?conference_name=Red&participant_id={}", ids[2]);
    assert_eq!(server.get(&path), serde_json::json!({ "ejected": true }));
    assert_eq!(server.participants("Red").len(), 2, "the next answer shows it");
    assert_hears(&red[0], &[900], &ALL);
    assert_hears(&red[1], &[400], &ALL);
    wait_for("the ejected phone to notice", || red[2].log().contains("closed").then_some(()));
    assert_hears(&blue[0], &[2300], &ALL);
}

#[test]
fn members_wait_in_silence_for_their_leader_and_go_with_the_leader() {
    let server = Server::start("");
    server.put_service(
        "class",
        r#"{"conference": {"name": "Class", "participant": {"start_on_entry": false, "beep_on_entry": false}}}"#,
    );
    server.put_service(
        "teacher",
        r#"{"conference": {"name": "Class", "participant": {"destroy_on_exit": true, "beep_on_entry": false}}}"#,
    );
    let all = [500, 1100, 1900];
    let first = Phone::call(&server.uri("class"), 500, "PCMU");
    server.wait_for_participants("Class", 1);
    let second = Phone::call(&server.uri("class"), 1100, "PCMU");
    server.wait_for_participants("Class", 2);
    wait_for("a second of audio", || (second.heard().len() > 8000).then_some(()));
    assert_hears(&first, &[], &all);
    assert_hears(&second, &[], &all);
    assert_eq!(server.get("/conference_list")[0]["status"], "HOLDING");

    let over_tcp = format!("{};transport=tcp", server.uri("teacher"));
    let mut teacher = Phone::call(&over_tcp, 1900, "PCMU");
    server.wait_for_participants("Class", 3);
    assert_eq!(server.get("/conference_list")[0]["status"], "ACTIVE");
    assert_hears(&first, &[1100, 1900], &all);
    assert_hears(&teacher, &[500, 1100], &all);

    teacher.hang_up();
    wait_for("the class to be over", || {
        (server.get("/conference_list") == serde_json::json!([])).then_some(())
    });
    for phone in [&first, &second] {
        wait_for("its phones to notice", || phone.log().contains("closed").then_some(()));
    }
}

#[test]
fn phones_of_narrow_wide_and_full_band_hear_each_other_and_show_in_the_statistics() {
    let server = Server::start("");
    let phones = [(500, "PCMU"), (1100, "G722"), (1900, "opus")];
    let (inside, ids) = enter(&server, "Bands", &phones);
    let all = phones.map(|(hz, _)| hz);
    for phone in &inside {
        let others: Vec<u32> = all.into_iter().filter(|hz| *hz != phone.hz).collect();
        assert_hears_little_else(phone, &others, &all, -40.0);
    }
    let shown = server.get("/v1/conferences/Bands/participants")["items"].take();
    for (number, (_, codec)) in phones.iter().enumerate() {
        assert_eq!(shown[number]["participant_id"], ids[number].as_str());
        let statistics = &shown[number]["statistics"];
        assert_eq!(statistics["codec"], *codec, "{shown}");
        assert!(statistics["packets_received"].as_u64() > Some(20), "{shown}");
        assert!(statistics["mos"].as_f64() > Some(3.5), "{shown}");
    }
}

#[test]
fn an_uploaded_sound_is_heard_and_what_plays_goes_on_when_it_is_replaced() {
    let server = Server::start("");
    let folder = tempfile::tempdir().unwrap();
    let upload = |hz: u32, expected: u16| {
        let file = folder.path().join("tone.wav");
        support::write_tone(&file, hz, 16_000, 2);
        let (status, answer) = server.curl(&["-T", file.to_str().unwrap()], "/v1/media/hello");
        assert_eq!((status, &answer["duration_ms"]), (expected, &serde_json::json!(90_000)), "{answer}");
    };
    server.put_service("hello", r#"{"announcement": {"play": "sound:hello"}}"#);
    server.put_service(
        "alone",
        r#"{"conference": {"name": "Tea", "participant": {"while_stopped_media": ["sound:hello"]}}}"#,
    );
    upload(700, 201);
    let first = Phone::call(&server.uri("hello"), 2500, "PCMU");
    let heard = |phone: &Phone, hz, other| {
        wait_for("the sound", || (phone.level(hz) > -25.0).then_some(()));
        assert!(phone.level(other) < -45.0, "{other} Hz at {} dBov", phone.level(other));
    };
    heard(&first, 700, 1100);
    upload(1100, 200);
    // An announcement, and the music of a conference that has not started.
    for name in ["hello", "alone"] {
        heard(&Phone::call(&server.uri(name), 2500, "PCMU"), 1100, 700);
    }
    heard(&first, 700, 1100);
}
