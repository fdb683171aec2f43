//! What a caller says, encoded once and sent again and again.

use crate::{CallerError, wav};
use plenary_audio::{
    codec::{Codec, Encoder},
    opus,
    tone::ToneGenerator,
};
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
    /// A WAV file, from the beginning again when it ends.
    Wav(PathBuf),
    /// Silence but for 20 ms of a tone in every half second: what the delay is measured with.
    Bursts {
        /// Frequency in Hz.
        hz: u16,
        /// Level in dBov.
        dbov: f32,
    },
}

/// Frames of 20 ms from one burst to the next.
pub(crate) const BURST_FRAMES: u64 = 25;

/// Encoded frames that repeat without a seam.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    octets: Arc<[u8]>,
    /// Where each frame ends.
    ends: Arc<[u32]>,
    /// Every so many frames is a burst.
    pub(crate) has_bursts: bool,
}

impl Encoded {
    pub(crate) fn new(speech: &Speech, codec: Codec) -> Result<Self, CallerError> {
        let (rate, frame) = (codec.rate().hz(), codec.rate().frame());
        let samples = match speech {
            Speech::Silence => vec![0; 5 * frame],
            Speech::Tone { hz, dbov } => {
                // A second of a whole number of periods has no seam; the fade at its beginning is cut off.
                let mut samples = vec![0; 2 * rate as usize];
                ToneGenerator::new(rate, f32::from(*hz), *dbov).fill(&mut samples);
                samples.split_off(rate as usize)
            }
            Speech::Wav(path) => {
                let mut samples = wav::read(path, rate)?;
                let frames = samples.len().div_ceil(frame).max(1);
                samples.resize(frames * frame, 0);
                samples
            }
            Speech::Bursts { hz, dbov } => {
                let mut samples = vec![0; frame * BURST_FRAMES as usize];
                // It begins at full strength with the frame.
                let mut tone = vec![0; rate as usize + frame];
                ToneGenerator::new(rate, f32::from(*hz), *dbov).fill(&mut tone);
                samples[..frame].copy_from_slice(&tone[rate as usize..]);
                samples
            }
        };
        // Encoders remember: the second time round is the one that follows itself.
        let mut encoder = Encoder::new(codec, &opus::Settings::default());
        let (mut octets, mut ends) = (Vec::new(), Vec::new());
        let mut payload = [0; 1500];
        for round in 0..2 {
            for piece in samples.chunks(frame) {
                let length = encoder.encode(piece, &mut payload);
                if round == 1 {
                    octets.extend_from_slice(&payload[..length]);
                    ends.push(octets.len() as u32);
                }
            }
        }
        let has_bursts = matches!(speech, Speech::Bursts { .. });
        Ok(Self { octets: octets.into(), ends: ends.into(), has_bursts })
    }

    /// The payload of a 20 ms frame.
    pub(crate) fn frame(&self, index: u64) -> &[u8] {
        let place = (index % self.ends.len() as u64) as usize;
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.octets[start as usize..self.ends[place] as usize]
    }
}
