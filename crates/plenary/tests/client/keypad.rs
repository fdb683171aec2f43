//! A telephone and browsers in one room that they key themselves into: prompts, PINs and menus, heard and pressed by a telephone of
//! G.711 (baresip) and by the client library.

use crate::{
    ANNOUNCED, TONES,
    driver::Browser,
    open, start,
    support::{
        Phone, Server, assert_hears_little_else,
        entry::put_room,
        free_address,
        prompts::{LENGTH, Prompts, Recording},
        wait_for,
    },
    tell, wait_for_call, wait_for_end,
};
use serde_json::{Value, json};

/// The digits are those of nothing else that is logged.
const PIN: &str = "48290617";
const LEADER_PIN: &str = "70215548";

/// A telephone of G.711 whose keys are pressed from here.
struct Desk {
    phone: Phone,
    control: String,
}

impl Desk {
    fn call(server: &Server, service: &str, hz: u32) -> Self {
        let control = free_address();
        let lines = format!("module_app ctrl_tcp.so\nctrl_tcp_listen {control}");
        let phone = Phone::call_as(&server.uri(service), hz, "PCMU", "", &lines);
        wait_for("the telephone to be answered", || phone.log().contains("Call established").then_some(()));
        Self { phone, control }
    }

    fn press(&self, keys: &str) {
        for key in keys.chars() {
            Phone::command(&self.control, "sndcode", &key.to_string());
        }
    }
}

/// Goes through a dialogue: presses these keys after each of these prompts. The position of the last one.
#[track_caller]
fn answer(
    prompts: &mut Prompts,
    heard: &impl Recording,
    dialogue: &[(&str, &str)],
    press: impl Fn(&str),
) -> u64 {
    let mut at = 0;
    for (prompt, keys) in dialogue {
        at = prompts.wait_since(heard, at, prompt) + LENGTH as u64;
        if !keys.is_empty() {
            press(keys);
        }
    }
    at
}

fn press(browser: &Browser, keys: &str) {
    tell(browser, json!(["keys", keys]));
}

/// The levels of what is announced, in each of these.
fn announced(phone: &Phone, browsers: [&Browser; 2]) -> [f64; 3] {
    let level =
        |browser: &Browser| browser.said()["levels"][ANNOUNCED.to_string()].as_f64().unwrap_or(-200.0);
    [f64::from(phone.level(ANNOUNCED)), level(browsers[0]), level(browsers[1])]
}

#[test]
fn a_telephone_and_browsers_key_themselves_into_one_room_and_hear_the_same() {
    let (server, _folder) = start("");
    server.put_service("100", r#"{"access": {"webrtc": true}, "entry": {"rooms": true}}"#);
    put_room(&server, "1001", &json!({"conference": "Board", "pin": PIN, "leader_pin": LEADER_PIN}));
    put_room(&server, "1002", &json!({"conference": "Annex"}));
    let mut prompts = Prompts::new();
    let (alice, bob) = (open(&server, "alice", 1100), open(&server, "bob", 1900));

    // A telephone is the first, and waits with music.
    let desk = Desk::call(&server, "100", 500);
    let dialogue = [
        ("entry.welcome", ""),
        ("entry.room", "1001#"),
        ("entry.pin", &format!("{PIN}#")),
        ("entry.joining", ""),
        ("wait.first", ""),
        ("music.hold", ""),
    ];
    let at = answer(&mut prompts, &desk.phone, &dialogue, |keys| desk.press(keys));
    server.wait_for_participants("Board", 1);

    // A browser goes through the same dialogue, is wrong once, and leads.
    tell(&alice, json!(["service", "100"]));
    wait_for_call(&alice, "up");
    // What is said as it enters is told from its tone by the silence of that.
    tell(&alice, json!(["mute", true]));
    let dialogue = [
        ("entry.welcome", ""),
        ("entry.room", "1001#"),
        ("entry.pin", "1234#"),
        ("entry.pin-wrong", ""),
        ("entry.pin", &format!("{LEADER_PIN}#")),
        ("entry.joining-leader", ""),
    ];
    answer(&mut prompts, &alice, &dialogue, |keys| press(&alice, keys));
    server.wait_for_participants("Board", 2);
    prompts.wait_since(&desk.phone, at, "tone.joined");
    tell(&alice, json!(["mute", false]));
    alice.wait_to_hear_all(&[500], &[1100, 1900]);
    assert_hears_little_else(&desk.phone, &[1100], &TONES, -50.0);

    // Another one presses the keys ahead of the questions.
    tell(&bob, json!(["service", "100"]));
    wait_for_call(&bob, "up");
    press(&bob, &format!("1001#{PIN}#"));
    server.wait_for_participants("Board", 3);
    alice.wait_to_hear_all(&[500, 1900], &[1100]);
    bob.wait_to_hear_all(&[500, 1100], &[1900]);
    assert_hears_little_else(&desk.phone, &[1100, 1900], &TONES, -50.0);
    let shown = server.get("/v1/conferences/Board/participants")["items"].take();
    let is_like = |who: &Value| (who["statistics"]["codec"].clone(), who["leader"].clone());
    let expected = [("PCMU", false), ("opus", true), ("opus", false)]
        .map(|(codec, leader)| (json!(codec), json!(leader)));
    let found: Vec<_> = shown.as_array().unwrap().iter().map(is_like).collect();
    assert_eq!(found, expected, "{shown}");

    // What is announced to all is heard by all.
    let announcement = json!({"to": "all", "play": [format!("tone:{ANNOUNCED}/5000")], "loop": true});
    let (status, playback) =
        server.curl(&["-X", "POST", "-d", &announcement.to_string()], "/v1/conferences/Board/playbacks");
    assert_eq!(status, 202, "{playback}");
    wait_for("the announcement to be heard by all", || {
        let levels = announced(&desk.phone, [&alice, &bob]);
        levels.iter().all(|level| *level > -45.0).then_some(())
    });
    let playback = format!("/v1/conferences/Board/playbacks/{}", playback["playback_id"].as_str().unwrap());
    assert!(matches!(server.curl(&["-X", "DELETE"], &playback).0, 200 | 204));
    wait_for("the announcement to be over for all", || {
        let levels = announced(&desk.phone, [&alice, &bob]);
        levels.iter().all(|level| *level < -55.0).then_some(())
    });

    // Keys of the menus do what they do for each, and each alone hears the answer.
    let since = (desk.phone.position(), alice.position(), bob.position());
    desk.press("*6");
    prompts.wait_since(&desk.phone, since.0, "mute.on");
    alice.wait_to_hear_all(&[1900], &[500, 1100]);
    bob.wait_to_hear_all(&[1100], &[500, 1900]);
    press(&bob, "*6");
    prompts.wait_since(&bob, since.2, "mute.on");
    assert_hears_little_else(&desk.phone, &[1100], &TONES, -50.0);
    press(&alice, "*7");
    prompts.wait_since(&alice, since.1, "lock.on");
    assert_eq!(server.get("/v1/conferences/Board")["locked"], true);
    assert!(!prompts.is_heard_since(&alice, since.1, "mute.on"), "what is said to one reaches nobody else");
    for (name, is_heard) in [
        ("the telephone", prompts.is_heard_since(&desk.phone, since.0, "lock.on")),
        ("the other browser", prompts.is_heard_since(&bob, since.2, "lock.on")),
    ] {
        assert!(!is_heard, "{name} hears what is said to the leader");
    }

    // The leader ends it, and all hear so.
    let since = (desk.phone.position(), alice.position(), bob.position());
    press(&alice, "**");
    prompts.wait_since(&alice, since.1, "end.confirm");
    press(&alice, "1");
    prompts.wait_since(&desk.phone, since.0, "time.over");
    prompts.wait_since(&bob, since.2, "time.over");
    for browser in [&alice, &bob] {
        wait_for_end(browser, "NORMAL");
        assert_eq!(browser.said()["errors"], json!([]));
    }
    wait_for("the telephone to be told", || desk.phone.log().contains("session closed").then_some(()));
    assert_eq!(server.curl(&[], "/v1/conferences/Board").0, 404);
    assert!(!server.log().contains(PIN) && !server.log().contains(LEADER_PIN), "a PIN is in the log");
}
