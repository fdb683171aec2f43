//! Suppresses noise in 16-bit raw samples: `denoise 8000|16000|48000 <in >out`. Prints its cost to standard error, in
//! percent of a core during speech.
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "an example measures time and says so")]

use plenary_audio::{codec::Rate, denoise::Denoiser};
use std::io::{self, Read, Write};
use std::time::Instant;

fn main() -> io::Result<()> {
    let hz = std::env::args().nth(1).unwrap_or_default();
    let rate = Rate::ALL.into_iter().find(|rate| rate.hz().to_string() == hz);
    let rate = rate.ok_or_else(|| io::Error::other("usage: denoise 8000|16000|48000 <in >out"))?;
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let mut samples: Vec<i16> =
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let mut denoiser = Denoiser::new(rate);
    let began = Instant::now();
    samples.chunks_exact_mut(rate.frame()).for_each(|frame| denoiser.run(frame));
    let seconds = samples.len() as f64 / f64::from(rate.hz());
    eprintln!("{:.3} % of a processor", began.elapsed().as_secs_f64() / seconds * 100.0);
    let out: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    io::stdout().lock().write_all(&out)
}
