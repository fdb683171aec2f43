//! What a participant's keys do.

use crate::{PlaybackId, QuestionId, Speech};
use plenary_conference::Command;

/// An output of [`crate::Menus::poll_output`], to be carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Plays to the participant alone. `Played` answers, unless `StopPlay` comes first.
    Play(Speech),
    /// Ends a playback that runs. No `Played` is awaited for it.
    StopPlay(PlaybackId),
    /// Asks the conference to do something for the participant: `Done` answers.
    Do {
        /// The number of the command.
        question: QuestionId,
        /// What to do.
        command: Command,
    },
}
