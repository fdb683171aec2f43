//! Recordings of a room: what is handed over.

use super::*;
use crate::FeedId;
use codecs::tone_at;
use plenary_audio::codec::Rate;
use plenary_recording::{FeedKind, FeedReader, NoFrame, TrackSource, feed};
use std::collections::BTreeMap;

const FRAMES: usize = 4000;

fn record(world: &mut World, kind: FeedKind) -> FeedReader {
    let (feed, reader) = feed(kind, FRAMES);
    world.room.add_tap(RecordingTap { id: FeedId(5), feed });
    reader
}

/// What has come, by track: the rate of the frames, and the samples by their time.
fn drained(reader: &FeedReader) -> BTreeMap<TrackSource, (Rate, BTreeMap<u64, Vec<i16>>)> {
    let mut tracks = BTreeMap::new();
    while let Ok(frame) = reader.next_frame() {
        if let Some(source) = frame.source {
            let (rate, frames) = tracks.entry(source).or_insert((frame.rate, BTreeMap::new()));
            assert_eq!(*rate, frame.rate);
            frames.insert(frame.tick, frame.samples().to_vec());
        }
        reader.give_back(frame);
    }
    assert_eq!(reader.dropped(), 0);
    tracks
}

fn samples(frames: &BTreeMap<u64, Vec<i16>>, ticks: std::ops::Range<u64>) -> Vec<i16> {
    ticks.flat_map(|tick| frames.get(&tick).expect("a frame for each tick").clone()).collect()
}

#[test]
fn the_mix_is_what_a_listener_hears_bit_for_bit_also_with_others_who_listen() {
    for has_listener in [true, false] {
        let mut world = World::with([tone(400.0), tone(930.0)]);
        let listener = has_listener.then(|| world.enter(Says::Nothing, Codec::Pcmu));
        world.run(50);
        let reader = record(&mut world, FeedKind::Mixed);
        world.run(100);
        let tracks = drained(&reader);
        let (rate, frames) = &tracks[&TrackSource::Mix];
        assert_eq!((*rate, frames.len(), tracks.len()), (Rate::Narrow, 100, 1));
        let recorded = samples(frames, 0..100);
        for hz in [400.0, 930.0] {
            let level = power_dbov(&recorded[8000..16_000], 8000, hz);
            assert!((level + 12.0).abs() < 0.6, "{hz} Hz at {level} dBov");
        }
        if let Some(listener) = listener {
            // As G.711 changes it.
            let mut coded = vec![0; recorded.len()];
            let mut payload = vec![0; recorded.len()];
            g711::encode(g711::Law::Mu, &recorded, &mut payload);
            g711::decode(g711::Law::Mu, &payload, &mut coded);
            assert!(world.phones[listener].heard[50 * FRAME..] == coded[..], "it is another mix");
        }
    }
}

#[test]
fn a_recording_does_not_change_what_participants_hear() {
    let heard = |records: bool| {
        let mut world = World::new();
        world.enter(tone_at(Codec::Opus, 400.0), Codec::Opus);
        world.enter(tone(930.0), Codec::Pcma);
        world.enter(Says::Nothing, Codec::Opus);
        let readers =
            records.then(|| [record(&mut world, FeedKind::Mixed), record(&mut world, FeedKind::Separate)]);
        world.run(150);
        drop(readers);
        world.phones.into_iter().map(|phone| phone.heard).collect::<Vec<_>>()
    };
    assert!(heard(true) == heard(false));
}

#[test]
fn the_mix_has_the_best_rate_of_the_room_and_goes_on_in_silence() {
    let mut world = World::new();
    world.enter(tone_at(Codec::Opus, 5000.0), Codec::Opus);
    world.enter(Says::Nothing, Codec::Pcmu);
    let reader = record(&mut world, FeedKind::Mixed);
    world.run(100);
    let tracks = drained(&reader);
    let (rate, frames) = &tracks[&TrackSource::Mix];
    assert_eq!((*rate, frames.len()), (Rate::Full, 100));
    let level = power_dbov(&samples(frames, 50..100), 48_000, 5000.0);
    assert!((level + 12.0).abs() < 1.5, "{level} dBov");
}

#[test]
fn announcements_to_all_are_recorded_and_prompts_to_one_are_not() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    let reader = record(&mut world, FeedKind::Mixed);
    let clip = |hz| vec![LoadedClip::Tone { hz, ms: 1000 }];
    world.room.play(Playback::new(PlayId(1), clip(700), false), None);
    let key = world.phones[0].key;
    world.room.play_to(key, Playback::new(PlayId(2), clip(1900), false));
    world.run(50);
    assert!(world.level_in(0, 1900.0, 10..40) > -18.0, "the participant hears its prompt");
    let tracks = drained(&reader);
    let recorded = samples(&tracks[&TrackSource::Mix].1, 10..40);
    assert!((power_dbov(&recorded, 8000, 700.0) + 15.0).abs() < 0.5);
    assert!(power_dbov(&recorded, 8000, 1900.0) < -70.0);
}

#[test]
fn each_voice_has_its_own_time_and_only_what_others_hear_of_it() {
    let mut world = World::with([tone(400.0), Says::Nothing, tone(930.0)]);
    world.run(20);
    let reader = record(&mut world, FeedKind::Separate);
    world.run(20);
    let key = world.phones[0].key;
    world.room.set_voice(key, false, true, &mut world.outbox);
    world.run(20);
    let tracks = drained(&reader);
    assert_eq!(tracks.keys().copied().collect::<Vec<_>>(), [TrackSource::Call(0), TrackSource::Call(2)]);
    let ticks = |call| tracks[&TrackSource::Call(call)].1.keys().copied().collect::<Vec<_>>();
    assert_eq!(ticks(0), (0..20).collect::<Vec<_>>(), "nothing of one who is muted");
    assert_eq!(ticks(2), (0..40).collect::<Vec<_>>());
    let voice = samples(&tracks[&TrackSource::Call(2)].1, 0..40);
    assert!((power_dbov(&voice, 8000, 930.0) + 12.0).abs() < 0.6);
    assert!(power_dbov(&voice, 8000, 400.0) < -60.0, "nothing of the others");
}

#[test]
fn a_pause_is_left_out_a_stall_is_not_and_an_end_is_told() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    let reader = record(&mut world, FeedKind::Mixed);
    world.run(10);
    world.room.pause_tap(FeedId(5), true);
    world.run(10);
    world.room.pause_tap(FeedId(5), false);
    world.run(10);
    world.room.skip(7);
    world.run(10);
    let ticks: Vec<_> = drained(&reader)[&TrackSource::Mix].1.keys().copied().collect();
    assert_eq!(ticks, (0..20).chain(27..37).collect::<Vec<_>>());
    world.room.remove_tap(FeedId(5));
    assert_eq!(reader.next_frame().map(|_| ()), Err(NoFrame::Ended));
}

#[test]
fn a_room_whose_recorder_has_ended_hands_nothing_over() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    let reader = record(&mut world, FeedKind::Mixed);
    world.run(10);
    drop(reader);
    world.run(10);
    assert!(world.room.taps.is_empty());
}
