//! The door behind which the conferences are.

use async_trait::async_trait;
use plenary_conference::{
    AccountId, ConferenceName, ParticipantId, ParticipantOptions, Refused, ReservationLimits,
    ReservationToken, Timestamp,
    conferences::{ConferenceRef, ConferenceSummary, ParticipantSummary, State},
    reservation::ReservationRequest,
};
use serde::Serialize;
use std::{collections::BTreeMap, error::Error as StdError};
use thiserror::Error;

/// What the web services ask of the conferences. The HTTP side translates; the one who implements this decides.
///
/// Every method takes the account that asks; what belongs to another account does not exist for it.
#[async_trait]
pub trait ConferenceControl: Send + Sync {
    /// The service is going away: new calls should go elsewhere.
    fn is_draining(&self) -> bool {
        false
    }

    /// The rules of reservations, so that every parameter that is out of range can be told at once, also where
    /// another one is missing.
    fn limits(&self) -> &ReservationLimits;

    /// The calendar time by which requests are judged and dated.
    fn now(&self) -> Timestamp;

    /// Claims the name, sells the seats durably, then tells the conferences.
    async fn reserve(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<ReservationToken, ControlError>;

    /// Adds `minutes` to the duration.
    async fn extend(
        &self,
        account: AccountId,
        token: ReservationToken,
        minutes: u32,
    ) -> Result<(), ControlError>;

    /// Removes a reservation that has not started.
    async fn remove(&self, account: AccountId, token: ReservationToken) -> Result<(), ControlError>;

    /// Every conference of the account.
    async fn list(&self, account: AccountId) -> Result<Vec<ConferenceSummary>, ControlError>;

    /// A conference's state and who is in it now.
    async fn participants(
        &self,
        account: AccountId,
        which: ConferenceRef,
    ) -> Result<(State, Vec<ParticipantSummary>), ControlError>;

    /// Sets what is given and leaves the rest.
    async fn set_options(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: ParticipantId,
        muted: Option<bool>,
        dtmf_enabled: Option<bool>,
    ) -> Result<(), ControlError>;

    /// Throws a party out.
    async fn eject(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: ParticipantId,
    ) -> Result<(), ControlError>;

    /// Everybody who is in a conference, with what is measured of the call.
    async fn participant_reports(
        &self,
        account: AccountId,
        which: ConferenceRef,
    ) -> Result<Vec<ParticipantReport>, ControlError>;

    /// Changes how the conferences of an account, one of them, or one participant of it, are made to sound, and says how
    /// that is now. What is set for an account or a reserved conference outlives a restart.
    async fn change_sound(
        &self,
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
    ) -> Result<SoundSettings, ControlError>;

    /// Trunks were changed: what registers and what calls go by is read again.
    async fn trunks_changed(&self) -> Result<(), ControlError>;

    /// How the account's trunks do, by name.
    async fn trunk_states(&self, account: AccountId) -> Result<BTreeMap<String, TrunkState>, ControlError>;

    /// Calls somebody into a conference. The seat is taken when this returns.
    async fn invite(
        &self,
        account: AccountId,
        conference: ConferenceName,
        invitation: Invitation,
    ) -> Result<PartyState, ControlError>;

    /// How the call of a party is doing: somebody who was called, also for a while after its end, or who is in.
    async fn party(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
    ) -> Result<PartyState, ControlError>;

    /// Gives up calling, or hangs up.
    async fn end_party(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
    ) -> Result<(), ControlError>;

    /// Asks the telephone of a party to call somebody else instead (REFER, RFC 3515).
    async fn transfer(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
        to: String,
    ) -> Result<PartyState, ControlError>;
}

/// Whom to call into a conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// `tel:+441908273800`, `sip:user@host` or `user:alice`.
    pub to: String,
    /// The trunk; `None`: the first that serves it, and the next where that one fails.
    pub trunk: Option<String>,
    /// What the party may do.
    pub options: ParticipantOptions,
    /// For how long it may ring, in seconds.
    pub ring_seconds: u32,
    /// The user part of From.
    pub from: Option<String>,
}

/// How a trunk does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrunkState {
    /// Calls that are up or being placed, both ways.
    pub calls: u32,
    /// `off`, `registering`, `registered` or `failed`.
    pub registration: &'static str,
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

/// How the call of a party is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartyState {
    /// As `conference_participant_list` shows it once it is in.
    pub participant_id: ParticipantId,
    /// `in` or `out`.
    pub direction: &'static str,
    /// Whom it calls or who called.
    pub to: String,
    /// Who calls.
    pub from: String,
    /// `calling`, `ringing`, `answered`, `failed` or `ended`.
    pub state: &'static str,
    /// The SIP status of a call that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it failed or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The trunk that it goes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// What came of a transfer that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferState>,
}

/// What came of asking a telephone to call somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransferState {
    /// Whom.
    pub to: String,
    /// `asked`, `trying`, `done` or `failed`.
    pub state: &'static str,
    /// The last SIP status that it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// Why nobody is called.
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

/// Somebody in a conference, with what is measured of the call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParticipantReport {
    /// As `conference_participant_list` shows it.
    pub participant_id: ParticipantId,
    /// User part of the caller's address; of a browser with an access key its client id.
    pub from: String,
    /// What admitted the caller: `network`, `trunk`, `user`, `token` or `webrtc`; null: we called.
    pub admitted_by: Option<&'static str>,
    /// May not speak.
    pub muted: bool,
    /// Speaks now.
    pub talking: bool,
    /// What is done to the voice.
    pub sound: SoundSettings,
    /// Counters and measures of the media; null while the call has none.
    pub statistics: serde_json::Value,
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

/// Why the conferences did not do it.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The request makes no sense now, or at all.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody is called.
    #[error(transparent)]
    Dial(#[from] DialRefused),
    /// It may work later: answered 503 with this text.
    #[error("not available: {0}")]
    Unavailable(String),
    /// Something broke: answered 500, the text goes to the log only.
    #[error("internal error")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}
