//! Recording what a participant says.

use super::*;
use crate::RecordingId;
use codecs::tone_at;
use plenary_audio::spoken;

/// Silence for a while, a tone for a while, and silence.
fn speaks(codec: Codec, from_ms: usize, until_ms: usize) -> Says {
    let rate = codec.rate().hz() as usize;
    let mut tone = ToneGenerator::new(codec.rate().hz(), 400.0, -20.0);
    let mut at = 0;
    Says::Samples(Box::new(move |frame: &mut [i16]| {
        frame.fill(0);
        if (from_ms..until_ms).contains(&(at * 1000 / rate)) {
            tone.fill(frame);
        }
        at += frame.len();
    }))
}

fn record(world: &mut World, number: usize, id: u64) {
    let recorder = Box::new(NameRecorder::new(RecordingId(id)));
    world.room.record(world.phones[number].key, recorder, &mut world.outbox);
}

/// Runs until a recording has ended, and returns the ticks that took and the recording.
fn ended(world: &mut World, ticks_max: u64) -> (u64, Box<NameRecorder>) {
    for tick in 1..=ticks_max {
        world.run(1);
        if let Some((call, recorder)) = world.outbox.drain_recordings().next() {
            assert_eq!(call, MediaCallId(0));
            return (tick, recorder);
        }
    }
    panic!("it did not end in {ticks_max} ticks");
}

#[test]
fn a_name_is_recorded_until_silence_follows_whether_or_not_its_speaker_is_heard() {
    for codec in Codec::ALL {
        for is_heard in [true, false] {
            let mut world = World::new();
            let speaker = world.enter(speaks(codec, 1500, 2300), codec);
            world.enter(Says::Nothing, Codec::Pcmu);
            world.room.set_voice(world.phones[speaker].key, is_heard, true, &mut world.outbox);
            world.run(10);
            record(&mut world, speaker, 7);
            let (ticks, recorder) = ended(&mut world, 400);
            // Speech ends at 2.3 s, of which 200 ms had passed; the recording ends 1.5 s later.
            assert!((177..=186).contains(&ticks), "{codec:?}: {ticks} ticks");
            let spoken = spoken::announcement(recorder.samples(), 320).expect("it was said");
            let ms = spoken.len() / 16;
            assert!((800..=1060).contains(&ms), "{codec:?}: {ms} ms");
            let middle = &spoken[spoken.len() / 2 - 3200..spoken.len() / 2 + 3200];
            assert!(
                (dbov(middle) - spoken::ANNOUNCEMENT_DBOV).abs() < 1.0,
                "{codec:?}: {} dBov",
                dbov(middle)
            );
            let rest_dbov = take_apart(middle, 16_000, &[400.0]).rest_dbov();
            assert!(rest_dbov < -50.0, "{codec:?}: {rest_dbov} dBov beside the tone");
            let was_heard = world.phones[1].heard.iter().any(|sample| sample.unsigned_abs() > 1000);
            assert_eq!(was_heard, is_heard, "{codec:?}");
            let talk = world.events.iter().any(|event| matches!(event, MediaEvent::TalkStarted { .. }));
            assert_eq!(talk, is_heard, "{codec:?}");
        }
    }
}

#[test]
fn a_recording_ends_after_four_seconds_of_speech_after_ten_of_silence_or_by_command() {
    let mut world = World::new();
    let speaker = world.enter(tone_at(Codec::G722, 400.0), Codec::G722);
    world.run(20);
    record(&mut world, speaker, 1);
    let (ticks, recorder) = ended(&mut world, 300);
    assert_eq!((ticks, recorder.samples().len()), (200, 64_000));

    record(&mut world, speaker, 2);
    world.run(60);
    // Another one takes its place, and a command ends that.
    record(&mut world, speaker, 3);
    world.run(30);
    world.room.end_recording(world.phones[speaker].key, &mut world.outbox);
    let by_command: Vec<_> = world.outbox.drain_recordings().collect();
    let ended_by_command =
        by_command.iter().map(|(_, recorder)| (recorder.id.0, recorder.samples().len() / 320));
    assert_eq!(ended_by_command.collect::<Vec<_>>(), [(2, 60), (3, 30)]);

    world.say(speaker, Says::Nothing);
    world.run(60);
    record(&mut world, speaker, 4);
    let (ticks, recorder) = ended(&mut world, 600);
    assert_eq!(ticks, 500);
    assert_eq!(spoken::announcement(recorder.samples(), 320), None);
    // On hold nothing arrives, and the time passes all the same.
    let (key, address, time) = (world.phones[speaker].key, world.phones[speaker].address, world.time());
    world.room.set_stream(key, StreamParams { receive: false, ..params(address, Codec::G722) }, time);
    record(&mut world, speaker, 5);
    assert_eq!(ended(&mut world, 600).0, 500);
}

#[test]
fn a_key_that_ends_a_recording_is_not_in_it() {
    let mut world = World::new();
    let speaker = world.enter(speaks(Codec::Pcmu, 0, 1000), Codec::Pcmu);
    world.run(5);
    record(&mut world, speaker, 1);
    world.run(60);
    world.say(speaker, Says::Key(DtmfSender::new('#', 1600, 160).expect("a key")));
    world.run(10);
    world.room.end_recording(world.phones[speaker].key, &mut world.outbox);
    let (_, recorder) = world.outbox.drain_recordings().next().expect("it was recorded");
    assert!(recorder.samples()[55 * 320..].iter().all(|sample| sample.unsigned_abs() < 40));
    assert!(world.events.contains(&MediaEvent::KeyPressed { call: MediaCallId(0), key: '#' }));
}
