//! The program's responses to a call: ring, answer, refuse, accept a change, hang up.

use super::{
    Answered, Call, CallId, Calls, Due, EndCause, Reason, Reoffer, State, T1, T2, Timers, refresh, reliable,
};
use crate::ua::{
    body,
    context::{Action, Context, Owner, Received, TRANSACTION_MAX},
    dialog::Dialog,
    message::{self, ALLOW, SUPPORTED, reason_header},
};
use sipx_sip::{HeaderName, Method};

/// The user of our Contact if no user was dialled.
const PRODUCT_USER: &str = "plenary";

impl Calls {
    /// Sends 180, or 183 with early media.
    pub(in crate::ua) fn ring(&mut self, cx: &mut Context, call: CallId, sdp: Option<String>) {
        let Some(entry) = self.open.get(&call) else { return };
        let Call { dialog, state: State::Incoming { received }, .. } = entry else { return };
        let request = &received.request;
        let status = if sdp.is_some() { 183 } else { 180 };
        let response = message::response(request, status, None, Some(&dialog.local_tag), &cx.product);
        let Some(mut response) = response else { return };
        for header in request.headers.get_all(&HeaderName::RecordRoute) {
            response.headers.push(header.clone());
        }
        message::push(&mut response.headers, HeaderName::Contact, entry.contact(cx, dialog.flow));
        if let Some(sdp) = sdp {
            message::with_body(&mut response, body::SDP_TYPE, sdp);
        }
        match reliable::is_required(request) {
            true => self.send_reliably(cx, call, response),
            false => cx.respond(&received.key, response),
        }
    }

    /// Sends 200 with a session description: the answer, or the offer if the INVITE had none. `is_focus`: a
    /// conference answers (RFC 4579).
    pub(in crate::ua) fn answer(&mut self, cx: &mut Context, call: CallId, sdp: String, is_focus: bool) {
        let Some(entry) = self.open.get_mut(&call) else { return };
        entry.is_focus = is_focus;
        // It is not retransmitted any more, but its PRACK may still arrive (RFC 3262, section 3).
        if let Some(provisional) = &entry.provisional {
            self.timers.clear(provisional.ticket);
        }
        let State::Incoming { received } = &entry.state else { return };
        let request = &received.request;
        let offered = body::text(&request.headers, request.body(), body::SESSION).is_none();
        entry.local_sdp.clone_from(&sdp);
        let Some(answered) = send_200(&mut self.timers, cx, call, entry, received, sdp, offered) else {
            return;
        };
        entry.state = State::Answered(Box::new(answered));
    }

    /// Refuses an incoming call. For the program it is over at once.
    pub(in crate::ua) fn reject(
        &mut self,
        cx: &mut Context,
        call: CallId,
        status: u16,
        reason: Option<&str>,
        extra: &[(String, String)],
    ) {
        let Some(Call { state: State::Incoming { received }, .. }) = self.open.get(&call) else { return };
        let extra = message::named(extra);
        cx.respond_with(received, status.clamp(300, 699), reason, &extra);
        self.remove(cx, call);
    }

    /// Accepts a change of the session.
    pub(in crate::ua) fn accept_offer(&mut self, cx: &mut Context, call: CallId, sdp: String) {
        let Some(entry) = self.open.get_mut(&call) else { return };
        let Some(Reoffer::Pending { received, has_offer, agreed }) = entry.reoffer.take() else { return };
        entry.agreed = agreed;
        entry.local_sdp.clone_from(&sdp);
        entry.dialog.refresh(&received.request, received.flow);
        if received.request.method == Method::Invite {
            let answered = send_200(&mut self.timers, cx, call, entry, &received, sdp, !has_offer);
            entry.reoffer = answered.map(|answered| Reoffer::Answered(Box::new(answered)));
            return;
        }
        let tag = Some(entry.dialog.local_tag.as_str());
        if let Some(mut response) = message::response(&received.request, 200, None, tag, &cx.product) {
            let contact = entry.contact(cx, entry.dialog.flow);
            message::push(&mut response.headers, HeaderName::Contact, contact);
            refresh::write(&mut response.headers, agreed);
            message::with_body(&mut response, body::SDP_TYPE, sdp);
            cx.respond(&received.key, response);
            self.start_session_timer(cx, call, agreed);
        }
    }

    /// Declines a change of the session, which stays as it was.
    pub(in crate::ua) fn reject_offer(&mut self, cx: &mut Context, call: CallId, status: u16) {
        let Some(entry) = self.open.get_mut(&call) else { return };
        if let Some(Reoffer::Pending { received, .. }) = entry.reoffer.take() {
            cx.respond_plain(&received, status.clamp(300, 699));
        }
    }

    /// Ends a call in any state. `Ended` follows when the other side knows.
    pub(in crate::ua) fn hang_up(&mut self, cx: &mut Context, call: CallId, reasons: Vec<Reason>) {
        let Some(entry) = self.open.get_mut(&call) else { return };
        match &mut entry.state {
            State::Incoming { received } => {
                cx.respond_with(received, 480, None, &reason_header(&reasons));
                self.end(cx, call, EndCause::ByUs);
            }
            State::Answered(answered) => answered.hang_up = Some(reasons),
            State::Calling(_) => self.give_up(cx, call, reasons),
            State::Established { .. } => self.send_bye(cx, call, &reasons),
            State::Ending => {}
        }
    }

    /// Ends a call of an earlier process. `Ended` follows. False: the text is not a dialog.
    pub(in crate::ua) fn hang_up_saved(
        &mut self,
        cx: &mut Context,
        id: CallId,
        dialog: &str,
        reasons: &[Reason],
    ) -> bool {
        let Some(dialog) = Dialog::from_text(dialog) else { return false };
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), id);
        self.open.insert(id, Call::new(dialog, State::Established { ack: None }, PRODUCT_USER.to_owned()));
        self.send_bye(cx, id, reasons);
        true
    }

    pub(super) fn send_bye(&mut self, cx: &mut Context, id: CallId, reasons: &[Reason]) {
        let Some(flow) = self.open.get(&id).map(|call| call.dialog.next_hop()) else { return };
        let via = cx.via(flow);
        let Some(call) = self.open.get_mut(&id) else { return };
        if let Some(timer) = call.timer.take() {
            self.timers.clear(timer.ticket());
        }
        let contact = String::new();
        let mut bye = call.dialog.request(Method::Bye, via, contact, &cx.product);
        bye.headers.remove_all(&HeaderName::Contact);
        for (name, value) in reason_header(reasons) {
            message::push(&mut bye.headers, name, value);
        }
        self.sign(cx, id, &mut bye);
        let Some(call) = self.open.get_mut(&id) else { return };
        call.state = State::Ending;
        // A change of the session in progress has no more ACK to wait for.
        if let Some(reoffer) = call.reoffer.take() {
            match reoffer {
                Reoffer::Pending { received, .. } => cx.respond_plain(&received, 487),
                Reoffer::Answered(answered) => self.timers.clear(answered.ticket),
            }
        }
        cx.send_request(bye, flow, Owner::Call(id));
    }

    /// Retransmits a 2xx, or gives up its call.
    pub(super) fn on_retransmit(&mut self, cx: &mut Context, id: CallId) {
        let Some(call) = self.open.get_mut(&id) else { return };
        let answered = match (&mut call.state, &mut call.reoffer) {
            (State::Answered(answered), _) => answered,
            (_, Some(Reoffer::Answered(answered))) => answered,
            (_, Some(Reoffer::Pending { .. }) | None) => return,
        };
        if cx.now >= answered.give_up {
            // Section 13.3.1.4: without an ACK the dialog is confirmed, but the session should end.
            match call.state {
                State::Answered(_) | State::Established { .. } => {
                    self.send_bye(cx, id, &[]);
                    self.end(cx, id, EndCause::AckTimeout);
                }
                State::Incoming { .. } | State::Calling(_) | State::Ending => {}
            }
            return;
        }
        answered.interval = (answered.interval * 2).min(T2);
        answered.ticket =
            self.timers.set((cx.now + answered.interval).min(answered.give_up), Due::Retransmit2xx(id));
        let (key, response) = (answered.key.clone(), Box::new(answered.response.clone()));
        cx.push(Action::RespondAgain { key, response, flow: call.dialog.flow });
    }
}

/// A 200 to an INVITE, retransmitted until its ACK arrives or 64·T1 have passed.
fn send_200(
    timers: &mut Timers<Due>,
    cx: &mut Context,
    id: CallId,
    call: &Call,
    received: &Received,
    sdp: String,
    offered: bool,
) -> Option<Answered> {
    let request = &received.request;
    let mut response = message::response(request, 200, None, Some(&call.dialog.local_tag), &cx.product)?;
    for header in request.headers.get_all(&HeaderName::RecordRoute) {
        response.headers.push(header.clone());
    }
    message::push(&mut response.headers, HeaderName::Contact, call.contact(cx, call.dialog.flow));
    message::push(&mut response.headers, HeaderName::Allow, ALLOW);
    message::push(&mut response.headers, HeaderName::Supported, SUPPORTED);
    refresh::write(&mut response.headers, call.agreed);
    message::with_body(&mut response, body::SDP_TYPE, sdp);
    let cseq = message::cseq(&request.headers)?;
    let ticket = timers.set(cx.now + T1, Due::Retransmit2xx(id));
    cx.respond(&received.key, response.clone());
    Some(Answered {
        key: received.key.clone(),
        response,
        cseq,
        offered,
        interval: T1,
        give_up: cx.now + TRANSACTION_MAX,
        ticket,
        hang_up: None,
    })
}
