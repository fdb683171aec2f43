//! Registrations with other servers (RFC 3261, section 10.2): maintained until they are removed, refreshed before
//! they expire, retried later and elsewhere if they fail (RFC 3263, 4.3; RFC 5626, 4.5).

use super::{
    Flow, RegistrationId, RegistrationSpec, SipEvent,
    auth::Answers,
    context::{Action, Context, Lookup, Owner},
    message::{self, Heading},
    timers::{Ticket, Timers},
    transaction_id::TransactionId,
};
use crate::locate::Hop;
use bytes::Bytes;
use sipx_sip::{HeaderName, Method, Response, Uri, headers::ContactValue};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// The expiry to ask for by default.
const EXPIRES: Duration = Duration::from_secs(3600);
/// Longer expiries of a registrar are capped at this.
const EXPIRES_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Shorter ones would be refreshed without a pause.
const EXPIRES_MIN: Duration = Duration::from_secs(10);
/// Long registrations are refreshed this long before they expire, short ones after half of their time (RFC 5626,
/// 4.4).
const REFRESH_BEFORE: Duration = Duration::from_secs(600);
/// The first pause after a failure, doubled by each further one up to the second (RFC 5626, 4.5).
const PAUSE: Duration = Duration::from_secs(30);
const PAUSE_MAX: Duration = Duration::from_secs(1800);
/// After a lost connection the registrar is asked again almost at once.
const PAUSE_LOST: Duration = Duration::from_secs(1);
/// Less than the usual half minute of NATs, and than the two minutes of RFC 5626, 4.4.1.
const KEEP_ALIVE_DATAGRAM: Duration = Duration::from_secs(25);
const KEEP_ALIVE_STREAM: Duration = Duration::from_secs(100);
/// Requests for one registration that challenges and 423 may cause.
const ATTEMPTS_MAX: u32 = 5;
const PING: Bytes = Bytes::from_static(b"\r\n\r\n");

/// A registration of this side.
#[derive(Debug)]
struct Registering {
    spec: RegistrationSpec,
    registrar: Uri,
    call_id: String,
    local_tag: String,
    cseq: u32,
    expires: Duration,
    answers: Answers,
    attempts: u32,
    /// Where it was sent last, and where else it can be sent.
    flow: Option<Flow>,
    servers: VecDeque<Flow>,
    /// The REGISTER in progress.
    key: Option<TransactionId>,
    /// It is registered.
    is_up: bool,
    is_leaving: bool,
    /// The last REGISTER removes it.
    said_leave: bool,
    failures: u32,
    ticket: Option<Ticket>,
    keep_alive: Option<Ticket>,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    /// To be refreshed, or retried.
    Refresh(RegistrationId),
    /// Its flow needs a keep-alive.
    KeepAlive(RegistrationId),
}

#[derive(Debug, Default)]
pub(super) struct Registrations {
    kept: BTreeMap<RegistrationId, Registering>,
    timers: Timers<Due>,
}

impl Registrations {
    pub(super) fn is_idle(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// The next item that is due.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context) {
        match self.timers.pop_due(cx.now) {
            Some((_, Due::Refresh(id))) => self.on_refresh_due(cx, id),
            Some((_, Due::KeepAlive(id))) => self.on_keep_alive_due(cx, id),
            None => {}
        }
    }

    /// Registers, and maintains the registration until [`Self::unregister`].
    pub(super) fn register(&mut self, cx: &mut Context, id: RegistrationId, mut spec: RegistrationSpec) {
        let parse = |uri: &str| Uri::parse(Bytes::from(crate::text::uri(uri)));
        let (Ok(registrar), Ok(address)) = (parse(&spec.registrar), parse(&spec.address_of_record)) else {
            let phrase = "Not a SIP URI".to_owned();
            let retry_in = Duration::ZERO;
            cx.event(SipEvent::RegistrationFailed { registration: id, status: 400, phrase, retry_in });
            return cx.event(SipEvent::Unregistered(id));
        };
        if spec.contact_user.is_empty() {
            spec.contact_user = message::target(&address).user;
        }
        let registering = Registering {
            expires: spec.expires.unwrap_or(EXPIRES).clamp(EXPIRES_MIN, EXPIRES_MAX),
            spec,
            registrar,
            call_id: cx.token(16),
            local_tag: cx.token(8),
            cseq: 0,
            answers: Answers::default(),
            attempts: 0,
            flow: None,
            servers: VecDeque::new(),
            key: None,
            is_up: false,
            is_leaving: false,
            said_leave: false,
            failures: 0,
            ticket: None,
            keep_alive: None,
        };
        self.kept.insert(id, registering);
        self.find_registrar(cx, id);
    }

    /// Removes a registration. `Unregistered` follows.
    pub(super) fn unregister(&mut self, cx: &mut Context, id: RegistrationId) {
        let Some(registering) = self.kept.get_mut(&id) else { return };
        registering.is_leaving = true;
        if registering.key.is_some() {
            // Its response comes first.
            return;
        }
        if !registering.is_up || registering.flow.is_none() {
            return self.forget_registration(cx, id);
        }
        registering.attempts = 0;
        self.send_register(cx, id);
    }

    /// Removes all registrations.
    pub(super) fn unregister_all(&mut self, cx: &mut Context) {
        let all: Vec<RegistrationId> = self.kept.keys().copied().collect();
        all.into_iter().for_each(|id| self.unregister(cx, id));
    }

    fn find_registrar(&mut self, cx: &mut Context, id: RegistrationId) {
        let Some(registering) = self.kept.get_mut(&id) else { return };
        registering.flow = None;
        let hop = match registering.spec.route.first() {
            None => Hop::of(&registering.registrar),
            Some(route) => match Uri::parse(Bytes::from(crate::text::uri(route))) {
                Ok(route) => Hop::of(&route),
                Err(error) => Err(format!("its route is not a URI ({error})")),
            },
        };
        match hop {
            Ok(hop) => cx.push(Action::Locate { lookup: Lookup::Register(id), hop }),
            Err(why) => self.registration_failed(cx, id, 400, &why),
        }
    }

    /// The servers of a registrar, or why there are none.
    pub(super) fn handle_located(
        &mut self,
        cx: &mut Context,
        id: RegistrationId,
        found: Result<Vec<Flow>, String>,
    ) {
        let Some(registering) = self.kept.get_mut(&id) else { return };
        if registering.is_leaving {
            return self.forget_registration(cx, id);
        }
        match found {
            Ok(flows) => {
                registering.servers = flows.into();
                registering.flow = registering.servers.pop_front();
                registering.attempts = 0;
                self.send_register(cx, id);
            }
            Err(why) => self.registration_failed(cx, id, 503, &why),
        }
    }

    fn send_register(&mut self, cx: &mut Context, id: RegistrationId) {
        let Some(flow) = self.kept.get(&id).and_then(|registering| registering.flow) else {
            return self.find_registrar(cx, id);
        };
        let (via, cnonce) = (cx.via(flow), cx.token(8));
        let Some(user) = self.kept.get(&id).map(|one| one.spec.contact_user.clone()) else { return };
        let contact = cx.contact(flow, &user, false);
        let Some(registering) = self.kept.get_mut(&id) else { return };
        registering.cseq += 1;
        registering.said_leave = registering.is_leaving;
        let expires = if registering.is_leaving { 0 } else { registering.expires.as_secs() };
        let address = format!("<{}>", crate::text::uri(&registering.spec.address_of_record));
        let routes: Vec<String> =
            registering.spec.route.iter().map(|route| format!("<{}>", crate::text::uri(route))).collect();
        let mut request = message::request(Heading {
            method: Method::Register,
            uri: registering.registrar.clone(),
            via,
            from: &format!("{address};tag={}", registering.local_tag),
            to: &address,
            call_id: &registering.call_id,
            cseq: registering.cseq,
            routes: &routes,
            contact: Some(format!("{contact};expires={expires}")),
            product: &cx.product,
        });
        message::push(&mut request.headers, HeaderName::Expires, expires.to_string());
        message::push(&mut request.headers, HeaderName::Supported, "path");
        if let Some(credentials) =
            registering.spec.credentials.as_ref().filter(|_| !registering.answers.is_empty())
        {
            registering.answers.sign(&mut request, credentials, &cnonce);
        }
        if let Some(ticket) = registering.ticket.take() {
            self.timers.clear(ticket);
        }
        // Recorded before it can have consequences.
        registering.key = TransactionId::of_sent(&request);
        cx.send_request(request, flow, Owner::Registration(id));
    }

    /// Whether this is the expected REGISTER.
    fn is_current(&self, id: RegistrationId, key: &TransactionId) -> bool {
        self.kept.get(&id).is_some_and(|one| one.key.as_ref() == Some(key))
    }

    pub(super) fn handle_response(
        &mut self,
        cx: &mut Context,
        id: RegistrationId,
        key: &TransactionId,
        response: &Response,
    ) {
        if !self.is_current(id, key) {
            return;
        }
        let status = response.status.code();
        if status < 200 {
            return;
        }
        let Some(registering) = self.kept.get_mut(&id) else { return };
        registering.key = None;
        if status < 300 {
            return self.on_registered(cx, id, response);
        }
        registering.attempts += 1;
        let may_try_again = registering.attempts <= ATTEMPTS_MAX;
        match status {
            401 | 407
                if may_try_again
                    && registering.spec.credentials.is_some()
                    && registering.answers.learn(response) =>
            {
                return self.send_register(cx, id);
            }
            423 if may_try_again && !registering.is_leaving => {
                let least = message::text(&response.headers, &HeaderName::MinExpires)
                    .and_then(|text| text.parse().ok())
                    .map(Duration::from_secs);
                if let Some(least) =
                    least.filter(|least| *least > registering.expires && *least <= EXPIRES_MAX)
                {
                    registering.expires = least;
                    return self.send_register(cx, id);
                }
            }
            503 => return self.on_server_failed(cx, id, message::retry_after(&response.headers), status),
            _ => {}
        }
        let phrase = String::from_utf8_lossy(&response.reason).into_owned();
        self.registration_failed(cx, id, status, &phrase);
    }

    /// A REGISTER got no response.
    pub(super) fn handle_failure(
        &mut self,
        cx: &mut Context,
        id: RegistrationId,
        key: &TransactionId,
        status: u16,
    ) {
        if !self.is_current(id, key) {
            return;
        }
        if let Some(registering) = self.kept.get_mut(&id) {
            registering.key = None;
        }
        self.on_server_failed(cx, id, None, status);
    }

    /// A server does not respond or is overloaded: tries the next one.
    fn on_server_failed(
        &mut self,
        cx: &mut Context,
        id: RegistrationId,
        wait: Option<Duration>,
        status: u16,
    ) {
        let Some(registering) = self.kept.get_mut(&id) else { return };
        let failed = registering.flow.take();
        registering.flow = registering.servers.pop_front();
        let has_next = registering.flow.is_some() && !registering.is_leaving;
        if let Some(flow) = failed {
            cx.push(Action::Avoid { flow, wait });
        }
        match has_next {
            true => self.send_register(cx, id),
            false => self.registration_failed(cx, id, status, message::phrase(status)),
        }
    }

    fn on_registered(&mut self, cx: &mut Context, id: RegistrationId, response: &Response) {
        let Some(Registering { flow: Some(flow), .. }) = self.kept.get(&id) else { return };
        let flow = *flow;
        let ours = cx.sent_by(flow);
        let Some(registering) = self.kept.get_mut(&id) else { return };
        registering.answers.begin();
        if registering.is_leaving {
            registering.is_up = true;
            return match registering.said_leave {
                true => self.forget_registration(cx, id),
                // That was the response to one in progress.
                false => self.send_register(cx, id),
            };
        }
        let expires = granted(response, ours, registering.expires);
        registering.is_up = true;
        (registering.failures, registering.attempts) = (0, 0);
        let refresh_in = match expires > 2 * REFRESH_BEFORE {
            true => expires - REFRESH_BEFORE,
            false => expires / 2,
        };
        registering.ticket = Some(self.timers.set(cx.now + refresh_in, Due::Refresh(id)));
        let is_datagram = flow.transport.is_datagram();
        let usual = if is_datagram { KEEP_ALIVE_DATAGRAM } else { KEEP_ALIVE_STREAM };
        let every = registering.spec.keep_alive.unwrap_or(usual);
        if registering.keep_alive.is_none() && !every.is_zero() {
            registering.keep_alive = Some(self.timers.set(cx.now + every, Due::KeepAlive(id)));
        }
        let service_route =
            message::route_uris(&response.headers, &HeaderName::ServiceRoute).unwrap_or_default();
        cx.event(SipEvent::Registered { registration: id, expires, service_route, flow });
    }

    /// It is retried after a pause that grows with the number of failures.
    fn registration_failed(&mut self, cx: &mut Context, id: RegistrationId, status: u16, phrase: &str) {
        let random = cx.random::<2>();
        let Some(registering) = self.kept.get_mut(&id) else { return };
        if registering.is_leaving {
            return self.forget_registration(cx, id);
        }
        let pause = PAUSE.saturating_mul(1 << registering.failures.min(6)).min(PAUSE_MAX);
        // Between half of it and all of it, so that clients that lost a server do not all return at once.
        let spread = f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX);
        let retry_in = pause.mul_f64(0.5 + spread / 2.0);
        registering.failures += 1;
        registering.is_up = false;
        registering.flow = None;
        let old = [
            registering.ticket.replace(self.timers.set(cx.now + retry_in, Due::Refresh(id))),
            registering.keep_alive.take(),
        ];
        old.into_iter().flatten().for_each(|ticket| self.timers.clear(ticket));
        let phrase = phrase.to_owned();
        cx.event(SipEvent::RegistrationFailed { registration: id, status, phrase, retry_in });
    }

    fn forget_registration(&mut self, cx: &mut Context, id: RegistrationId) {
        let Some(registering) = self.kept.remove(&id) else { return };
        [registering.ticket, registering.keep_alive].into_iter().flatten().for_each(|t| self.timers.clear(t));
        cx.push(Action::ForgetRegistrar(id));
        cx.event(SipEvent::Unregistered(id));
    }

    /// It is due to be refreshed, or retried.
    fn on_refresh_due(&mut self, cx: &mut Context, id: RegistrationId) {
        let Some(registering) = self.kept.get_mut(&id) else { return };
        registering.ticket = None;
        (registering.attempts, registering.servers) = (0, VecDeque::new());
        match registering.is_up && registering.flow.is_some() {
            true => self.send_register(cx, id),
            false => self.find_registrar(cx, id),
        }
    }

    fn on_keep_alive_due(&mut self, cx: &mut Context, id: RegistrationId) {
        let Some(registering) = self.kept.get_mut(&id) else { return };
        registering.keep_alive = None;
        let Some(flow) = registering.flow.filter(|_| registering.is_up) else { return };
        let usual = if flow.transport.is_datagram() { KEEP_ALIVE_DATAGRAM } else { KEEP_ALIVE_STREAM };
        let every = registering.spec.keep_alive.unwrap_or(usual);
        registering.keep_alive = Some(self.timers.set(cx.now + every, Due::KeepAlive(id)));
        cx.push(Action::Send { flow, bytes: PING });
    }

    /// The connection of a registration is gone: calls would not arrive any more.
    pub(super) fn handle_flow_gone(&mut self, cx: &Context, flow: Flow) {
        if self.kept.is_empty() {
            return;
        }
        let is_its = |one: &Registering| {
            one.flow.is_some_and(|own| (own.transport, own.remote) == (flow.transport, flow.remote))
                && one.key.is_none()
                && one.is_up
        };
        for (id, registering) in self.kept.iter_mut().filter(|(_, one)| is_its(one)) {
            (registering.is_up, registering.flow) = (false, None);
            let due = Due::Refresh(*id);
            let old = registering.ticket.replace(self.timers.set(cx.now + PAUSE_LOST, due));
            [old, registering.keep_alive.take()]
                .into_iter()
                .flatten()
                .for_each(|ticket| self.timers.clear(ticket));
        }
    }
}

/// The granted expiry of our contact: its own parameter, or the Expires header (section 10.2.4).
fn granted(response: &Response, ours: std::net::SocketAddr, asked: Duration) -> Duration {
    let own = response.headers.typed_all::<ContactValue>().find_map(|contact| {
        let Ok(ContactValue::Address(address)) = contact else { return None };
        let host = message::host_text(address.uri.host()?);
        let is_ours =
            host.trim_matches(['[', ']']).parse() == Ok(ours.ip()) && address.uri.port() == Some(ours.port());
        let expires = std::str::from_utf8(address.param("expires")?).ok()?.trim().parse::<u64>().ok()?;
        is_ours.then_some(expires)
    });
    let of_message = || message::text(&response.headers, &HeaderName::Expires)?.parse().ok();
    let granted = own.or_else(of_message).map_or(asked, Duration::from_secs);
    granted.clamp(EXPIRES_MIN, EXPIRES_MAX)
}
