//! What can be played to participants.

use crate::AccountId;
use serde::{Deserialize, Serialize};

/// A caller's recorded name. The node that recorded it knows what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NameId(pub String);

/// What a participant said, recorded to be played to others. The number is chosen by the control side and not reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId(pub u64);

/// An item of a list that is played in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clip {
    /// A file of the media folder, by its name: WAV, FLAC, MP3, Ogg Opus or Ogg Vorbis of any usual sample rate; channels
    /// are averaged.
    File(String),
    /// A prompt that is built in.
    Prompt {
        /// The language.
        language: String,
        /// The name of the prompt.
        name: String,
    },
    /// A sound that an account uploaded.
    AccountSound {
        /// The account.
        account: AccountId,
        /// The name of the sound.
        name: String,
    },
    /// What a participant said, until it is forgotten.
    Recorded(RecordingId),
    /// A sine.
    Tone {
        /// Frequency, 1 to 3999 Hz.
        hz: u32,
        /// Length, in milliseconds.
        ms: u32,
    },
    /// Silence.
    Silence {
        /// Length, in milliseconds.
        ms: u32,
    },
    /// The short beep of an entry.
    Beep,
}
