//! Telephone keys as tones in the audio.

use super::*;
use plenary_audio::dtmf::{HIGH_HZ, LOW_HZ};

const KEYS: [char; 16] = ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];
/// Presses of 80 ms, a second apart, the first after a second and 7 ms.
const PRESS_MS: usize = 80;
const FIRST_MS: usize = 1007;

/// A line with noise of -51 dBov on which these keys are pressed.
fn dials(keys: &'static str, rate: Rate) -> Says {
    let per_ms = rate.hz() as usize / 1000;
    let (mut at, mut seed) = (0, 1_u32);
    Says::Samples(Box::new(move |frame: &mut [i16]| {
        for sample in frame {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut value = ((seed >> 8) as f64 / 8_388_608.0 - 1.0) * 150.0;
            if let Some(since) = (at as usize).checked_sub(FIRST_MS * per_ms)
                && let Some(key) = keys.chars().nth(since / (1000 * per_ms))
                && since % (1000 * per_ms) < PRESS_MS * per_ms
            {
                let place = KEYS.iter().position(|known| *known == key).expect("a key");
                for hz in [LOW_HZ[place / 4], HIGH_HZ[place % 4]] {
                    let turns = f64::from(hz) * since as f64 / f64::from(rate.hz());
                    value += 6000.0 * (std::f64::consts::TAU * turns).sin();
                }
            }
            *sample = value as i16;
            at += 1;
        }
    }))
}

fn keys(world: &World) -> String {
    let key = |event: &MediaEvent| match event {
        MediaEvent::KeyPressed { key, .. } => Some(*key),
        _ => None,
    };
    world.events.iter().filter_map(key).collect()
}

/// A line without telephone events, or with them, and a listener.
fn world(settings: Settings, keys: &'static str, codec: Codec, has_events: bool) -> World {
    let mut world = World::set(settings);
    let dialler = world.enter(dials(keys, codec.rate()), codec);
    world.enter(Says::Nothing, codec);
    let phone = &world.phones[dialler];
    let dtmf_payload_type = has_events.then_some(EVENTS);
    let params = StreamParams { dtmf_payload_type, ..params(phone.address, codec) };
    let (key, time) = (phone.key, world.time());
    world.room.set_stream(key, params, time);
    world
}

/// Milliseconds in which a participant heard something louder than -36 dBov, in the last second.
fn loud_ms(world: &World, number: usize) -> usize {
    let phone = &world.phones[number];
    let rate = phone.codec.rate().hz() as usize;
    let last = &phone.heard[phone.heard.len() - rate..];
    last.chunks(rate / 1000).filter(|window| dbov(window) > -36.0).count()
}

#[test]
fn keys_as_tones_are_reported_once_each_and_hardly_heard() {
    for codec in Codec::ALL {
        let mut world = world(SETTINGS, "1D5#0", codec, false);
        world.run(50);
        for count in 1..=5 {
            world.run(50);
            assert_eq!(keys(&world), &"1D5#0"[..count], "{codec:?}");
            let loud = loud_ms(&world, 1);
            assert!(loud <= 16, "{codec:?}: {loud} ms of the tone are heard");
        }
        world.run(100);
        assert_eq!(keys(&world), "1D5#0", "{codec:?}");
        assert_eq!(world.stats(0).keys, 5);
    }
}

#[test]
fn nothing_of_a_tone_is_heard_where_the_jitter_buffer_holds_enough() {
    let settings = Settings { jitter_ms_min: 80, ..SETTINGS };
    for codec in Codec::ALL {
        let mut world = world(settings, "A9*", codec, false);
        world.run(52);
        for _ in 0..3 {
            world.run(50);
            assert_eq!(loud_ms(&world, 1), 0, "{codec:?}");
            let heard = &world.phones[1].heard;
            let last = dbov(&heard[heard.len() - codec.rate().hz() as usize..]);
            assert!((last + 51.0).abs() < 6.0, "{codec:?}: noise of the line remains, at {last} dBov");
        }
        assert_eq!(keys(&world), "A9*", "{codec:?}");
    }
}

#[test]
fn a_voice_is_heard_again_right_after_a_key() {
    // The tone of a key for 80 ms, then a voice at once.
    let mut key = dials("5", Rate::Narrow);
    let mut voice = ToneGenerator::new(8000, 400.0, -12.0);
    let mut ticks = 0;
    let says = Says::Samples(Box::new(move |frame: &mut [i16]| {
        if let Says::Samples(make) = &mut key {
            make(frame);
        }
        ticks += 1;
        if ticks > 55 {
            voice.fill(frame);
        }
    }));
    let mut world = world(SETTINGS, "", Codec::Pcma, false);
    world.say(0, says);
    world.run(58);
    world.run(10);
    assert_eq!(keys(&world), "5");
    let heard = &world.phones[1].heard;
    let level = power_dbov(&heard[heard.len() - 1600..], 8000, 400.0);
    assert!((level + 12.0).abs() < 1.0, "{level} dBov");
}

#[test]
fn a_muted_participant_may_press_keys() {
    for codec in Codec::ALL {
        let mut world = world(SETTINGS, "6", codec, false);
        let key = world.phones[0].key;
        world.room.set_voice(key, false, true, &mut world.outbox);
        world.run(100);
        assert_eq!(keys(&world), "6", "{codec:?}");
    }
}

#[test]
fn tones_are_looked_for_where_the_settings_say() {
    let cases = [
        (InbandDtmf::Auto, true, false),
        (InbandDtmf::Auto, false, true),
        (InbandDtmf::Always, true, true),
        (InbandDtmf::Always, false, true),
        (InbandDtmf::Off, false, false),
    ];
    for (inband_dtmf, has_events, is_key) in cases {
        let settings = Settings { inband_dtmf, ..SETTINGS };
        let mut world = world(settings, "2", Codec::Pcmu, has_events);
        world.run(100);
        assert_eq!(keys(&world), if is_key { "2" } else { "" }, "{inband_dtmf:?}, events: {has_events}");
        let loud = loud_ms(&world, 1);
        assert_eq!(loud > 60, !is_key, "{inband_dtmf:?}, events: {has_events}: {loud} ms heard");
    }
}

#[test]
fn a_participant_may_differ_from_the_settings_and_keeps_that_with_a_new_stream() {
    for (set, has_events, is_key) in [
        (Some(InbandDtmf::Always), true, true),
        (Some(InbandDtmf::Off), false, false),
        (Some(InbandDtmf::Auto), true, false),
        (None, false, true),
    ] {
        let mut world = world(SETTINGS, "258", Codec::Pcmu, has_events);
        let key = world.phones[0].key;
        world.room.set_inband_dtmf(key, set);
        world.run(100);
        assert_eq!(keys(&world), if is_key { "2" } else { "" }, "{set:?}, events: {has_events}");
        // Another session description.
        let dtmf_payload_type = has_events.then_some(EVENTS);
        let again =
            StreamParams { dtmf_payload_type, ptime_ms: 30, ..params(world.phones[0].address, Codec::Pcmu) };
        let time = world.time();
        world.room.set_stream(key, again, time);
        world.run(50);
        assert_eq!(keys(&world), if is_key { "25" } else { "" }, "{set:?}, events: {has_events}");
        world.room.set_inband_dtmf(key, Some(InbandDtmf::Always));
        world.run(50);
        assert_eq!(keys(&world), if is_key { "258" } else { "8" }, "{set:?}, events: {has_events}");
    }
}

#[test]
fn a_key_that_comes_several_ways_within_150_ms_counts_once() {
    let mut world = world(SETTINGS, "77", Codec::Pcmu, false);
    let key = world.phones[0].key;
    let signal = |world: &mut World, pressed| {
        let time = world.time();
        world.room.press_key(key, pressed, time, &mut world.outbox);
    };
    // The tone begins at 1007 ms, and is certain by 1043 ms.
    world.run(50);
    signal(&mut world, '7');
    world.run(10);
    assert_eq!(keys(&world), "7", "the tone follows the message");
    // The second one begins at 2007 ms.
    world.run(43);
    assert_eq!(keys(&world), "77", "another press");
    signal(&mut world, '7');
    world.run(1);
    assert_eq!(keys(&world), "77", "the message follows the tone");
    signal(&mut world, '7');
    world.run(1);
    assert_eq!(keys(&world), "777", "a message of its own is a press of its own");
    signal(&mut world, '8');
    world.run(20);
    signal(&mut world, '8');
    world.run(1);
    assert_eq!(keys(&world), "77788");
    assert_eq!(world.stats(0).keys, 5);
}
