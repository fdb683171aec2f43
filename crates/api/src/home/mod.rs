//! The home of the conferences as the web services ask it, and the sale of seats, which concerns the database as well.

mod booking;

use crate::control::ControlError;
use plenary_calls::question::{Answer, HomeQuestion, ParticipantAction};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceName, Event, ParticipantId, Refused, Reservation, ReservationLimits,
    ReservationToken, State, Timestamp,
    conferences::{
        ConferenceOverview, ConferenceRef, ConferenceSummary, ParticipantSummary, ReservationsQuery,
    },
};
use plenary_model::Actor;
use plenary_store::{Doing, Store};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// The way to the home of the conferences.
pub trait AskHome: Clone + Send + Sync + 'static {
    /// Asks the home, and waits for its answer.
    fn ask(&self, question: HomeQuestion) -> impl Future<Output = Result<Answer, ControlError>> + Send;

    /// The calendar time by which requests are judged.
    fn now(&self) -> Timestamp;

    /// The same way; what is asked, this actor asks.
    #[must_use]
    fn acting(&self, actor: Actor) -> Self;
}

/// Asks the home of the conferences, and sells seats.
#[derive(Debug, Clone)]
pub struct HomeClient<H> {
    home: H,
    store: Store,
    limits: Arc<ReservationLimits>,
    /// New reservations go side by side; what changes those that are there goes one after the other: two extensions of the
    /// same reservation must add up rather than overwrite each other.
    one_at_a_time: Arc<Mutex<()>>,
}

impl<H: AskHome> HomeClient<H> {
    /// Of this home, whose reservations are in this store.
    pub fn new(home: H, store: Store, limits: ReservationLimits) -> Self {
        Self { home, store, limits: Arc::new(limits), one_at_a_time: Arc::default() }
    }

    /// The same home and store; what is changed is told by events as their doing, and what is stored has its entry in the audit log.
    #[must_use]
    pub fn acting(&self, doing: Doing) -> Self {
        let (home, store) = (self.home.acting(doing.actor.clone()), self.store.acting(doing));
        let Self { limits, one_at_a_time, .. } = self.clone();
        Self { home, store, limits, one_at_a_time }
    }

    /// The rules of reservations.
    #[must_use]
    pub fn limits(&self) -> &ReservationLimits {
        &self.limits
    }

    /// The calendar time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.home.now()
    }

    /// Waits for the turn of a change of what is stored. The turn ends when the guard is dropped.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.one_at_a_time.lock().await
    }

    /// Asks for something to be done; returns when the edges have done it.
    async fn have_done(&self, question: HomeQuestion) -> Result<(), ControlError> {
        self.home.ask(question).await?.done()
    }

    /// Changes or ends a conference, or changes or removes a participant; returns when the edges have done it.
    ///
    /// # Errors
    /// The home refuses it, or cannot be asked.
    pub async fn control(&self, event: Event) -> Result<(), ControlError> {
        self.have_done(HomeQuestion::Control(event)).await
    }

    /// Every conference of the account.
    ///
    /// # Errors
    /// The home cannot be asked.
    pub async fn list(&self, account: AccountId) -> Result<Vec<ConferenceSummary>, ControlError> {
        match self.home.ask(HomeQuestion::List(account)).await? {
            Answer::Conferences(conferences) => Ok(conferences),
            other => Err(other.mismatch()),
        }
    }

    /// A conference's state and who is in it now.
    ///
    /// # Errors
    /// There is no such conference, or the home cannot be asked.
    pub async fn participants(
        &self,
        account: AccountId,
        which: ConferenceRef,
    ) -> Result<(State, Vec<ParticipantSummary>), ControlError> {
        match self.home.ask(HomeQuestion::Participants { account, which }).await? {
            Answer::Participants(found) => found.map_err(ControlError::Refused),
            other => Err(other.mismatch()),
        }
    }

    /// Who is heard talking in conferences of the account.
    ///
    /// # Errors
    /// The home cannot be asked.
    pub async fn talkers(
        &self,
        account: AccountId,
    ) -> Result<Vec<(ConferenceName, ParticipantId)>, ControlError> {
        match self.home.ask(HomeQuestion::Talkers(account)).await? {
            Answer::Talkers(talkers) => Ok(talkers),
            other => Err(other.mismatch()),
        }
    }

    /// Changes a participant by the rules of the seven web services; returns when its edge has done it.
    ///
    /// # Errors
    /// The home refuses it, or cannot be asked.
    pub async fn act(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: ParticipantId,
        change: ParticipantAction,
    ) -> Result<(), ControlError> {
        self.have_done(HomeQuestion::Change { account, which, participant, change }).await
    }

    /// Conferences of the account by name: those after `after` that are in `state`, `limit` at the most.
    ///
    /// # Errors
    /// The home cannot be asked.
    pub async fn conferences(
        &self,
        account: AccountId,
        after: Option<ConferenceName>,
        state: Option<State>,
        limit: usize,
    ) -> Result<Vec<ConferenceOverview>, ControlError> {
        match self.home.ask(HomeQuestion::Overviews { account, after, state, limit }).await? {
            Answer::Overviews(overviews) => Ok(overviews),
            other => Err(other.mismatch()),
        }
    }

    /// One conference.
    ///
    /// # Errors
    /// There is no such conference, or the home cannot be asked.
    pub async fn conference(&self, key: ConferenceKey) -> Result<ConferenceOverview, ControlError> {
        match self.home.ask(HomeQuestion::Overview(key)).await? {
            Answer::Overview(Some(overview)) => Ok(*overview),
            Answer::Overview(None) => Err(ControlError::Refused(Refused::UnknownConference)),
            other => Err(other.mismatch()),
        }
    }

    /// Reservations of the account that are not forgotten, by start, then by token.
    ///
    /// # Errors
    /// The home cannot be asked.
    pub async fn reservations(
        &self,
        account: AccountId,
        query: ReservationsQuery,
    ) -> Result<Vec<(Reservation, State)>, ControlError> {
        match self.home.ask(HomeQuestion::Reservations(account, Box::new(query))).await? {
            Answer::Reservations(reservations) => Ok(reservations),
            other => Err(other.mismatch()),
        }
    }

    /// One reservation.
    ///
    /// # Errors
    /// There is no such reservation, or the home cannot be asked.
    pub async fn reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
    ) -> Result<(Reservation, State), ControlError> {
        match self.home.ask(HomeQuestion::Find { account, token }).await? {
            Answer::Reservation(Some(found)) => Ok(found),
            Answer::Reservation(None) => Err(ControlError::Refused(Refused::UnknownReservation)),
            other => Err(other.mismatch()),
        }
    }
}
