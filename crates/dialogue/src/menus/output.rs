//! What a participant's keys do.

use crate::{PlaybackId, QuestionId, Speech};
use plenary_conference::ParticipantId;

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

/// What a conference is asked to do. Switches are turned by the conference, which knows how they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Mutes or unmutes the participant, by themselves.
    ToggleMute,
    /// Raises or lowers the participant's hand.
    ToggleHand,
    /// Changes the volume of what the participant hears.
    Hear(Step),
    /// Changes the volume of the participant for the others.
    Talk(Step),
    /// How many are in the conference, and in the lobby?
    Count,
    /// Who is in the conference?
    RollCall,
    /// All muted → lecture → open → all muted.
    NextFloor,
    /// Mutes or unmutes all but the leaders.
    ToggleMuteAll,
    /// Lecture mode on or off.
    ToggleLecture,
    /// Locks or unlocks the conference.
    ToggleLock,
    /// Who has waited longest in the lobby?
    NextWaiting,
    /// Admits one from the lobby.
    Admit(Who),
    /// Turns one in the lobby away.
    Refuse(Who),
    /// Admits all in the lobby.
    AdmitAll,
    /// Removes the participant who came last and is not a leader.
    EjectLast,
    /// Calls a number into the conference.
    Call {
        /// Its digits.
        number: String,
    },
    /// Pauses or resumes the recording that runs; otherwise, where it is confirmed, begins one.
    Record {
        /// To begin one has been confirmed.
        is_confirmed: bool,
    },
    /// How much time is left?
    TimeLeft,
    /// Extends the conference.
    Extend {
        /// By so many minutes.
        minutes: u32,
    },
    /// Entry and exit sounds on or off.
    ToggleAnnouncements,
    /// The participant leaves.
    Leave,
    /// Ends the conference for everybody.
    End,
}

/// One step of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Louder.
    Up,
    /// Quieter.
    Down,
    /// As at first.
    Reset,
}

/// Who in the lobby.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The one who has waited longest.
    Next,
    /// This one.
    One(ParticipantId),
}

impl Command {
    /// Only leaders may do it.
    #[must_use]
    pub fn is_for_leaders(&self) -> bool {
        match self {
            Self::ToggleMute
            | Self::ToggleHand
            | Self::Hear(_)
            | Self::Talk(_)
            | Self::Count
            | Self::RollCall
            | Self::TimeLeft
            | Self::Leave => false,
            Self::NextFloor
            | Self::ToggleMuteAll
            | Self::ToggleLecture
            | Self::ToggleLock
            | Self::NextWaiting
            | Self::Admit(_)
            | Self::Refuse(_)
            | Self::AdmitAll
            | Self::EjectLast
            | Self::Call { .. }
            | Self::Record { .. }
            | Self::Extend { .. }
            | Self::ToggleAnnouncements
            | Self::End => true,
        }
    }
}
