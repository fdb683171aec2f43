//! Calls: what state each is in, and what the program may ask of it.

use super::{
    CallId, Credentials, EndCause, Flow, Reason, T1, T2, UserAgent,
    auth::Answers,
    body,
    dialling::Calling,
    dialog::Dialog,
    message::{self, ALLOW, SUPPORTED},
    referring::Referring,
    refresh::{self, Refresh, SessionTimer, Skills},
    reliable::{self, Provisional},
    timers::{Due, Ticket},
};
use sipx_sip::session::Accepted;
use sipx_sip::{HeaderName, Message, Method, Request, Response, TransactionKey};
use std::time::Duration;

/// A call and its dialog. For a call that we place and that is not answered, the dialog is what it would be.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) dialog: Dialog,
    pub(super) state: State,
    /// A re-INVITE or UPDATE that is being answered.
    pub(super) reoffer: Option<Reoffer>,
    /// The user of our Contact, and whether it is that of a conference (RFC 4579, 5.1).
    pub(super) contact_user: String,
    pub(super) is_focus: bool,
    /// A provisional answer that waits for its PRACK.
    pub(super) provisional: Option<Provisional>,
    /// What was agreed on for refreshing the session, and its timer.
    pub(super) agreed: Option<Accepted>,
    pub(super) timer: Option<SessionTimer>,
    pub(super) refresh: Option<Refresh>,
    pub(super) skills: Skills,
    /// The session description that we sent last.
    pub(super) local_sdp: String,
    /// We placed it, so its Call-ID is ours.
    pub(super) is_ours: bool,
    /// What is answered to those who ask who we are, and what was.
    pub(super) credentials: Option<Credentials>,
    pub(super) answers: Answers,
    /// REFERs of the other side.
    pub(super) referrals: u32,
    /// A REFER of ours.
    pub(super) referring: Option<Referring>,
}

impl Call {
    pub(super) fn new(dialog: Dialog, state: State, contact_user: String) -> Self {
        Self {
            dialog,
            state,
            reoffer: None,
            contact_user,
            is_focus: false,
            provisional: None,
            agreed: None,
            timer: None,
            refresh: None,
            skills: Skills::default(),
            local_sdp: String::new(),
            is_ours: false,
            credentials: None,
            answers: Answers::default(),
            referrals: 0,
            referring: None,
        }
    }
}

/// Where a call is. Each state holds what exists in it and nothing else.
#[derive(Debug)]
pub(super) enum State {
    /// They called; no final answer has been given.
    Incoming { key: TransactionKey, request: Box<Request> },
    /// They called, we sent 200, the ACK has not come.
    Answered(Box<Answered>),
    /// We call; no final answer has come.
    Calling(Box<Calling>),
    /// Up. `ack` is what we sent for their 200, to be sent again when that comes again.
    Established { ack: Option<Box<Request>> },
    /// We sent BYE.
    Ending,
}

#[derive(Debug)]
pub(super) struct Answered {
    pub(super) key: TransactionKey,
    pub(super) response: Response,
    pub(super) cseq: u32,
    /// The offer was ours, so the ACK brings the answer.
    pub(super) offered: bool,
    pub(super) interval: Duration,
    pub(super) give_up: Duration,
    pub(super) ticket: Ticket,
    /// Hang up as soon as the ACK is here: a BYE may not overtake it (section 15).
    pub(super) hang_up: Option<Vec<Reason>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    No,
    Wanted,
    Sent,
}

/// A change of the session that they asked for.
#[derive(Debug)]
pub(super) enum Reoffer {
    /// The program has not answered.
    Pending {
        key: TransactionKey,
        request: Box<Request>,
        has_offer: bool,
        /// How the session is to be refreshed if this is agreed to; otherwise that stays as it was (section 14.2).
        agreed: Option<Accepted>,
    },
    /// We sent 200 to a re-INVITE; the ACK has not come.
    Answered(Box<Answered>),
}

impl Reoffer {
    pub(super) fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Pending { .. } => None,
            Self::Answered(answered) => Some(answered.ticket),
        }
    }
}

/// The user of our Contact where nobody was dialled.
const PRODUCT_USER: &str = "plenary";

impl UserAgent {
    /// Sends 180, or 183 with early media.
    pub fn ring(&mut self, call: CallId, sdp: Option<String>, now: Duration) {
        let Some(Call { dialog, state: State::Incoming { key, request }, .. }) = self.calls.get(&call) else {
            return;
        };
        let status = if sdp.is_some() { 183 } else { 180 };
        let response =
            message::response(request, status, None, Some(&dialog.local_tag), &self.config.product);
        let (key, flow) = (key.clone(), dialog.flow);
        let record_route = request.headers.get_all(&HeaderName::RecordRoute).cloned().collect::<Vec<_>>();
        let Some(mut response) = response else { return };
        record_route.into_iter().for_each(|header| response.headers.push(header));
        let is_reliable = reliable::is_required(request);
        if let Some(entry) = self.calls.get(&call) {
            message::push(&mut response.headers, HeaderName::Contact, self.contact_of(entry, flow));
        }
        if let Some(sdp) = sdp {
            message::with_body(&mut response, body::SDP_TYPE, sdp);
        }
        match is_reliable {
            true => self.send_reliably(call, &key, response, now),
            false => self.respond(&key, response, now),
        }
    }

    /// Sends 200 with a session description: the answer, or the offer when the INVITE had none.
    /// `is_focus`: it is a conference that answers (RFC 4579).
    pub fn answer(&mut self, call: CallId, sdp: String, is_focus: bool, now: Duration) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        entry.is_focus = is_focus;
        // It is not said any more, but its PRACK may still come (RFC 3262, section 3).
        if let Some(provisional) = &entry.provisional {
            self.timers.clear(provisional.ticket);
        }
        let Call { dialog, state: State::Incoming { key, request }, .. } = entry else { return };
        let (key, request, flow) = (key.clone(), request.clone(), dialog.flow);
        let offered = body::text(&request.headers, request.body(), body::SESSION).is_none();
        let Some(answered) = self.send_200(call, &key, &request, flow, sdp, offered, now) else { return };
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.state = State::Answered(Box::new(answered));
        }
    }

    /// A 200 to an INVITE, sent again until its ACK comes or 64·T1 have passed.
    #[allow(clippy::too_many_arguments)] // All of them are the request's; none is worth a struct of its own.
    fn send_200(
        &mut self,
        call: CallId,
        key: &TransactionKey,
        request: &Request,
        flow: Flow,
        sdp: String,
        offered: bool,
        now: Duration,
    ) -> Option<Answered> {
        let entry = self.calls.get_mut(&call)?;
        entry.local_sdp.clone_from(&sdp);
        let (tag, agreed) = (entry.dialog.local_tag.clone(), entry.agreed);
        let contact = self.calls.get(&call).map(|entry| self.contact_of(entry, flow))?;
        let mut response = message::response(request, 200, None, Some(&tag), &self.config.product)?;
        for header in request.headers.get_all(&HeaderName::RecordRoute) {
            response.headers.push(header.clone());
        }
        message::push(&mut response.headers, HeaderName::Contact, contact);
        message::push(&mut response.headers, HeaderName::Allow, ALLOW);
        message::push(&mut response.headers, HeaderName::Supported, SUPPORTED);
        refresh::write(&mut response.headers, agreed);
        message::with_body(&mut response, body::SDP_TYPE, sdp);
        let cseq = message::cseq(&request.headers)?;
        // The way for the ACK is open before the 200 goes out.
        let ticket = self.timers.set(now + T1, Due::Retransmit2xx(call));
        self.respond(key, response.clone(), now);
        Some(Answered {
            key: key.clone(),
            response,
            cseq,
            offered,
            interval: T1,
            give_up: now + 64 * T1,
            ticket,
            hang_up: None,
        })
    }

    /// Refuses a call that came in. It is over for the program at once.
    pub fn reject(
        &mut self,
        call: CallId,
        status: u16,
        reason: Option<&str>,
        extra: &[(String, String)],
        now: Duration,
    ) {
        let Some(Call { state: State::Incoming { key, request }, .. }) = self.calls.get(&call) else {
            return;
        };
        let (key, request) = (key.clone(), request.clone());
        let extra = message::named(extra);
        self.respond_with(&key, &request, status.clamp(300, 699), reason, &extra, now);
        self.remove_call(call);
    }

    /// Agrees to a change of the session.
    pub fn accept_offer(&mut self, call: CallId, sdp: String, now: Duration) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let Some(Reoffer::Pending { key, request, has_offer, agreed }) = entry.reoffer.take() else { return };
        entry.agreed = agreed;
        let flow = entry.dialog.flow;
        if request.method == Method::Invite {
            if let Some(answered) = self.send_200(call, &key, &request, flow, sdp, !has_offer, now)
                && let Some(entry) = self.calls.get_mut(&call)
            {
                entry.reoffer = Some(Reoffer::Answered(Box::new(answered)));
            }
        } else {
            entry.local_sdp.clone_from(&sdp);
            let (tag, agreed) = (entry.dialog.local_tag.clone(), entry.agreed);
            let contact = self.calls.get(&call).map(|entry| self.contact_of(entry, flow)).unwrap_or_default();
            if let Some(mut response) =
                message::response(&request, 200, None, Some(&tag), &self.config.product)
            {
                message::push(&mut response.headers, HeaderName::Contact, contact);
                refresh::write(&mut response.headers, agreed);
                message::with_body(&mut response, body::SDP_TYPE, sdp);
                self.respond(&key, response, now);
                self.start_session_timer(call, agreed, now);
            }
        }
    }

    /// Declines a change of the session; it goes on as it was.
    pub fn reject_offer(&mut self, call: CallId, status: u16, now: Duration) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        if let Some(Reoffer::Pending { key, request, .. }) = entry.reoffer.take() {
            self.respond_plain(&key, &request, status.clamp(300, 699), now);
        }
    }

    /// Ends a call, whatever state it is in. `Ended` follows when the other side knows.
    pub fn hang_up(&mut self, call: CallId, reasons: Vec<Reason>, now: Duration) {
        let Some(entry) = self.calls.get_mut(&call) else { return self.forget_lookup_of(call) };
        match &mut entry.state {
            State::Incoming { key, request } => {
                let (key, request) = (key.clone(), request.clone());
                let extra = reason_header(&reasons);
                self.respond_with(&key, &request, 480, None, &extra, now);
                self.end(call, EndCause::ByUs);
            }
            State::Answered(answered) => answered.hang_up = Some(reasons),
            State::Calling(_) => self.give_up(call, reasons, now),
            State::Established { .. } => self.send_bye(call, &reasons, now),
            State::Ending => {}
        }
    }

    /// Ends a call of another run of ours. `Ended` follows. False: the text is not that of a dialog.
    pub fn hang_up_saved(&mut self, id: CallId, dialog: &str, reasons: &[Reason], now: Duration) -> bool {
        let Some(dialog) = Dialog::from_text(dialog) else { return false };
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), id);
        self.calls.insert(id, Call::new(dialog, State::Established { ack: None }, PRODUCT_USER.to_owned()));
        self.send_bye(id, reasons, now);
        true
    }

    pub(super) fn send_bye(&mut self, id: CallId, reasons: &[Reason], now: Duration) {
        let Some(flow) = self.calls.get(&id).map(|call| call.dialog.next_hop()) else { return };
        let via = self.via(flow);
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(timer) = call.timer.take() {
            self.timers.clear(timer.ticket());
        }
        let contact = String::new();
        let mut bye = call.dialog.request(Method::Bye, via, contact, &self.config.product);
        bye.headers.remove_all(&HeaderName::Contact);
        for (name, value) in reason_header(reasons) {
            message::push(&mut bye.headers, name, value);
        }
        self.sign(id, &mut bye);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.state = State::Ending;
        // A change of the session that was under way has no more ACK to wait for.
        if let Some(reoffer) = call.reoffer.take() {
            match reoffer {
                Reoffer::Pending { key, request, .. } => self.respond_plain(&key, &request, 487, now),
                Reoffer::Answered(answered) => self.timers.clear(answered.ticket),
            }
        }
        self.send_request(bye, flow, id, now);
    }

    /// Sends a 2xx again, or gives its call up.
    pub(super) fn on_retransmit(&mut self, id: CallId, now: Duration) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let answered = match (&mut call.state, &mut call.reoffer) {
            (State::Answered(answered), _) => answered,
            (_, Some(Reoffer::Answered(answered))) => answered,
            (_, Some(Reoffer::Pending { .. }) | None) => return,
        };
        if now >= answered.give_up {
            // Section 13.3.1.4: without an ACK the dialog is confirmed, but the session should end.
            match call.state {
                State::Answered(_) | State::Established { .. } => {
                    self.send_bye(id, &[], now);
                    self.end(id, EndCause::AckTimeout);
                }
                State::Incoming { .. } | State::Calling(_) | State::Ending => {}
            }
            return;
        }
        answered.interval = (answered.interval * 2).min(T2);
        answered.ticket =
            self.timers.set((now + answered.interval).min(answered.give_up), Due::Retransmit2xx(id));
        let (key, response) = (answered.key.clone(), answered.response.clone());
        if self.transactions.contains_key(&key) {
            self.respond(&key, response, now);
        } else {
            let flow = call.dialog.flow;
            self.send(flow, &Message::Response(response));
        }
    }
}

pub(super) fn reason_header(reasons: &[Reason]) -> Vec<(HeaderName, String)> {
    if reasons.is_empty() {
        return Vec::new();
    }
    let values: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    vec![(HeaderName::Reason, values.join(", "))]
}

/// Where an endpoint that is named by transport only is heard, in logs.
impl std::fmt::Display for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.transport.name().to_ascii_lowercase(), self.remote)
    }
}
