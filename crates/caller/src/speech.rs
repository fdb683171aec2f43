//! What a caller says, encoded once and sent again and again.

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

/// What a caller says.
#[derive(Debug, Clone, PartialEq)]
pub enum Speech {
    /// Nothing: packets of silence.
    Silence,
    /// A tone.
    Tone {
        /// Frequency in Hz.
        hz: u16,
        /// Level in dBov.
        dbov: f32,
    },
    /// Noise, as of a quiet room.
    Noise {
        /// Level in dBov.
        dbov: f32,
    },
    /// A WAV file, from the beginning again when it ends.
    Wav(PathBuf),
    /// A tone, or silence, and over it 20 ms of the tone that the delay is measured with in every half second. All who
    /// are in a conference may be marked at different places.
    Marked {
        /// Frequency in Hz and level in dBov of what is marked.
        tone: Option<(u16, f32)>,
        /// When in the half second, in frames of 20 ms.
        place: u64,
    },
}

/// Frames of 20 ms from one burst to the next.
pub(crate) const BURST_FRAMES: u64 = 25;
/// Bursts of different talkers that are this many frames apart are told apart.
pub(crate) const BURST_APART_FRAMES: u64 = 8;

/// What is louder than this is taken for a voice, in dBov without the sign.
const VOICE_LEVEL: u8 = 50;

/// Encoded frames that repeat without a seam.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    octets: Arc<[u8]>,
    /// Where each frame ends.
    ends: Arc<[u32]>,
    /// How loud each was, from 0 to 127, in dBov without the sign.
    levels: Arc<[u8]>,
    /// Where in every [`BURST_FRAMES`] frames a burst is.
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
            Speech::Marked { tone, place } => {
                let mut samples = match tone {
                    Some((hz, dbov)) => second_of_tone(rate, *hz, *dbov),
                    None => vec![0; rate as usize],
                };
                // A burst is at full strength from its first sample on.
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
        // Encoders remember: the second time round is the one that follows itself.
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
            Speech::Silence | Speech::Tone { .. } | Speech::Noise { .. } | Speech::Wav(_) => None,
        };
        Ok(Self { octets: octets.into(), ends: ends.into(), levels: levels.into(), burst })
    }

    /// The payload of a 20 ms frame.
    pub(crate) fn frame(&self, index: u64) -> &[u8] {
        let place = (index % self.ends.len() as u64) as usize;
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.octets[start as usize..self.ends[place] as usize]
    }

    /// How loud it is; whatever is louder than the silence of a room counts as a voice.
    pub(crate) fn level(&self, index: u64) -> AudioLevel {
        let level = self.levels[(index % self.levels.len() as u64) as usize];
        AudioLevel { level, voice: level < VOICE_LEVEL }
    }
}

/// A second of a tone without a seam: it has a whole number of periods, and the fade at its beginning is cut off.
fn second_of_tone(rate: u32, hz: u16, dbov: f32) -> Vec<i16> {
    let mut samples = vec![0; 2 * rate as usize];
    ToneGenerator::new(rate, f32::from(hz), dbov).fill(&mut samples);
    samples.split_off(rate as usize)
}

/// A second of noise of all frequencies, the same each time.
fn second_of_noise(rate: u32, dbov: f32) -> Vec<i16> {
    // Of values that are spread evenly the mean square is a third of the largest's.
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
    fn packets_say_how_loud_they_are() {
        let encoded = |speech| Encoded::new(&speech, Codec::Opus).unwrap();
        let noise = encoded(Speech::Noise { dbov: -64.0 });
        for frame in 0..100 {
            let level = noise.level(frame);
            assert!((63..=65).contains(&level.level) && !level.voice, "{level:?}");
            assert!(noise.frame(frame).len() > 40, "noise takes its octets");
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
