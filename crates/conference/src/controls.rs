//! What a conference's leader, or a program for them, sets for a conference as a whole.

use serde::{Deserialize, Serialize};

/// Settings of a conference while it is open. They begin as [`Controls::default`] and end with the conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controls {
    /// New callers are refused. Participants who are called, and calls that take the place of another, still come in.
    pub locked: bool,
    /// All participants but the leaders are muted, including later ones. A participant who is then unmuted may speak.
    pub lecture: bool,
    /// Participants who are not leaders are muted when they enter.
    pub muted_on_entry: bool,
    /// Participants may unmute themselves with their keys, also when a leader or a program muted them.
    pub self_unmute: bool,
}

impl Default for Controls {
    fn default() -> Self {
        Self { locked: false, lecture: false, muted_on_entry: false, self_unmute: true }
    }
}

/// A change of [`Controls`]: what is `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields are those of `Controls`.
pub struct ControlsChange {
    pub locked: Option<bool>,
    pub lecture: Option<bool>,
    pub muted_on_entry: Option<bool>,
    pub self_unmute: Option<bool>,
}

impl Controls {
    /// With the change made.
    #[must_use]
    pub fn changed(self, change: ControlsChange) -> Self {
        let ControlsChange { locked, lecture, muted_on_entry, self_unmute } = change;
        Self {
            locked: locked.unwrap_or(self.locked),
            lecture: lecture.unwrap_or(self.lecture),
            muted_on_entry: muted_on_entry.unwrap_or(self.muted_on_entry),
            self_unmute: self_unmute.unwrap_or(self.self_unmute),
        }
    }
}
