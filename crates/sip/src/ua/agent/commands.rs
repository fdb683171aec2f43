//! Commands of the program: each goes to the part that it concerns.

use super::UserAgent;
use crate::{
    guard::{Ban, Caller, GuardConfig},
    ua::{
        CallId, DialSpec, EndCause, Flow, KeyBody, PingId, PingSpec, Reason, ReferTo, RegistrationId,
        RegistrationSpec, RequestId, SipEvent, SubscriptionId, requests::Pending,
    },
};
use ipnet::IpNet;
use std::{net::IpAddr, time::Duration};

impl UserAgent {
    /// New calls are refused with 503 while the program is overloaded.
    pub fn set_overloaded(&mut self, is_overloaded: bool) {
        self.gate.is_overloaded = is_overloaded;
    }

    /// New calls are refused with 503. OPTIONS is answered as ever: what it asks for, such as ICE servers, calls in progress need too.
    pub fn set_draining(&mut self, is_draining: bool) {
        self.gate.is_draining = is_draining;
    }

    /// Calls that have not ended.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Registrations that are maintained or being removed.
    #[must_use]
    pub fn registrations(&self) -> usize {
        self.registrations.len()
    }

    /// Idle: no call, no transaction, no timer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_idle()
            && self.transactions.is_idle()
            && self.requests.is_idle()
            && self.subscriptions.is_idle()
            && self.servers.is_idle()
            && self.surplus.is_idle()
            && self.registrations.is_idle()
            && self.pings.is_idle()
    }

    /// A caller asked for something it is not permitted. A caller that does so often gets no answer for a while.
    /// `is_reached`: messages to it are known to arrive; otherwise its address may be forged.
    pub fn report_failure(&mut self, flow: Flow, caller: &Caller, is_reached: bool, now: Duration) {
        self.with(now, |ua| ua.gate.report_failure(&mut ua.cx, flow, caller, is_reached));
    }

    /// A caller was permitted. `is_known`: by a password, a token or an address that is named for it, so that those who fail
    /// beside it are not all who use its address.
    pub fn report_success(&mut self, flow: Flow, caller: &Caller, is_known: bool, now: Duration) {
        self.with(now, |ua| ua.gate.report_success(&mut ua.cx, flow, caller, is_known));
    }

    /// Addresses with callers who were known to an earlier run ([`SipEvent::Permitted`]), each with how long ago that was.
    pub fn remember_permitted(&mut self, permitted: &[(IpAddr, Duration)], now: Duration) {
        self.gate.remember_permitted(permitted, now);
    }

    /// Whether a source with these connections may open another one.
    pub(crate) fn may_connect(&self, flow: Flow, open: impl Iterator<Item = IpAddr>) -> bool {
        self.gate.may_connect(flow, open)
    }

    /// Requests on this flow are answered at all, and its source is not banned.
    pub(crate) fn is_heard(&self, flow: Flow, now: Duration) -> bool {
        self.gate.is_allowed(flow) && !self.gate.is_banned(flow, now)
    }

    /// Requests on this flow are answered at all.
    pub(crate) fn is_allowed(&self, flow: Flow) -> bool {
        self.gate.is_allowed(flow)
    }

    /// Changes limits and networks. Bans are lifted.
    pub fn set_limits(&mut self, allow_from: Vec<IpNet>, websockets_from: Vec<IpNet>, guard: GuardConfig) {
        self.gate.set_limits(allow_from, websockets_from, guard);
    }

    /// Sources that get no answer at present, the longest first.
    #[must_use]
    pub fn bans(&self, now: Duration) -> Vec<Ban> {
        self.gate.bans(now)
    }

    /// Answers a source again. False if it was not banned.
    pub fn lift_ban(&mut self, source: IpAddr, now: Duration) -> bool {
        self.gate.lift_ban(source, now)
    }

    /// Places a call.
    pub fn dial(&mut self, id: CallId, spec: DialSpec, now: Duration) {
        self.with(now, |ua| ua.calls.dial(&mut ua.cx, id, spec));
    }

    /// Sends 180, or 183 with early media.
    pub fn ring(&mut self, call: CallId, sdp: Option<String>, now: Duration) {
        self.with(now, |ua| ua.calls.ring(&mut ua.cx, call, sdp));
    }

    /// Sends 200 with a session description: the answer, or the offer if the INVITE had none. `is_focus`: a
    /// conference answers (RFC 4579).
    pub fn answer(&mut self, call: CallId, sdp: String, is_focus: bool, now: Duration) {
        self.with(now, |ua| ua.calls.answer(&mut ua.cx, call, sdp, is_focus));
    }

    /// Refuses an incoming call. For the program it is over at once.
    pub fn reject(
        &mut self,
        call: CallId,
        status: u16,
        reason: Option<&str>,
        extra: &[(String, String)],
        now: Duration,
    ) {
        self.with(now, |ua| ua.calls.reject(&mut ua.cx, call, status, reason, extra));
    }

    /// Accepts a change of the session.
    pub fn accept_offer(&mut self, call: CallId, sdp: String, now: Duration) {
        self.with(now, |ua| ua.calls.accept_offer(&mut ua.cx, call, sdp));
    }

    /// Declines a change of the session, which stays as it was.
    pub fn reject_offer(&mut self, call: CallId, status: u16, now: Duration) {
        self.with(now, |ua| ua.calls.reject_offer(&mut ua.cx, call, status));
    }

    /// Ends a call in any state. `Ended` follows when the other side knows.
    pub fn hang_up(&mut self, call: CallId, reasons: Vec<Reason>, now: Duration) {
        self.with(now, |ua| {
            if ua.calls.contains(call) {
                ua.calls.hang_up(&mut ua.cx, call, reasons);
            } else if ua.servers.forget_dial(call) {
                ua.cx.event(SipEvent::Ended { call, cause: EndCause::ByUs });
            }
        });
    }

    /// Ends a call of an earlier process. `Ended` follows. False: the text is not a dialog.
    pub fn hang_up_saved(&mut self, id: CallId, dialog: &str, reasons: &[Reason], now: Duration) -> bool {
        self.with(now, |ua| ua.calls.hang_up_saved(&mut ua.cx, id, dialog, reasons))
    }

    /// Asks whether the other side still knows the call (OPTIONS within the dialog); if it does not, or nothing
    /// answers, the call ends.
    pub fn probe(&mut self, id: CallId, now: Duration) {
        self.with(now, |ua| ua.calls.probe(&mut ua.cx, id));
    }

    /// Asks the other side of a call to call an address (REFER). `ReferralProgress` reports the outcome; the call
    /// continues until it is hung up.
    pub fn refer(&mut self, id: CallId, to: &ReferTo, now: Duration) {
        self.with(now, |ua| ua.calls.refer(&mut ua.cx, id, to));
    }

    /// Presses a key (INFO).
    pub fn send_key(&mut self, id: CallId, key: char, body: KeyBody, now: Duration) {
        self.with(now, |ua| ua.calls.send_key(&mut ua.cx, id, key, body));
    }

    /// Asks a server whether it answers (OPTIONS outside of a dialog). [`Output::Pinged`](crate::ua::Output::Pinged) follows.
    pub fn ping(&mut self, id: PingId, spec: PingSpec, now: Duration) {
        self.with(now, |ua| ua.pings.ping(&mut ua.cx, id, spec));
    }

    /// Registers, and maintains the registration until [`Self::unregister`].
    pub fn register(&mut self, id: RegistrationId, spec: RegistrationSpec, now: Duration) {
        self.with(now, |ua| ua.registrations.register(&mut ua.cx, id, spec));
    }

    /// Removes a registration. `Unregistered` follows.
    pub fn unregister(&mut self, id: RegistrationId, now: Duration) {
        self.with(now, |ua| ua.registrations.unregister(&mut ua.cx, id));
    }

    /// Removes all registrations.
    pub fn unregister_all(&mut self, now: Duration) {
        self.with(now, |ua| ua.registrations.unregister_all(&mut ua.cx));
    }

    /// Accepts a registration: its contacts, each with its remaining seconds.
    pub fn answer_registration(&mut self, id: RequestId, contacts: &[(String, u32)], now: Duration) {
        self.with(now, |ua| ua.requests.answer_registration(&mut ua.cx, id, contacts));
    }

    /// Refuses a registration or a subscription, or challenges it (401 with WWW-Authenticate).
    pub fn refuse_request(&mut self, id: RequestId, status: u16, extra: &[(String, String)], now: Duration) {
        self.with(now, |ua| ua.requests.refuse(&mut ua.cx, id, status, extra));
    }

    /// Accepts a subscription, under the number of its request; `body` is the first document. Its duration is as
    /// requested, within bounds; zero means that only this document is wanted.
    pub fn accept_subscription(
        &mut self,
        id: RequestId,
        call: Option<CallId>,
        body: String,
        now: Duration,
    ) -> Option<SubscriptionId> {
        self.with(now, |ua| {
            let Pending { received, .. } = ua.requests.take(id)?;
            ua.transactions.flow(&received.key)?;
            let dialog = call.and_then(|call| ua.calls.dialog_of(call));
            ua.subscriptions.accept(&mut ua.cx, id, &received, dialog, body)
        })
    }

    /// Sends a document to a subscriber.
    pub fn notify(&mut self, id: SubscriptionId, body: String, now: Duration) {
        self.with(now, |ua| ua.subscriptions.notify(&mut ua.cx, id, body));
    }

    /// Ends a subscription whose resource no longer exists.
    pub fn end_subscription(&mut self, id: SubscriptionId, now: Duration) {
        self.with(now, |ua| ua.subscriptions.end(&mut ua.cx, id));
    }

    /// Accepts a REFER: 202, and the first NOTIFY. [`Self::report_referral`] reports the rest.
    pub fn accept_referral(&mut self, id: RequestId, now: Duration) {
        self.with(now, |ua| {
            let Some(Pending { received, call }) = ua.requests.take(id) else { return };
            if ua.transactions.flow(&received.key).is_none() {
                return;
            }
            if let Some(call) = call {
                ua.calls.count_referral(call);
            }
            let dialog = call.and_then(|call| ua.calls.dialog_of(call));
            ua.subscriptions.accept_referral(&mut ua.cx, id, &received, dialog);
        });
    }

    /// Reports the status of the call to its referrer: final from 200 on.
    pub fn report_referral(&mut self, id: RequestId, status: u16, phrase: &str, now: Duration) {
        self.with(now, |ua| ua.subscriptions.report_referral(&mut ua.cx, id, status, phrase));
    }
}
