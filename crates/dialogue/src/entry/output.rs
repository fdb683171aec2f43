//! What has to be done for a caller on the way in.

use crate::{PlaybackId, QuestionId, Speech};
use plenary_model::Pin;
use plenary_speech::NameId;

/// An output of [`crate::Entry::poll_output`], to be carried out in order.
#[derive(Debug, Clone)]
pub enum Output {
    /// Plays to the caller. `Played` answers, unless `StopPlay` comes first.
    Play(Speech),
    /// Ends a playback that runs. No `Played` is awaited for it.
    StopPlay(PlaybackId),
    /// Plays what those hear who wait, over and over, or ends that.
    Music {
        /// Whether it plays from now on.
        is_on: bool,
    },
    /// Asks for the numbers of the account's rooms: `RoomsListed` or `Failed` answers.
    ListRooms {
        /// The question.
        question: QuestionId,
    },
    /// Asks for a room: `RoomFound` or `Failed` answers.
    FindRoom {
        /// The question.
        question: QuestionId,
        /// The room's number.
        number: String,
    },
    /// Asks what a PIN is good for: `PinChecked` or `Failed` answers.
    CheckPin {
        /// The question.
        question: QuestionId,
        /// The room's number.
        room: String,
        /// The PIN.
        pin: Pin,
    },
    /// Records the caller. `Recorded` or `Failed` answers once it has ended.
    StartRecording {
        /// The question.
        question: QuestionId,
        /// For how long at the most from the first word on, in milliseconds.
        max_ms: u32,
    },
    /// Ends the recording.
    StopRecording {
        /// The question that began it.
        question: QuestionId,
        /// `false`: what was recorded is dropped, and nothing answers.
        is_kept: bool,
    },
    /// A recorded name is not needed any more.
    ForgetName(NameId),
    /// Asks the conference of the room for a place: `Joining` or `Failed` answers.
    Join {
        /// The question; what comes later about this place carries it, too.
        question: QuestionId,
        /// The room's number.
        room: String,
        /// As a leader.
        leader: bool,
        /// The recorded name.
        name: Option<NameId>,
    },
    /// The caller gives up a place that was asked for: a seat, or one in the lobby.
    Withdraw {
        /// The number of the `Join`.
        question: QuestionId,
    },
    /// The admitted caller enters the conference: hears it, is heard, is listed. Keys belong to its menus from now on. The name is
    /// the conference's.
    Enter {
        /// The number of the `Join`.
        question: QuestionId,
    },
    /// The dialogue is over and the caller is in the conference. Nothing comes after it.
    Done,
    /// Ends the call. Nothing comes after it.
    HangUp(HangUpReason),
}

/// Why a dialogue ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUpReason {
    /// There is no room to enter.
    NoRoom,
    /// As many failures as are allowed.
    Failures,
    /// PINs of this caller are not looked at for some time.
    TooManyPins,
    /// The dialogue took too long.
    TooLong,
    /// All seats are taken.
    Full,
    /// The lobby is full.
    LobbyFull,
    /// A leader has locked the conference.
    Locked,
    /// A leader turned the caller away.
    Denied,
    /// The conference starts later.
    NotYet,
    /// The conference is over.
    Over,
    /// The store or the conference did not answer.
    Trouble,
}
