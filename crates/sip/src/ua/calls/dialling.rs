//! Outgoing calls (RFC 3261, sections 8.1 and 13.2.1): the servers tried in turn (RFC 3263, 4.3), redirections, and
//! giving up.

use super::{Call, CallId, Calls, Cancel, Due, EndCause, Flow, Reason, SipEvent, State, Ticket};
use crate::{
    locate::Hop,
    ua::{
        body,
        context::{Action, Context, Lookup, Owner, TRANSACTION_MAX},
        dialog::Dialog,
        message::{self, ALLOW, Heading, SUPPORTED, reason_header},
        transaction_id::TransactionId,
        types::{DialSpec, NameAddr, Redirection},
    },
};
use bytes::Bytes;
use sipx_sip::{
    HeaderName, Method, Request, Uri,
    rel::Sequence,
    session::{DEFAULT_INTERVAL, SessionExpires},
};
use std::{collections::VecDeque, time::Duration};

/// Default ringing time.
const RING_FOR: Duration = Duration::from_secs(180);
/// How long a server may be silent before the next one is tried: three retransmissions; over a connection, which has
/// to be opened first, somewhat longer. Without another server it has all of 64·T1.
const FAILOVER_TIMEOUT_DATAGRAM: Duration = Duration::from_secs(4);
const FAILOVER_TIMEOUT_STREAM: Duration = Duration::from_secs(10);
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

/// An outgoing call without a final response.
#[derive(Debug)]
pub(super) struct Calling {
    /// The INVITE in progress; `None` while servers are being located.
    pub(super) key: Option<TransactionId>,
    pub(super) request: Request,
    pub(super) is_ringing: bool,
    pub(super) cancel: Cancel,
    pub(super) cancel_reasons: Vec<Reason>,
    /// It rang too long.
    pub(super) rang_out: bool,
    /// Requests that challenges and redirections have caused.
    pub(super) attempts: u32,
    /// Servers that have not been tried.
    servers: VecDeque<Flow>,
    /// Contacts of a redirection that have not been tried, and all that have been.
    targets: VecDeque<Uri>,
    visited: Vec<String>,
    redirection: Redirection,
    has_route: bool,
    /// It uses the connection or address that the called user registered from, and nothing else.
    pub(super) is_bound: bool,
    /// The program has another target to call.
    fails_over: bool,
    /// When it has rung too long, or CANCEL has had no effect.
    ringing: Ticket,
    failover_timeout: Option<Ticket>,
    pub(super) early: Vec<Early>,
}

impl Calling {
    pub(super) fn tickets(&self) -> impl Iterator<Item = Ticket> {
        [Some(self.ringing), self.failover_timeout].into_iter().flatten()
    }

    /// Another request may follow a response.
    pub(super) fn may_try_again(&mut self) -> bool {
        self.attempts += 1;
        self.attempts <= ATTEMPTS_MAX
    }
}

/// A telephone that a call has reached (a fork).
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    pub(super) sequence: Sequence,
    /// The answer in a reliable provisional response.
    pub(super) answer: Option<String>,
}

impl Calls {
    /// Places a call.
    pub(in crate::ua) fn dial(&mut self, cx: &mut Context, id: CallId, spec: DialSpec) {
        let Ok(uri) = Uri::parse(Bytes::from(crate::text::uri(&spec.uri))) else {
            return rejected(cx, id, 400, "Not a SIP URI");
        };
        if let Some(flow) = spec.flow {
            return self.begin_call(cx, id, uri, spec, vec![flow], cx.now);
        }
        let route = spec.route.first().map(|route| Uri::parse(Bytes::from(crate::text::uri(route))));
        let hop = match &route {
            None => Hop::of(&uri),
            Some(Ok(route)) => Hop::of(route),
            Some(Err(error)) => Err(format!("its route is not a URI ({error})")),
        };
        match hop {
            Ok(hop) => {
                let lookup = Lookup::Dial { call: id, uri, spec: Box::new(spec), begun: cx.now };
                cx.push(Action::Locate { lookup, hop });
            }
            Err(why) => rejected(cx, id, 400, &why),
        }
    }

    /// The servers of a call that has not been sent anywhere, or why there are none.
    pub(in crate::ua) fn handle_located(
        &mut self,
        cx: &mut Context,
        id: CallId,
        uri: Uri,
        spec: DialSpec,
        found: Result<Vec<Flow>, String>,
        begun: Duration,
    ) {
        match found {
            Ok(flows) => self.begin_call(cx, id, uri, spec, flows, begun),
            Err(why) => rejected(cx, id, 503, &why),
        }
    }

    /// The servers of a redirection, or why there are none.
    pub(in crate::ua) fn handle_redirect_located(
        &mut self,
        cx: &mut Context,
        id: CallId,
        uri: Uri,
        found: Result<Vec<Flow>, String>,
    ) {
        match found {
            Ok(flows) => self.redirect(cx, id, uri, flows),
            Err(why) => self.try_next(cx, id, 503, &why),
        }
    }

    fn begin_call(
        &mut self,
        cx: &mut Context,
        id: CallId,
        uri: Uri,
        spec: DialSpec,
        flows: Vec<Flow>,
        begun: Duration,
    ) {
        let mut servers = VecDeque::from(flows);
        let Some(flow) = servers.pop_front() else { return rejected(cx, id, 503, "No server") };
        let user: String =
            spec.from_user.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.+*#".contains(*c)).collect();
        let invite = invite(cx, &uri, &spec, &user, flow);
        let Some(dialog) = Dialog::of_request(&invite, flow) else {
            return rejected(cx, id, 400, "Not a SIP URI");
        };
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), id);
        cx.push(Action::Dialog { call: id, sip_call_id: dialog.call_id.clone() });
        let ringing =
            self.timers.set(begun.max(cx.now) + spec.ring_for.unwrap_or(RING_FOR), Due::Ringing(id));
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
            fails_over: spec.fails_over,
            has_route: !spec.route.is_empty() || spec.flow.is_some(),
            is_bound: spec.flow.is_some(),
            ringing,
            failover_timeout: None,
            early: Vec::new(),
        };
        let mut call = Call::new(dialog, State::Calling(Box::new(calling)), user);
        (call.is_focus, call.is_ours, call.credentials) = (spec.is_focus, true, spec.credentials);
        call.local_sdp = spec.sdp;
        self.open.insert(id, call);
        self.send_invite(cx, id, invite, flow);
    }

    /// Sends an INVITE to a server, the first time or once more.
    fn send_invite(&mut self, cx: &mut Context, id: CallId, mut request: Request, flow: Flow) {
        let (via, is_first) = (cx.via(flow), self.open.get(&id).is_some_and(|call| call.dialog.flow == flow));
        message::set_first(&mut request.headers, HeaderName::Via, via);
        let contact = self.open.get(&id).map(|call| call.contact(cx, flow));
        if let Some(contact) = contact.filter(|_| !is_first) {
            message::set(&mut request.headers, &HeaderName::Contact, contact);
        }
        self.sign(cx, id, &mut request);
        let Some(call) = self.open.get_mut(&id) else { return };
        call.dialog.flow = flow;
        let State::Calling(calling) = &mut call.state else { return };
        calling.request = request.clone();
        (calling.is_ringing, calling.key) = (false, None);
        // What an earlier server's forks said is void.
        calling.early.clear();
        let has_more = !calling.servers.is_empty() || calling.fails_over;
        if let Some(ticket) = calling.failover_timeout.take() {
            self.timers.clear(ticket);
        }
        if has_more {
            let timeout = if flow.transport.is_datagram() {
                FAILOVER_TIMEOUT_DATAGRAM
            } else {
                FAILOVER_TIMEOUT_STREAM
            };
            calling.failover_timeout = Some(self.timers.set(cx.now + timeout, Due::FailoverTimeout(id)));
        }
        // Recorded before it can have consequences.
        calling.key = TransactionId::of_sent(&request);
        cx.send_request(request, flow, Owner::Call(id));
    }

    /// The same INVITE with the next number.
    pub(super) fn resend_invite(&mut self, cx: &mut Context, id: CallId, mut request: Request, flow: Flow) {
        let cseq = message::cseq(&request.headers).unwrap_or(1) + 1;
        message::set(&mut request.headers, &HeaderName::CSeq, format!("{cseq} INVITE"));
        self.send_invite(cx, id, request, flow);
    }

    /// Adds answers to known challenges to a request of a call.
    pub(super) fn sign(&mut self, cx: &mut Context, id: CallId, request: &mut Request) {
        let cnonce = match self.open.get(&id) {
            Some(call) if !call.answers.is_empty() => cx.token(8),
            Some(_) | None => return,
        };
        if let Some(Call { answers, credentials: Some(credentials), .. }) = self.open.get_mut(&id) {
            answers.sign(request, credentials, &cnonce);
        }
    }

    /// A server responds: there is no reason to try another one.
    pub(super) fn stop_failover_timeout(&mut self, id: CallId) {
        if let Some(Call { state: State::Calling(calling), .. }) = self.open.get_mut(&id)
            && let Some(ticket) = calling.failover_timeout.take()
        {
            self.timers.clear(ticket);
        }
    }

    pub(super) fn on_failover_timeout(&mut self, cx: &mut Context, id: CallId) {
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.open.get_mut(&id) else {
            return;
        };
        calling.failover_timeout = None;
        if calling.is_ringing || calling.cancel != Cancel::No {
            return;
        }
        let (flow, key) = (dialog.flow, calling.key.take());
        // It is not retransmitted; if it is answered after all, that is cancelled.
        if let Some(key) = key {
            cx.push(Action::StopRepeating(key));
        }
        cx.push(Action::Avoid { flow, wait: None });
        if !self.next_server(cx, id) {
            self.try_next(cx, id, 408, message::phrase(408));
        }
    }

    /// Sends the INVITE to the next server. False if there is none.
    pub(super) fn next_server(&mut self, cx: &mut Context, id: CallId) -> bool {
        let Some(Call { state: State::Calling(calling), .. }) = self.open.get_mut(&id) else { return false };
        let Some(flow) = calling.servers.pop_front() else { return false };
        let request = calling.request.clone();
        self.resend_invite(cx, id, request, flow);
        true
    }

    /// Follows a 3xx. False if it is not followed.
    pub(super) fn follow(&mut self, cx: &mut Context, id: CallId, contacts: Vec<Uri>) -> bool {
        let Some(Call { state: State::Calling(calling), .. }) = self.open.get_mut(&id) else { return false };
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
        self.next_target(cx, id)
    }

    /// Tries the next contact of a redirection. False if there is none.
    pub(super) fn next_target(&mut self, cx: &mut Context, id: CallId) -> bool {
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.open.get_mut(&id) else {
            return false;
        };
        if calling.attempts >= ATTEMPTS_MAX {
            return false;
        }
        let Some(uri) = calling.targets.pop_front() else { return false };
        calling.attempts += 1;
        calling.servers.clear();
        if calling.has_route {
            // The proxies that calls have to pass stay the same.
            let flow = dialog.flow;
            self.redirect(cx, id, uri, vec![flow]);
            return true;
        }
        let Ok(hop) = Hop::of(&uri) else { return false };
        calling.key = None;
        cx.push(Action::Locate { lookup: Lookup::Redirect { call: id, uri }, hop });
        true
    }

    fn redirect(&mut self, cx: &mut Context, id: CallId, uri: Uri, flows: Vec<Flow>) {
        let Some(Call { state: State::Calling(calling), .. }) = self.open.get_mut(&id) else { return };
        if calling.cancel != Cancel::No {
            return;
        }
        let mut request = calling.request.clone();
        request.uri = uri;
        calling.servers = VecDeque::from(flows);
        let Some(flow) = calling.servers.pop_front() else { return };
        self.resend_invite(cx, id, request, flow);
    }

    /// A target has failed: tries the next one, or ends.
    pub(super) fn try_next(&mut self, cx: &mut Context, id: CallId, status: u16, phrase: &str) {
        if !self.open.contains_key(&id) || self.next_target(cx, id) {
            return;
        }
        self.remove(cx, id);
        rejected(cx, id, status, phrase);
    }

    /// Cancels an outgoing call before it is answered.
    pub(super) fn give_up(&mut self, cx: &mut Context, id: CallId, reasons: Vec<Reason>) {
        let Some(Call { state: State::Calling(calling), .. }) = self.open.get_mut(&id) else { return };
        if calling.cancel != Cancel::No {
            return;
        }
        (calling.cancel, calling.cancel_reasons) = (Cancel::Wanted, reasons);
        if calling.key.is_none() {
            // While servers are located, no server knows of this call.
            cx.push(Action::ForgetRedirect(id));
            return self.given_up(cx, id);
        }
        self.cancel_if_ringing(cx, id);
    }

    /// The last event of a cancelled call.
    pub(super) fn given_up(&mut self, cx: &mut Context, id: CallId) {
        let Some(call) = self.open.get(&id) else { return };
        let rang_out = matches!(&call.state, State::Calling(calling) if calling.rang_out);
        self.remove(cx, id);
        match rang_out {
            true => rejected(cx, id, 487, "No answer"),
            false => cx.event(SipEvent::Ended { call: id, cause: EndCause::ByUs }),
        }
    }

    /// Sends the pending CANCEL, once the other side has shown that it has the INVITE (section 9.1).
    pub(super) fn cancel_if_ringing(&mut self, cx: &mut Context, id: CallId) {
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.open.get_mut(&id) else {
            return;
        };
        if !calling.is_ringing || calling.cancel != Cancel::Wanted {
            return;
        }
        calling.cancel = Cancel::Sent;
        cx.push(Action::Cancel {
            call: id,
            key: calling.key.clone(),
            invite: Box::new(calling.request.clone()),
            flow: dialog.flow,
            extra: reason_header(&calling.cancel_reasons),
        });
        // The INVITE should be answered with 487 now; if it is not, the call ends regardless.
        self.timers.clear(calling.ringing);
        calling.ringing = self.timers.set(cx.now + TRANSACTION_MAX, Due::Ringing(id));
    }

    pub(super) fn on_ringing_due(&mut self, cx: &mut Context, id: CallId) {
        let Some(Call { state: State::Calling(calling), .. }) = self.open.get_mut(&id) else { return };
        match calling.cancel {
            Cancel::No => {
                calling.rang_out = true;
                let text = Some("No answer".to_owned());
                let reason = Reason { protocol: "SIP".to_owned(), cause: Some(408), text };
                self.give_up(cx, id, vec![reason]);
            }
            // The INVITE has not been answered at all, and its own timer ends it.
            Cancel::Wanted => {}
            Cancel::Sent => {
                let key = calling.key.take();
                self.given_up(cx, id);
                if let Some(key) = key {
                    // Whatever it would say, the call no longer exists.
                    cx.push(Action::Abandon(key));
                }
            }
        }
    }
}

fn rejected(cx: &mut Context, id: CallId, status: u16, phrase: &str) {
    cx.event(SipEvent::Rejected { call: id, status, phrase: phrase.to_owned() });
}

/// The first INVITE of a call. Via and Contact are those of the flow.
fn invite(cx: &mut Context, uri: &Uri, spec: &DialSpec, user: &str, flow: Flow) -> Request {
    let (local_tag, call_id) = (cx.token(8), cx.token(16));
    let from_host = spec.from_host.as_deref().map(crate::text::uri).filter(|host| !host.is_empty());
    let host = from_host.unwrap_or_else(|| cx.sent_by(flow).to_string());
    let from = if spec.is_private {
        format!("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={local_tag}")
    } else {
        let name = message::quoted(spec.display_name.as_deref());
        format!("{name}<sip:{}@{host}>;tag={local_tag}", crate::text::uri_user(user))
    };
    let routes: Vec<String> =
        spec.route.iter().map(|route| format!("<{}>", crate::text::uri(route))).collect();
    let (via, contact) = (cx.via(flow), cx.contact(flow, user, spec.is_focus));
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
        product: &cx.product,
    });
    let headers = &mut invite.headers;
    message::push(headers, HeaderName::Allow, ALLOW);
    message::push(headers, HeaderName::Supported, SUPPORTED);
    // It is not known whether a browser takes the offer in a session refresh.
    if !flow.transport.is_websocket() {
        let expires = SessionExpires { interval: DEFAULT_INTERVAL, refresher: None };
        message::push(headers, HeaderName::SessionExpires, expires.to_string());
    }
    if let Some(asserted) = &spec.asserted {
        message::push(headers, HeaderName::PAssertedIdentity, identity(asserted, &host));
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

/// The value of P-Asserted-Identity.
fn identity(caller: &NameAddr, host: &str) -> String {
    let host = if caller.host.is_empty() { host.to_owned() } else { crate::text::uri(&caller.host) };
    let name = message::quoted(caller.display_name.as_deref());
    format!("{name}<sip:{}@{host}>", crate::text::uri_user(&caller.user))
}
