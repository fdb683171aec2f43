//! What a caller says, encoded once and sent again and again.

use crate::{CallerError, wav};
use plenary_audio::{
    FRAME_SAMPLES_8K,
    g711::{self, Law},
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
}

/// Encoded frames that repeat without a seam.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    payloads: Arc<[u8]>,
}

impl Encoded {
    pub(crate) fn new(speech: &Speech, law: Law) -> Result<Self, CallerError> {
        let samples = match speech {
            Speech::Silence => return Ok(Self { payloads: vec![law.silence(); FRAME_SAMPLES_8K].into() }),
            Speech::Tone { hz, dbov } => {
                // A second of a whole number of periods has no seam; the fade at its beginning is cut off.
                let mut samples = vec![0; 16_000];
                ToneGenerator::new(8000, f32::from(*hz), *dbov).fill(&mut samples);
                samples.split_off(8000)
            }
            Speech::Wav(path) => {
                let mut samples = wav::read(path)?;
                let frames = samples.len().div_ceil(FRAME_SAMPLES_8K).max(1);
                samples.resize(frames * FRAME_SAMPLES_8K, 0);
                samples
            }
        };
        let mut payloads = vec![0; samples.len()];
        g711::encode(law, &samples, &mut payloads);
        Ok(Self { payloads: payloads.into() })
    }

    /// The payload of a 20 ms frame.
    pub(crate) fn frame(&self, index: u64) -> &[u8] {
        let frames = (self.payloads.len() / FRAME_SAMPLES_8K) as u64;
        let start = (index % frames) as usize * FRAME_SAMPLES_8K;
        &self.payloads[start..start + FRAME_SAMPLES_8K]
    }
}
