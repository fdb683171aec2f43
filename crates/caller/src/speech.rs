//! The audio that a caller sends, encoded once and repeated.

use crate::{
    CallerError,
    measure::{BURST_DBOV, BURST_HZ},
    wav,
};
use plenary_audio::{
    codec::{Codec, Encoder},
    level, opus,
    tone::ToneGenerator,
};
use plenary_rtp::extension::AudioLevel;
use std::{path::PathBuf, sync::Arc};

/// The audio that a caller sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Speech {
    /// Packets of digital silence.
    Silence,
    /// A sine.
    Tone {
        /// Frequency in Hz.
        hz: u16,
        /// Level in dBov.
        dbov: f32,
    },
    /// White noise.
    Noise {
        /// Level in dBov.
        dbov: f32,
    },
    /// A WAV file, repeated.
    Wav(PathBuf),
    /// The two tones of a telephone key (ITU-T Q.23).
    Key(char),
    /// A sine or silence, and in every half second a burst of 20 ms of another tone, which measures the delay. Calls in one
    /// conference may have their bursts at different places.
    Marked {
        /// Frequency in Hz and level in dBov of the sine; `None`: silence.
        tone: Option<(u16, f32)>,
        /// The place of the burst in the half second, in frames of 20 ms, 0 to 24.
        place: u64,
    },
}

/// Frames of 20 ms between bursts.
pub(crate) const BURST_FRAMES: u64 = 25;
/// Frames between the bursts of different talkers, so that they can be distinguished.
pub(crate) const BURST_APART_FRAMES: u64 = 8;

/// The level of each of a key's tones, in dBov.
const KEY_TONE_DBOV: f32 = -16.0;
/// A frame louder than this counts as voice, in -dBov.
const VOICE_LEVEL: u8 = 50;

/// Encoded frames that repeat without a seam.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    octets: Arc<[u8]>,
    /// End of each frame in `octets`.
    ends: Arc<[u32]>,
    /// Level of each frame, in -dBov, 0 to 127.
    levels: Arc<[u8]>,
    /// The place of the burst in every [`BURST_FRAMES`] frames; `None` without bursts.
    pub(crate) burst: Option<u64>,
}

impl Encoded {
    pub(crate) fn new(speech: &Speech, codec: Codec) -> Result<Self, CallerError> {
        let (rate, frame) = (codec.rate().hz(), codec.rate().frame());
        let samples = match speech {
            Speech::Silence => vec![0; 5 * frame],
            Speech::Tone { hz, dbov } => second_of_tone(rate, *hz, *dbov),
            Speech::Noise { dbov } => second_of_noise(rate, *dbov),
            Speech::Wav(path) => {
                let mut samples = wav::read(path, rate)?;
                let frames = samples.len().div_ceil(frame).max(1);
                samples.resize(frames * frame, 0);
                samples
            }
            Speech::Key(key) => {
                let [low, high] = plenary_audio::dtmf::tones_of(*key).ok_or(CallerError::Key(*key))?;
                let low = second_of_tone(rate, low as u16, KEY_TONE_DBOV);
                let high = second_of_tone(rate, high as u16, KEY_TONE_DBOV);
                low.iter().zip(high).map(|(low, high)| low.saturating_add(high)).collect()
            }
            Speech::Marked { tone, place } => {
                let mut samples = match tone {
                    Some((hz, dbov)) => second_of_tone(rate, *hz, *dbov),
                    None => vec![0; rate as usize],
                };
                // A burst has its full level from its first sample on.
                let burst = second_of_tone(rate, BURST_HZ, BURST_DBOV);
                for half in samples.chunks_mut(BURST_FRAMES as usize * frame) {
                    let marked = half.iter_mut().skip((place % BURST_FRAMES) as usize * frame);
                    for (sample, burst) in marked.zip(&burst[..frame]) {
                        *sample = sample.saturating_add(*burst);
                    }
                }
                samples
            }
        };
        // Encoders carry state: the second round can follow itself.
        let mut encoder = Encoder::new(codec, &opus::Settings::default());
        let (mut octets, mut ends, mut levels) = (Vec::new(), Vec::new(), Vec::new());
        let mut payload = [0; 1500];
        for round in 0..2 {
            for piece in samples.chunks(frame) {
                let length = encoder.encode(piece, &mut payload);
                if round == 1 {
                    octets.extend_from_slice(&payload[..length]);
                    ends.push(octets.len() as u32);
                    levels.push((-level::dbov(piece)).round() as u8);
                }
            }
        }
        let burst = match speech {
            Speech::Marked { place, .. } => Some(place % BURST_FRAMES),
            Speech::Silence
            | Speech::Tone { .. }
            | Speech::Noise { .. }
            | Speech::Wav(_)
            | Speech::Key(_) => None,
        };
        Ok(Self { octets: octets.into(), ends: ends.into(), levels: levels.into(), burst })
    }

    /// The payload of a frame of 20 ms; the frames repeat.
    pub(crate) fn frame(&self, index: u64) -> &[u8] {
        let place = (index % self.ends.len() as u64) as usize;
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.octets[start as usize..self.ends[place] as usize]
    }

    /// The audio level of a frame (RFC 6464); above [`VOICE_LEVEL`] it counts as voice.
    pub(crate) fn level(&self, index: u64) -> AudioLevel {
        let level = self.levels[(index % self.levels.len() as u64) as usize];
        AudioLevel { level, voice: level < VOICE_LEVEL }
    }
}

/// A second of a tone that repeats seamlessly: a whole number of periods, without the fade at its beginning.
fn second_of_tone(rate: u32, hz: u16, dbov: f32) -> Vec<i16> {
    let mut samples = vec![0; 2 * rate as usize];
    ToneGenerator::new(rate, f32::from(hz), dbov).fill(&mut samples);
    samples.split_off(rate as usize)
}

/// A second of white noise, the same each time.
fn second_of_noise(rate: u32, dbov: f32) -> Vec<i16> {
    // The mean square of uniformly distributed values is a third of the square of the largest.
    let peak = 32_768.0 * 10_f32.powf(dbov / 20.0) * 3_f32.sqrt();
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    (0..rate).map(|_| (next() * peak).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_state_their_level() {
        let encoded = |speech| Encoded::new(&speech, Codec::Opus).unwrap();
        let noise = encoded(Speech::Noise { dbov: -64.0 });
        for frame in 0..100 {
            let level = noise.level(frame);
            assert!((63..=65).contains(&level.level) && !level.voice, "{level:?}");
            assert!(noise.frame(frame).len() > 40, "noise is encoded in full");
        }
        let tone = encoded(Speech::Tone { hz: 440, dbov: -20.0 }).level(7);
        assert_eq!(
            tone,
            AudioLevel { level: 23, voice: true },
            "the mean square of a sine is 3 dB below its peak"
        );
        assert_eq!(encoded(Speech::Silence).level(0), AudioLevel { level: 127, voice: false });
    }
}
