//! Those who follow something: the subscriptions of RFC 6665, for the event package of conferences (RFC 4575) and, begun by
//! REFER, for that of referrals (RFC 3515). What they are told is the program's business.

use super::{
    CallId, Flow, RequestId, SipEvent, Subscribing, SubscriptionId, UserAgent,
    calls::Call,
    dialog::Dialog,
    message::{self, Side},
    timers::{Due, Ticket},
};
use sipx_sip::{HeaderName, Method, Request, Response, TransactionKey};
use std::{ops::RangeInclusive, time::Duration};

/// The one package that can be subscribed to.
const PACKAGE: &str = "conference";
const SIPFRAG: &str = "message/sipfrag;version=2.0";
pub(super) const CONFERENCE_INFO: &str = "application/conference-info+xml";
/// How long a subscription lasts, in seconds.
const EXPIRES_S: RangeInclusive<u32> = 60..=7200;
const EXPIRES_DEFAULT_S: u32 = 3600;
/// Those who follow, at the most: each costs a document at every change.
pub(super) const SUBSCRIPTIONS_MAX: usize = 10_000;

/// What is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Package {
    Conference,
    /// How the call goes that the REFER of this number asked for.
    Referral {
        cseq: u32,
    },
}

/// Somebody who follows something.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) package: Package,
    dialog: Path,
    /// The value of Event, to be said again.
    event: String,
    pub(super) expires_at: Duration,
    ticket: Ticket,
}

/// Which dialog its requests travel in.
#[derive(Debug)]
enum Path {
    Own { dialog: Box<Dialog>, contact_user: String },
    Of(CallId),
}

impl UserAgent {
    pub(super) fn on_subscribe(
        &mut self,
        key: &TransactionKey,
        request: &Request,
        call: Option<CallId>,
        now: Duration,
    ) {
        let headers = &request.headers;
        let event = message::text(headers, &HeaderName::Event).unwrap_or_default();
        if !event.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(PACKAGE) {
            let extra = [(HeaderName::AllowEvents, PACKAGE.to_owned())];
            return self.respond_with(key, request, 489, None, &extra, now);
        }
        if message::text(headers, &HeaderName::Accept)
            .is_some_and(|accept| !accept.contains(CONFERENCE_INFO) && !accept.contains("*/*"))
        {
            let extra = [(HeaderName::Accept, CONFERENCE_INFO.to_owned())];
            return self.respond_with(key, request, 406, None, &extra, now);
        }
        if self.is_overloaded || self.is_draining || self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            let extra = [(HeaderName::RetryAfter, super::RETRY_AFTER_S.to_owned())];
            return self.respond_with(key, request, 503, None, &extra, now);
        }
        let Some(flow) = self.transactions.get(key).map(|transaction| transaction.flow) else { return };
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.requests.insert(id, (key.clone(), Box::new(request.clone())));
        self.event(SipEvent::Subscribing(Box::new(Subscribing {
            request: id,
            target: message::target(&request.uri),
            call,
            authorizations: super::registration::authorizations(request),
            caller: super::registration::caller(request),
            flow,
        })));
    }

    /// Agrees to a subscription, under the number of its request; `body` is the first document. For how long is what was
    /// asked for, within bounds; for nothing means that this document is all that was wanted.
    pub fn accept_subscription(
        &mut self,
        id: RequestId,
        call: Option<CallId>,
        body: String,
        now: Duration,
    ) -> Option<SubscriptionId> {
        let (key, request) = self.requests.remove(&id)?;
        let flow = self.transactions.get(&key).map(|transaction| transaction.flow)?;
        let expires = expires_of(&request);
        let local_tag = match call.and_then(|call| self.calls.get(&call)) {
            Some(call) => call.dialog.local_tag.clone(),
            None => self.token(8),
        };
        let contact_user = message::target(&request.uri).user;
        if call.is_none() && Dialog::of_server(&request, &local_tag, flow).is_none() {
            self.respond_plain(&key, &request, 400, now);
            return None;
        }
        self.answer_subscribe(&key, &request, flow, &local_tag, &contact_user, expires, now);
        let event = message::text(&request.headers, &HeaderName::Event).unwrap_or_else(|| PACKAGE.to_owned());
        let package = Package::Conference;
        let subscription =
            self.subscribe(id, package, &request, call, &local_tag, contact_user, flow, expires, event, now)?;
        self.notify(subscription, body, now);
        (expires > 0).then_some(subscription)
    }

    /// Notes somebody who follows from now on.
    #[allow(clippy::too_many_arguments)] // All of them are the request's; none is worth a struct of its own.
    pub(super) fn subscribe(
        &mut self,
        id: RequestId,
        package: Package,
        request: &Request,
        call: Option<CallId>,
        local_tag: &str,
        contact_user: String,
        flow: Flow,
        expires: u32,
        event: String,
        now: Duration,
    ) -> Option<SubscriptionId> {
        let dialog = match call {
            Some(call) => Path::Of(call),
            None => {
                let dialog = Box::new(Dialog::of_server(request, local_tag, flow)?);
                Path::Own { dialog, contact_user }
            }
        };
        let subscription = SubscriptionId(id.0);
        let expires_at = now + Duration::from_secs(u64::from(expires));
        let ticket = self.timers.set(expires_at, Due::Subscription(subscription));
        self.subscriptions.insert(subscription, Subscription { package, dialog, event, expires_at, ticket });
        Some(subscription)
    }

    #[allow(clippy::too_many_arguments)] // All of them are the request's; none is worth a struct of its own.
    fn answer_subscribe(
        &mut self,
        key: &TransactionKey,
        request: &Request,
        flow: Flow,
        tag: &str,
        contact_user: &str,
        expires: u32,
        now: Duration,
    ) {
        let contact = self.contact(flow, contact_user, true);
        if let Some(mut response) = message::response(request, 200, None, Some(tag), &self.config.product) {
            for header in request.headers.get_all(&HeaderName::RecordRoute) {
                response.headers.push(header.clone());
            }
            message::push(&mut response.headers, HeaderName::Contact, contact);
            message::push(&mut response.headers, HeaderName::Expires, expires.to_string());
            self.respond(key, response, now);
        }
    }

    /// The subscription of a SUBSCRIBE with a To tag.
    pub(super) fn subscription_of(&self, request: &Request) -> Option<SubscriptionId> {
        let (call_id, tag) =
            (message::call_id(&request.headers), message::tag_of(&request.headers, Side::To)?);
        let is_its = |dialog: &Dialog| dialog.call_id == call_id && dialog.local_tag == tag;
        let event = message::text(&request.headers, &HeaderName::Event).unwrap_or_default();
        let mut event = event.split(';').map(str::trim);
        let package = event.next().unwrap_or_default().to_ascii_lowercase();
        let number = event.find_map(|part| part.strip_prefix("id=")?.parse::<u32>().ok());
        self.subscriptions
            .iter()
            .filter(|(_, subscription)| match subscription.package {
                Package::Conference => package == PACKAGE,
                Package::Referral { cseq } => {
                    package == "refer" && number.is_none_or(|number| number == cseq)
                }
            })
            .find(|(_, subscription)| match &subscription.dialog {
                Path::Own { dialog, .. } => is_its(dialog),
                Path::Of(call) => self.calls.get(call).is_some_and(|call| is_its(&call.dialog)),
            })
            .map(|(id, _)| *id)
    }

    /// It goes on, or is over.
    pub(super) fn on_resubscribe(
        &mut self,
        key: &TransactionKey,
        request: &Request,
        id: SubscriptionId,
        now: Duration,
    ) {
        let Some(flow) = self.transactions.get(key).map(|transaction| transaction.flow) else { return };
        let expires = expires_of(request);
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        self.timers.clear(subscription.ticket);
        subscription.expires_at = now + Duration::from_secs(u64::from(expires));
        subscription.ticket = self.timers.set(subscription.expires_at, Due::Subscription(id));
        let (tag, user) = match &mut subscription.dialog {
            Path::Own { dialog, contact_user } => {
                dialog.refresh(request, flow);
                (dialog.local_tag.clone(), contact_user.clone())
            }
            Path::Of(call) => match self.calls.get(call) {
                Some(call) => (call.dialog.local_tag.clone(), call.contact_user.clone()),
                None => return,
            },
        };
        self.answer_subscribe(key, request, flow, &tag, &user, expires, now);
    }

    /// Tells a document to one who follows.
    pub fn notify(&mut self, id: SubscriptionId, body: String, now: Duration) {
        let Some(subscription) = self.subscriptions.get(&id) else { return };
        let left = subscription.expires_at.saturating_sub(now).as_secs();
        let state = match left {
            0 => "terminated;reason=timeout".to_owned(),
            left => format!("active;expires={left}"),
        };
        self.send_notify(id, &state, Some(body), now);
    }

    /// Ends a subscription: what was followed is no more.
    pub fn end_subscription(&mut self, id: SubscriptionId, now: Duration) {
        self.send_notify(id, "terminated;reason=noresource", None, now);
        self.forget_subscription(id);
    }

    pub(super) fn send_notify(
        &mut self,
        id: SubscriptionId,
        state: &str,
        body: Option<String>,
        now: Duration,
    ) {
        let Some(subscription) = self.subscriptions.get(&id) else { return };
        let is_conference = subscription.package == Package::Conference;
        let (flow, user, is_focus, call) = match &subscription.dialog {
            Path::Own { dialog, contact_user } => {
                (dialog.next_hop(), contact_user.clone(), is_conference, None)
            }
            Path::Of(id_of_call) => match self.calls.get(id_of_call) {
                Some(call) => {
                    let is_focus = is_conference || call.is_focus;
                    (call.dialog.next_hop(), call.contact_user.clone(), is_focus, Some(*id_of_call))
                }
                None => return self.forget_subscription(id),
            },
        };
        let (via, contact) = (self.via(flow), self.contact(flow, &user, is_focus));
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        let dialog = match &mut subscription.dialog {
            Path::Own { dialog, .. } => &mut **dialog,
            Path::Of(call) => match self.calls.get_mut(call) {
                Some(call) => &mut call.dialog,
                None => return,
            },
        };
        let mut notify = dialog.request(Method::Notify, via, contact, &self.config.product);
        message::push(&mut notify.headers, HeaderName::Event, subscription.event.clone());
        message::push(&mut notify.headers, HeaderName::SubscriptionState, state.to_owned());
        if let Some(body) = body {
            let content = if is_conference { CONFERENCE_INFO } else { SIPFRAG };
            message::push(&mut notify.headers, HeaderName::ContentType, content);
            message::set(&mut notify.headers, &HeaderName::ContentLength, body.len().to_string());
            notify.set_body(body.into());
        }
        if let Some(call) = call {
            self.sign(call, &mut notify);
        }
        if let Some(key) = self.send_request_of(notify, flow, None, now)
            && let Some(transaction) = self.transactions.get_mut(&key)
        {
            transaction.subscription = Some(id);
        }
    }

    /// Whoever does not know of its subscription any more, or is not there, has none (RFC 6665, section 4.2.2).
    pub(super) fn on_notify_response(&mut self, key: &TransactionKey, response: &Response) {
        let is_over = matches!(response.status.code(), 404 | 405 | 408 | 410 | 481 | 483 | 489 | 501 | 604);
        if is_over {
            self.on_notify_failure(key);
        }
    }

    pub(super) fn on_notify_failure(&mut self, key: &TransactionKey) {
        if let Some(id) = self.transactions.get(key).and_then(|transaction| transaction.subscription) {
            self.forget_subscription(id);
        }
    }

    pub(super) fn on_subscription_due(&mut self, id: SubscriptionId, now: Duration) {
        self.send_notify(id, "terminated;reason=timeout", None, now);
        self.forget_subscription(id);
    }

    pub(super) fn forget_subscription(&mut self, id: SubscriptionId) {
        if let Some(subscription) = self.subscriptions.remove(&id) {
            self.timers.clear(subscription.ticket);
            if subscription.package == Package::Conference {
                self.event(SipEvent::Unsubscribed(id));
            }
        }
    }

    /// A call is over, and with it what travelled in its dialog; only who asked for a call by it still hears how that goes
    /// (RFC 5057, 4.2).
    pub(super) fn forget_subscriptions_of(&mut self, id: CallId, call: &Call) {
        let mut over = Vec::new();
        for (subscription, entry) in &mut self.subscriptions {
            if !matches!(entry.dialog, Path::Of(of) if of == id) {
                continue;
            }
            match entry.package {
                Package::Conference => over.push(*subscription),
                Package::Referral { .. } => {
                    let (dialog, contact_user) = (Box::new(call.dialog.clone()), call.contact_user.clone());
                    entry.dialog = Path::Own { dialog, contact_user };
                }
            }
        }
        over.into_iter().for_each(|subscription| self.forget_subscription(subscription));
    }
}

fn expires_of(request: &Request) -> u32 {
    let asked = message::text(&request.headers, &HeaderName::Expires).and_then(|text| text.parse().ok());
    match asked.unwrap_or(EXPIRES_DEFAULT_S) {
        0 => 0,
        seconds => seconds.clamp(*EXPIRES_S.start(), *EXPIRES_S.end()),
    }
}
