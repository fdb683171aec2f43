//! What has to be done because of an event or of time passing.

use crate::{
    id::{ConferenceKey, ParticipantId, ReservationToken},
    participant::PlayList,
};
use serde::{Deserialize, Serialize};

/// An output of [`crate::Conferences::poll_effect`]; carried out in order by the wiring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Whether `participant` is heard by the others and hears them. Sent when it enters and whenever it changes.
    SetVoice {
        /// Who.
        participant: ParticipantId,
        /// The others hear it.
        speaks: bool,
        /// It hears the others.
        listens: bool,
    },
    /// Plays once over the conference's audio.
    Play {
        /// To whom.
        to: Audience,
        /// What.
        what: Sound,
    },
    /// Plays `what` in a loop to one party until [`Effect::StopLoop`].
    StartLoop {
        /// To whom.
        participant: ParticipantId,
        /// What.
        what: PlayList,
    },
    /// Ends the loop of that party.
    StopLoop {
        /// Whose.
        participant: ParticipantId,
    },
    /// Ends the call; the party is already out of the conference and no `Gone` is awaited for it.
    HangUp {
        /// Whose call.
        participant: ParticipantId,
        /// Why; becomes the BYE's Reason header.
        reason: EndReason,
    },
    /// A fact for logs, records and event streams.
    Notify(Notice),
}

/// Who hears a sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// Every party that is in the conference.
    All(ConferenceKey),
    /// Every party but this one.
    AllBut(ConferenceKey, ParticipantId),
}

/// What is played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sound {
    /// The entry beep.
    Beep,
    /// Files, tones and silences, in order.
    List(PlayList),
}

/// Why a conference ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The reservation's time is up.
    TimeIsUp,
    /// A party with `destroy_on_exit` left.
    LeaderLeft,
    /// Thrown out by the web service.
    Ejected,
    /// It pressed its exit key.
    ExitKey,
}

/// A fact that a user would notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
#[allow(missing_docs)] // The variants and their fields are their own words.
pub enum Notice {
    ReservationOpened { conference: ConferenceKey, token: ReservationToken },
    ReservationCompleted { conference: ConferenceKey, token: ReservationToken },
    ReservationForgotten { conference: ConferenceKey, token: ReservationToken },
    ConferenceCreated { conference: ConferenceKey },
    ConferenceStarted { conference: ConferenceKey },
    ConferenceStopped { conference: ConferenceKey },
    ConferenceGone { conference: ConferenceKey },
    ParticipantEntered { conference: ConferenceKey, participant: ParticipantId },
    ParticipantLeft { conference: ConferenceKey, participant: ParticipantId },
    OptionsChanged { conference: ConferenceKey, participant: ParticipantId, muted: bool, dtmf_enabled: bool },
}
