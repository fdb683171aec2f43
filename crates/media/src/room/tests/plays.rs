//! Several playbacks at once, and speech during them.

use super::*;
use codecs::tone_at;
use plenary_rtp::srtp::{MasterKey, Suite};

/// A prompt: a tone that counts as speech.
fn prompt(id: u64, hz: f32, ms: u32) -> Playback {
    with(id, hz, ms, PlayOptions::default())
}

fn with(id: u64, hz: f32, ms: u32, options: PlayOptions) -> Playback {
    let samples = plenary_audio::tone::tone(16_000, hz, -20.0, ms);
    Playback::with(PlayId(id), vec![LoadedClip::Samples(Rate::Wide, samples.into())], options)
}

/// The ticks in which a participant heard each of these tones.
fn ticks_of(world: &World, number: usize, tones: &[f32]) -> Vec<Vec<usize>> {
    let phone = &world.phones[number];
    let (rate, frame) = (phone.codec.rate().hz(), phone.codec.rate().frame());
    let hears = |window: &[i16], hz| power_dbov(window, rate, hz) > -30.0;
    let ticks = |hz: f32| {
        let all = phone.heard.chunks(frame).enumerate();
        all.filter(|(_, window)| hears(window, hz)).map(|(tick, _)| tick).collect()
    };
    tones.iter().map(|hz| ticks(*hz)).collect()
}

fn finished(world: &World) -> Vec<u64> {
    let id = |event: &MediaEvent| match event {
        MediaEvent::PlayFinished { id } => Some(id.0),
        _ => None,
    };
    world.events.iter().filter_map(id).collect()
}

/// Each tone is heard for as long as it lasts, in ticks, without a break, and never with another.
fn assert_one_after_another(heard: &[Vec<usize>], lengths: &[usize]) {
    for (ticks, length) in heard.iter().zip(lengths) {
        assert!(
            (length - 1..=length + 2).contains(&ticks.len()),
            "{} ticks, not {length}: {heard:?}",
            ticks.len()
        );
        assert!(ticks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{heard:?}");
    }
    for (place, ticks) in heard.iter().enumerate() {
        for other in &heard[place + 1..] {
            // At the change a frame may hold the end of one and the beginning of the next.
            assert!(ticks.iter().filter(|tick| other.contains(tick)).count() <= 1, "{heard:?}");
        }
    }
}

const PROMPTS: [f32; 4] = [600.0, 1000.0, 1500.0, 2100.0];

#[test]
fn speech_to_one_and_to_all_is_heard_one_after_another_and_nothing_is_lost() {
    let mut world = World::with([Says::Nothing, Says::Nothing, Says::Nothing]);
    world.run(5);
    let one = world.phones[0].key;
    // One is in the middle of a prompt, and has another to come, when something is said to all but the third.
    world.room.play_to(one, prompt(1, PROMPTS[0], 600));
    world.room.play_to(one, prompt(2, PROMPTS[1], 400));
    world.run(10);
    world.room.play(prompt(3, PROMPTS[2], 500), Some(world.phones[2].key));
    world.run(5);
    // And something else to all, and a prompt to the second, during that.
    world.room.play(prompt(4, PROMPTS[3], 300), None);
    world.room.play_to(world.phones[1].key, prompt(5, PROMPTS[1], 400));
    world.run(150);

    let first = ticks_of(&world, 0, &PROMPTS);
    assert_one_after_another(&first, &[30, 20, 25, 15]);
    // The prompt goes on, then comes what was said to all, and what waited.
    assert!(first[0][0] < first[2][0] && first[2][0] < first[3][0] && first[3][0] < first[1][0], "{first:?}");
    let second = ticks_of(&world, 1, &PROMPTS[1..]);
    assert_one_after_another(&second, &[20, 25, 15]);
    assert!(second[1][0] <= 17, "at once: {second:?}");
    assert!(second[1][0] < second[2][0] && second[2][0] < second[0][0], "{second:?}");
    let third = ticks_of(&world, 2, &PROMPTS);
    assert_eq!(third.iter().map(Vec::is_empty).collect::<Vec<_>>(), [true, true, true, false]);
    assert_one_after_another(&third[3..], &[15]);
    let mut ends = finished(&world);
    assert_eq!(ends.len(), 5);
    ends.sort_unstable();
    assert_eq!(ends, [1, 2, 3, 4, 5]);
    assert!((0..3).all(|number| world.is_shared(number)));
}

#[test]
fn a_beep_is_heard_at_once_over_speech_and_background_is_lowered_under_it() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    let one = world.phones[0].key;
    let music = PlayOptions { repeat: true, ..PlayOptions::default() };
    world.room.play_to(one, with(1, 400.0, 1000, music));
    world.run(40);
    assert!((world.level_in(0, 400.0, 10..40) + 20.0).abs() < 1.0);
    world.room.play_to(one, prompt(2, 700.0, 1000));
    world.run(10);
    world.room.play_to(one, Playback::new(PlayId(3), vec![LoadedClip::Tone { hz: 1100, ms: 300 }], false));
    world.run(40);
    assert!((world.level_in(0, 1100.0, 54..62) + 15.0).abs() < 1.0, "the beep");
    assert!((world.level_in(0, 700.0, 60..85) + 20.0).abs() < 1.0, "the prompt");
    assert!((world.level_in(0, 400.0, 70..85) + 32.0).abs() < 1.0, "the music");
    world.run(80);
    assert!((world.level_in(0, 400.0, 130..150) + 20.0).abs() < 1.0);
    world.room.stop_play(PlayId(1));
    world.run(60);
    assert!(world.is_silent(0) && world.is_silent(1));
    assert_eq!(finished(&world), [3, 2]);
}

#[test]
fn while_participants_talk_the_announcement_or_the_talkers_are_lowered() {
    for (ducking, talker_dbov, announcement_dbov) in [
        (None, -12.0, -32.0),
        (Some(Ducking::Playback), -12.0, -32.0),
        (Some(Ducking::Talkers), -24.0, -20.0),
        (Some(Ducking::Off), -12.0, -20.0),
    ] {
        let mut world = World::with([tone(400.0), Says::Nothing]);
        world.enter(Says::Nothing, Codec::Opus);
        world.run(50);
        world.room.play(with(1, 700.0, 4000, PlayOptions { ducking, ..PlayOptions::default() }), None);
        world.run(100);
        for listener in [1, 2] {
            let (talker, announcement) =
                (world.level_in(listener, 400.0, 80..140), world.level_in(listener, 700.0, 80..140));
            assert!((talker - talker_dbov).abs() < 1.0, "{ducking:?}: {talker} dBov");
            assert!((announcement - announcement_dbov).abs() < 1.0, "{ducking:?}: {announcement} dBov");
        }
        // Talk is over half a second after the voice.
        world.say(0, Says::Nothing);
        world.run(90);
        let announcement = world.level_in(1, 700.0, 210..235);
        assert!((announcement + 20.0).abs() < 1.0, "{ducking:?}: {announcement} dBov");
        world.say(0, tone(400.0));
        world.run(80);
        let talker = world.level_in(1, 400.0, 290..320);
        assert!((talker + 12.0).abs() < 1.0, "{ducking:?}: {talker} dBov after it");
    }
}

#[test]
fn a_prompt_to_one_lowers_the_talkers_for_them_alone() {
    let mut world = World::with([tone(400.0), Says::Nothing, Says::Nothing]);
    world.run(50);
    let options = PlayOptions { gain_db: 6.0, ..PlayOptions::default() };
    world.room.play_to(world.phones[1].key, with(1, 700.0, 2000, options));
    world.run(60);
    assert!((world.level_in(1, 400.0, 70..110) + 24.0).abs() < 1.0);
    assert!((world.level_in(1, 700.0, 70..110) + 14.0).abs() < 1.0, "with its gain");
    assert!((world.level_in(2, 400.0, 70..110) + 12.0).abs() < 1.0);
    assert!(world.level_in(2, 700.0, 50..110) < -60.0 && world.level_in(0, 700.0, 50..110) < -60.0);
    assert!(world.is_shared(2) && !world.is_shared(1));
    world.run(120);
    assert!((world.level(1, 400.0) + 12.0).abs() < 1.0);
    assert!(world.is_shared(1), "it has returned");
}

#[test]
fn a_playback_that_is_stopped_fades_out_and_the_next_follows() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    world.room.play(prompt(1, 400.0, 3000), None);
    world.room.play(prompt(2, 400.0, 3000), None);
    let one = world.phones[1].key;
    world.room.play_to(one, prompt(3, 700.0, 500));
    world.run(50);
    world.room.stop_play(PlayId(1));
    world.room.stop_play(PlayId(2));
    world.run(50);
    assert!(world.bend(0, 20..100) < 1500, "{}", world.bend(0, 20..100));
    let heard = ticks_of(&world, 1, &[400.0, 700.0]);
    assert!((24..=27).contains(&heard[1].len()) && heard[1][0] <= 54, "{heard:?}");
    assert_eq!(finished(&world), [3]);
}

#[test]
fn a_change_of_streams_for_a_prompt_is_not_heard() {
    let bounds = [(Codec::Pcmu, -50.0), (Codec::Pcma, -50.0), (Codec::G722, -60.0), (Codec::Opus, -43.0)];
    for (codec, bound_dbov) in bounds {
        let mut world = World::new();
        world.enter(tone_at(codec, 440.0), codec);
        let one = world.enter(Says::Nothing, codec);
        let other = world.enter(Says::Nothing, codec);
        world.run(100);
        // Silence that counts as a prompt: only the streams change.
        let silence = LoadedClip::Samples(Rate::Narrow, vec![0; 8000].into());
        let options = PlayOptions { ducking: Some(Ducking::Off), ..PlayOptions::default() };
        world.room.play_to(world.phones[one].key, Playback::with(PlayId(1), vec![silence], options));
        world.run(5);
        assert!(!world.is_shared(one) && world.is_shared(other));
        world.run(300);
        assert!(codec == Codec::G722 || world.is_shared(one), "{codec:?}");
        let (steady, worst) =
            (world.beside_dbov(one, &[440.0], 40..95), world.beside_dbov(one, &[440.0], 95..400));
        assert!(worst < bound_dbov, "{codec:?}: {worst} dBov, steady {steady}");
        assert!(world.beside_dbov(other, &[440.0], 95..400) < bound_dbov, "{codec:?}: the other");
    }
}

#[test]
fn a_participant_who_moves_amid_a_prompt_hears_what_is_said_there_after_it() {
    let (mut first, mut second) = (World::with([Says::Nothing]), World::with([Says::Nothing]));
    second.offset_ns = 12 * MS;
    first.room.play_to(first.phones[0].key, prompt(1, PROMPTS[0], 600));
    second.room.play(prompt(2, PROMPTS[1], 400), None);
    first.run(10);
    second.run(9);
    let mut phone = first.phones.remove(0);
    let time = Tick { now_ns: first.time().now_ns - FRAME_NS, ..first.time() };
    let moving = first.room.take_out(phone.key, crate::OnMove::KeepPlaying, time).expect("it is in");
    phone.key = second.room.take_in(moving, any_port());
    second.phones.push(phone);
    second.run(80);
    let heard = ticks_of(&second, 1, &PROMPTS[..2]);
    assert_one_after_another(&heard, &[30, 20]);
    assert!(heard[0][0] < heard[1][0]);
    assert_one_after_another(&ticks_of(&second, 0, &PROMPTS[1..2]), &[20]);
}

/// The keys of this participant come by a handshake.
fn await_keys(world: &mut World, number: usize) -> MemberKey {
    let (key, address, time) = (world.phones[number].key, world.phones[number].address, world.time());
    let protection = Protection::Dtls { active: false, fingerprint: [0; 32] };
    world.room.set_stream(key, StreamParams { protection, ..params(address, Codec::Pcmu) }, time);
    key
}

fn bring_keys(world: &mut World, key: MemberKey) {
    let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &[7; 30]).expect("as long as its key and salt");
    let time = world.time();
    let member = world.room.member_mut(key).expect("it is in");
    member.set_keys(Channel::Rtp, &master, &master, time.now_ns);
}

#[test]
fn what_is_played_to_one_whose_keys_are_to_come_begins_when_they_are_there() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    let key = await_keys(&mut world, 0);
    world.room.play_to(key, prompt(1, PROMPTS[0], 600));
    let tone = LoadedClip::Tone { hz: 1000, ms: 200 };
    world.room.play_to(key, Playback::new(PlayId(2), vec![tone], false));
    // One who is there hears theirs at once.
    world.room.play_to(world.phones[1].key, prompt(3, PROMPTS[1], 400));
    world.run(50);
    assert_eq!(finished(&world), [3]);

    bring_keys(&mut world, key);
    world.run(29);
    assert_eq!(finished(&world), [3, 2], "the prompt is heard from its beginning");
    world.run(3);
    assert_eq!(finished(&world), [3, 2, 1]);
}

/// What is to be played to this participant alone.
fn to_come(world: &World, key: MemberKey) -> Vec<PlayId> {
    world.room.member(key).expect("it is in").plays.iter().map(|playback| playback.id).collect()
}

#[test]
fn what_is_said_to_all_before_the_keys_of_one_are_there_is_said_to_them_afterwards() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    // This had begun before they came, and is heard from the middle on.
    world.room.play(prompt(1, PROMPTS[0], 1000), None);
    world.run(10);
    let key = await_keys(&mut world, 0);
    world.room.play_to(key, prompt(2, PROMPTS[1], 300));
    world.room.play(prompt(3, PROMPTS[2], 400), None);
    world.room.play(prompt(4, PROMPTS[3], 400), Some(key));
    world.run(100);
    world.room.play(prompt(5, PROMPTS[3], 200), None);
    world.run(30);
    assert_eq!(finished(&world), [1, 3, 4, 5], "the other has heard all of it");
    assert_eq!(
        to_come(&world, key),
        [3, 5, 2].map(PlayId),
        "in the order in which it was said, and before what is theirs"
    );

    bring_keys(&mut world, key);
    world.run(10);
    assert_eq!(to_come(&world, key), [3, 5, 2].map(PlayId), "from the beginning");
    world.run(11);
    assert_eq!(to_come(&world, key), [5, 2].map(PlayId));
    world.run(60);
    assert_eq!(finished(&world), [1, 3, 4, 5, 2], "the end of what was repeated is not reported again");
    assert!(to_come(&world, key).is_empty());
    assert!(world.is_shared(0), "it hears what all hear from then on");
    // What is said to all is heard with the others now.
    world.room.play(prompt(6, PROMPTS[0], 200), None);
    assert!(to_come(&world, key).is_empty());
}

#[test]
fn what_is_kept_for_one_whose_keys_do_not_come_has_a_bound() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    let key = await_keys(&mut world, 0);
    for id in 0..40 {
        world.room.play(prompt(id, PROMPTS[0], 40), None);
        world.run(5);
    }
    assert_eq!(to_come(&world, key), (0..16).map(PlayId).collect::<Vec<_>>(), "the first ones");
}

#[test]
fn where_many_hear_something_of_their_own_in_opus_it_is_coded_at_the_least_cost_and_then_as_before() {
    let mut world = World::new();
    for _ in 0..MANY_OWN_OPUS {
        world.enter(Says::Nothing, Codec::Opus);
    }
    world.run(10);
    let play_to = |world: &mut World, numbers: std::ops::Range<usize>, ms| {
        for number in numbers {
            let key = world.phones[number].key;
            world.room.play_to(key, prompt(number as u64, 1000.0, ms));
        }
    };
    // Configurations from 16 on are CELT (RFC 6716, section 3.1).
    let is_celt = |world: &World| world.phones[0].packets.last().expect("a packet").1[0] >> 3 >= 16;
    play_to(&mut world, 0..FEW_OWN_OPUS - 1, 3000);
    world.run(40);
    assert!(!is_celt(&world), "few");
    play_to(&mut world, FEW_OWN_OPUS - 1..MANY_OWN_OPUS, 600);
    world.run(15);
    assert!(is_celt(&world), "many");
    world.run(70);
    assert!(!is_celt(&world), "few again");
    // What is heard is the same throughout.
    let heard = &world.phones[0].heard[20 * 960..];
    for (place, window) in heard.chunks_exact(4 * 960).enumerate() {
        let level = power_dbov(window, 48_000, 1000.0);
        assert!((level + 20.0).abs() < 1.0, "{level} dBov in window {place}");
    }
}

/// What a menu answers.
fn answer(id: u64, hz: f32, ms: u32) -> Playback {
    with(id, hz, ms, PlayOptions { urgent: true, ..PlayOptions::default() })
}

#[test]
fn an_urgent_prompt_is_heard_at_once_and_what_it_interrupts_is_heard_again_after_it_by_its_listener_alone() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    let one = world.phones[0].key;
    world.room.play(prompt(1, PROMPTS[0], 1000), None);
    world.room.play(prompt(2, PROMPTS[1], 400), None);
    world.room.play_to(one, prompt(3, PROMPTS[2], 300));
    world.run(25);
    world.room.play_to(one, answer(4, PROMPTS[3], 500));
    world.run(30);
    // Something more is said to all meanwhile.
    world.room.play(prompt(5, 2900.0, 300), None);
    world.run(160);

    let tones = [PROMPTS[3], PROMPTS[1], PROMPTS[2], 2900.0];
    let heard = ticks_of(&world, 0, &tones);
    assert_one_after_another(&heard, &[25, 20, 15, 15]);
    assert!(heard[0][0] <= 27, "at once: {heard:?}");
    let first = &ticks_of(&world, 0, &PROMPTS[..1])[0];
    let (before, again): (Vec<usize>, Vec<usize>) = first.iter().partition(|tick| **tick < heard[0][5]);
    assert!((24..=28).contains(&before.len()), "{first:?}");
    assert!((49..=52).contains(&again.len()), "from the beginning: {first:?}");
    assert!(
        again.windows(2).all(|pair| pair[1] == pair[0] + 1) && again[0] >= *heard[0].last().expect("heard")
    );
    // In the order in which it was said to all, and what is for this one alone last.
    assert!(again[49] <= heard[1][0] && heard[1][0] < heard[3][0] && heard[3][0] < heard[2][0], "{heard:?}");

    let other = ticks_of(&world, 1, &[PROMPTS[0], PROMPTS[1], 2900.0]);
    assert_one_after_another(&other, &[50, 20, 15]);
    assert!(ticks_of(&world, 1, &[PROMPTS[3]])[0].is_empty());
    let mut ends = finished(&world);
    ends.sort_unstable();
    assert_eq!(ends, [1, 2, 3, 4, 5], "each once");
    assert!(world.is_shared(0) && world.is_shared(1), "both hear what all hear again");
}

#[test]
fn an_urgent_prompt_comes_before_one_that_has_begun_and_before_an_earlier_urgent_one() {
    let mut world = World::with([Says::Nothing]);
    let one = world.phones[0].key;
    world.room.play_to(one, prompt(1, PROMPTS[0], 600));
    world.run(5);
    world.room.play_to(one, answer(2, PROMPTS[1], 400));
    world.run(5);
    world.room.play_to(one, answer(3, PROMPTS[2], 200));
    world.run(80);
    assert_eq!(finished(&world), [3, 2, 1]);
    let heard = ticks_of(&world, 0, &PROMPTS[..3]);
    assert!(heard[2][0] <= 12 && (9..=12).contains(&heard[2].len()), "{heard:?}");
    let again = |ticks: &[usize]| ticks.iter().filter(|tick| **tick > heard[2][8]).count();
    assert!((19..=22).contains(&again(&heard[1])) && (29..=32).contains(&again(&heard[0])), "{heard:?}");
}

#[test]
fn a_long_announcement_goes_on_a_little_before_where_it_was_interrupted() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    let one = world.phones[0].key;
    let clip = |hz, ms| {
        let samples = plenary_audio::tone::tone(16_000, hz, -20.0, ms);
        LoadedClip::Samples(Rate::Wide, samples.into())
    };
    let list = vec![clip(PROMPTS[0], 4500), clip(PROMPTS[1], 4500)];
    world.room.play(Playback::with(PlayId(1), list, PlayOptions::default()), None);
    world.run(275);
    world.room.play_to(one, answer(2, PROMPTS[2], 400));
    world.run(450);
    let heard = ticks_of(&world, 0, &PROMPTS[..3]);
    let after: Vec<usize> = heard[0].iter().copied().filter(|tick| *tick > 275).collect();
    // Of the two seconds that are heard again, one is of the first clip; its beginning fades in.
    assert!((40..=52).contains(&after.len()), "{after:?}");
    assert!(heard[1].len() >= 49 + 225, "{}", heard[1].len());
    assert_eq!(finished(&world), [2, 1]);
}

#[test]
fn an_urgent_prompt_that_is_stopped_gives_way_and_one_on_hold_keeps_nothing_of_what_is_said_to_all() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    let one = world.phones[0].key;
    world.room.play(prompt(1, 400.0, 600), None);
    world.run(5);
    world.room.play_to(one, answer(2, PROMPTS[1], 3000));
    world.run(5);
    world.room.stop_play(PlayId(2));
    world.run(60);
    let heard = ticks_of(&world, 0, &[400.0, PROMPTS[1]]);
    assert!(heard[1].len() <= 8, "{heard:?}");
    assert!(heard[0].iter().filter(|tick| **tick >= 10).count() >= 29, "{heard:?}");

    // Nothing clicks: a tone that is cut off bends by more than twice as much.
    world.room.play(prompt(5, 400.0, 600), None);
    world.run(12);
    world.room.play_to(one, answer(6, 300.0, 300));
    world.run(80);
    assert!(world.bend(0, 70..150) < 2000, "{}", world.bend(0, 70..150));

    let music = PlayOptions { repeat: true, ..PlayOptions::default() };
    world.room.hold(one, Some(with(9, 400.0, 1000, music).fading_in()));
    // The room fades out first.
    world.run(2);
    world.room.play(prompt(3, PROMPTS[2], 600), None);
    world.run(5);
    world.room.play_to(one, answer(4, PROMPTS[3], 200));
    world.run(40);
    assert!(to_come(&world, one).is_empty());
    assert_eq!(ticks_of(&world, 0, &PROMPTS[2..3])[0], [0_usize; 0]);
}

#[test]
fn what_is_heard_again_is_lowered_under_talkers_as_it_is_for_all() {
    let mut world = World::with([Says::Nothing, tone(400.0)]);
    world.run(50);
    world.room.play(prompt(1, PROMPTS[1], 4000), None);
    world.run(20);
    world.room.play_to(world.phones[0].key, answer(2, PROMPTS[3], 200));
    world.run(120);
    let (talker, announcement) =
        (world.level_in(0, 400.0, 130..180), world.level_in(0, PROMPTS[1], 130..180));
    assert!((talker + 12.0).abs() < 1.0, "{talker} dBov");
    assert!((announcement + 32.0).abs() < 1.0, "{announcement} dBov");
}
