//! What the web services ask of the conferences.

use async_trait::async_trait;
pub use plenary_calls::participants::{Direction, Participant, ParticipantState};
pub use plenary_calls::{
    ControlError, DialRefused, Invitation, Playback, SoundChange, SoundOf, SoundSettings, TransferState,
    TrunkState,
};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceName, ControlsChange, Event, ParticipantId, Reservation,
    ReservationLimits, ReservationToken, State, Timestamp,
    calendar::Availability,
    conferences::{
        ConferenceOverview, ConferenceRef, ConferenceSummary, ParticipantSummary, ReservationsQuery,
    },
    reservation::{ReservationChange, ReservationRequest},
};
use plenary_model::{CallStats, InbandDtmf, RecordingSettings};
use plenary_store::{Doing, StoreError};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// What the web services ask of the conferences. The HTTP side translates; the implementation decides.
///
/// Every method takes the account that asks; what belongs to another account does not exist for it.
#[async_trait]
pub trait ConferenceControl: Send + Sync {
    /// The service is going away: new calls should go elsewhere.
    fn is_draining(&self) -> bool {
        false
    }

    /// The same conferences; what is changed there is told by events as their doing, and what is stored has its entry in the audit log.
    fn acting(&self, doing: Doing) -> Arc<dyn ConferenceControl>;

    /// The rules of reservations, so that every parameter that is out of range can be reported at once, also where
    /// another one is missing.
    fn limits(&self) -> &ReservationLimits;

    /// The calendar time by which requests are judged and dated.
    fn now(&self) -> Timestamp;

    /// Claims the name, sells the seats durably, then notifies the conferences.
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

    /// Removes a reservation that has not started. Where `expected` is given, it must not have been changed since it was that.
    async fn remove(
        &self,
        account: AccountId,
        token: ReservationToken,
        expected: Option<Reservation>,
    ) -> Result<(), ControlError>;

    /// Makes a reservation beside others of its name that it does not overlap, as the management API does.
    async fn book(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<(Reservation, State), ControlError>;

    /// Reservations of the account that are not forgotten, by start, then by token.
    async fn reservations(
        &self,
        account: AccountId,
        query: ReservationsQuery,
    ) -> Result<Vec<(Reservation, State)>, ControlError>;

    /// One reservation.
    async fn reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
    ) -> Result<(Reservation, State), ControlError>;

    /// Changes a reservation that is not over, and says what has become of it. Where `expected` is given, it must not have been
    /// changed since it was that.
    async fn change_reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
        change: ReservationChange,
        expected: Option<Reservation>,
    ) -> Result<(Reservation, State), ControlError>;

    /// How many seats are left in a time: `limit` steps from `start` on, and the fewest in all of it.
    async fn availability(
        &self,
        time: Range<Timestamp>,
        start: Timestamp,
        limit: usize,
    ) -> Result<Availability, ControlError>;

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

    /// Ejects a participant.
    async fn eject(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: ParticipantId,
    ) -> Result<(), ControlError>;

    /// Conferences of the account by name: those after `after` that are in `state`, where these are given, `limit` at the most.
    async fn conferences(
        &self,
        account: AccountId,
        after: Option<ConferenceName>,
        state: Option<State>,
        limit: usize,
    ) -> Result<Vec<ConferenceOverview>, ControlError>;

    /// One conference.
    async fn conference(
        &self,
        account: AccountId,
        conference: ConferenceName,
    ) -> Result<ConferenceOverview, ControlError>;

    /// Changes a conference that is open.
    async fn change_conference(
        &self,
        account: AccountId,
        conference: ConferenceName,
        change: ConferenceChange,
    ) -> Result<(), ControlError>;

    /// Ends a conference for all participants, in every state. The reservation of a reserved one is removed: its seats and its
    /// name are free from then on.
    async fn end_conference(
        &self,
        account: AccountId,
        conference: ConferenceName,
    ) -> Result<(), ControlError>;

    /// Who is in a conference, waits in it or is being called into it, with what is measured of the calls.
    async fn roster(
        &self,
        account: AccountId,
        conference: ConferenceName,
    ) -> Result<Vec<ParticipantReport>, ControlError>;

    /// One of them; one that was called also for a while after its end.
    async fn participant(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
    ) -> Result<ParticipantReport, ControlError>;

    /// Changes a participant in whatever state it and the conference are.
    async fn change_participant(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
        change: ParticipantChange,
    ) -> Result<(), ControlError>;

    /// Asks a muted participant to unmute itself; it has to have a key for that.
    async fn ask_to_unmute(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
    ) -> Result<(), ControlError>;

    /// Makes the reservation of a conference that is in progress longer.
    async fn extend_running(
        &self,
        account: AccountId,
        conference: ConferenceName,
        minutes: u32,
    ) -> Result<(), ControlError>;

    /// Throws a participant out, or gives up calling it, in whatever state the conference is.
    async fn remove_participant(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
    ) -> Result<(), ControlError>;

    /// Changes how the conferences of an account, one of them, or one participant of it, are made to sound, and says how
    /// that is now. What is set for an account or a reserved conference outlives a restart. Where `expected` is given, it must not have been
    /// changed since it was that.
    async fn change_sound(
        &self,
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
        expected: Option<SoundSettings>,
    ) -> Result<SoundSettings, ControlError>;

    /// Trunks were changed: what registers and what calls go by is read again.
    async fn trunks_changed(&self) -> Result<(), ControlError>;

    /// How the account's trunks do, by name.
    async fn trunk_states(&self, account: AccountId) -> Result<BTreeMap<String, TrunkState>, ControlError>;

    /// Calls a participant into a conference. The seat is taken when this returns.
    async fn invite(
        &self,
        account: AccountId,
        conference: ConferenceName,
        invitation: Invitation,
    ) -> Result<ParticipantId, ControlError>;

    /// Plays something to a conference, or to one of its participants. The id of the playback.
    async fn announce(
        &self,
        account: AccountId,
        conference: ConferenceName,
        playback: Playback,
    ) -> Result<String, ControlError>;

    /// Ends a playback.
    async fn stop_announcement(
        &self,
        account: AccountId,
        conference: ConferenceName,
        id: String,
    ) -> Result<(), ControlError>;

    /// Asks the telephone of a participant to call another address instead (REFER, RFC 3515).
    async fn transfer(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
        to: String,
    ) -> Result<(), ControlError>;
}

/// A participant, with what is measured of its call.
#[derive(Debug, Clone, PartialEq)]
pub struct ParticipantReport {
    /// The participant.
    pub participant: Participant,
    /// Counters and measures of the media; `None` while the call has none.
    pub statistics: Option<CallStats>,
}

/// A change of a participant: what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParticipantChange {
    /// What the conference decides.
    pub home: plenary_conference::ParticipantChange,
    /// The name by which it is shown, or that it has none.
    pub display_name: Option<Option<String>>,
    /// Whether keys are also looked for as tones in its audio, or that this is as configured.
    pub inband_dtmf: Option<Option<InbandDtmf>>,
    /// How it is made to sound.
    pub sound: SoundChange,
}

/// A change of a conference as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConferenceChange {
    /// Admits a caller from the lobby; `None`: all of them.
    Admit(Option<ParticipantId>),
    /// Refuses all callers in the lobby.
    RefuseAll,
    /// A participant goes to another conference.
    Move {
        /// The participant, who is in.
        participant: ParticipantId,
        /// The conference that it goes to; made where there is none.
        to: ConferenceName,
    },
    /// What is set for it.
    Controls(ControlsChange),
    /// It is recorded.
    Record(RecordingSettings),
    /// Its recording pauses, or goes on.
    PauseRecording(bool),
    /// Its recording ends.
    StopRecording,
    /// All participants hear that it will end.
    WarnOfEnd {
        /// In so many seconds; `None`: when its reservation ends.
        seconds: Option<u32>,
    },
    /// Mutes all participants, or undoes that.
    MuteAll {
        /// Whether they are to be muted.
        muted: bool,
        /// Leaders are left as they are.
        except_leaders: bool,
        /// Whether they may unmute themselves from now on; `None`: as before.
        self_unmute: Option<bool>,
    },
}

impl ConferenceChange {
    /// As the conferences get it.
    #[must_use]
    pub fn event(self, conference: ConferenceKey) -> Event {
        match self {
            Self::Admit(participant) => Event::AdmitWaiting { conference, participant },
            Self::RefuseAll => Event::RefuseAllWaiting { conference },
            Self::Move { participant, to } => {
                let to = ConferenceKey { account: conference.account, name: to };
                Event::Move { conference, participant, to }
            }
            Self::Controls(change) => Event::ChangeControls { conference, change },
            Self::Record(settings) => Event::StartRecording { conference, settings },
            Self::PauseRecording(is_paused) => Event::PauseRecording { conference, is_paused },
            Self::StopRecording => Event::StopRecording { conference },
            Self::WarnOfEnd { seconds } => Event::WarnOfEnd { conference, seconds },
            Self::MuteAll { muted, except_leaders, self_unmute } => {
                Event::MuteAll { conference, muted, except_leaders, self_unmute }
            }
        }
    }
}

/// What a failure of the store means for the request: 503 while the database cannot be used, 500 otherwise.
#[must_use]
pub fn store_error(error: StoreError) -> ControlError {
    if error.is_unavailable() {
        tracing::warn!(%error, "the database cannot be used");
        return ControlError::Unavailable("the database cannot be used right now; try again".to_owned());
    }
    ControlError::Internal(error.into())
}
