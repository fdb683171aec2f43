//! Responses to requests of this side (RFC 3261, sections 9.1, 13.2.2, 15.1.1).

use super::{
    Call, CallId, Calls, Cancel, EndCause, Flow, SipEvent, State,
    dialling::Early,
    refresh::{self, Skills},
};
use crate::ua::{
    body,
    context::{Action, Context, Owner},
    dialog::Dialog,
    message::{self, Side, copy_authorization},
    transaction_id::TransactionId,
};
use sipx_sip::{
    HeaderName, Message, Method, Request, Response,
    rel::{RSeq, Received, Sequence},
    session::{MinSe, SessionExpires},
};

/// Forks that are distinguished in one call.
const FORKS_MAX: usize = 16;

/// A sent request, as its transaction knows it.
#[derive(Debug, Clone, Copy)]
pub(in crate::ua) struct Sent<'a> {
    pub(in crate::ua) key: &'a TransactionId,
    /// The flow that it was meant for, before its size was considered.
    pub(in crate::ua) flow: Flow,
    pub(in crate::ua) method: &'a Method,
    /// `None`: its transaction ends with this response.
    pub(in crate::ua) request: Option<&'a Request>,
}

impl Calls {
    /// A response to a request of a call. False if it is to an INVITE that is no longer awaited.
    pub(in crate::ua) fn handle_response(
        &mut self,
        cx: &mut Context,
        id: CallId,
        sent: Sent<'_>,
        response: &Response,
    ) -> bool {
        let method = sent.method;
        if matches!(response.status.code(), 401 | 407) && self.answer_challenge(cx, id, sent, response) {
            return true;
        }
        if self.on_refresh_response(cx, id, method, response) {
            return true;
        }
        match method {
            Method::Invite => return self.on_invite_response(cx, id, sent, response),
            Method::Refer => self.on_refer_response(cx, id, response),
            // Whatever the response to our BYE, the call is over.
            Method::Bye if response.status.is_final() => self.end(cx, id, EndCause::ByUs),
            Method::Options if response.status.is_final() => {
                self.on_probed(cx, id, response.status.code());
            }
            // 487 to the INVITE is what ends a cancelled call.
            _ => {}
        }
        true
    }

    /// Repeats a request within a call, with an answer to a challenge (section 22.2). False if there is none.
    fn answer_challenge(
        &mut self,
        cx: &mut Context,
        id: CallId,
        sent: Sent<'_>,
        response: &Response,
    ) -> bool {
        let Sent { flow, request: Some(request), .. } = sent else { return false };
        let cseq = message::cseq(&request.headers);
        let Some(call) = self.open.get_mut(&id) else { return false };
        // INVITEs of unanswered calls are handled separately, and those of servers that were given up are not.
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
        let mut request = request.clone();
        let method = String::from_utf8_lossy(request.method.as_bytes()).into_owned();
        message::set(&mut request.headers, &HeaderName::CSeq, format!("{new} {method}"));
        let via = cx.via(flow);
        message::set_first(&mut request.headers, HeaderName::Via, via);
        self.sign(cx, id, &mut request);
        cx.send_request(request, flow, Owner::Call(id));
        true
    }

    fn on_invite_response(
        &mut self,
        cx: &mut Context,
        id: CallId,
        sent: Sent<'_>,
        response: &Response,
    ) -> bool {
        let tag = message::tag_of(&response.headers, Side::To).unwrap_or_default();
        let calling = match self.open.get(&id) {
            None => return false,
            Some(Call { state: State::Calling(calling), .. }) if calling.key.as_ref() == Some(sent.key) => {
                calling
            }
            Some(Call { state: State::Calling(_), .. }) => return false,
            Some(Call { state: State::Established { ack: Some(ack) }, dialog, .. }) => {
                let is_again = tag == dialog.remote_tag && response.status.is_success();
                if is_again {
                    // A retransmitted 200: our ACK was lost (section 13.2.2.4).
                    cx.send(dialog.next_hop(), &Message::Request(ack.as_ref().clone()));
                }
                return is_again;
            }
            // Ending: this one has its BYE.
            Some(Call { dialog, .. }) => return tag == dialog.remote_tag,
        };
        let is_cancelled = calling.cancel != Cancel::No;
        if response.status.is_provisional() {
            self.on_provisional(cx, id, response);
            return true;
        }
        self.stop_failover_timeout(id);
        if response.status.is_success() {
            self.on_answered(cx, id, sent.flow, response);
        } else if is_cancelled {
            self.given_up(cx, id);
        } else if !self.try_again(cx, id, sent.flow, response) {
            self.on_refused(cx, id, response);
        }
        true
    }

    fn on_refused(&mut self, cx: &mut Context, id: CallId, response: &Response) {
        let phrase = String::from_utf8_lossy(&response.reason).into_owned();
        let status = response.status.code();
        if status >= 600 {
            // No other telephone will answer either (section 21.6).
            self.remove(cx, id);
            return cx.event(SipEvent::Rejected { call: id, status, phrase });
        }
        self.try_next(cx, id, status, &phrase);
    }

    fn on_provisional(&mut self, cx: &mut Context, id: CallId, response: &Response) {
        self.stop_failover_timeout(id);
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.open.get_mut(&id) else {
            return;
        };
        calling.is_ringing = true;
        let status = response.status.code();
        if calling.cancel == Cancel::Wanted {
            return self.cancel_if_ringing(cx, id);
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
                    self.send_prack(cx, id, fork, number);
                }
                Received::Duplicate | Received::OutOfOrder => return,
            }
        }
        let fork = fork.unwrap_or_default() as u32;
        cx.event(SipEvent::Progress { call: id, fork, status, sdp });
    }

    /// Acknowledges a reliable provisional response (RFC 3262, section 4).
    fn send_prack(&mut self, cx: &mut Context, id: CallId, fork: usize, number: u32) {
        let hop = match self.open.get(&id) {
            Some(Call { state: State::Calling(calling), .. }) => {
                calling.early.get(fork).map(|early| early.dialog.next_hop())
            }
            Some(_) | None => None,
        };
        let Some(hop) = hop else { return };
        let via = cx.via(hop);
        let Some(Call { state: State::Calling(calling), .. }) = self.open.get_mut(&id) else { return };
        let cseq = message::cseq(&calling.request.headers).unwrap_or(1);
        let Some(early) = calling.early.get_mut(fork) else { return };
        let mut prack = early.dialog.request(Method::Prack, via, String::new(), &cx.product);
        prack.headers.remove_all(&HeaderName::Contact);
        message::push(&mut prack.headers, HeaderName::RAck, format!("{number} {cseq} INVITE"));
        self.sign(cx, id, &mut prack);
        cx.send_request(prack, hop, Owner::Nobody);
    }

    fn on_answered(&mut self, cx: &mut Context, id: CallId, flow: Flow, response: &Response) {
        let Some(call) = self.open.get_mut(&id) else { return };
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
        let contact = call.contact(cx, next_hop);
        let via = cx.via(next_hop);
        let cseq = message::cseq(&invite.headers).unwrap_or(1);
        let mut ack = call.dialog.ack(cseq, via, contact, &cx.product);
        copy_authorization(&invite, &mut ack);
        call.state = State::Established { ack: Some(Box::new(ack.clone())) };
        cx.send(next_hop, &Message::Request(ack));
        if is_cancelled {
            // CANCEL and 200 crossed: the call is up, so BYE ends it.
            return self.send_bye(cx, id, &[]);
        }
        let agreed = response.headers.typed::<SessionExpires>().and_then(Result::ok).map(refresh::agreed);
        self.start_session_timer(cx, id, agreed);
        let dialog = self.open.get(&id).map(|call| call.dialog.to_text()).unwrap_or_default();
        cx.event(SipEvent::Answered { call: id, sdp, fork, dialog });
    }

    /// Answers a challenge (section 22.2), tries another server (RFC 3263, 4.3), follows a redirection (section
    /// 8.1.3.4), or asks for a longer session (RFC 4028, 7.3). False if there is nothing to try.
    fn try_again(&mut self, cx: &mut Context, id: CallId, flow: Flow, response: &Response) -> bool {
        let status = response.status.code();
        if status == 503 {
            cx.push(Action::Avoid { flow, wait: message::retry_after(&response.headers) });
            return self.next_server(cx, id);
        }
        if matches!(status, 300 | 301 | 302 | 305) {
            return self.follow(cx, id, message::contacts(&response.headers));
        }
        if !matches!(status, 401 | 407 | 422) {
            return false;
        }
        let Some(call) = self.open.get_mut(&id) else { return false };
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
        self.resend_invite(cx, id, request, flow);
        true
    }

    /// A request of this side, or a final response to an INVITE (`sent` is `None`), got no reply.
    pub(in crate::ua) fn handle_failure(
        &mut self,
        cx: &mut Context,
        id: CallId,
        method: &Method,
        sent: Option<(&TransactionId, Flow)>,
        status: u16,
    ) {
        let is_client = sent.is_some();
        let Some(call) = self.open.get(&id) else { return };
        match (&call.state, method) {
            (State::Calling(calling), Method::Invite) => {
                let Some((_, flow)) = sent.filter(|(key, _)| calling.key.as_ref() == Some(*key)) else {
                    return;
                };
                if calling.cancel != Cancel::No {
                    return self.given_up(cx, id);
                }
                if calling.is_bound && status == 503 {
                    // The connection that the called user registered over is closed (RFC 5626, section 5.3): not a
                    // failed server, but an absent user.
                    return self.try_next(cx, id, 480, "Its connection is closed");
                }
                cx.push(Action::Avoid { flow, wait: None });
                if !self.next_server(cx, id) {
                    self.try_next(cx, id, status, message::phrase(status));
                }
            }
            (State::Established { .. }, Method::Update | Method::Invite)
                if is_client && call.refresh.is_some() =>
            {
                // The other side is gone (RFC 4028, section 10).
                self.send_bye(cx, id, &[]);
                self.end(cx, id, EndCause::Transport);
            }
            // A connection that cannot be opened means that the telephone is gone, too.
            (State::Established { .. }, Method::Options) if is_client => self.on_probed(cx, id, 408),
            (_, Method::Refer) if is_client => self.on_refer_failure(cx, id, status),
            (State::Ending, Method::Bye) => self.end(cx, id, EndCause::Transport),
            (State::Incoming { .. }, Method::Invite) => self.end(cx, id, EndCause::Transport),
            _ => {}
        }
    }
}
