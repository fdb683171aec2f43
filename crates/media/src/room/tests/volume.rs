//! Volume of one participant, hold, and voices that only some hear.

use super::*;
use codecs::tone_at;

fn set(world: &mut World, number: usize, talk_db: f32, hear_db: f32) {
    world.room.set_volume(world.phones[number].key, Volume { talk_db, hear_db });
}

fn assert_level(world: &World, number: usize, hz: f32, dbov: f32) {
    let level = world.level(number, hz);
    assert!((level - dbov).abs() < 1.0, "{number} hears {hz} Hz at {level} dBov, not {dbov}");
}

#[test]
fn volume_applies_to_one_participant_alone_and_changes_without_a_click() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut world = World::new();
        let talker = world.enter(Says::Tone(ToneGenerator::new(codec.rate().hz(), 400.0, -20.0)), codec);
        let [one, other] = [(); 2].map(|()| world.enter(Says::Nothing, codec));
        world.run(60);
        set(&mut world, one, 0.0, -12.0);
        world.run(60);
        assert_level(&world, one, 400.0, -32.0);
        assert_level(&world, other, 400.0, -20.0);
        assert!(!world.is_shared(one) && world.is_shared(other));
        set(&mut world, one, 0.0, 6.0);
        set(&mut world, talker, 6.0, 0.0);
        world.run(60);
        assert_level(&world, one, 400.0, -8.0);
        assert_level(&world, other, 400.0, -14.0);
        set(&mut world, one, 0.0, 0.0);
        set(&mut world, talker, 0.0, 0.0);
        // Opus returns to the shared stream after 3 s at the latest.
        world.run(220);
        assert_level(&world, one, 400.0, -20.0);
        assert!(world.is_shared(one) || codec == Codec::G722, "{codec:?}");
        let (from, until) = (40, 400);
        assert!(world.bend(one, from..until) < 3000, "{codec:?}: {}", world.bend(one, from..until));
        assert!(world.bend(other, from..until) < 2500, "{codec:?}: {}", world.bend(other, from..until));
        assert!((world.stats(talker).gain_db).abs() < 0.01);
    }
}

#[test]
fn the_highest_volume_is_limited_and_not_clipped() {
    let mut world = World::with([tone(400.0), tone(700.0), Says::Nothing]);
    set(&mut world, 0, 20.0, 0.0);
    set(&mut world, 1, 99.0, 0.0);
    set(&mut world, 2, 0.0, 99.0);
    world.run(150);
    let heard = &world.phones[2].heard[8000..];
    assert!(heard.iter().all(|sample| sample.unsigned_abs() < 32_760));
    // Neither harmonics nor combinations of the two.
    for hz in [1200.0, 100.0, 1500.0, 1000.0] {
        assert!(world.level(2, hz) < -35.0, "{hz} Hz: {} dBov", world.level(2, hz));
    }
    set(&mut world, 2, 0.0, f32::NAN);
    world.run(60);
    assert!(world.is_shared(2));
}

#[test]
fn a_held_participant_hears_music_alone_and_is_not_heard() {
    let music = || {
        let samples = plenary_audio::tone::tone(8000, 700.0, -20.0, 1000);
        // Without a break where it starts over.
        let samples = samples[400..7600].to_vec();
        let options = PlayOptions { repeat: true, ..PlayOptions::default() };
        Playback::with(PlayId(9), vec![LoadedClip::Samples(Rate::Narrow, samples.into())], options)
            .fading_in()
    };
    let mut world = World::with([tone(400.0), tone(1100.0), Says::Nothing]);
    world.run(60);
    world.room.hold(world.phones[0].key, Some(music()));
    world.run(100);
    assert_level(&world, 0, 700.0, -20.0);
    assert!(world.level(0, 1100.0) < -60.0 && world.level(1, 400.0) < -60.0 && world.level(2, 400.0) < -60.0);
    assert_level(&world, 2, 1100.0, -12.0);
    assert!(world.is_shared(2));
    assert!(world.events.contains(&MediaEvent::TalkStopped { call: MediaCallId(0) }));
    // What is said to all is not for them, and a prompt to them is, over the music.
    let clip =
        |hz| LoadedClip::Samples(Rate::Narrow, plenary_audio::tone::tone(8000, hz, -20.0, 1000).into());
    world.room.play(Playback::new(PlayId(1), vec![clip(900.0)], false), None);
    world.room.play_to(world.phones[0].key, Playback::new(PlayId(2), vec![clip(1600.0)], false));
    world.run(50);
    let [music_dbov, all_dbov, prompt_dbov] =
        [700.0, 900.0, 1600.0].map(|hz| world.level_in(0, hz, 170..205));
    assert!(all_dbov < -60.0 && (prompt_dbov + 20.0).abs() < 1.0 && (music_dbov + 32.0).abs() < 1.0);
    let key = DtmfSender::new('5', 800, 160).expect("a key");
    world.say(0, Says::Key(key));
    world.run(20);
    assert!(world.events.contains(&MediaEvent::KeyPressed { call: MediaCallId(0), key: '5' }));
    world.say(0, tone(400.0));
    world.run(20);
    world.room.hold(world.phones[0].key, None);
    world.run(100);
    assert_level(&world, 0, 1100.0, -12.0);
    assert!(world.level(0, 700.0) < -60.0);
    assert_level(&world, 2, 400.0, -12.0);
    // The tone of 400 Hz fades out for others, and in again.
    for (number, most) in [(0, 9000), (1, 3000)] {
        let bend = world.bend(number, 40..340);
        assert!(bend < most, "{number}: {bend}");
    }
    // 1100 Hz bends by 6100.
    assert!(world.bend(2, 40..155) < 9000 && world.bend(2, 250..340) < 9000);
    assert!(world.is_shared(2));
}

fn heard_by(world: &mut World, number: usize, by: Option<&[u64]>) {
    let by = by.map(|by| Box::new(Coaching::new(by.iter().map(|call| MediaCallId(*call)).collect())));
    world.room.set_heard_by(world.phones[number].key, by);
}

#[test]
fn a_coach_is_heard_by_some_only_and_nobody_hears_a_click() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut world = World::new();
        let coach = world.enter(tone_at(codec, 400.0), codec);
        let coached = world.enter(Says::Nothing, codec);
        let elsewhere =
            world.enter(Says::Nothing, if codec == Codec::G722 { Codec::Pcma } else { Codec::G722 });
        let other = world.enter(Says::Nothing, codec);
        let talker = world.enter(tone_at(Codec::Pcma, 1100.0), Codec::Pcma);
        world.run(60);
        heard_by(&mut world, coach, Some(&[coached as u64, elsewhere as u64]));
        world.run(60);
        for number in [coached, elsewhere] {
            assert_level(&world, number, 400.0, -12.0);
            assert_level(&world, number, 1100.0, -12.0);
        }
        for number in [other, talker] {
            assert!(world.level(number, 400.0) < -60.0, "{codec:?}: {number}");
        }
        assert_level(&world, other, 1100.0, -12.0);
        assert_level(&world, coach, 1100.0, -12.0);
        assert!(world.level(coach, 400.0) < -60.0);
        assert!(world.is_shared(other) && !world.is_shared(coached));
        // Another set: one leaves it, one comes.
        heard_by(&mut world, coach, Some(&[coached as u64, talker as u64]));
        world.run(60);
        assert!(world.level(elsewhere, 400.0) < -60.0);
        assert_level(&world, talker, 400.0, -12.0);
        assert_level(&world, coached, 400.0, -12.0);
        heard_by(&mut world, coach, None);
        world.run(60);
        for number in [coached, elsewhere, other, talker] {
            assert_level(&world, number, 400.0, -12.0);
        }
        world.say(coach, Says::Nothing);
        world.run(60);
        assert_eq!(world.room.coaching.len(), 0);
        // For who hears the coach all the time nothing changes. (They hear 1100 Hz, too.)
        let beside = world.beside_dbov(coached, &[400.0, 1100.0], 45..235);
        let steady = world.beside_dbov(coached, &[400.0, 1100.0], 30..55);
        assert!(beside < steady.max(-50.0) + 3.0, "{codec:?}: {beside} dBov, steady {steady}");
        if codec == Codec::Pcmu {
            // 1100 Hz bends by 6100, and a break by 8000 more.
            let bend = world.bend(other, 40..235);
            assert!(bend < 10_000, "{bend}");
        }
    }
}
