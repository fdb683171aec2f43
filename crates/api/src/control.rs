//! The door behind which the conferences are.

use async_trait::async_trait;
use plenary_conference::{
    AccountId, ParticipantId, Refused, ReservationLimits, ReservationToken, Timestamp,
    conferences::{ConferenceRef, ConferenceSummary, ParticipantSummary, State},
    reservation::ReservationRequest,
};
use serde::Serialize;
use std::error::Error as StdError;
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

    /// Changes how a conference, or one participant of it, is made to sound, and says how that is now.
    async fn change_sound(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: Option<ParticipantId>,
        change: SoundChange,
    ) -> Result<SoundSettings, ControlError>;
}

/// Somebody in a conference, with what is measured of the call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParticipantReport {
    /// As `conference_participant_list` shows it.
    pub participant_id: ParticipantId,
    /// User part of the caller's address.
    pub from: String,
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

/// What is to be changed: nothing, a value, or back to the default: of a participant the conference's value, of a
/// conference the configured one.
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
    /// It may work later: answered 503 with this text.
    #[error("not available: {0}")]
    Unavailable(String),
    /// Something broke: answered 500, the text goes to the log only.
    #[error("internal error")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}
