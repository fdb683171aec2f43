//! Every conference of the installation.

use crate::{
    effect::Effect,
    event::Event,
    id::{AccountId, ConferenceKey, ConferenceName, ParticipantId, ReservationToken},
    limits::{ConferenceLimits, ReservationLimits},
    refused::Refused,
    reservation::Reservation,
    time::{Mono, Now},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a conference as the web services name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Booked; its time has not come.
    Reserved,
    /// Its time has come, or somebody is in it, but nobody hears anybody.
    Holding,
    /// Its parties hear each other.
    Active,
    /// A reservation whose time is up.
    Completed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reserved => "RESERVED",
            Self::Holding => "HOLDING",
            Self::Active => "ACTIVE",
            Self::Completed => "COMPLETED",
        })
    }
}

/// One line of the conference list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceSummary {
    /// Its name.
    pub name: ConferenceName,
    /// Its state.
    pub state: State,
    /// Its seats.
    pub max_participants: u32,
    /// The reservation behind it, if it is a reserved conference.
    pub reservation: Option<Reservation>,
}

/// One line of the participant list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantSummary {
    /// Its id.
    pub id: ParticipantId,
    /// Muted by a key or by the web service.
    pub muted: bool,
    /// Whether its keys do anything.
    pub dtmf_enabled: bool,
}

/// A conference named the way the web services do: by name, by token, or by both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConferenceRef {
    /// By name.
    Name(ConferenceName),
    /// By token.
    Token(ReservationToken),
    /// By both, which must agree.
    Both(ConferenceName, ReservationToken),
}

/// Every conference of the installation, reserved or live.
#[derive(Debug)]
pub struct Conferences {}

#[allow(unused_variables, missing_docs)]
impl Conferences {
    pub fn new(reservations: ReservationLimits, conferences: ConferenceLimits) -> Self { todo!() }
    /// Takes one event. Afterwards drain [`Self::poll_effect`], then read [`Self::poll_timeout`].
    pub fn handle_event(&mut self, event: Event, now: Now) -> Result<(), Refused> { todo!() }
    /// Lets time pass. Call at [`Self::poll_timeout`] or later, and at least once a second (the calendar clock may be corrected).
    pub fn handle_timeout(&mut self, now: Now) { todo!() }
    pub fn poll_effect(&mut self) -> Option<Effect> { todo!() }
    /// When to call `handle_timeout` next, given the current offset between the two clocks.
    pub fn poll_timeout(&self, now: Now) -> Option<Mono> { todo!() }
    /// Keeps `key` from being used while its reservation is on its way to the database: callers are refused as BUSY.
    pub fn claim_name(&mut self, key: &ConferenceKey, now: Now) -> Result<(), Refused> { todo!() }
    /// Gives a claimed name back (the reservation failed). `ReservationAdded` ends a claim too.
    pub fn release_name(&mut self, key: &ConferenceKey) { todo!() }
    /// Which conference of `account` is meant.
    pub fn resolve(&self, account: AccountId, which: &ConferenceRef, now: Now) -> Result<ConferenceKey, Refused> { todo!() }
    pub fn reservation(&self, account: AccountId, token: &ReservationToken) -> Option<&Reservation> { todo!() }
    pub fn state(&self, key: &ConferenceKey, now: Now) -> Option<State> { todo!() }
    /// All of an account's conferences, ordered by name.
    pub fn list(&self, account: AccountId, now: Now) -> Vec<ConferenceSummary> { todo!() }
    /// State and connected participants, in the order in which they entered.
    pub fn participants(&self, key: &ConferenceKey, now: Now) -> Result<(State, Vec<ParticipantSummary>), Refused> { todo!() }
    pub fn conference_of(&self, participant: &ParticipantId) -> Option<&ConferenceKey> { todo!() }
}
