//! Subscriptions (RFC 6665) to conferences (RFC 4575) and, created by REFER, to referrals (RFC 3515). The program
//! provides the documents.

use super::{
    CallId, Flow, RequestId, SipEvent, SubscriptionId,
    context::{Action, Context, Notice, Owner, Received},
    dialog::Dialog,
    message::{self, Side},
    timers::{Ticket, Timers},
};
use sipx_sip::{HeaderName, Method, Request};
use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

/// The package that can be subscribed to.
pub(super) const PACKAGE: &str = "conference";
const SIPFRAG: &str = "message/sipfrag;version=2.0";
pub(super) const CONFERENCE_INFO: &str = "application/conference-info+xml";
/// Duration of a subscription, in seconds.
const EXPIRES_S: RangeInclusive<u32> = 60..=7200;
const EXPIRES_DEFAULT_S: u32 = 3600;
/// Time for a referred call to succeed or fail, in seconds.
const REFERRAL_S: u32 = 300;
/// Subscribers at a time: each costs a document at every change.
const SUBSCRIPTIONS_MAX: usize = 10_000;

/// The subscribed resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Package {
    Conference,
    /// The progress of the call that the REFER of this number asked for.
    Referral {
        cseq: u32,
    },
}

/// A subscriber.
#[derive(Debug)]
struct Subscription {
    package: Package,
    dialog: Path,
    /// The value of Event, to be repeated.
    event: String,
    expires_at: Duration,
    ticket: Ticket,
}

/// The dialog of its requests.
#[derive(Debug)]
enum Path {
    Own(Box<OwnDialog>),
    /// That of a call, also when the call is over.
    Of(CallId),
}

/// A dialog that is no call's, or is none's any more.
#[derive(Debug)]
struct OwnDialog {
    dialog: Dialog,
    contact_user: String,
}

/// The dialog of a call, as far as it matters to subscriptions within it.
#[derive(Debug)]
pub(super) struct CallDialog {
    pub(super) call: CallId,
    pub(super) local_tag: String,
    pub(super) contact_user: String,
    pub(super) is_focus: bool,
    /// REFERs received in it, including this one.
    pub(super) referrals: u32,
}

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    open: BTreeMap<SubscriptionId, Subscription>,
    /// Dialogs of calls that are over, as long as a referrer waits for an outcome in them. Those of one call share one: their
    /// requests are counted together (RFC 3261, section 12.2.1.1).
    left_over: BTreeMap<CallId, OwnDialog>,
    timers: Timers<SubscriptionId>,
}

impl Subscriptions {
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.left_over.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= SUBSCRIPTIONS_MAX
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// The next one that has expired (RFC 6665, section 4.4.1).
    pub(super) fn handle_timeout(&mut self, cx: &mut Context) {
        if let Some((_, id)) = self.timers.pop_due(cx.now) {
            self.send_notify(cx, id, "terminated;reason=timeout", None);
            self.forget(cx, id);
        }
    }

    /// Accepts a subscription; `body` is the first document. Its duration is as requested, within bounds; zero means
    /// that only this document is wanted.
    pub(super) fn accept(
        &mut self,
        cx: &mut Context,
        id: RequestId,
        received: &Received,
        call: Option<CallDialog>,
        body: String,
    ) -> Option<SubscriptionId> {
        let request = &received.request;
        let expires = expires_of(request);
        let contact_user = message::target(&request.uri).user;
        let local_tag = call.as_ref().map_or_else(|| cx.token(8), |call| call.local_tag.clone());
        let path = match &call {
            Some(call) => Path::Of(call.call),
            None => match Dialog::of_server(request, &local_tag, received.flow) {
                Some(dialog) => Path::own(dialog, &contact_user),
                None => {
                    cx.respond_plain(received, 400);
                    return None;
                }
            },
        };
        answer_subscribe(cx, received, received.flow, &local_tag, &contact_user, expires);
        let event = message::text(&request.headers, &HeaderName::Event).unwrap_or_else(|| PACKAGE.to_owned());
        let subscription = self.begin(cx, id, Package::Conference, path, expires, event);
        self.notify(cx, subscription, body);
        (expires > 0).then_some(subscription)
    }

    /// Accepts a REFER: 202, and the first NOTIFY, unless none is wanted (RFC 4488).
    pub(super) fn accept_referral(
        &mut self,
        cx: &mut Context,
        id: RequestId,
        received: &Received,
        call: Option<CallDialog>,
    ) {
        let (request, flow) = (&received.request, received.flow);
        let wants_none = message::text(&request.headers, &HeaderName::ReferSub).is_some_and(|value| {
            value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("false")
        });
        let cseq = message::cseq(&request.headers).unwrap_or_default();
        let (tag, contact, user, number) = match &call {
            Some(call) => {
                let contact = cx.contact(flow, &call.contact_user, call.is_focus);
                (call.local_tag.clone(), contact, call.contact_user.clone(), call.referrals)
            }
            None => {
                let user = message::target(&request.uri).user;
                (cx.token(8), cx.contact(flow, &user, false), user, 1)
            }
        };
        let response = message::response(request, 202, Some("Accepted"), Some(&tag), &cx.product);
        let Some(mut response) = response else { return };
        for header in request.headers.get_all(&HeaderName::RecordRoute) {
            response.headers.push(header.clone());
        }
        message::push(&mut response.headers, HeaderName::Contact, contact);
        if wants_none {
            message::push(&mut response.headers, HeaderName::ReferSub, "false");
        }
        cx.respond(&received.key, response);
        if wants_none {
            return;
        }
        let path = match call {
            Some(call) => Path::Of(call.call),
            None => match Dialog::of_server(request, &tag, flow) {
                Some(dialog) => Path::own(dialog, &user),
                None => return,
            },
        };
        // From the second REFER of a dialog on, the event has to say which one it is about (RFC 3515, section 2.4.6).
        let event = if number == 1 { "refer".to_owned() } else { format!("refer;id={cseq}") };
        self.begin(cx, id, Package::Referral { cseq }, path, REFERRAL_S, event);
        self.report_referral(cx, id, 100, message::phrase(100));
    }

    /// Adds a subscriber.
    fn begin(
        &mut self,
        cx: &Context,
        id: RequestId,
        package: Package,
        dialog: Path,
        expires: u32,
        event: String,
    ) -> SubscriptionId {
        let id = SubscriptionId(id.0);
        let expires_at = cx.now + Duration::from_secs(u64::from(expires));
        let ticket = self.timers.set(expires_at, id);
        self.open.insert(id, Subscription { package, dialog, event, expires_at, ticket });
        id
    }

    /// The subscription of a SUBSCRIBE with a To tag. `call`: the call whose dialog it uses, if any.
    pub(super) fn find(&self, request: &Request, call: Option<CallId>) -> Option<SubscriptionId> {
        let (call_id, tag) =
            (message::call_id(&request.headers), message::tag_of(&request.headers, Side::To)?);
        let event = message::text(&request.headers, &HeaderName::Event).unwrap_or_default();
        let mut event = event.split(';').map(str::trim);
        let package = event.next().unwrap_or_default().to_ascii_lowercase();
        let number = event.find_map(|part| part.strip_prefix("id=")?.parse::<u32>().ok());
        self.open
            .iter()
            .filter(|(_, subscription)| match subscription.package {
                Package::Conference => package == PACKAGE,
                Package::Referral { cseq } => {
                    package == "refer" && number.is_none_or(|number| number == cseq)
                }
            })
            .find(|(_, subscription)| {
                let is_in = |own: &OwnDialog| own.dialog.call_id == call_id && own.dialog.local_tag == tag;
                match &subscription.dialog {
                    Path::Own(own) => is_in(own),
                    Path::Of(of) => call == Some(*of) || self.left_over.get(of).is_some_and(is_in),
                }
            })
            .map(|(id, _)| *id)
    }

    /// Refreshes or ends it.
    pub(super) fn handle_resubscribe(
        &mut self,
        cx: &mut Context,
        received: &Received,
        id: SubscriptionId,
        call: Option<CallDialog>,
    ) {
        let expires = expires_of(&received.request);
        let Some(subscription) = self.open.get_mut(&id) else { return };
        let is_conference = subscription.package == Package::Conference;
        self.timers.clear(subscription.ticket);
        subscription.expires_at = cx.now + Duration::from_secs(u64::from(expires));
        subscription.ticket = self.timers.set(subscription.expires_at, id);
        let own = match &mut subscription.dialog {
            Path::Own(own) => Some(&mut **own),
            Path::Of(of) => self.left_over.get_mut(of),
        };
        let (tag, user) = match (own, call) {
            (Some(own), _) => {
                own.dialog.refresh(&received.request, received.flow);
                (own.dialog.local_tag.clone(), own.contact_user.clone())
            }
            (None, Some(call)) => (call.local_tag, call.contact_user),
            (None, None) => return,
        };
        answer_subscribe(cx, received, received.flow, &tag, &user, expires);
        // One that ends is told so by its timer.
        if is_conference && expires > 0 {
            cx.event(SipEvent::Resubscribed(id));
        }
    }

    /// Sends a document to a subscriber.
    pub(super) fn notify(&mut self, cx: &mut Context, id: SubscriptionId, body: String) {
        let Some(subscription) = self.open.get(&id) else { return };
        let left = subscription.expires_at.saturating_sub(cx.now).as_secs();
        let state = match left {
            0 => "terminated;reason=timeout".to_owned(),
            left => format!("active;expires={left}"),
        };
        self.send_notify(cx, id, &state, Some(body));
    }

    /// Ends a subscription whose resource no longer exists.
    pub(super) fn end(&mut self, cx: &mut Context, id: SubscriptionId) {
        self.send_notify(cx, id, "terminated;reason=noresource", None);
        self.forget(cx, id);
    }

    /// Reports the status of the call to its referrer: final from 200 on.
    pub(super) fn report_referral(&mut self, cx: &mut Context, id: RequestId, status: u16, phrase: &str) {
        let id = SubscriptionId(id.0);
        let is_referral = |one: &&Subscription| matches!(one.package, Package::Referral { .. });
        let Some(subscription) = self.open.get(&id).filter(is_referral) else { return };
        let left = subscription.expires_at.saturating_sub(cx.now).as_secs().max(1);
        let body = format!("SIP/2.0 {} {}\r\n", status.clamp(100, 699), crate::text::line(phrase));
        if status < 200 {
            return self.send_notify(cx, id, &format!("active;expires={left}"), Some(body));
        }
        self.send_notify(cx, id, "terminated;reason=noresource", Some(body));
        self.forget(cx, id);
    }

    fn send_notify(&mut self, cx: &mut Context, id: SubscriptionId, state: &str, body: Option<String>) {
        let Some(subscription) = self.open.get_mut(&id) else { return };
        let is_conference = subscription.package == Package::Conference;
        let content = if is_conference { CONFERENCE_INFO } else { SIPFRAG };
        let notice = Notice {
            event: subscription.event.clone(),
            state: state.to_owned(),
            body: body.map(|body| (content, body)),
            is_focus: is_conference,
        };
        let own = match &mut subscription.dialog {
            Path::Own(own) => &mut **own,
            Path::Of(call) => match self.left_over.get_mut(call) {
                Some(own) => own,
                None => {
                    let (call, notice) = (*call, Box::new(notice));
                    return cx.push(Action::NotifyInCall { call, subscription: id, notice });
                }
            },
        };
        let flow = own.dialog.next_hop();
        let notify = notice.into_request(cx, &mut own.dialog, flow, &own.contact_user);
        cx.send_request(notify, flow, Owner::Subscription(id));
    }

    /// A subscriber that no longer knows its subscription, or cannot be reached, has none (RFC 6665, section 4.2.2).
    pub(super) fn handle_response(&mut self, cx: &mut Context, id: SubscriptionId, status: u16) {
        if matches!(status, 404 | 405 | 408 | 410 | 481 | 483 | 489 | 501 | 604) {
            self.forget(cx, id);
        }
    }

    /// It has ended, and the subscriber is not notified any more.
    pub(super) fn forget(&mut self, cx: &mut Context, id: SubscriptionId) {
        if let Some(subscription) = self.open.remove(&id) {
            self.timers.clear(subscription.ticket);
            if let Path::Of(call) = subscription.dialog
                && self.left_over.contains_key(&call)
                && !self.open.values().any(|other| other.is_of(call))
            {
                self.left_over.remove(&call);
            }
            if subscription.package == Package::Conference {
                cx.event(SipEvent::Unsubscribed(id));
            }
        }
    }

    /// A call has ended, and with it what used its dialog; only a referrer is still notified of the progress (RFC
    /// 5057, 4.2).
    pub(super) fn handle_call_over(
        &mut self,
        cx: &mut Context,
        call: CallId,
        of: &Dialog,
        contact_user: &str,
    ) {
        let (referrals, over): (Vec<_>, Vec<_>) = self
            .open
            .iter()
            .filter(|(_, one)| one.is_of(call))
            .map(|(id, one)| (*id, one.package))
            .partition(|(_, package)| *package != Package::Conference);
        if !referrals.is_empty() {
            let contact_user = contact_user.to_owned();
            self.left_over.insert(call, OwnDialog { dialog: of.clone(), contact_user });
        }
        over.into_iter().for_each(|(id, _)| self.forget(cx, id));
    }
}

impl Path {
    fn own(dialog: Dialog, contact_user: &str) -> Self {
        Self::Own(Box::new(OwnDialog { dialog, contact_user: contact_user.to_owned() }))
    }
}

impl Subscription {
    fn is_of(&self, call: CallId) -> bool {
        matches!(self.dialog, Path::Of(of) if of == call)
    }
}

impl Notice {
    /// The NOTIFY within a dialog.
    pub(super) fn into_request(
        self,
        cx: &mut Context,
        dialog: &mut Dialog,
        flow: Flow,
        contact_user: &str,
    ) -> Request {
        let (via, contact) = (cx.via(flow), cx.contact(flow, contact_user, self.is_focus));
        let mut notify = dialog.request(Method::Notify, via, contact, &cx.product);
        message::push(&mut notify.headers, HeaderName::Event, self.event);
        message::push(&mut notify.headers, HeaderName::SubscriptionState, self.state);
        if let Some((content, body)) = self.body {
            message::push(&mut notify.headers, HeaderName::ContentType, content);
            message::set(&mut notify.headers, &HeaderName::ContentLength, body.len().to_string());
            notify.set_body(body.into());
        }
        notify
    }
}

fn answer_subscribe(
    cx: &mut Context,
    received: &Received,
    flow: Flow,
    tag: &str,
    contact_user: &str,
    expires: u32,
) {
    let request = &received.request;
    let contact = cx.contact(flow, contact_user, true);
    if let Some(mut response) = message::response(request, 200, None, Some(tag), &cx.product) {
        for header in request.headers.get_all(&HeaderName::RecordRoute) {
            response.headers.push(header.clone());
        }
        message::push(&mut response.headers, HeaderName::Contact, contact);
        message::push(&mut response.headers, HeaderName::Expires, expires.to_string());
        cx.respond(&received.key, response);
    }
}

fn expires_of(request: &Request) -> u32 {
    let asked = message::text(&request.headers, &HeaderName::Expires).and_then(|text| text.parse().ok());
    match asked.unwrap_or(EXPIRES_DEFAULT_S) {
        0 => 0,
        seconds => seconds.clamp(*EXPIRES_S.start(), *EXPIRES_S.end()),
    }
}
