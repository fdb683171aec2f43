//! The door behind which the conferences are.

use async_trait::async_trait;
pub use plenary_calls::{
    DialRefused, Invitation, PartyState, SoundChange, SoundOf, SoundSettings, TransferState, TrunkState,
};
use plenary_conference::{
    AccountId, ConferenceName, ParticipantId, Refused, ReservationLimits, ReservationToken, Timestamp,
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
