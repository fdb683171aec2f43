//! What happens to a participant who may press keys.

use crate::{KeyPress, PlaybackId, QuestionId};
use plenary_conference::ParticipantId;
use plenary_speech::NameId;

/// An input of [`crate::Menus::handle_input`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The participant pressed a key.
    Key {
        /// Which one.
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
    Notice(Notice),
    /// The participant has become a leader, or is none any more.
    Role {
        /// Whether they are one now.
        is_leader: bool,
    },
    /// The participant has left the conference.
    Left,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The participant is muted now.
    Muted,
    /// The participant can be heard now.
    Unmuted,
    /// The participant stays muted: only a leader may undo it.
    StaysMuted,
    /// The hand is up now.
    HandRaised,
    /// The hand is down now.
    HandLowered,
    /// A volume has changed.
    Volume(Volume),
    /// How many there are.
    Count {
        /// In the conference, the one who asks included.
        participants: u32,
        /// In the lobby.
        waiting: u32,
    },
    /// Who is in the conference.
    Roll {
        /// Their recorded names.
        names: Vec<NameId>,
        /// How many have none.
        unnamed: u32,
    },
    /// All but the leaders are muted now.
    AllMuted,
    /// All can be heard now, except participants who muted themselves; a lecture is over.
    AllUnmuted,
    /// Lecture mode is on now.
    LectureOn,
    /// Lecture mode is off now.
    LectureOff,
    /// The conference is locked now.
    Locked,
    /// The conference is unlocked now.
    Unlocked,
    /// Who has waited longest in the lobby.
    Waiting {
        /// Who it is.
        participant: ParticipantId,
        /// Their recorded name.
        name: Option<NameId>,
        /// How many wait, this one included.
        count: u32,
    },
    /// Nobody waits in the lobby, or not any more.
    NobodyWaits,
    /// The one was admitted.
    Admitted,
    /// All who waited were admitted.
    AllAdmitted,
    /// The one was turned away.
    TurnedAway,
    /// The participant who came last was removed.
    LastEjected,
    /// Nothing is recorded: the recording begins with [`crate::menus::Command::Record`] that is confirmed.
    RecordingUnconfirmed,
    /// The recording runs.
    RecordingOn,
    /// The recording is paused.
    RecordingPaused,
    /// The recording runs again.
    RecordingResumed,
    /// The time that is left.
    TimeLeft {
        /// In seconds; `None`: the conference has no end.
        seconds: Option<u32>,
        /// It may be extended by 15 minutes.
        may_extend: bool,
    },
    /// The conference was extended.
    Extended {
        /// By so many seconds.
        seconds: u32,
    },
    /// The conference cannot be extended.
    NotExtended,
    /// The number is being called.
    Calling,
    /// The number may not be called.
    CallNotAllowed,
    /// The number cannot be called.
    CallFailed,
    /// Entry and exit sounds are on now.
    AnnouncementsOn,
    /// Entry and exit sounds are off now.
    AnnouncementsOff,
    /// Only a leader may do that.
    LeadersOnly,
    /// It is done, and the participant hears of it otherwise.
    Done,
    /// It could not be done.
    Failed,
}

/// What became of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// It is louder.
    Louder,
    /// It is quieter.
    Quieter,
    /// It is as it was at first.
    Normal,
    /// It is at its limit already.
    AtLimit,
}

/// Something that a participant has to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A leader, or a program, has muted the participant.
    MutedByLeader {
        /// They may unmute themselves.
        self_unmute: bool,
    },
    /// A leader, or a program, has unmuted the participant.
    UnmutedByLeader,
    /// The participant talks and is muted.
    TalkingMuted {
        /// They may unmute themselves.
        self_unmute: bool,
    },
    /// To a leader: a participant has raised a hand.
    HandRaised,
    /// To a leader: a caller waits in the lobby.
    Waiting {
        /// Their recorded name.
        name: Option<NameId>,
    },
    /// What becomes of a number that the participant had called.
    Call(CallProgress),
}

/// What becomes of a number that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallProgress {
    /// It rings.
    Ringing,
    /// It is busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// It was refused.
    Refused,
    /// The call could not be made.
    Failed,
    /// The called party is in the conference.
    Joined,
}
