//! The door of the engine for the web services: questions and commands, answered one at a time.

use super::{EngineCommand, clock::Clock, media_plane};
use async_trait::async_trait;
use plenary_api::{
    ConferenceChange, ConferenceControl, ControlError, DialRefused, Invitation, Participant,
    ParticipantChange, ParticipantReport, Playback, SoundChange, SoundOf, SoundSettings, TrunkState,
};
use plenary_calls::{
    Settings,
    question::{Answer, EdgeQuestion, HomeQuestion, ParticipantAction, ParticipantsQuestion, Question},
};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceName, Event, ParticipantId, Refused, Reservation, ReservationLimits,
    ReservationToken, State, Timestamp,
    calendar::Availability,
    conferences::{
        ConferenceOverview, ConferenceRef, ConferenceSummary, ParticipantSummary, ReservationsQuery,
    },
    reservation::{
        ReservationChange, ReservationRequest, check_booking, check_change, check_extend, check_new,
        check_remove,
    },
};
use plenary_media::MediaHandle;
use plenary_store::{NameRule, ReserveError, Store, StoreError};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{Mutex, mpsc, oneshot};
use tracing::warn;

/// How soon trunks that have changed are read again where they could not be read.
const TRUNKS_AGAIN: Duration = Duration::from_secs(1);

/// Asks and commands the engine. Clones share its queue.
#[derive(Debug, Clone)]
pub(crate) struct EngineHandle {
    commands: mpsc::Sender<EngineCommand>,
    media: MediaHandle,
    booking: Arc<Booking>,
}

/// What it takes to sell seats. New reservations go side by side; what changes those that are there goes one after the
/// other: two extensions of the same reservation must add up rather than overwrite each other.
#[derive(Debug)]
struct Booking {
    store: Store,
    limits: ReservationLimits,
    clock: Clock,
    one_at_a_time: Mutex<()>,
    /// The service is stopping: health checks are answered so.
    is_draining: AtomicBool,
}

/// One line of the roster with what the web services of the specification do not show.
#[derive(Debug, Clone)]
pub(crate) struct RosterLine {
    pub(crate) from: String,
    pub(crate) muted: bool,
    pub(crate) talking: bool,
}

impl EngineHandle {
    pub(super) fn new(
        commands: mpsc::Sender<EngineCommand>,
        store: Store,
        media: MediaHandle,
        limits: ReservationLimits,
        clock: Clock,
    ) -> Self {
        Self {
            commands,
            media,
            booking: Arc::new(Booking {
                store,
                limits,
                clock,
                one_at_a_time: Mutex::new(()),
                is_draining: AtomicBool::new(false),
            }),
        }
    }

    async fn ask(&self, question: Question) -> Result<Answer, ControlError> {
        let (reply, answer) = oneshot::channel();
        let stopping = || ControlError::Unavailable("the service is stopping".to_owned());
        self.commands.send(EngineCommand::Ask(Box::new(question), reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    /// Asks for something to be done.
    async fn have_done(&self, question: Question) -> Result<(), ControlError> {
        match self.ask(question).await? {
            Answer::Done(done) => done.map_err(ControlError::Refused),
            other => Err(odd(&other)),
        }
    }

    async fn ask_home(&self, question: HomeQuestion) -> Result<Answer, ControlError> {
        self.ask(Question::Home(question)).await
    }

    async fn apply(&self, event: Event) -> Result<(), ControlError> {
        self.have_done(Question::Home(HomeQuestion::Reservation(event))).await
    }

    async fn find(
        &self,
        account: AccountId,
        token: ReservationToken,
    ) -> Result<Option<(Reservation, State)>, ControlError> {
        match self.ask_home(HomeQuestion::Find { account, token }).await? {
            Answer::Reservation(found) => Ok(found),
            other => Err(odd(&other)),
        }
    }

    /// A reservation that has not been changed since it was `expected`, where that is given.
    async fn expect(
        &self,
        account: AccountId,
        token: ReservationToken,
        expected: Option<Reservation>,
    ) -> Result<(Reservation, State), ControlError> {
        let found = self.find(account, token).await?;
        let (reservation, state) = found.ok_or(ControlError::Refused(Refused::UnknownReservation))?;
        if expected.is_some_and(|expected| expected != reservation) {
            return Err(ControlError::Changed);
        }
        Ok((reservation, state))
    }

    async fn participants_of(
        &self,
        account: AccountId,
        conference: ConferenceName,
        what: ParticipantsQuestion,
    ) -> Result<Vec<Participant>, ControlError> {
        let which = ConferenceRef::Name(conference);
        match self.ask(Question::Participants { account, which, what }).await? {
            Answer::Roster(roster) => roster.map_err(ControlError::Refused),
            other => Err(odd(&other)),
        }
    }

    /// Puts beside participants what is measured of their calls.
    async fn measured(&self, participants: Vec<Participant>) -> Vec<ParticipantReport> {
        // All are asked for before the first is waited for.
        let asked = participants.into_iter().map(|participant| {
            let statistics = participant.call.map(|call| self.media.ask_stats(media_plane::id(call)));
            (participant, statistics)
        });
        let mut reports = Vec::new();
        for (participant, statistics) in asked.collect::<Vec<_>>() {
            // A call that ends just now has none.
            let statistics = match statistics {
                Some(statistics) => statistics.await.ok(),
                None => None,
            };
            let statistics = serde_json::to_value(statistics).unwrap_or_default();
            reports.push(ParticipantReport { participant, statistics });
        }
        reports
    }

    /// Has a conference or a participant changed; returns when the edges have done it.
    async fn control(&self, event: Event) -> Result<(), ControlError> {
        self.have_done(Question::Home(HomeQuestion::Control(event))).await
    }

    async fn end_now(self, key: ConferenceKey) -> Result<(), ControlError> {
        let booking = &self.booking;
        let _turn = booking.one_at_a_time.lock().await;
        let overview = match self.ask_home(HomeQuestion::Overview(key.clone())).await? {
            Answer::Overview(overview) => overview,
            other => return Err(odd(&other)),
        };
        match overview.ok_or(ControlError::Refused(Refused::UnknownConference))?.reservation {
            Some(reservation) => {
                booking
                    .store
                    .remove(&reservation.token, booking.limits.capacity)
                    .await
                    .map_err(store_error)?;
                self.apply(Event::ReservationRemoved { token: reservation.token }).await
            }
            None => self.control(Event::End { conference: key }).await,
        }
    }

    async fn ask_about_call(&self, question: EdgeQuestion) -> Result<ParticipantId, ControlError> {
        match self.ask(Question::Edge(question)).await? {
            Answer::Call(participant) => participant,
            other => Err(odd(&other)),
        }
    }

    /// Who is in a conference, and who of them is talking.
    pub(crate) async fn roster(&self, key: ConferenceKey) -> Result<Vec<RosterLine>, ControlError> {
        let inside = match self.participants_of(key.account, key.name, ParticipantsQuestion::Roster).await {
            Err(ControlError::Refused(_)) => Vec::new(),
            inside => inside?,
        };
        let line = |one: Participant| RosterLine {
            from: one.name,
            muted: one.muted_by.is_some(),
            talking: one.talking,
        };
        Ok(inside.into_iter().filter(|one| one.entered_at.is_some()).map(line).collect())
    }

    /// The engine answers within `within`.
    pub(crate) async fn is_alive(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.ask(Question::Edge(EdgeQuestion::Ping)))
            .await
            .is_ok_and(|answer| answer.is_ok())
    }

    /// Returns when the engine has ended.
    pub(crate) async fn ended(&self) {
        self.commands.closed().await;
    }

    /// Has what is done next for this call fail, as a mistake of ours would.
    #[cfg(test)]
    pub(crate) async fn fail(&self, call: Option<plenary_calls::CallNumber>) {
        let _ = self.commands.send(EngineCommand::Fail { call }).await;
    }

    /// Other settings from now on.
    pub(crate) async fn reconfigure(&self, settings: Settings) {
        let _ = self.commands.send(EngineCommand::Reconfigure(Box::new(settings))).await;
    }

    /// Takes no new calls; returns when the last one is over.
    pub(crate) async fn drain(&self) {
        self.booking.is_draining.store(true, Relaxed);
        let _ = self.ask(Question::Edge(EdgeQuestion::Drain)).await;
    }

    /// Hangs up every call and ends the engine; returns when the last BYE is answered or `within` has passed.
    pub(crate) async fn stop(&self, within: Duration) {
        let (reply, stopped) = oneshot::channel();
        let stop = async {
            if self.commands.send(EngineCommand::Stop(reply)).await.is_ok() {
                let _ = stopped.await;
            }
        };
        let _ = tokio::time::timeout(within, stop).await;
    }

    /// One of a name at a time, by the rules of the seven web services.
    async fn reserve_now(
        self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<ReservationToken, ControlError> {
        let booking = &self.booking;
        let now = booking.clock.now().wall;
        let starts_at = check_new(&request, &booking.limits, now).map_err(ControlError::Refused)?;
        let names = NameRule::Exclusive { completed_minutes: booking.limits.completed_minutes };
        Ok(self.sell(account, request, starts_at, names, now).await?.token)
    }

    /// Several of a name, by the rules of the management API.
    async fn book_now(
        self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<(Reservation, State), ControlError> {
        let booking = &self.booking;
        let now = booking.clock.now().wall;
        let starts_at = check_booking(&request, &booking.limits, now).map_err(ControlError::Refused)?;
        let reservation = self.sell(account, request, starts_at, NameRule::NonOverlapping, now).await?;
        // Without notice it may be on already.
        match self.find(account, reservation.token.clone()).await? {
            Some(found) => Ok(found),
            None => Ok((reservation, State::Reserved)),
        }
    }

    async fn sell(
        &self,
        account: AccountId,
        request: ReservationRequest,
        starts_at: Timestamp,
        names: NameRule,
        now: Timestamp,
    ) -> Result<Reservation, ControlError> {
        // Without a turn: the name is claimed, and the store makes those that come at once together.
        let booking = &self.booking;
        let key = ConferenceKey { account, name: request.name.clone() };
        let time = match names {
            NameRule::Exclusive { .. } => None,
            NameRule::NonOverlapping => Some((starts_at, starts_at.plus_minutes(request.duration_minutes))),
        };
        let claim = HomeQuestion::Claim { conference: key.clone(), time };
        self.have_done(Question::Home(claim)).await?;
        let reservation = Reservation {
            token: plenary_store::new_reservation_token(),
            account,
            name: request.name,
            max_participants: request.max_participants,
            starts_at,
            duration_minutes: request.duration_minutes,
            divert: request.divert,
            title: request.title,
        };
        match booking.store.reserve_by(&reservation, names, booking.limits.capacity, now).await {
            Ok(()) => {
                self.apply(Event::ReservationAdded(reservation.clone())).await?;
                Ok(reservation)
            }
            Err(error) => {
                self.have_done(Question::Home(HomeQuestion::Release(key))).await?;
                Err(reserve_error(error))
            }
        }
    }

    /// Makes the reserved conference that is going on longer.
    pub(super) async fn extend_running(&self, key: ConferenceKey, minutes: u32) -> Result<(), ControlError> {
        let account = key.account;
        let overview = match self.ask_home(HomeQuestion::Overview(key)).await? {
            Answer::Overview(overview) => overview,
            other => return Err(odd(&other)),
        };
        let reservation = overview.and_then(|overview| overview.reservation);
        let token = reservation.ok_or(ControlError::Refused(Refused::UnknownReservation))?.token;
        to_the_end(self.clone().extend_now(account, token, minutes)).await
    }

    async fn extend_now(
        self,
        account: AccountId,
        token: ReservationToken,
        minutes: u32,
    ) -> Result<(), ControlError> {
        let booking = &self.booking;
        let _turn = booking.one_at_a_time.lock().await;
        let (reservation, state) = self.expect(account, token.clone(), None).await?;
        let now = booking.clock.now().wall;
        let duration_minutes = check_extend(&reservation, state, minutes, &booking.limits, now)
            .map_err(ControlError::Refused)?;
        booking
            .store
            .extend(&token, duration_minutes, booking.limits.capacity)
            .await
            .map_err(reserve_error)?;
        self.apply(Event::ReservationExtended { token, duration_minutes }).await
    }

    /// What outlives a restart is in the store before it is heard.
    async fn keep_sound(
        self,
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
    ) -> Result<SoundSettings, ControlError> {
        let booking = &self.booking;
        let _turn = booking.one_at_a_time.lock().await;
        let question = match of.clone() {
            SoundOf::Account => Question::Edge(EdgeQuestion::PlanAccountSound(account, change)),
            SoundOf::Conference(which) | SoundOf::Participant(which, _) => {
                Question::Participants { account, which, what: ParticipantsQuestion::PlanSound(change) }
            }
        };
        let plan = match self.ask(question).await? {
            Answer::SoundPlan(plan) => plan.map_err(ControlError::Refused)?,
            other => return Err(odd(&other)),
        };
        if let Some((owner, sound)) = plan {
            booking.store.keep_sound(&owner, sound).await.map_err(store_error)?;
        }
        self.sound_changed(account, of, change).await
    }

    async fn sound_changed(
        &self,
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
    ) -> Result<SoundSettings, ControlError> {
        let question = match of {
            SoundOf::Account => Question::Edge(EdgeQuestion::ChangeAccountSound(account, change)),
            SoundOf::Conference(which) => Question::Participants {
                account,
                which,
                what: ParticipantsQuestion::ChangeSound(None, change),
            },
            SoundOf::Participant(which, participant) => Question::Participants {
                account,
                which,
                what: ParticipantsQuestion::ChangeSound(Some(participant), change),
            },
        };
        match self.ask(question).await? {
            Answer::Sound(sound) => sound.map_err(ControlError::Refused),
            other => Err(odd(&other)),
        }
    }

    async fn change_now(
        self,
        account: AccountId,
        token: ReservationToken,
        change: ReservationChange,
        expected: Option<Reservation>,
    ) -> Result<(Reservation, State), ControlError> {
        let booking = &self.booking;
        let _turn = booking.one_at_a_time.lock().await;
        let (before, state) = self.expect(account, token.clone(), expected).await?;
        let now = booking.clock.now().wall;
        let after =
            check_change(&before, state, &change, &booking.limits, now).map_err(ControlError::Refused)?;
        if after != before {
            booking.store.change_reservation(&after, booking.limits.capacity).await.map_err(reserve_error)?;
            self.apply(Event::ReservationChanged(after.clone())).await?;
        }
        Ok(self.find(account, token).await?.unwrap_or((after, state)))
    }

    async fn remove_now(
        self,
        account: AccountId,
        token: ReservationToken,
        expected: Option<Reservation>,
    ) -> Result<(), ControlError> {
        let booking = &self.booking;
        let _turn = booking.one_at_a_time.lock().await;
        let (reservation, state) = self.expect(account, token.clone(), expected).await?;
        let now = booking.clock.now().wall;
        check_remove(&reservation, state, &booking.limits, now).map_err(ControlError::Refused)?;
        booking.store.remove(&token, booking.limits.capacity).await.map_err(store_error)?;
        self.apply(Event::ReservationRemoved { token }).await
    }
}

/// An answer to another question: a mistake of ours.
fn odd(answer: &Answer) -> ControlError {
    ControlError::Internal(format!("an answer to another question: {answer:?}").into())
}

fn reserve_error(error: ReserveError) -> ControlError {
    match error {
        ReserveError::NameTaken => ControlError::Refused(Refused::NameTaken),
        ReserveError::NoSeats { available, from, to } => {
            ControlError::Refused(Refused::NoSeats { available, from, to })
        }
        ReserveError::UnknownReservation => ControlError::Refused(Refused::UnknownReservation),
        ReserveError::Store(error) => store_error(error),
    }
}

fn store_error(error: StoreError) -> ControlError {
    if error.is_unavailable() {
        tracing::warn!(%error, "the database cannot be used");
        return ControlError::Unavailable("the database cannot be used right now; try again".to_owned());
    }
    ControlError::Internal(error.into())
}

/// Runs a sale to its end even when the client that asked for it goes away: half a sale would be in the
/// database and not in the conferences.
async fn to_the_end<T: Send + 'static>(
    sale: impl Future<Output = Result<T, ControlError>> + Send + 'static,
) -> Result<T, ControlError> {
    match tokio::spawn(sale).await {
        Ok(outcome) => outcome,
        Err(panicked) => Err(ControlError::Internal(panicked.into())),
    }
}

#[async_trait]
impl ConferenceControl for EngineHandle {
    fn is_draining(&self) -> bool {
        self.booking.is_draining.load(Relaxed)
    }

    fn limits(&self) -> &ReservationLimits {
        &self.booking.limits
    }

    fn now(&self) -> Timestamp {
        self.booking.clock.now().wall
    }

    async fn reserve(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<ReservationToken, ControlError> {
        to_the_end(self.clone().reserve_now(account, request)).await
    }

    async fn extend(
        &self,
        account: AccountId,
        token: ReservationToken,
        minutes: u32,
    ) -> Result<(), ControlError> {
        to_the_end(self.clone().extend_now(account, token, minutes)).await
    }

    async fn remove(
        &self,
        account: AccountId,
        token: ReservationToken,
        expected: Option<Reservation>,
    ) -> Result<(), ControlError> {
        to_the_end(self.clone().remove_now(account, token, expected)).await
    }

    async fn book(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<(Reservation, State), ControlError> {
        to_the_end(self.clone().book_now(account, request)).await
    }

    async fn reservations(
        &self,
        account: AccountId,
        query: ReservationsQuery,
    ) -> Result<Vec<(Reservation, State)>, ControlError> {
        match self.ask_home(HomeQuestion::Reservations(account, Box::new(query))).await? {
            Answer::Reservations(reservations) => Ok(reservations),
            other => Err(odd(&other)),
        }
    }

    async fn reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
    ) -> Result<(Reservation, State), ControlError> {
        self.expect(account, token, None).await
    }

    async fn change_reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
        change: ReservationChange,
        expected: Option<Reservation>,
    ) -> Result<(Reservation, State), ControlError> {
        to_the_end(self.clone().change_now(account, token, change, expected)).await
    }

    async fn availability(
        &self,
        time: Range<Timestamp>,
        start: Timestamp,
        limit: usize,
    ) -> Result<Availability, ControlError> {
        // Of the database: other processes may sell seats of it as well.
        let sold = self.booking.store.booked_seats(time.clone()).await.map_err(store_error)?;
        let capacity = self.booking.limits.capacity;
        let least = capacity.saturating_sub(sold.peak(time.start, time.end));
        Ok(Availability { least, ..sold.availability(start, time.end, capacity, limit) })
    }

    async fn list(&self, account: AccountId) -> Result<Vec<ConferenceSummary>, ControlError> {
        match self.ask_home(HomeQuestion::List(account)).await? {
            Answer::Conferences(conferences) => Ok(conferences),
            other => Err(odd(&other)),
        }
    }

    async fn participants(
        &self,
        account: AccountId,
        which: ConferenceRef,
    ) -> Result<(State, Vec<ParticipantSummary>), ControlError> {
        match self.ask_home(HomeQuestion::Participants { account, which }).await? {
            Answer::Participants(found) => found.map_err(ControlError::Refused),
            other => Err(odd(&other)),
        }
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
        let question = HomeQuestion::Change { account, which, participant, change };
        self.have_done(Question::Home(question)).await
    }

    async fn eject(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        let question = HomeQuestion::Change { account, which, participant, change: ParticipantAction::Eject };
        self.have_done(Question::Home(question)).await
    }

    async fn conferences(
        &self,
        account: AccountId,
        after: Option<ConferenceName>,
        state: Option<State>,
        limit: usize,
    ) -> Result<Vec<ConferenceOverview>, ControlError> {
        match self.ask_home(HomeQuestion::Overviews { account, after, state, limit }).await? {
            Answer::Overviews(overviews) => Ok(overviews),
            other => Err(odd(&other)),
        }
    }

    async fn conference(
        &self,
        account: AccountId,
        name: ConferenceName,
    ) -> Result<ConferenceOverview, ControlError> {
        match self.ask_home(HomeQuestion::Overview(ConferenceKey { account, name })).await? {
            Answer::Overview(Some(overview)) => Ok(*overview),
            Answer::Overview(None) => Err(ControlError::Refused(Refused::UnknownConference)),
            other => Err(odd(&other)),
        }
    }

    async fn change_conference(
        &self,
        account: AccountId,
        name: ConferenceName,
        change: ConferenceChange,
    ) -> Result<(), ControlError> {
        self.control(change.event(ConferenceKey { account, name })).await
    }

    async fn end_conference(&self, account: AccountId, name: ConferenceName) -> Result<(), ControlError> {
        to_the_end(self.clone().end_now(ConferenceKey { account, name })).await
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
        let ParticipantChange { home, display_name, sound } = change;
        let conference = ConferenceKey { account, name: name.clone() };
        // The home says whether there is such a participant, also where nothing of its own changes.
        let id = participant.clone();
        self.control(Event::ChangeParticipant {
            conference: conference.clone(),
            participant: id,
            change: home,
        })
        .await?;
        if let Some(display_name) = display_name {
            let participant = participant.clone();
            let rename = EdgeQuestion::Rename { conference, participant, display_name };
            self.have_done(Question::Edge(rename)).await?;
        }
        if sound != SoundChange::default() {
            let of = SoundOf::Participant(ConferenceRef::Name(name), participant);
            self.sound_changed(account, of, sound).await?;
        }
        Ok(())
    }

    async fn remove_participant(
        &self,
        account: AccountId,
        name: ConferenceName,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        self.control(Event::RemoveParticipant { conference: ConferenceKey { account, name }, participant })
            .await
    }

    async fn change_sound(
        &self,
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
    ) -> Result<SoundSettings, ControlError> {
        let is_asked = change == SoundChange::default();
        if is_asked || matches!(of, SoundOf::Participant(..)) {
            return self.sound_changed(account, of, change).await;
        }
        to_the_end(self.clone().keep_sound(account, of, change)).await
    }

    async fn trunks_changed(&self) -> Result<(), ControlError> {
        loop {
            // One after the other: what was read first must not be passed on last.
            let turn = self.booking.one_at_a_time.lock().await;
            match self.booking.store.all_trunks().await {
                Ok(trunks) => return self.have_done(Question::Edge(EdgeQuestion::Trunks(Ok(trunks)))).await,
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
        match self.ask(Question::Edge(EdgeQuestion::TrunkStates(account))).await? {
            Answer::TrunkStates(states) => Ok(states),
            other => Err(odd(&other)),
        }
    }

    async fn invite(
        &self,
        account: AccountId,
        conference: ConferenceName,
        invitation: Invitation,
    ) -> Result<ParticipantId, ControlError> {
        if let Some(name) = invitation.to.strip_prefix("user:") {
            let found = self.booking.store.sip_secret(name).await;
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
        match self.ask(Question::Edge(question)).await? {
            Answer::Playback(id) => id.map_err(ControlError::Refused),
            other => Err(odd(&other)),
        }
    }

    async fn stop_announcement(
        &self,
        account: AccountId,
        name: ConferenceName,
        id: String,
    ) -> Result<(), ControlError> {
        let conference = ConferenceKey { account, name };
        self.have_done(Question::Edge(EdgeQuestion::StopAnnouncement { conference, id })).await
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
