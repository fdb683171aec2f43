//! What is announced as participants come and go, what they hear who wait, and what is said before the end.

use super::{room, support};
use plenary_caller::{Call, CallSpec};
use serde_json::json;
use std::time::Duration;
use support::{
    Server,
    entry::{AUDIBLE, World, assert_silence, loudest, put_room, speech, wait_for_silence, wait_for_tone},
    talk::reserve,
    wait_for,
};

/// A caller who says this tone as its name, and nothing from then on. 0: who says nothing.
fn enter_with_name(world: &mut World, number: &str, conference: &str, hz: u16) -> Call {
    let before = world.server.participants(conference).len();
    let call = world.call(hz);
    call.press(&format!("{number}#")).unwrap();
    let mut at = 0;
    let tries = if hz == 0 { 2 } else { 1 };
    for again in 0..tries {
        if again == 1 {
            at = world.prompts.wait_since(&call, at, "name.too-short");
        }
        at = world.prompts.wait_since(&call, at, "name.say");
        // The key cuts the question short, and not the tone behind it.
        call.press("7").unwrap();
        wait_for_tone(&call, 1000.0, true);
        wait_for_silence(&call);
        if hz > 0 {
            let said = call.position() + 8 * 1000;
            support::wait_for("a name to be said", || (call.position() > said).then_some(()));
            // Who still spoke in the conference would cover the beginning of its own announcement.
            call.say(&speech(0)).unwrap();
        }
        call.press("#").unwrap();
    }
    world.server.wait_for_participants(conference, before + 1);
    call
}

/// Waits until this tone is heard since a position; the position behind it.
#[track_caller]
fn wait_for_name(call: &Call, since: u64, hz: f32) -> u64 {
    support::wait_for(&format!("the name of {hz} Hz"), || {
        let heard = call.recorded_from(since);
        let level = |part: &[i16]| plenary_audio::goertzel::power_dbov(part, 8000, hz);
        heard
            .chunks_exact(1600)
            .rposition(|part| level(part) > -35.0)
            .map(|place| since + 1600 * (place as u64 + 1))
    })
}

#[test]
fn names_are_announced_as_long_as_few_are_in_and_tones_from_then_on() {
    let settings = json!({"announce": "name", "announce_names_max": 3});
    let mut world = World::new("", &[("1001", room("Names", settings)), ("1002", room("Other", json!({})))]);
    let first = enter_with_name(&mut world, "1001", "Names", 600);
    world.prompts.wait_for(&first, "wait.first");
    let mut since = first.position();
    let mut second = enter_with_name(&mut world, "1001", "Names", 900);
    wait_for_name(&first, since, 900.0);
    world.prompts.wait_since(&first, since, "name.joined");
    // The roll-call says the names, in the order in which they came.
    first.press("*3").unwrap();
    world.prompts.wait_for(&first, "count.one-other");
    since = first.position();
    first.press("*3").unwrap();
    let start = world.prompts.wait_since(&first, since, "roll.start");
    let end = world.prompts.wait_since(&first, since, "roll.end");
    let heard = first.recorded_from(start);
    let place = |hz: f32| {
        let level = |part: &[i16]| plenary_audio::goertzel::power_dbov(part, 8000, hz);
        heard.chunks_exact(1600).position(|part| level(part) > -35.0)
    };
    let names = [place(600.0), place(900.0)];
    assert!(names[0].is_some() && names[0] < names[1], "the names are said in order: {names:?}");
    assert!(end > start);

    // One without a name is announced by a tone, and so is everyone from the fourth on.
    since = first.position();
    let third = enter_with_name(&mut world, "1001", "Names", 0);
    world.prompts.wait_since(&first, since, "tone.joined");
    since = first.position();
    let fourth = enter_with_name(&mut world, "1001", "Names", 1300);
    world.prompts.wait_since(&first, since, "tone.joined");
    let heard = first.recorded_from(since);
    let level = plenary_audio::goertzel::power_dbov(&heard, 8000, 1300.0);
    assert!(level < -50.0, "no name from the fourth on: {level} dBov");
    since = first.position();
    fourth.hang_up();
    world.prompts.wait_since(&first, since, "tone.left");
    world.server.wait_for_participants("Names", 3);
    since = first.position();
    second.hang_up();
    wait_for_name(&first, since, 900.0);
    world.prompts.wait_since(&first, since, "name.left");
    let _ = world.runtime.block_on(second.ended());
    drop(third);
}

#[test]
fn the_twentieth_comes_and_goes_by_name_and_the_twenty_first_by_a_tone() {
    let rooms = [("1001", room("Names", json!({"announce": "name"}))), ("1002", room("Other", json!({})))];
    let mut world = World::new("", &rooms);
    let first = enter_with_name(&mut world, "1001", "Names", 600);
    // Others fill it, who come without an entry, and have no names.
    let others: Vec<Call> = (0..18).map(|_| world.call_to("conf-Names", 0, CallSpec::default())).collect();
    world.server.wait_for_participants("Names", 19);
    wait_for_silence(&first);
    let mut since = first.position();
    let twentieth = enter_with_name(&mut world, "1001", "Names", 900);
    wait_for_name(&first, since, 900.0);
    world.prompts.wait_since(&first, since, "name.joined");
    since = first.position();
    let last = enter_with_name(&mut world, "1001", "Names", 1300);
    world.prompts.wait_since(&first, since, "tone.joined");
    last.hang_up();
    world.prompts.wait_since(&first, since, "tone.left");
    let heard = first.recorded_from(since);
    let level = |part: &[i16]| plenary_audio::goertzel::power_dbov(part, 8000, 1300.0);
    let loudest = heard.chunks_exact(1600).map(level).fold(f32::MIN, f32::max);
    assert!(loudest < -45.0, "its name is not said: {loudest} dBov");
    world.server.wait_for_participants("Names", 20);
    since = first.position();
    twentieth.hang_up();
    wait_for_name(&first, since, 900.0);
    world.prompts.wait_since(&first, since, "name.left");
    drop(others);
}

#[test]
fn tones_or_nothing_are_heard_as_the_room_says_and_who_waits_hears_why() {
    let leader = "70215548";
    let mut world = World::new(
        "",
        &[
            ("2001", room("Tones", json!({}))),
            ("2002", room("Quiet", json!({"announce": "none"}))),
            (
                "2003",
                room(
                    "Led",
                    json!({"leader_pin": leader, "wait_for_leader": true, "end_after_leader_s": 3, "announce": "none"}),
                ),
            ),
            ("2004", room("Later", json!({}))),
            ("2005", room("Later", json!({"early": "hold"}))),
        ],
    );
    // The first waits with music; a tone for each who comes and goes.
    let first = world.enter("Tones", 0, "2001#");
    world.prompts.wait_for(&first, "wait.first");
    world.prompts.wait_for(&first, "music.hold");
    let since = first.position();
    let second = world.enter("Tones", 0, "2001#");
    world.prompts.wait_for(&second, "entry.joining");
    world.prompts.wait_since(&first, since, "tone.joined");
    let third = world.enter("Tones", 0, "2001#");
    let since = first.position();
    third.hang_up();
    world.prompts.wait_since(&first, since, "tone.left");
    world.prompts.wait_since(&second, 0, "tone.left");
    // The last one who stays hears it too, and waits with music again.
    let since = first.position();
    second.hang_up();
    let since = world.prompts.wait_since(&first, since, "tone.left");
    // The tone is over by then.
    wait_for("music", || {
        let at = since + 2 * u64::from(first.rate_hz());
        (loudest(&first, at) > AUDIBLE).then_some(())
    });

    // Nothing at all.
    let one = world.enter("Quiet", 0, "2002#");
    let two = world.enter("Quiet", 0, "2002#");
    wait_for_silence(&one);
    let since = one.position();
    let three = world.enter("Quiet", 0, "2002#");
    three.hang_up();
    world.server.wait_for_participants("Quiet", 2);
    assert_silence(&one, since, 0, "a room without announcements");
    drop((first, second, one, two));

    // The leader is waited for, comes, and goes.
    let mut pupil = world.enter("Led", 0, "2003##");
    world.prompts.wait_for(&pupil, "wait.leader");
    world.prompts.wait_for(&pupil, "music.hold");
    let since = pupil.position();
    let teacher = world.enter("Led", 0, &format!("2003#{leader}#"));
    world.prompts.wait_for(&teacher, "entry.joining-leader");
    world.prompts.wait_since(&pupil, since, "wait.start");
    teacher.hang_up();
    let told_at = world.prompts.wait_since(&pupil, since, "time.leader-gone");
    let over_at = world.prompts.wait_since(&pupil, since, "time.over");
    let took_ms = (over_at - told_at) / 8;
    assert!(
        (1000..6000).contains(&took_ms),
        "three seconds from when the leader went, told once what is being said is over: {took_ms} ms"
    );
    world.assert_ended(&mut pupil, "The leader has ended the conference");

    // Reserved for later: told when, or held.
    assert_eq!(reserve(&world.server, "Later", 10).0, 200);
    let mut early = world.call(0);
    early.press("2004#").unwrap();
    let at = world.prompts.wait_since(&early, 0, "entry.not-yet");
    world.prompts.wait_since(&early, at, "entry.starts-in");
    world.assert_ended(&mut early, "The conference has not started");
    let held = world.call(0);
    held.press("2005#").unwrap();
    let at = world.prompts.wait_since(&held, 0, "entry.not-yet");
    let at = world.prompts.wait_since(&held, at, "entry.starts-in");
    world.prompts.wait_since(&held, at, "music.hold");
    assert_eq!(world.server.participants("Later").len(), 0, "who is held takes no seat");
}

#[test]
fn who_waits_hears_what_the_room_says() {
    let rooms = [
        ("3001", room("Own", json!({"announce": "none", "music": ["tone:600/1500", "silence:500"]}))),
        ("3002", room("Still", json!({"announce": "none", "music": "silence:1000"}))),
    ];
    let mut world = World::new("", &rooms);
    let own = world.enter("Own", 0, "3001#");
    world.prompts.wait_for(&own, "wait.first");
    wait_for_tone(&own, 600.0, true);
    let still = world.enter("Still", 0, "3002#");
    world.prompts.wait_for(&still, "wait.first");
    wait_for_silence(&still);
    assert_silence(&still, still.position(), 3000, "the room's music is silence");
    // Over and over.
    wait_for_tone(&own, 600.0, true);
}

/// A server whose calendar begins at this second of a minute, and how far that is from the machine's, in seconds.
fn begin_at_second(second: i64, config: &str) -> (World, i64) {
    let offset_s = (second - jiff::Timestamp::now().as_second()).rem_euclid(60);
    let server = Server::start_by(config, |_| {
        [
            "env",
            "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1",
            &format!("FAKETIME=+{offset_s}s"),
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ]
        .map(str::to_owned)
        .to_vec()
    });
    (World::with(server, &[]), offset_s)
}

#[test]
fn one_who_is_held_comes_in_when_the_conference_starts() {
    let (mut world, offset_s) = begin_at_second(45, "[reservations]\nmin_notice_minutes = 0\n");
    put_room(&world.server, "1001", &room("Later", json!({"early": "hold", "announce": "none"})));
    let now_s = jiff::Timestamp::now().as_second() + offset_s;
    let start = jiff::Timestamp::from_second(now_s - now_s.rem_euclid(60) + 60).unwrap();
    let path = format!(
        "/conference_reservation_create?conference_name=Later&max_participants=40&start_time={}&duration=30",
        start.strftime("%Y-%m-%d_%H:%M:%S")
    );
    assert_eq!(world.server.curl(&[], &path).0, 200);
    let held = world.call(0);
    let at = world.prompts.wait_since(&held, 0, "entry.not-yet");
    let at = world.prompts.wait_since(&held, at, "music.hold");
    assert_eq!(world.server.participants("Later").len(), 0);
    let at = world.prompts.wait_since(&held, at, "entry.joining");
    world.prompts.wait_since(&held, at, "wait.first");
    let ids = world.server.wait_for_participants("Later", 1);
    assert_eq!(ids.len(), 1);
    let began_s = jiff::Timestamp::now().as_second() + offset_s;
    assert!((start.as_second()..start.as_second() + 15).contains(&began_s), "{start}: {began_s}");
}

#[test]
fn minute_that_is_left_is_told_and_the_end_is_said_and_one_who_stays_alone_is_told_too() {
    // A conference of two minutes is almost half over as it is reserved.
    let config = "[reservations]\nmin_notice_minutes = 0\nmin_duration_minutes = 1\n";
    let (mut world, offset_s) = begin_at_second(46, config);
    put_room(&world.server, "1001", &room("Short", json!({"announce": "none"})));
    put_room(&world.server, "1002", &room("Alone", json!({"alone_min": 1})));
    let mut alone = world.enter("Alone", 0, "1002#");
    let told_at = world.prompts.wait_since(&alone, 0, "time.alone");

    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(offset_s + 1);
    let path = format!(
        "/conference_reservation_create?conference_name=Short&max_participants=40&start_time={}&duration=2",
        soon.strftime("%Y-%m-%d_%H:%M:%S")
    );
    assert_eq!(world.server.curl(&[], &path).0, 200);
    let mut calls = [world.call(0), world.call(0)];
    for call in &calls {
        call.press("1001#").unwrap();
    }
    world.server.wait_for_participants("Short", 2);
    let warned_at = world.prompts.wait_since(&calls[0], 0, "time.ends-in-1");
    world.prompts.wait_since(&calls[1], 0, "time.ends-in-1");
    // Long enough that nothing is waited for in vain.
    std::thread::sleep(Duration::from_secs(50));
    let over_at = world.prompts.wait_since(&calls[0], warned_at, "time.over");
    let took_ms = (over_at - warned_at) / 8;
    assert!((58_000..63_000).contains(&took_ms), "a minute, and not {took_ms} ms");
    for call in &mut calls {
        world.assert_ended(call, "The conference's time is up");
    }
    let over_at = world.prompts.wait_since(&alone, told_at, "time.over");
    let took_ms = (over_at - told_at) / 8;
    assert!((57_000..64_000).contains(&took_ms), "a minute, and not {took_ms} ms");
    world.assert_ended(&mut alone, "Nobody else came");
}

#[test]
fn what_a_program_makes_longer_is_said_to_all_and_what_has_no_seats_is_refused() {
    let config = "[reservations]\nmin_notice_minutes = 0\nmin_duration_minutes = 1\nmin_extend_minutes = 1\ncapacity = 60\n";
    let mut world = World::new(config, &[("1001", room("Board", json!({"announce": "none"})))]);
    let token = world.server.reserve_now("Board");
    let calls = [world.enter("Board", 0, ""), world.enter("Board", 0, "")];
    let ends_at = |world: &World| -> jiff::Timestamp {
        world.server.get("/v1/conferences/Board")["ends_at"].as_str().unwrap().parse().unwrap()
    };
    let minutes_since =
        |world: &World, before: jiff::Timestamp| (ends_at(world).as_second() - before.as_second()) / 60;
    let before = ends_at(&world);
    let all_hear = |world: &mut World, since: [u64; 2], prompts: &[&str]| {
        for (call, since) in calls.iter().zip(since) {
            prompts.iter().fold(since, |at, prompt| world.prompts.wait_since(call, at, prompt));
        }
    };
    let positions = || [0, 1].map(|place: usize| calls[place].position());
    calls.iter().for_each(wait_for_silence);

    // By the web service of the platform, and by the other one.
    let since = positions();
    let path = format!("/conference_reservation_modify?reservation_token={token}&duration=15");
    assert_eq!(world.server.curl(&[], &path), (200, json!({"extended": true})));
    all_hear(&mut world, since, &["time.extended-15"]);
    assert_eq!(minutes_since(&world, before), 15);
    let since = positions();
    let path = format!("/v1/reservations/{token}");
    world.send("PATCH", &path, &json!({"duration_min": 52}));
    all_hear(&mut world, since, &["time.extended", "number.7", "word.minutes"]);
    assert_eq!(minutes_since(&world, before), 22);

    // The seats behind it are sold.
    assert_eq!(reserve(&world.server, "Other", 53).0, 200);
    calls.iter().for_each(wait_for_silence);
    let since = positions();
    let (status, refused) = world.server.curl(&["-X", "PATCH", "-d", r#"{"duration_min": 90}"#], &path);
    assert_eq!((status, &refused["code"]), (409, &json!("1206")), "{refused}");
    for (call, since) in calls.iter().zip(since) {
        assert_silence(call, since, 300, "nothing has been made longer");
    }
    // An end that comes nearer is said with the time that is left.
    let since = positions();
    world.send("PATCH", &path, &json!({"duration_min": 4}));
    assert_eq!(minutes_since(&world, before), 4 - 30);
    all_hear(&mut world, since, &["time.ends-in", "word.minutes"]);
}
