//! Admission: allowed networks, limits for each source, and whether anything new is accepted.

use super::{
    Flow, Transport, UaConfig,
    context::{Context, RETRY_AFTER_S},
    message, requests,
    types::SipEvent,
};
use crate::guard::{self, Admission, Ban, BanReason, Caller, Consequence, Guard, GuardConfig, Proof, Whence};
use ipnet::IpNet;
use sipx_sip::{HeaderName, Message, Method, Request};
use std::{net::IpAddr, time::Duration};

impl From<Flow> for Whence {
    fn from(flow: Flow) -> Self {
        Self { source: flow.remote.ip(), is_foreign: flow.is_foreign }
    }
}

#[derive(Debug)]
pub(super) struct Gate {
    allow_from: Vec<IpNet>,
    websockets_from: Vec<IpNet>,
    guard: Guard,
    /// New calls are refused with 503 while the program is overloaded.
    pub(super) is_overloaded: bool,
    /// New calls are refused with 503 because this process is about to end.
    pub(super) is_draining: bool,
}

impl Gate {
    pub(super) fn new(config: &UaConfig) -> Self {
        Self {
            allow_from: config.allow_from.clone(),
            websockets_from: config.websockets_from.clone(),
            guard: Guard::new(config.guard.clone()),
            is_overloaded: false,
            is_draining: false,
        }
    }

    /// Nothing new is accepted at present.
    pub(super) fn is_closed(&self) -> bool {
        self.is_overloaded || self.is_draining
    }

    pub(super) fn set_limits(&mut self, allow: Vec<IpNet>, websockets: Vec<IpNet>, guard: GuardConfig) {
        (self.allow_from, self.websockets_from) = (allow, websockets);
        self.guard.set_config(guard);
    }

    pub(super) fn bans(&self, now: Duration) -> Vec<Ban> {
        self.guard.bans(now)
    }

    pub(super) fn lift_ban(&mut self, source: IpAddr, now: Duration) -> bool {
        self.guard.lift(source, now)
    }

    pub(super) fn is_banned(&self, flow: Flow, now: Duration) -> bool {
        self.guard.is_banned(flow.remote.ip(), now)
    }

    /// Requests on this flow are answered at all.
    pub(super) fn is_allowed(&self, flow: Flow) -> bool {
        let source = flow.remote.ip().to_canonical();
        let is_in = |networks: &[IpNet]| networks.iter().any(|net| net.contains(&source));
        let is_websocket = matches!(flow.transport, Transport::Ws | Transport::Wss);
        is_in(&self.allow_from) || (is_websocket && is_in(&self.websockets_from))
    }

    /// Whether a source with these connections may open another one.
    pub(super) fn may_connect(&self, flow: Flow, open: impl Iterator<Item = IpAddr>) -> bool {
        let open = open.filter(|other| self.guard.is_same(flow, *other)).count();
        self.guard.may_connect(flow, open)
    }

    /// Whether a request is processed: limits apply to requests that begin something new. Requests of established
    /// calls always pass, or a ban would cut off others behind the same NAT.
    pub(super) fn admits(&mut self, cx: &mut Context, request: &Request, flow: Flow) -> bool {
        let is_new = !matches!(request.method, Method::Ack | Method::Cancel)
            && message::tag_of(&request.headers, message::Side::To).is_none();
        if !is_new {
            return true;
        }
        if message::text(&request.headers, &HeaderName::UserAgent)
            .is_some_and(|name| guard::is_scanner(&name))
        {
            self.failed(cx, flow, BanReason::AttackTool);
            return false;
        }
        let brings_tokens = requests::authorizations(request).are_tokens();
        let brings_something = proof_of(flow) == Proof::Reached
            || request.headers.get(&HeaderName::Authorization).is_some()
            || request.headers.get(&HeaderName::ProxyAuthorization).is_some();
        let caller = requests::caller(request);
        if self.guard.is_blocked(flow, &caller, brings_something, cx.now) {
            return false;
        }
        let admission = match brings_tokens {
            true => self.guard.admit_with_tokens(flow, cx.now),
            false => self.guard.admit_caller(flow, &caller, brings_something, cx.now),
        };
        match admission {
            Admission::Admitted => true,
            Admission::Ignored => false,
            Admission::TooMany => {
                if let Some(mut response) = message::response(request, 503, None, None, &cx.product) {
                    message::push(&mut response.headers, HeaderName::RetryAfter, RETRY_AFTER_S);
                    let back = message::response_flow(request, flow);
                    cx.send(back, &Message::Response(response));
                }
                false
            }
        }
    }

    /// Whether a request that cannot be read or understood is answered. It counts as a failure. Where too many came, they
    /// get no answer any more, and take nothing of what others at the source may send.
    pub(super) fn admits_unreadable(&mut self, cx: &mut Context, flow: Flow) -> bool {
        let is_reached = proof_of(flow) == Proof::Reached;
        if self.guard.is_blocked(flow, &Caller::unreadable(), is_reached, cx.now)
            || self.guard.admit(flow, is_reached, cx.now) != Admission::Admitted
        {
            return false;
        }
        self.failed(cx, flow, BanReason::Unreadable);
        true
    }

    /// A source sent what no legitimate client sends.
    fn failed(&mut self, cx: &mut Context, flow: Flow, reason: BanReason) {
        let consequence = self.guard.failed(flow, proof_of(flow), reason, cx.now);
        tell(cx, flow, &Caller::unreadable(), consequence);
    }

    /// A caller asked for something it is not permitted.
    pub(super) fn report_failure(&mut self, cx: &mut Context, flow: Flow, caller: &Caller, is_reached: bool) {
        let proof = if is_reached { Proof::Reached } else { Proof::Doubtful };
        let consequence = self.guard.failed_as(flow, caller, proof, cx.now);
        tell(cx, flow, caller, consequence);
    }

    pub(super) fn report_success(&mut self, cx: &mut Context, flow: Flow, caller: &Caller, is_known: bool) {
        if let Some(source) = self.guard.succeeded(flow, caller, is_known, cx.now) {
            cx.event(SipEvent::Permitted { source });
        }
    }

    pub(super) fn remember_permitted(&mut self, permitted: &[(IpAddr, Duration)], now: Duration) {
        for (source, ago) in permitted {
            self.guard.remember(*source, *ago, now);
        }
    }
}

fn tell(cx: &mut Context, flow: Flow, caller: &Caller, consequence: Option<Consequence>) {
    let source = flow.remote.ip();
    match consequence {
        None => {}
        Some(Consequence::Banned(ban)) => cx.event(SipEvent::Banned { source, seconds: ban.as_secs() }),
        Some(Consequence::Blocked(block)) => {
            cx.event(SipEvent::Blocked { source, caller: caller.clone(), seconds: block.as_secs() });
        }
    }
}

/// The address of a connection cannot be forged.
fn proof_of(flow: Flow) -> Proof {
    if flow.transport.is_datagram() { Proof::Doubtful } else { Proof::Reached }
}
