//! A node in virtual time, with a network, a media plane and a store that do what the test says. What goes out is kept as short
//! lines, one for each command: `answer 1`, `reject 1 404`, `open 1`, `voice 1 +speaks +listens`.
#![allow(dead_code, missing_docs, unreachable_pub)]

mod nouns;
mod outputs;

pub use nouns::*;
use plenary_calls::{
    CallNumber, ControlError, Input, Invitation, KeyLimits, Node, Output, RecorderCommand, RecorderEvent,
    Settings, SipCommand, SoundChange, Start,
    lookup::{
        CallerLookup, CallerQuery, Claims, Extended, Found, Lookup, LookupId, NamedKey, PinAnswer,
        StoreFailed,
    },
    media::{AudioProcessing, Clip, MediaCommand, MediaEvent, NoMedia, OpenedAt, PlayNumber, PlayTo},
    participants::Participant,
    question::{Answer, EdgeQuestion, HomeQuestion, ParticipantAction, ParticipantsQuestion, Question},
};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceLimits, ConferenceName, Conferences, Digit, Event, Mono, Now,
    ParticipantId, ParticipantOptions, QuestionId, Refused, Reservation, ReservationLimits, ReservationToken,
    ServiceName, Timestamp, conferences::ConferenceRef, participant::PlayList,
};
use plenary_model::{
    Access, Action, Announcement, CallEntry, CallToken, ClientToken, ConferenceAction, ConferenceRecordingId,
    EventRecord, GuestToken, HistoryEntry, InboundService, OngoingKind, RecordingFailure, RecordingId, Refer,
    Room, Selection, SipSecret, SipUri, Token, Trunk, TrunkSettings, WebRtcKey,
};
use plenary_sip::{
    AddrSpec, CallId, Caller, DialSpec, EndCause, Flow, IncomingCall, NameAddr, Reason, ReferTo, Referred,
    Registration, ReplacedCall, Replaces, RequestId, SipEvent, Subscribing, Transport,
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
    /// Documents about conferences that were not looked at, with the number of their subscription.
    pub documents: Vec<(u64, String)>,
    /// Callers who were reported as permitted and known.
    pub successes: Vec<Caller>,
    /// Callers who were reported as permitted by what is open to all.
    pub unknown: Vec<Caller>,
    /// Addresses with known callers, to be written down.
    pub permitted: Vec<IpAddr>,
    /// Commands to the media plane that were not looked at.
    pub media: Vec<String>,
    pub records: Vec<CallEntry>,
    pub history: Vec<HistoryEntry>,
    pub events: Vec<EventRecord>,
    /// Commands to the recorder, how many recordings it has begun, and that it cannot begin one, with the reason.
    pub recorder: Vec<String>,
    pub recordings: u64,
    pub recorder_fails: Option<Option<RecordingFailure>>,
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
            return PinAnswer::Wrong { guessing: false };
        };
        if *leaders == Some(pin) || *participants == Some(pin) {
            return PinAnswer::Right { is_leader: *leaders == Some(pin) };
        }
        self.wrong_pins += 1;
        match self.wrong_pins {
            ..=20 => PinAnswer::Wrong { guessing: self.wrong_pins == 5 },
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
        let dialled = query.target.as_ref().map(|target| target.user.as_str());
        for token in &query.tokens {
            claims.add_token(self.tokens.get(token).cloned().unwrap_or(Token::Unknown), dialled);
        }
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
    /// It comes from the address of the other side of that call.
    pub is_same_peer: bool,
    /// That call is over.
    pub is_over: bool,
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
            is_same_peer: true,
            is_over: false,
            offer: Some(offer()),
        }
    }
}

impl World {
    pub fn new() -> Self {
        Self::speaking(Languages::built_in())
    }

    pub fn speaking(languages: Languages) -> Self {
        let now = Now { mono: Mono(1000), wall: EPOCH };
        let start = Start {
            node: 0x0123_4567_89ab_cdef,
            seed: [7; 32],
            fingerprint: None,
            settings: settings(),
            account_sounds: Vec::new(),
            reservation_sounds: Vec::new(),
            languages: Arc::new(languages),
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
            documents: Vec::new(),
            successes: Vec::new(),
            unknown: Vec::new(),
            permitted: Vec::new(),
            media: Vec::new(),
            records: Vec::new(),
            history: Vec::new(),
            events: Vec::new(),
            recorder: Vec::new(),
            recordings: 0,
            recorder_fails: None,
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
            replaces: from.replaces.map(|call| ReplacedCall {
                call: CallId(call),
                is_same_peer: from.is_same_peer,
                is_over: from.is_over,
            }),
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
        self.bye_because(call, &[]);
    }

    /// With reasons: protocols and causes.
    pub fn bye_because(&mut self, call: u64, reasons: &[(&str, u16)]) {
        let reason = |(protocol, cause): &(&str, u16)| Reason {
            protocol: (*protocol).to_owned(),
            cause: Some(*cause),
            text: None,
        };
        let cause = EndCause::ByRemote { reasons: reasons.iter().map(reason).collect() };
        self.sip_event(SipEvent::Ended { call: CallId(call), cause });
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

    /// A telephone subscribes to a conference, within a call or outside of any. The number of its subscription.
    pub fn subscribe(&mut self, call: Option<u64>, dialled: &str) -> u64 {
        self.next_request += 1;
        self.sip_event(SipEvent::Subscribing(Box::new(Subscribing {
            request: RequestId(self.next_request),
            target: AddrSpec { user: dialled.to_owned(), host: "192.0.2.1".to_owned() },
            call: call.map(CallId),
            authorizations: Authorizations::default(),
            flow: flow(Transport::Udp, [10, 0, 0, 1], 5060),
            caller: Caller::asking_for("bob", dialled),
        })));
        self.next_request
    }

    /// What a subscription was sent since the last time.
    pub fn documents_of(&mut self, subscription: u64) -> Vec<String> {
        let all = std::mem::take(&mut self.documents);
        let (own, others) = all.into_iter().partition(|(of, _)| *of == subscription);
        self.documents = others;
        let own: Vec<(u64, String)> = own;
        own.into_iter().map(|(_, document)| document).collect()
    }

    pub fn register(&mut self, user: &str, flow: Flow, authorizations: Authorizations) -> u64 {
        self.next_request += 1;
        self.sip_event(SipEvent::Registering(Box::new(Registration {
            request: RequestId(self.next_request),
            user: user.to_owned(),
            host: "example.com".to_owned(),
            sip_call_id: "r1".to_owned(),
            contacts: vec![(format!("sip:{user}@{}", flow.remote), 600)],
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
        self.invite_with(to, plain())
    }

    pub fn invite_with(&mut self, to: &str, options: ParticipantOptions) -> u64 {
        self.invite_by(Invitation { options, ..invitation(to) })
    }

    pub fn invite_as(&mut self, to: &str, display_name: &str) -> u64 {
        self.invite_by(Invitation { display_name: Some(display_name.to_owned()), ..invitation(to) })
    }

    pub fn invite_to_be_called_again(&mut self, to: &str) -> u64 {
        self.invite_by(Invitation { redial: true, ..invitation(to) })
    }

    pub fn invite_to_confirm(&mut self, to: &str, key: char) -> u64 {
        self.invite_by(Invitation { confirm: Digit::new(key), ..invitation(to) })
    }

    /// With this number, and called again where it is cut off.
    pub fn invite_from(&mut self, to: &str, from: &str) -> u64 {
        self.invite_by(Invitation { from: Some(from.to_owned()), redial: true, ..invitation(to) })
    }

    fn invite_by(&mut self, invitation: Invitation) -> u64 {
        let (conference, invitation) = (ConferenceName::new("Tea"), Box::new(invitation));
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
    pub fn set_sound(&mut self, participant: ParticipantId, change: SoundChange) {
        let question = self.ask(Question::Participants {
            account: ACCOUNT,
            which: ConferenceRef::Name(ConferenceName::new("Tea")),
            what: ParticipantsQuestion::ChangeSound(Some(participant), change),
        });
        assert!(matches!(self.answer_to(question), Answer::Sound(Ok(_))));
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
            guests: Vec::new(),
            sequence: 0,
            series: None,
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

    /// Nothing is left of any call: no port, no seat, no play.
    #[track_caller]
    pub fn assert_clean(&self) {
        self.assert_no_call_left();
        assert_eq!(self.node.conferences().state(&key("Tea")), None, "the conference is left");
    }

    /// The same where the conference is reserved, and so outlasts its calls.
    #[track_caller]
    pub fn assert_no_call_left(&self) {
        // What the log has open is what there is: nothing.
        let mut ongoing = std::collections::BTreeSet::new();
        for (what, begins) in self.events.iter().flat_map(EventRecord::changes) {
            if begins {
                ongoing.insert(what);
            } else {
                ongoing.remove(&what);
            }
        }
        ongoing.retain(|what| !matches!(what.kind, OngoingKind::Conference | OngoingKind::Reservation));
        assert!(ongoing.is_empty(), "the log has open: {ongoing:?}");
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
    }
}

fn invitation(to: &str) -> Invitation {
    Invitation {
        to: to.to_owned(),
        trunk: None,
        options: plain(),
        ring_seconds: 30,
        from: None,
        display_name: None,
        confirm: None,
        redial: false,
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
        time_zone: None,
        key_limits: KeyLimits {
            calls_per_key: 2,
            calls_per_source: 2,
            attempts_per_key: 10,
            attempts_per_source: 10,
        },
    }
}
