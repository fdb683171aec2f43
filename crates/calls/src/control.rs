//! Questions of the web services about calls, and their answers.

use plenary_conference::{Digit, ParticipantId, ParticipantOptions, Refused, conferences::ConferenceRef};
use plenary_model::{PlayList, TransferProgress, TrunkRegistration};
use serde::Serialize;
use std::error::Error as StdError;
use thiserror::Error;

/// Whom to call into a conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// `tel:+441908273800`, `sip:user@host` or `user:alice`.
    pub to: String,
    /// The trunk; `None`: the first that serves it, and the next where that one fails.
    pub trunk: Option<String>,
    /// What the participant may do.
    pub options: ParticipantOptions,
    /// For how long it may ring, in seconds.
    pub ring_seconds: u32,
    /// The user part of From.
    pub from: Option<String>,
    /// The participant's display name.
    pub display_name: Option<String>,
    /// The key by which the called participant confirms that it joins; `None`: it is in as soon as it has answered.
    pub confirm: Option<Digit>,
    /// It is called again, once, where its call is cut off.
    pub redial: bool,
}

/// What is to be played in a conference.
#[derive(Debug, Clone, PartialEq)]
pub struct Playback {
    /// To this participant alone; `None`: to all.
    pub to: Option<ParticipantId>,
    /// What, in order.
    pub play: PlayList,
    /// How much louder, in dB.
    pub gain_db: f32,
    /// From the beginning again until it is stopped.
    pub repeat: bool,
}

/// The state of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrunkState {
    /// Calls that are up or being placed, both ways.
    pub calls: u32,
    /// How we are registered with the provider.
    pub registration: TrunkRegistration,
    /// Until when, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_until: Option<i64>,
    /// What went wrong last, in registering or in calling: a status and a phrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<i64>,
}

/// The outcome of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransferState {
    /// The target that the telephone was asked to call.
    pub to: String,
    /// How far it has come.
    pub state: TransferProgress,
    /// The last SIP status that it reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// Why no call is placed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DialRefused {
    /// Not something that can be called.
    #[error("to: {0}")]
    BadTarget(String),
    /// The account has no such trunk.
    #[error("trunk: the account has no trunk of this name")]
    UnknownTrunk,
    /// No rule allows it.
    #[error("to: {0}")]
    NotPermitted(String),
    /// Every trunk that serves it has as many calls as it may.
    #[error("every trunk that serves this has as many calls as its calls_max allows")]
    TrunksBusy,
    /// The account has no such user.
    #[error("to: the account has no SIP user of this name")]
    UnknownUser,
    /// Its telephone has not registered.
    #[error("to: the user is not registered")]
    NotRegistered,
    /// A transfer cannot be asked for now.
    #[error("{0}")]
    NotNow(String),
}

/// How a voice is made to sound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SoundSettings {
    /// It is brought to the common level.
    pub automatic_gain: bool,
    /// Steady noise is taken out.
    pub noise_suppression: bool,
    /// Further gain, in dB; of participants only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain_db: Option<f32>,
}

/// Whose sound is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoundOf {
    /// That of all conferences of the account for which nothing else is set.
    Account,
    /// That of a conference.
    Conference(ConferenceRef),
    /// That of one participant.
    Participant(ConferenceRef, ParticipantId),
}

/// What is to be changed: nothing, a value, or back to the default: of a participant the conference's value, of a
/// conference the account's, of an account the configured one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SoundChange {
    /// See [`SoundSettings`].
    pub automatic_gain: Option<Option<bool>>,
    /// See [`SoundSettings`].
    pub noise_suppression: Option<Option<bool>>,
    /// See [`SoundSettings`].
    pub gain_db: Option<Option<f32>>,
}

/// Why a request of a web service was not carried out. The calls produce the first three; the engine adds what its store and
/// its tasks run into.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The request makes no sense now, or at all.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No call is placed or transferred.
    #[error(transparent)]
    Dial(#[from] DialRefused),
    /// It may work later: answered 503 with this text.
    #[error("not available: {0}")]
    Unavailable(String),
    /// The stored state differs from the one that the request expects.
    #[error("it has been changed meanwhile")]
    Changed,
    /// Something broke: answered 500, the text goes to the log only.
    #[error("internal error")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}
