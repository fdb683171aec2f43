//! The machine: every call of this node, and the maps that are shared by what is decided about them.

use crate::{
    access::Access,
    audio_settings::StoredAudioSettings,
    bindings::Bindings,
    browser_keys::{KeyCalls, KeyLimits},
    call::{Call, Stage},
    departed::DepartedCalls,
    history::ParticipantHistory,
    keypad::{Farewells, Speeches, state::Voice},
    lookup::{Found, Lookup, LookupId, Pending},
    media::{AudioProcessing, MediaEvent, PlayNumber, RoomNumber},
    number::CallNumber,
    output::{Output, Outputs},
    question::{Answer, EdgeQuestion},
    random::Random,
    reasons::{failure_of, reasons},
    recording::{RecorderEvent, Recordings},
    records::Records,
    security::Security,
    subscribers::Subscribers,
    trunks::Trunks,
};
use ipnet::IpNet;
use plenary_conference::{
    ConferenceKey, EdgeReport, Mono, Now, ParticipantId, QuestionId, Refused, ReservationToken, ToEdge,
    ToHome,
};
use plenary_model::{EndedBy, OneWay, RecordingId, StoredAudio, TimeZone};
use plenary_sip::{
    EndCause, SipEvent,
    digest::Algorithm,
    sdp::{Codec, Policy, Preference},
};
use plenary_speech::Languages;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};
use tracing::{debug, info, warn};

/// Settings that may change while it runs. Calls that are up keep what they have.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address put into SDP instead of the one listened on.
    pub advertise: Option<IpAddr>,
    /// The codecs of calls, best first, and whose order decides.
    pub codecs: Vec<Codec>,
    /// Whose order of codecs decides.
    pub preference: Preference,
    /// Networks whose callers may call services that name no networks of their own.
    pub trusted: Vec<IpNet>,
    /// The realm of digest authentication.
    pub realm: String,
    /// Its algorithms, the best first.
    pub digest: Vec<Algorithm>,
    /// Whether audio has to be protected where a service says nothing.
    pub srtp: Policy,
    /// How participants sound where nothing else was set.
    pub processing: AudioProcessing,
    /// Limits of browsers that come in by an access key.
    pub key_limits: KeyLimits,
    /// The time zone in which times of day are said where a room and its entry name none; `None`: they are not said.
    pub time_zone: Option<TimeZone>,
}

/// What the machine needs to start.
#[derive(Debug)]
pub struct Start {
    /// The sixteen hexadecimal digits before the dot of every participant id of this run.
    pub node: u64,
    /// 32 unguessable bytes: the keys and passwords of calls are derived from them.
    pub seed: [u8; 32],
    /// SHA-256 of the certificate for DTLS; `None`: there is no DTLS.
    pub fingerprint: Option<[u8; 32]>,
    /// See [`Settings`].
    pub settings: Settings,
    /// What was set for accounts and how they sound.
    pub account_sounds: Vec<(plenary_conference::AccountId, StoredAudio)>,
    /// The same of reserved conferences.
    pub reservation_sounds: Vec<(ReservationToken, StoredAudio)>,
    /// What is said to callers.
    pub languages: Arc<Languages>,
}

/// The calls of this node.
#[derive(Debug)]
pub struct Calls {
    pub(crate) node: u64,
    /// The time of the input that is being handled.
    pub(crate) now: Now,
    pub(crate) out: Outputs,
    pub(crate) settings: Settings,
    pub(crate) random: Random,
    pub(crate) security: Security,
    pub(crate) access: Access,
    pub(crate) records: Records,
    pub(crate) recordings: Recordings,
    pub(crate) sounds: StoredAudioSettings,
    pub(crate) calls: BTreeMap<CallNumber, Call>,
    pub(crate) departed: DepartedCalls,
    pub(crate) participants: BTreeMap<ParticipantId, CallNumber>,
    pub(crate) rooms: BTreeMap<ConferenceKey, MediaRoom>,
    pub(crate) subscribers: Subscribers,
    pub(crate) trunks: Trunks,
    pub(crate) bindings: Bindings,
    pub(crate) key_calls: KeyCalls,
    pub(crate) history: ParticipantHistory,
    /// What is said to callers, by language.
    pub(crate) languages: Arc<Languages>,
    /// How conferences speak that are reached by rooms.
    pub(crate) voices: BTreeMap<ConferenceKey, Voice>,
    /// When dialogues by keys want to be woken.
    pub(crate) keypad_due: BTreeSet<(Mono, CallNumber)>,
    pub(crate) speeches: Speeches,
    pub(crate) farewells: Farewells,
    pub(crate) name_numbers: Numbers,
    /// Recorded names that can be played.
    pub(crate) names: BTreeSet<RecordingId>,
    /// Until when whom we call may ring.
    pub(crate) ringing: BTreeSet<(Mono, CallNumber)>,
    /// What programs have played to conferences, while it goes on.
    pub(crate) playbacks: BTreeMap<PlayNumber, (ConferenceKey, Option<CallNumber>)>,
    /// Calls to hang up on when what is played to them has ended.
    pub(crate) announcements: BTreeMap<PlayNumber, CallNumber>,
    /// What the store is being asked for.
    lookups: BTreeMap<LookupId, Pending>,
    lookup_numbers: Numbers,
    pub(crate) room_numbers: Numbers,
    pub(crate) play_numbers: Numbers,
    pub(crate) registration_numbers: Numbers,
    /// The number of the next call that we place.
    pub(crate) spare_number: Option<CallNumber>,
    /// No new calls are taken or placed.
    pub(crate) is_draining: bool,
    /// Who waits for the last call to be over.
    draining: Option<QuestionId>,
    pub(crate) is_stopping: bool,
}

/// Numbers that are never drawn twice.
#[derive(Debug, Default)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// A conference's place in the media plane.
#[derive(Debug)]
pub(crate) struct MediaRoom {
    pub(crate) number: RoomNumber,
    pub(crate) calls: usize,
}

impl Calls {
    /// No calls yet.
    #[must_use]
    pub fn new(start: Start, now: Now) -> Self {
        let Start { node, seed, fingerprint, settings, account_sounds, reservation_sounds, languages } =
            start;
        let mut random = Random::new(seed);
        Self {
            node,
            now,
            out: Outputs::default(),
            access: Access::new(settings.realm.clone(), settings.digest.clone(), random.bytes()),
            settings,
            random,
            security: Security::new(fingerprint),
            records: Records::default(),
            recordings: Recordings::default(),
            sounds: StoredAudioSettings::new(account_sounds, reservation_sounds),
            calls: BTreeMap::new(),
            departed: DepartedCalls::default(),
            participants: BTreeMap::new(),
            rooms: BTreeMap::new(),
            subscribers: Subscribers::default(),
            trunks: Trunks::default(),
            bindings: Bindings::default(),
            key_calls: KeyCalls::default(),
            history: ParticipantHistory::default(),
            languages,
            voices: BTreeMap::new(),
            keypad_due: BTreeSet::new(),
            speeches: Speeches::default(),
            farewells: Farewells::default(),
            name_numbers: Numbers::default(),
            names: BTreeSet::new(),
            ringing: BTreeSet::new(),
            playbacks: BTreeMap::new(),
            announcements: BTreeMap::new(),
            lookups: BTreeMap::new(),
            lookup_numbers: Numbers::default(),
            room_numbers: Numbers::default(),
            play_numbers: Numbers::default(),
            registration_numbers: Numbers::default(),
            spare_number: None,
            is_draining: false,
            draining: None,
            is_stopping: false,
        }
    }

    /// How a number of this node is called elsewhere.
    pub(crate) fn id_of(&self, number: u64) -> String {
        format!("{:016x}.{number}", self.node)
    }

    /// The number behind an id of this node; `None`: it is of another one, or none.
    pub(crate) fn number_of(&self, id: &str) -> Option<u64> {
        let (node, number) = id.split_once('.')?;
        number.parse().ok().filter(|_| u64::from_str_radix(node, 16) == Ok(self.node))
    }

    /// The next thing to do, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.poll()
    }

    /// When to call [`Self::handle_timeout`] next. Registrations that have expired are not found any more whenever that is;
    /// their memory is given back at the next [`Self::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        [self.subscribers.due(), self.ringing_due(), self.keypad_timeout(), self.farewell_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.stop_ringing();
        self.wake_keypads();
        self.end_farewells();
        self.tell_subscribers();
        self.bindings.forget_expired(now.mono);
        self.finish_draining();
    }

    /// Nothing is left of any call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// No record waits for the statistics of its media.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.records.is_settled()
    }

    /// The number of the next call that is placed is wanted: see [`Self::give_number`].
    #[must_use]
    pub fn wants_number(&self) -> bool {
        self.spare_number.is_none()
    }

    /// The number of the next call that is placed here. Calls that come in are numbered by the user agent, so it is the user
    /// agent that numbers these too. Every input that may place a call, which none does more than once, needs one.
    pub fn give_number(&mut self, number: CallNumber) {
        self.spare_number = Some(number);
    }

    /// Whose call the answer of the store is about.
    #[must_use]
    pub fn call_of_lookup(&self, id: LookupId) -> Option<CallNumber> {
        match self.lookups.get(&id)? {
            Pending::Call(number) | Pending::Diverted(number) | Pending::Keypad(number, _) => Some(*number),
            Pending::Subscribing(_) | Pending::Registering(_) | Pending::Referred(_) => None,
        }
    }

    /// Other settings from now on.
    pub fn handle_settings(&mut self, settings: Settings) {
        self.access.set(settings.realm.clone(), settings.digest.clone());
        self.settings = settings;
    }

    /// Ends every call; no more are taken.
    pub fn handle_stop(&mut self, now: Now) {
        self.now = now;
        info!(calls = self.calls.len(), "stopping: hanging up every call");
        self.is_stopping = true;
        for number in self.calls.keys().copied().collect::<Vec<_>>() {
            self.end_call(number, reasons(200, "The service is stopping"));
        }
        self.finish_draining();
    }

    /// Writes down what records still wait for: no more is coming.
    pub fn finish_records(&mut self) {
        self.records.finish(&mut self.out);
    }

    /// Takes what the user agent says.
    pub fn handle_sip(&mut self, event: SipEvent, now: Now) {
        self.now = now;
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
            SipEvent::Resubscribed(subscription) => self.handle_resubscribed(subscription),
            SipEvent::Unsubscribed(subscription) => self.handle_unsubscribed(subscription),
            SipEvent::Registering(registration) => self.handle_registering(*registration),
            SipEvent::ConnectionClosed(flow) => self.handle_connection_closed(flow),
            SipEvent::Permitted { source } => self.out.permitted(source),
            SipEvent::Banned { source, seconds } => {
                warn!(%source, seconds, "banned: too many requests that were refused");
            }
            SipEvent::Blocked { source, caller, seconds } => {
                warn!(%source, %caller, seconds, "blocked: too many refusals of one caller; others from there are answered");
            }
            SipEvent::KeyPressed { call, key } => {
                // The media plane reports it if it has come as an event or a tone as well.
                self.out.press_key(CallNumber(call.0), key);
            }
            SipEvent::Cancelled { call, .. } => {
                self.call_is_over(CallNumber(call.0), EndedBy::Remote, "cancelled");
            }
            SipEvent::Ended { call, cause } => {
                let (by, text) = end_cause(&cause);
                if by == EndedBy::Network {
                    self.note_departure(CallNumber(call.0));
                    self.redial(CallNumber(call.0));
                }
                self.call_is_over(CallNumber(call.0), by, &text);
            }
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
        self.after_input();
    }

    /// Takes what the media plane says.
    pub fn handle_media(&mut self, event: MediaEvent, now: Now) {
        self.now = now;
        match event {
            MediaEvent::Opened { call, at } => self.handle_opened(call, at),
            MediaEvent::Weighed { call, afforded } => self.handle_weighed(call, afforded),
            MediaEvent::KeyPressed { call, key } => self.handle_key(call, key),
            MediaEvent::Talking { call, talking } => self.set_talking(call, talking),
            MediaEvent::RtpTimeout { call } => {
                of_call!(
                    info,
                    self,
                    call,
                    "ICE or DTLS did not get through, or no RTP came after RTCP's goodbye: the call ends"
                );
                self.note_departure(call);
                self.redial(call);
                self.lose_call(call, "No audio was received for too long");
            }
            MediaEvent::NeverHeard { call } => {
                of_call!(
                    warn,
                    self,
                    call,
                    "nothing was ever received from the caller, not even RTCP: the call ends"
                );
                self.lose_call(call, "No audio was ever received");
            }
            MediaEvent::PeerClosed { call } => {
                // Where we or they have hung up already, that is no news.
                if self.calls.get(&call).is_some_and(|call| matches!(call.stage, Stage::Up(_))) {
                    of_call!(info, self, call, "the other side has closed its media");
                    self.note_departure(call);
                    let text = "The other side has closed its media";
                    self.note_end(call, EndedBy::Remote, text);
                    self.end_call(call, reasons(200, text));
                }
            }
            // Who is on hold or muted need not send anything, so it is asked.
            MediaEvent::HoldTimeout { call } => self.out.probe(call),
            MediaEvent::SilenceTimeout { call } => {
                of_call!(debug, self, call, "no RTP comes: the caller is asked whether it is still there");
                self.out.probe(call);
            }
            MediaEvent::OneWay { call, one_way } => self.handle_one_way(call, one_way),
            MediaEvent::Recorded { call, id, is_speech } => self.handle_recorded(call, id, is_speech),
            MediaEvent::PlayFinished { play } => self.handle_play_finished(play),
            // The media plane has warned of it.
            MediaEvent::PlayFailed { play, text } => debug!(play = play.0, %text, "something is not played"),
            MediaEvent::Closed { call, stats } => {
                let is_known = self.calls.contains_key(&call);
                self.records.media_ended(call, stats, is_known, &mut self.out);
            }
            MediaEvent::RoomFailed { room, calls } => {
                warn!(room = room.0, calls = calls.len(), "a room of the media plane failed: its calls end");
                for call in calls {
                    self.end_call(call, reasons(500, "The conference failed"));
                }
            }
        }
        self.after_input();
    }

    /// Takes what the recorder says.
    pub fn handle_recording(&mut self, event: RecorderEvent, now: Now) {
        self.now = now;
        self.handle_recorder(event);
        self.after_input();
    }

    /// Takes what the home of a conference says.
    pub fn handle_home(&mut self, message: ToEdge, now: Now) {
        self.now = now;
        match message {
            ToEdge::Granted { conference, participant, arrival } => {
                self.handle_granted(&conference, &participant, arrival);
            }
            ToEdge::Waiting { conference, participant, is_leader_told } => {
                self.handle_waiting(&conference, &participant, is_leader_told);
            }
            ToEdge::Outcome { participant, question, outcome, .. } => {
                self.handle_outcome(&participant, question, outcome);
            }
            ToEdge::Entered { conference, participant } => self.handle_entered(&conference, &participant),
            ToEdge::Refused { conference, participant, refused } => {
                self.handle_refused(&conference, &participant, refused);
            }
            ToEdge::Do { conference, seq, effects } => {
                for effect in effects {
                    self.carry_out(effect);
                }
                self.out.home(ToHome::Done { conference, seq });
            }
            ToEdge::Roster { conference, state, participants, recording } => {
                self.handle_roster(conference, state, &participants, recording.as_ref());
            }
        }
        self.after_input();
    }

    /// Takes what the store says to a [`Output::Lookup`].
    pub fn handle_found(&mut self, id: LookupId, found: Found, now: Now) {
        self.now = now;
        match (self.lookups.remove(&id), found) {
            (Some(Pending::Call(number)), Found::Caller(found)) => {
                self.handle_looked_up(number, found.map(|found| *found));
            }
            (Some(Pending::Diverted(number)), Found::Service(found)) => {
                self.handle_routed(number, found.map(|found| found.map(|found| *found)));
            }
            (Some(Pending::Keypad(number, question)), Found::RoomNumbers(found)) => {
                self.handle_keypad_rooms(number, question, found);
            }
            (Some(Pending::Keypad(number, question)), Found::Room(found)) => {
                self.handle_keypad_room(number, question, found.map(|found| found.map(|room| *room)));
            }
            (Some(Pending::Keypad(number, question)), Found::Pin(found)) => {
                self.handle_keypad_pin(number, question, found);
            }
            (Some(Pending::Keypad(number, question)), Found::Extended(found)) => {
                self.handle_extended(number, question, found);
            }
            (Some(Pending::Registering(registration)), Found::Caller(found)) => {
                self.handle_registration(&registration, found.map(|found| *found));
            }
            (Some(Pending::Subscribing(subscribing)), Found::Caller(found)) => {
                self.handle_following(*subscribing, found.map(|found| *found));
            }
            (Some(Pending::Referred(referred)), Found::Caller(found)) => {
                self.handle_referring(&referred, found.map(|found| *found));
            }
            (None, _) => debug!(lookup = id.0, "an answer of the store that nothing was asked for"),
            (Some(pending), _) => {
                warn!(lookup = id.0, ?pending, "an answer of the store to another question");
            }
        }
        self.after_input();
    }

    /// Takes a question; [`Output::Reply`] answers it once.
    pub fn handle_question(&mut self, id: QuestionId, question: EdgeQuestion, now: Now) {
        self.now = now;
        let answer = match question {
            EdgeQuestion::ChangeAccountSound(account, change) => {
                Answer::Sound(Ok(self.change_account_sound(account, &change)))
            }
            EdgeQuestion::PlanAccountSound(account, change) => {
                Answer::SoundPlan(Ok(Some(self.plan_account_sound(account, &change))))
            }
            EdgeQuestion::Trunks(trunks) => {
                self.set_trunks(trunks);
                Answer::Done(Ok(()))
            }
            EdgeQuestion::TrunkStates(account) => Answer::TrunkStates(self.trunk_states(account)),
            EdgeQuestion::Invite { account, conference, invitation } => {
                match self.invite(id, account, conference, &invitation) {
                    // Answered when there is a seat and a port.
                    Ok(_) => return self.after_input(),
                    Err(error) => Answer::Call(Err(error)),
                }
            }
            EdgeQuestion::Rename { conference, participant, display_name } => {
                Answer::Done(self.rename(&conference, &participant, display_name))
            }
            EdgeQuestion::SetInbandDtmf { conference, participant, inband_dtmf } => {
                Answer::Done(self.set_inband_dtmf(&conference, &participant, inband_dtmf))
            }
            EdgeQuestion::CheckUnmuteKey { conference, participant } => {
                Answer::Done(self.check_unmute_key(&conference, &participant))
            }
            EdgeQuestion::Transfer { account, conference, participant, to } => {
                let key = ConferenceKey { account, name: conference };
                Answer::Call(self.transfer(&key, &participant, &to))
            }
            EdgeQuestion::Announce { conference, playback } => {
                Answer::Playback(self.play_announcement(&conference, *playback))
            }
            EdgeQuestion::StopAnnouncement { conference, id } => {
                Answer::Done(self.stop_announcement(&conference, &id))
            }
            EdgeQuestion::Ping => Answer::Done(Ok(())),
            EdgeQuestion::Drain => {
                info!(calls = self.calls.len(), "draining: no new calls");
                self.out.set_draining();
                self.is_draining = true;
                self.draining = Some(id);
                return self.after_input();
            }
        };
        self.out.reply(id, answer);
        self.after_input();
    }

    fn after_input(&mut self) {
        self.tell_subscribers();
        self.finish_draining();
    }

    fn finish_draining(&mut self) {
        if self.calls.is_empty()
            && let Some(question) = self.draining.take()
        {
            self.out.reply(question, Answer::Done(Ok(())));
        }
    }

    pub(crate) fn look_up(&mut self, pending: Pending, lookup: Lookup) {
        let id = LookupId(self.lookup_numbers.draw());
        self.lookups.insert(id, pending);
        self.out.look_up(id, lookup);
    }

    fn handle_one_way(&mut self, number: CallNumber, one_way: Option<OneWay>) {
        match one_way {
            Some(OneWay::NoneReceived) => {
                of_call!(warn, self, number, "audio goes one way: nothing comes from the caller");
            }
            Some(OneWay::NoneDelivered) => {
                of_call!(
                    warn,
                    self,
                    number,
                    "audio goes one way: the caller reports that nothing of ours arrives"
                );
            }
            None => of_call!(info, self, number, "audio no longer goes one way"),
        }
        if let Some(call) = self.calls.get_mut(&number) {
            call.one_way = one_way;
        }
    }

    fn set_talking(&mut self, number: CallNumber, talking: bool) {
        if let Some(call) = self.calls.get_mut(&number) {
            call.talking = talking;
            if let Some(conference) = call.conference().cloned() {
                self.subscribers.note(&conference, self.now.mono);
                let (participant, report) = (Some(call.participant.clone()), EdgeReport::Talking(talking));
                self.out.home(ToHome::Report { conference, participant, report });
            }
        }
    }

    /// The call of a participant whose seat is in this conference.
    pub(crate) fn call_with_seat(
        &mut self,
        conference: &ConferenceKey,
        participant: &ParticipantId,
    ) -> Option<(CallNumber, &mut Call)> {
        let number = *self.participants.get(participant)?;
        let call = self.calls.get_mut(&number)?;
        (call.seat.as_ref() == Some(conference)).then_some((number, call))
    }

    /// The call of a participant that can hear something: it is in the conference, or waits in its lobby.
    pub(crate) fn call_that_is_up(
        &mut self,
        conference: &ConferenceKey,
        participant: &ParticipantId,
    ) -> Result<(CallNumber, &mut Call), Refused> {
        let (number, call) =
            self.call_with_seat(conference, participant).ok_or(Refused::UnknownParticipant)?;
        match call.stage {
            Stage::Up(_) => Ok((number, call)),
            Stage::Preparing { .. } | Stage::Calling(_) => Err(Refused::NotIn),
            // Who calls and is not in yet, and whose call ends, is no participant that anybody is shown.
            Stage::Routing { .. }
            | Stage::Admitting { .. }
            | Stage::Opening { .. }
            | Stage::Weighing { .. }
            | Stage::Accepted(_)
            | Stage::Ending => Err(Refused::UnknownParticipant),
        }
    }
}

fn end_cause(cause: &EndCause) -> (EndedBy, Cow<'static, str>) {
    let (by, text) = match cause {
        EndCause::ByRemote { reasons } => match failure_of(reasons) {
            Some(failure) => return (EndedBy::Network, format!("cut off: {failure}").into()),
            None => (EndedBy::Remote, "caller hung up"),
        },
        EndCause::ByUs => (EndedBy::Service, "hung up by the service"),
        EndCause::AckTimeout => (EndedBy::Network, "no ACK"),
        EndCause::Transport => (EndedBy::Network, "unreachable"),
    };
    (by, text.into())
}
