//! A playback is heard, and its end is reported.

mod support;

use plenary_media::{
    Clip, MediaCallId, MediaConfig, MediaEvent, MediaPlane, OnMove, PlayId, PlayOptions, PlayTo, RecordingId,
    RoomId, SoundSource, StoredSound, Volume,
};
use plenary_model::AccountId;
use std::sync::{Arc, Condvar, Mutex};
use support::{Plane, Says, config, talk, talk_until, tone};

fn finished(plane: &Plane, id: u64) -> bool {
    plane.received.contains(&MediaEvent::PlayFinished { id: PlayId(id) })
}

fn write_wav(path: &std::path::Path, rate: u32, hz: f32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).expect("a new file");
    for sample in plenary_audio::tone::tone(rate, hz, -12.0, 1000) {
        wav.write_sample(sample).expect("written");
    }
    wav.finalize().expect("written");
}

#[test]
fn a_list_of_files_tones_and_silence_is_heard_to_its_end_without_missing_files() {
    let folder = tempfile::tempdir().expect("a folder");
    write_wav(&folder.path().join("hello.wav"), 16_000, 700.0);
    let mut plane = Plane::start(MediaConfig { media_dir: folder.path().to_owned(), ..config() });
    let mut phone = plane.dial(1, 1, Says::Nothing);
    plane.media.set_voice(phone.call, false, false);
    let list = vec![
        Clip::File("missing.wav".to_owned()),
        Clip::File("hello.wav".to_owned()),
        Clip::Silence { ms: 200 },
        Clip::Tone { hz: 1100, ms: 600 },
        Clip::Beep,
    ];
    plane.media.play(PlayTo::Call(phone.call), PlayId(5), list, false);
    talk(&mut [&mut phone], 800);
    assert!(phone.level(700.0) > -20.0, "the file");
    talk(&mut [&mut phone], 1000);
    assert!(phone.level(1100.0) > -30.0, "the tone");
    talk_until(&mut plane, &mut [&mut phone], "the end", |plane| finished(plane, 5));
    assert!(plane.received.iter().any(|event| matches!(event, MediaEvent::PlayFailed { id: PlayId(5), text } if text.contains("missing.wav"))));
    talk(&mut [&mut phone], 600);
    assert!(phone.is_silent());
}

#[test]
fn a_playback_to_a_room_is_heard_by_all_but_the_excepted_call() {
    let mut plane = Plane::start(config());
    let mut speaker = plane.dial(1, 1, tone(440.0));
    let mut newcomer = plane.dial(2, 1, Says::Nothing);
    let mut elsewhere = plane.dial(3, 2, Says::Nothing);
    talk(&mut [&mut speaker, &mut newcomer, &mut elsewhere], 200);
    let list = vec![Clip::Tone { hz: 1100, ms: 1200 }];
    plane.media.play(PlayTo::RoomBut(RoomId(1), newcomer.call), PlayId(1), list, false);
    talk(&mut [&mut speaker, &mut newcomer, &mut elsewhere], 1000);
    assert!(speaker.level(1100.0) > -30.0);
    assert!(newcomer.level(1100.0) < -60.0 && newcomer.level(440.0) > -20.0);
    assert!(elsewhere.is_silent());
    talk_until(&mut plane, &mut [&mut speaker], "the end", |plane| finished(plane, 1));
}

#[test]
fn a_repeated_list_plays_until_it_is_stopped() {
    let plane = Plane::start(config());
    let mut phone = plane.dial(1, 1, Says::Nothing);
    plane.media.play(PlayTo::Call(phone.call), PlayId(1), vec![Clip::Tone { hz: 700, ms: 100 }], true);
    talk(&mut [&mut phone], 1000);
    assert!(phone.level(700.0) > -30.0);
    plane.media.stop_play(PlayId(1));
    talk(&mut [&mut phone], 700);
    assert!(phone.is_silent());
    // If it is stopped as soon as it was started, it is never heard.
    plane.media.play(PlayTo::Call(phone.call), PlayId(2), vec![Clip::Tone { hz: 700, ms: 100 }], true);
    plane.media.stop_play(PlayId(2));
    talk(&mut [&mut phone], 700);
    assert!(phone.level(700.0) < -40.0);
}

#[test]
fn a_playback_without_a_listener_comes_to_nothing_and_an_empty_list_ends_at_once() {
    let mut plane = Plane::start(config());
    let mut phone = plane.dial(1, 1, Says::Nothing);
    let beep = || vec![Clip::Beep];
    plane.media.play(PlayTo::Call(plenary_media::MediaCallId(9)), PlayId(1), beep(), false);
    plane.media.play(PlayTo::Room(RoomId(9)), PlayId(2), beep(), false);
    plane.media.play(PlayTo::Call(phone.call), PlayId(3), Vec::new(), true);
    plane.media.play(PlayTo::Call(phone.call), PlayId(4), vec![Clip::File("none.wav".to_owned())], true);
    talk_until(&mut plane, &mut [&mut phone], "all the ends", |plane| {
        finished(plane, 3) && finished(plane, 4)
    });
    let failed = |id| {
        plane
            .received
            .iter()
            .any(|event| matches!(event, MediaEvent::PlayFailed { id: failed, .. } if failed.0 == id))
    };
    assert!(failed(4) && ![1, 2, 3].into_iter().any(failed));
    assert!(!finished(&plane, 1) && !finished(&plane, 2));
}

#[test]
fn a_name_that_was_recorded_is_played_to_others_until_it_is_forgotten() {
    let mut plane = Plane::start(config());
    // The caller is alone at first, and moves while it is recorded.
    let mut caller = plane.dial(1, 1, Says::Nothing);
    let mut other = plane.dial(2, 2, Says::Nothing);
    let (name, silence) = (RecordingId(5), RecordingId(6));
    talk(&mut [&mut caller, &mut other], 200);
    plane.media.record(caller.call, name);
    caller.says = tone(700.0);
    talk(&mut [&mut caller, &mut other], 400);
    plane.media.set_voice(caller.call, false, true);
    plane.media.move_call(caller.call, RoomId(2), OnMove::KeepPlaying);
    talk(&mut [&mut caller, &mut other], 400);
    caller.says = Says::Nothing;
    let recorded = |plane: &Plane, of: RecordingId| {
        plane.received.iter().find_map(|event| match event {
            MediaEvent::Recorded { id, length_ms, .. } if *id == of => Some(*length_ms),
            _ => None,
        })
    };
    talk_until(&mut plane, &mut [&mut caller, &mut other], "the end of the name", |plane| {
        recorded(plane, name).is_some()
    });
    let length_ms = recorded(&plane, name).flatten().expect("something was said");
    assert!((800..=1100).contains(&length_ms), "{length_ms} ms");
    plane.media.record(caller.call, silence);
    plane.media.end_recording(caller.call);
    talk_until(&mut plane, &mut [&mut caller, &mut other], "the end of nothing", |plane| {
        recorded(plane, silence).is_some()
    });
    assert_eq!(recorded(&plane, silence), Some(None));

    let list = || vec![Clip::Recorded(name), Clip::Tone { hz: 1100, ms: 400 }];
    plane.media.play(PlayTo::Call(other.call), PlayId(1), list(), false);
    plane.media.forget_recording(name);
    plane.media.play(PlayTo::Call(other.call), PlayId(2), list(), false);
    talk(&mut [&mut caller, &mut other], 700);
    assert!(other.level(700.0) > -24.0, "{} dBov", other.level(700.0));
    talk_until(&mut plane, &mut [&mut caller, &mut other], "both ends", |plane| {
        finished(plane, 1) && finished(plane, 2)
    });
    let failed: Vec<_> = plane
        .received
        .iter()
        .filter_map(|event| match event {
            MediaEvent::PlayFailed { id, text } => Some((id.0, text.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [(2, "there is no recording 5")]);
    assert!(caller.is_silent(), "a prompt for one reaches nobody else");
}

#[test]
fn volume_hold_and_coaching_come_and_go_by_command() {
    let plane = Plane::start(config());
    let mut phones = [tone(400.0), tone(700.0), Says::Nothing].map(Some);
    let mut phones: Vec<_> =
        (0..3).map(|call| plane.dial(call, 1, phones[call as usize].take().expect("once"))).collect();
    let calls: Vec<_> = phones.iter().map(|phone| phone.call).collect();
    let mut levels = |ms: u64| {
        talk(&mut phones.iter_mut().collect::<Vec<_>>(), ms);
        [(2, 400.0), (2, 700.0), (0, 1100.0)].map(|(phone, hz): (usize, f32)| {
            let phone = &phones[phone];
            (phone.level(hz), phone.usual_level(hz))
        })
    };
    let is_near = |levels: [(f32, f32); 3], expected: [f32; 3]| {
        let near = |((level, usual), expected): ((f32, f32), f32)| match expected < -50.0 {
            true => level < -50.0,
            false => (usual - expected).abs() < 1.5,
        };
        assert!(levels.into_iter().zip(expected).all(near), "{levels:?}, not {expected:?}");
    };
    is_near(levels(1000), [-12.0, -12.0, -99.0]);
    plane.media.set_volume(calls[2], Volume { talk_db: 0.0, hear_db: -10.0 });
    is_near(levels(800), [-22.0, -22.0, -99.0]);
    plane.media.set_volume(calls[2], Volume::default());
    plane.media.set_volume(calls[1], Volume { talk_db: -6.0, hear_db: 0.0 });
    is_near(levels(800), [-12.0, -18.0, -99.0]);
    plane.media.hold(calls[0], vec![Clip::Tone { hz: 1100, ms: 60_000 }]);
    is_near(levels(1000), [-99.0, -18.0, -15.0]);
    plane.media.resume(calls[0]);
    is_near(levels(1000), [-12.0, -18.0, -99.0]);
    plane.media.set_heard_by(calls[0], Some(vec![calls[1]]));
    is_near(levels(800), [-99.0, -18.0, -99.0]);
    plane.media.set_heard_by(calls[0], None);
    let options = PlayOptions { gain_db: -6.0, ..PlayOptions::default() };
    let list = vec![Clip::Tone { hz: 1100, ms: 4000 }];
    plane.media.play_with(PlayTo::Call(calls[0]), PlayId(1), list, options);
    is_near(levels(1000), [-12.0, -18.0, -21.0]);
}

/// Sounds of accounts in a database that does not answer until it is let; prompts are at hand.
#[derive(Debug, Default)]
struct SlowSounds {
    answers: Mutex<bool>,
    changed: Condvar,
    wav: Vec<u8>,
}

impl SlowSounds {
    fn answer(&self) {
        *self.answers.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

impl SoundSource for SlowSounds {
    fn prompt(&self, _language: &str, _name: &str) -> Option<&[u8]> {
        Some(&self.wav)
    }

    fn account_sound(&self, _: AccountId, _: &str, _: Option<u64>) -> Result<StoredSound, String> {
        let answers = self.answers.lock().unwrap();
        drop(self.changed.wait_while(answers, |answers| !*answers).unwrap());
        Ok(StoredSound::Changed { version: 1, bytes: self.wav.clone() })
    }
}

#[test]
fn prompts_do_not_wait_for_a_sound_that_is_being_read_and_what_follows_it_to_its_listener_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tone.wav");
    write_wav(&file, 16_000, 700.0);
    let wav = std::fs::read(&file).expect("written");
    let sounds = Arc::new(SlowSounds { wav, ..SlowSounds::default() });
    let (media, events) = MediaPlane::start_with(config(), sounds.clone()).expect("the plane starts");
    let mut plane = Plane { media, events, received: Vec::new() };
    let mut phones = [1, 2, 3].map(|call| plane.dial(call, call, Says::Nothing));
    let sound = || Clip::AccountSound { account: AccountId(7), name: "hello".to_owned() };
    let prompt = |name: &str| Clip::Prompt { language: "en".to_owned(), name: name.to_owned() };
    let to = |call| PlayTo::Call(MediaCallId(call));
    plane.media.play(to(1), PlayId(1), vec![prompt("before"), sound()], false);
    plane.media.hold(MediaCallId(3), vec![sound()]);
    plane.media.play(to(1), PlayId(2), vec![Clip::Tone { hz: 1100, ms: 100 }], false);
    plane.media.play(to(2), PlayId(3), vec![prompt("other")], false);
    let urgent = PlayOptions { urgent: true, ..PlayOptions::default() };
    plane.media.play_with(to(1), PlayId(4), vec![prompt("answer")], urgent);
    // One that is stopped before it was read is never heard.
    plane.media.play(to(2), PlayId(5), vec![sound()], true);
    plane.media.stop_play(PlayId(5));
    let mut all = phones.each_mut();
    talk_until(&mut plane, &mut all, "the prompts", |plane| finished(plane, 3) && finished(plane, 4));
    assert!(!finished(&plane, 1) && !finished(&plane, 2), "nothing overtakes what is being read");

    sounds.answer();
    talk_until(&mut plane, &mut all, "the rest", |plane| finished(plane, 1) && finished(plane, 2));
    let at =
        |id| plane.received.iter().position(|event| *event == MediaEvent::PlayFinished { id: PlayId(id) });
    assert!(at(2) < at(1), "a tone is heard over speech that has begun before it");
    assert!(all[2].level(700.0) > -30.0, "music on hold");
    talk(&mut all, 600);
    assert!(all[1].is_silent(), "what was stopped");
}
