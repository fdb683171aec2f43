//! Looks for telephone keys in raw samples of 16 bits at 8 kHz, as recorded speech and music have none:
//! `sox FILES… -t raw -r 8000 -c 1 -e signed -b 16 - | cargo run --release -p plenary-audio --example dtmf`. Prints what it
//! found and what that took. Exits with 1 if it found a key.

#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use plenary_audio::dtmf::{DtmfDetector, ToneEvent};
use std::{
    io::{self, Read},
    process::ExitCode,
    time::{Duration, Instant},
};

/// Samples of 20 ms.
const FRAME: usize = 160;

fn main() -> io::Result<ExitCode> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let (pairs, _) = bytes.as_chunks::<2>();
    let samples: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    let mut detector = DtmfDetector::new();
    let (mut keys, mut suspected, mut suspicions) = (0, 0_usize, 0_usize);
    let mut took = Duration::ZERO;
    for frame in samples.chunks(FRAME) {
        let was_suspected = detector.suspected_since().is_some();
        let before = Instant::now();
        detector.take(frame, |event| {
            if let ToneEvent::Began { key, start } = event {
                println!("key {key} at {:.3} s", start as f64 / 8000.0);
                keys += 1;
            }
        });
        took += before.elapsed();
        if detector.suspected_since().is_some() {
            suspected += 1;
            suspicions += usize::from(!was_suspected);
        }
    }
    let frames = samples.len().div_ceil(FRAME).max(1);
    println!(
        "{keys} keys in {:.1} minutes; {:.2} % of frames end suspected, {:.1} suspicions a minute; {:.2} µs for each frame of 20 ms",
        samples.len() as f64 / 8000.0 / 60.0,
        100.0 * suspected as f64 / frames as f64,
        suspicions as f64 / (samples.len() as f64 / 8000.0 / 60.0),
        took.as_secs_f64() * 1e6 / frames as f64,
    );
    Ok(if keys == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
