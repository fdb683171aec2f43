//! Calls that we place (RFC 3261, sections 8.1 and 13.2.1): which servers they are sent to, one after the other (RFC
//! 3263, 4.3), where redirections lead, and when we give up.

use super::{
    CallId, DialSpec, EndCause, Flow, Lookup, LookupId, Output, Party, Reason, Redirection, SipEvent, T1,
    UserAgent, body,
    calls::{Call, Cancel, State, reason_header},
    client::cancel_of,
    dialog::Dialog,
    message::{self, ALLOW, Heading, SUPPORTED},
    timers::{Due, Ticket},
};
use crate::locate::Hop;
use bytes::Bytes;
use sipx_sip::{
    HeaderName, Method, Request, Timer, TransactionKey, Uri,
    rel::Sequence,
    session::{DEFAULT_INTERVAL, SessionExpires},
};
use std::{collections::VecDeque, time::Duration};

/// How long a call may ring, where nothing else was said.
const RING_FOR: Duration = Duration::from_secs(180);
/// How long a server may be silent before the next one is asked: three retransmissions; over a connection, which has to be
/// opened first, somewhat longer. Without another one it has all of 64·T1.
const PATIENCE: Duration = Duration::from_secs(4);
const PATIENCE_STREAM: Duration = Duration::from_secs(10);
/// How long a server that failed is asked last.
const AVOIDED_FOR: Duration = Duration::from_secs(30);
const AVOIDED_FOR_MAX: Duration = Duration::from_secs(600);
/// Servers that are remembered to have failed.
const AVOIDED_MAX: usize = 1000;
/// Requests for one call that challenges and redirections may cause.
const ATTEMPTS_MAX: u32 = 10;
/// Contacts of a redirection that are tried.
const TARGETS_MAX: usize = 5;
/// Headers of the program in an INVITE.
const EXTRA_MAX: usize = 64;

/// Headers that a request has anyway, or that only make sense with what the user agent knows.
const OWN: [&str; 27] = [
    "via",
    "v",
    "from",
    "f",
    "to",
    "t",
    "call-id",
    "i",
    "cseq",
    "max-forwards",
    "contact",
    "m",
    "route",
    "record-route",
    "content-length",
    "l",
    "content-type",
    "c",
    "authorization",
    "proxy-authorization",
    "require",
    "supported",
    "allow",
    "session-expires",
    "rseq",
    "rack",
    "replaces",
];

/// A call of ours that has no final answer.
#[derive(Debug)]
pub(super) struct Calling {
    /// The INVITE that is under way; `None`: servers are looked for.
    pub(super) key: Option<TransactionKey>,
    pub(super) request: Request,
    pub(super) is_ringing: bool,
    pub(super) cancel: Cancel,
    pub(super) cancel_reasons: Vec<Reason>,
    /// We gave up because it rang too long.
    pub(super) rang_out: bool,
    /// Requests that challenges and redirections have caused.
    pub(super) attempts: u32,
    /// Servers that have not been tried.
    servers: VecDeque<Flow>,
    /// Contacts of a redirection that have not been tried, and all that were.
    targets: VecDeque<Uri>,
    visited: Vec<String>,
    redirection: Redirection,
    has_route: bool,
    /// It goes over the connection or address that the called party registered from, and nowhere else.
    pub(super) is_bound: bool,
    /// The program knows somebody else to call.
    is_impatient: bool,
    /// When it has rung too long, or CANCEL has shown no effect.
    ringing: Ticket,
    impatience: Option<Ticket>,
    pub(super) early: Vec<Early>,
}

impl Calling {
    pub(super) fn tickets(&self) -> impl Iterator<Item = Ticket> {
        [Some(self.ringing), self.impatience].into_iter().flatten()
    }

    /// Another request may be sent because of what was answered.
    pub(super) fn may_try_again(&mut self) -> bool {
        self.attempts += 1;
        self.attempts <= ATTEMPTS_MAX
    }
}

/// One of the telephones that a call has reached.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    pub(super) sequence: Sequence,
    /// The answer that a reliable provisional answer brought.
    pub(super) answer: Option<String>,
}

impl UserAgent {
    /// Places a call.
    pub fn dial(&mut self, id: CallId, spec: DialSpec, now: Duration) {
        let Ok(uri) = Uri::parse(Bytes::from(crate::text::uri(&spec.uri))) else {
            return self.rejected(id, 400, "Not a SIP URI");
        };
        if let Some(flow) = spec.flow {
            return self.begin_call(id, uri, spec, vec![flow], now, now);
        }
        let route = spec.route.first().map(|route| Uri::parse(Bytes::from(crate::text::uri(route))));
        let hop = match &route {
            None => Hop::of(&uri),
            Some(Ok(route)) => Hop::of(route),
            Some(Err(error)) => Err(format!("its route is not a URI ({error})")),
        };
        match hop {
            Ok(hop) => {
                let lookup = Lookup::Dial { call: id, uri, spec: Box::new(spec), begun: now };
                self.look_up(lookup, hop);
            }
            Err(why) => self.rejected(id, 400, &why),
        }
    }

    fn rejected(&mut self, id: CallId, status: u16, phrase: &str) {
        self.event(SipEvent::Rejected { call: id, status, phrase: phrase.to_owned() });
    }

    pub(super) fn look_up(&mut self, lookup: Lookup, hop: Hop) -> LookupId {
        self.next_lookup += 1;
        let id = LookupId(self.next_lookup);
        self.lookups.insert(id, lookup);
        self.outputs.push_back(Output::Locate { lookup: id, hop });
        id
    }

    /// The servers of a hop, the first to be tried first, or why there are none.
    pub fn located(&mut self, lookup: LookupId, found: Result<Vec<Flow>, String>, now: Duration) {
        let Some(lookup) = self.lookups.remove(&lookup) else { return };
        let found = found.map(|flows| self.sorted(flows, now));
        match (lookup, found) {
            (Lookup::Dial { call, uri, spec, begun }, Ok(flows)) => {
                self.begin_call(call, uri, *spec, flows, begun, now);
            }
            (Lookup::Dial { call, .. }, Err(why)) => self.rejected(call, 503, &why),
            (Lookup::Redirect { call, uri }, Ok(flows)) => self.redirect(call, uri, flows, now),
            (Lookup::Redirect { call, .. }, Err(why)) => self.try_next(call, 503, &why, now),
            (Lookup::Register(registration), found) => self.on_registrar_found(registration, found, now),
        }
    }

    /// Those that failed a moment ago come last.
    fn sorted(&mut self, flows: Vec<Flow>, now: Duration) -> Vec<Flow> {
        if self.avoided.is_empty() {
            return flows;
        }
        self.avoided.retain(|_, until| *until > now);
        let (mut good, bad): (Vec<Flow>, Vec<Flow>) =
            flows.into_iter().partition(|flow| !self.avoided.contains_key(&(flow.transport, flow.remote)));
        good.extend(bad);
        good
    }

    /// A server has failed (RFC 3263, 4.3). `for_how_long`: what it says itself.
    pub(super) fn avoid(&mut self, flow: Flow, for_how_long: Option<Duration>, now: Duration) {
        if self.avoided.len() < AVOIDED_MAX {
            let until = now + for_how_long.unwrap_or(AVOIDED_FOR).min(AVOIDED_FOR_MAX);
            self.avoided.insert((flow.transport, flow.remote), until);
        }
    }

    pub(super) fn forget_lookup_of(&mut self, id: CallId) {
        let of_call = |lookup: &Lookup| matches!(lookup, Lookup::Dial { call, .. } if *call == id);
        let before = self.lookups.len();
        self.lookups.retain(|_, lookup| !of_call(lookup));
        if self.lookups.len() < before {
            self.event(SipEvent::Ended { call: id, cause: EndCause::ByUs });
        }
    }

    fn begin_call(
        &mut self,
        id: CallId,
        uri: Uri,
        spec: DialSpec,
        flows: Vec<Flow>,
        begun: Duration,
        now: Duration,
    ) {
        let mut servers = VecDeque::from(flows);
        let Some(flow) = servers.pop_front() else { return self.rejected(id, 503, "No server") };
        let user: String =
            spec.from_user.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.+*#".contains(*c)).collect();
        let invite = self.invite(&uri, &spec, &user, flow);
        let Some(dialog) = Dialog::of_request(&invite, flow) else {
            return self.rejected(id, 400, "Not a SIP URI");
        };
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), id);
        let ringing = self.timers.set(begun.max(now) + spec.ring_for.unwrap_or(RING_FOR), Due::Ringing(id));
        let calling = Calling {
            key: None,
            request: invite.clone(),
            is_ringing: false,
            cancel: Cancel::No,
            cancel_reasons: Vec::new(),
            rang_out: false,
            attempts: 0,
            servers,
            targets: VecDeque::new(),
            visited: vec![message::uri_text(&uri)],
            redirection: spec.redirection,
            is_impatient: spec.is_impatient,
            has_route: !spec.route.is_empty() || spec.flow.is_some(),
            is_bound: spec.flow.is_some(),
            ringing,
            impatience: None,
            early: Vec::new(),
        };
        let mut call = Call::new(dialog, State::Calling(Box::new(calling)), user);
        (call.is_focus, call.is_ours, call.credentials) = (spec.is_focus, true, spec.credentials);
        call.local_sdp = spec.sdp;
        self.calls.insert(id, call);
        self.send_invite(id, invite, flow, now);
    }

    /// The first INVITE of a call. Via and Contact are those of the flow.
    fn invite(&mut self, uri: &Uri, spec: &DialSpec, user: &str, flow: Flow) -> Request {
        let (local_tag, call_id) = (self.token(8), self.token(16));
        let from_host = spec.from_host.as_deref().map(crate::text::uri).filter(|host| !host.is_empty());
        let host = from_host.unwrap_or_else(|| self.sent_by(flow).to_string());
        let from = if spec.is_private {
            format!("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={local_tag}")
        } else {
            let name = message::quoted(spec.display_name.as_deref());
            format!("{name}<sip:{}@{host}>;tag={local_tag}", crate::text::uri_user(user))
        };
        let routes: Vec<String> =
            spec.route.iter().map(|route| format!("<{}>", crate::text::uri(route))).collect();
        let (via, contact) = (self.via(flow), self.contact(flow, user, spec.is_focus));
        let mut invite = message::request(Heading {
            method: Method::Invite,
            uri: uri.clone(),
            via,
            from: &from,
            to: &format!("<{}>", message::uri_text(uri)),
            call_id: &call_id,
            cseq: 1,
            routes: &routes,
            contact: Some(contact),
            product: &self.config.product,
        });
        let headers = &mut invite.headers;
        message::push(headers, HeaderName::Allow, ALLOW);
        message::push(headers, HeaderName::Supported, SUPPORTED);
        // Of a browser it is not known whether it takes the offer that a refresh would bring.
        if !flow.transport.is_websocket() {
            let expires = SessionExpires { interval: DEFAULT_INTERVAL, refresher: None };
            message::push(headers, HeaderName::SessionExpires, expires.to_string());
        }
        if let Some(party) = &spec.asserted {
            message::push(headers, HeaderName::PAssertedIdentity, identity(party, &host));
        }
        if spec.is_private {
            message::push(headers, HeaderName::Privacy, "id");
        }
        if let Some(replaces) = &spec.replaces {
            message::push(headers, HeaderName::Require, "replaces");
            message::push(headers, HeaderName::Replaces, replaces.to_string());
        }
        if let Some(by) = &spec.referred_by {
            message::push(headers, HeaderName::ReferredBy, format!("<{}>", crate::text::uri(by)));
        }
        let is_free = |name: &str| !OWN.iter().any(|own| own.eq_ignore_ascii_case(name.trim()));
        let extra: Vec<_> =
            spec.extra.iter().filter(|(name, _)| is_free(name)).take(EXTRA_MAX).cloned().collect();
        for (name, value) in message::named(&extra) {
            message::push(headers, name, value);
        }
        if !spec.sdp.is_empty() {
            message::push(headers, HeaderName::ContentType, body::SDP_TYPE);
            message::set(headers, &HeaderName::ContentLength, spec.sdp.len().to_string());
            invite.set_body(Bytes::from(spec.sdp.clone()));
        }
        invite
    }

    /// Sends an INVITE to a server, the first time or once more.
    fn send_invite(&mut self, id: CallId, mut request: Request, flow: Flow, now: Duration) {
        let (via, is_first) =
            (self.via(flow), self.calls.get(&id).is_some_and(|call| call.dialog.flow == flow));
        message::set_first(&mut request.headers, HeaderName::Via, via);
        let contact = self.calls.get(&id).map(|call| self.contact_of(call, flow));
        if let Some(contact) = contact.filter(|_| !is_first) {
            message::set(&mut request.headers, &HeaderName::Contact, contact);
        }
        self.sign(id, &mut request);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.dialog.flow = flow;
        let State::Calling(calling) = &mut call.state else { return };
        calling.request = request.clone();
        (calling.is_ringing, calling.key) = (false, None);
        // What an earlier server's telephones said is void.
        calling.early.clear();
        let has_more = !calling.servers.is_empty() || calling.is_impatient;
        if let Some(ticket) = calling.impatience.take() {
            self.timers.clear(ticket);
        }
        if has_more {
            let patience = if flow.transport.is_datagram() { PATIENCE } else { PATIENCE_STREAM };
            calling.impatience = Some(self.timers.set(now + patience, Due::Impatience(id)));
        }
        // Known before anything can come of it.
        calling.key = TransactionKey::from_sent_request(&request);
        self.send_request(request, flow, id, now);
    }

    /// The same INVITE with the next number.
    pub(super) fn resend_invite(&mut self, id: CallId, mut request: Request, flow: Flow, now: Duration) {
        let cseq = message::cseq(&request.headers).unwrap_or(1) + 1;
        message::set(&mut request.headers, &HeaderName::CSeq, format!("{cseq} INVITE"));
        self.send_invite(id, request, flow, now);
    }

    /// Puts what is known of those who ask who we are into a request of a call.
    pub(super) fn sign(&mut self, id: CallId, request: &mut Request) {
        let cnonce = match self.calls.get(&id) {
            Some(call) if !call.answers.is_empty() => self.token(8),
            Some(_) | None => return,
        };
        if let Some(Call { answers, credentials: Some(credentials), .. }) = self.calls.get_mut(&id) {
            answers.sign(request, credentials, &cnonce);
        }
    }

    /// A server answers: there is no reason to ask another one.
    pub(super) fn has_patience(&mut self, id: CallId) {
        if let Some(Call { state: State::Calling(calling), .. }) = self.calls.get_mut(&id)
            && let Some(ticket) = calling.impatience.take()
        {
            self.timers.clear(ticket);
        }
    }

    pub(super) fn on_impatience(&mut self, id: CallId, now: Duration) {
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else {
            return;
        };
        calling.impatience = None;
        if calling.is_ringing || calling.cancel != Cancel::No {
            return;
        }
        let (flow, key) = (dialog.flow, calling.key.take());
        // It is not sent again; should it be answered after all, that is cancelled.
        if let Some(transaction) = key.and_then(|key| self.transactions.get_mut(&key)) {
            transaction.timers.retain(|(timer, ticket)| {
                let is_repeating = *timer == Timer::A;
                if is_repeating {
                    self.timers.clear(*ticket);
                }
                !is_repeating
            });
        }
        self.avoid(flow, None, now);
        if !self.next_server(id, now) {
            self.try_next(id, 408, message::phrase(408), now);
        }
    }

    /// Sends the INVITE to the next server. False: there is none.
    pub(super) fn next_server(&mut self, id: CallId, now: Duration) -> bool {
        let Some(Call { state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else { return false };
        let Some(flow) = calling.servers.pop_front() else { return false };
        let request = calling.request.clone();
        self.resend_invite(id, request, flow, now);
        true
    }

    /// A 3xx. False: it is not followed.
    pub(super) fn follow(&mut self, id: CallId, contacts: Vec<Uri>, now: Duration) -> bool {
        let Some(Call { state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else { return false };
        let permitted = |uri: &Uri| match &calling.redirection {
            Redirection::Refuse => false,
            Redirection::Follow => true,
            Redirection::Within(hosts) => uri.host().is_some_and(|host| {
                let host = message::host_text(host);
                let host = host.trim_matches(['[', ']']);
                hosts.iter().any(|known| known.trim_matches(['[', ']']).eq_ignore_ascii_case(host))
            }),
        };
        let new: Vec<Uri> = contacts
            .into_iter()
            .filter(|uri| permitted(uri) && !uri.has_headers() && Hop::of(uri).is_ok())
            .filter(|uri| !calling.visited.contains(&message::uri_text(uri)))
            .take(TARGETS_MAX)
            .collect();
        calling.visited.extend(new.iter().map(message::uri_text));
        for uri in new.into_iter().rev() {
            calling.targets.push_front(uri);
        }
        self.next_target(id, now)
    }

    /// Goes to the next contact of a redirection. False: there is none.
    pub(super) fn next_target(&mut self, id: CallId, now: Duration) -> bool {
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else {
            return false;
        };
        if calling.attempts >= ATTEMPTS_MAX {
            return false;
        }
        let Some(uri) = calling.targets.pop_front() else { return false };
        calling.attempts += 1;
        calling.servers.clear();
        if calling.has_route {
            // The proxies that calls have to go by are still those.
            let flow = dialog.flow;
            self.redirect(id, uri, vec![flow], now);
            return true;
        }
        let Ok(hop) = Hop::of(&uri) else { return false };
        calling.key = None;
        self.look_up(Lookup::Redirect { call: id, uri }, hop);
        true
    }

    fn redirect(&mut self, id: CallId, uri: Uri, flows: Vec<Flow>, now: Duration) {
        let Some(Call { state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else { return };
        if calling.cancel != Cancel::No {
            return;
        }
        let mut request = calling.request.clone();
        request.uri = uri;
        calling.servers = VecDeque::from(flows);
        let Some(flow) = calling.servers.pop_front() else { return };
        self.resend_invite(id, request, flow, now);
    }

    /// A target is of no use: the next one, or the end.
    pub(super) fn try_next(&mut self, id: CallId, status: u16, phrase: &str, now: Duration) {
        if !self.calls.contains_key(&id) || self.next_target(id, now) {
            return;
        }
        self.remove_call(id);
        self.rejected(id, status, phrase);
    }

    /// Takes a call of ours back before it is answered.
    pub(super) fn give_up(&mut self, id: CallId, reasons: Vec<Reason>, now: Duration) {
        let Some(Call { state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else { return };
        if calling.cancel != Cancel::No {
            return;
        }
        (calling.cancel, calling.cancel_reasons) = (Cancel::Wanted, reasons);
        if calling.key.is_none() {
            // Servers are looked for: nobody knows of this call.
            self.lookups.retain(|_, lookup| !matches!(lookup, Lookup::Redirect { call, .. } if *call == id));
            return self.given_up(id);
        }
        self.cancel_if_ringing(id, now);
    }

    /// The last event of a call that was taken back.
    pub(super) fn given_up(&mut self, id: CallId) {
        let Some(call) = self.remove_call(id) else { return };
        match &call.state {
            State::Calling(calling) if calling.rang_out => self.rejected(id, 487, "No answer"),
            _ => self.event(SipEvent::Ended { call: id, cause: EndCause::ByUs }),
        }
    }

    /// Sends the CANCEL that is wanted, once the other side has shown that it has the INVITE (section 9.1).
    pub(super) fn cancel_if_ringing(&mut self, id: CallId, now: Duration) {
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else {
            return;
        };
        if !calling.is_ringing || calling.cancel != Cancel::Wanted {
            return;
        }
        calling.cancel = Cancel::Sent;
        // It follows its INVITE, and has the same Via.
        let sent = calling.key.as_ref();
        let flow = sent.and_then(|key| self.transactions.get(key)).map_or(dialog.flow, |sent| sent.flow);
        let invite = sent.and_then(|key| self.layer.client_request(key)).unwrap_or(&calling.request);
        let mut cancel = cancel_of(invite);
        for (name, value) in reason_header(&calling.cancel_reasons) {
            message::push(&mut cancel.headers, name, value);
        }
        // The INVITE should be answered with 487 now; if it is not, it is over all the same.
        self.timers.clear(calling.ringing);
        calling.ringing = self.timers.set(now + 64 * T1, Due::Ringing(id));
        self.send_request(cancel, flow, id, now);
    }

    pub(super) fn on_ringing_due(&mut self, id: CallId, now: Duration) {
        let Some(Call { state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else { return };
        match calling.cancel {
            Cancel::No => {
                calling.rang_out = true;
                let text = Some("No answer".to_owned());
                let reason = Reason { protocol: "SIP".to_owned(), cause: Some(408), text };
                self.give_up(id, vec![reason], now);
            }
            // The INVITE has not been answered at all, and its own timer ends it.
            Cancel::Wanted => {}
            Cancel::Sent => {
                let key = calling.key.take();
                self.given_up(id);
                if let Some(key) = key {
                    // Whatever it would say, there is no call any more.
                    self.layer.on_transport_error(&key);
                    self.forget_transaction(&key);
                }
            }
        }
    }
}

/// The value of P-Asserted-Identity.
fn identity(party: &Party, host: &str) -> String {
    let host = if party.host.is_empty() { host.to_owned() } else { crate::text::uri(&party.host) };
    let name = message::quoted(party.display_name.as_deref());
    format!("{name}<sip:{}@{host}>", crate::text::uri_user(&party.user))
}
