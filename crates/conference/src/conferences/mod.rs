//! Every conference of the installation: the reserved ones through their whole life, the others while
//! a participant is in them.
//!
//! ```text
//!              starts_at                    ends_at              + completed_minutes
//!   RESERVED ─────────▶ HOLDING ◀──▶ ACTIVE ────────▶ COMPLETED ────────▶ (forgotten)
//!                          ▲
//!   (nothing) ─ first caller ─▶ unreserved: HOLDING ◀──▶ ACTIVE ─ last one leaves ─▶ (nothing)
//! ```
//!
//! Order of calls: one `handle_*`, then every [`Conferences::poll_effect`] and [`Conferences::poll_answer`], then
//! [`Conferences::poll_timeout`].
//! What the reading methods say is true as of the last `handle_*`.

mod admitting;
mod commanding;
mod conference;
mod controlling;
mod history;
mod listing;
mod live;
mod moving;
mod overview;
mod publishing;
mod reserved;
mod turn;

pub use listing::{
    ConferenceOverview, ConferenceRef, ConferenceSummary, ParticipantSummary, ReservationsQuery,
};
pub use overview::Totals;

use crate::{
    effect::{Effect, EndReason, Notice},
    event::Event,
    id::{AccountId, ConferenceKey, ParticipantId, ReservationToken},
    limits::{ConferenceLimits, ReservationLimits},
    participant::{Digit, ParticipantOptions},
    recording::{CutOffRecording, RecordingCommand, RecordingReport, RecordingRules},
    refused::Refused,
    room::AdmitAnswer,
    state::State,
    time::{Mono, Now, Timestamp},
};
use conference::{Conference, Deadline};
use history::History;
use live::{EntryOrder, Guest, KeyAction, LiveConference, Member, Preset};
use plenary_model::{AccountEvent, Actor, CallDirection, EventKind, HistoryEntry};
use publishing::Introduced;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use turn::{Answered, Turn};

/// Every conference of the installation, reserved or live.
#[derive(Debug)]
pub struct Conferences {
    reservation_limits: ReservationLimits,
    conference_limits: ConferenceLimits,
    recording_rules: RecordingRules,
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
    /// What the calendar does next to reservations.
    deadlines: BTreeSet<Deadline>,
    /// When which live conference has something to do.
    alarms: Alarms,
    /// Conferences that have changed since their alarms were set.
    touched: BTreeSet<ConferenceKey>,
    effects: VecDeque<Effect>,
    answers: VecDeque<Answered>,
    history: History,
    /// For the event log: the one place where events are published.
    events: VecDeque<AccountEvent>,
    /// Who brings about what happens in this step.
    actor: Actor,
    /// Whose request is being carried out.
    requester: Option<Actor>,
    /// Who those are who ask for a seat next.
    introduced: BTreeMap<ParticipantId, Introduced>,
    /// Conferences of whose rooms PINs were guessed while no leader was in, and until when the next one is told. There is one for
    /// each of an account's rooms at the most.
    guessed: BTreeMap<ConferenceKey, Mono>,
}

/// Where a call sits.
#[derive(Debug)]
enum Seat {
    /// It waits in the lobby, and has no seat.
    Waiting { conference: ConferenceKey, guest: Box<Guest> },
    /// Its seat is taken, it is not up yet.
    Admitted { conference: ConferenceKey, guest: Box<Guest> },
    /// It is in.
    Entered { conference: ConferenceKey, order: EntryOrder },
}

impl Seat {
    fn conference(&self) -> &ConferenceKey {
        match self {
            Self::Waiting { conference, .. }
            | Self::Admitted { conference, .. }
            | Self::Entered { conference, .. } => conference,
        }
    }

    /// Events have told of it: that it is in, is being called, or waits. One who calls is told of when it enters.
    fn is_told(&self) -> bool {
        match self {
            Self::Waiting { .. } | Self::Entered { .. } => true,
            Self::Admitted { guest, .. } => guest.is_called && !guest.has_failed,
        }
    }
}

/// The next durations and dates of live conferences.
#[derive(Debug, Default)]
struct Alarms {
    of: BTreeMap<ConferenceKey, (Option<Mono>, Option<Timestamp>)>,
    times: BTreeSet<(Mono, ConferenceKey)>,
    dates: BTreeSet<(Timestamp, ConferenceKey)>,
}

impl Alarms {
    fn set(&mut self, key: &ConferenceKey, time: Option<Mono>, date: Option<Timestamp>) {
        if self.of.get(key).copied().unwrap_or_default() == (time, date) {
            return;
        }
        if let Some((time, date)) = self.of.remove(key) {
            time.map(|time| self.times.remove(&(time, key.clone())));
            date.map(|date| self.dates.remove(&(date, key.clone())));
        }
        if time.is_some() || date.is_some() {
            self.of.insert(key.clone(), (time, date));
            self.times.extend(time.map(|time| (time, key.clone())));
            self.dates.extend(date.map(|date| (date, key.clone())));
        }
    }

    fn due_time(&self, now: Mono) -> Option<ConferenceKey> {
        self.times.first().filter(|(at, _)| *at <= now).map(|(_, key)| key.clone())
    }

    fn due_date(&self, now: Timestamp) -> Option<ConferenceKey> {
        self.dates.first().filter(|(at, _)| *at <= now).map(|(_, key)| key.clone())
    }
}

impl Conferences {
    /// No conferences yet.
    #[must_use]
    pub fn new(reservations: ReservationLimits, conferences: ConferenceLimits) -> Self {
        Self {
            reservation_limits: reservations,
            conference_limits: conferences,
            recording_rules: RecordingRules::default(),
            conferences: BTreeMap::new(),
            tokens: BTreeMap::new(),
            by_start: BTreeSet::new(),
            longest_minutes: 0,
            latest: Timestamp(i64::MIN),
            seats: BTreeMap::new(),
            claims: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            alarms: Alarms::default(),
            touched: BTreeSet::new(),
            effects: VecDeque::new(),
            answers: VecDeque::new(),
            history: History::default(),
            events: VecDeque::new(),
            actor: Actor::system(),
            requester: None,
            introduced: BTreeMap::new(),
            guessed: BTreeMap::new(),
        }
    }

    /// With these rules of recordings.
    #[must_use]
    pub fn with_recording_rules(mut self, rules: RecordingRules) -> Self {
        self.recording_rules = rules;
        self
    }

    /// A recording of a reserved conference was cut off by a restart: where the conference goes on, its next recording is the next
    /// part, and begins as soon as the conference starts. `false`: the conference is over.
    pub fn resume_recording(&mut self, key: &ConferenceKey, cut_off: CutOffRecording, now: Now) -> bool {
        self.handle_timeout(now);
        let goes_on = self.open(key, now).map(|(live, _)| live.resume_recording(cut_off)).is_some();
        self.settle(now);
        goes_on
    }

    /// Takes one event, after letting pass whatever time is due.
    ///
    /// # Errors
    /// The event makes no sense now; nothing has changed but for the time that passed.
    pub fn handle_event(&mut self, event: Event, now: Now) -> Result<(), Refused> {
        self.handle_timeout(now);
        self.actor = self.actor_of(&event);
        let outcome = self.on_event(event, now);
        self.settle(now);
        outcome
    }

    fn on_event(&mut self, event: Event, now: Now) -> Result<(), Refused> {
        match event {
            Event::ReservationAdded(reservation) => self.on_reservation_added(reservation, now),
            Event::ReservationExtended { token, duration_minutes } => {
                self.on_reservation_extended(&token, duration_minutes, now)
            }
            Event::ReservationChanged(reservation) => self.on_reservation_changed(reservation, now),
            Event::ReservationRemoved { token } => self.on_reservation_removed(&token, now),
            Event::Admit { participant, conference, options, is_called, via } => {
                let who = self.introduction(&participant);
                let preset = Preset::default();
                let guest =
                    Guest { options, via, in_place_of: None, preset, who, is_called, has_failed: false };
                self.on_admit(participant, conference, guest, is_called, now)
            }
            Event::AdmitInPlace { participant, conference, options, of } => {
                let in_place_of = Some(of).filter(|of| self.may_be_replaced(of, &conference));
                let who = self.introduction(&participant);
                let is_called = who.direction == CallDirection::Out;
                let preset = Preset::default();
                let guest =
                    Guest { options, via: None, in_place_of, preset, who, is_called, has_failed: false };
                self.on_admit(participant, conference, guest, false, now)
            }
            Event::Connected { participant } => self.on_connected(&participant, now),
            Event::Gone { participant } => {
                self.remove_participant(&participant, None, now);
                Ok(())
            }
            Event::TakenOver { participant, by } => {
                self.on_taken_over(&participant, &by, now);
                Ok(())
            }
            Event::KeyPressed { participant, key } => {
                self.on_key_pressed(&participant, key, now);
                Ok(())
            }
            Event::SetOptions { conference, participant, muted, dtmf_enabled } => {
                self.on_set_options(&conference, &participant, muted, dtmf_enabled, now)
            }
            Event::Eject { conference, participant } => self.on_eject(&conference, &participant, now),
            Event::ChangeParticipant { conference, participant, change } => {
                self.on_change_participant(&conference, &participant, change, now)
            }
            Event::RemoveParticipant { conference, participant } => {
                self.on_remove_participant(&conference, &participant, now)
            }
            Event::AdmitWaiting { conference, participant } => {
                self.on_admit_waiting(&conference, participant.as_ref(), now)
            }
            Event::RefuseAllWaiting { conference } => self.on_refuse_all_waiting(&conference, now),
            Event::Move { conference, participant, to } => self.on_move(&conference, &participant, &to, now),
            Event::MuteAll { conference, muted, except_leaders, self_unmute } => {
                self.on_mute_all(&conference, muted, except_leaders, self_unmute, now)
            }
            Event::AskToUnmute { conference, participant } => {
                self.on_ask_to_unmute(&conference, &participant, now)
            }
            Event::WarnOfEnd { conference, seconds } => self.on_warn_of_end(&conference, seconds, now),
            Event::ChangeControls { conference, change } => self.on_change_controls(&conference, change, now),
            Event::StartRecording { conference, settings } => {
                let rules = self.recording_rules;
                let (live, mut turn) = self.open_live(&conference, now)?;
                live.start_recording(settings, None, &rules, &mut turn)
            }
            Event::PauseRecording { conference, is_paused } => {
                let (live, mut turn) = self.open_live(&conference, now)?;
                live.pause_recording(is_paused, None, &mut turn)
            }
            Event::StopRecording { conference } => {
                let (live, mut turn) = self.open_live(&conference, now)?;
                live.stop_recording(None, &mut turn)
            }
            Event::Recording { conference, report } => self.on_recording(&conference, report, now),
            Event::Introduce { participant, who, by } => {
                self.introduced.insert(participant, Introduced { who: *who, by });
                Ok(())
            }
            Event::Reported { conference, participant, report } => {
                self.on_report(&conference, participant.as_ref(), report, now)
            }
            Event::End { conference } => self.on_end(&conference, now),
        }
    }

    fn on_recording(
        &mut self,
        key: &ConferenceKey,
        report: RecordingReport,
        now: Now,
    ) -> Result<(), Refused> {
        let rules = self.recording_rules;
        if let Some((live, mut turn)) = self.open(key, now) {
            return live.recording_report(report, &rules, &mut turn);
        }
        // The conference is over, and its recording has begun after all.
        if let RecordingReport::Opened { recording } = report {
            let what = RecordingCommand::End { recording };
            self.effects.push_back(Effect::Recording { conference: key.clone(), what });
        }
        Err(Refused::UnknownConference)
    }

    /// Lets time pass. Call at [`Self::poll_timeout`] or later, and at least once a second: the calendar clock
    /// may be corrected at any time. A correction backwards undoes nothing that has happened.
    pub fn handle_timeout(&mut self, now: Now) {
        self.actor = Actor::system();
        self.pass_dates(now);
        self.settle(now);
    }

    /// What the calendar does to reservations.
    fn pass_dates(&mut self, now: Now) {
        self.latest = self.latest.max(now.wall);
        while self.deadlines.first().is_some_and(|deadline| deadline.at <= now.wall) {
            let deadline = self.deadlines.pop_first().expect("looked at above");
            self.on_due(deadline, now);
        }
    }

    /// Makes up for what follows from what has changed, and does what is due in live conferences.
    fn settle(&mut self, now: Now) {
        let rules = self.recording_rules;
        loop {
            while let Some(key) = self.touched.pop_first() {
                self.settle_one(&key, now);
            }
            // What follows now follows from time.
            self.actor = Actor::system();
            if let Some(key) = self.alarms.due_time(now.mono) {
                let Some((live, mut turn)) = self.open(&key, now) else { continue };
                if let Some(reason) = live.on_time(&rules, &mut turn) {
                    self.hang_up_on_all(&key, reason, now);
                    self.unlock_if_deserted(&key, now);
                }
            } else if let Some(key) = self.alarms.due_date(now.wall) {
                let Some((live, mut turn)) = self.open(&key, now) else { continue };
                live.on_date(&mut turn);
            } else {
                return;
            }
        }
    }

    fn settle_one(&mut self, key: &ConferenceKey, now: Now) {
        let Self { conferences, effects, answers, events, actor, recording_rules, history, .. } = self;
        let mut turn = Turn { key, now, effects, answers, events, actor };
        let mut next = (None, None);
        if let Some(conference) = conferences.get_mut(key) {
            let ends_at = conference.open_until();
            let is_deserted = conference.is_deserted();
            if let Some(live) = conference.live_mut() {
                if is_deserted {
                    live.forget_names(&mut turn);
                    turn.notify(|conference| Notice::ConferenceGone { conference });
                    live.end_playbacks(&mut turn);
                    let reason = live.closed_for.map_or("empty", EndReason::name);
                    turn.publish_because(EventKind::ConferenceEnded {}, reason);
                } else {
                    live.settle(ends_at, recording_rules, &mut turn);
                    next = (live.next_time(), live.next_date());
                }
            }
            if is_deserted {
                history.ended(key, None, now.wall);
                conferences.remove(key);
            }
        }
        self.alarms.set(key, next.0, next.1);
    }

    /// The next thing to do, oldest first.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// What becomes of a call that has asked for a seat, oldest first; after the effects of the same step.
    pub fn poll_answer(&mut self) -> Option<(ConferenceKey, ParticipantId, AdmitAnswer)> {
        self.answers.pop_front()
    }

    /// The next thing to write down, oldest first.
    pub fn poll_history(&mut self) -> Option<HistoryEntry> {
        self.history.poll()
    }

    /// The service ends: what is written down of conferences ends with it.
    pub fn stop_history(&mut self, now: Now) {
        self.history.stop(now.wall);
    }

    /// When to call [`Self::handle_timeout`] next, given the present offset between the two clocks.
    #[must_use]
    pub fn poll_timeout(&self, now: Now) -> Option<Mono> {
        let reservations = self.deadlines.first().map(|deadline| deadline.at);
        let warnings = self.alarms.dates.first().map(|(at, _)| *at);
        let date = [reservations, warnings].into_iter().flatten().min();
        let date =
            date.map(|at| now.mono.plus_ms(u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or(0)));
        let time = self.alarms.times.first().map(|(at, _)| *at);
        [date, time].into_iter().flatten().min()
    }

    /// State and connected participants, in the order in which they entered.
    ///
    /// # Errors
    /// [`Refused::UnknownConference`].
    pub fn participants(&self, key: &ConferenceKey) -> Result<(State, Vec<ParticipantSummary>), Refused> {
        let conference = self.conferences.get(key).ok_or(Refused::UnknownConference)?;
        let state = conference.state().ok_or(Refused::UnknownConference)?;
        let summaries = conference.live().into_iter().flat_map(LiveConference::summaries);
        Ok((state, summaries.collect()))
    }

    /// The conference that a call is in, on its way into, or in the lobby of.
    #[must_use]
    pub fn conference_of(&self, participant: &ParticipantId) -> Option<&ConferenceKey> {
        self.seats.get(participant).map(Seat::conference)
    }

    /// What a call may do, whether it is in, on its way in, or in the lobby.
    #[must_use]
    pub fn options(&self, participant: &ParticipantId) -> Option<&ParticipantOptions> {
        match self.seats.get(participant)? {
            Seat::Waiting { guest, .. } | Seat::Admitted { guest, .. } => Some(&guest.options),
            Seat::Entered { conference, order } => Some(self.member(conference, *order)?.options()),
        }
    }

    /// It is in, and a leader: by its options, by the leader's PIN of its room, or because it was made one.
    #[must_use]
    pub fn is_leader(&self, participant: &ParticipantId) -> bool {
        let Some(Seat::Entered { conference, order }) = self.seats.get(participant) else { return false };
        self.member(conference, *order).is_some_and(Member::is_leader)
    }

    fn member(&self, key: &ConferenceKey, order: EntryOrder) -> Option<&Member> {
        self.conferences.get(key)?.live()?.member(order)
    }

    /// Where one is who is in.
    fn place_of(&self, participant: &ParticipantId) -> Option<(ConferenceKey, EntryOrder)> {
        match self.seats.get(participant)? {
            Seat::Entered { conference, order } => Some((conference.clone(), *order)),
            Seat::Waiting { .. } | Seat::Admitted { .. } => None,
        }
    }

    /// A conference that people may be in, to change it.
    fn open<'a>(
        &'a mut self,
        key: &'a ConferenceKey,
        now: Now,
    ) -> Option<(&'a mut LiveConference, Turn<'a>)> {
        self.touch(key);
        let Self { conferences, effects, answers, events, actor, .. } = self;
        let live = conferences.get_mut(key)?.live_mut()?;
        Some((live, Turn { key, now, effects, answers, events, actor }))
    }

    /// What follows for this conference is worked out at the end of the step.
    fn touch(&mut self, key: &ConferenceKey) {
        if !self.touched.contains(key) {
            self.touched.insert(key.clone());
        }
    }

    /// All calls that are in, on the way in or in the lobby leave.
    fn hang_up_on_all(&mut self, key: &ConferenceKey, reason: EndReason, now: Now) {
        let Some((live, mut turn)) = self.open(key, now) else { return };
        let gone = live.close(reason, &mut turn);
        for id in &gone {
            if let Some(Seat::Admitted { guest, .. }) = self.seats.remove(id) {
                self.publish_not_reached(key, id, &guest, reason.name(), now);
            }
        }
        self.history.closed(key, &gone, reason, now.wall);
    }

    fn on_key_pressed(&mut self, participant: &ParticipantId, digit: Digit, now: Now) {
        let Some((key, order)) = self.place_of(participant) else { return };
        let Some((live, mut turn)) = self.open(&key, now) else { return };
        match live.key_pressed(order, digit, &mut turn) {
            KeyAction::Nothing => {}
            KeyAction::Leave => self.remove_participant(participant, Some(EndReason::ExitKey), now),
        }
    }

    fn notify(&mut self, notice: Notice) {
        self.effects.push_back(Effect::Notify(notice));
    }
}
