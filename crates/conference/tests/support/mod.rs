//! A small world with virtual time: events in, exactly these effects out.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod fold;

use plenary_conference::{
    AccountId, AdmitAnswer, Command, ConferenceKey, ConferenceLimits, ConferenceName, Conferences, Digit,
    Effect, Event, Mono, News, Now, Outcome, ParticipantChange, ParticipantId, ParticipantOptions, Refused,
    Reservation, ReservationLimits, ReservationToken, RoomRules, ServiceName, State, Timestamp, ViaRoom,
    conferences::ParticipantSummary,
    effect::{Announcement, Audience, EndReason, Notice},
    participant::PlayList,
};
use plenary_model::{Announce, AutoRecord, LanguageCode, NameId};

pub const ACCOUNT: AccountId = AccountId(1);
/// The world begins at a whole minute.
pub const EPOCH: Timestamp = Timestamp::from_seconds(1_700_000_040);

pub struct World {
    pub conferences: Conferences,
    pub mono: Mono,
    pub wall: Timestamp,
}

pub fn key(name: &str) -> ConferenceKey {
    ConferenceKey { account: ACCOUNT, name: ConferenceName::new(name) }
}

pub fn participant_id(name: &str) -> ParticipantId {
    ParticipantId::new(name)
}

pub fn leader() -> ParticipantOptions {
    ParticipantOptions { destroy_on_exit: true, beep_on_entry: false, ..ParticipantOptions::default() }
}

pub fn member() -> ParticipantOptions {
    ParticipantOptions { start_on_entry: false, beep_on_entry: false, ..ParticipantOptions::default() }
}

/// Default options but for the beep, which is noise in most tests.
pub fn plain() -> ParticipantOptions {
    ParticipantOptions { beep_on_entry: false, ..ParticipantOptions::default() }
}

/// A room that changes nothing.
pub fn rules() -> RoomRules {
    RoomRules {
        lobby: false,
        wait_for_leader: false,
        announce: Announce::None,
        announce_names_max: 20,
        muted_on_entry: false,
        end_after_leader_s: None,
        time_warnings_min: Vec::new(),
        alone_min: 0,
        record: AutoRecord::Off,
        key_events: false,
        language: LanguageCode::new("en").unwrap(),
    }
}

/// A participant by a room.
pub fn by(rules: &RoomRules) -> ViaRoom {
    ViaRoom { rules: rules.clone(), is_leader: false, name: None }
}

/// A leader by the PIN of a room.
pub fn leader_by(rules: &RoomRules) -> ViaRoom {
    ViaRoom { is_leader: true, ..by(rules) }
}

/// With a recorded name.
pub fn named(name: &str, via: ViaRoom) -> ViaRoom {
    ViaRoom { name: Some(NameId(name.to_owned())), ..via }
}

/// A reservation that starts `in_minutes` after the world began.
pub fn reservation(name: &str, in_minutes: i64, duration_minutes: u32) -> Reservation {
    Reservation {
        token: ReservationToken::new(format!("TOKEN{name}")),
        account: ACCOUNT,
        name: ConferenceName::new(name),
        max_participants: 40,
        starts_at: Timestamp(EPOCH.0 + in_minutes * 60_000),
        duration_minutes,
        divert: None,
        title: None,
        guests: Vec::new(),
        sequence: 0,
        series: None,
    }
}

pub fn list(items: &[&str]) -> PlayList {
    PlayList(items.iter().map(|item| (*item).to_owned()).collect())
}

impl World {
    pub fn new() -> Self {
        Self::with_limits(ReservationLimits::default(), ConferenceLimits::default())
    }

    pub fn with_limits(reservations: ReservationLimits, conferences: ConferenceLimits) -> Self {
        Self { conferences: Conferences::new(reservations, conferences), mono: Mono(5000), wall: EPOCH }
    }

    pub fn now(&self) -> Now {
        Now { mono: self.mono, wall: self.wall }
    }

    pub fn handle(&mut self, event: Event) -> Result<(), Refused> {
        let now = self.now();
        let outcome = self.conferences.handle_event(event, now);
        self.assert_timeout_is_sane();
        outcome
    }

    /// Both clocks run on, and what is due happens.
    pub fn pass_ms(&mut self, ms: u64) {
        self.mono = self.mono.plus_ms(ms);
        self.wall = Timestamp(self.wall.0 + ms as i64);
        let now = self.now();
        self.conferences.handle_timeout(now);
        self.assert_timeout_is_sane();
    }

    pub fn pass_minutes(&mut self, minutes: u64) {
        self.pass_ms(minutes * 60_000);
    }

    /// The calendar clock is corrected; the monotonic clock is not.
    pub fn correct_clock_minutes(&mut self, minutes: i64) {
        self.wall = Timestamp(self.wall.0 + minutes * 60_000);
        let now = self.now();
        self.conferences.handle_timeout(now);
        self.assert_timeout_is_sane();
    }

    fn assert_timeout_is_sane(&self) {
        if let Some(at) = self.conferences.poll_timeout(self.now()) {
            assert!(at > self.mono, "a deadline that is due for ever: {at:?} at {:?}", self.mono);
        }
    }

    pub fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.conferences.poll_effect()).collect()
    }

    /// What there is to do apart from telling.
    pub fn deeds(&mut self) -> Vec<Effect> {
        let is_deed = |effect: &Effect| !matches!(effect, Effect::Notify(_) | Effect::Tell { .. });
        self.effects().into_iter().filter(is_deed).collect()
    }

    pub fn notices(&mut self) -> Vec<Notice> {
        self.effects()
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Notify(notice) => Some(notice),
                _ => None,
            })
            .collect()
    }

    #[track_caller]
    pub fn assert_deeds(&mut self, expected: &[Effect]) {
        assert_eq!(self.deeds(), expected);
    }

    pub fn reserve(&mut self, reservation: Reservation) {
        self.handle(Event::ReservationAdded(reservation)).unwrap();
        self.effects();
    }

    pub fn admit(
        &mut self,
        name: &str,
        conference: &str,
        options: ParticipantOptions,
    ) -> Result<(), Refused> {
        self.handle(Event::Admit {
            participant: participant_id(name),
            conference: key(conference),
            options,
            is_called: false,
            via: None,
        })
    }

    /// Asks for a seat by a room.
    pub fn admit_by(
        &mut self,
        name: &str,
        conference: &str,
        options: ParticipantOptions,
        via: ViaRoom,
    ) -> Result<(), Refused> {
        self.handle(Event::Admit {
            participant: participant_id(name),
            conference: key(conference),
            options,
            is_called: false,
            via: Some(Box::new(via)),
        })
    }

    /// Admitted by a room and connected; the effects stay to be looked at.
    #[track_caller]
    pub fn enter_by(&mut self, name: &str, conference: &str, via: ViaRoom) {
        self.admit_by(name, conference, plain(), via).unwrap();
        self.connect(name);
    }

    #[track_caller]
    pub fn connect(&mut self, name: &str) {
        self.handle(Event::Connected { participant: participant_id(name) }).unwrap();
    }

    /// What becomes of those who have asked for a seat, by their names.
    pub fn answers(&mut self) -> Vec<(String, AdmitAnswer)> {
        std::iter::from_fn(|| self.conferences.poll_answer())
            .map(|(_, participant, answer)| (participant.to_string(), answer))
            .collect()
    }

    #[track_caller]
    pub fn command(&mut self, name: &str, command: Command) -> Outcome {
        let now = self.now();
        let outcome = self.conferences.handle_command(&participant_id(name), command, now);
        self.assert_timeout_is_sane();
        outcome
    }

    pub fn change(&mut self, conference: &str, name: &str, change: ParticipantChange) -> Result<(), Refused> {
        self.handle(Event::ChangeParticipant {
            conference: key(conference),
            participant: participant_id(name),
            change,
        })
    }

    /// What is said to all, or to all but one.
    pub fn announced(&mut self) -> Vec<(Audience, Announcement)> {
        let announced = |effect| match effect {
            Effect::Announce { to, what } => Some((to, what)),
            _ => None,
        };
        self.effects().into_iter().filter_map(announced).collect()
    }

    /// What single participants are told.
    pub fn told(&mut self) -> Vec<(String, News)> {
        let told = |effect| match effect {
            Effect::Tell { participant, news, .. } => Some((participant.to_string(), news)),
            _ => None,
        };
        self.effects().into_iter().filter_map(told).collect()
    }

    pub fn summary(&self, conference: &str, name: &str) -> ParticipantSummary {
        let roster = self.roster(conference);
        roster.into_iter().find(|summary| summary.id == participant_id(name)).expect("is in")
    }

    /// Admitted and connected; the effects stay to be looked at.
    #[track_caller]
    pub fn enter(&mut self, name: &str, conference: &str, options: ParticipantOptions) {
        self.admit(name, conference, options).unwrap();
        self.connect(name);
    }

    pub fn leave(&mut self, name: &str) {
        self.handle(Event::Gone { participant: participant_id(name) }).unwrap();
    }

    pub fn press(&mut self, name: &str, digit: char) {
        let key = Digit::new(digit).unwrap();
        self.handle(Event::KeyPressed { participant: participant_id(name), key }).unwrap();
    }

    pub fn set_options(
        &mut self,
        conference: &str,
        name: &str,
        muted: Option<bool>,
        dtmf_enabled: Option<bool>,
    ) -> Result<(), Refused> {
        self.handle(Event::SetOptions {
            conference: key(conference),
            participant: participant_id(name),
            muted,
            dtmf_enabled,
        })
    }

    pub fn eject(&mut self, conference: &str, name: &str) -> Result<(), Refused> {
        self.handle(Event::Eject { conference: key(conference), participant: participant_id(name) })
    }

    pub fn state(&self, conference: &str) -> Option<State> {
        self.conferences.state(&key(conference))
    }

    pub fn names(&self, conference: &str) -> Vec<String> {
        let roster = self.roster(conference);
        roster.into_iter().map(|summary| summary.id.to_string()).collect()
    }

    pub fn roster(&self, conference: &str) -> Vec<ParticipantSummary> {
        self.conferences.participants(&key(conference)).map(|(_, roster)| roster).unwrap_or_default()
    }
}

pub fn voice(conference: &str, name: &str, speaks: bool, listens: bool) -> Effect {
    Effect::SetVoice { conference: key(conference), participant: participant_id(name), speaks, listens }
}

pub fn hang_up(conference: &str, name: &str, reason: EndReason) -> Effect {
    Effect::HangUp { conference: key(conference), participant: participant_id(name), reason }
}

pub fn beep(conference: &str) -> Effect {
    Effect::Beep { to: Audience::All(key(conference)) }
}

/// It starts so many minutes after the world began.
pub fn early(in_minutes: i64, service: Option<&str>) -> Refused {
    let divert = service.map(ServiceName::new);
    Refused::Early { divert, starts_at: Some(Timestamp(EPOCH.0 + in_minutes * 60_000)) }
}

pub fn divert(service: &str) -> Option<ServiceName> {
    Some(ServiceName::new(service))
}
