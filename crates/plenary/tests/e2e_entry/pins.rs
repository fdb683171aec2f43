//! PINs: keyed in right and wrong, slowly, ahead of the question, too long, corrected, guessed; and never written down.

use super::{room, support};
use plenary_caller::{CallSpec, KeyBody, KeyRoute};
use serde_json::{Value, json};
use support::{
    Server,
    entry::{World, wait_for_silence},
    prompts::LENGTH,
    wait_for,
};

/// The digits are those of nothing else that is logged.
const PIN: &str = "48290617";

#[test]
fn a_pin_is_taken_slow_corrected_too_long_and_while_a_prompt_plays() {
    let mut world = World::new("", &[("1001", room("Board", json!({"pin": PIN, "announce": "none"})))]);
    let entry = r#"{"entry": {"rooms": true, "tries": 10, "first_key_s": 1, "next_key_s": 1}}"#;
    world.server.put_service("200", entry);
    let call = world.call_to("200", 0, CallSpec::default());
    // No key at all.
    let mut at = world.prompts.wait_since(&call, 0, "entry.pin");
    at = world.prompts.wait_since(&call, at, "entry.nothing");
    at = world.prompts.wait_since(&call, at, "entry.again");
    at = world.prompts.wait_since(&call, at, "entry.pin");
    // What can be no PIN: three digits, and more than twelve.
    for keys in ["123#", "1234567890123#"] {
        call.press(keys).unwrap();
        at = world.prompts.wait_since(&call, at, "entry.pin-wrong");
        at = world.prompts.wait_since(&call, at, "entry.pin");
    }
    // A wrong one, ended by time: the key ends the question.
    call.press("1234").unwrap();
    wait_for("the keys", || (call.keys_left() == 0).then_some(()));
    let released_at = call.key_times().released_at;
    wait_for_silence(&call);
    at = world.prompts.wait_since(&call, at, "entry.pin-wrong");
    let waited_ms = (at - released_at) / 8;
    assert!((800..2500).contains(&waited_ms), "a second for the next key, and not {waited_ms} ms");
    // Corrected, and asked for again with nothing to correct.
    at = world.prompts.wait_since(&call, at, "entry.pin");
    call.press("*").unwrap();
    at = world.prompts.wait_since(&call, at + LENGTH as u64, "entry.pin");
    call.press("99*").unwrap();
    call.press(PIN).unwrap();
    call.press("#").unwrap();
    at = world.prompts.wait_since(&call, at, "entry.joining");
    world.prompts.wait_since(&call, at, "wait.first");
    world.server.wait_for_participants("Board", 1);

    // Ahead of every prompt, which it interrupts.
    let ahead = world.call(0);
    world.prompts.wait_for(&ahead, "entry.welcome");
    ahead.press(&format!("{PIN}#")).unwrap();
    world.server.wait_for_participants("Board", 2);
    assert!(!world.prompts.is_heard_since(&ahead, 0, "entry.pin"), "a question that is answered already");
}

#[test]
fn who_guesses_is_slowed_the_leader_is_told_and_members_come_in() {
    let settings = json!({"pin": PIN, "leader_pin": "70215548", "announce": "none"});
    let mut world = World::new("", &[("1001", room("Board", settings))]);
    let from = |name: &str| CallSpec { from_user: name.to_owned(), ..CallSpec::default() };
    let leader = world.call_to("100", 0, from("boss"));
    leader.press("70215548#").unwrap();
    world.server.wait_for_participants("Board", 1);
    let member = world.call_to("100", 0, from("member"));
    member.press(&format!("{PIN}#")).unwrap();
    world.server.wait_for_participants("Board", 2);
    member.hang_up();
    world.server.wait_for_participants("Board", 1);

    // Three each, of one address with another name each time.
    let told_since = leader.position();
    let mut guessers: Vec<_> =
        (0..7).map(|number| world.call_to("100", 0, from(&format!("guesser{number}")))).collect();
    let mut at = vec![0; guessers.len()];
    for round in 0..3 {
        // After twenty wrong ones the source is slowed: the one who would be the 21st does not try.
        let tries = if round < 2 { guessers.len() } else { guessers.len() - 1 };
        for (number, guesser) in guessers.iter().enumerate().take(tries) {
            guesser.press(&format!("9{round}{number}0#")).unwrap();
        }
        for (guesser, at) in guessers.iter().zip(&mut at).take(tries) {
            *at = world.prompts.wait_since(guesser, *at, "entry.pin-wrong") + LENGTH as u64;
        }
    }
    wait_for("the operator to be told", || {
        world.server.log().contains("PINs of a room are being guessed").then_some(())
    });
    world.prompts.wait_since(&leader, told_since, "lobby.guessing");
    world.assert_ended(&mut guessers[0], "No valid room or PIN was keyed in");

    // A guesser calls again, with the right one: it is kept, with music, until it may be looked at.
    let again = world.call_to("100", 0, from("guesser0"));
    again.press(&format!("{PIN}#")).unwrap();
    let at = world.prompts.wait_since(&again, 0, "hold.on");
    world.prompts.wait_since(&again, at, "music.hold");
    // Members come in all the while.
    let member = world.call_to("100", 0, from("member"));
    member.press(&format!("{PIN}#")).unwrap();
    world.server.wait_for_participants("Board", 2);
    again.hang_up();
    assert!(world.server.log().contains("PINs of a room are being guessed"), "the operator is told");
}

#[test]
fn a_pin_is_in_no_log_not_even_of_the_last_detail() {
    let server = Server::start_by("", |_| ["env", "PLENARY_LOG=trace"].map(str::to_owned).to_vec());
    // Keys in the conference are events, those of the way in are none.
    let settings = json!({"pin": PIN, "announce": "none", "key_events": true});
    let world = World::with(server, &[("1001", room("Board", settings))]);
    let routes =
        [KeyRoute::Events, KeyRoute::Tones, KeyRoute::Info(KeyBody::Relay), KeyRoute::Info(KeyBody::Plain)];
    let calls = routes.map(|keys| {
        let call = world.call_by(keys);
        call.press(&format!("{PIN}#")).unwrap();
        call
    });
    world.server.wait_for_participants("Board", calls.len());
    let log = world.server.log();
    assert!(log.contains("TRACE"), "the log is of the last detail");
    assert!(!log.contains(PIN), "the PIN is in the log");
    // Nor can it be put together of what is logged of each key.
    let signs = ["Signal=", "Signal =", "KeyPressed", "key=", "digit=", "Digit("];
    // Of who asked for something over HTTP by which API Access Key.
    let lines = log.lines().filter(|line| !line.contains(" audit: "));
    let told: Vec<&str> = lines.filter(|line| signs.iter().any(|sign| line.contains(sign))).take(5).collect();
    assert!(told.is_empty(), "keys are logged: {told:#?}");
    let told = || world.server.get("/v1/events?limit=500")["items"].take();
    let keys = |events: &Value| {
        let events = events.as_array().unwrap().iter();
        events.filter(|event| event["type"] == "key.pressed").count()
    };
    wait_for("their entering to be told", || {
        let entered = told().to_string().matches("participant.entered").count();
        (entered == calls.len()).then_some(())
    });
    assert_eq!(keys(&told()), 0, "{}", told());
    // Of one that is pressed in the conference there is one.
    calls[0].press("5").unwrap();
    wait_for("a key in the conference", || (keys(&told()) == 1).then_some(()));
    assert!(!told().to_string().contains(PIN));
}
