//! What the web services ask of the conferences, as questions to the engine.

use super::EngineHandle;
use async_trait::async_trait;
use plenary_api::{
    ConferenceChange, ConferenceControl, ControlError, DialRefused, Invitation, ParticipantChange,
    ParticipantReport, Playback, SoundChange, SoundOf, SoundSettings, TrunkState, store_error, to_the_end,
};
use plenary_calls::question::{Answer, EdgeQuestion, ParticipantAction, ParticipantsQuestion};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceName, Event, ParticipantId, Refused, Reservation, ReservationLimits,
    ReservationToken, State, Timestamp,
    calendar::Availability,
    conferences::{
        ConferenceOverview, ConferenceRef, ConferenceSummary, ParticipantSummary, ReservationsQuery,
    },
    reservation::{ReservationChange, ReservationRequest},
};
use plenary_store::Doing;
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tracing::warn;

/// How soon trunks that have changed are read again where they could not be read.
const TRUNKS_AGAIN: Duration = Duration::from_secs(1);

#[async_trait]
impl ConferenceControl for EngineHandle {
    fn acting(&self, doing: Doing) -> Arc<dyn ConferenceControl> {
        Arc::new(Self::acting(self, doing))
    }

    fn is_draining(&self) -> bool {
        self.is_draining.load(Relaxed)
    }

    fn limits(&self) -> &ReservationLimits {
        self.home.limits()
    }

    fn now(&self) -> Timestamp {
        self.home.now()
    }

    async fn reserve(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<ReservationToken, ControlError> {
        self.home.reserve(account, request).await
    }

    async fn extend(
        &self,
        account: AccountId,
        token: ReservationToken,
        minutes: u32,
    ) -> Result<(), ControlError> {
        self.home.extend(account, token, minutes).await
    }

    async fn remove(
        &self,
        account: AccountId,
        token: ReservationToken,
        expected: Option<Reservation>,
    ) -> Result<(), ControlError> {
        self.home.remove(account, token, expected).await
    }

    async fn book(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<(Reservation, State), ControlError> {
        self.home.book(account, request).await
    }

    async fn reservations(
        &self,
        account: AccountId,
        query: ReservationsQuery,
    ) -> Result<Vec<(Reservation, State)>, ControlError> {
        self.home.reservations(account, query).await
    }

    async fn reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
    ) -> Result<(Reservation, State), ControlError> {
        self.home.reservation(account, token).await
    }

    async fn change_reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
        change: ReservationChange,
        expected: Option<Reservation>,
    ) -> Result<(Reservation, State), ControlError> {
        self.home.change_reservation(account, token, change, expected).await
    }

    async fn availability(
        &self,
        time: Range<Timestamp>,
        start: Timestamp,
        limit: usize,
    ) -> Result<Availability, ControlError> {
        self.home.availability(time, start, limit).await
    }

    async fn list(&self, account: AccountId) -> Result<Vec<ConferenceSummary>, ControlError> {
        self.home.list(account).await
    }

    async fn participants(
        &self,
        account: AccountId,
        which: ConferenceRef,
    ) -> Result<(State, Vec<ParticipantSummary>), ControlError> {
        self.home.participants(account, which).await
    }

    async fn set_options(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: ParticipantId,
        muted: Option<bool>,
        dtmf_enabled: Option<bool>,
    ) -> Result<(), ControlError> {
        let change = ParticipantAction::SetOptions { muted, dtmf_enabled };
        self.home.act(account, which, participant, change).await
    }

    async fn eject(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        self.home.act(account, which, participant, ParticipantAction::Eject).await
    }

    async fn conferences(
        &self,
        account: AccountId,
        after: Option<ConferenceName>,
        state: Option<State>,
        limit: usize,
    ) -> Result<Vec<ConferenceOverview>, ControlError> {
        self.home.conferences(account, after, state, limit).await
    }

    async fn conference(
        &self,
        account: AccountId,
        name: ConferenceName,
    ) -> Result<ConferenceOverview, ControlError> {
        self.home.conference(ConferenceKey { account, name }).await
    }

    async fn change_conference(
        &self,
        account: AccountId,
        name: ConferenceName,
        change: ConferenceChange,
    ) -> Result<(), ControlError> {
        self.home.control(change.event(ConferenceKey { account, name })).await
    }

    async fn end_conference(&self, account: AccountId, name: ConferenceName) -> Result<(), ControlError> {
        self.home.end_conference(ConferenceKey { account, name }).await
    }

    async fn roster(
        &self,
        account: AccountId,
        conference: ConferenceName,
    ) -> Result<Vec<ParticipantReport>, ControlError> {
        let participants = self.participants_of(account, conference, ParticipantsQuestion::Roster).await?;
        Ok(self.measured(participants).await)
    }

    async fn participant(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
    ) -> Result<ParticipantReport, ControlError> {
        let found = self.participants_of(account, conference, ParticipantsQuestion::One(participant)).await?;
        let report = self.measured(found).await.pop();
        report.ok_or(ControlError::Refused(Refused::UnknownParticipant))
    }

    async fn change_participant(
        &self,
        account: AccountId,
        name: ConferenceName,
        participant: ParticipantId,
        change: ParticipantChange,
    ) -> Result<(), ControlError> {
        let ParticipantChange { home, display_name, inband_dtmf, sound } = change;
        let conference = ConferenceKey { account, name: name.clone() };
        // The home says whether there is such a participant, also where nothing of its own changes.
        let id = participant.clone();
        let event =
            Event::ChangeParticipant { conference: conference.clone(), participant: id, change: home };
        self.home.control(event).await?;
        if let Some(display_name) = display_name {
            let (conference, participant) = (conference.clone(), participant.clone());
            let rename = EdgeQuestion::Rename { conference, participant, display_name };
            self.ask_edge(rename).await?.done()?;
        }
        if let Some(inband_dtmf) = inband_dtmf {
            let participant = participant.clone();
            let set = EdgeQuestion::SetInbandDtmf { conference, participant, inband_dtmf };
            self.ask_edge(set).await?.done()?;
        }
        if sound != SoundChange::default() {
            let of = SoundOf::Participant(ConferenceRef::Name(name), participant);
            self.sound_changed(account, of, sound).await?;
        }
        Ok(())
    }

    async fn ask_to_unmute(
        &self,
        account: AccountId,
        name: ConferenceName,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        let conference = ConferenceKey { account, name };
        let check =
            EdgeQuestion::CheckUnmuteKey { conference: conference.clone(), participant: participant.clone() };
        self.ask_edge(check).await?.done()?;
        self.home.control(Event::AskToUnmute { conference, participant }).await
    }

    async fn extend_running(
        &self,
        account: AccountId,
        name: ConferenceName,
        minutes: u32,
    ) -> Result<(), ControlError> {
        self.home.extend_running(ConferenceKey { account, name }, minutes).await
    }

    async fn remove_participant(
        &self,
        account: AccountId,
        name: ConferenceName,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        let conference = ConferenceKey { account, name };
        self.home.control(Event::RemoveParticipant { conference, participant }).await
    }

    async fn change_sound(
        &self,
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
        expected: Option<SoundSettings>,
    ) -> Result<SoundSettings, ControlError> {
        let is_asked = change == SoundChange::default();
        if is_asked || matches!(of, SoundOf::Participant(..)) {
            return self.sound_changed(account, of, change).await;
        }
        to_the_end(self.clone().keep_sound(account, of, change, expected)).await
    }

    async fn trunks_changed(&self) -> Result<(), ControlError> {
        loop {
            // One after the other: what was read first must not be passed on last.
            let turn = self.home.turn().await;
            match self.store.all_trunks().await {
                Ok(trunks) => return self.ask_edge(EdgeQuestion::Trunks(Ok(trunks))).await?.done(),
                // What is stored has to take effect, though its client may hear before that its time is up.
                Err(error) => {
                    warn!(%error, "trunks have changed and cannot be read; trying again in a second")
                }
            }
            drop(turn);
            tokio::time::sleep(TRUNKS_AGAIN).await;
        }
    }

    async fn trunk_states(&self, account: AccountId) -> Result<BTreeMap<String, TrunkState>, ControlError> {
        match self.ask_edge(EdgeQuestion::TrunkStates(account)).await? {
            Answer::TrunkStates(states) => Ok(states),
            other => Err(other.mismatch()),
        }
    }

    async fn invite(
        &self,
        account: AccountId,
        conference: ConferenceName,
        invitation: Invitation,
    ) -> Result<ParticipantId, ControlError> {
        if let Some(name) = invitation.to.strip_prefix("user:") {
            let found = self.store.sip_secret(name).await;
            let found = found.map_err(store_error)?;
            if found.is_none_or(|user| user.account != account) {
                return Err(DialRefused::UnknownUser.into());
            }
        }
        let invitation = Box::new(invitation);
        self.ask_about_call(EdgeQuestion::Invite { account, conference, invitation }).await
    }

    async fn announce(
        &self,
        account: AccountId,
        name: ConferenceName,
        playback: Playback,
    ) -> Result<String, ControlError> {
        let conference = ConferenceKey { account, name };
        let question = EdgeQuestion::Announce { conference, playback: Box::new(playback) };
        match self.ask_edge(question).await? {
            Answer::Playback(id) => id.map_err(ControlError::Refused),
            other => Err(other.mismatch()),
        }
    }

    async fn stop_announcement(
        &self,
        account: AccountId,
        name: ConferenceName,
        id: String,
    ) -> Result<(), ControlError> {
        let conference = ConferenceKey { account, name };
        self.ask_edge(EdgeQuestion::StopAnnouncement { conference, id }).await?.done()
    }

    async fn transfer(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
        to: String,
    ) -> Result<(), ControlError> {
        let transfer = EdgeQuestion::Transfer { account, conference, participant, to };
        self.ask_about_call(transfer).await.map(|_| ())
    }
}
