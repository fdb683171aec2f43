//! Who hears whom, by tones: lecture, coaching, hold with music, a move.

use super::{board, support};
use serde_json::{Value, json};
use support::{
    entry::{World, speech, wait_for_tone},
    prompts::UNDER_WAY,
    wait_for,
};

const TONES: [u16; 3] = [500, 1100, 1700];

/// Each of these hears exactly the tones of those who are named by their places.
#[track_caller]
fn assert_hears(calls: &[plenary_caller::Call], expected: [&[usize]; 3]) {
    let tones = TONES.map(f32::from);
    let wanted = expected.map(|heard| [0, 1, 2].map(|place| heard.contains(&place)));
    wait_for(&format!("who hears whom: {expected:?}"), || {
        let is_so =
            calls.iter().zip(&wanted).all(|(call, wanted)| call.hears_tones(&tones, 600, -30.0) == wanted);
        is_so.then_some(())
    });
}

fn three(world: &World) -> (Vec<plenary_caller::Call>, Vec<String>) {
    let keys = ["70215548#", "#", "#"];
    let calls = TONES.iter().zip(keys).map(|(hz, keys)| world.enter("Board", *hz, keys)).collect();
    (calls, world.server.wait_for_participants("Board", 3))
}

#[test]
fn lecture_coach_hold_and_move_decide_who_hears_whom() {
    let mut world = board(json!({"leader_pin": "70215548", "announce": "none"}));
    let (calls, ids) = three(&world);
    let [leader, pupil, coach] = &calls[..] else { unreachable!() };
    let one = |place: usize| format!("/v1/conferences/Board/participants/{}", ids[place]);
    assert_hears(&calls, [&[1, 2], &[0, 2], &[0, 1]]);

    // A lecture, in which one is given the floor.
    world.send("PATCH", "/v1/conferences/Board", &json!({"lecture": true}));
    world.prompts.wait_for(pupil, "mute.by-leader");
    assert_hears(&calls, [&[], &[0], &[0]]);
    world.send("PATCH", &one(1), &json!({"muted": false}));
    world.prompts.wait_for(pupil, "mute.off-by-leader");
    assert_hears(&calls, [&[1], &[0], &[0, 1]]);
    world.send("PATCH", "/v1/conferences/Board", &json!({"lecture": false}));
    assert_hears(&calls, [&[1, 2], &[0, 2], &[0, 1]]);

    // The coach is heard by one; a second leader's prompt is not theirs.
    world.send("PATCH", &one(2), &json!({"heard_by": [ids[1]]}));
    world.prompts.wait_for(coach, "coach.on");
    assert_hears(&calls, [&[1], &[0, 2], &[0, 1]]);
    assert!(!world.prompts.is_heard(pupil, "coach.on"));
    world.send("PATCH", &one(2), &json!({"heard_by": []}));
    assert_hears(&calls, [&[1], &[0], &[0, 1]]);
    world.send("PATCH", &one(2), &json!({"heard_by": null}));
    world.prompts.wait_for(coach, "coach.off");
    assert_hears(&calls, [&[1, 2], &[0, 2], &[0, 1]]);

    // On hold: music, nobody else, and not heard.
    coach.say(&speech(0)).unwrap();
    let shown = world.send("PATCH", &one(2), &json!({"held": true}));
    assert_eq!(shown["state"], "held");
    world.prompts.wait_for(coach, "hold.on");
    world.prompts.wait_for(coach, UNDER_WAY);
    assert!(!world.prompts.is_heard(pupil, UNDER_WAY), "music of one is heard by that one");
    coach.say(&speech(TONES[2])).unwrap();
    for (hz, is_heard) in [(500.0, true), (1700.0, false)] {
        wait_for_tone(pupil, hz, is_heard);
    }
    wait_for_tone(leader, 1700.0, false);
    // Keys still do something, and what they say is heard above the music.
    coach.press("*9").unwrap();
    world.prompts.wait_for(coach, "hand.up");
    world.send("PATCH", &one(2), &json!({"held": false}));
    world.prompts.wait_for(coach, "hold.off");
    assert_hears(&calls, [&[1, 2], &[0, 2], &[0, 1]]);

    // Two go elsewhere, one after the other, and hear each other there.
    for (place, alone) in [(1, Some(pupil)), (2, None)] {
        let path = format!("{}/move", one(place));
        let moved = world.send("POST", &path, &json!({"conference": "Annex"}));
        assert_eq!(moved["participant_id"], Value::from(ids[place].as_str()), "{moved}");
        world.prompts.wait_for(&calls[place], "move.moved");
        if let Some(alone) = alone {
            wait_for_tone(alone, 500.0, false);
        }
    }
    assert_hears(&calls, [&[], &[2], &[1]]);
    assert_eq!(world.server.participants("Annex").len(), 2);
    // Their keys came with them.
    pupil.press("*6").unwrap();
    world.prompts.wait_for(pupil, "mute.on");
    wait_for_tone(coach, 1100.0, false);
    assert_eq!(world.server.participants("Annex")[0]["muted"], true);
}
