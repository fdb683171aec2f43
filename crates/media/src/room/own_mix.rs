//! The part of a participant's mix that differs from what all hear: volume, music on hold, and what a prompt lowers.

use super::{playback::Playback, ramp::Ramp};
use plenary_audio::codec::Rate;

/// What one participant hears otherwise than all.
#[derive(Debug)]
pub(super) struct OwnMix {
    /// Gain of all it hears, and what is wanted.
    pub(super) hear: Ramp,
    pub(super) hear_wanted: f32,
    /// Gain of voices and of playbacks to all: lowered under a prompt, nothing on hold.
    pub(super) room: Ramp,
    /// Of a hold.
    pub(super) music: Option<Box<Playback>>,
}

impl Default for OwnMix {
    fn default() -> Self {
        Self { hear: Ramp::at(1.0), hear_wanted: 1.0, room: Ramp::at(1.0), music: None }
    }
}

impl OwnMix {
    /// It differs from what all hear.
    pub(super) fn differs(&self) -> bool {
        !self.hear.is(1.0) || self.hear_wanted != 1.0 || !self.room.is(1.0) || self.music.is_some()
    }

    /// To the mix of the room.
    pub(super) fn apply_room(&self, sum: &mut [i32]) {
        self.room.apply(sum);
    }

    /// To everything.
    pub(super) fn apply_all(&self, rate: Rate, sum: &mut [i32]) {
        if let Some(music) = &self.music {
            music.lay_over(rate, sum);
        }
        self.hear.apply(sum);
    }
}
