//! Callers by an entry, over SIP and RTP: they key in rooms and PINs, hear what is said, wait, are held, moved and announced, and
//! call others.
#![allow(missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod announcements;
mod dialling;
mod leading;
mod pins;
mod who_hears;

use serde_json::{Value, json};
use support::{
    Phone,
    entry::{World, wait_for_tone},
    free_address,
    prompts::UNDER_WAY,
    wait_for,
};

/// A room with a conference of this name, by what it is like.
fn room(conference: &str, settings: Value) -> Value {
    let mut room = settings;
    room["conference"] = conference.into();
    room
}

fn board(settings: Value) -> World {
    World::new("", &[("1001", room("Board", settings))])
}

#[test]
fn room_and_pin_lead_into_the_conference_and_keys_are_answered_in_words() {
    // So long that no port or other number of the log is the same.
    let mut world = board(json!({"pin": "47110815", "leader_pin": "70215548"}));
    let first = world.call(500);
    world.prompts.wait_for(&first, "entry.welcome");
    world.prompts.wait_for(&first, "entry.pin");
    first.press("1234#").unwrap();
    world.prompts.wait_for(&first, "entry.pin-wrong");
    first.press("47110815#").unwrap();
    world.prompts.wait_for(&first, "entry.joining");
    world.prompts.wait_for(&first, "music.hold");
    // Ahead of every question, and a leader.
    let leader = world.enter("Board", 1100, "70215548#");
    wait_for_tone(&first, 1100.0, true);
    wait_for_tone(&leader, 500.0, true);
    let shown = world.server.get("/v1/conferences/Board/participants")["items"].take();
    assert_eq!((&shown[0]["leader"], &shown[1]["leader"]), (&json!(false), &json!(true)), "{shown}");
    first.press("*6").unwrap();
    world.prompts.wait_for(&first, "mute.on");
    wait_for_tone(&leader, 500.0, false);
    leader.press("*7").unwrap();
    world.prompts.wait_for(&leader, "lock.on");
    assert!(!world.prompts.is_heard(&first, "lock.on"), "what is said to one reaches nobody else");
    let mut late = world.call(700);
    late.press("47110815#").unwrap();
    world.prompts.wait_for(&late, "entry.locked");
    world.assert_ended(&mut late, "The conference is locked");
    leader.press("**,,1").unwrap();
    world.prompts.wait_for(&first, "time.over");
    for mut call in [first, leader] {
        world.assert_ended(&mut call, "A leader has ended the conference");
    }
    assert_eq!(world.server.curl(&[], "/v1/conferences/Board").0, 404);
    assert!(!world.server.log().contains("47110815"), "no PIN is in the log");
}

#[test]
fn who_waits_in_the_lobby_hears_music_until_a_leader_lets_them_in() {
    let mut world = board(json!({"lobby": true, "leader_pin": "70215548"}));
    let waits = world.call(500);
    waits.press("#").unwrap();
    world.prompts.wait_for(&waits, "wait.leader");
    let leader = world.enter("Board", 1100, "70215548#");
    world.prompts.wait_for(&waits, "lobby.wait");
    world.prompts.wait_for(&waits, "music.hold");
    assert_eq!(world.server.participants("Board").len(), 1, "who waits is not listed by the seven");
    leader.press("*8").unwrap();
    world.prompts.wait_for(&leader, "lobby.admit");
    leader.press("1").unwrap();
    world.prompts.wait_for(&leader, "lobby.admitted");
    wait_for_tone(&waits, 1100.0, true);
    wait_for_tone(&leader, 500.0, true);
}

#[test]
fn three_wrong_pins_end_the_call_with_a_sentence() {
    let mut world = board(json!({"pin": "4711"}));
    let mut call = world.call(500);
    call.press("0000#0001#0002#").unwrap();
    world.prompts.wait_for(&call, "entry.too-many");
    world.assert_ended(&mut call, "No valid room or PIN was keyed in");
}

#[test]
fn a_participant_is_held_and_moved_without_a_new_call() {
    let mut world = board(json!({}));
    let one = world.enter("Board", 500, "");
    let other = world.enter("Board", 1100, "");
    wait_for_tone(&other, 500.0, true);
    let id = world.server.wait_for_participants("Board", 2).remove(0);
    let path = format!("/v1/conferences/Board/participants/{id}");
    let patch = |body: Value| world.server.curl(&["-X", "PATCH", "-d", &body.to_string()], &path);
    assert_eq!(patch(json!({"held": true})).1["state"], "held");
    world.prompts.wait_for(&one, "hold.on");
    world.prompts.wait_for(&one, UNDER_WAY);
    wait_for_tone(&other, 500.0, false);
    wait_for_tone(&one, 1100.0, false);
    let patch = |body: Value| world.server.curl(&["-X", "PATCH", "-d", &body.to_string()], &path);
    assert_eq!(patch(json!({"held": false})).0, 200);
    wait_for_tone(&one, 1100.0, true);
    let (status, moved) =
        world.server.curl(&["-X", "POST", "-d", r#"{"conference": "Annex"}"#], &format!("{path}/move"));
    assert_eq!((status, &moved["participant_id"]), (200, &json!(id)), "{moved}");
    world.prompts.wait_for(&one, "move.moved");
    wait_for_tone(&one, 1100.0, false);
    let third = world.server.participants("Annex").len();
    assert_eq!((third, world.server.participants("Board").len()), (1, 1));
}

#[test]
fn telephones_of_every_codec_and_with_encrypted_audio_enter_like_all() {
    let world = board(json!({"pin": "4711", "announce": "none"}));
    let first = world.enter("Board", 500, "4711#");
    let modules = "module srtp.so\nmodule dtls_srtp.so\nmodule ice.so\nmodule_app ctrl_tcp.so\n";
    for (hz, codec, account) in [
        (900, "G722", ""),
        (1200, "opus", ""),
        (1500, "PCMA", ";mediaenc=dtls_srtp"),
        (1800, "PCMU", ";mediaenc=srtp-mand;medianat=ice"),
    ] {
        let control = free_address();
        let lines = format!("{modules}ctrl_tcp_listen {control}");
        let mut phone = Phone::call_as(&world.server.uri("100"), hz, codec, account, &lines);
        wait_for("an answer", || phone.log().contains("Call established").then_some(()));
        for key in "4711#".chars() {
            Phone::command(&control, "sndcode", &key.to_string());
        }
        world.server.wait_for_participants("Board", 2);
        wait_for_tone(&first, hz as f32, true);
        wait_for("the first to be heard", || (phone.level(500) > -25.0).then_some(()));
        let shown = world.server.get("/v1/conferences/Board/participants")["items"][1]["statistics"].take();
        assert_eq!(shown["codec"], codec, "{shown}");
        assert_eq!(shown["srtp"].is_string(), !account.is_empty(), "{shown}");
        phone.hang_up();
        world.server.wait_for_participants("Board", 1);
    }
}
