//! What recording costs: `cargo run --release -p plenary-recording --example recording_cost`.
//!
//! Feeds a minute of noise like speech, faster than real time, and prints the share of a core that it would need in
//! real time. What the media thread does for it, one copy for each frame, is not among it.
#![allow(clippy::print_stdout, clippy::float_cmp)]

use plenary_audio::codec::Rate;
use plenary_model::{RecordedTracks, RecordingFormat, RecordingSettings};
use plenary_recording::{
    Keys, OpenRequest, Recorder, RecorderConfig, RecorderEvent, SYNC_EVERY, TrackSource,
};
use std::{fs, sync::mpsc::channel, time::Duration};

const SECONDS: u64 = 60;

fn main() {
    println!("| recording | share of a core |\n|---|---|");
    for (name, tracks, format, rate, talkers) in [
        ("mixed, Opus, 48 kHz", RecordedTracks::Mixed, RecordingFormat::Opus, Rate::Full, 1),
        ("mixed, Opus, 8 kHz", RecordedTracks::Mixed, RecordingFormat::Opus, Rate::Narrow, 1),
        ("mixed, WAV, 48 kHz", RecordedTracks::Mixed, RecordingFormat::Wav, Rate::Full, 1),
        (
            "20 tracks, Opus, 3 talk at a time, 8 kHz",
            RecordedTracks::Separate,
            RecordingFormat::Opus,
            Rate::Narrow,
            3,
        ),
        (
            "20 tracks, Opus, all talk all the time, 8 kHz",
            RecordedTracks::Separate,
            RecordingFormat::Opus,
            Rate::Narrow,
            20,
        ),
        (
            "20 tracks, Opus, all talk all the time, 48 kHz",
            RecordedTracks::Separate,
            RecordingFormat::Opus,
            Rate::Full,
            20,
        ),
        (
            "20 tracks, WAV, all talk all the time, 8 kHz",
            RecordedTracks::Separate,
            RecordingFormat::Wav,
            Rate::Narrow,
            20,
        ),
    ] {
        let share = measure(tracks, format, rate, talkers);
        println!("| {name} | {:.1} % |", share * 100.0);
    }
}

fn measure(tracks: RecordedTracks, format: RecordingFormat, rate: Rate, talkers: u64) -> f64 {
    let folder = std::env::temp_dir().join(format!("plenary-recording-cost-{}", std::process::id()));
    let (events, received) = channel();
    let config = RecorderConfig {
        folder: folder.clone(),
        keep_free_bytes: 0,
        opus_bitrate: 32_000,
        sync_every: SYNC_EVERY,
        threads: 1,
        keys: Keys::none(),
        transcribes: false,
    };
    let on_event = move |event| drop(events.send(event));
    let recorder = Recorder::start(config, std::sync::Arc::new(on_event)).expect("it starts");
    let request = OpenRequest {
        account: 1,
        conference: "Cost".into(),
        settings: RecordingSettings { tracks, format, announce: false },
        continues: None,
        is_paused: false,
    };
    let (_, mut feed) = recorder.open(request).expect("it begins");
    let mut random = 1_u32;
    let mut frame = vec![0_i16; rate.frame()];
    let began = cpu_seconds();
    for tick in 0..SECONDS * 50 {
        // Syllables: half a second of noise, a short pause.
        let loud = if tick % 30 < 25 { 3000 } else { 60 };
        for sample in &mut frame {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = ((random >> 16) as i32 % (2 * loud) - loud) as i16;
        }
        // At first each is heard once, so that there are 20 tracks.
        let first = if tick == 0 { 0 } else { tick / 150 * talkers };
        let count = if tick == 0 { 20 } else { talkers };
        match tracks {
            RecordedTracks::Mixed => feed.push(TrackSource::Mix, rate, &frame),
            RecordedTracks::Separate => {
                (first..first + count).for_each(|call| feed.push(TrackSource::Call(call % 20), rate, &frame));
            }
        }
        assert!(feed.end_tick(), "the recorder goes on");
        if tick % 50 == 49 {
            wait_for_rest();
        }
    }
    drop(feed);
    let lost = loop {
        match received.recv().expect("the recording ends") {
            RecorderEvent::Ended(manifest) => break manifest.lost_ms,
            RecorderEvent::Failing { .. } | RecorderEvent::Lost { .. } => {}
        }
    };
    let used = cpu_seconds() - began;
    recorder.shutdown();
    let _ = fs::remove_dir_all(folder);
    assert_eq!(lost, 0, "fed too fast to measure");
    used / SECONDS as f64
}

/// Until what was fed is written, however busy the machine is.
fn wait_for_rest() {
    let mut before = f64::NAN;
    while cpu_seconds() != before {
        before = cpu_seconds();
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// User and system time of this process, in seconds (proc(5)).
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks =
        |number: usize| fields.split_whitespace().nth(number).and_then(|field| field.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}
