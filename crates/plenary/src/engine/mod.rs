//! The engine: one task that owns every call and every conference, and joins the crates that decide to
//! those that act. It decides nothing about conferences itself: events go into [`Conferences`], effects come
//! out and are carried out in order.
//!
//! ```text
//!   SIP events ──┐                          ┌── answer, hang up ──▶ signalling
//!   media events ┼─▶ Engine ─▶ Conferences ─┼── voice, play ──────▶ media plane
//!   web services ┘      ▲                   └── notices ──────────▶ log, call records
//!                       └── time
//! ```

mod access;
mod bindings;
mod call;
mod clock;
mod direct;
mod effects;
mod focus;
mod handle;
mod incoming;
mod outgoing;
mod play;
mod records;
mod referral;
mod registrations;
mod rescue;
mod security;
mod sound;
mod target;
mod trunks;
mod webrtc;

pub(crate) use clock::{Clock, wall_now};
pub(crate) use handle::EngineHandle;
use security::Security;

use crate::{config::WebRtc, forecast::Admissions};
use call::{Call, CallNumber, Stage};
use focus::Followers;
use handle::{Report, RosterLine};
use ipnet::IpNet;
use plenary_api::{ControlError, Invitation, PartyState, SoundChange, SoundOf, SoundSettings, TrunkState};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceLimits, ConferenceName, Conferences, Event, Mono, ParticipantId,
    Refused, Reservation, ReservationLimits, ReservationToken,
    conferences::{ConferenceRef, ConferenceSummary, ParticipantSummary, State},
};
use plenary_media::{MediaEvent, MediaHandle, OneWay, PlayId, RoomId, Sound};
use plenary_sip::{
    EndCause, Reason, Referred, Registration, SipEvent, SipHandle, Subscribing,
    digest::{Algorithm, Authenticator},
    sdp::{Codec, Policy, Preference},
};
use plenary_store::{InboundService, KeptSound, SoundOwner, Store, StoreError, Trunk};
use records::Records;
use sound::Sounds;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info, warn};

/// How many commands may wait. The web services wait beyond that; nothing is lost.
const COMMANDS_WAITING_MAX: usize = 1024;
/// The calendar clock may be corrected at any time, so it is looked at again at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the engine is asked by others.
pub(crate) enum Command {
    Claim {
        key: ConferenceKey,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    Release {
        key: ConferenceKey,
        reply: oneshot::Sender<()>,
    },
    Apply {
        event: Event,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    Act {
        account: AccountId,
        which: ConferenceRef,
        act: Box<dyn FnOnce(ConferenceKey) -> Event + Send>,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    List {
        account: AccountId,
        reply: oneshot::Sender<Vec<ConferenceSummary>>,
    },
    Participants {
        account: AccountId,
        which: ConferenceRef,
        reply: oneshot::Sender<Result<(State, Vec<ParticipantSummary>), Refused>>,
    },
    Reservation {
        account: AccountId,
        token: ReservationToken,
        reply: oneshot::Sender<Option<(Reservation, State)>>,
    },
    Roster {
        key: ConferenceKey,
        reply: oneshot::Sender<Vec<RosterLine>>,
    },
    Reports {
        account: AccountId,
        which: ConferenceRef,
        reply: oneshot::Sender<Result<Vec<Report>, Refused>>,
    },
    ChangeSound {
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
        reply: oneshot::Sender<Result<SoundSettings, Refused>>,
    },
    /// What of this change has to be in the store first.
    PlanSound {
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
        reply: oneshot::Sender<Result<Option<(SoundOwner, KeptSound)>, Refused>>,
    },
    /// The inbound service of a call has been looked up, and who calls.
    LookedUp {
        call: CallNumber,
        looked: Result<access::Looked, StoreError>,
    },
    /// So has the one that an early caller is diverted to.
    Diverted {
        call: CallNumber,
        found: Result<Option<(InboundService, String)>, StoreError>,
    },
    /// So has who wants to follow a conference.
    Following {
        subscribing: Box<Subscribing>,
        looked: Result<access::Looked, StoreError>,
    },
    /// So has who registers.
    Registering {
        registration: Box<Registration>,
        looked: Result<access::Looked, StoreError>,
    },
    /// So has who asks for a call from outside of any.
    Referring {
        referred: Box<Referred>,
        looked: Result<access::Looked, StoreError>,
    },
    /// The trunks have been read again.
    Trunks {
        trunks: Result<Vec<Trunk>, StoreError>,
        reply: oneshot::Sender<()>,
    },
    TrunkStates {
        account: AccountId,
        reply: oneshot::Sender<BTreeMap<String, TrunkState>>,
    },
    Invite {
        account: AccountId,
        conference: ConferenceName,
        invitation: Box<Invitation>,
        reply: oneshot::Sender<Result<PartyState, ControlError>>,
    },
    Party {
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
        reply: oneshot::Sender<Result<PartyState, Refused>>,
    },
    EndParty {
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    Transfer {
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
        to: String,
        reply: oneshot::Sender<Result<PartyState, ControlError>>,
    },
    /// A mistake of ours, in the handling of this call or of none.
    #[cfg(test)]
    Fail {
        call: Option<CallNumber>,
    },
    /// Are you there?
    Ping {
        reply: oneshot::Sender<()>,
    },
    /// Other settings from now on.
    Reconfigure(Box<Changeable>),
    /// No new calls; answered when the last one is over.
    Drain {
        reply: oneshot::Sender<()>,
    },
    Stop {
        reply: oneshot::Sender<()>,
    },
}

/// Settings that may change while it runs. Calls that are up keep what they have.
#[derive(Debug, Clone)]
pub(crate) struct Changeable {
    /// The address put into SDP instead of the one listened on.
    pub(crate) advertise: Option<IpAddr>,
    /// The codecs of calls, best first, and whose order decides.
    pub(crate) codecs: Vec<Codec>,
    pub(crate) preference: Preference,
    /// Networks whose callers may call services that name no networks of their own.
    pub(crate) trusted: Vec<IpNet>,
    /// Of digest authentication.
    pub(crate) realm: String,
    pub(crate) digest: Vec<Algorithm>,
    /// Whether audio has to be protected where a service says nothing.
    pub(crate) srtp: Policy,
    /// How participants sound where nothing else was set.
    pub(crate) sound: Sound,
    /// Limits of browsers that come in by an access key.
    pub(crate) webrtc: WebRtc,
}

/// What the engine needs to start.
pub(crate) struct Parts {
    /// What calls will cost.
    pub(crate) admissions: Admissions,
    pub(crate) store: Store,
    pub(crate) sip: SipHandle,
    pub(crate) sip_events: mpsc::Receiver<SipEvent>,
    pub(crate) media: MediaHandle,
    pub(crate) media_events: mpsc::Receiver<MediaEvent>,
    pub(crate) reservations: ReservationLimits,
    pub(crate) conferences: ConferenceLimits,
    /// The addresses that SIP listens on: RTP does too.
    pub(crate) listening: Vec<IpAddr>,
    /// SHA-256 of the certificate for DTLS.
    pub(crate) fingerprint: Option<[u8; 32]>,
    pub(crate) settings: Changeable,
}

/// The calls and conferences of this node.
pub(crate) struct Engine {
    admissions: Admissions,
    /// The sixteen hexadecimal digits before the dot of every participant id of this run.
    node: u64,
    clock: Clock,
    store: Store,
    records: Records,
    sip: SipHandle,
    media: MediaHandle,
    listening: Vec<IpAddr>,
    security: Security,
    settings: Changeable,
    authenticator: Authenticator,
    /// What was set for conferences.
    sounds: Sounds,
    conferences: Conferences,
    calls: BTreeMap<CallNumber, Call>,
    participants: HashMap<ParticipantId, CallNumber>,
    rooms: HashMap<ConferenceKey, Room>,
    followers: Followers,
    trunks: trunks::Trunks,
    bindings: bindings::Bindings,
    /// Calls that came in by an access key.
    key_calls: webrtc::KeyCalls,
    /// What can be read of those we called.
    parties: outgoing::Parties,
    /// Until when whom we call may ring.
    ringing: BTreeSet<(Mono, CallNumber)>,
    /// Calls to hang up on when what is played to them has ended.
    announcements: HashMap<PlayId, CallNumber>,
    room_numbers: Numbers,
    play_numbers: Numbers,
    commands: mpsc::Sender<Command>,
    /// Who waits for the last call to be over; no new ones are taken.
    draining: Option<oneshot::Sender<()>>,
    stopping: Option<oneshot::Sender<()>>,
    rescues: rescue::Rescues,
}

/// Numbers that are never drawn twice.
#[derive(Debug, Default)]
struct Numbers(u64);

impl Numbers {
    fn draw(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// A conference's place in the media plane.
#[derive(Debug)]
struct Room {
    id: RoomId,
    calls: usize,
}

impl Engine {
    /// Reads the reservations back, then runs until [`EngineHandle::stop`].
    pub(crate) async fn start(parts: Parts) -> anyhow::Result<EngineHandle> {
        let clock = Clock::new();
        let (commands, inbox) = mpsc::channel(COMMANDS_WAITING_MAX);
        let handle =
            EngineHandle::new(commands.clone(), parts.store.clone(), parts.reservations.clone(), clock);
        let mut conferences = Conferences::new(parts.reservations.clone(), parts.conferences);
        let open =
            parts.store.open_reservations(clock.now().wall, parts.reservations.completed_minutes).await?;
        let count = open.len();
        let completed_minutes = parts.reservations.completed_minutes;
        let sounds = Sounds::kept(
            parts.store.account_sounds().await?,
            parts.store.reservation_sounds(clock.now().wall, completed_minutes).await?,
        );
        let cut_off = parts.store.open_dialogs().await?;
        let interrupted = parts.store.interrupt_open_calls(clock.now().wall).await?;
        if interrupted > 0 {
            info!(interrupted, "calls of a run that was cut off are closed in the records");
        }
        // Their telephones still think that they are in a conference.
        for dialog in cut_off {
            parts.sip.hang_up_saved(dialog, effects::reasons(500, "The service was restarted"));
        }
        for reservation in open {
            if let Err(refused) = conferences.handle_event(Event::ReservationAdded(reservation), clock.now())
            {
                warn!(%refused, "a stored reservation cannot be opened");
            }
        }
        if count > 0 {
            info!(count, "reservations read back");
        }
        let mut engine = Self {
            node: random_u64()?,
            clock,
            records: Records::start(parts.store.clone()),
            store: parts.store,
            sip: parts.sip,
            media: parts.media,
            listening: parts.listening,
            security: Security::new(parts.fingerprint),
            authenticator: access::authenticator(
                parts.settings.realm.clone(),
                parts.settings.digest.clone(),
            )?,
            settings: parts.settings,
            admissions: parts.admissions,
            sounds,
            conferences,
            calls: BTreeMap::new(),
            participants: HashMap::new(),
            rooms: HashMap::new(),
            followers: Followers::default(),
            trunks: trunks::Trunks::default(),
            bindings: bindings::Bindings::default(),
            key_calls: webrtc::KeyCalls::default(),
            parties: outgoing::Parties::default(),
            ringing: BTreeSet::new(),
            announcements: HashMap::new(),
            room_numbers: Numbers::default(),
            play_numbers: Numbers::default(),
            commands,
            draining: None,
            stopping: None,
            rescues: rescue::Rescues::default(),
        };
        engine.carry_out();
        let trunks = engine.store.all_trunks().await;
        engine.set_trunks(trunks);
        tokio::spawn(engine.run(inbox, parts.sip_events, parts.media_events));
        Ok(handle)
    }

    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Command>,
        mut sip_events: mpsc::Receiver<SipEvent>,
        mut media_events: mpsc::Receiver<MediaEvent>,
    ) {
        loop {
            let wake = self.wake_at();
            tokio::select! {
                event = sip_events.recv() => match event {
                    Some(event) => self.guarded(rescue::call_of_sip(&event), |engine| engine.handle_sip(event)),
                    None => break,
                },
                event = media_events.recv() => match event {
                    Some(event) => {
                        self.guarded(rescue::call_of_media(&event), |engine| engine.handle_media(event));
                    }
                    None => break,
                },
                // The engine holds a sender itself, so this never ends.
                Some(command) = inbox.recv() => {
                    self.guarded(rescue::call_of_command(&command), |engine| engine.handle_command(command));
                }
                () = tokio::time::sleep_until(wake) => {
                    self.guarded(None, |engine| {
                        engine.conferences.handle_timeout(engine.clock.now());
                        engine.stop_ringing();
                        engine.bindings.forget_expired(engine.clock.now().mono);
                    });
                }
            }
            if self.rescues.are_too_many() {
                error!("the engine fails again and again: the service ends, to be started anew");
                return;
            }
            if self.calls.is_empty()
                && let Some(waiting) = self.draining.take()
            {
                let _ = waiting.send(());
            }
            if self.stopping.is_some() && self.calls.is_empty() && self.records.is_settled() {
                break;
            }
        }
        self.records.finish().await;
        if let Some(reply) = self.stopping.take() {
            let _ = reply.send(());
        }
    }

    fn wake_at(&self) -> tokio::time::Instant {
        let now = self.clock.now();
        let look_again = now.mono.plus_ms(LOOK_AGAIN.as_millis() as u64);
        let due: Mono = self.conferences.poll_timeout(now).map_or(look_again, |at| at.min(look_again));
        let due = self.followers.due().map_or(due, |at| at.min(due));
        let due = self.ringing_due().map_or(due, |at| at.min(due));
        self.clock.instant(due)
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.clock.now();
        // Questions are answered as of this moment, also when the timer has not run yet.
        self.conferences.handle_timeout(now);
        match command {
            Command::Claim { key, reply } => {
                let _ = reply.send(self.conferences.claim_name(&key, now));
            }
            Command::Release { key, reply } => {
                self.conferences.release_name(&key);
                let _ = reply.send(());
            }
            Command::Apply { event, reply } => {
                if let Event::ReservationRemoved { token } = &event
                    && let Some(key) = self.conferences.key_of(token).cloned()
                {
                    self.forget_sound(&key);
                }
                let _ = reply.send(self.conferences.handle_event(event, now));
            }
            Command::Act { account, which, act, reply } => {
                let outcome = self
                    .conferences
                    .resolve(account, &which)
                    .and_then(|key| self.conferences.handle_event(act(key), now));
                let _ = reply.send(outcome);
            }
            Command::List { account, reply } => {
                let _ = reply.send(self.conferences.list(account));
            }
            Command::Participants { account, which, reply } => {
                let outcome = self
                    .conferences
                    .resolve(account, &which)
                    .and_then(|key| self.conferences.participants(&key));
                let _ = reply.send(outcome);
            }
            Command::Reservation { account, token, reply } => {
                let found = self.conferences.reservation(account, &token).cloned().and_then(|reservation| {
                    let key = ConferenceKey { account, name: reservation.name.clone() };
                    self.conferences.state(&key).map(|state| (reservation, state))
                });
                let _ = reply.send(found);
            }
            Command::Roster { key, reply } => {
                let _ = reply.send(self.roster(&key));
            }
            Command::Reports { account, which, reply } => {
                let _ = reply.send(self.reports(account, &which));
            }
            Command::ChangeSound { account, of, change, reply } => {
                let _ = reply.send(self.change_sound(account, &of, &change));
            }
            Command::PlanSound { account, of, change, reply } => {
                let _ = reply.send(self.plan_sound(account, &of, &change));
            }
            Command::LookedUp { call, looked } => self.handle_looked_up(call, looked),
            Command::Diverted { call, found } => self.handle_routed(call, found),
            Command::Registering { registration, looked } => self.handle_registration(*registration, looked),
            Command::Following { subscribing, looked } => self.handle_following(&subscribing, looked),
            Command::Referring { referred, looked } => self.handle_referring(&referred, looked),
            Command::Trunks { trunks, reply } => {
                self.set_trunks(trunks);
                let _ = reply.send(());
            }
            Command::TrunkStates { account, reply } => {
                let _ = reply.send(self.trunk_states(account));
            }
            Command::Invite { account, conference, invitation, reply } => {
                let _ = reply.send(self.invite(account, conference, *invitation));
            }
            Command::Party { account, conference, participant, reply } => {
                let _ = reply.send(self.party(account, conference, &participant));
            }
            Command::EndParty { account, conference, participant, reply } => {
                let _ = reply.send(self.end_party(account, conference, &participant));
            }
            Command::Transfer { account, conference, participant, to, reply } => {
                let _ = reply.send(self.transfer(account, conference, &participant, &to));
            }
            #[cfg(test)]
            Command::Fail { call } => panic!("told to fail while handling {call:?}"),
            Command::Ping { reply } => {
                let _ = reply.send(());
            }
            Command::Reconfigure(settings) => {
                self.authenticator.set(settings.realm.clone(), settings.digest.clone());
                self.settings = *settings;
            }
            Command::Drain { reply } => {
                info!(calls = self.calls.len(), "draining: no new calls");
                self.sip.set_draining(true);
                self.draining = Some(reply);
            }
            Command::Stop { reply } => {
                info!(calls = self.calls.len(), "stopping: hanging up every call");
                self.stopping = Some(reply);
                for number in self.calls.keys().copied().collect::<Vec<_>>() {
                    self.end_call(number, effects::reasons(200, "The service is stopping"));
                }
            }
        }
    }

    fn roster(&self, key: &ConferenceKey) -> Vec<RosterLine> {
        let Ok((_, parties)) = self.conferences.participants(key) else { return Vec::new() };
        let line = |party: ParticipantSummary| {
            let call = self.calls.get(self.participants.get(&party.id)?)?;
            Some(RosterLine { from: call.party_name().to_owned(), muted: party.muted, talking: call.talking })
        };
        parties.into_iter().filter_map(line).collect()
    }

    fn handle_sip(&mut self, event: SipEvent) {
        match event {
            SipEvent::Incoming(incoming) => self.handle_incoming(*incoming),
            SipEvent::Confirmed { call, answer, dialog } => {
                self.handle_confirmed(CallNumber(call.0), answer, dialog);
            }
            SipEvent::Reoffer { call, offer } => self.handle_reoffer(CallNumber(call.0), offer),
            SipEvent::ReofferAnswer { call, answer } => {
                self.handle_reoffer_answer(CallNumber(call.0), answer)
            }
            SipEvent::Subscribing(subscribing) => self.handle_subscribing(*subscribing),
            SipEvent::Unsubscribed(subscription) => self.handle_unsubscribed(subscription),
            SipEvent::Registering(registration) => self.handle_registering(*registration),
            SipEvent::ConnectionClosed(flow) => self.handle_connection_closed(flow),
            SipEvent::Banned { source, seconds } => {
                warn!(%source, seconds, "banned: too many requests that were refused");
            }
            SipEvent::Blocked { source, caller, seconds } => {
                warn!(%source, %caller, seconds, "blocked: too many refusals of one caller; others from there are answered");
            }
            SipEvent::KeyPressed { call, key } => {
                let number = CallNumber(call.0);
                self.media.count_key(number.media());
                self.handle_key(number, key);
            }
            SipEvent::Cancelled { call, .. } => self.call_is_over(CallNumber(call.0), "cancelled"),
            SipEvent::Ended { call, cause } => self.call_is_over(CallNumber(call.0), end_cause_text(&cause)),
            SipEvent::Referred(referred) => self.handle_referred(*referred),
            SipEvent::ReferralProgress { call, status, phrase, is_final } => {
                self.handle_referral_progress(CallNumber(call.0), status, &phrase, is_final);
            }
            SipEvent::Registered { registration, expires, service_route, .. } => {
                self.handle_registered(registration, expires, service_route);
            }
            SipEvent::RegistrationFailed { registration, status, phrase, retry_in } => {
                self.handle_registration_failed(registration, status, &phrase, retry_in);
            }
            SipEvent::Unregistered(registration) => debug!(registration = registration.0, "unregistered"),
            SipEvent::Progress { call, fork, status, sdp } => {
                self.handle_progress(CallNumber(call.0), fork, status, sdp);
            }
            SipEvent::Answered { call, fork, sdp, dialog } => {
                self.handle_answered(CallNumber(call.0), fork, sdp, dialog);
            }
            SipEvent::Rejected { call, status, phrase } => {
                self.handle_rejected(CallNumber(call.0), status, &phrase);
            }
        }
    }

    fn handle_media(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::KeyPressed { call, key } => self.handle_key(CallNumber(call.0), key),
            MediaEvent::TalkStarted { call } => self.set_talking(CallNumber(call.0), true),
            MediaEvent::TalkStopped { call } => self.set_talking(CallNumber(call.0), false),
            MediaEvent::RtpTimeout { call } => {
                info!(
                    call = call.0,
                    "ICE or DTLS did not get through, or no RTP came after RTCP's goodbye: the call ends"
                );
                self.end_call(
                    CallNumber(call.0),
                    effects::reasons(408, "No audio was received for too long"),
                );
            }
            MediaEvent::PeerClosed { call } => {
                let number = CallNumber(call.0);
                // Where we or they have hung up already, that is no news.
                if self.calls.get(&number).is_some_and(|call| matches!(call.stage, Stage::Up(_))) {
                    info!(call = call.0, "the other side has closed its media");
                    self.end_call(number, effects::reasons(200, "The other side has closed its media"));
                }
            }
            // Who is on hold or muted need not send anything, so it is asked.
            MediaEvent::HoldTimeout { call } => self.sip.probe(CallNumber(call.0).sip()),
            MediaEvent::SilenceTimeout { call } => {
                debug!(call = call.0, "no RTP comes: the caller is asked whether it is still there");
                self.sip.probe(CallNumber(call.0).sip());
            }
            MediaEvent::OneWay { call, one_way } => match one_way {
                Some(OneWay::NoneReceived) => {
                    warn!(call = call.0, "audio goes one way: nothing comes from the caller")
                }
                Some(OneWay::NoneDelivered) => {
                    warn!(
                        call = call.0,
                        "audio goes one way: the caller reports that nothing of ours arrives"
                    );
                }
                None => info!(call = call.0, "audio no longer goes one way"),
            },
            MediaEvent::PlayFinished { id } => self.handle_play_finished(id),
            MediaEvent::PlayFailed { id, text } => warn!(play = id.0, %text, "something could not be played"),
            MediaEvent::Closed { call, stats } => {
                let is_known = self.calls.contains_key(&CallNumber(call.0));
                self.records.media_ended(call.0, &stats, is_known);
            }
            MediaEvent::RoomFailed { room, calls } => {
                warn!(room = room.0, calls = calls.len(), "a room of the media plane failed: its calls end");
                for call in calls {
                    self.end_call(CallNumber(call.0), effects::reasons(500, "The conference failed"));
                }
            }
        }
    }

    fn set_talking(&mut self, number: CallNumber, talking: bool) {
        if let Some(call) = self.calls.get_mut(&number) {
            call.talking = talking;
            if let Some(key) = call.conference() {
                self.followers.note(key, self.clock.now().mono);
            }
        }
    }

    /// Ends a call from our side: out of the conference, silent, BYE (or a refusal when it is not up yet).
    fn end_call(&mut self, number: CallNumber, reasons: Vec<Reason>) {
        if !self.calls.contains_key(&number) {
            return;
        }
        self.leave_conference(number);
        self.drop_call(number, reasons);
    }

    /// The same for a call that is out of its conference already.
    fn drop_call(&mut self, number: CallNumber, reasons: Vec<Reason>) {
        let Some(call) = self.calls.get(&number) else { return };
        if !matches!(call.stage, Stage::Ending) {
            self.forget_ringing(number);
            self.release_media(number);
            self.sip.hang_up(number.sip(), reasons);
        }
    }

    /// The signalling's last word on a call: nothing of it may stay behind.
    fn call_is_over(&mut self, number: CallNumber, cause: &str) {
        if !self.calls.contains_key(&number) {
            return;
        }
        self.leave_conference(number);
        self.forget_ringing(number);
        self.release_media(number);
        let call = self.calls.remove(&number).expect("looked up above");
        self.participants.remove(&call.participant);
        self.key_calls.end(number);
        self.parties.end(&call.participant, cause, self.clock.now().mono);
        debug!(call = number.0, cause, "call over");
        if let Some(called) = call.called {
            self.end_called(called);
        }
        if call.recorded {
            self.records.call_ended(number.0, &call.participant, wall_now(), cause);
        } else {
            self.records.forget(number.0);
        }
    }

    fn leave_conference(&mut self, number: CallNumber) {
        let Some(call) = self.calls.get(&number) else { return };
        let participant = call.participant.clone();
        // Somebody is being called in its place: then nothing ends with it.
        let is_followed = self.calls.values().any(|other| {
            matches!(other.stage, Stage::Calling(_))
                && other.outgoing.as_ref().is_some_and(|outgoing| outgoing.asked.in_place_of == Some(number))
        });
        let key = call.conference().cloned();
        let gone = if is_followed { Event::TakenOver { participant } } else { Event::Gone { participant } };
        if let Err(refused) = self.conferences.handle_event(gone, self.clock.now()) {
            warn!(call = number.0, %refused, "a call could not leave its conference");
        }
        if let Some(key) = key {
            self.followers.note(&key, self.clock.now().mono);
        }
        // The others hear of it before this call's own media goes away.
        self.carry_out();
    }
}

fn end_cause_text(cause: &EndCause) -> &str {
    match cause {
        EndCause::ByRemote { .. } => "caller hung up",
        EndCause::ByUs => "hung up by the service",
        EndCause::AckTimeout => "no ACK",
        EndCause::Transport => "unreachable",
    }
}

fn random_u64() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("no random numbers from the system: {error}"))?;
    Ok(u64::from_be_bytes(bytes))
}
