//! The recorder as a whole: feeds in real threads, files on a disk.

use plenary_audio::{codec::Rate, goertzel::power_dbov, tone::ToneGenerator};
use plenary_model::{
    RecordedTracks, RecordingEnd, RecordingFormat, RecordingManifest, RecordingSettings, RecordingState,
};
use plenary_recording::{
    Archive, Feed, Keys, Note, OpenError, OpenRequest, Recorder, RecorderConfig, RecorderEvent, SYNC_EVERY,
    TrackSource,
};
use std::{
    fs,
    io::Read,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

const SAMPLES_OF_TICK: usize = 960;

fn config(folder: &Path) -> RecorderConfig {
    RecorderConfig {
        folder: folder.to_owned(),
        keep_free_bytes: 0,
        opus_bitrate: 24_000,
        sync_every: SYNC_EVERY,
        threads: 2,
        keys: Keys::none(),
        transcribes: false,
    }
}

fn start(config: RecorderConfig) -> (Recorder, Receiver<RecorderEvent>) {
    let (events, received) = channel();
    let on_event = move |event| drop(events.send(event));
    (Recorder::start(config, Arc::new(on_event)).expect("it starts"), received)
}

fn request(tracks: RecordedTracks, format: RecordingFormat) -> OpenRequest {
    OpenRequest {
        account: 3,
        conference: "Board".to_owned(),
        settings: RecordingSettings { tracks, format, announce: true },
        continues: None,
        is_paused: false,
    }
}

fn ended(events: &Receiver<RecorderEvent>) -> RecordingManifest {
    loop {
        match events.recv_timeout(Duration::from_secs(20)).expect("the recording ends") {
            RecorderEvent::Ended(manifest) => return *manifest,
            RecorderEvent::Failing { .. } | RecorderEvent::Lost { .. } => {}
        }
    }
}

fn play(archive: &Archive, manifest: &RecordingManifest, track: u32) -> Vec<i16> {
    let bytes = read(archive, manifest, track);
    plenary_sounds::read(&bytes, &plenary_sounds::Limits::UPLOAD).expect("it plays").samples
}

fn read(archive: &Archive, manifest: &RecordingManifest, track: u32) -> Vec<u8> {
    let file = archive.track(manifest, track).expect("it can be opened").expect("the track is there");
    let mut bytes = Vec::new();
    file.reader().read_to_end(&mut bytes).expect("it can be read");
    bytes
}

/// A participant who talks from one tick to another, at a rate of their own.
struct Talker {
    call: u64,
    rate: Rate,
    hz: f32,
    ticks: std::ops::Range<u64>,
}

fn talk(feed: &mut Feed, talkers: &[Talker], ticks: u64) {
    let mut tones: Vec<_> =
        talkers.iter().map(|talker| ToneGenerator::new(talker.rate.hz(), talker.hz, -12.0)).collect();
    for tick in 0..ticks {
        for (talker, tone) in talkers.iter().zip(&mut tones) {
            if talker.ticks.contains(&tick) {
                let mut frame = vec![0; talker.rate.frame()];
                tone.fill(&mut frame);
                feed.push(TrackSource::Call(talker.call), talker.rate, &frame);
            }
        }
        assert!(feed.end_tick());
        if tick % 25 == 0 {
            // The recorder looks every 60 ms and has two seconds.
            thread::sleep(Duration::from_millis(40));
        }
    }
}

fn begins(samples: &[i16]) -> f32 {
    samples.iter().position(|sample| sample.unsigned_abs() > 1000).expect("it is heard") as f32 / 48.0
}

#[test]
fn separate_tracks_begin_at_one_moment_and_are_aligned_within_20_ms() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in [RecordingFormat::Opus, RecordingFormat::Wav] {
        let (recorder, events) = start(config(folder.path()));
        let (manifest, mut feed) =
            recorder.open(request(RecordedTracks::Separate, format)).expect("it begins");
        let joined = |call, name: &str| Note::Joined {
            call,
            participant_id: format!("p{call}"),
            display_name: Some(name.to_owned()),
        };
        recorder.note(&manifest.id, &joined(1, "Ann"));
        recorder.note(&manifest.id, &joined(2, "Bo"));
        recorder.note(&manifest.id, &Note::Told { participant_id: "p2".to_owned() });
        let talkers = [
            Talker { call: 1, rate: Rate::Narrow, hz: 400.0, ticks: 0..150 },
            Talker { call: 2, rate: Rate::Full, hz: 930.0, ticks: 100..200 },
            Talker { call: 9, rate: Rate::Wide, hz: 1790.0, ticks: 100..110 },
        ];
        talk(&mut feed, &talkers, 200);
        drop(feed);
        let manifest = ended(&events);
        assert_eq!(
            (manifest.state, manifest.end_reason),
            (RecordingState::Finished, Some(RecordingEnd::Stopped))
        );
        assert_eq!((manifest.duration_ms, manifest.lost_ms, manifest.tracks.len()), (4000, 0, 3));
        let of =
            |call: &str| manifest.tracks.iter().find(|track| track.participant_id.as_deref() == Some(call));
        let [first, second] = [of("p1").expect("its track"), of("p2").expect("its track")];
        assert_eq!((first.offset_ms, second.offset_ms), (0, 2000));
        let [ann, bo] = [&manifest.participants[0], &manifest.participants[1]];
        assert_eq!((ann.told_at_ms, ann.display_name.as_deref()), (None, Some("Ann")));
        assert!(bo.told_at_ms.is_some_and(|told| told >= bo.joined_at_ms));
        let archive = recorder.archive();
        let tracks: Vec<_> =
            manifest.tracks.iter().map(|track| play(archive, &manifest, track.number)).collect();
        assert!(tracks.iter().all(|samples| samples.len() == 200 * SAMPLES_OF_TICK), "all are as long");
        let late: Vec<_> = tracks.iter().map(|samples| begins(samples)).collect();
        let [ann, bo, third] = late[..] else { panic!("three tracks") };
        assert!(ann < 20.0, "{ann} ms");
        assert!((bo - 2000.0).abs() < 10.0 && (bo - third).abs() < 10.0, "{bo} ms, {third} ms");
        let level = power_dbov(&tracks[1][110 * SAMPLES_OF_TICK..190 * SAMPLES_OF_TICK], 48_000, 930.0);
        assert!((level + 12.0).abs() < 0.6, "{level} dBov");
        // What the manifest says is what lies there.
        let stored = archive.manifest(3, &manifest.id).expect("it can be read").expect("it is there");
        assert_eq!(stored, manifest);
        for track in &manifest.tracks {
            let bytes = read(archive, &manifest, track.number);
            assert_eq!(bytes.len() as u64, track.bytes);
            let sha256: String = sha2(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(track.sha256.as_ref(), Some(&sha256));
        }
        archive.delete(3, &manifest.id).expect("it is deleted");
        archive.delete(3, &manifest.id).expect("once more is no error");
        assert_eq!(archive.manifest(3, &manifest.id).expect("no error"), None);
        recorder.shutdown();
    }
}

fn sha2(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).to_vec()
}

#[test]
fn what_finds_no_box_becomes_silence_of_the_same_length_and_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recorder, events) = start(config(folder.path()));
    let (_, mut feed) =
        recorder.open(request(RecordedTracks::Mixed, RecordingFormat::Opus)).expect("it begins");
    let mut tone = ToneGenerator::new(8000, 400.0, -12.0);
    // Half a minute at once: there are boxes for five seconds, and a few more where the machine is busy and they are emptied meanwhile.
    for _ in 0..1500 {
        let mut frame = [0; 160];
        tone.fill(&mut frame);
        feed.push(TrackSource::Mix, Rate::Narrow, &frame);
        assert!(feed.end_tick());
    }
    thread::sleep(Duration::from_millis(500));
    for _ in 0..100 {
        let mut frame = [0; 160];
        tone.fill(&mut frame);
        feed.push(TrackSource::Mix, Rate::Narrow, &frame);
        assert!(feed.end_tick());
    }
    drop(feed);
    let mut lost = 0;
    let manifest = loop {
        match events.recv_timeout(Duration::from_secs(20)).expect("the recording ends") {
            RecorderEvent::Lost { ms, .. } => lost += ms,
            RecorderEvent::Ended(manifest) => break manifest,
            RecorderEvent::Failing { .. } => panic!("it does not fail"),
        }
    };
    assert_eq!(manifest.duration_ms, 32_000);
    assert!(lost > 1000 && lost == manifest.lost_ms, "{lost} ms of {}", manifest.lost_ms);
    let samples = play(recorder.archive(), &manifest, 1);
    assert_eq!(samples.len(), 1600 * SAMPLES_OF_TICK);
    let level = |ticks: std::ops::Range<usize>| {
        power_dbov(&samples[ticks.start * SAMPLES_OF_TICK..ticks.end * SAMPLES_OF_TICK], 48_000, 400.0)
    };
    assert!((level(1510..1590) + 12.0).abs() < 0.6, "the end is where it belongs");
    let silent = (0..1600).filter(|tick| level(*tick..tick + 1) < -40.0).count();
    let lost_ticks = (lost / 20) as usize;
    // At the edges of a hole a tick is neither.
    assert!(silent.abs_diff(lost_ticks) <= 10, "{silent} ticks are silent, {lost_ticks} were lost");
}

#[test]
fn where_too_little_space_is_left_no_recording_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recorder, _events) = start(RecorderConfig { keep_free_bytes: u64::MAX, ..config(folder.path()) });
    let refused = recorder.open(request(RecordedTracks::Mixed, RecordingFormat::Opus)).map(|_| ());
    assert!(matches!(refused, Err(OpenError::StorageFull { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[test]
fn the_manifest_of_one_that_runs_follows_what_is_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recorder, _events) =
        start(RecorderConfig { sync_every: Duration::from_millis(50), ..config(folder.path()) });
    let (begun, mut feed) =
        recorder.open(request(RecordedTracks::Mixed, RecordingFormat::Wav)).expect("it begins");
    let shown_ms = || {
        let manifest = recorder.archive().manifest(3, &begun.id).expect("it can be read");
        manifest.expect("it is there").duration_ms
    };
    for seconds in 1..=3 {
        for _ in 0..50 {
            feed.push(TrackSource::Mix, Rate::Narrow, &[1000; 160]);
            assert!(feed.end_tick());
        }
        let began = Instant::now();
        while shown_ms() != seconds * 1000 {
            assert!(began.elapsed() < Duration::from_secs(20), "{} ms of {seconds} s", shown_ms());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_shutdown_completes_what_runs_and_a_pause_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recorder, events) = start(config(folder.path()));
    let (manifest, mut feed) =
        recorder.open(request(RecordedTracks::Separate, RecordingFormat::Wav)).expect("it begins");
    let talkers = |ticks| [Talker { call: 1, rate: Rate::Narrow, hz: 400.0, ticks }];
    talk(&mut feed, &talkers(0..50), 50);
    feed.set_paused(true);
    recorder.note(&manifest.id, &Note::Paused(true));
    talk(&mut feed, &talkers(0..50), 50);
    feed.set_paused(false);
    recorder.note(&manifest.id, &Note::Paused(false));
    talk(&mut feed, &talkers(0..50), 50);
    // The recorder has looked by then, for it looks once more before it ends.
    recorder.shutdown();
    let manifest = ended(&events);
    assert_eq!((manifest.duration_ms, manifest.state), (2000, RecordingState::Finished));
    let [pause] = &manifest.pauses[..] else { panic!("one pause: {:?}", manifest.pauses) };
    assert!(pause.ended_at_ms.is_some_and(|ended| ended >= pause.began_at_ms));
    assert_eq!(play(recorder.archive(), &manifest, 1).len(), 100 * SAMPLES_OF_TICK);
    assert!(!feed.end_tick() || (0..10).any(|_| !feed.end_tick()), "the media thread learns that it is over");
}

#[test]
fn one_that_begins_paused_has_nothing_that_was_said_before_it_is_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recorder, events) = start(config(folder.path()));
    let paused = OpenRequest { is_paused: true, ..request(RecordedTracks::Separate, RecordingFormat::Wav) };
    let (manifest, mut feed) = recorder.open(paused).expect("it begins");
    assert!(manifest.is_paused() && feed.is_paused());
    let talker = |hz, ticks| [Talker { call: 1, rate: Rate::Narrow, hz, ticks }];
    talk(&mut feed, &talker(930.0, 0..50), 50);
    feed.set_paused(false);
    recorder.note(&manifest.id, &Note::Paused(false));
    talk(&mut feed, &talker(400.0, 0..50), 50);
    drop(feed);
    let manifest = ended(&events);
    assert_eq!(manifest.duration_ms, 1000);
    let [pause] = &manifest.pauses[..] else { panic!("one pause: {:?}", manifest.pauses) };
    assert!(pause.at_ms == 0 && pause.ended_at_ms.is_some() && !manifest.is_paused());
    let samples = play(recorder.archive(), &manifest, 1);
    let level = |hz| power_dbov(&samples[..40 * SAMPLES_OF_TICK], 48_000, hz);
    assert!((level(400.0) + 12.0).abs() < 0.6 && level(930.0) < -60.0);
}

/// As a crash leaves one that was stopped and whose files are being read for their hashes: its manifest has the end, and no hashes.
#[test]
fn one_that_had_ended_before_a_crash_keeps_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    for reason in [RecordingEnd::Stopped, RecordingEnd::TooLong] {
        let (recorder, events) = start(config(folder.path()));
        let (begun, mut feed) =
            recorder.open(request(RecordedTracks::Separate, RecordingFormat::Opus)).expect("it begins");
        talk(&mut feed, &[Talker { call: 1, rate: Rate::Narrow, hz: 400.0, ticks: 0..50 }], 50);
        drop(feed);
        let whole = ended(&events);
        recorder.shutdown();
        let mut unfinished =
            RecordingManifest { state: RecordingState::Running, end_reason: Some(reason), ..whole.clone() };
        unfinished.tracks.iter_mut().for_each(|track| (track.bytes, track.sha256) = (0, None));
        let path = folder.path().join("3").join(&begun.id).join("manifest.json");
        fs::write(path, serde_json::to_vec(&unfinished).expect("JSON")).expect("written");
        let archive = Archive::new(folder.path().to_owned(), Keys::none(), false);
        let state = match reason {
            RecordingEnd::Stopped => RecordingState::Finished,
            _ => RecordingState::Failed,
        };
        let expected = RecordingManifest { state, end_reason: Some(reason), ..whole };
        assert_eq!(archive.repair(), [expected], "also its hashes: the files were whole");
        assert!(archive.repair().is_empty());
    }
}

#[test]
fn what_was_decrypted_of_a_recording_goes_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = Keys::parse(&"5a".repeat(32)).expect("a key");
    let (recorder, events) = start(RecorderConfig { keys, ..config(folder.path()) });
    let (_, mut feed) =
        recorder.open(request(RecordedTracks::Separate, RecordingFormat::Opus)).expect("it begins");
    talk(&mut feed, &[Talker { call: 1, rate: Rate::Narrow, hz: 400.0, ticks: 0..50 }], 50);
    drop(feed);
    let manifest = ended(&events);
    let archive = recorder.archive();
    let work = archive.transcript_work(&manifest).expect("it is decrypted");
    assert!(work.tracks[0].exists() && archive.has(3, &manifest.id));
    archive.delete(3, &manifest.id).expect("it is deleted");
    assert!(!work.tracks[0].exists() && !archive.has(3, &manifest.id), "while its transcript is being made");
    assert!(archive.transcript_work(&manifest).is_err());
}

#[test]
fn what_a_part_goes_on_with_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recorder, _events) = start(config(folder.path()));
    let (first, _feed) =
        recorder.open(request(RecordedTracks::Mixed, RecordingFormat::Opus)).expect("it begins");
    let continues = Some((first.id.clone(), first.part));
    let next = OpenRequest { continues, ..request(RecordedTracks::Mixed, RecordingFormat::Opus) };
    let (second, _feed) = recorder.open(next).expect("it begins");
    assert_eq!((first.part, second.part, second.continues.as_ref()), (1, 2, Some(&first.id)));
    assert!(second.id > first.id && plenary_recording::is_id(&second.id), "ids sort by time");
}
