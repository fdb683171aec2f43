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
