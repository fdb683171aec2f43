//! What programs do in a conference under way: admit, hand over, set volumes, play announcements. And menus of one's own, with every
//! action that no usual key has.

use super::{room, support};
use plenary_audio::goertzel::power_dbov;
use plenary_caller::{Call, CallSpec};
use serde_json::{Value, json};
use support::{
    entry::{World, assert_silence, speech, wait_for_silence, wait_for_tone},
    wait_for,
};

const LEADER: &str = "70215548#";
const BOARD: &str = "/v1/conferences/Board";

/// Waits until a tone is heard at this level, in dBov.
#[track_caller]
fn wait_for_level(call: &Call, hz: f32, dbov: f32) {
    wait_for(&format!("{hz} Hz at {dbov} dBov"), || {
        let level = power_dbov(&call.heard(400), 8000, hz);
        ((level - dbov).abs() < 0.7).then_some(())
    });
}

fn participants(world: &World) -> Vec<Value> {
    let mut list = world.server.get(&format!("{BOARD}/participants"));
    list["items"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

/// Waits until so many are in this state; their ids.
#[track_caller]
fn wait_for_state(world: &World, state: &str, count: usize) -> Vec<String> {
    wait_for(&format!("{count} who are {state}"), || {
        let of_state =
            |one: &Value| (one["state"] == state).then(|| one["participant_id"].as_str().unwrap().to_owned());
        let ids: Vec<String> = participants(world).iter().filter_map(of_state).collect();
        (ids.len() == count).then_some(ids)
    })
}

/// Presses keys and hears these prompts, one after the other.
#[track_caller]
fn press(world: &mut World, call: &Call, keys: &str, prompts: &[&str]) {
    let since = call.position();
    call.press(keys).unwrap();
    prompts.iter().fold(since, |at, prompt| world.prompts.wait_since(call, at, prompt));
}

#[test]
fn programs_admit_from_the_lobby_hand_over_set_volumes_and_names() {
    let settings = json!({"lobby": true, "leader_pin": "70215548", "announce": "none"});
    let mut world = World::new("", &[("1001", room("Board", settings))]);
    let leader = world.enter("Board", 500, LEADER);
    let waiting: Vec<Call> = [1100, 1700, 0]
        .map(|hz| {
            let call = world.call(hz);
            call.press("#").unwrap();
            world.prompts.wait_for(&call, "lobby.wait");
            call
        })
        .into();
    // The leader waits too, as long as it is alone. One is let in by its id, then all.
    let mut ids = wait_for_state(&world, "waiting", 4);
    let first = ids.remove(0);
    let one = |id: &str| format!("{BOARD}/participants/{id}");
    world.send("POST", &format!("{}/admit", one(&ids[0])), &json!({}));
    world.prompts.wait_for(&waiting[0], "entry.joining");
    world.server.wait_for_participants("Board", 2);
    wait_for_tone(&leader, 1100.0, true);
    assert_eq!(wait_for_state(&world, "waiting", 2), ids[1..]);
    world.send("POST", &format!("{BOARD}/admit"), &json!({}));
    world.server.wait_for_participants("Board", 4);
    wait_for_tone(&leader, 1700.0, true);

    // How loud one is for the others, and its name.
    let shown = world.send("PATCH", &one(&ids[0]), &json!({"gain_db": -6.0, "display_name": "Line 1"}));
    assert_eq!((&shown["gain_db"], &shown["display_name"]), (&json!(-6.0), &json!("Line 1")));
    wait_for_level(&leader, 1100.0, -26.0);
    wait_for_level(&leader, 1700.0, -20.0);
    world.send("PATCH", &one(&ids[0]), &json!({"gain_db": null, "display_name": null}));
    wait_for_level(&leader, 1100.0, -20.0);

    // The lead goes to another one, with its keys.
    let silent = &waiting[2];
    let since = silent.position();
    world.send("PATCH", &one(&ids[2]), &json!({"leader": true}));
    world.prompts.wait_since(silent, since, "leader.you");
    let since = leader.position();
    world.send("PATCH", &one(&first), &json!({"leader": false}));
    world.prompts.wait_since(&leader, since, "leader.not-you");
    press(&mut world, &leader, "*7", &["key.not-you"]);
    press(&mut world, silent, "*7", &["lock.on"]);
    assert_eq!(world.server.get(BOARD)["locked"], true);
    // Nothing ends as the one who has handed over leaves.
    leader.hang_up();
    world.server.wait_for_participants("Board", 3);
    wait_for_tone(silent, 1100.0, true);
}

#[test]
fn announcements_are_heard_by_all_or_by_one_as_loud_and_as_long_as_they_are_meant() {
    let world = World::new("", &[("1001", room("Board", json!({"announce": "none"})))]);
    let calls = [world.enter("Board", 0, ""), world.enter("Board", 0, "")];
    let ids = world.server.wait_for_participants("Board", 2);
    calls.iter().for_each(wait_for_silence);
    let play = |body: &Value| {
        let answer = world.send("POST", &format!("{BOARD}/playbacks"), body);
        format!("{BOARD}/playbacks/{}", answer["playback_id"].as_str().unwrap())
    };
    let stop = |path: &str| world.server.curl(&["-X", "DELETE"], path).0;
    // A tone is played at -15 dBov. To all, twice as loud, and softer.
    for gain_db in [-10.0_f32, 6.0] {
        let playback = play(&json!({"to": "all", "play": ["tone:440/30000"], "gain_db": gain_db}));
        for call in &calls {
            wait_for_level(call, 440.0, -15.0 + gain_db);
        }
        assert_eq!(stop(&playback), 204);
        calls.iter().for_each(wait_for_silence);
        assert_eq!(stop(&playback), 404, "it is over");
    }
    // To one, over and over, until it is stopped.
    let since = calls[0].position();
    let playback = play(&json!({"to": ids[1], "play": ["tone:700/300", "silence:100"], "loop": true}));
    wait_for_tone(&calls[1], 700.0, true);
    let from = calls[1].position();
    wait_for("three seconds of it", || (calls[1].position() > from + 3 * 8000).then_some(()));
    let heard = calls[1].recorded_from(from);
    let on = heard.chunks_exact(400).filter(|part| power_dbov(part, 8000, 700.0) > -30.0).count();
    let share = on as f32 / (heard.len() / 400) as f32;
    assert!((0.6..0.95).contains(&share), "300 of 400 ms: {share}");
    assert_silence(&calls[0], since, 0, "what is played to one");
    assert_eq!(stop(&playback), 204);
    wait_for_silence(&calls[1]);
}

#[test]
fn what_participants_do_by_keys_of_their_own_is_done() {
    let menu = json!({
        "*6": "mute", "7": "roll_call", "81": "hear_quieter", "82": "hear_louder", "91": "talk_quieter",
        "92": "talk_louder", "5": "time_left", "0": "help", "**": "leave",
    });
    let settings = json!({"leader_pin": "70215548", "announce": "none", "menu": menu});
    let mut world = World::new("", &[("1001", room("Board", settings))]);
    let leader = world.enter("Board", 500, LEADER);
    let mut one = world.enter("Board", 1100, "#");
    wait_for_tone(&leader, 1100.0, true);
    press(&mut world, &one, "91", &["volume.down"]);
    wait_for_level(&leader, 1100.0, -23.0);
    press(&mut world, &one, "92", &["volume.up"]);
    wait_for_level(&leader, 1100.0, -20.0);
    press(&mut world, &one, "81", &["volume.down"]);
    wait_for_level(&one, 500.0, -23.0);
    press(&mut world, &one, "82", &["volume.up"]);
    wait_for_level(&one, 500.0, -20.0);
    press(&mut world, &one, "7", &["roll.start", "roll.end"]);
    press(&mut world, &one, "5", &["time.no-end"]);
    press(&mut world, &one, "0", &["key.leave", "key.mute", "word.star", "number.6"]);
    press(&mut world, &one, "*D", &["key.unknown"]);
    press(&mut world, &one, "*6", &["mute.on"]);
    wait_for_tone(&leader, 1100.0, false);
    press(&mut world, &one, "**", &["leave.goodbye"]);
    world.assert_ended(&mut one, "");
    world.server.wait_for_participants("Board", 1);
}

#[test]
fn what_leaders_do_by_keys_of_their_own_is_done() {
    let menu = json!({
        "1": "mute_all", "2": "lecture", "3": "admit_next", "4": "refuse_next", "5": "admit_all", "6": "eject_last",
        "7": "extend", "8": "announcements", "9": "record", "0": "help",
    });
    let settings = json!({"leader_pin": "70215548", "announce": "tone", "leader_menu": menu});
    let mut lobby = settings.clone();
    lobby["lobby"] = true.into();
    let config = "[reservations]\nmin_notice_minutes = 0\n[recordings]\nkeep_free_bytes = 0\n";
    let mut world = World::new(config, &[("1001", room("Board", settings)), ("1002", room("Board", lobby))]);
    world.server.reserve_now("Board");
    wait_for("open", || (world.server.get(BOARD)["state"] == "holding").then_some(()));
    let leader = world.enter("Board", 0, &format!("1001#{LEADER}"));
    let one = world.enter("Board", 1100, "1001##");
    wait_for_tone(&leader, 1100.0, true);

    press(&mut world, &leader, "1", &["mute.all-on"]);
    world.prompts.wait_for(&one, "mute.by-leader");
    wait_for_tone(&leader, 1100.0, false);
    press(&mut world, &leader, "1", &["mute.all-off"]);
    wait_for_tone(&leader, 1100.0, true);
    press(&mut world, &leader, "2", &["lecture.on"]);
    assert_eq!(world.server.get(BOARD)["lecture"], true);
    wait_for_tone(&leader, 1100.0, false);
    press(&mut world, &leader, "2", &["lecture.off"]);
    wait_for_tone(&leader, 1100.0, true);
    one.say(&speech(0)).unwrap();

    // Four wait: the first is let in, the second turned away, and then all.
    let mut waiting: Vec<Call> = (0..4)
        .map(|count| {
            let call = world.call(0);
            call.press("1002##").unwrap();
            wait_for_state(&world, "waiting", count + 1);
            call
        })
        .collect();
    press(&mut world, &leader, "3", &["lobby.admitted"]);
    world.prompts.wait_for(&waiting[0], "entry.joining");
    press(&mut world, &leader, "4", &["lobby.turned-away"]);
    world.prompts.wait_for(&waiting[1], "lobby.denied");
    world.assert_ended(&mut waiting[1], "A leader turned the caller away");
    press(&mut world, &leader, "5", &["lobby.admitted-all"]);
    world.server.wait_for_participants("Board", 5);
    // Of those two either may have come in last; this one does.
    let last = world.call(0);
    last.press("1002##").unwrap();
    wait_for_state(&world, "waiting", 1);
    press(&mut world, &leader, "3", &["lobby.admitted"]);
    world.server.wait_for_participants("Board", 6);

    // Sounds off: who is removed goes without a tone.
    press(&mut world, &leader, "8", &["announce.off"]);
    wait_for_silence(&one);
    let since = one.position();
    press(&mut world, &leader, "6", &["leave.kicked-last"]);
    world.prompts.wait_for(&last, "leave.ejected");
    world.server.wait_for_participants("Board", 5);
    assert_silence(&one, since, 500, "exit sounds are off");
    press(&mut world, &leader, "8", &["announce.on"]);

    let since = one.position();
    press(&mut world, &leader, "7", &["time.extended-15"]);
    world.prompts.wait_since(&one, since, "time.extended-15");
    let since = one.position();
    press(&mut world, &leader, "9", &["record.confirm"]);
    press(&mut world, &leader, "1", &["record.on"]);
    world.prompts.wait_since(&one, since, "record.on");
    let is_paused = |world: &World| world.server.get(&format!("{BOARD}/recording"))["paused"].clone();
    assert_eq!(is_paused(&world), false);
    press(&mut world, &leader, "9", &["record.paused"]);
    assert_eq!(is_paused(&world), true);
    press(&mut world, &leader, "9", &["record.resumed"]);
    press(&mut world, &leader, "0", &["key.help", "number.0", "key.mute-all", "number.1"]);
}

#[test]
fn the_three_digits_of_a_service_work_beside_its_menu() {
    let mut world = World::new("", &[("1001", room("Board", json!({"announce": "none"})))]);
    let service = json!({
        "conference": {
            "name": "Board",
            "menu": {"*6": "mute", "*9": "hand"},
            "participant": {"exit_digit": "0", "mute_digit": "1", "unmute_digit": "2"},
        },
    });
    world.server.put_service("300", &service.to_string());
    let other = world.enter("Board", 0, "");
    let mut one = world.call_to("300", 1100, CallSpec::default());
    world.server.wait_for_participants("Board", 2);
    wait_for_tone(&other, 1100.0, true);
    for (keys, is_heard) in [("1", false), ("2", true)] {
        one.press(keys).unwrap();
        wait_for_tone(&other, 1100.0, is_heard);
    }
    // One truth: muted by the menu, unmuted by the digit.
    press(&mut world, &one, "*6", &["mute.on"]);
    wait_for_tone(&other, 1100.0, false);
    one.press("2").unwrap();
    wait_for_tone(&other, 1100.0, true);
    press(&mut world, &one, "*9", &["hand.up"]);
    press(&mut world, &one, "0", &["leave.goodbye"]);
    world.assert_ended(&mut one, "");
    world.server.wait_for_participants("Board", 1);
}
