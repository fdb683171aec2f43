//! What participants ask of a conference by their keys, what became of it, and what they have to hear.

use crate::id::ParticipantId;
use plenary_model::NameId;
use serde::{Deserialize, Serialize};

/// What a conference is asked to do. Switches are turned by the conference, which knows how they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Turns all in the lobby away.
    RefuseAll,
    /// Removes the participant who came last and is not a leader.
    EjectLast,
    /// Calls a number into the conference.
    Call {
        /// Its digits.
        number: String,
    },
    /// Pauses or resumes the recording that runs; otherwise, where it is confirmed, begins one. How that goes comes as
    /// [`crate::effect::Announcement::RecordingOn`] or as [`News`].
    Record {
        /// To begin one has been confirmed.
        is_confirmed: bool,
    },
    /// Ends the recording.
    StopRecording,
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
    /// Ends the conference for all participants.
    End,
}

/// One step of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Louder.
    Up,
    /// Quieter.
    Down,
    /// As at first.
    Reset,
}

/// Who in the lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
            | Self::RefuseAll
            | Self::EjectLast
            | Self::Call { .. }
            | Self::Record { .. }
            | Self::StopRecording
            | Self::Extend { .. }
            | Self::ToggleAnnouncements
            | Self::End => true,
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The participant is muted now.
    Muted,
    /// The participant can be heard now.
    Unmuted,
    /// The participant stays muted: only a leader may undo it.
    StaysMuted,
    /// The participant may only listen, muted or not.
    ListenOnly,
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
    /// The lobby is empty, or the caller has left it.
    NobodyWaits,
    /// The one was admitted.
    Admitted,
    /// All callers in the lobby were admitted.
    AllAdmitted,
    /// Some of them were: no seat is left for the others.
    SomeAdmitted,
    /// No seat is left.
    Full,
    /// The one was turned away.
    TurnedAway,
    /// All callers in the lobby were turned away.
    AllTurnedAway,
    /// The participant who came last was removed.
    LastEjected,
    /// Nothing is recorded: the recording begins with [`Command::Record`] that is confirmed.
    RecordingUnconfirmed,
    /// The recording runs.
    RecordingOn,
    /// The recording is paused.
    RecordingPaused,
    /// The recording runs again.
    RecordingResumed,
    /// The recording has ended.
    RecordingStopped,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// A leader, or a program, has muted the participant.
    MutedByLeader {
        /// They may unmute themselves.
        self_unmute: bool,
    },
    /// A leader, or a program, has unmuted the participant.
    UnmutedByLeader,
    /// A leader, or a program, asks the participant to unmute itself.
    AskedToUnmute,
    /// To a leader: a participant has raised a hand.
    HandRaised,
    /// To a leader: a caller waits in the lobby.
    Waiting {
        /// Their recorded name.
        name: Option<NameId>,
    },
    /// To a participant who becomes a leader, by entering or by being made one: several callers wait in the lobby.
    SeveralWait {
        /// How many, at least two.
        count: u32,
    },
    /// To a leader: wrong PINs of a room that leads to the conference are being tried.
    Guessing,
    /// The recording that the participant has asked for could not begin.
    RecordingNotBegun,
    /// The recording that the participant has asked for runs, and the others are not told.
    RecordingBegun,
    /// What becomes of a number that the participant had called.
    Call(CallProgress),
}

/// What becomes of a number that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallProgress {
    /// It rings.
    Ringing,
    /// It is busy.
    Busy,
    /// The call was not answered.
    NoAnswer,
    /// It was refused.
    Refused,
    /// The call could not be made.
    Failed,
    /// The called participant is in the conference.
    Joined,
    /// The called participant was cut off, and is called again.
    Again,
}
