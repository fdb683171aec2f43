//! A node in virtual time, with a network, a media plane and a store that do what the test says. What goes out is kept as short
//! lines, one for each command: `answer 1`, `reject 1 404`, `open 1`, `voice 1 +speaks +listens`.
#![allow(dead_code, missing_docs, unreachable_pub)]

mod nouns;

pub use nouns::*;
use plenary_calls::{
    CallNumber, ControlError, Input, Invitation, KeyLimits, Node, Output, Settings, SipCommand, Start,
    lookup::{
        CallerLookup, CallerQuery, Claims, Extended, Found, Lookup, LookupId, NamedKey, PinAnswer,
        StoreFailed,
    },
    media::{AudioProcessing, Clip, MediaCommand, MediaEvent, NoMedia, OpenedAt, PlayNumber, PlayTo},
    participants::Participant,
    question::{Answer, EdgeQuestion, HomeQuestion, ParticipantAction, ParticipantsQuestion, Question},
};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceLimits, ConferenceName, Conferences, Event, Mono, Now, ParticipantId,
    ParticipantOptions, QuestionId, Refused, Reservation, ReservationLimits, ReservationToken, ServiceName,
    Timestamp, conferences::ConferenceRef, participant::PlayList,
};
use plenary_model::{
    Access, Action, Announcement, CallEntry, CallToken, ClientToken, ConferenceAction, InboundService,
    RecordingId, Refer, Room, Selection, SipSecret, SipUri, Token, Trunk, TrunkSettings, WebRtcKey,
};
use plenary_sip::{
    AddrSpec, CallId, Caller, DialSpec, EndCause, Flow, IncomingCall, NameAddr, ReferTo, Referred,
    Registration, Replaces, RequestId, SipEvent, Transport,
    digest::{Algorithm, Authorization, Authorizations},
    sdp::{self, Codec, Direction, Levels, LocalMedia, LocalSecurity, Policy, Preference},
};
use plenary_speech::Languages;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

pub const ACCOUNT: AccountId = AccountId(1);
pub const REALM: &str = "plenary.test";
/// The password of every user.
pub const PASSWORD: &str = "correct horse";
pub const EPOCH: Timestamp = Timestamp::from_seconds(1_700_000_040);

pub struct World {
    pub node: Node,
    pub now: Now,
    next_call: u64,
    /// Calls that are placed count from 901.
    next_placed: u64,
    next_question: u64,
    next_request: u64,
    /// Commands to the user agent that were not looked at.
    pub sip: Vec<String>,
    /// Commands to the media plane that were not looked at.
    pub media: Vec<String>,
    pub records: Vec<CallEntry>,
    pub answers: BTreeMap<u64, Vec<Answer>>,
    pub dials: BTreeMap<u64, DialSpec>,
    /// The last challenge to a call or a request.
    pub challenge: Option<String>,
    pub store: Store,
    /// Lookups that have not been answered, while the store is slow.
    pub lookups: VecDeque<(LookupId, Lookup)>,
    pub store_is_slow: bool,
    pub store_fails: bool,
    /// The media plane has no ports.
    pub no_ports: Option<bool>,
    pub ports_are_slow: bool,
    /// There is no time for the audio of another call.
    pub is_busy: bool,
    pub opening: VecDeque<CallNumber>,
    /// Calls whose ports are open.
    pub open: BTreeSet<u64>,
    /// Those of them that end by themselves.
    pub once: BTreeSet<u64>,
    /// Names that are being recorded, by call, and those that are kept.
    pub recording: BTreeMap<u64, RecordingId>,
    pub names: BTreeSet<RecordingId>,
    /// Plays that go on: number, to whom.
    pub plays: BTreeMap<u64, String>,
}

#[derive(Default)]
pub struct Store {
    pub services: Vec<InboundService>,
    pub users: BTreeMap<String, AccountId>,
    pub tokens: BTreeMap<String, Token>,
    pub keys: Vec<(WebRtcKey, String)>,
    /// Rooms by number, with the PIN of participants and that of leaders.
    pub rooms: BTreeMap<String, (Room, Option<&'static str>, Option<&'static str>)>,
    /// Wrong PINs so far; from the third on the next ones have to wait.
    pub wrong_pins: u64,
    /// Seats are left for an extension.
    pub may_extend: bool,
}

impl Store {
    fn find(&self, account: Option<AccountId>, name: &str) -> Option<(InboundService, String)> {
        let fits = |service: &&InboundService| account.is_none_or(|account| account == service.account);
        self.services.iter().filter(fits).find_map(|service| {
            let known = service.name.as_str();
            match known.strip_suffix('*') {
                Some(prefix) => name.strip_prefix(prefix).map(|rest| (service.clone(), rest.to_owned())),
                None => (known == name).then(|| (service.clone(), String::new())),
            }
        })
    }

    fn check_pin(&mut self, room: &str, pin: &str) -> PinAnswer {
        let Some((_, participants, leaders)) = self.rooms.get(room) else {
            return PinAnswer::Wrong { is_guessing: false };
        };
        if *leaders == Some(pin) || *participants == Some(pin) {
            return PinAnswer::Right { is_leader: *leaders == Some(pin) };
        }
        self.wrong_pins += 1;
        match self.wrong_pins {
            ..=20 => PinAnswer::Wrong { is_guessing: self.wrong_pins == 5 },
            _ => PinAnswer::TooMany { wait_ms: 60_000 },
        }
    }

    fn look_up(&self, query: CallerQuery) -> CallerLookup {
        let dialled_cloud_id = query.dialled_cloud_id();
        let mut claims = Claims::default();
        if let Some(answer) = query.answer {
            let secret = self.users.get(&answer.username).map(|account| SipSecret {
                account: *account,
                realm: REALM.to_owned(),
                ha1_md5: Algorithm::Md5.ha1(&answer.username, REALM, PASSWORD),
                ha1_sha256: Algorithm::Sha256.ha1(&answer.username, REALM, PASSWORD),
            });
            claims.password = Some((answer, secret));
        }
        claims.token = query.token.map(|token| self.tokens.get(&token).cloned().unwrap_or(Token::Unknown));
        let key = match query.claim {
            None => NamedKey::None,
            Some(claim) => {
                let is_it = |(key, cloud_id): &&(WebRtcKey, String)| {
                    key.key == claim.key && *cloud_id == claim.cloud_id
                };
                match self.keys.iter().find(is_it) {
                    Some((key, cloud_id)) => NamedKey::Known(key.clone(), cloud_id.clone()),
                    None => NamedKey::Unknown(claim),
                }
            }
        };
        let service = query.target.and_then(|target| {
            let accounts = CallerLookup::accounts_of(&claims, &key).into_iter().map(Some).chain([None]);
            accounts.into_iter().find_map(|account| self.find(account, &target.user))
        });
        CallerLookup {
            service,
            claims,
            caller: query.caller,
            key,
            dialled_cloud_id,
            has_users: !self.users.is_empty(),
        }
    }
}

fn their_media() -> LocalMedia {
    LocalMedia {
        rtp: SocketAddr::from(([10, 0, 0, 1], 40_000)),
        session_id: 1,
        version: 1,
        codecs: vec![Codec::Pcma],
        preference: Preference::Theirs,
        dtmf: true,
        direction: Direction::SendRecv,
        security: LocalSecurity::off(),
        ice: None,
        levels: Levels::Read,
    }
}

pub fn offer() -> String {
    sdp::offer(&their_media())
}

/// A caller.
pub struct From {
    pub user: &'static str,
    pub host: &'static str,
    pub flow: Flow,
    pub authorizations: Authorizations,
    pub asserted: Option<&'static str>,
    pub display_name: Option<&'static str>,
    pub is_private: bool,
    pub replaces: Option<u64>,
    pub offer: Option<String>,
}

impl Default for From {
    fn default() -> Self {
        Self {
            user: "bob",
            host: "example.com",
            flow: flow(Transport::Udp, [10, 0, 0, 1], 5060),
            authorizations: Authorizations::default(),
            asserted: None,
            display_name: None,
            is_private: false,
            replaces: None,
            offer: Some(offer()),
        }
    }
}

impl World {
    pub fn new() -> Self {
        let now = Now { mono: Mono(1000), wall: EPOCH };
        let start = Start {
            node: 0x0123_4567_89ab_cdef,
            seed: [7; 32],
            fingerprint: None,
            settings: settings(),
            account_sounds: Vec::new(),
            reservation_sounds: Vec::new(),
            languages: Arc::new(Languages::built_in()),
        };
        let conferences = Conferences::new(
            ReservationLimits::default(),
            ConferenceLimits { unreserved_max_participants: 3 },
        );
        let mut world = Self {
            node: Node::new(start, conferences, now),
            now,
            next_call: 0,
            next_placed: 900,
            next_question: 0,
            next_request: 100,
            sip: Vec::new(),
            media: Vec::new(),
            records: Vec::new(),
            answers: BTreeMap::new(),
            dials: BTreeMap::new(),
            challenge: None,
            store: Store::default(),
            lookups: VecDeque::new(),
            store_is_slow: false,
            store_fails: false,
            no_ports: None,
            ports_are_slow: false,
            is_busy: false,
            opening: VecDeque::new(),
            open: BTreeSet::new(),
            plays: BTreeMap::new(),
            once: BTreeSet::new(),
            recording: BTreeMap::new(),
            names: BTreeSet::new(),
        };
        world.store.services.push(service("conf-*", from_networks("10.0.0.0/8")));
        world
    }

    // Inputs.

    pub fn input(&mut self, input: Input) {
        if self.node.calls().wants_number() && input.may_place_a_call() {
            self.next_placed += 1;
            self.node.give_number(CallNumber(self.next_placed));
        }
        self.node.handle(input, self.now);
        self.drain();
        self.assert_timeout_is_sane();
    }

    /// The other side puts the call on hold, or resumes it.
    pub fn hold(&mut self, call: u64, is_held: bool) {
        let direction = if is_held { Direction::SendOnly } else { Direction::SendRecv };
        let offer = sdp::offer(&LocalMedia { direction, version: 2, ..their_media() });
        self.sip_event(SipEvent::Reoffer { call: CallId(call), offer: Some(offer) });
    }

    pub fn sip_event(&mut self, event: SipEvent) {
        self.input(Input::Sip(event));
    }

    pub fn pass_ms(&mut self, ms: u64) {
        let until = Now { mono: self.now.mono.plus_ms(ms), wall: Timestamp(self.now.wall.0 + ms as i64) };
        while let Some(at) = self.node.poll_timeout(self.now)
            && at <= until.mono
        {
            let passed = at.0.saturating_sub(self.now.mono.0);
            self.now = Now { mono: at, wall: Timestamp(self.now.wall.0 + passed as i64) };
            self.input(Input::Timeout);
        }
        self.now = until;
        self.input(Input::Timeout);
    }

    fn assert_timeout_is_sane(&self) {
        if let Some(at) = self.node.calls().poll_timeout() {
            // What is due is handled by the next timeout; after one nothing due is left.
            assert!(at.0 + 60_000_000 > self.now.mono.0);
        }
    }

    pub fn incoming(&mut self, dialled: &str, from: From) -> u64 {
        self.next_call += 1;
        let call = CallId(self.next_call);
        let identity =
            |user: &str| NameAddr { display_name: None, user: user.to_owned(), host: String::new() };
        self.sip_event(SipEvent::Incoming(Box::new(IncomingCall {
            call,
            target: AddrSpec { user: dialled.to_owned(), host: "192.0.2.1".to_owned() },
            from: NameAddr {
                display_name: from.display_name.map(str::to_owned),
                user: from.user.to_owned(),
                host: from.host.to_owned(),
            },
            flow: from.flow,
            replaces: from.replaces.map(CallId),
            offer: from.offer,
            sip_call_id: format!("call-{}", call.0),
            authorizations: from.authorizations,
            asserted: from.asserted.map(identity),
            is_private: from.is_private,
            caller: Caller::asking_for(from.user, dialled),
        })));
        call.0
    }

    /// A caller calls, is answered and sends the ACK.
    #[track_caller]
    pub fn enter(&mut self, dialled: &str) -> u64 {
        let call = self.incoming(dialled, From::default());
        assert!(self.sip.contains(&format!("answer {call}")), "{:?}", self.sip);
        self.confirm(call);
        call
    }

    pub fn confirm(&mut self, call: u64) {
        self.sip_event(SipEvent::Confirmed { call: CallId(call), answer: None, dialog: format!("d{call}") });
    }

    pub fn bye(&mut self, call: u64) {
        self.sip_event(SipEvent::Ended {
            call: CallId(call),
            cause: EndCause::ByRemote { reasons: Vec::new() },
        });
    }

    /// The user agent has seen our hanging up through.
    pub fn ended(&mut self, call: u64) {
        self.sip_event(SipEvent::Ended { call: CallId(call), cause: EndCause::ByUs });
    }

    pub fn progress(&mut self, call: u64, status: u16) {
        self.sip_event(SipEvent::Progress { call: CallId(call), fork: 0, status, sdp: None });
    }

    /// The called side answers what it was offered.
    pub fn answered(&mut self, call: u64) {
        let answer = sdp::answer(&self.dials[&call].sdp, &their_media()).unwrap();
        self.sip_event(SipEvent::Answered {
            call: CallId(call),
            sdp: Some(answer.sdp),
            fork: 0,
            dialog: format!("d{call}"),
        });
    }

    pub fn rejected(&mut self, call: u64, status: u16) {
        self.sip_event(SipEvent::Rejected { call: CallId(call), status, phrase: "No".to_owned() });
    }

    pub fn refer(&mut self, call: Option<u64>, refer_to: &str, change: impl FnOnce(&mut Referred)) -> u64 {
        self.next_request += 1;
        let target = |uri: &str| {
            let (user, host) = uri.split_once(':').unwrap().1.split_once('@').unwrap_or((uri, ""));
            AddrSpec { user: user.to_owned(), host: host.to_owned() }
        };
        let mut referred = Referred {
            request: RequestId(self.next_request),
            call: call.map(CallId),
            target: target("sip:conf-Tea@192.0.2.1"),
            from: NameAddr { display_name: None, user: "bob".to_owned(), host: String::new() },
            refer_to: refer_to.to_owned(),
            refer_target: target(refer_to),
            method: "INVITE".to_owned(),
            replaces: None,
            replaces_call: None,
            referred_by: None,
            asserted: None,
            authorizations: Authorizations::default(),
            flow: flow(Transport::Udp, [10, 0, 0, 1], 5060),
            caller: Caller::asking_for("bob", "conf-Tea"),
        };
        change(&mut referred);
        self.sip_event(SipEvent::Referred(Box::new(referred)));
        self.next_request
    }

    pub fn register(&mut self, user: &str, flow: Flow, authorizations: Authorizations) -> u64 {
        self.next_request += 1;
        self.sip_event(SipEvent::Registering(Box::new(Registration {
            request: RequestId(self.next_request),
            user: user.to_owned(),
            host: "example.com".to_owned(),
            sip_call_id: "r1".to_owned(),
            contacts: vec![format!("sip:{user}@{}", flow.remote)],
            expires: 600,
            path: Vec::new(),
            authorizations,
            flow,
            caller: Caller::with_password(user),
        })));
        self.next_request
    }

    pub fn ask(&mut self, question: Question) -> u64 {
        self.next_question += 1;
        self.input(Input::Question(QuestionId(self.next_question), question));
        self.next_question
    }

    /// The one answer to a question.
    #[track_caller]
    pub fn answer_to(&mut self, question: u64) -> Answer {
        let mut answers = self.answers.remove(&question).unwrap_or_default();
        assert_eq!(answers.len(), 1, "question {question} is answered once: {answers:?}");
        answers.pop().unwrap()
    }

    pub fn invite(&mut self, to: &str) -> u64 {
        let invitation = Box::new(Invitation {
            to: to.to_owned(),
            trunk: None,
            options: plain(),
            ring_seconds: 30,
            from: None,
            display_name: None,
            confirm: None,
            redial: false,
        });
        let conference = ConferenceName::new("Tea");
        self.ask(Question::Edge(EdgeQuestion::Invite { account: ACCOUNT, conference, invitation }))
    }

    #[track_caller]
    pub fn call_of(&mut self, question: u64) -> Result<ParticipantId, ControlError> {
        match self.answer_to(question) {
            Answer::Call(participant) => participant,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub fn shown(&mut self, participant: &ParticipantId) -> Participant {
        let mut found = self.ask_participants(ParticipantsQuestion::One(participant.clone())).unwrap();
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    #[track_caller]
    pub fn ask_participants(&mut self, what: ParticipantsQuestion) -> Result<Vec<Participant>, Refused> {
        let which = ConferenceRef::Name(ConferenceName::new("Tea"));
        let question = self.ask(Question::Participants { account: ACCOUNT, which, what });
        match self.answer_to(question) {
            Answer::Roster(roster) => roster,
            other => panic!("{other:?}"),
        }
    }

    /// The question and whether it has been answered with success.
    #[track_caller]
    pub fn control(&mut self, event: Event) -> Result<(), Refused> {
        let question = self.ask(Question::Home(HomeQuestion::Control(event)));
        self.done(question)
    }

    #[track_caller]
    pub fn done(&mut self, question: u64) -> Result<(), Refused> {
        match self.answer_to(question) {
            Answer::Done(done) => done,
            other => panic!("{other:?}"),
        }
    }

    pub fn change(&mut self, participant: &ParticipantId, change: ParticipantAction) -> u64 {
        let which = ConferenceRef::Name(ConferenceName::new("Tea"));
        let participant = participant.clone();
        self.ask(Question::Home(HomeQuestion::Change { account: ACCOUNT, which, participant, change }))
    }

    pub fn set_trunks(&mut self, trunks: Vec<Trunk>) {
        let question = self.ask(Question::Edge(EdgeQuestion::Trunks(Ok(trunks))));
        assert!(matches!(self.answer_to(question), Answer::Done(Ok(()))));
    }

    pub fn reserve(&mut self, name: &str, in_minutes: i64, divert: Option<&str>) {
        let reservation = Reservation {
            token: ReservationToken::new(format!("TOKEN{name}")),
            account: ACCOUNT,
            name: ConferenceName::new(name),
            max_participants: 40,
            starts_at: Timestamp(EPOCH.0 + in_minutes * 60_000),
            duration_minutes: 30,
            divert: divert.map(ServiceName::new),
            title: None,
        };
        let event = Event::ReservationAdded(reservation);
        let question = self.ask(Question::Home(HomeQuestion::Reservation(event)));
        assert!(matches!(self.answer_to(question), Answer::Done(Ok(()))));
    }

    pub fn participant(&self, call: u64) -> ParticipantId {
        ParticipantId::new(format!("0123456789abcdef.{call}"))
    }

    /// Who is in, by the numbers of their calls.
    pub fn roster(&self, name: &str) -> Vec<u64> {
        let participants =
            self.node.conferences().participants(&key(name)).map(|(_, participants)| participants);
        let number = |id: &ParticipantId| id.as_str().rsplit('.').next().unwrap().parse().unwrap();
        participants.unwrap_or_default().iter().map(|participant| number(&participant.id)).collect()
    }

    /// The answer to the last challenge, by this user's password.
    pub fn answer_to_challenge(&self, user: &str, password: &str, method: &str) -> Authorizations {
        let challenge = self.challenge.clone().expect("a caller was challenged");
        let part = |name: &str| {
            let text = challenge.split(&format!("{name}=\"")).nth(1).unwrap();
            text.split('"').next().unwrap().to_owned()
        };
        let (realm, nonce) = (part("realm"), part("nonce"));
        let ha1 = Algorithm::Md5.ha1(user, &realm, password);
        // The hash of three texts with colons between them, whatever they are.
        let ha2 = Algorithm::Md5.ha1(method, "sip", "service@192.0.2.1");
        let response = Algorithm::Md5.ha1(&ha1, &nonce, &ha2);
        let value = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"sip:service@192.0.2.1\", \
             algorithm=MD5, response=\"{response}\""
        );
        Authorization::parse(&value, method).unwrap().into()
    }

    /// What was said to the user agent since the last time.
    pub fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sip)
    }

    // Outputs.

    pub fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Sip(command) => self.take_sip(command),
                Output::Media(command) => self.take_media(command),
                Output::Lookup { id, lookup } => match self.store_is_slow {
                    true => self.lookups.push_back((id, lookup)),
                    false => self.answer_lookup(id, lookup),
                },
                Output::Record(entry) => self.records.push(entry),
                Output::Reply { question, answer } => {
                    self.answers.entry(question.0).or_default().push(answer);
                }
                Output::Home(message) => panic!("no other home: {message:?}"),
            }
        }
    }

    /// The slow store answers everything that it was asked.
    pub fn answer_lookups(&mut self) {
        while let Some((id, lookup)) = self.lookups.pop_front() {
            self.answer_lookup(id, lookup);
        }
    }

    pub fn answer_one_lookup(&mut self) {
        let (id, lookup) = self.lookups.pop_front().expect("something is being looked up");
        self.answer_lookup(id, lookup);
    }

    fn answer_lookup(&mut self, id: LookupId, lookup: Lookup) {
        let failed = || StoreFailed("the disk is gone".to_owned());
        let found = match lookup {
            Lookup::Caller(_) if self.store_fails => Found::Caller(Err(failed())),
            Lookup::Service { .. } if self.store_fails => Found::Service(Err(failed())),
            Lookup::Caller(query) => Found::Caller(Ok(Box::new(self.store.look_up(*query)))),
            Lookup::Service { account, service } => {
                Found::Service(Ok(self.store.find(Some(account), service.as_str()).map(Box::new)))
            }
            Lookup::RoomNumbers { .. } if self.store_fails => Found::RoomNumbers(Err(failed())),
            Lookup::Room { .. } if self.store_fails => Found::Room(Err(failed())),
            Lookup::Pin { .. } if self.store_fails => Found::Pin(Err(failed())),
            Lookup::Extend { .. } if self.store_fails => Found::Extended(Err(failed())),
            Lookup::RoomNumbers { .. } => Found::RoomNumbers(Ok(self.store.rooms.keys().cloned().collect())),
            Lookup::Room { number, .. } => {
                let room = self.store.rooms.get(&number);
                Found::Room(Ok(room.map(|(room, ..)| Box::new(room.clone()))))
            }
            Lookup::Pin { room, pin, .. } => Found::Pin(Ok(self.store.check_pin(&room, pin.digits()))),
            Lookup::Extend { minutes, .. } => Found::Extended(Ok(match self.store.may_extend {
                true => Extended::By { seconds: minutes * 60 },
                false => Extended::Not("no seats are left".to_owned()),
            })),
        };
        self.input(Input::Found(id, found));
    }

    /// The slow media plane has opened what it was asked for.
    pub fn open_ports(&mut self) {
        while let Some(call) = self.opening.pop_front() {
            self.open_port(call);
        }
    }

    fn open_port(&mut self, call: CallNumber) {
        let at = match self.no_ports {
            Some(is_temporary) => Err(NoMedia { is_temporary, text: "no ports".to_owned() }),
            None => {
                self.open.insert(call.0);
                let local: IpAddr = [192, 0, 2, 1].into();
                Ok(OpenedAt { rtp: SocketAddr::new(local, 20_000 + 2 * call.0 as u16), local })
            }
        };
        self.input(Input::Media(MediaEvent::Opened { call, at }));
    }

    fn take_media(&mut self, command: MediaCommand) {
        let line = match command {
            MediaCommand::Open { call, .. } => {
                self.media.push(format!("open {}", call.0));
                match self.ports_are_slow {
                    true => self.opening.push_back(call),
                    false => self.open_port(call),
                }
                return;
            }
            MediaCommand::Weigh { call, .. } => {
                let afforded = if self.is_busy { Err(0.9) } else { Ok(()) };
                return self.input(Input::Media(MediaEvent::Weighed { call, afforded }));
            }
            MediaCommand::Count { call, .. } => format!("count {}", call.0),
            MediaCommand::Began { call } => format!("began {}", call.0),
            MediaCommand::SetStream { call, .. } => format!("stream {}", call.0),
            MediaCommand::SetVoice { call, speaks, listens } => {
                let sign = |yes| if yes { '+' } else { '-' };
                format!("voice {} {}speaks {}listens", call.0, sign(speaks), sign(listens))
            }
            MediaCommand::SetProcessing { call, processing } => {
                format!("processing {} {} dB", call.0, processing.gain_db)
            }
            MediaCommand::PressKey { call, key } => format!("key {key} of {}", call.0),
            MediaCommand::CutOff { call } => format!("cut off {}", call.0),
            MediaCommand::Play { to, play, clips, repeat, .. } => {
                let to = match to {
                    PlayTo::Call(call) => format!("call {}", call.0),
                    PlayTo::Room(room) => format!("room {}", room.0),
                    PlayTo::RoomBut(room, call) => format!("room {} but {}", room.0, call.0),
                };
                let name = |clip: &Clip| match clip {
                    Clip::File(name) => name.clone(),
                    Clip::Prompt { language, name } => format!("prompt:{language}/{name}"),
                    Clip::AccountSound { account, name } => format!("sound:{}/{name}", account.0),
                    Clip::Tone { hz, ms } => format!("tone:{hz}/{ms}"),
                    Clip::Silence { ms } => format!("silence:{ms}"),
                    Clip::Recorded(id) => format!("recording:{}", id.0),
                    Clip::Beep => "beep".to_owned(),
                };
                let names: Vec<_> = clips.iter().map(name).collect();
                self.plays.insert(play.0, to.clone());
                if !repeat {
                    self.once.insert(play.0);
                }
                format!("play {to} {}{}", names.join(" "), if repeat { " …" } else { "" })
            }
            MediaCommand::Move { call, room } => format!("move {} to room {}", call.0, room.0),
            MediaCommand::Hold { call, .. } => format!("hold {}", call.0),
            MediaCommand::Resume { call } => format!("resume {}", call.0),
            MediaCommand::SetLevels { call, talk_db, hear_db } => {
                format!("levels {} talk {talk_db} hear {hear_db}", call.0)
            }
            MediaCommand::SetHeardBy { call, by } => {
                let by = by.map(|by| by.iter().map(|call| call.0.to_string()).collect::<Vec<_>>().join(" "));
                format!("{} heard by {}", call.0, by.as_deref().unwrap_or("all"))
            }
            MediaCommand::RecordName { call, id } => {
                self.recording.insert(call.0, id);
                format!("record name of {}", call.0)
            }
            MediaCommand::StopName { call } => {
                self.recorded(call.0, true);
                return;
            }
            MediaCommand::ForgetName { id } => {
                self.names.remove(&id);
                return;
            }
            MediaCommand::StopPlay { play } => {
                self.plays.remove(&play.0);
                self.once.remove(&play.0);
                "stop play".to_owned()
            }
            MediaCommand::Close { call } => {
                let was_open = self.open.remove(&call.0);
                self.opening.retain(|opening| *opening != call);
                self.media.push(format!("close {}", call.0));
                if was_open {
                    self.input(Input::Media(MediaEvent::Closed { call, stats: "{}".to_owned() }));
                }
                return;
            }
        };
        self.media.push(line);
    }

    /// The name that a caller says is over.
    pub fn recorded(&mut self, call: u64, is_speech: bool) {
        if let Some(id) = self.recording.remove(&call) {
            if is_speech {
                self.names.insert(id);
            }
            self.input(Input::Media(MediaEvent::Recorded { call: CallNumber(call), id, is_speech }));
        }
    }

    /// Everything that is played once has been heard to its end, also what follows from that.
    pub fn listen(&mut self) {
        while let Some(play) = self.once.pop_first() {
            self.plays.remove(&play);
            self.input(Input::Media(MediaEvent::PlayFinished { play: PlayNumber(play) }));
        }
    }

    /// A caller presses keys.
    pub fn press(&mut self, call: u64, keys: &str) {
        for key in keys.chars() {
            self.input(Input::Media(MediaEvent::KeyPressed { call: CallNumber(call), key }));
        }
    }

    /// What was said to a caller since the last time, as the names of prompts, music and tones.
    pub fn heard(&mut self, call: u64) -> Vec<String> {
        let to = format!("play call {call} ");
        let (of_it, rest): (Vec<String>, Vec<String>) =
            std::mem::take(&mut self.media).into_iter().partition(|line| line.starts_with(&to));
        self.media = rest;
        let said = |line: &String| {
            line[to.len()..]
                .split(' ')
                .filter(|item| !item.starts_with("silence:") && *item != "…")
                .map(|item| item.trim_start_matches("prompt:en/").to_owned())
                .collect::<Vec<_>>()
        };
        of_it.iter().flat_map(said).collect()
    }

    pub fn play_finished(&mut self) {
        let play = *self.plays.keys().next().expect("something is played");
        self.plays.remove(&play);
        self.once.remove(&play);
        self.input(Input::Media(MediaEvent::PlayFinished { play: PlayNumber(play) }));
    }

    fn take_sip(&mut self, command: SipCommand) {
        let line = match command {
            SipCommand::Ring { call } => format!("ring {}", call.0),
            SipCommand::Answer { call, .. } => format!("answer {}", call.0),
            SipCommand::Reject { call, status, headers, .. } => {
                self.note_challenge(&headers);
                format!("reject {} {status}", call.0)
            }
            SipCommand::AcceptOffer { call, .. } => format!("accept offer {}", call.0),
            SipCommand::RejectOffer { call, status } => format!("reject offer {} {status}", call.0),
            SipCommand::HangUp { call, reasons } => {
                let text = reasons.first().and_then(|reason| reason.text.clone()).unwrap_or_default();
                format!("hang up {}: {text}", call.0)
            }
            SipCommand::Probe { call } => format!("probe {}", call.0),
            SipCommand::Dial { call, spec } => {
                let line = format!("dial {} {}", call.0, spec.uri);
                self.dials.insert(call.0, *spec);
                line
            }
            SipCommand::Refer { call, to } => match to {
                ReferTo::Uri { uri, .. } => format!("refer {} to {uri}", call.0),
                ReferTo::Call(other) => format!("refer {} to call {}", call.0, other.0),
            },
            SipCommand::AcceptReferral { request } => format!("accept referral {}", request.0),
            SipCommand::ReportReferral { request, status, .. } => {
                format!("report referral {} {status}", request.0)
            }
            SipCommand::AcceptSubscription { request, .. } => format!("accept subscription {}", request.0),
            SipCommand::Notify { subscription, .. } => format!("notify {}", subscription.0),
            SipCommand::AnswerRegistration { request, .. } => format!("registered {}", request.0),
            SipCommand::RefuseRequest { request, status, headers } => {
                self.note_challenge(&headers);
                format!("refuse {} {status}", request.0)
            }
            SipCommand::ReportSuccess { .. } => "success".to_owned(),
            SipCommand::ReportFailure { .. } => "failure".to_owned(),
            SipCommand::Register { spec, .. } => format!("register {}", spec.registrar),
            SipCommand::Unregister { .. } => "unregister".to_owned(),
            SipCommand::SetDraining => "draining".to_owned(),
            SipCommand::SetBusy => "busy".to_owned(),
        };
        self.sip.push(line);
    }

    fn note_challenge(&mut self, headers: &[(String, String)]) {
        let found = headers.iter().find(|(name, _)| name == "WWW-Authenticate");
        if let Some((_, value)) = found {
            self.challenge = Some(value.clone());
        }
    }

    /// Nothing is left of any call: no port, no seat, no play.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.node.calls().is_empty(), "calls are left");
        assert!(self.node.calls().is_settled(), "a record waits");
        let endless: Vec<_> = self.plays.iter().filter(|(play, _)| !self.once.contains(play)).collect();
        assert!(endless.is_empty(), "something is still played: {endless:?}");
        assert!(
            self.recording.is_empty() && self.names.is_empty(),
            "recorded names are left: {:?}",
            self.names
        );
        assert!(self.open.is_empty(), "ports are left open: {:?}", self.open);
        assert!(self.roster("Tea").is_empty(), "a participant is left in the conference");
        assert_eq!(self.node.conferences().state(&key("Tea")), None, "the conference is left");
    }
}

pub fn settings() -> Settings {
    Settings {
        advertise: None,
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        preference: Preference::Theirs,
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        realm: REALM.to_owned(),
        digest: vec![Algorithm::Md5],
        srtp: Policy::Off,
        processing: AudioProcessing::default(),
        key_limits: KeyLimits {
            calls_per_key: 2,
            calls_per_source: 2,
            attempts_per_key: 10,
            attempts_per_source: 10,
        },
    }
}
