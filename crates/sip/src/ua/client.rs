//! Answers to requests of ours (RFC 3261, sections 9.1, 13.2.2, 15.1.1).

use super::{
    CallId, EndCause, SipEvent, UserAgent,
    calls::{Call, Cancel, State},
    dialog::Dialog,
    message,
};
use sipx_sip::{HeaderName, Message, Method, Request, RequestBuilder, Response, TransactionKey};
use std::time::Duration;

impl UserAgent {
    pub(super) fn on_response(
        &mut self,
        _key: &TransactionKey,
        call: Option<CallId>,
        method: &Method,
        response: &Response,
        now: Duration,
    ) {
        let Some(id) = call else { return };
        match method {
            Method::Invite => self.on_invite_response(id, response, now),
            // Whatever they say to our BYE, the call is over.
            Method::Bye if response.status.is_final() => self.end(id, EndCause::ByUs),
            // 487 to the INVITE is what ends a cancelled call.
            _ => {}
        }
    }

    fn on_invite_response(&mut self, id: CallId, response: &Response, now: Duration) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let calling = match &mut call.state {
            State::Calling(calling) => calling,
            State::Established { ack: Some(ack) } => {
                // The 200 came again: our ACK was lost (section 13.2.2.4).
                let (ack, flow) = (ack.as_ref().clone(), call.dialog.next_hop());
                if response.status.is_success() {
                    self.send(flow, &Message::Request(ack));
                }
                return;
            }
            State::Incoming { .. }
            | State::Answered(_)
            | State::Established { ack: None }
            | State::Ending => return,
        };
        if response.status.is_provisional() {
            calling.is_ringing = true;
            let status = response.status.code();
            if calling.cancel == Cancel::Wanted {
                self.cancel_if_ringing(id, now);
            } else if status > 100 {
                let sdp = message::sdp(&response.headers, response.body());
                self.event(SipEvent::Progress { call: id, status, sdp });
            }
            return;
        }
        let is_cancelled = calling.cancel != Cancel::No;
        if !response.status.is_success() {
            self.remove_call(id);
            return self.event(if is_cancelled {
                SipEvent::Ended { call: id, cause: EndCause::ByUs }
            } else {
                let phrase = String::from_utf8_lossy(&response.reason).into_owned();
                SipEvent::Rejected { call: id, status: response.status.code(), phrase }
            });
        }
        let flow = call.dialog.flow;
        let Some(dialog) = Dialog::of_client(&calling.request, response, flow) else { return };
        call.dialog = dialog;
        let next_hop = call.dialog.next_hop();
        let (via, contact) = (self.via(next_hop), self.contact(next_hop));
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ack = call.dialog.request(Method::Ack, via, contact, &self.config.product);
        call.state = State::Established { ack: Some(Box::new(ack.clone())) };
        self.send(next_hop, &Message::Request(ack));
        if is_cancelled {
            // CANCEL and 200 crossed: the call is up, so BYE ends it.
            self.send_bye(id, &[], now);
        } else {
            let sdp = message::sdp(&response.headers, response.body());
            self.event(SipEvent::Answered { call: id, sdp });
        }
    }

    /// Sends the CANCEL that is wanted, once the other side has shown that it has the INVITE.
    pub(super) fn cancel_if_ringing(&mut self, id: CallId, now: Duration) {
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.calls.get_mut(&id) else {
            return;
        };
        if !calling.is_ringing || calling.cancel != Cancel::Wanted {
            return;
        }
        calling.cancel = Cancel::Sent;
        let (cancel, flow) = (cancel_of(&calling.request), dialog.flow);
        self.send_request(cancel, flow, id, now);
    }

    /// A request of ours, or a final answer to an INVITE, got no reply.
    pub(super) fn on_failure(
        &mut self,
        key: &TransactionKey,
        call: Option<CallId>,
        method: &Method,
        status: u16,
        _now: Duration,
    ) {
        let Some(id) = call else { return };
        let is_client = self.layer.client_request(key).is_some() || self.layer.server_request(key).is_none();
        let Some(call) = self.calls.get(&id) else { return };
        match (&call.state, method) {
            (State::Calling(calling), Method::Invite) if is_client => {
                let is_cancelled = calling.cancel != Cancel::No;
                self.remove_call(id);
                self.event(if is_cancelled {
                    SipEvent::Ended { call: id, cause: EndCause::ByUs }
                } else {
                    SipEvent::Rejected { call: id, status, phrase: message::phrase(status).to_owned() }
                });
            }
            (State::Ending, Method::Bye) => self.end(id, EndCause::Transport),
            (State::Incoming { .. }, Method::Invite) => self.end(id, EndCause::Transport),
            _ => {}
        }
    }
}

/// The CANCEL of an INVITE: the same branch, the same CSeq number (section 9.1).
fn cancel_of(invite: &Request) -> Request {
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
