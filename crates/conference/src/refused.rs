//! Why something asked for does not happen. One enum for the whole crate, so that each reason has one
//! web-service error code and one SIP answer, chosen in one place each.

use crate::{id::ServiceName, state::State, time::Timestamp};
use plenary_model::RecordingFailure;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use thiserror::Error;

/// A request that makes no sense now, or at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum Refused {
    /// A parameter's value is out of range; every such parameter of the request is listed.
    #[error("{} parameter(s) out of range", .0.len())]
    OutOfRange(Vec<OutOfRange>),
    /// No conference of that name is reserved or live.
    #[error("there is no conference of this name")]
    UnknownConference,
    /// No reservation has that token.
    #[error("there is no reservation with this token")]
    UnknownReservation,
    /// No participant of that id is in the conference.
    #[error("there is no participant of this id in the conference")]
    UnknownParticipant,
    /// The participant is being called, or waits in the lobby.
    #[error("the participant is not in: it is being called, or waits to be admitted")]
    NotIn,
    /// Nothing of that id is being played in the conference.
    #[error("there is no playback of this id in the conference")]
    UnknownPlayback,
    /// A name and a token were given and belong to different conferences.
    #[error("the conference name and the reservation token belong to different conferences")]
    NameTokenMismatch,
    /// The conference is in a state in which this can't be done.
    #[error("the conference is {state}")]
    WrongState {
        /// The state it is in.
        state: State,
    },
    /// The name belongs to a reservation, to a reservation that is being made, or to a live conference.
    #[error("the conference name is taken")]
    NameTaken,
    /// The reservation starts too soon to be removed.
    #[error("the conference starts too soon to be removed")]
    TooLateToRemove,
    /// The reservation ends too soon to be extended.
    #[error("the conference ends too soon to be extended")]
    TooLateToExtend,
    /// The extension would take the whole duration past the limit.
    #[error("the whole duration would exceed {max_duration_minutes} minutes")]
    TooLong {
        /// The limit.
        max_duration_minutes: u32,
    },
    /// Not enough seats are left over the whole of the time asked for.
    #[error("only {available} seats are left for this time")]
    NoSeats {
        /// Seats that could still be sold over the whole interval.
        available: u32,
        /// The first time of it in which no more are left.
        from: Timestamp,
        /// When that ends.
        to: Timestamp,
    },
    /// A caller came before the start, and there is nowhere to divert it to.
    #[error("the conference has not started")]
    Early {
        /// The inbound service to divert to, where the reservation names one.
        divert: Option<ServiceName>,
        /// When it starts, where that is known.
        starts_at: Option<Timestamp>,
    },
    /// A caller came within the minutes after the end in which the name is still taken.
    #[error("the conference is over")]
    Over,
    /// The conference takes no new callers.
    #[error("the conference is locked")]
    Locked,
    /// As many callers wait in the lobby as may.
    #[error("too many callers wait to be admitted")]
    LobbyFull,
    /// A leader has turned the caller away.
    #[error("a leader has turned the caller away")]
    Denied,
    /// All seats are taken.
    #[error("the conference is full")]
    Full,
    /// The conference is recorded already, or is about to be.
    #[error("the conference is being recorded already")]
    AlreadyRecorded,
    /// The conference is not recorded.
    #[error("the conference is not being recorded")]
    NotRecorded,
    /// Recordings are switched off in the configuration.
    #[error("recordings are switched off in the configuration ([recordings] enabled)")]
    RecordingOff,
    /// The conference has no end: it has no reservation.
    #[error("the conference has no end: it has no reservation")]
    NoEnd,
    /// The participant cannot be asked to unmute itself.
    #[error("the participant cannot be asked to unmute itself: {0}")]
    NotAsked(NotAsked),
    /// Nobody is in the conference.
    #[error("nobody is in the conference, so there is nothing to record")]
    NobodyToRecord,
    /// A recording could not be begun.
    #[error("the recording could not be begun: {}", match .failure {
        RecordingFailure::StorageFull => "too little disk space is left",
        RecordingFailure::StorageFailed => "the disk or the database cannot be written to; see the log",
        RecordingFailure::TooLong => "its files have no room",
    })]
    RecordingFailed {
        /// What kept it from beginning.
        failure: RecordingFailure,
    },
    /// A participant id was used twice; a broken promise of the wiring, reported instead of a panic.
    #[error("this call is in a conference already")]
    AlreadyAdmitted,
}

/// Why a participant cannot be asked to unmute itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum NotAsked {
    /// It has not entered.
    #[error("it is not in")]
    NotIn,
    /// It can be heard.
    #[error("it is not muted")]
    NotMuted,
    /// It may only listen.
    #[error("it may only listen")]
    ListenOnly,
    /// It has no keys, or they do nothing.
    #[error("it has no key for that; unmute it")]
    NoKey,
}

/// One parameter that is out of range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfRange {
    /// The parameter's name in the web service.
    pub parameter: Cow<'static, str>,
    /// What is allowed, as a sentence about the parameter: "must be between 40 and 350, not 12".
    pub text: String,
}
