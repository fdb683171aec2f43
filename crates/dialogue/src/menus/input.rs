//! What happens to a participant who may press keys.

use crate::{KeyPress, PlaybackId, QuestionId};
use plenary_conference::{News, Outcome};

/// An input of [`crate::Menus::handle_input`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The participant pressed a key.
    Key {
        /// The key that was pressed.
        key: KeyPress,
        /// It was one of the service's single keys (`exit_digit`, `mute_digit`, `unmute_digit`), which come first: it does
        /// nothing else.
        is_consumed: bool,
    },
    /// A playback is over: played to its end, or impossible.
    Played(PlaybackId),
    /// Answers a command.
    Done {
        /// The command.
        question: QuestionId,
        /// What became of it.
        outcome: Outcome,
    },
    /// Something happened that the participant has to hear.
    News(News),
    /// The participant has become a leader, or is none any more.
    Role {
        /// Whether they are one now.
        is_leader: bool,
    },
    /// The participant has left the conference.
    Left,
}
