//! How voices are made to sound.

use crate::{AccountId, ReservationToken};

/// What was set; `None`: one level up decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredAudio {
    /// Voices are brought to the common level.
    pub automatic_gain: Option<bool>,
    /// Steady noise is taken out of them.
    pub noise_suppression: Option<bool>,
}

/// For whom it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioOwner {
    /// All conferences of an account.
    Account(AccountId),
    /// The conference of a reservation.
    Reservation(ReservationToken),
}

/// Processing of a participant's voice before others hear it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AudioProcessing {
    /// Automatic gain control: the voice is brought slowly to the common level.
    pub automatic_gain: bool,
    /// Suppression of steady noise. Adds 10 to 14 ms of delay to this voice.
    pub noise_suppression: bool,
    /// Gain beside the automatic one, in dB: -40 to 20; other values are clamped.
    pub gain_db: f32,
}
