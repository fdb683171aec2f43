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

/// The nearest integer, of two the even one, from -4,194,304 to 4,194,303, beyond which lies no sum that is heard. Compilers do not
/// compute `round` or `as` for several numbers at once; this they do.
#[must_use]
#[inline]
pub fn nearest(sample: f32) -> i32 {
    /// From here to its double floats are integers: adding it rounds, and its lower bits are the result.
    const INTEGERS: f32 = 12_582_912.0;
    // Not `clamp`, which takes care of what is not a number.
    let sample = if sample > 4_194_303.0 { 4_194_303.0 } else { sample };
    let sample = if sample < -4_194_304.0 { -4_194_304.0 } else { sample };
    let bits = (sample + INTEGERS).to_bits();
    bits.cast_signed() - INTEGERS.to_bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn numbers_become_the_nearest_integers_and_those_too_large_the_largest() {
        for tenths in -400_000..400_000 {
            let sample = tenths as f32 / 10.0;
            assert_eq!(nearest(sample), sample.round_ties_even() as i32, "{sample}");
        }
        for (sample, integer) in [(4_194_303.0, 4_194_303), (1e9, 4_194_303), (-1e9, -4_194_304)] {
            assert_eq!(nearest(sample), integer, "{sample}");
        }
    }
}
