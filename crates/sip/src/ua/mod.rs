//! The user agent without sockets: transactions, dialogs, calls.
//!
//! Messages, commands and time go in; bytes and events come out. Order of calls: one `receive_*`, command or
//! [`UserAgent::handle_timeout`], then every [`UserAgent::poll_output`], then [`UserAgent::poll_timeout`].
//! Time is what has passed since the user agent began.

mod auth;
mod body;
mod buried;
mod calls;
mod client;
mod dialling;
mod dialog;
pub(crate) mod lenient;
mod message;
mod oversize;
mod referral;
mod referring;
mod refresh;
mod registering;
mod registration;
mod reliable;
mod server;
mod subscription;
mod timers;
mod types;

pub use types::{
    CallId, Credentials, DialSpec, EndCause, Flow, IncomingCall, Party, Reason, Redirection, ReferTo,
    Referred, Registration, RegistrationId, RegistrationSpec, Replaces, RequestId, SipEvent, Subscribing,
    SubscriptionId, Target, Transport,
};

use crate::guard::{self, Admission, Ban, Caller, Consequence, Guard, GuardConfig, Proof};
use crate::locate::Hop;

use bytes::Bytes;
use calls::{Call, State};
use ipnet::IpNet;
use sipx_sip::{
    HeaderName, Limits, Message, Method, Output as TransactionOutput, Reliability, Request, Response, Timer,
    TransactionKey, TransactionLayer, TuEvent, error::ParseError,
};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::IpAddr,
    time::Duration,
};
use subscription::Subscription;
use timers::{Due, Ticket, Timers};

/// RFC 3261, section 17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// RFC 3261, section 17.1.2.2.
const T2: Duration = Duration::from_secs(4);

/// For how long a source with too many requests is told to stay away, in seconds.
const RETRY_AFTER_S: &str = "5";

/// Settings of the user agent.
#[derive(Debug, Clone)]
pub struct UaConfig {
    /// Server and User-Agent header.
    pub product: String,
    /// The address to be named in Contact and Via instead of the one a message came to.
    pub advertise: Option<IpAddr>,
    /// Whose requests are answered. Everybody else gets silence.
    pub allow_from: Vec<IpNet>,
    /// Whose requests are answered beside those where they come over a WebSocket.
    pub websockets_from: Vec<IpNet>,
    /// Limits for each source.
    pub guard: GuardConfig,
    /// What clients in browsers are told when they ask for servers that help with ICE.
    pub ice_servers: IceServers,
}

/// What the user agent wants done.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// Where and how.
        flow: Flow,
        /// One message.
        bytes: Bytes,
    },
    /// Find the servers of this hop and tell [`UserAgent::located`].
    Locate {
        /// To be told under this number.
        lookup: LookupId,
        /// Where a request is to go.
        hop: Hop,
    },
    /// Tell the program.
    Event(SipEvent),
}

/// A search for servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LookupId(u64);

/// Whom a search is for.
#[derive(Debug)]
enum Lookup {
    /// A call that has not been sent anywhere.
    Dial {
        call: CallId,
        uri: sipx_sip::Uri,
        spec: Box<DialSpec>,
        begun: Duration,
    },
    /// A call that was redirected.
    Redirect {
        call: CallId,
        uri: sipx_sip::Uri,
    },
    Register(RegistrationId),
}

/// Where randomness comes from: fills the slice.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// Which servers help a client with ICE, by the name of the client: a JSON array of `RTCIceServer`. The program gives it, since
/// credentials depend on the time of day.
#[derive(Clone)]
pub struct IceServers(pub std::sync::Arc<dyn Fn(&str) -> String + Send + Sync>);

impl Default for IceServers {
    fn default() -> Self {
        Self(std::sync::Arc::new(|_| "[]".to_owned()))
    }
}

impl fmt::Debug for IceServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it holds is secret.
        f.debug_struct("IceServers").finish_non_exhaustive()
    }
}

/// The user agent.
pub struct UserAgent {
    config: UaConfig,
    random: Random,
    /// Gives the next call id.
    next_call: Box<dyn FnMut() -> CallId + Send>,
    layer: TransactionLayer,
    transactions: HashMap<TransactionKey, Transaction>,
    calls: HashMap<CallId, Call>,
    /// Dialogs by Call-ID and our tag.
    dialogs: HashMap<(String, String), CallId>,
    /// INVITEs by Call-ID and the caller's tag, to tell merged requests (section 8.2.2.2).
    invites: HashMap<(String, String), CallId>,
    /// Requests outside of calls that the program has not answered.
    requests: HashMap<RequestId, (TransactionKey, Box<Request>)>,
    subscriptions: HashMap<SubscriptionId, Subscription>,
    next_request: u64,
    lookups: HashMap<LookupId, Lookup>,
    next_lookup: u64,
    /// Servers that did not answer or were overloaded, and until when others are asked first.
    avoided: HashMap<(Transport, std::net::SocketAddr), Duration>,
    /// Who could not be reached by a connection, and until when that is remembered.
    unconnected: HashMap<std::net::SocketAddr, Duration>,
    /// What is sent next, where it had to be written before to know how long it is.
    written: Option<Bytes>,
    buried: HashMap<buried::BuriedKey, buried::Buried>,
    registrations: HashMap<RegistrationId, registering::Registering>,
    guard: Guard,
    timers: Timers,
    outputs: VecDeque<Output>,
    is_overloaded: bool,
    is_draining: bool,
}

/// What we keep beside each of the library's transactions.
struct Transaction {
    flow: Flow,
    call: Option<CallId>,
    method: Method,
    /// Whom a NOTIFY tells something.
    subscription: Option<SubscriptionId>,
    /// Which registration of ours it belongs to.
    registration: Option<RegistrationId>,
    /// An INVITE that nobody waits for any more, for which CANCEL has been sent.
    is_cancelled: bool,
    /// It goes over a connection since it is too large for a datagram.
    oversized: Option<oversize::Oversized>,
    timers: Vec<(Timer, Ticket)>,
}

impl Transaction {
    fn new(flow: Flow, call: Option<CallId>, method: Method) -> Self {
        Self {
            flow,
            call,
            method,
            subscription: None,
            registration: None,
            is_cancelled: false,
            oversized: None,
            timers: Vec::new(),
        }
    }

    /// The flow that it was meant for, whatever its size made of that.
    fn meant_for(&self) -> Flow {
        self.oversized.map_or(self.flow, |oversized| oversized.datagram)
    }
}

impl fmt::Debug for UserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserAgent")
            .field("calls", &self.calls.len())
            .field("transactions", &self.transactions.len())
            .finish_non_exhaustive()
    }
}

impl UserAgent {
    /// A user agent with no calls.
    #[must_use]
    pub fn new(config: UaConfig, random: Random, next_call: Box<dyn FnMut() -> CallId + Send>) -> Self {
        Self {
            requests: HashMap::new(),
            subscriptions: HashMap::new(),
            next_request: 0,
            lookups: HashMap::new(),
            next_lookup: 0,
            avoided: HashMap::new(),
            unconnected: HashMap::new(),
            written: None,
            buried: HashMap::new(),
            registrations: HashMap::new(),
            guard: Guard::new(config.guard.clone()),
            config,
            random,
            next_call,
            layer: TransactionLayer::new(sipx_sip::Timers::default()),
            transactions: HashMap::new(),
            calls: HashMap::new(),
            dialogs: HashMap::new(),
            invites: HashMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            is_overloaded: false,
            is_draining: false,
        }
    }

    /// New calls are refused with 503 while the program cannot keep up.
    pub fn set_overloaded(&mut self, is_overloaded: bool) {
        self.is_overloaded = is_overloaded;
    }

    /// New calls are refused with 503, and OPTIONS too, by which proxies know whom to ask. Not those by which clients in browsers
    /// ask for ICE servers: after a refusal these would not ask for a minute, and calls that are up need new credentials.
    pub fn set_draining(&mut self, is_draining: bool) {
        self.is_draining = is_draining;
    }

    /// Calls that are not over yet.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Nothing is under way: no call, no transaction, no timer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.transactions.is_empty()
            && self.dialogs.is_empty()
            && self.invites.is_empty()
            && self.requests.is_empty()
            && self.subscriptions.is_empty()
            && self.lookups.is_empty()
            && self.buried.is_empty()
            && self.registrations.is_empty()
    }

    /// Takes a datagram. What is not SIP is passed over.
    pub fn receive_datagram(&mut self, datagram: Bytes, flow: Flow, now: Duration) {
        if self.guard.is_banned(flow.remote.ip(), now) {
            return;
        }
        let packet = lenient::message_of(&datagram);
        match lenient::parse(&packet, &Limits::datagram()) {
            Ok(message) => self.receive(message, flow, now),
            Err(error) => self.refuse_unreadable(&packet, &error, flow, now),
        }
    }

    /// Takes a message that was framed already.
    pub(crate) fn receive(&mut self, mut message: Message, flow: Flow, now: Duration) {
        lenient::mend(message.headers_mut());
        match message {
            Message::Request(request) => self.receive_request(request, flow, now),
            Message::Response(response) => {
                self.is_connected(flow);
                let dispatch = self.layer.receive(Message::Response(response), reliability(flow));
                match dispatch {
                    sipx_sip::transaction::Dispatch::Matched { key, outputs }
                    | sipx_sip::transaction::Dispatch::Created { key, outputs } => {
                        self.run(&key, outputs, now);
                    }
                    // A stray answer, or one to a transaction long over.
                    sipx_sip::transaction::Dispatch::Unmatched(_) => {}
                }
            }
        }
    }

    fn receive_request(&mut self, mut request: Request, flow: Flow, now: Duration) {
        if !self.is_allowed(flow) {
            return;
        }
        if !self.is_welcome(&request, flow, now) {
            return;
        }
        message::mark_source(&mut request, flow.remote);
        if let Some(finding) =
            sipx_sip::validate_request(&request).into_iter().find(|finding| !finding.is_repairable())
        {
            self.refuse_malformed(&request, &finding, flow);
            self.failed(flow, proof_of(flow), now);
            return;
        }
        let method = request.method.clone();
        let back = message::response_flow(&request, flow);
        match self.layer.receive(Message::Request(request), reliability(flow)) {
            sipx_sip::transaction::Dispatch::Created { key, outputs } => {
                self.transactions.insert(key.clone(), Transaction::new(back, None, method));
                self.run(&key, outputs, now);
            }
            sipx_sip::transaction::Dispatch::Matched { key, outputs } => self.run(&key, outputs, now),
            sipx_sip::transaction::Dispatch::Unmatched(message) => {
                if let Message::Request(request) = *message
                    && request.method == Method::Ack
                {
                    self.on_ack(&request, now);
                }
            }
        }
    }

    /// What is plainly a request and cannot be read is answered with 400, what is more than we take with 513 (RFC 3261,
    /// section 21.5.7), as far as it says by whom and where from (RFC 4475, 3.1.2). What is not even that is passed over.
    pub(crate) fn refuse_unreadable(&mut self, bytes: &[u8], why: &ParseError, flow: Flow, now: Duration) {
        if !self.is_allowed(flow) {
            return;
        }
        let Some(copied) = message::salvage(bytes) else { return };
        let proof = proof_of(flow);
        if self.guard.admit(flow, proof == Proof::Reached, now) != Admission::Welcome {
            return;
        }
        self.failed(flow, proof, now);
        let status = if matches!(why, ParseError::Limit { .. }) { 513 } else { 400 };
        let why: String = crate::text::line(&why.to_string()).chars().take(80).collect();
        self.send_salvaged(flow, &format!("{status} {}: {why}", message::phrase(status)), &copied);
    }

    /// Refuses a request of which nothing but these lines is known.
    fn send_salvaged(&mut self, flow: Flow, status: &str, copied: &str) {
        let product = &self.config.product;
        let text = format!("SIP/2.0 {status}\r\n{copied}Server: {product}\r\nContent-Length: 0\r\n\r\n");
        self.outputs.push_back(Output::Send { flow, bytes: text.into() });
    }

    /// Whether a request is looked at: strangers have limits for what begins something new. What belongs to a call that
    /// is up always is, or a ban would cut off those behind the same NAT.
    fn is_welcome(&mut self, request: &Request, flow: Flow, now: Duration) -> bool {
        let is_new = !matches!(request.method, Method::Ack | Method::Cancel)
            && message::tag_of(&request.headers, message::Side::To).is_none();
        if !is_new {
            return true;
        }
        if message::text(&request.headers, &HeaderName::UserAgent)
            .is_some_and(|name| guard::is_scanner(&name))
        {
            self.failed(flow, proof_of(flow), now);
            return false;
        }
        let brings_something = proof_of(flow) == Proof::Reached
            || request.headers.get(&HeaderName::Authorization).is_some()
            || request.headers.get(&HeaderName::ProxyAuthorization).is_some();
        if self.guard.is_blocked(flow, &registration::caller(request), brings_something, now) {
            return false;
        }
        match self.guard.admit(flow, brings_something, now) {
            Admission::Welcome => true,
            Admission::Ignored => false,
            Admission::TooMany => {
                if let Some(mut response) = message::response(request, 503, None, None, &self.config.product)
                {
                    message::push(&mut response.headers, HeaderName::RetryAfter, RETRY_AFTER_S);
                    let back = message::response_flow(request, flow);
                    self.send(back, &Message::Response(response));
                }
                false
            }
        }
    }

    /// A caller asked for what it may not have. Who does so often is not answered for a while. `is_reached`: what we send
    /// is known to reach it; else somebody else may have written its address on a datagram.
    pub fn report_failure(&mut self, flow: Flow, caller: &Caller, is_reached: bool, now: Duration) {
        let proof = if is_reached { Proof::Reached } else { Proof::Doubtful };
        let source = flow.remote.ip();
        match self.guard.failed_as(flow, caller, proof, now) {
            None => {}
            Some(Consequence::Banned(ban)) => self.event(SipEvent::Banned { source, seconds: ban.as_secs() }),
            Some(Consequence::Blocked(block)) => {
                self.event(SipEvent::Blocked { source, caller: caller.clone(), seconds: block.as_secs() });
            }
        }
    }

    fn failed(&mut self, flow: Flow, proof: Proof, now: Duration) {
        if let Some(ban) = self.guard.failed(flow, proof, now) {
            self.event(SipEvent::Banned { source: flow.remote.ip(), seconds: ban.as_secs() });
        }
    }

    /// A caller has shown who it is.
    pub fn report_success(&mut self, flow: Flow, caller: &Caller, now: Duration) {
        self.guard.succeeded(flow, caller, now);
    }

    /// Whether a source that has these connections may open another one.
    pub(crate) fn may_connect(&self, flow: Flow, open: impl Iterator<Item = IpAddr>, now: Duration) -> bool {
        let open = open.filter(|other| self.guard.is_same(flow, *other)).count();
        self.guard.may_connect(flow, open, now)
    }

    /// What comes this way is answered at all.
    pub(crate) fn is_allowed(&self, flow: Flow) -> bool {
        let source = flow.remote.ip().to_canonical();
        let is_in = |networks: &[IpNet]| networks.iter().any(|net| net.contains(&source));
        let is_websocket = matches!(flow.transport, Transport::Ws | Transport::Wss);
        is_in(&self.config.allow_from) || (is_websocket && is_in(&self.config.websockets_from))
    }

    /// Other limits and networks from now on. Bans are lifted.
    pub fn set_limits(&mut self, allow_from: Vec<IpNet>, websockets_from: Vec<IpNet>, guard: GuardConfig) {
        self.config.allow_from = allow_from;
        self.config.websockets_from = websockets_from;
        self.guard.set_config(guard);
    }

    /// Sources that are not answered at the moment, the longest first.
    #[must_use]
    pub fn bans(&self, now: Duration) -> Vec<Ban> {
        self.guard.bans(now)
    }

    /// Answers a source again. False: it was answered.
    pub fn lift_ban(&mut self, source: IpAddr, now: Duration) -> bool {
        self.guard.lift(source, now)
    }

    /// A request that lacks what every request has is answered without a transaction, if it can be answered at all.
    fn refuse_malformed(&mut self, request: &Request, finding: &sipx_sip::Finding, flow: Flow) {
        if request.method == Method::Ack {
            return;
        }
        let why = match finding {
            sipx_sip::Finding::MissingRequiredHeader(name) => format!("Missing {name} header"),
            sipx_sip::Finding::MalformedRequiredHeader(name) => format!("Malformed {name} header"),
            sipx_sip::Finding::RepeatedSingleValueHeader(name) => format!("More than one {name} header"),
            sipx_sip::Finding::CSeqMethodMismatch => "CSeq names another method".to_owned(),
            sipx_sip::Finding::UnsupportedVersion => message::phrase(505).to_owned(),
            sipx_sip::Finding::RequestUriHasHeaders => "Headers in the request URI".to_owned(),
            _ => message::phrase(400).to_owned(),
        };
        let tag = self.token(8);
        let response =
            message::response(request, finding.status(), Some(&why), Some(&tag), &self.config.product);
        let back = message::response_flow(request, flow);
        if let Some(response) = response {
            self.send(back, &Message::Response(response));
        } else if let Some(copied) = message::salvage(&Message::Request(request.clone()).to_bytes()) {
            // It lacks what a proper answer has to repeat.
            self.send_salvaged(back, &format!("400 {why}"), &copied);
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some((ticket, due)) = self.timers.pop_due(now) {
            match due {
                Due::Transaction(key, timer) => {
                    if let Some(transaction) = self.transactions.get_mut(&key) {
                        transaction.timers.retain(|(_, other)| *other != ticket);
                    }
                    let outputs = self.layer.on_timer(&key, timer);
                    self.run(&key, outputs, now);
                }
                Due::Retransmit2xx(call) => self.on_retransmit(call, now),
                Due::RetransmitProvisional(call) => self.on_provisional_due(call, now),
                Due::Session(call) => self.on_session_due(call, now),
                Due::Ringing(call) => self.on_ringing_due(call, now),
                Due::Impatience(call) => self.on_impatience(call, now),
                Due::Buried(key) => drop(self.buried.remove(&key)),
                Due::Registration(registration) => self.on_registration_due(registration, now),
                Due::KeepAlive(registration) => self.on_keep_alive_due(registration, now),
                Due::Referral(call) => self.on_referral_due(call),
                Due::Subscription(subscription) => self.on_subscription_due(subscription, now),
                Due::Oversized(key) => drop(self.send_as_datagram(&key, now)),
            }
        }
    }

    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A message could not be sent on this flow, or its connection has gone.
    pub fn handle_transport_error(&mut self, flow: Flow, now: Duration) {
        if !flow.transport.is_datagram() {
            for call in self.calls.values_mut() {
                call.dialog.flow_is_gone(flow);
            }
        }
        self.on_registration_flow_gone(flow, now);
        let lost: Vec<TransactionKey> = self
            .transactions
            .iter()
            .filter(|(_, transaction)| {
                transaction.flow.transport == flow.transport && transaction.flow.remote == flow.remote
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in lost {
            if self.send_as_datagram(&key, now) {
                continue;
            }
            let outputs = self.layer.on_transport_error(&key);
            self.run(&key, outputs, now);
        }
    }

    /// Carries out what a transaction wants.
    fn run(&mut self, key: &TransactionKey, outputs: Vec<TransactionOutput>, now: Duration) {
        for output in outputs {
            match output {
                TransactionOutput::Send(message) => {
                    if let Some(flow) = self.transactions.get(key).map(|transaction| transaction.flow) {
                        self.send(flow, &message);
                    }
                }
                TransactionOutput::SetTimer { timer, after } => {
                    let ticket = self.timers.set(now + after, Due::Transaction(key.clone(), timer));
                    match self.transactions.get_mut(key) {
                        Some(transaction) => transaction.timers.push((timer, ticket)),
                        None => self.timers.clear(ticket),
                    }
                }
                TransactionOutput::ClearTimer(timer) => {
                    if let Some(transaction) = self.transactions.get_mut(key) {
                        transaction.timers.retain(|(other, ticket)| {
                            let clear = *other == timer;
                            if clear {
                                self.timers.clear(*ticket);
                            }
                            !clear
                        });
                    }
                }
                TransactionOutput::ToTu(event) => self.on_tu(key, *event, now),
                TransactionOutput::Terminated(_) => self.forget_transaction(key),
                // The library may grow outputs; none that it has today is passed over.
                _ => {}
            }
        }
    }

    fn forget_transaction(&mut self, key: &TransactionKey) {
        if let Some(transaction) = self.transactions.remove(key) {
            let oversized = transaction.oversized.and_then(|oversized| oversized.ticket());
            for ticket in transaction.timers.into_iter().map(|(_, ticket)| ticket).chain(oversized) {
                self.timers.clear(ticket);
            }
        }
    }

    fn on_tu(&mut self, key: &TransactionKey, event: TuEvent, now: Duration) {
        let Some((call, method)) =
            self.transactions.get(key).map(|transaction| (transaction.call, transaction.method.clone()))
        else {
            return;
        };
        match event {
            TuEvent::Request(request) => self.on_request(key, &request, now),
            TuEvent::Ack(request) => self.on_ack(&request, now),
            TuEvent::Response(response) => {
                self.has_answered(key);
                self.on_response(key, call, &method, &response, now);
            }
            TuEvent::Timeout => self.on_failure(key, call, &method, 408, now),
            TuEvent::TransportError => self.on_failure(key, call, &method, 503, now),
            _ => {}
        }
    }

    fn send(&mut self, flow: Flow, message: &Message) {
        let bytes = match self.written.take() {
            Some(written) => {
                debug_assert_eq!(written, message.to_bytes(), "what goes first is the request itself");
                written
            }
            None => message.to_bytes(),
        };
        self.outputs.push_back(Output::Send { flow, bytes });
    }

    fn event(&mut self, event: SipEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Answers a request through its transaction.
    fn respond(&mut self, key: &TransactionKey, response: Response, now: Duration) {
        let outputs = self.layer.send_response(key, response);
        self.run(key, outputs, now);
    }

    /// Answers with nothing but a status.
    fn respond_plain(&mut self, key: &TransactionKey, request: &Request, status: u16, now: Duration) {
        self.respond_with(key, request, status, None, &[], now);
    }

    fn respond_with(
        &mut self,
        key: &TransactionKey,
        request: &Request,
        status: u16,
        reason: Option<&str>,
        extra: &[(HeaderName, String)],
        now: Duration,
    ) {
        // One tag for all the answers of a dialog, a fresh one outside of any.
        let call = self.transactions.get(key).and_then(|transaction| transaction.call);
        let tag = match call.and_then(|call| self.calls.get(&call)) {
            Some(call) => call.dialog.local_tag.clone(),
            None => self.token(8),
        };
        if let Some(mut response) =
            message::response(request, status, reason, Some(&tag), &self.config.product)
        {
            for (name, value) in extra {
                message::push(&mut response.headers, name.clone(), value.clone());
            }
            self.respond(key, response, now);
        }
    }

    /// Sends a request in a transaction of its own.
    fn send_request(
        &mut self,
        request: Request,
        flow: Flow,
        call: CallId,
        now: Duration,
    ) -> Option<TransactionKey> {
        self.send_request_of(request, flow, Some(call), now)
    }

    fn send_request_of(
        &mut self,
        mut request: Request,
        meant_for: Flow,
        call: Option<CallId>,
        now: Duration,
    ) -> Option<TransactionKey> {
        let method = request.method.clone();
        let (flow, written) = self.way_of(&mut request, meant_for, now);
        // The first transmission is among the outputs, so what belongs to the transaction is in place before.
        let (key, outputs) = self.layer.send_request(request, reliability(flow))?;
        self.transactions.insert(key.clone(), Transaction::new(flow, call, method));
        if flow != meant_for {
            self.note_oversized(&key, meant_for, now);
        }
        self.written = written;
        self.run(&key, outputs, now);
        self.written = None;
        Some(key)
    }

    /// Our address as it stands in Via and Contact.
    fn sent_by(&self, flow: Flow) -> std::net::SocketAddr {
        let mut local = flow.local;
        if let Some(advertise) = self.config.advertise.filter(|ip| ip.is_ipv4() == local.is_ipv4()) {
            local.set_ip(advertise);
        }
        local
    }

    fn contact(&self, flow: Flow, user: &str, is_focus: bool) -> String {
        let focus = if is_focus { ";isfocus" } else { "" };
        let (sent_by, transport) = (self.sent_by(flow), flow.transport.uri_parameter());
        format!("<sip:{}@{sent_by}{transport}>{focus}", crate::text::uri_user(user))
    }

    fn contact_of(&self, call: &Call, flow: Flow) -> String {
        self.contact(flow, &call.contact_user, call.is_focus)
    }

    fn via(&mut self, flow: Flow) -> String {
        let branch = self.token(12);
        format!("SIP/2.0/{} {};rport;branch=z9hG4bK{branch}", flow.transport.name(), self.sent_by(flow))
    }

    /// Random hexadecimal text of `bytes` octets of randomness.
    fn token(&mut self, bytes: usize) -> String {
        let mut random = [0; 16];
        let random = &mut random[..bytes.min(16)];
        (self.random)(random);
        random.iter().fold(String::with_capacity(bytes * 2), |mut text, byte| {
            text.push(char::from_digit(u32::from(byte >> 4), 16).expect("four bits are a digit"));
            text.push(char::from_digit(u32::from(byte & 15), 16).expect("four bits are a digit"));
            text
        })
    }

    fn remove_call(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.forget_subscriptions_of(id, &call);
        self.dialogs.remove(&(call.dialog.call_id.clone(), call.dialog.local_tag.clone()));
        let invite = (call.dialog.call_id.clone(), call.dialog.remote_tag.clone());
        if self.invites.get(&invite) == Some(&id) {
            self.invites.remove(&invite);
        }
        if let State::Answered(answered) = &call.state {
            self.timers.clear(answered.ticket);
        }
        let tickets = [
            call.provisional.as_ref().map(|waiting| waiting.ticket),
            call.timer.as_ref().map(refresh::SessionTimer::ticket),
        ];
        tickets.into_iter().flatten().for_each(|ticket| self.timers.clear(ticket));
        if let State::Calling(calling) = &call.state {
            calling.tickets().for_each(|ticket| self.timers.clear(ticket));
        }
        if let Some(referring) = &call.referring {
            self.timers.clear(referring.ticket);
        }
        if let Some(ticket) = call.reoffer.as_ref().and_then(calls::Reoffer::ticket) {
            self.timers.clear(ticket);
        }
        Some(call)
    }

    fn end(&mut self, id: CallId, cause: EndCause) {
        if self.remove_call(id).is_some() {
            self.event(SipEvent::Ended { call: id, cause });
        }
    }
}

fn reliability(flow: Flow) -> Reliability {
    if flow.transport.is_datagram() { Reliability::Unreliable } else { Reliability::Reliable }
}

/// A connection cannot be had in another's name.
fn proof_of(flow: Flow) -> Proof {
    if flow.transport.is_datagram() { Proof::Doubtful } else { Proof::Reached }
}

#[cfg(test)]
mod tests;
