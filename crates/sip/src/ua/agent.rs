//! Dispatches input to the part that it concerns, and carries out the parts' actions.

mod commands;

use super::{
    CallId, Flow, IceServers, LookupId, Output, UaConfig, body,
    calls::{Calls, Sent},
    context::{Action, Context, Lookup, Owner, Random, Received},
    gate::Gate,
    lenient,
    message::{self, ALLOW, SUPPORTED, Side, cancel_of, required},
    pings::Pings,
    registrations::Registrations,
    requests::{Pending, Requests},
    servers::Servers,
    subscriptions::Subscriptions,
    surplus::SurplusDialogs,
    transaction_id::TransactionId,
    transactions::{Arrival, Outcome, Steps, Transactions},
};
use bytes::Bytes;
use sipx_sip::{HeaderName, Limits, Message, Method, Request, Response, TuEvent, error::ParseError};
use std::{collections::VecDeque, fmt, time::Duration};

const ELSEWHERE: &str = "Call completed elsewhere";
/// The header of OPTIONS by which clients in browsers ask for ICE servers.
const TURN_REQUEST: &[u8] = b"X-AculabTurnRequest";

/// The user agent.
pub struct UserAgent {
    cx: Context,
    gate: Gate,
    transactions: Transactions,
    calls: Calls,
    subscriptions: Subscriptions,
    registrations: Registrations,
    pings: Pings,
    /// Requests outside of calls that the program has not answered.
    requests: Requests,
    servers: Servers,
    surplus: SurplusDialogs,
    ice_servers: IceServers,
    outputs: VecDeque<Output>,
}

impl fmt::Debug for UserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserAgent")
            .field("calls", &self.calls.len())
            .field("transactions", &self.transactions.len())
            .finish_non_exhaustive()
    }
}

/// Input.
impl UserAgent {
    /// A user agent with no calls.
    #[must_use]
    pub fn new(config: UaConfig, random: Random, next_call: Box<dyn FnMut() -> CallId + Send>) -> Self {
        Self {
            cx: Context::new(&config, random),
            gate: Gate::new(&config),
            transactions: Transactions::new(),
            calls: Calls::new(next_call),
            subscriptions: Subscriptions::default(),
            registrations: Registrations::default(),
            pings: Pings::default(),
            requests: Requests::default(),
            servers: Servers::default(),
            surplus: SurplusDialogs::default(),
            ice_servers: config.ice_servers,
            outputs: VecDeque::new(),
        }
    }

    /// Takes a datagram. Anything but SIP is ignored.
    pub fn receive_datagram(&mut self, datagram: Bytes, flow: Flow, now: Duration) {
        let packet = lenient::message_of(&datagram);
        match lenient::parse(&packet, &Limits::datagram()) {
            Ok(message) => self.receive(message, flow, now),
            Err(error) => self.refuse_unreadable(&packet, &error, flow, now),
        }
    }

    /// Takes a message that has been framed.
    pub(crate) fn receive(&mut self, mut message: Message, flow: Flow, now: Duration) {
        self.cx.now = now;
        lenient::mend(message.headers_mut());
        let arrival = match message {
            Message::Request(request) => self.receive_request(request, flow),
            Message::Response(response) => self.transactions.handle_response(response, flow),
        };
        match arrival {
            Arrival::Steps(steps) => self.run(steps),
            Arrival::Ack(request) => self.calls.handle_ack(&mut self.cx, &request),
            Arrival::Nothing => {}
        }
        self.carry_out();
    }

    fn receive_request(&mut self, mut request: Request, flow: Flow) -> Arrival {
        if !self.gate.is_allowed(flow) {
            return Arrival::Nothing;
        }
        message::mark_source(&mut request, flow.remote);
        if let Some(finding) =
            sipx_sip::validate_request(&request).into_iter().find(|finding| !finding.is_repairable())
        {
            if self.gate.admits_unreadable(&mut self.cx, flow) {
                self.refuse_malformed(&request, &finding, flow);
            }
            return Arrival::Nothing;
        }
        if !self.gate.admits(&mut self.cx, &request, flow) {
            return Arrival::Nothing;
        }
        if self.gate.is_banned(flow, self.cx.now) && !self.goes_on(&request) {
            return Arrival::Nothing;
        }
        self.transactions.handle_request(request, flow)
    }

    /// The request belongs to a call or a subscription that is there, or to a transaction. A ban ends none of them, and
    /// what only looks so gets no answer.
    fn goes_on(&self, request: &Request) -> bool {
        let headers = &request.headers;
        let tag = message::tag_of(headers, Side::To);
        let is_subscription = |tag: String| {
            let call = self.calls.of_dialog(message::call_id(headers), tag);
            self.subscriptions.find(request, call).is_some()
        };
        // A request with a token has passed the gate.
        (tag.is_none() && !matches!(request.method, Method::Ack | Method::Cancel))
            || self.transactions.knows(request)
            || self.calls.of_request(request).is_some()
            || tag.is_some_and(is_subscription)
    }

    /// A request that cannot be read is answered with 400, one that is too large with 513 (RFC 3261, section 21.5.7),
    /// if it says from whom and where it came (RFC 4475, 3.1.2). Anything less is ignored.
    pub(crate) fn refuse_unreadable(&mut self, bytes: &[u8], why: &ParseError, flow: Flow, now: Duration) {
        self.cx.now = now;
        if !self.gate.is_allowed(flow) {
            return;
        }
        let Some(copied) = message::salvage(bytes) else { return };
        if !self.gate.admits_unreadable(&mut self.cx, flow) {
            return;
        }
        let status = if matches!(why, ParseError::Limit { .. }) { 513 } else { 400 };
        let why: String = crate::text::line(&why.to_string()).chars().take(80).collect();
        self.send_salvaged(flow, &format!("{status} {}: {why}", message::phrase(status)), &copied);
        self.carry_out();
    }

    /// Refuses a request of which only these lines are known.
    fn send_salvaged(&mut self, flow: Flow, status: &str, copied: &str) {
        let product = &self.cx.product;
        let text = format!("SIP/2.0 {status}\r\n{copied}Server: {product}\r\nContent-Length: 0\r\n\r\n");
        self.cx.push(Action::Send { flow, bytes: text.into() });
    }

    /// A request that lacks a mandatory header is answered without a transaction, if it can be answered at all.
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
        let tag = self.cx.token(8);
        let response = message::response(request, finding.status(), Some(&why), Some(&tag), &self.cx.product);
        let back = message::response_flow(request, flow);
        if let Some(response) = response {
            self.cx.send(back, &Message::Response(response));
        } else if let Some(copied) = message::salvage(&Message::Request(request.clone()).to_bytes()) {
            // It lacks what a proper response has to repeat.
            self.send_salvaged(back, &format!("400 {why}"), &copied);
        }
    }

    /// Advances time.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.cx.now = now;
        while let Some(at) = self.poll_timeout().filter(|at| *at <= now) {
            if self.transactions.poll_timeout() == Some(at) {
                if let Some(steps) = self.transactions.handle_timeout(now) {
                    self.run(steps);
                }
            } else if self.calls.poll_timeout() == Some(at) {
                self.calls.handle_timeout(&mut self.cx);
            } else if self.subscriptions.poll_timeout() == Some(at) {
                self.subscriptions.handle_timeout(&mut self.cx);
            } else if self.registrations.poll_timeout() == Some(at) {
                self.registrations.handle_timeout(&mut self.cx);
            } else {
                self.surplus.handle_timeout(&self.cx);
            }
            self.carry_out();
        }
    }

    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let parts = [
            self.transactions.poll_timeout(),
            self.calls.poll_timeout(),
            self.subscriptions.poll_timeout(),
            self.registrations.poll_timeout(),
            self.surplus.poll_timeout(),
        ];
        parts.into_iter().flatten().min()
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A message could not be sent on this flow, or its connection has gone.
    pub fn handle_transport_error(&mut self, flow: Flow, now: Duration) {
        self.cx.now = now;
        if !flow.transport.is_datagram() {
            self.calls.handle_flow_gone(flow);
        }
        self.registrations.handle_flow_gone(&self.cx, flow);
        for key in self.transactions.on_flow(flow) {
            let steps = self.transactions.handle_transport_error(&key, now);
            self.run(steps);
        }
        self.carry_out();
    }

    /// The servers of a hop in the order to try, or why there are none.
    pub fn located(&mut self, lookup: LookupId, found: Result<Vec<Flow>, String>, now: Duration) {
        self.cx.now = now;
        let Some(lookup) = self.servers.take(lookup) else { return };
        let found = found.map(|flows| self.servers.sorted(flows, now));
        match lookup {
            Lookup::Dial { call, uri, spec, begun } => {
                self.calls.handle_located(&mut self.cx, call, uri, *spec, found, begun);
            }
            Lookup::Redirect { call, uri } => {
                self.calls.handle_redirect_located(&mut self.cx, call, uri, found);
            }
            Lookup::Register(id) => self.registrations.handle_located(&mut self.cx, id, found),
            Lookup::Ping(id) => self.pings.handle_located(&mut self.cx, id, found),
        }
        self.carry_out();
    }

    /// Carries out the steps of a transaction.
    fn run(&mut self, (key, steps): Steps) {
        for step in steps {
            match self.transactions.handle_step(&key, step, self.cx.now) {
                Some(Outcome::Send { flow, bytes }) => self.outputs.push_back(Output::Send { flow, bytes }),
                Some(Outcome::Tell(event)) => {
                    self.tell(&key, event);
                    self.carry_out();
                }
                None => {}
            }
        }
    }

    /// Passes an event of a transaction to its owner.
    fn tell(&mut self, key: &TransactionId, event: TuEvent) {
        let Some(flow) = self.transactions.flow(key) else { return };
        match event {
            TuEvent::Request(request) => {
                self.on_request(Received { key: key.clone(), request, flow, tag: None });
            }
            TuEvent::Ack(request) => self.calls.handle_ack(&mut self.cx, &request),
            TuEvent::Response(response) => self.on_response(key, &response),
            TuEvent::Timeout => self.on_failure(key, 408),
            TuEvent::TransportError => self.on_failure(key, 503),
            _ => {}
        }
    }

    fn on_response(&mut self, key: &TransactionId, response: &Response) {
        let (Some(owner), Some(method), Some(flow)) =
            (self.transactions.owner(key), self.transactions.method(key), self.transactions.meant_for(key))
        else {
            return;
        };
        let cx = &mut self.cx;
        if *method == Method::Invite
            && response.status.is_success()
            && self.surplus.handle_answer(cx, response)
        {
            return;
        }
        match owner {
            Owner::Nobody => {}
            Owner::Subscription(id) => self.subscriptions.handle_response(cx, id, response.status.code()),
            Owner::Registration(id) => self.registrations.handle_response(cx, id, key, response),
            Owner::Ping(id) => self.pings.handle_response(cx, id, key, response),
            Owner::Call(id) => {
                let sent = Sent { key, flow, method, request: self.transactions.request(key) };
                if !self.calls.handle_response(cx, id, sent, response) {
                    self.on_unwanted(key, flow, response);
                }
            }
        }
    }

    /// A response to an INVITE that is no longer awaited: the call was answered by another fork, or the server was given
    /// up.
    fn on_unwanted(&mut self, key: &TransactionId, flow: Flow, response: &Response) {
        let Some(invite) = self.transactions.request(key).cloned() else { return };
        if response.status.is_success() {
            return self.surplus.end(&mut self.cx, &invite, response, flow, ELSEWHERE);
        }
        if response.status.is_provisional()
            && let Some(flow) = self.transactions.cancel_unwanted(key)
        {
            self.cx.send_request(cancel_of(&invite), flow, Owner::Nobody);
        }
    }

    /// A request of ours, or a final response to an INVITE, got no reply.
    fn on_failure(&mut self, key: &TransactionId, status: u16) {
        let (Some(owner), Some(method), Some(flow)) =
            (self.transactions.owner(key), self.transactions.method(key), self.transactions.meant_for(key))
        else {
            return;
        };
        match owner {
            Owner::Nobody => {}
            Owner::Subscription(id) => self.subscriptions.forget(&mut self.cx, id),
            Owner::Registration(id) => self.registrations.handle_failure(&mut self.cx, id, key, status),
            Owner::Ping(id) => self.pings.handle_failure(&mut self.cx, id, key, status),
            Owner::Call(id) => {
                let sent = key.is_client().then_some((key, flow));
                self.calls.handle_failure(&mut self.cx, id, method, sent, status);
            }
        }
    }

    /// Carries out the parts' actions in order; the consequences of one action come before the next.
    fn carry_out(&mut self) {
        for action in self.cx.take_actions() {
            self.act(action);
            self.carry_out();
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Send { flow, bytes } => self.outputs.push_back(Output::Send { flow, bytes }),
            Action::Event(event) => self.outputs.push_back(Output::Event(event)),
            Action::Pinged { ping, outcome } => self.outputs.push_back(Output::Pinged { ping, outcome }),
            Action::Dialog { call, sip_call_id } => {
                self.outputs.push_back(Output::Dialog { call, sip_call_id });
            }
            Action::Respond { key, response } => {
                let steps = self.transactions.send_response(&key, *response);
                self.run((key, steps));
            }
            Action::RespondAgain { key, response, flow } => {
                if self.transactions.flow(&key).is_some() {
                    let steps = self.transactions.send_response(&key, *response);
                    self.run((key, steps));
                } else {
                    let bytes = Message::Response(*response).to_bytes();
                    self.outputs.push_back(Output::Send { flow, bytes });
                }
            }
            Action::Request { request, flow, owner } => self.send_request(*request, flow, owner),
            Action::Cancel { call, key, invite, flow, extra } => {
                // It follows its INVITE, and has the same Via.
                let sent = key.as_ref();
                let flow = sent.and_then(|key| self.transactions.flow(key)).unwrap_or(flow);
                let invite = sent.and_then(|key| self.transactions.request(key)).unwrap_or(&invite);
                let mut cancel = cancel_of(invite);
                for (name, value) in extra {
                    message::push(&mut cancel.headers, name, value);
                }
                self.send_request(cancel, flow, Owner::Call(call));
            }
            Action::StopRepeating(key) => self.transactions.stop_repeating(&key),
            Action::Abandon(key) => self.transactions.abandon(&key),
            Action::Locate { lookup, hop } => {
                let lookup = self.servers.look_up(lookup);
                self.outputs.push_back(Output::Locate { lookup, hop });
            }
            Action::ForgetRedirect(call) => self.servers.forget_redirect(call),
            Action::ForgetRegistrar(id) => self.servers.forget_registrar(id),
            Action::Avoid { flow, wait } => self.servers.avoid(flow, wait, self.cx.now),
            Action::NotifyInCall { call, subscription, notice } => {
                if !self.calls.notify(&mut self.cx, call, subscription, *notice) {
                    self.subscriptions.forget(&mut self.cx, subscription);
                }
            }
            Action::CallOver { call, dialog, contact_user } => {
                self.subscriptions.handle_call_over(&mut self.cx, call, &dialog, &contact_user);
            }
        }
    }

    fn send_request(&mut self, request: Request, flow: Flow, owner: Owner) {
        if let Some(steps) = self.transactions.send_request(request, flow, owner, self.cx.now) {
            self.run(steps);
        }
    }

    /// Passes something to the parts, and carries out their actions.
    fn with<T>(&mut self, now: Duration, put: impl FnOnce(&mut Self) -> T) -> T {
        self.cx.now = now;
        let answer = put(self);
        self.carry_out();
        answer
    }
}

/// Requests that begin a transaction (RFC 3261, section 8.2).
impl UserAgent {
    fn on_request(&mut self, received: Received) {
        let request = &received.request;
        if request.method == Method::Cancel {
            return self.on_cancel(received);
        }
        if message::tag_of(&request.headers, Side::To).is_some() {
            return self.on_request_in_dialog(received);
        }
        let has_room = self.has_room_for_subscription();
        let cx = &mut self.cx;
        if matches!(request.method, Method::Options | Method::Register | Method::Subscribe | Method::Refer) {
            if !request.uri.scheme().is_sip() && request.uri.tel_parts().is_none() {
                return cx.respond_plain(&received, 416);
            }
            if let Some(unsupported) = required(request) {
                let extra = [(HeaderName::Unsupported, unsupported)];
                return cx.respond_with(&received, 420, None, &extra);
            }
        }
        match request.method {
            Method::Invite => {
                let (key, may_begin) = (received.key.clone(), !self.gate.is_closed());
                if let Some(call) = self.calls.handle_invite(cx, received, may_begin) {
                    self.transactions.set_owner(&key, Owner::Call(call));
                }
            }
            Method::Options => self.respond_options(&received),
            Method::Register => self.requests.handle_register(cx, received, self.gate.is_overloaded),
            Method::Subscribe => {
                self.requests.handle_subscribe(cx, Pending { received, call: None }, has_room);
            }
            Method::Refer => {
                let calls = &self.calls;
                let pending = Pending { received, call: None };
                self.requests.handle_refer(cx, pending, has_room, |replaces| calls.named(replaces));
            }
            Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Notify => {
                cx.respond_plain(&received, 481);
            }
            Method::Other(_) => cx.respond_with(&received, 501, None, &allow()),
            _ => cx.respond_with(&received, 405, None, &allow()),
        }
    }

    fn has_room_for_subscription(&self) -> bool {
        !self.gate.is_closed() && !self.subscriptions.is_full()
    }

    fn on_cancel(&mut self, mut received: Received) {
        let invite = TransactionId::of_cancelled(&received.request);
        let Some(owner) = invite.and_then(|invite| self.transactions.owner(&invite)) else {
            return self.cx.respond_plain(&received, 481);
        };
        let call = if let Owner::Call(call) = owner { Some(call) } else { None };
        // The response to CANCEL carries the tag of the INVITE's responses (section 9.2).
        received.tag = call.and_then(|call| self.calls.tag(call));
        self.cx.respond_plain(&received, 200);
        if let Some(call) = call {
            self.calls.handle_cancel(&mut self.cx, call, &received.request);
        }
    }

    fn on_request_in_dialog(&mut self, received: Received) {
        let request = &received.request;
        let cx = &mut self.cx;
        if request.method == Method::Subscribe {
            let tag = message::tag_of(&request.headers, Side::To).unwrap_or_default();
            let call = self.calls.of_dialog(message::call_id(&request.headers), tag);
            if let Some(id) = self.subscriptions.find(request, call) {
                let dialog = call.and_then(|call| self.calls.dialog_of(call));
                return self.subscriptions.handle_resubscribe(cx, &received, id, dialog);
            }
        }
        let Some(call) = self.calls.of_request(request) else {
            return cx.respond_plain(&received, 481);
        };
        self.transactions.set_owner(&received.key, Owner::Call(call));
        let Some(received) = self.calls.handle_request(cx, call, received) else { return };
        let has_room = !self.gate.is_closed() && !self.subscriptions.is_full();
        match received.request.method {
            Method::Subscribe => {
                self.requests.handle_subscribe(cx, Pending { received, call: Some(call) }, has_room);
            }
            Method::Refer => {
                let calls = &self.calls;
                let pending = Pending { received, call: Some(call) };
                self.requests.handle_refer(cx, pending, has_room, |replaces| calls.named(replaces));
            }
            Method::Options => self.respond_options(&received),
            Method::Other(_) => cx.respond_with(&received, 501, None, &allow()),
            _ => cx.respond_with(&received, 405, None, &allow()),
        }
    }

    fn respond_options(&mut self, received: &Received) {
        let request = &received.request;
        let extra = [
            (HeaderName::Allow, ALLOW.to_owned()),
            (HeaderName::Accept, body::accept(body::ALL)),
            (HeaderName::AcceptEncoding, "identity".to_owned()),
            (HeaderName::Supported, SUPPORTED.to_owned()),
            (HeaderName::AllowEvents, "conference, refer".to_owned()),
        ];
        if !asks_for_ice_servers(request) {
            return self.cx.respond_with(received, 200, None, &extra);
        }
        let tag = self.cx.token(8);
        let response = message::response(request, 200, None, Some(&tag), &self.cx.product);
        let Some(mut response) = response else { return };
        for (name, value) in extra {
            message::push(&mut response.headers, name, value);
        }
        let client = message::name_addr(&request.headers, Side::From).user;
        let servers = (self.ice_servers.0)(&client);
        message::with_body(&mut response, "application/json", servers);
        self.cx.respond(&received.key, response);
    }
}

#[cfg(test)]
impl UserAgent {
    /// No part has a deadline, and the library has no transaction.
    pub(super) fn has_forgotten_all(&self) -> bool {
        self.poll_timeout().is_none() && self.transactions.is_library_idle()
    }

    /// Sends a request within a dialog that the user agent itself would not send.
    pub(super) fn send_in_dialog(
        &mut self,
        call: CallId,
        flow: Flow,
        now: Duration,
        write: impl FnOnce(&mut super::dialog::Dialog, String, String) -> Request,
    ) {
        self.with(now, |ua| {
            let (via, contact) = (ua.cx.via(flow), ua.cx.contact(flow, "plenary", false));
            let request = write(ua.calls.dialog_mut(call), via, contact);
            ua.cx.send_request(request, flow, Owner::Call(call));
        });
    }
}

/// Clients in browsers ask for ICE servers in this way.
fn asks_for_ice_servers(request: &Request) -> bool {
    let value = message::text(&request.headers, &HeaderName::parse(&Bytes::from_static(TURN_REQUEST)));
    value.is_some_and(|value| value == "1")
}

fn allow() -> [(HeaderName, String); 1] {
    [(HeaderName::Allow, ALLOW.to_owned())]
}
