//! A disk that is full ends a recording with what there was room for, in each format, encrypted or not.

use plenary_audio::{codec::Rate, goertzel::power_dbov, tone::ToneGenerator};
use plenary_model::{
    RecordedTracks, RecordingEnd, RecordingFailure, RecordingFormat, RecordingManifest, RecordingSettings,
    RecordingState,
};
use plenary_recording::{
    Keys, OpenRequest, Recorder, RecorderConfig, RecorderEvent, SYNC_EVERY, TrackSource,
};
use std::{
    env,
    io::Read,
    path::Path,
    process::Command,
    sync::{Arc, mpsc::channel},
    time::Duration,
};

/// The small disk.
const FOLDER: &str = "PLENARY_TEST_SMALL_DISK";
/// Room for its last manifest, and for some seconds of Opus.
const BYTES: &str = "size=180k";
/// Less than what is free once a recording has begun there.
const KEPT_FREE: u64 = 72 * 1024;
/// Each recording takes so much for its last manifest, and gives it back.
const GIVEN_BACK: u64 = 64 * 1024;

/// The disk is in memory, and seen by the test below alone: no other process has it, and it goes with it.
#[test]
fn a_full_disk_leaves_files_that_play_to_the_last_page_in_each_format_and_encrypted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mounts = format!("mount -t tmpfs -o {BYTES} tmpfs \"${FOLDER}\" && exec \"$@\"");
    let ran = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &mounts, "sh"])
        .arg(env::current_exe().expect("this program"))
        .args(["--exact", "on_a_small_disk", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .expect("unshare of util-linux");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("1 passed"), "on a small disk: {said}");
}

/// Not a test by itself: it is started by the one above, which gives it a small disk.
#[test]
#[ignore = "it needs a small disk"]
fn on_a_small_disk() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let key = Keys::parse(&"5a".repeat(32)).expect("a key");
    for format in [RecordingFormat::Opus, RecordingFormat::Wav] {
        for keys in [Keys::none(), key.clone()] {
            fill(Path::new(&folder), format, keys, 0);
        }
    }
    fill(Path::new(&folder), RecordingFormat::Opus, Keys::none(), KEPT_FREE);
}

/// Until the recording ends, because the disk has no more than is kept free.
fn fill(folder: &Path, format: RecordingFormat, keys: Keys, keep_free_bytes: u64) {
    let what = format!("{format:?} {keys:?}, {keep_free_bytes} octets kept free");
    let (events, received) = channel();
    let config = RecorderConfig {
        folder: folder.to_owned(),
        keep_free_bytes,
        opus_bitrate: 32_000,
        sync_every: if keep_free_bytes > 0 { Duration::from_millis(50) } else { SYNC_EVERY },
        threads: 1,
        keys,
        transcribes: false,
    };
    let on_event = move |event| drop(events.send(event));
    let recorder = Recorder::start(config, Arc::new(on_event)).expect("it starts");
    let request = OpenRequest {
        account: 1,
        conference: "Board".to_owned(),
        settings: RecordingSettings { tracks: RecordedTracks::Mixed, format, announce: false },
        continues: None,
        is_paused: false,
    };
    let (begun, mut feed) = recorder.open(request).expect("there is room for its beginning");
    let mut tone = ToneGenerator::new(8000, 400.0, -12.0);
    let mut seconds = 0;
    loop {
        for _ in 0..25 {
            let mut frame = [0; 160];
            tone.fill(&mut frame);
            feed.push(TrackSource::Mix, Rate::Narrow, &frame);
            feed.end_tick();
        }
        // The recorder looks every 60 ms, and has boxes for five seconds.
        match received.recv_timeout(Duration::from_millis(70)) {
            Err(_) => seconds += 1,
            Ok(RecorderEvent::Failing { id, failure }) => {
                assert_eq!((id, failure), (begun.id.clone(), RecordingFailure::StorageFull), "{what}");
                break;
            }
            Ok(other) => panic!("{what}: {other:?}"),
        }
        assert!(seconds < 200, "{what}: the disk is never full");
    }
    let manifest = match received.recv_timeout(Duration::from_secs(20)).expect("it ends") {
        RecorderEvent::Ended(manifest) => *manifest,
        other => panic!("{what}: {other:?}"),
    };
    assert_eq!(
        (manifest.state, manifest.end_reason),
        (RecordingState::Failed, Some(RecordingEnd::StorageFull)),
        "{what}"
    );
    let free = plenary_net::free_bytes(folder).expect("it is known");
    assert!(keep_free_bytes == 0 || free > keep_free_bytes + GIVEN_BACK / 2, "{what}: {free} are free");
    let archive = recorder.archive();
    // There was room for the last manifest.
    let stored = archive.manifest(1, &manifest.id).expect("it can be read").expect("it is there");
    assert_eq!(stored, manifest, "{what}");
    assert!(manifest.duration_ms > 400, "{what}: {manifest:?}");
    let samples = play(archive, &manifest);
    assert!(samples.len().abs_diff(manifest.duration_ms as usize * 48) <= 960, "{what}: {manifest:?}");
    let last = &samples[samples.len() - 12_000..samples.len() - 480];
    let level = power_dbov(last, 48_000, 400.0);
    assert!((level + 12.0).abs() < 1.0, "{what}: {level} dBov in the last quarter of a second");
    archive.delete(1, &manifest.id).expect("there is room again");
    recorder.shutdown();
}

fn play(archive: &plenary_recording::Archive, manifest: &RecordingManifest) -> Vec<i16> {
    let file = archive.track(manifest, 1).expect("it opens").expect("it is there");
    let mut bytes = Vec::new();
    file.reader().read_to_end(&mut bytes).expect("it can be read");
    plenary_sounds::read(&bytes, &plenary_sounds::Limits::UPLOAD).expect("it plays").samples
}
