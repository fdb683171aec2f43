//! Those who follow a conference: the subscriptions of RFC 6665 for the event package of RFC 4575. What they are told is
//! the program's business.

use super::{
    CallId, Flow, RequestId, SipEvent, Subscribing, SubscriptionId, UserAgent,
    dialog::Dialog,
    message::{self, Side},
    timers::{Due, Ticket},
};
use sipx_sip::{HeaderName, Method, Request, Response, TransactionKey};
use std::{ops::RangeInclusive, time::Duration};

/// The one package that we serve.
const PACKAGE: &str = "conference";
pub(super) const CONFERENCE_INFO: &str = "application/conference-info+xml";
/// How long a subscription lasts, in seconds.
const EXPIRES_S: RangeInclusive<u32> = 60..=7200;
const EXPIRES_DEFAULT_S: u32 = 3600;
/// Those who follow, at the most: each costs a document at every change.
const SUBSCRIPTIONS_MAX: usize = 10_000;

/// Somebody who follows a conference.
#[derive(Debug)]
pub(super) struct Subscription {
    dialog: Path,
    /// The `id` of Event, to be said again.
    event: String,
    expires_at: Duration,
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
            authorization: super::registration::authorization(request),
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
        let dialog = match call {
            Some(call) => Path::Of(call),
            None => match Dialog::of_server(&request, &local_tag, flow) {
                Some(dialog) => Path::Own { dialog: Box::new(dialog), contact_user: contact_user.clone() },
                None => {
                    self.respond_plain(&key, &request, 400, now);
                    return None;
                }
            },
        };
        let subscription = SubscriptionId(id.0);
        self.answer_subscribe(&key, &request, flow, &local_tag, &contact_user, expires, now);
        let expires_at = now + Duration::from_secs(u64::from(expires));
        let ticket = self.timers.set(expires_at, Due::Subscription(subscription));
        let event = message::text(&request.headers, &HeaderName::Event).unwrap_or_else(|| PACKAGE.to_owned());
        self.subscriptions.insert(subscription, Subscription { dialog, event, expires_at, ticket });
        self.notify(subscription, body, now);
        (expires > 0).then_some(subscription)
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
        self.subscriptions
            .iter()
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

    fn send_notify(&mut self, id: SubscriptionId, state: &str, body: Option<String>, now: Duration) {
        let Some(subscription) = self.subscriptions.get(&id) else { return };
        let (flow, user) = match &subscription.dialog {
            Path::Own { dialog, contact_user } => (dialog.next_hop(), contact_user.clone()),
            Path::Of(call) => match self.calls.get(call) {
                Some(call) => (call.dialog.next_hop(), call.contact_user.clone()),
                None => return self.forget_subscription(id),
            },
        };
        let (via, contact) = (self.via(flow), self.contact(flow, &user, true));
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
            message::push(&mut notify.headers, HeaderName::ContentType, CONFERENCE_INFO);
            message::set(&mut notify.headers, &HeaderName::ContentLength, body.len().to_string());
            notify.set_body(body.into());
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

    fn forget_subscription(&mut self, id: SubscriptionId) {
        if let Some(subscription) = self.subscriptions.remove(&id) {
            self.timers.clear(subscription.ticket);
            self.event(SipEvent::Unsubscribed(id));
        }
    }

    /// A call is over, and with it what travelled in its dialog.
    pub(super) fn forget_subscriptions_of(&mut self, call: CallId) {
        let of_call = |subscription: &Subscription| matches!(subscription.dialog, Path::Of(of) if of == call);
        let over: Vec<SubscriptionId> = self
            .subscriptions
            .iter()
            .filter(|(_, subscription)| of_call(subscription))
            .map(|(id, _)| *id)
            .collect();
        over.into_iter().for_each(|id| self.forget_subscription(id));
    }
}

fn expires_of(request: &Request) -> u32 {
    let asked = message::text(&request.headers, &HeaderName::Expires).and_then(|text| text.parse().ok());
    match asked.unwrap_or(EXPIRES_DEFAULT_S) {
        0 => 0,
        seconds => seconds.clamp(*EXPIRES_S.start(), *EXPIRES_S.end()),
    }
}
