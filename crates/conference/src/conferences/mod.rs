//! Every conference of the installation: the reserved ones through their whole life, the others while
//! participants are in them.
//!
//! ```text
//!              starts_at                    ends_at              + completed_minutes
//!   RESERVED ─────────▶ HOLDING ◀──▶ ACTIVE ────────▶ COMPLETED ────────▶ (forgotten)
//!                          ▲
//!   (nothing) ─ first caller ─▶ unreserved: HOLDING ◀──▶ ACTIVE ─ last one leaves ─▶ (nothing)
//! ```
//!
//! Order of calls: one `handle_*`, then every [`Conferences::poll_effect`], then [`Conferences::poll_timeout`].
//! What the reading methods say is true as of the last `handle_*`.

mod conference;
mod controlling;
mod listing;
mod live;
mod overview;
mod reserved;

pub use listing::{
    ConferenceOverview, ConferenceRef, ConferenceSummary, ParticipantSummary, ReservationsQuery,
};

use crate::{
    effect::{Effect, EndReason, Notice},
    event::Event,
    id::{AccountId, ConferenceKey, ParticipantId, ReservationToken},
    limits::{ConferenceLimits, ReservationLimits},
    participant::{Digit, ParticipantOptions},
    refused::Refused,
    state::State,
    time::{Mono, Now, Timestamp},
};
use conference::{Conference, Deadline};
use live::{Entering, EntryOrder, KeyAction, LiveConference, Preset};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Every conference of the installation, reserved or live.
#[derive(Debug)]
pub struct Conferences {
    reservation_limits: ReservationLimits,
    conference_limits: ConferenceLimits,
    conferences: BTreeMap<ConferenceKey, Conference>,
    /// Each reservation's conference and start.
    tokens: BTreeMap<ReservationToken, (ConferenceKey, Timestamp)>,
    /// The same in the order in which they are listed.
    by_start: BTreeSet<(AccountId, Timestamp, ReservationToken)>,
    /// The longest of them there has been: no reservation that began earlier reaches into a given time.
    longest_minutes: u32,
    /// The latest time of the calendar so far: what has begun, began by then.
    latest: Timestamp,
    seats: BTreeMap<ParticipantId, Seat>,
    /// Reservations of a name that are on their way to the database.
    claims: BTreeMap<ConferenceKey, u32>,
    /// What the calendar does next.
    deadlines: BTreeSet<Deadline>,
    effects: VecDeque<Effect>,
}

/// Where a call sits.
#[derive(Debug)]
enum Seat {
    /// Its seat is taken, it is not up yet.
    Admitted {
        conference: ConferenceKey,
        options: Box<ParticipantOptions>,
        /// Whose seat it will have, where it takes another's.
        in_place_of: Option<ParticipantId>,
        /// What was set for it meanwhile.
        preset: Preset,
    },
    /// It is in.
    Entered { conference: ConferenceKey, order: EntryOrder },
}

impl Conferences {
    /// No conferences yet.
    #[must_use]
    pub fn new(reservations: ReservationLimits, conferences: ConferenceLimits) -> Self {
        Self {
            reservation_limits: reservations,
            conference_limits: conferences,
            conferences: BTreeMap::new(),
            tokens: BTreeMap::new(),
            by_start: BTreeSet::new(),
            longest_minutes: 0,
            latest: Timestamp(i64::MIN),
            seats: BTreeMap::new(),
            claims: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            effects: VecDeque::new(),
        }
    }

    /// Takes one event, after letting pass whatever time is due.
    ///
    /// # Errors
    /// The event makes no sense now; nothing has changed but for the time that passed.
    pub fn handle_event(&mut self, event: Event, now: Now) -> Result<(), Refused> {
        self.handle_timeout(now);
        match event {
            Event::ReservationAdded(reservation) => self.on_reservation_added(reservation, now),
            Event::ReservationExtended { token, duration_minutes } => {
                self.on_reservation_extended(&token, duration_minutes, now)
            }
            Event::ReservationChanged(reservation) => self.on_reservation_changed(reservation, now),
            Event::ReservationRemoved { token } => self.on_reservation_removed(&token),
            Event::Admit { participant, conference, options, is_called } => {
                self.on_admit(participant, conference, options, None, is_called)
            }
            Event::AdmitInPlace { participant, conference, options, of } => {
                self.on_admit(participant, conference, options, Some(of), false)
            }
            Event::Connected { participant } => self.on_connected(&participant, now.wall),
            Event::Gone { participant } => {
                self.remove_participant(&participant, None);
                Ok(())
            }
            Event::TakenOver { participant } => {
                if let Some(Seat::Entered { conference: key, order }) = self.seats.get(&participant)
                    && let Some(live) = self.conferences.get_mut(key).and_then(Conference::live_mut)
                {
                    live.keep_when_leaves(*order);
                }
                self.remove_participant(&participant, None);
                Ok(())
            }
            Event::KeyPressed { participant, key } => {
                self.on_key_pressed(&participant, key);
                Ok(())
            }
            Event::SetOptions { conference, participant, muted, dtmf_enabled } => {
                self.on_set_options(&conference, &participant, muted, dtmf_enabled)
            }
            Event::Eject { conference, participant } => self.on_eject(&conference, &participant),
            Event::ChangeParticipant { conference, participant, muted, dtmf_enabled } => {
                self.on_change_participant(&conference, &participant, muted, dtmf_enabled)
            }
            Event::RemoveParticipant { conference, participant } => {
                self.on_remove_participant(&conference, &participant)
            }
            Event::MuteAll { conference, muted, except_leaders, self_unmute } => {
                self.on_mute_all(&conference, muted, except_leaders, self_unmute)
            }
            Event::ChangeControls { conference, change } => self.on_change_controls(&conference, change),
            Event::End { conference } => self.on_end(&conference),
        }
    }

    /// Lets time pass. Call at [`Self::poll_timeout`] or later, and at least once a second: the calendar clock
    /// may be corrected at any time. A correction backwards undoes nothing that has happened.
    pub fn handle_timeout(&mut self, now: Now) {
        self.latest = self.latest.max(now.wall);
        while self.deadlines.first().is_some_and(|deadline| deadline.at <= now.wall) {
            let deadline = self.deadlines.pop_first().expect("looked at above");
            self.on_due(deadline);
        }
    }

    /// The next thing to do, oldest first.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Self::handle_timeout`] next, given the present offset between the two clocks.
    #[must_use]
    pub fn poll_timeout(&self, now: Now) -> Option<Mono> {
        let at = self.deadlines.first()?.at;
        Some(now.mono.plus_ms(u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or(0)))
    }

    /// State and connected participants, in the order in which they entered.
    ///
    /// # Errors
    /// [`Refused::UnknownConference`].
    pub fn participants(&self, key: &ConferenceKey) -> Result<(State, Vec<ParticipantSummary>), Refused> {
        let conference = self.conferences.get(key).ok_or(Refused::UnknownConference)?;
        let state = conference.state().ok_or(Refused::UnknownConference)?;
        let summaries =
            conference.live().into_iter().flat_map(LiveConference::members).map(live::Member::summary);
        Ok((state, summaries.collect()))
    }

    /// The conference that a call is in or on its way into.
    #[must_use]
    pub fn conference_of(&self, participant: &ParticipantId) -> Option<&ConferenceKey> {
        match self.seats.get(participant)? {
            Seat::Admitted { conference, .. } | Seat::Entered { conference, .. } => Some(conference),
        }
    }

    /// What a participant may do, in or on the way in.
    #[must_use]
    pub fn options(&self, participant: &ParticipantId) -> Option<&ParticipantOptions> {
        match self.seats.get(participant)? {
            Seat::Admitted { options, .. } => Some(options),
            Seat::Entered { conference, order } => {
                Some(self.conferences.get(conference)?.live()?.member(*order)?.options())
            }
        }
    }

    /// It is in, starts its conference and ends it for everyone.
    #[must_use]
    pub fn is_leader(&self, participant: &ParticipantId) -> bool {
        matches!(self.seats.get(participant), Some(Seat::Entered { .. }))
            && self.options(participant).is_some_and(ParticipantOptions::is_leader)
    }

    fn on_admit(
        &mut self,
        participant: ParticipantId,
        key: ConferenceKey,
        options: ParticipantOptions,
        in_place_of: Option<ParticipantId>,
        is_called: bool,
    ) -> Result<(), Refused> {
        if self.seats.contains_key(&participant) {
            return Err(Refused::AlreadyAdmitted);
        }
        let in_place_of = in_place_of.filter(|other| self.may_be_replaced(other, &key));
        let seats = self.conference_limits.unreserved_max_participants;
        let live = match self.conferences.get_mut(&key) {
            None if self.claims.contains_key(&key) => return Err(Refused::Early { divert: None }),
            None => {
                self.effects.push_back(Effect::Notify(Notice::ConferenceCreated { conference: key.clone() }));
                let conference = Conference::unreserved(LiveConference::new(seats));
                self.conferences.entry(key.clone()).or_insert(conference).live_mut()
            }
            Some(conference) => match conference.closed() {
                Some(refused) => return Err(refused),
                None => conference.live_mut(),
            },
        };
        let live = live.expect("a conference that is not closed is live");
        if live.controls.locked && in_place_of.is_none() && !is_called {
            return Err(Refused::Locked);
        }
        if live.is_full() && in_place_of.is_none() {
            return Err(Refused::Full);
        }
        live.admit(participant.clone());
        let options = Box::new(options);
        self.seats.insert(
            participant,
            Seat::Admitted { conference: key, options, in_place_of, preset: Preset::default() },
        );
        Ok(())
    }

    /// The participant is in this conference, and no other call is on the way to that seat.
    fn may_be_replaced(&self, participant: &ParticipantId, key: &ConferenceKey) -> bool {
        let is_in = matches!(self.seats.get(participant), Some(Seat::Entered { conference, .. }) if conference == key);
        let is_taken =
            |seat: &Seat| matches!(seat, Seat::Admitted { in_place_of: Some(of), .. } if of == participant);
        is_in && !self.seats.values().any(is_taken)
    }

    fn on_connected(&mut self, participant: &ParticipantId, at: Timestamp) -> Result<(), Refused> {
        let Some(Seat::Admitted { conference, options, preset, .. }) = self.seats.get(participant) else {
            return match self.seats.get(participant) {
                Some(_) => Err(Refused::AlreadyAdmitted),
                None => Err(Refused::UnknownParticipant),
            };
        };
        let key = conference.clone();
        let entering = Entering { options: (**options).clone(), preset: *preset, at };
        let Some(live) = self.conferences.get_mut(&key).and_then(Conference::live_mut) else {
            return Err(Refused::UnknownConference);
        };
        let order = live.enter(&key, participant, entering, &mut self.effects);
        self.seats.insert(participant.clone(), Seat::Entered { conference: key, order });
        Ok(())
    }

    /// Removes a participant, with all consequences; does nothing for an unknown one.
    fn remove_participant(&mut self, participant: &ParticipantId, hang_up: Option<EndReason>) {
        let Some(seat) = self.seats.remove(participant) else { return };
        let (Seat::Admitted { conference: key, .. } | Seat::Entered { conference: key, .. }) = &seat;
        let Some(live) = self.conferences.get_mut(key).and_then(Conference::live_mut) else { return };
        let ends_for_all = match &seat {
            Seat::Admitted { .. } => {
                live.withdraw(participant);
                false
            }
            Seat::Entered { order, .. } => live.leave(key, *order, hang_up, &mut self.effects),
        };
        if ends_for_all {
            for id in live.close(key, EndReason::LeaderLeft, &mut self.effects) {
                self.seats.remove(&id);
            }
        }
        if self.conferences.get(key).is_some_and(Conference::is_deserted) {
            self.conferences.remove(key);
            self.effects.push_back(Effect::Notify(Notice::ConferenceGone { conference: key.clone() }));
        }
    }

    fn on_key_pressed(&mut self, participant: &ParticipantId, digit: Digit) {
        let Some(Seat::Entered { conference: key, order }) = self.seats.get(participant) else { return };
        let Some(live) = self.conferences.get_mut(key).and_then(Conference::live_mut) else { return };
        match live.key_pressed(key, *order, digit, &mut self.effects) {
            KeyAction::Nothing => {}
            KeyAction::Leave => self.remove_participant(participant, Some(EndReason::ExitKey)),
        }
    }

    fn on_set_options(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        muted: Option<bool>,
        dtmf_enabled: Option<bool>,
    ) -> Result<(), Refused> {
        let order = self.active_place(key, participant)?;
        let live = self
            .conferences
            .get_mut(key)
            .and_then(Conference::live_mut)
            .expect("an active conference is live");
        live.set_options(key, order, muted, dtmf_enabled, &mut self.effects);
        Ok(())
    }

    fn on_eject(&mut self, key: &ConferenceKey, participant: &ParticipantId) -> Result<(), Refused> {
        self.active_place(key, participant)?;
        self.remove_participant(participant, Some(EndReason::Ejected));
        Ok(())
    }

    /// A participant's place in an active conference.
    fn active_place(&self, key: &ConferenceKey, participant: &ParticipantId) -> Result<EntryOrder, Refused> {
        match self.state(key).ok_or(Refused::UnknownConference)? {
            State::Active => {}
            state @ (State::Reserved | State::Holding | State::Completed) => {
                return Err(Refused::WrongState { state });
            }
        }
        match self.seats.get(participant) {
            Some(Seat::Entered { conference, order }) if conference == key => Ok(*order),
            Some(Seat::Entered { .. } | Seat::Admitted { .. }) | None => Err(Refused::UnknownParticipant),
        }
    }

    fn notify(&mut self, notice: Notice) {
        self.effects.push_back(Effect::Notify(notice));
    }
}
