//! Signal processing for a conference bridge: codecs, levels, tones, telephone keys, loss concealment, mixing, gain control, noise
//! suppression, echo detection.
//!
//! Samples are 16-bit linear, sums 32-bit. After construction nothing here allocates; nothing reads a clock or opens
//! a file. A frame is 20 ms unless a function says otherwise.

#![deny(unsafe_code)]

pub mod agc;
pub mod bus;
pub mod cng;
pub mod codec;
pub mod denoise;
pub mod dtmf;
pub mod echo;
pub mod g711;
pub mod g722;
pub mod goertzel;
pub mod level;
pub mod limit;
pub mod opus;
pub mod plc;
mod rate;
pub mod repair;
pub mod resample;
pub mod spoken;
pub mod tempo;
pub mod tone;

/// Length of a frame in milliseconds, the tick of the whole bridge.
pub const FRAME_MS: u32 = 20;
/// Samples of a frame at 8 kHz.
pub const FRAME_SAMPLES_8K: usize = 160;

/// The linear factor of a gain in decibels.
#[must_use]
pub fn linear(db: f32) -> f32 {
    10_f32.powf(db / 20.0)
}
