//! What has to be done because of an event or of time passing.

use crate::{
    command::News,
    controls::Controls,
    id::{ConferenceKey, ParticipantId, ReservationToken},
    muting::MutedBy,
    participant::PlayList,
    recording::RecordingCommand,
};
use plenary_model::{ConferenceRecordingId, NameId, RecordingFailure, RecordingSettings};
use serde::{Deserialize, Serialize};

/// An output of [`crate::Conferences::poll_effect`]; carried out in order by the wiring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Whether `participant` is heard by the others and hears them. Sent when it enters and whenever it changes.
    SetVoice {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// The participant who is heard or not.
        participant: ParticipantId,
        /// The others hear it.
        speaks: bool,
        /// It hears the others.
        listens: bool,
    },
    /// Plays the entry beep once over the conference's audio.
    Beep {
        /// Who hears it.
        to: Audience,
    },
    /// Plays a list once over the conference's audio.
    Play {
        /// Who hears it.
        to: Audience,
        /// Files, tones and silences, in order.
        what: PlayList,
    },
    /// Plays `what` in a loop to one participant until [`Effect::StopLoop`].
    StartLoop {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// The participant who hears it.
        participant: ParticipantId,
        /// What is played, in order, over and over.
        what: PlayList,
    },
    /// Ends that participant's loop.
    StopLoop {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// The participant who hears the loop.
        participant: ParticipantId,
    },
    /// Says something to participants, after what is being said to them.
    Announce {
        /// Who hears it.
        to: Audience,
        /// What is said.
        what: Announcement,
    },
    /// Notifies one participant alone.
    Tell {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// The participant that is notified.
        participant: ParticipantId,
        /// What it is notified of.
        news: News,
    },
    /// A participant has become a leader, or is none any more.
    Role {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// The participant whose role changes.
        participant: ParticipantId,
        /// It is one now.
        is_leader: bool,
    },
    /// A participant is put on hold, where it hears music, or taken off it. What it hears and whether it is heard comes with
    /// [`Effect::SetVoice`].
    Hold {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// The participant who is held.
        participant: ParticipantId,
        /// It is on hold now.
        is_held: bool,
    },
    /// Who hears a participant while it [speaks](Effect::SetVoice). Who enters is heard by all until this says something else.
    HeardBy {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// Who is heard.
        participant: ParticipantId,
        /// By these alone; `None`: by all.
        by: Option<Vec<ParticipantId>>,
    },
    /// A participant comes from another conference of the account, where it has left without a hang-up. It is in this one now; the
    /// effects of its entering follow.
    MoveIn {
        /// Where it is now.
        conference: ConferenceKey,
        /// The participant who comes.
        participant: ParticipantId,
        /// Where it was.
        from: ConferenceKey,
    },
    /// Something is to be done about the recording of the conference.
    Recording {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// What is to be done.
        what: RecordingCommand,
    },
    /// Tells a participant who came while the conference is recorded. It is not heard before
    /// [`RecordingReport::Told`](crate::RecordingReport::Told) has come for it.
    TellRecorded {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// Who is told.
        participant: ParticipantId,
    },
    /// A recorded name is not needed any more. Each name of a participant who entered is forgotten once: half a minute after they
    /// have left, so that it can be heard to its end, or at once when the conference is over.
    ForgetName {
        /// Which conference had it.
        conference: ConferenceKey,
        /// The name, by the recording of it.
        name: NameId,
    },
    /// Ends the call; the participant is already out of the conference and no `Gone` is awaited for it.
    HangUp {
        /// The conference that decided it.
        conference: ConferenceKey,
        /// The participant whose call is ended.
        participant: ParticipantId,
        /// Why; becomes the BYE's Reason header.
        reason: EndReason,
    },
    /// A fact for logs, records and event streams.
    Notify(Notice),
}

impl Effect {
    /// The conference that decided it.
    #[must_use]
    pub fn conference(&self) -> &ConferenceKey {
        match self {
            Self::SetVoice { conference, .. }
            | Self::StartLoop { conference, .. }
            | Self::StopLoop { conference, .. }
            | Self::HangUp { conference, .. }
            | Self::Tell { conference, .. }
            | Self::Role { conference, .. }
            | Self::Hold { conference, .. }
            | Self::HeardBy { conference, .. }
            | Self::MoveIn { conference, .. }
            | Self::Recording { conference, .. }
            | Self::TellRecorded { conference, .. }
            | Self::ForgetName { conference, .. } => conference,
            Self::Beep { to } | Self::Play { to, .. } | Self::Announce { to, .. } => to.conference(),
            Self::Notify(notice) => notice.conference(),
        }
    }
}

/// What is said to many, by the edge's words and in the language of the room. [`Self::Joined`] and [`Self::Left`] are for those who
/// hear the conference; the others are for every participant, also while it is not ACTIVE and for those on hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Announcement {
    /// A participant has joined.
    Joined {
        /// By this recorded name; `None`: by a tone.
        name: Option<NameId>,
    },
    /// A participant has left.
    Left {
        /// By this recorded name; `None`: by a tone.
        name: Option<NameId>,
    },
    /// The conference ends in so many seconds.
    EndsIn {
        /// So many.
        seconds: u32,
    },
    /// The last leader has left.
    LeaderLeft {
        /// The conference ends in so many seconds; `None`: it goes on.
        ends_in_s: Option<u32>,
    },
    /// The only participant is warned that the conference ends.
    AloneEndsIn {
        /// In so many seconds.
        seconds: u32,
    },
    /// The conference goes on for longer.
    ExtendedBy {
        /// By so many seconds.
        seconds: u32,
    },
    /// The conference is recorded from now on.
    RecordingOn,
    /// Nothing is recorded for now.
    RecordingPaused,
    /// The recording goes on.
    RecordingResumed,
    /// The conference is not recorded any more.
    RecordingOff,
    /// The conference is not recorded any more, because there is no space.
    RecordingFull,
    /// The tone that repeats while the conference is recorded.
    RecordingTone,
}

/// The participants who hear what is played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// Every participant of the conference.
    All(ConferenceKey),
    /// Every participant of the conference except this one.
    AllBut(ConferenceKey, ParticipantId),
}

impl Audience {
    /// The conference whose participants hear it.
    #[must_use]
    pub fn conference(&self) -> &ConferenceKey {
        let (Self::All(conference) | Self::AllBut(conference, _)) = self;
        conference
    }
}

/// Why a conference ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The reservation's time is up.
    TimeIsUp,
    /// A participant with `destroy_on_exit` left.
    LeaderLeft,
    /// Thrown out by the web service.
    Ejected,
    /// It pressed its exit key.
    ExitKey,
    /// The web service ended the conference for all participants.
    Ended,
    /// A leader has ended it for all participants by key.
    EndedByLeader,
    /// A leader has removed it.
    RemovedByLeader,
    /// It was alone for too long.
    Alone,
}

impl EndReason {
    /// As events name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TimeIsUp => "time_is_up",
            Self::LeaderLeft => "leader_left",
            Self::Ejected => "ejected",
            Self::ExitKey => "exit_key",
            Self::Ended => "ended",
            Self::EndedByLeader => "ended_by_leader",
            Self::RemovedByLeader => "removed_by_leader",
            Self::Alone => "alone",
        }
    }
}

/// A fact that a user would notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
#[allow(missing_docs)] // The variants and their fields are their own words.
pub enum Notice {
    ReservationOpened {
        conference: ConferenceKey,
        token: ReservationToken,
    },
    ReservationCompleted {
        conference: ConferenceKey,
        token: ReservationToken,
    },
    ReservationForgotten {
        conference: ConferenceKey,
        token: ReservationToken,
    },
    ConferenceCreated {
        conference: ConferenceKey,
    },
    ConferenceStarted {
        conference: ConferenceKey,
    },
    ConferenceStopped {
        conference: ConferenceKey,
    },
    ConferenceGone {
        conference: ConferenceKey,
    },
    ParticipantEntered {
        conference: ConferenceKey,
        participant: ParticipantId,
    },
    ParticipantLeft {
        conference: ConferenceKey,
        participant: ParticipantId,
    },
    OptionsChanged {
        conference: ConferenceKey,
        participant: ParticipantId,
        muted: bool,
        muted_by: Option<MutedBy>,
        dtmf_enabled: bool,
    },
    ControlsChanged {
        conference: ConferenceKey,
        controls: Controls,
    },
    HandChanged {
        conference: ConferenceKey,
        participant: ParticipantId,
        is_raised: bool,
    },
    WaitingBegan {
        conference: ConferenceKey,
        participant: ParticipantId,
    },
    WaitingEnded {
        conference: ConferenceKey,
        participant: ParticipantId,
        end: WaitEnd,
    },
    RecordingStarted {
        conference: ConferenceKey,
        recording: ConferenceRecordingId,
        settings: RecordingSettings,
        /// The leader who asked for it; `None`: a program, or the room.
        by: Option<ParticipantId>,
    },
    RecordingPaused {
        conference: ConferenceKey,
        recording: ConferenceRecordingId,
        by: Option<ParticipantId>,
    },
    RecordingResumed {
        conference: ConferenceKey,
        recording: ConferenceRecordingId,
        by: Option<ParticipantId>,
    },
    RecordingStopped {
        conference: ConferenceKey,
        recording: ConferenceRecordingId,
        by: Option<ParticipantId>,
    },
    RecordingFailed {
        conference: ConferenceKey,
        /// `None`: it could not even begin.
        recording: Option<ConferenceRecordingId>,
        failure: RecordingFailure,
    },
}

/// How a caller's waiting in the lobby has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitEnd {
    /// A leader or a program has admitted the caller, who has a seat now.
    Admitted,
    /// A leader or a program has turned the caller away.
    Denied,
    /// The caller has hung up.
    HungUp,
    /// The conference is over.
    Over,
}

impl Notice {
    /// The conference that it is about.
    #[must_use]
    pub fn conference(&self) -> &ConferenceKey {
        match self {
            Self::ReservationOpened { conference, .. }
            | Self::ReservationCompleted { conference, .. }
            | Self::ReservationForgotten { conference, .. }
            | Self::ConferenceCreated { conference }
            | Self::ConferenceStarted { conference }
            | Self::ConferenceStopped { conference }
            | Self::ConferenceGone { conference }
            | Self::ParticipantEntered { conference, .. }
            | Self::ParticipantLeft { conference, .. }
            | Self::OptionsChanged { conference, .. }
            | Self::ControlsChanged { conference, .. }
            | Self::HandChanged { conference, .. }
            | Self::WaitingBegan { conference, .. }
            | Self::WaitingEnded { conference, .. }
            | Self::RecordingStarted { conference, .. }
            | Self::RecordingPaused { conference, .. }
            | Self::RecordingResumed { conference, .. }
            | Self::RecordingStopped { conference, .. }
            | Self::RecordingFailed { conference, .. } => conference,
        }
    }
}
