//! Answers to requests of ours (RFC 3261, sections 9.1, 13.2.2, 15.1.1).

use super::{
    CallId, EndCause, Flow, SipEvent, UserAgent, body,
    buried::copy_authorization,
    calls::{Call, Cancel, State},
    dialling::Early,
    dialog::Dialog,
    message::{self, Side},
    refresh::{self, Skills},
};
use sipx_sip::{
    HeaderName, Message, Method, Request, RequestBuilder, Response, TransactionKey,
    rel::{RSeq, Received, Sequence},
    session::{Accepted, MinSe, Refresher, SessionExpires},
};
use std::time::Duration;

/// Telephones that one call may ring. More are not told apart.
const FORKS_MAX: usize = 16;
const ELSEWHERE: &str = "Call completed elsewhere";

impl UserAgent {
    pub(super) fn on_response(
        &mut self,
        key: &TransactionKey,
        call: Option<CallId>,
        method: &Method,
        response: &Response,
        now: Duration,
    ) {
        match method {
            Method::Notify => return self.on_notify_response(key, response),
            Method::Register => return self.on_register_response(key, response, now),
            Method::Invite if response.status.is_success() && self.is_buried(response) => return,
            _ => {}
        }
        let Some(id) = call else { return };
        if matches!(response.status.code(), 401 | 407) && self.answer_challenge(id, key, response, now) {
            return;
        }
        if self.on_refresh_response(id, method, response, now) {
            return;
        }
        match method {
            Method::Invite => self.on_invite_response(key, id, response, now),
            Method::Refer => self.on_refer_response(id, response),
            // Whatever they say to our BYE, the call is over.
            Method::Bye if response.status.is_final() => self.end(id, EndCause::ByUs),
            Method::Options if response.status.is_final() => {
                self.on_probed(id, response.status.code(), now);
            }
            // 487 to the INVITE is what ends a cancelled call.
            _ => {}
        }
    }

    /// Sends a request within a call again, with an answer to a challenge (section 22.2). False: there is none.
    fn answer_challenge(
        &mut self,
        id: CallId,
        key: &TransactionKey,
        response: &Response,
        now: Duration,
    ) -> bool {
        let Some(flow) = self.transactions.get(key).map(super::Transaction::meant_for) else { return false };
        let Some(mut request) = self.layer.client_request(key).cloned() else { return false };
        let cseq = message::cseq(&request.headers);
        let Some(call) = self.calls.get_mut(&id) else { return false };
        // INVITEs of calls that are not up have a way of their own, and those of servers that were given up have none.
        let is_refresh = call.refresh.as_ref().is_some_and(|refresh| Some(refresh.cseq) == cseq);
        let is_of_dialog =
            !matches!(call.state, State::Calling(_)) && (request.method != Method::Invite || is_refresh);
        if !is_of_dialog || call.credentials.is_none() || !call.answers.learn(response) {
            return false;
        }
        let (old, new) = (cseq, call.dialog.next_cseq());
        call.refresh
            .iter_mut()
            .filter(|refresh| Some(refresh.cseq) == old)
            .for_each(|refresh| refresh.cseq = new);
        call.referring.iter_mut().filter(|one| Some(one.cseq) == old).for_each(|one| one.cseq = new);
        let method = String::from_utf8_lossy(request.method.as_bytes()).into_owned();
        message::set(&mut request.headers, &HeaderName::CSeq, format!("{new} {method}"));
        let via = self.via(flow);
        message::set_first(&mut request.headers, HeaderName::Via, via);
        self.sign(id, &mut request);
        self.send_request(request, flow, id, now);
        true
    }

    fn on_invite_response(&mut self, key: &TransactionKey, id: CallId, response: &Response, now: Duration) {
        let Some(flow) = self.transactions.get(key).map(super::Transaction::meant_for) else { return };
        let is_current = match self.calls.get(&id) {
            None => false,
            Some(Call { state: State::Calling(calling), .. }) => calling.key.as_ref() == Some(key),
            Some(Call { state: State::Established { ack: Some(ack) }, dialog, .. }) => {
                let is_ours =
                    message::tag_of(&response.headers, Side::To).unwrap_or_default() == dialog.remote_tag;
                if is_ours && response.status.is_success() {
                    // The 200 came again: our ACK was lost (section 13.2.2.4).
                    let (ack, flow) = (ack.as_ref().clone(), dialog.next_hop());
                    return self.send(flow, &Message::Request(ack));
                }
                false
            }
            Some(Call { dialog, .. }) => {
                // Ending: this one has its BYE.
                if message::tag_of(&response.headers, Side::To).unwrap_or_default() == dialog.remote_tag {
                    return;
                }
                false
            }
        };
        if !is_current {
            return self.on_unwanted(key, flow, response, now);
        }
        if response.status.is_provisional() {
            return self.on_provisional(id, response, now);
        }
        self.has_patience(id);
        if response.status.is_success() {
            return self.on_answered(id, flow, response, now);
        }
        let Some(Call { state: State::Calling(calling), .. }) = self.calls.get(&id) else { return };
        if calling.cancel != Cancel::No {
            return self.given_up(id);
        }
        if self.try_again(id, flow, response, now) {
            return;
        }
        let phrase = String::from_utf8_lossy(&response.reason).into_owned();
        let status = response.status.code();
        if status >= 600 {
            // Nobody else will answer either (section 21.6).
            self.remove_call(id);
            return self.event(SipEvent::Rejected { call: id, status, phrase });
        }
        self.try_next(id, status, &phrase, now);
    }

    /// An answer to an INVITE that nobody waits for: it went to another telephone, or to a server that was given up.
    fn on_unwanted(&mut self, key: &TransactionKey, flow: Flow, response: &Response, now: Duration) {
        let Some(invite) = self.layer.client_request(key).cloned() else { return };
        if response.status.is_success() {
            return self.bury(&invite, response, flow, ELSEWHERE, now);
        }
        if response.status.is_provisional()
            && let Some(transaction) = self.transactions.get_mut(key)
            && !transaction.is_cancelled
        {
            transaction.is_cancelled = true;
            let flow = transaction.flow;
            self.send_request_of(cancel_of(&invite), flow, None, now);
        }
    }

    fn on_provisional(&mut self, id: CallId, response: &Response, now: Duration) {
        self.has_patience(id);
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else {
            return;
        };
        calling.is_ringing = true;
        let status = response.status.code();
        if calling.cancel == Cancel::Wanted {
            return self.cancel_if_ringing(id, now);
        }
        if status == 100 || calling.cancel != Cancel::No {
            return;
        }
        let flow = dialog.flow;
        let tag = message::tag_of(&response.headers, Side::To).unwrap_or_default();
        let known = calling.early.iter().position(|early| early.dialog.remote_tag == tag);
        let fork = match known {
            Some(fork) => {
                calling.early[fork].dialog.answered(response);
                Some(fork)
            }
            None if tag.is_empty() || calling.early.len() >= FORKS_MAX => None,
            None => Dialog::of_client(&calling.request, response, flow).map(|dialog| {
                calling.early.push(Early { dialog, sequence: Sequence::default(), answer: None });
                calling.early.len() - 1
            }),
        };
        let sdp = body::text(&response.headers, response.body(), body::SESSION);
        let is_reliable = refresh::lists(&response.headers, &HeaderName::Require, "100rel");
        if let Some(Ok(RSeq(number))) = response.headers.typed::<RSeq>().filter(|_| is_reliable)
            && let Some(fork) = fork
        {
            match calling.early[fork].sequence.accept(number) {
                Received::Acknowledge => {
                    if sdp.is_some() {
                        calling.early[fork].answer.clone_from(&sdp);
                    }
                    self.send_prack(id, fork, number, now);
                }
                Received::Duplicate | Received::OutOfOrder => return,
            }
        }
        let fork = fork.unwrap_or_default() as u32;
        self.event(SipEvent::Progress { call: id, fork, status, sdp });
    }

    /// Acknowledges a provisional answer (RFC 3262, section 4).
    fn send_prack(&mut self, id: CallId, fork: usize, number: u32, now: Duration) {
        let hop = match self.calls.get(&id) {
            Some(Call { state: State::Calling(calling), .. }) => {
                calling.early.get(fork).map(|early| early.dialog.next_hop())
            }
            Some(_) | None => None,
        };
        let Some(hop) = hop else { return };
        let via = self.via(hop);
        let Some(Call { state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else { return };
        let cseq = message::cseq(&calling.request.headers).unwrap_or(1);
        let Some(early) = calling.early.get_mut(fork) else { return };
        let mut prack = early.dialog.request(Method::Prack, via, String::new(), &self.config.product);
        prack.headers.remove_all(&HeaderName::Contact);
        message::push(&mut prack.headers, HeaderName::RAck, format!("{number} {cseq} INVITE"));
        self.sign(id, &mut prack);
        self.send_request_of(prack, hop, None, now);
    }

    fn on_answered(&mut self, id: CallId, flow: Flow, response: &Response, now: Duration) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let State::Calling(calling) = &mut call.state else { return };
        let is_cancelled = calling.cancel != Cancel::No;
        let tag = message::tag_of(&response.headers, Side::To).unwrap_or_default();
        let known = calling.early.iter().position(|early| early.dialog.remote_tag == tag);
        let fork = known.unwrap_or(calling.early.len()) as u32;
        let mut sdp = body::text(&response.headers, response.body(), body::SESSION);
        let dialog = match known {
            Some(known) => {
                let Early { mut dialog, answer, .. } = calling.early.swap_remove(known);
                dialog.answered(response);
                sdp = sdp.or(answer);
                Some(dialog)
            }
            None => Dialog::of_client(&calling.request, response, flow),
        };
        let Some(dialog) = dialog else { return };
        let invite = calling.request.clone();
        let tickets: Vec<_> = calling.tickets().collect();
        tickets.into_iter().for_each(|ticket| self.timers.clear(ticket));
        (call.dialog, call.skills) = (dialog, Skills::of(&response.headers));
        call.answers.begin();
        let next_hop = call.dialog.next_hop();
        let contact = self.calls.get(&id).map(|call| self.contact_of(call, next_hop)).unwrap_or_default();
        let via = self.via(next_hop);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let cseq = message::cseq(&invite.headers).unwrap_or(1);
        let mut ack = call.dialog.ack(cseq, via, contact, &self.config.product);
        copy_authorization(&invite, &mut ack);
        call.state = State::Established { ack: Some(Box::new(ack.clone())) };
        self.send(next_hop, &Message::Request(ack));
        if is_cancelled {
            // CANCEL and 200 crossed: the call is up, so BYE ends it.
            return self.send_bye(id, &[], now);
        }
        let agreed = response.headers.typed::<SessionExpires>().and_then(Result::ok).map(agreed);
        self.start_session_timer(id, agreed, now);
        let dialog = self.calls.get(&id).map(|call| call.dialog.to_text()).unwrap_or_default();
        self.event(SipEvent::Answered { call: id, sdp, fork, dialog });
    }

    /// Answers a challenge (section 22.2), asks another server (RFC 3263, 4.3), goes where a redirection says (section
    /// 8.1.3.4), or asks for a longer session (RFC 4028, 7.3). False: there is nothing to try.
    fn try_again(&mut self, id: CallId, flow: Flow, response: &Response, now: Duration) -> bool {
        let status = response.status.code();
        if status == 503 {
            self.avoid(flow, message::retry_after(&response.headers), now);
            return self.next_server(id, now);
        }
        if matches!(status, 300 | 301 | 302 | 305) {
            return self.follow(id, message::contacts(&response.headers), now);
        }
        if !matches!(status, 401 | 407 | 422) {
            return false;
        }
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let State::Calling(calling) = &mut call.state else { return false };
        if !calling.may_try_again() {
            return false;
        }
        let mut request = calling.request.clone();
        if status == 422 {
            let least = response.headers.typed::<MinSe>().and_then(Result::ok).map(|least| least.0);
            let asked =
                request.headers.typed::<SessionExpires>().and_then(Result::ok).map(|asked| asked.interval);
            let Some(least) = least.filter(|least| asked.is_some_and(|asked| asked < *least)) else {
                return false;
            };
            let value = SessionExpires { interval: least, refresher: None };
            message::set(&mut request.headers, &HeaderName::SessionExpires, value.to_string());
            message::set(&mut request.headers, &HeaderName::MinSe, least.as_secs().to_string());
        } else if call.credentials.is_none() || !call.answers.learn(response) {
            return false;
        }
        self.resend_invite(id, request, flow, now);
        true
    }

    /// A request of ours, or a final answer to an INVITE, got no reply.
    pub(super) fn on_failure(
        &mut self,
        key: &TransactionKey,
        call: Option<CallId>,
        method: &Method,
        status: u16,
        now: Duration,
    ) {
        match method {
            Method::Notify => return self.on_notify_failure(key),
            Method::Register => return self.on_register_failure(key, status, now),
            _ => {}
        }
        let Some(id) = call else { return };
        let is_client = self.layer.client_request(key).is_some() || self.layer.server_request(key).is_none();
        let flow = self.transactions.get(key).map(super::Transaction::meant_for);
        let Some(call) = self.calls.get(&id) else { return };
        match (&call.state, method) {
            (State::Calling(calling), Method::Invite) if is_client => {
                if calling.key.as_ref() != Some(key) {
                    return;
                }
                if calling.cancel != Cancel::No {
                    return self.given_up(id);
                }
                if calling.is_bound && status == 503 {
                    // The connection that the called party registered over is closed (RFC 5626, section 5.3): it is not
                    // a server that is out of order, it is somebody who is not there.
                    return self.try_next(id, 480, "Its connection is closed", now);
                }
                if let Some(flow) = flow {
                    self.avoid(flow, None, now);
                }
                if !self.next_server(id, now) {
                    self.try_next(id, status, message::phrase(status), now);
                }
            }
            (State::Established { .. }, Method::Update | Method::Invite)
                if is_client && call.refresh.is_some() =>
            {
                // Nobody there any more (RFC 4028, section 10).
                self.send_bye(id, &[], now);
                self.end(id, EndCause::Transport);
            }
            // A connection that cannot be opened is a telephone that is gone, too.
            (State::Established { .. }, Method::Options) if is_client => self.on_probed(id, 408, now),
            (_, Method::Refer) if is_client => self.on_refer_failure(id, status),
            (State::Ending, Method::Bye) => self.end(id, EndCause::Transport),
            (State::Incoming { .. }, Method::Invite) => self.end(id, EndCause::Transport),
            _ => {}
        }
    }
}

/// What a 2xx to a request of ours says about refreshing. They answer, so what they call the client is us.
pub(super) fn agreed(agreed: SessionExpires) -> Accepted {
    Accepted {
        interval: agreed.interval.max(refresh::INTERVAL_MIN),
        refresher: match agreed.refresher {
            Some(Refresher::Uas) => Refresher::Uac,
            Some(Refresher::Uac) | None => Refresher::Uas,
        },
        require: false,
    }
}

/// The CANCEL of an INVITE: the same branch, the same CSeq number (section 9.1).
pub(super) fn cancel_of(invite: &Request) -> Request {
    let mut cancel = RequestBuilder::new(Method::Cancel, invite.uri.clone()).build();
    for name in [
        HeaderName::Via,
        HeaderName::MaxForwards,
        HeaderName::Route,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
    ] {
        for header in invite.headers.get_all(&name) {
            cancel.headers.push(header.clone());
        }
    }
    let cseq = message::cseq(&invite.headers).unwrap_or(1);
    message::push(&mut cancel.headers, HeaderName::CSeq, format!("{cseq} CANCEL"));
    cancel
}
