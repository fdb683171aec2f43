//! What can be played to participants.

/// An item of a list that is played in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clip {
    /// A WAV file, by its name in the media folder. Any usual sample rate and width; channels are averaged.
    File(String),
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
