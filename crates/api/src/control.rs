//! The door behind which the conferences are.

use async_trait::async_trait;
use plenary_conference::{
    AccountId, ParticipantId, Refused, ReservationLimits, ReservationToken, Timestamp,
    conferences::{ConferenceRef, ConferenceSummary, ParticipantSummary, State},
    reservation::ReservationRequest,
};
use std::error::Error as StdError;
use thiserror::Error;

/// What the web services ask of the conferences. The HTTP side translates; the one who implements this decides.
///
/// Every method takes the account that asks; what belongs to another account does not exist for it.
#[async_trait]
pub trait ConferenceControl: Send + Sync {
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
