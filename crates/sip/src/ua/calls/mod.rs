//! Calls: their states, and the program's commands to them.

mod answering;
mod client;
mod dialling;
mod keys;
mod over;
mod referring;
mod refresh;
mod reliable;
mod server;

use super::{
    CallId, Credentials, EndCause, Flow, Reason, Replaces, SipEvent,
    auth::Answers,
    context::{Action, Context, Notice, Owner, Received},
    dialog::Dialog,
    message::{self, Side},
    subscriptions::CallDialog,
    timers::{T1, T2, Ticket, Timers},
    transaction_id::TransactionId,
    types::SubscriptionId,
};
use dialling::Calling;
pub use over::DIALOG_KEPT_FOR;
use over::OverDialogs;
use referring::Referring;
use refresh::{Refresh, SessionTimer, Skills};
use reliable::Provisional;
use sipx_sip::{Request, Response, session::Accepted};
use std::{collections::BTreeMap, time::Duration};

pub(super) use client::Sent;

/// A deadline of a call.
#[derive(Debug, Clone, Copy)]
enum Due {
    /// A 2xx is retransmitted until its ACK arrives (section 13.3.1.4).
    Retransmit2xx(CallId),
    /// A provisional response is retransmitted until its PRACK arrives (RFC 3262, section 3).
    RetransmitProvisional(CallId),
    /// A session has to be refreshed, or has expired (RFC 4028, section 10).
    Session(CallId),
    /// An outgoing call rings too long, or its CANCEL has no effect.
    Ringing(CallId),
    /// A server has not responded to an INVITE, and there is another one to try.
    FailoverTimeout(CallId),
    /// The other side accepted a REFER and has not reported its progress.
    Referral(CallId),
}

/// All calls, their dialogs and deadlines.
pub(super) struct Calls {
    open: BTreeMap<CallId, Call>,
    /// Dialogs by Call-ID and local tag.
    dialogs: BTreeMap<(String, String), CallId>,
    /// INVITEs by Call-ID and the caller's tag, to detect merged requests (section 8.2.2.2).
    invites: BTreeMap<(String, String), CallId>,
    timers: Timers<Due>,
    over: OverDialogs,
    /// Draws the next call id.
    next_call: Box<dyn FnMut() -> CallId + Send>,
}

/// A call and its dialog. For an outgoing call without an answer, the dialog is what it would be.
#[derive(Debug)]
struct Call {
    dialog: Dialog,
    state: State,
    /// A re-INVITE or UPDATE in progress.
    reoffer: Option<Reoffer>,
    /// The user of our Contact, and whether it is that of a conference (RFC 4579, 5.1).
    contact_user: String,
    is_focus: bool,
    /// A provisional response that waits for its PRACK.
    provisional: Option<Provisional>,
    /// The negotiated session timer, and its deadline.
    agreed: Option<Accepted>,
    timer: Option<SessionTimer>,
    refresh: Option<Refresh>,
    skills: Skills,
    /// The session description that was sent last.
    local_sdp: String,
    /// This side placed it, so its Call-ID is ours.
    is_ours: bool,
    /// Credentials for challenges, and the answers so far.
    credentials: Option<Credentials>,
    answers: Answers,
    /// Received REFERs.
    referrals: u32,
    /// A sent REFER.
    referring: Option<Referring>,
}

impl Call {
    fn new(dialog: Dialog, state: State, contact_user: String) -> Self {
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

    fn contact(&self, cx: &Context, flow: Flow) -> String {
        cx.contact(flow, &self.contact_user, self.is_focus)
    }

    /// All its deadlines.
    fn tickets(&self) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        match &self.state {
            State::Answered(answered) => tickets.push(answered.ticket),
            State::Calling(calling) => tickets.extend(calling.tickets()),
            State::Incoming { .. } | State::Established { .. } | State::Ending => {}
        }
        tickets.extend(self.provisional.as_ref().map(|waiting| waiting.ticket));
        tickets.extend(self.timer.as_ref().map(SessionTimer::ticket));
        tickets.extend(self.referring.as_ref().map(|referring| referring.ticket));
        tickets.extend(self.reoffer.as_ref().and_then(Reoffer::ticket));
        tickets
    }
}

/// The state of a call. Each variant holds what exists in it and nothing else.
#[derive(Debug)]
enum State {
    /// Incoming, without a final response.
    Incoming { received: Box<Received> },
    /// Incoming, 200 sent, the ACK has not arrived.
    Answered(Box<Answered>),
    /// Outgoing, without a final response.
    Calling(Box<Calling>),
    /// Established. `ack` is the ACK to the other side's 200, sent again when that is retransmitted.
    Established { ack: Option<Box<Request>> },
    /// BYE has been sent.
    Ending,
}

#[derive(Debug)]
struct Answered {
    key: TransactionId,
    response: Response,
    cseq: u32,
    /// This side made the offer, so the ACK carries the answer.
    offered: bool,
    interval: Duration,
    give_up: Duration,
    ticket: Ticket,
    /// Hang up as soon as the ACK arrives: a BYE may not overtake it (section 15).
    hang_up: Option<Vec<Reason>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancel {
    No,
    Wanted,
    Sent,
}

/// A change of the session requested by the other side.
#[derive(Debug)]
enum Reoffer {
    /// The program has not decided.
    Pending {
        received: Box<Received>,
        has_offer: bool,
        /// The session timer if this is accepted; otherwise it stays as it was (section 14.2).
        agreed: Option<Accepted>,
    },
    /// 200 to a re-INVITE has been sent; the ACK has not arrived.
    Answered(Box<Answered>),
}

impl Reoffer {
    fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Pending { .. } => None,
            Self::Answered(answered) => Some(answered.ticket),
        }
    }
}

impl Calls {
    pub(super) fn new(next_call: Box<dyn FnMut() -> CallId + Send>) -> Self {
        Self {
            open: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            invites: BTreeMap::new(),
            timers: Timers::default(),
            over: OverDialogs::default(),
            next_call,
        }
    }

    /// Calls that have not ended.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.dialogs.is_empty() && self.invites.is_empty()
    }

    pub(super) fn contains(&self, id: CallId) -> bool {
        self.open.contains_key(&id)
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// The next item that is due.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context) {
        let Some((_, due)) = self.timers.pop_due(cx.now) else { return };
        match due {
            Due::Retransmit2xx(id) => self.on_retransmit(cx, id),
            Due::RetransmitProvisional(id) => self.on_provisional_due(cx, id),
            Due::Session(id) => self.on_session_due(cx, id),
            Due::Ringing(id) => self.on_ringing_due(cx, id),
            Due::FailoverTimeout(id) => self.on_failover_timeout(cx, id),
            Due::Referral(id) => self.on_referral_due(cx, id),
        }
    }

    /// A connection was closed.
    pub(super) fn handle_flow_gone(&mut self, flow: Flow) {
        for call in self.open.values_mut() {
            call.dialog.flow_is_gone(flow);
        }
    }

    /// The call of a dialog, by Call-ID and local tag.
    pub(super) fn of_dialog(&self, call_id: String, local_tag: String) -> Option<CallId> {
        self.dialogs.get(&(call_id, local_tag)).copied()
    }

    /// The call whose dialog is named.
    pub(super) fn named(&self, replaces: &Replaces) -> Option<CallId> {
        let id = self.of_dialog(replaces.call_id.clone(), replaces.to_tag.clone())?;
        (self.open.get(&id)?.dialog.remote_tag == replaces.from_tag).then_some(id)
    }

    /// The call of a request with a To tag.
    pub(super) fn of_request(&self, request: &Request) -> Option<CallId> {
        let headers = &request.headers;
        let id = self.of_dialog(message::call_id(headers), message::tag_of(headers, Side::To)?)?;
        let remote_tag = message::tag_of(headers, Side::From).unwrap_or_default();
        let call = self.open.get(&id)?;
        (call.dialog.remote_tag == remote_tag).then_some(id)
    }

    /// The dialog of a call, as far as it matters to subscriptions within it.
    pub(super) fn dialog_of(&self, id: CallId) -> Option<CallDialog> {
        self.open.get(&id).map(|call| CallDialog {
            call: id,
            local_tag: call.dialog.local_tag.clone(),
            contact_user: call.contact_user.clone(),
            is_focus: call.is_focus,
            referrals: call.referrals,
        })
    }

    /// Another REFER within a call was accepted.
    pub(super) fn count_referral(&mut self, id: CallId) {
        if let Some(call) = self.open.get_mut(&id) {
            call.referrals += 1;
        }
    }

    /// Sends a NOTIFY within the dialog of a call. False if there is no such call.
    pub(super) fn notify(
        &mut self,
        cx: &mut Context,
        id: CallId,
        subscription: SubscriptionId,
        mut notice: Notice,
    ) -> bool {
        let Some(call) = self.open.get_mut(&id) else { return false };
        notice.is_focus |= call.is_focus;
        let flow = call.dialog.next_hop();
        let mut notify = notice.into_request(cx, &mut call.dialog, flow, &call.contact_user);
        self.sign(cx, id, &mut notify);
        cx.send_request(notify, flow, Owner::Subscription(subscription));
        true
    }

    fn remove(&mut self, cx: &mut Context, id: CallId) -> bool {
        let Some(call) = self.open.remove(&id) else { return false };
        self.dialogs.remove(&(call.dialog.call_id.clone(), call.dialog.local_tag.clone()));
        let invite = (call.dialog.call_id.clone(), call.dialog.remote_tag.clone());
        if self.invites.get(&invite) == Some(&id) {
            self.invites.remove(&invite);
        }
        call.tickets().into_iter().for_each(|ticket| self.timers.clear(ticket));
        if matches!(call.state, State::Answered(_) | State::Established { .. } | State::Ending) {
            self.over.add(id, &call.dialog, cx.now);
        }
        cx.push(Action::CallOver {
            call: id,
            dialog: Box::new(call.dialog),
            contact_user: call.contact_user,
        });
        true
    }

    fn end(&mut self, cx: &mut Context, id: CallId, cause: EndCause) {
        if self.remove(cx, id) {
            cx.event(SipEvent::Ended { call: id, cause });
        }
    }

    #[cfg(test)]
    pub(super) fn dialog_mut(&mut self, id: CallId) -> &mut Dialog {
        &mut self.open.get_mut(&id).expect("a call").dialog
    }
}
