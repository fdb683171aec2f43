//! What has to be done because of an event or of time passing.

use crate::{
    controls::Controls,
    id::{ConferenceKey, ParticipantId, ReservationToken},
    muting::MutedBy,
    participant::PlayList,
};
use serde::{Deserialize, Serialize};

/// An output of [`crate::Conferences::poll_effect`]; carried out in order by the wiring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Whether `participant` is heard by the others and hears them. Sent when it enters and whenever it changes.
    SetVoice {
        /// Which conference decided it.
        conference: ConferenceKey,
        /// Who.
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
        /// Which conference decided it.
        conference: ConferenceKey,
        /// To whom.
        participant: ParticipantId,
        /// What.
        what: PlayList,
    },
    /// Ends that participant's loop.
    StopLoop {
        /// Which conference decided it.
        conference: ConferenceKey,
        /// Whose.
        participant: ParticipantId,
    },
    /// Ends the call. The participant has left the conference already; no `Gone` is awaited.
    HangUp {
        /// Which conference decided it.
        conference: ConferenceKey,
        /// Whose call.
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
            | Self::HangUp { conference, .. } => conference,
            Self::Beep { to } | Self::Play { to, .. } => to.conference(),
            Self::Notify(notice) => notice.conference(),
        }
    }
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
            | Self::ControlsChanged { conference, .. } => conference,
        }
    }
}
