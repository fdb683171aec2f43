//! Callers who come by an entry: asked for a room and a PIN, told what is wrong, connected; and what is left of them.

mod support;

use plenary_calls::{Input, Settings};
use plenary_model::{Action, CallEntry, EntryAction, TimeZone};
use serde_json::json;
use support::{From, World, entry, room, settings};

/// A world with an entry at 100 and two rooms of the conference Tea.
fn world() -> World {
    let mut world = World::new();
    world.store.services.push(entry("100"));
    let rooms = &mut world.store.rooms;
    rooms.insert("1001".into(), (room("1001", json!({}), true, true), Some("4711"), Some("70215548")));
    rooms.insert("1002".into(), (room("1002", json!({"announce": "name"}), false, false), None, None));
    world
}

#[test]
fn a_caller_keys_in_room_and_pin_and_moves_into_the_conference_without_another_answer() {
    let mut world = world();
    let call = world.enter("100");
    assert_eq!(world.heard(call), ["entry.welcome"]);
    world.listen();
    assert_eq!(world.heard(call), ["entry.room"]);
    world.press(call, "1001");
    assert_eq!(world.heard(call), ["entry.pin"]);
    world.press(call, "4711#");
    assert_eq!(world.heard(call), ["entry.joining", "wait.first"]);
    assert!(world.roster("Tea").is_empty(), "not in before it was told");
    world.listen();
    assert_eq!(world.roster("Tea"), [call]);
    let moves = world.media.iter().filter(|line| line.starts_with("move")).count();
    let answers =
        world.sip.iter().filter(|line| line.starts_with("answer") || line.contains("offer")).count();
    assert_eq!((moves, answers), (1, 1), "{:?} {:?}", world.media, world.sip);
    assert_eq!(world.heard(call), ["music.hold"]);
    let entered = world.records.iter().find_map(|entry| match entry {
        CallEntry::Entered { conference, .. } => Some(conference.clone()),
        CallEntry::Started { .. } | CallEntry::Answered { .. } | CallEntry::Ended { .. } => None,
    });
    assert_eq!(entered.as_deref(), Some("Tea"));

    // A second one starts the conference, and the music of the first ends.
    let other = world.enter("100");
    world.press(other, "1001");
    world.press(other, "4711#");
    world.listen();
    assert_eq!(world.roster("Tea"), [call, other]);
    assert!(world.plays.is_empty(), "{:?}", world.plays);
    world.bye(call);
    world.bye(other);
    world.assert_clean();
}

#[test]
fn keys_before_the_ack_count_once_it_is_there() {
    let mut world = world();
    let call = world.incoming("100", From::default());
    world.press(call, "1001");
    world.press(call, "4711#");
    assert!(world.heard(call).is_empty());
    world.confirm(call);
    world.listen();
    assert_eq!(world.roster("Tea"), [call]);
    // As many as a number and a PIN need, and no more.
    let other = world.incoming("100", From::default());
    world.press(other, &"9".repeat(1000));
    world.confirm(other);
    world.bye(other);
    world.bye(call);
    world.assert_clean();
}

#[test]
fn who_is_in_by_an_entry_and_comes_back_by_another_call_is_not_asked_again() {
    let mut world = world();
    let mut caller = |pin: &str| {
        let call = world.enter("100");
        world.press(call, "1001");
        world.press(call, pin);
        world.listen();
        call
    };
    let (leader, other) = (caller("70215548#"), caller("4711#"));
    assert_eq!(world.roster("Tea"), [leader, other]);
    let again = world.incoming("100", From { replaces: Some(other), ..From::default() });
    world.confirm(again);
    world.ended(other);
    assert_eq!(world.roster("Tea"), [leader, again]);
    assert!(world.heard(again).is_empty());
    world.press(again, "*6");
    assert_eq!(world.heard(again), ["mute.on"], "its keys are those of the room");
    // A leader stays one.
    let boss = world.incoming("100", From { replaces: Some(leader), ..From::default() });
    world.confirm(boss);
    world.ended(leader);
    world.heard(boss);
    world.press(boss, "*7");
    assert_eq!(world.heard(boss), ["lock.on"]);
    world.bye(again);
    world.bye(boss);
    world.pass_ms(60_000);
    world.assert_clean();
}

#[test]
fn what_is_wrong_is_said_and_the_third_time_ends_the_call() {
    let mut world = world();
    let call = world.enter("100");
    world.listen();
    world.heard(call);
    world.press(call, "7#");
    assert_eq!(world.heard(call), ["entry.room-wrong", "entry.again", "entry.room"]);
    world.press(call, "1001");
    world.heard(call);
    for _ in 0..2 {
        world.press(call, "0000#");
        let joined =
            "prompt:en/entry.pin-wrong silence:250 prompt:en/entry.again silence:250 prompt:en/entry.pin";
        assert!(
            world.media.iter().any(|line| line.contains(joined)),
            "with a pause between sentences: {:?}",
            world.media
        );
        assert_eq!(world.heard(call), ["entry.pin-wrong", "entry.again", "entry.pin"]);
    }
    world.press(call, "0000#");
    assert_eq!(world.heard(call), ["entry.pin-wrong", "entry.too-many"]);
    world.said();
    world.listen();
    assert_eq!(world.said(), [format!("hang up {call}: No valid room or PIN was keyed in")]);
    world.ended(call);
    world.assert_clean();
}

#[test]
fn a_recorded_name_is_kept_while_its_caller_is_there() {
    let mut world = world();
    let call = world.enter("100");
    world.press(call, "1002");
    assert_eq!(world.heard(call), ["entry.welcome", "name.say", "tone:1000/250"]);
    world.listen();
    world.recorded(call, true);
    assert_eq!(world.names.len(), 1);
    world.listen();
    assert_eq!(world.roster("Tea"), [call]);
    world.bye(call);
    world.pass_ms(60_000);
    world.assert_clean();
}

#[test]
fn a_store_that_fails_ends_the_dialogue_with_a_sentence() {
    let mut world = world();
    let call = world.enter("100");
    world.listen();
    world.heard(call);
    world.store_fails = true;
    world.press(call, "1001");
    assert_eq!(world.heard(call), ["sys.trouble"]);
    world.listen();
    world.ended(call);
    world.assert_clean();
}

/// A PIN that is right is neither refused nor counted as a guess.
#[test]
fn a_store_that_fails_over_a_pin_ends_the_dialogue_with_a_sentence() {
    let mut world = world();
    let call = world.enter("100");
    world.listen();
    world.press(call, "1001");
    world.listen();
    world.heard(call);
    world.store_fails = true;
    world.press(call, "4711#");
    assert_eq!(world.heard(call), ["sys.trouble"]);
    world.listen();
    assert_eq!(world.store.wrong_pins, 0);
    world.ended(call);
    world.assert_clean();
    // Who calls again is let in.
    world.store_fails = false;
    let call = world.enter("100");
    world.press(call, "1001");
    world.press(call, "4711#");
    assert_eq!(world.heard(call).last().unwrap(), "wait.first");
}

#[test]
fn a_caller_who_hangs_up_anywhere_leaves_nothing_behind() {
    // How far the caller comes before hanging up: each prefix of the way in.
    let way = [
        "",
        "1",
        "1001",
        "1001.",
        "1001.4711",
        "1001.4711#",
        "1001.4711#.",
        "1002",
        "1002.",
        "1002.!",
        "1002.!.",
    ];
    for slow in [false, true] {
        for way in way {
            let mut world = world();
            let call = world.enter("100");
            world.store_is_slow = slow;
            for step in way.chars() {
                match step {
                    '.' => world.listen(),
                    '!' => world.recorded(call, true),
                    key => world.press(call, &key.to_string()),
                }
            }
            world.bye(call);
            world.answer_lookups();
            world.pass_ms(120_000);
            world.assert_clean();
        }
    }
}

#[test]
fn a_caller_before_the_start_is_told_when_or_held_until_then() {
    let mut world = world();
    world.reserve("Tea", 12, None);
    let held = room("1003", json!({"early": "hold", "early_hold_min": 15}), false, false);
    world.store.rooms.insert("1003".into(), (held, None, None));
    let refused = world.enter("100");
    world.press(refused, "1001");
    world.press(refused, "4711#");
    let heard = world.heard(refused);
    assert_eq!(heard[heard.len() - 4..], ["entry.not-yet", "entry.starts-in", "number.12", "word.minutes"]);
    world.listen();
    world.ended(refused);

    let waits = world.enter("100");
    world.press(waits, "1003");
    world.heard(waits);
    world.listen();
    assert_eq!(world.heard(waits), ["music.hold"]);
    world.pass_ms(12 * 60_000 + 1000);
    world.listen();
    assert_eq!(world.roster("Tea"), [waits], "let in at the start");
    world.bye(waits);
    assert!(world.plays.is_empty());
}

#[test]
fn a_start_far_away_is_said_by_the_clock_of_the_room_and_a_near_one_by_how_long_it_takes() {
    // The world begins on 14 November 2023 at 22:14 UTC.
    let heard_by = |body: serde_json::Value, configured: Option<&str>, in_minutes: i64| {
        let mut world = World::new();
        let settings =
            Settings { time_zone: configured.map(|name| TimeZone::new(name).unwrap()), ..settings() };
        world.input(Input::Settings(Box::new(settings)));
        let mut by_zone = entry("100");
        by_zone.action = Action::Entry(Box::new(EntryAction {
            time_zone: TimeZone::new("America/New_York").ok(),
            ..EntryAction::default()
        }));
        world.store.services.extend([entry("101"), by_zone]);
        let dialled = if body.get("by_entry").is_some() { "100" } else { "101" };
        let body = if body.get("by_entry").is_some() { json!({}) } else { body };
        world.store.rooms.insert("1".into(), (room("1", body, false, false), None, None));
        world.reserve("Tea", in_minutes, None);
        let call = world.enter(dialled);
        world.press(call, "#");
        let mut heard = world.heard(call);
        let from = heard.iter().position(|name| name == "entry.not-yet").unwrap();
        heard.split_off(from + 1)
    };
    let half_past_ten = 12 * 60 + 16;
    let berlin = || json!({"time_zone": "Europe/Berlin"});
    let at = |hour: &str| -> Vec<String> {
        let said = ["entry.starts-at", hour, "number.30", "word.am", "word.tomorrow"];
        said.map(str::to_owned).into()
    };
    assert_eq!(heard_by(berlin(), None, half_past_ten), at("number.11"));
    assert_eq!(heard_by(json!({}), Some("Europe/London"), half_past_ten), at("number.10"));
    assert_eq!(
        heard_by(berlin(), Some("Europe/London"), half_past_ten),
        at("number.11"),
        "the room's comes first"
    );
    assert_eq!(heard_by(json!({"by_entry": true}), Some("Europe/London"), half_past_ten), at("number.5"));
    // The clocks go forward between now and the start.
    let summer = 139 * 24 * 60 + half_past_ten;
    let said = heard_by(json!({}), Some("Europe/London"), summer);
    assert!(said.contains(&"number.11".to_owned()), "half past ten UTC is half past eleven there: {said:?}");
    // Without a time zone, and for what starts soon, it is how long it takes.
    let twelve = ["entry.starts-in", "number.12", "word.minutes"];
    assert_eq!(heard_by(berlin(), None, 12), twelve);
    assert_eq!(heard_by(json!({}), None, half_past_ten)[0], "entry.starts-in");
    // Who is held hears the same.
    let held = json!({"time_zone": "Europe/London", "early": "hold", "early_hold_min": 1440});
    assert_eq!(heard_by(held, None, half_past_ten), at("number.10"));
}

#[test]
fn callers_who_are_cancelled_before_the_ack_were_never_in_a_dialogue() {
    let mut world = world();
    let call = world.incoming("100", From::default());
    world.bye(call);
    world.assert_clean();
    assert_eq!(world.plays.len(), 0);
}
