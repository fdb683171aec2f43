//! Changes between streams and of the rates in a room, none of which may be heard; and what a talker hears of their
//! own voice.

use super::*;
use codecs::tone_at;

#[test]
fn changing_between_the_shared_and_an_own_stream_is_not_heard() {
    // The first talks all the time; the second listens, talks softly for a while and listens again.
    let bounds = [(Codec::Pcmu, -50.0), (Codec::Pcma, -50.0), (Codec::G722, -60.0), (Codec::Opus, -43.0)];
    for (codec, bound_dbov) in bounds {
        let mut world = World::new();
        world.enter(tone_at(codec, 440.0), codec);
        let changes = world.enter(Says::Nothing, codec);
        // One listener stays on the shared stream, so that it continues without the one who changes.
        let stays = world.enter(Says::Nothing, codec);
        world.run(100);
        world.say(changes, Says::Tone(ToneGenerator::new(codec.rate().hz(), 900.0, -20.0)));
        world.run(100);
        world.say(changes, Says::Nothing);
        world.run(250);
        let beside = |ticks| world.beside_dbov(changes, &[440.0], ticks);
        let (steady, to_own) = (beside(40..95), beside(95..130));
        // The voice lingers for 15 frames after the last packet and its concealment; Opus waits for a pause.
        let to_shared = beside(206..440);
        assert!(steady < bound_dbov, "{codec:?}: the codec itself leaves {steady} dBov");
        for (what, residue) in [("own", to_own), ("shared", to_shared)] {
            assert!(residue < bound_dbov, "{codec:?}: to the {what} stream: {residue} dBov, steady {steady}");
        }
        assert!(world.level(stays, 440.0) > -13.5);
    }
}

#[test]
fn changing_streams_is_not_heard_while_the_limiter_works() {
    // Two talk so loudly that they are limited together, to -3 dBov; the third begins as loudly and falls silent
    // again. If alone, they take over the shared stream; Opus with other listeners continues with a coarser,
    // independent frame.
    let bounds = [
        (Codec::Pcmu, -40.0, -40.0),
        (Codec::Pcma, -40.0, -40.0),
        (Codec::G722, -50.0, -50.0),
        (Codec::Opus, -22.0, -14.0),
    ];
    for (codec, bound_alone, bound_beside_others) in bounds {
        for (is_alone, bound_dbov) in [(true, bound_alone), (false, bound_beside_others)] {
            let mut world = World::new();
            let loud = |hz| Says::Tone(ToneGenerator::new(codec.rate().hz(), hz, -3.0));
            world.enter(loud(440.0), codec);
            world.enter(loud(910.0), codec);
            let changes = world.enter(Says::Nothing, codec);
            if !is_alone {
                world.enter(Says::Nothing, codec);
            }
            world.run(100);
            world.say(changes, loud(1500.0));
            world.run(100);
            world.say(changes, Says::Nothing);
            // The voice lingers for 15 frames, the limiter of the shared stream takes up to 700 ms to recover, and
            // Opus waits for a pause, at most 3 s.
            world.run(250);
            let beside = |ticks| world.beside_dbov(changes, &[440.0, 910.0], ticks);
            let (steady, worst) = (beside(40..95), beside(95..440));
            assert!(worst < bound_dbov, "{codec:?}, alone {is_alone}: {worst} dBov, steady {steady}");
            // G.722 waits until both outputs are identical to the last bit.
            let is_apart = world.room.members[changes].as_ref().is_some_and(|member| member.is_apart);
            assert!(codec == Codec::G722 || !is_apart, "{codec:?}: it hears what all hear");
        }
    }
}

#[test]
fn a_silent_talker_returns_to_the_shared_opus_stream_in_a_pause() {
    let mut world = World::new();
    let talker = world.enter(tone_at(Codec::Opus, 440.0), Codec::Opus);
    let changes = world.enter(tone_at(Codec::Opus, 900.0), Codec::Opus);
    world.enter(Says::Nothing, Codec::Opus);
    let is_apart = |world: &World| world.room.members[changes].as_ref().is_some_and(|member| member.is_apart);
    world.run(100);
    world.say(changes, Says::Nothing);
    world.run(60);
    assert!(is_apart(&world), "there was no pause yet");
    world.say(talker, Says::Tone(ToneGenerator::new(48_000, 440.0, -70.0)));
    world.run(10);
    assert!(!is_apart(&world));
    // Without a pause, after three seconds.
    world.say(talker, tone_at(Codec::Opus, 440.0));
    world.say(changes, tone_at(Codec::Opus, 900.0));
    world.run(100);
    world.say(changes, Says::Nothing);
    world.run(150);
    assert!(is_apart(&world));
    world.run(25);
    assert!(!is_apart(&world));
}

#[test]
fn members_at_another_rate_join_and_leave_without_a_click_for_others() {
    let codecs = [Codec::Pcmu, Codec::G722, Codec::Opus];
    for talks in codecs {
        for hears in codecs {
            for comes in codecs.into_iter().filter(|codec| ![talks, hears].contains(codec)) {
                let mut world = World::new();
                let talker = world.enter(tone_at(talks, 440.0), talks);
                let listener = world.enter(Says::Nothing, hears);
                world.run(100);
                // With the hum of a line.
                let comer =
                    world.enter(Says::Tone(ToneGenerator::new(comes.rate().hz(), 200.0, -72.0)), comes);
                world.run(100);
                let time = world.time();
                let gone = world.phones.remove(comer);
                world.room.remove(gone.key, time, &mut world.outbox);
                world.outbox.clear_datagrams();
                world.run(100);
                let beside = |tick: usize| world.beside_dbov(listener, &[440.0], tick - 12..tick + 13);
                let (steady, came, went) = (beside(60), beside(100), beside(200));
                for residue in [came, went] {
                    assert!(
                        residue < steady + 2.0 && residue < -46.0,
                        "{talks:?} to {hears:?}, {comes:?}: {residue} dBov, steady {steady}"
                    );
                }
                assert!(world.is_silent(talker));
            }
        }
    }
}

#[test]
fn what_a_talker_hears_does_not_depend_on_what_it_says() {
    // Three talk so loudly that they are limited together. The first says one thing or another.
    let mixed = |first| [first, Codec::G722, Codec::Opus];
    let rooms = Codec::ALL.map(|codec| [codec; 3]).into_iter().chain(Codec::ALL.map(mixed));
    for codecs in rooms {
        let sent = |hz: f32, dbov: f32| {
            let mut world = World::new();
            for ((hz, dbov), codec) in [(hz, dbov), (733.0, -2.0), (1187.0, -2.0)].into_iter().zip(codecs) {
                world.enter(Says::Tone(ToneGenerator::new(codec.rate().hz(), hz, dbov)), codec);
            }
            world.enter(Says::Nothing, codecs[0]);
            world.run(200);
            let sent = |number: usize| {
                let packets: &Vec<(_, Vec<u8>)> = &world.phones[number].packets;
                packets.iter().map(|(_, payload)| payload.clone()).collect::<Vec<_>>()
            };
            (sent(0), sent(3))
        };
        let (this, that) = (sent(410.0, -2.0), sent(2900.0, -9.0));
        assert!(this.0 == that.0, "{codecs:?}: it hears itself");
        assert!(this.1 != that.1);
    }
}

#[test]
fn three_loud_talkers_hear_nothing_of_themselves_though_the_sum_is_limited() {
    let mixed = [Codec::Pcmu, Codec::G722, Codec::Opus];
    for codecs in [[Codec::Pcmu; 3], [Codec::Pcma; 3], [Codec::G722; 3], [Codec::Opus; 3], mixed] {
        let mut world = World::new();
        // No sum or difference of two of them is the third.
        let tones = [410.0, 733.0, 1187.0];
        for (hz, codec) in tones.iter().zip(codecs) {
            world.enter(Says::Tone(ToneGenerator::new(codec.rate().hz(), *hz, -2.0)), codec);
        }
        world.run(200);
        for (number, hz) in tones.iter().enumerate() {
            let own = world.level(number, *hz);
            // In Opus it is the coding of the others.
            let bound_dbov = if codecs[number] == Codec::Opus { -60.0 } else { -70.0 };
            assert!(own < bound_dbov, "{codecs:?}: {hz} Hz at -2 dBov comes back at {own} dBov");
        }
        let others = world.level(0, tones[1]);
        assert!(others > -10.0, "{codecs:?}: the others at {others} dBov");
    }
}
