//! Requests outside of calls that the program answers: registrations, subscriptions, referrals. They are parsed here,
//! and wait under a number until the program has decided.

mod referral;
mod registration;

use super::{
    CallId, RequestId, SipEvent, Subscribing,
    context::{Context, RETRY_AFTER_S, Received},
    message,
    subscriptions::{CONFERENCE_INFO, PACKAGE},
};
use crate::{
    digest::{Authorization, Authorizations},
    guard::Caller,
};
use sipx_sip::{HeaderName, Method, Request};
use std::collections::BTreeMap;

/// A request that waits for the program.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) received: Received,
    /// The call whose dialog it came in.
    pub(super) call: Option<CallId>,
}

#[derive(Debug, Default)]
pub(super) struct Requests {
    pending: BTreeMap<RequestId, Pending>,
    issued: u64,
}

impl Requests {
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    fn wait(&mut self, pending: Pending) -> RequestId {
        self.issued += 1;
        let id = RequestId(self.issued);
        self.pending.insert(id, pending);
        id
    }

    /// The program has decided.
    pub(super) fn take(&mut self, id: RequestId) -> Option<Pending> {
        self.pending.remove(&id)
    }

    /// Refuses, or challenges (401 with WWW-Authenticate).
    pub(super) fn refuse(
        &mut self,
        cx: &mut Context,
        id: RequestId,
        status: u16,
        extra: &[(String, String)],
    ) {
        let Some(pending) = self.pending.remove(&id) else { return };
        let extra = message::named(extra);
        cx.respond_with(&pending.received, status.clamp(300, 699), None, &extra);
    }

    /// `has_room`: another subscription is accepted.
    pub(super) fn handle_subscribe(&mut self, cx: &mut Context, pending: Pending, has_room: bool) {
        let (request, flow) = (&pending.received.request, pending.received.flow);
        let headers = &request.headers;
        let refuse = |cx: &mut Context, status: u16, name: HeaderName, value: &str| {
            let extra = [(name, value.to_owned())];
            cx.respond_with(&pending.received, status, None, &extra);
        };
        let event = message::text(headers, &HeaderName::Event).unwrap_or_default();
        if !event.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(PACKAGE) {
            return refuse(cx, 489, HeaderName::AllowEvents, PACKAGE);
        }
        if message::text(headers, &HeaderName::Accept)
            .is_some_and(|accept| !accept.contains(CONFERENCE_INFO) && !accept.contains("*/*"))
        {
            return refuse(cx, 406, HeaderName::Accept, CONFERENCE_INFO);
        }
        if !has_room {
            return refuse(cx, 503, HeaderName::RetryAfter, RETRY_AFTER_S);
        }
        let mut subscribing = Subscribing {
            request: RequestId(0),
            target: message::target(&request.uri),
            call: pending.call,
            authorizations: authorizations(request),
            caller: caller(request),
            flow,
        };
        subscribing.request = self.wait(pending);
        cx.event(SipEvent::Subscribing(Box::new(subscribing)));
    }
}

/// The credentials of a request. We challenge as a server (401), but a client that takes us for its proxy answers in
/// Proxy-Authorization.
pub(super) fn authorizations(request: &Request) -> Authorizations {
    let method = String::from_utf8_lossy(request.method.as_bytes()).into_owned();
    let own = request.headers.get_all(&HeaderName::Authorization);
    let of_proxies = request.headers.get_all(&HeaderName::ProxyAuthorization);
    Authorizations::parse(own.chain(of_proxies).map(sipx_sip::Header::value), &method)
}

/// The sender of a request, by its own claim, and its target.
pub(super) fn caller(request: &Request) -> Caller {
    let authorizations = authorizations(request);
    // Of several passwords the first: whichever it is for, the same client sends the same.
    for one in authorizations.iter() {
        if let Authorization::Digest(answer) = one {
            return Caller::with_password(&answer.username);
        }
    }
    let from = message::name_addr(&request.headers, message::Side::From);
    let caller = match request.method {
        Method::Register => {
            Caller::with_password(&message::name_addr(&request.headers, message::Side::To).user)
        }
        _ => Caller::asking_for(&from.user, &message::target(&request.uri).user),
    };
    // Many are anonymous, or have the name of their program.
    let tokens: Vec<&str> = authorizations.bearers().collect();
    caller.bringing(if tokens.is_empty() { from.host } else { tokens.join(" ") }.as_str())
}
