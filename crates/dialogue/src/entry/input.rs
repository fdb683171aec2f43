//! What happens to a caller on the way in.

use crate::{KeyPress, Mono, PlaybackId, QuestionId, RoomNumbers};
use plenary_conference::Arrival;
use plenary_speech::{Day, LanguageCode, NameId, TimeOfDay};
use std::sync::Arc;

/// An input of [`crate::Entry::handle_input`].
#[derive(Debug, Clone)]
pub enum Input {
    /// The call is answered and its audio flows.
    Connected,
    /// The caller pressed a key.
    Key(KeyPress),
    /// A playback is over: played to its end, or impossible.
    Played(PlaybackId),
    /// Answers `ListRooms`.
    RoomsListed {
        /// The question.
        question: QuestionId,
        /// The numbers of all rooms of the account.
        rooms: Arc<RoomNumbers>,
    },
    /// Answers `FindRoom`.
    RoomFound {
        /// The question.
        question: QuestionId,
        /// The room; `None`: there is none of this number.
        room: Option<Room>,
    },
    /// Answers `CheckPin`.
    PinChecked {
        /// The question.
        question: QuestionId,
        /// What the PIN is good for.
        result: PinResult,
    },
    /// Ends a `StartRecording`, whether or not it was stopped.
    Recorded {
        /// The question.
        question: QuestionId,
        /// The name, without the silence before and after it; `None`: nothing was said.
        name: Option<NameId>,
    },
    /// Answers `Join`, and says what changes afterwards for one who waits in the lobby or for the conference to start.
    Joining {
        /// The number of the `Join`.
        question: QuestionId,
        /// What the conference says.
        answer: JoinAnswer,
    },
    /// The conference in which the caller waits has started.
    Started,
    /// What was asked could not be found out: the store or the recorder has failed.
    Failed {
        /// The question.
        question: QuestionId,
    },
    /// The call is over, whichever side ended it.
    HungUp,
}

/// What a dialogue has to know of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its number.
    pub number: String,
    /// Participants need a PIN.
    pub has_pin: bool,
    /// There is a PIN that makes a leader.
    pub has_leader_pin: bool,
    /// Callers say their name, which is played when they come and go.
    pub records_names: bool,
    /// Early callers are held if the conference starts in at most so many minutes; `None`: they hear when it starts, and the
    /// call ends.
    pub hold_early_min: Option<u32>,
    /// Its language, where it has one of its own.
    pub language: Option<LanguageCode>,
}

/// What a PIN is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinResult {
    /// It is one of the room's.
    Right {
        /// It is the leader's.
        leader: bool,
    },
    /// It is none of the room's.
    Wrong,
    /// It was not looked at, because there were too many wrong ones before.
    TooMany {
        /// From when on the next one is looked at.
        until: Mono,
    },
}

/// What the conference says to a caller who wants to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinAnswer {
    /// There is a seat, which is kept until the caller enters.
    Admitted(Arrival),
    /// The caller waits until a leader admits them.
    Lobby {
        /// A leader is in and has been notified.
        leader_present: bool,
    },
    /// Too many wait already.
    LobbyFull,
    /// A leader turns the caller away.
    Denied,
    /// It is reserved and starts later. The caller holds nothing there.
    NotYet {
        /// How long it is until then.
        starts_in_s: u32,
        /// The time of day and the day, where the place's time zone is known.
        starts_at: Option<(TimeOfDay, Day)>,
    },
    /// All seats are taken.
    Full,
    /// A leader has locked it.
    Locked,
    /// It is over.
    Over,
}
