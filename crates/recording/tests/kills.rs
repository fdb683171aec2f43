//! The process that records is killed at any moment; what is left is repaired and plays up to the last second.

use plenary_audio::{codec::Rate, goertzel::power_dbov, tone::ToneGenerator};
use plenary_model::{RecordedTracks, RecordingFormat, RecordingSettings, RecordingState};
use plenary_recording::{Archive, Keys, OpenRequest, Recorder, RecorderConfig, SYNC_EVERY, TrackSource};
use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// Where the process that is killed records into.
const FOLDER: &str = "PLENARY_TEST_RECORD_INTO";
/// The key by which it encrypts, if it does.
const KEY: &str = "PLENARY_TEST_RECORD_KEY";
/// How often it is killed; `make soak` does so a hundred times.
const KILLS: &str = "PLENARY_TEST_KILLS";
/// What may be missing: a page of 200 ms, a look every 60 ms, and the scheduling of a busy machine.
const MISSING_MS_MAX: u64 = 1000;

/// Not a test by itself: it is started by the one below, records until it is killed, and says for how long it has.
#[test]
#[ignore = "it runs until it is killed"]
fn records_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let keys = env::var(KEY).map_or(Keys::none(), |key| Keys::parse(&key).expect("a key"));
    let config = RecorderConfig {
        folder: folder.into(),
        keep_free_bytes: 0,
        opus_bitrate: 24_000,
        sync_every: SYNC_EVERY,
        threads: 1,
        keys,
        transcribes: false,
    };
    let recorder = Recorder::start(config, Arc::new(|_| {})).expect("it starts");
    let mut feeds = Vec::new();
    for (tracks, format) in [
        (RecordedTracks::Mixed, RecordingFormat::Opus),
        (RecordedTracks::Mixed, RecordingFormat::Wav),
        (RecordedTracks::Separate, RecordingFormat::Opus),
    ] {
        let request = OpenRequest {
            account: 1,
            conference: "Killed".to_owned(),
            settings: RecordingSettings { tracks, format, announce: false },
            continues: None,
            is_paused: false,
        };
        let (_, feed) = recorder.open(request).expect("it begins");
        feeds.push((tracks, feed));
    }
    let mut tone = ToneGenerator::new(8000, 400.0, -12.0);
    let began = Instant::now();
    for tick in 1_u64.. {
        let mut frame = [0; 160];
        tone.fill(&mut frame);
        for (tracks, feed) in &mut feeds {
            let sources = match tracks {
                RecordedTracks::Mixed => &[TrackSource::Mix][..],
                RecordedTracks::Separate => &[TrackSource::Call(1), TrackSource::Call(2)],
            };
            sources.iter().for_each(|source| feed.push(*source, Rate::Narrow, &frame));
            assert!(feed.end_tick());
        }
        writeln!(std::io::stdout(), "fed {}", tick * 20).expect("a pipe");
        std::thread::sleep(
            (began + Duration::from_millis(tick * 20)).saturating_duration_since(Instant::now()),
        );
    }
}

/// Kills a recording process after so long. How much it had recorded by then, in milliseconds.
fn record_and_kill(folder: &Path, key: Option<&str>, after: Duration) -> u64 {
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "records_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .envs(key.map(|key| (KEY, key)))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    let fed = |line: &str| line.trim().strip_prefix("fed ")?.parse::<u64>().ok();
    let (mut line, mut last) = (String::new(), 0);
    let mut until = None;
    while until.is_none_or(|until| Instant::now() < until) {
        line.clear();
        assert!(lines.read_line(&mut line).expect("it talks") > 0, "it has ended by itself");
        if let Some(fed) = fed(&line) {
            last = fed;
            until.get_or_insert_with(|| Instant::now() + after);
        }
    }
    child.kill().expect("it runs");
    child.wait().expect("it has ended");
    let mut rest = String::new();
    let _ = lines.read_to_string(&mut rest);
    rest.lines().filter_map(fed).next_back().unwrap_or(last)
}

#[test]
fn files_play_up_to_the_last_second_whenever_the_process_is_killed() {
    let kills: u32 = env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(10);
    let mut state = u64::from(std::process::id());
    for kill in 0..kills {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let after = Duration::from_millis((state >> 33) % 2500);
        let folder = tempfile::tempdir().expect("a folder");
        // Every second time with a key.
        let key = (kill % 2 == 1).then(|| "5a".repeat(32));
        let keys = key.as_deref().map_or(Keys::none(), |key| Keys::parse(key).expect("a key"));
        let fed_ms = record_and_kill(folder.path(), key.as_deref(), after);
        let archive = Archive::new(folder.path().to_owned(), keys, false);
        let repaired = archive.repair();
        assert_eq!(repaired.len(), 3, "kill {kill} after {after:?}");
        for manifest in &repaired {
            let what = format!(
                "kill {kill} after {after:?}, {key:?}, {:?} {:?}: {} of {fed_ms} ms",
                manifest.tracks_kind, manifest.format, manifest.duration_ms
            );
            assert_eq!(manifest.state, RecordingState::Interrupted, "{what}");
            assert!(
                manifest.duration_ms <= fed_ms && manifest.duration_ms + MISSING_MS_MAX >= fed_ms,
                "{what}"
            );
            for track in &manifest.tracks {
                let file = archive.track(manifest, track.number).expect("it opens").expect("it is there");
                if manifest.duration_ms < 400 {
                    continue;
                }
                let mut bytes = Vec::new();
                file.reader().read_to_end(&mut bytes).expect("it can be read");
                let played = plenary_sounds::read(&bytes, &plenary_sounds::Limits::UPLOAD);
                let samples = played.unwrap_or_else(|error| panic!("{what}: {error}")).samples;
                assert!(samples.len() as u64 / 48 + 20 >= manifest.duration_ms - 200, "{what}");
                let level = power_dbov(&samples[samples.len() / 2..samples.len() - 480], 48_000, 400.0);
                assert!((level + 12.0).abs() < 1.0, "{what}: {level} dBov");
            }
        }
        assert!(archive.repair().is_empty(), "nothing is left to repair");
    }
}
