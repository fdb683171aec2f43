//! What is set for the sound of an account, a conference or a participant.

use crate::{control::SoundChange, media::AudioProcessing};
use plenary_model::StoredAudio;

/// What was set for an account, one conference or participant; `None`: as one level up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct AudioChoice {
    automatic_gain: Option<bool>,
    noise_suppression: Option<bool>,
    gain_db: Option<f32>,
}

impl AudioChoice {
    pub(crate) fn change(&mut self, change: &SoundChange) {
        let SoundChange { automatic_gain, noise_suppression, gain_db } = change;
        if let Some(automatic_gain) = automatic_gain {
            self.automatic_gain = *automatic_gain;
        }
        if let Some(noise_suppression) = noise_suppression {
            self.noise_suppression = *noise_suppression;
        }
        if let Some(gain_db) = gain_db {
            self.gain_db = *gain_db;
        }
    }

    /// What holds where `under` is one level up.
    pub(crate) fn over(self, under: AudioProcessing) -> AudioProcessing {
        AudioProcessing {
            automatic_gain: self.automatic_gain.unwrap_or(under.automatic_gain),
            noise_suppression: self.noise_suppression.unwrap_or(under.noise_suppression),
            gain_db: self.gain_db.unwrap_or(under.gain_db),
        }
    }
}

impl From<StoredAudio> for AudioChoice {
    fn from(kept: StoredAudio) -> Self {
        let StoredAudio { automatic_gain, noise_suppression } = kept;
        Self { automatic_gain, noise_suppression, gain_db: None }
    }
}

impl From<AudioChoice> for StoredAudio {
    fn from(choice: AudioChoice) -> Self {
        let AudioChoice { automatic_gain, noise_suppression, .. } = choice;
        Self { automatic_gain, noise_suppression }
    }
}
