//! Answers to requests of ours (RFC 3261, sections 9.1, 13.2.2, 15.1.1).

use super::{
    CallId, Credentials, EndCause, SipEvent, UserAgent,
    calls::{Call, Cancel, State},
    dialog::Dialog,
    message,
};
use sipx_sip::auth::Challenge;
use sipx_sip::{HeaderName, Message, Method, Request, RequestBuilder, Response, TransactionKey};
use std::time::Duration;

/// Requests for one call at the most: one, an answer to a challenge, a few redirections.
const ATTEMPTS_MAX: u32 = 6;

impl UserAgent {
    pub(super) fn on_response(
        &mut self,
        key: &TransactionKey,
        call: Option<CallId>,
        method: &Method,
        response: &Response,
        now: Duration,
    ) {
        if *method == Method::Notify {
            return self.on_notify_response(key, response);
        }
        let Some(id) = call else { return };
        if self.on_refresh_response(id, method, response, now) {
            return;
        }
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
        if !is_cancelled && self.try_again(id, response, now) {
            return;
        }
        if !response.status.is_success() {
            self.remove_call(id);
            return self.event(if is_cancelled {
                SipEvent::Ended { call: id, cause: EndCause::ByUs }
            } else {
                let phrase = String::from_utf8_lossy(&response.reason).into_owned();
                SipEvent::Rejected { call: id, status: response.status.code(), phrase }
            });
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let State::Calling(calling) = &call.state else { return };
        let flow = call.dialog.flow;
        let Some(dialog) = Dialog::of_client(&calling.request, response, flow) else { return };
        call.dialog = dialog;
        let next_hop = call.dialog.next_hop();
        let contact = self.calls.get(&id).map(|call| self.contact_of(call, next_hop)).unwrap_or_default();
        let via = self.via(next_hop);
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

    /// Answers a challenge (section 22.2), or goes where a redirection says (section 8.1.3.4). False: there is nothing to
    /// try.
    fn try_again(&mut self, id: CallId, response: &Response, now: Duration) -> bool {
        let Some(Call { dialog, state: State::Calling(calling), .. }) = self.calls.get(&id) else {
            return false;
        };
        if calling.attempts >= ATTEMPTS_MAX {
            return false;
        }
        let (mut request, mut flow) = (calling.request.clone(), dialog.flow);
        let old_cseq = message::cseq(&request.headers).unwrap_or(1);
        match response.status.code() {
            401 | 407 => {
                let Some(credentials) = calling.credentials.clone() else { return false };
                let answered = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
                let was_asked = answered.iter().any(|name| request.headers.get(name).is_some());
                let Some((name, value)) = self.authorize(&request, response, &credentials, was_asked) else {
                    return false;
                };
                message::set(&mut request.headers, &name, value);
            }
            301 | 302 | 305 => {
                // By its address only: names are looked up before a call is placed.
                let target = message::contact(&response.headers).and_then(|uri| {
                    let remote = message::uri_address(&uri, flow.transport)?;
                    (remote.is_ipv4() == flow.remote.is_ipv4()).then_some((uri, remote))
                });
                let Some((uri, remote)) = target else { return false };
                request.uri = uri;
                flow.remote = remote;
            }
            _ => return false,
        }
        let via = self.via(flow);
        message::set_first(&mut request.headers, HeaderName::Via, via);
        message::set(&mut request.headers, &HeaderName::CSeq, format!("{} INVITE", old_cseq + 1));
        if let Some(Call { dialog, state: State::Calling(calling), .. }) = self.calls.get_mut(&id) {
            dialog.flow = flow;
            calling.request = request.clone();
            calling.is_ringing = false;
            calling.attempts += 1;
        }
        self.send_request(request, flow, id, now);
        true
    }

    /// The answer to the best challenge that we know to answer.
    pub(super) fn authorize(
        &mut self,
        request: &Request,
        response: &Response,
        credentials: &Credentials,
        was_asked: bool,
    ) -> Option<(HeaderName, String)> {
        let of = |name: &HeaderName, from_proxy: bool| {
            let headers = response.headers.get_all(name);
            headers.filter_map(|header| Challenge::parse(&header.value(), from_proxy)).collect::<Vec<_>>()
        };
        let mut challenges = of(&HeaderName::WwwAuthenticate, false);
        challenges.extend(of(&HeaderName::ProxyAuthenticate, true));
        let challenge = sipx_sip::auth::strongest(challenges)?;
        // The same question again means that the password is wrong.
        if was_asked && !challenge.stale {
            return None;
        }
        let cnonce = self.token(8);
        let uri = String::from_utf8_lossy(&request.uri.to_bytes()).into_owned();
        let method = String::from_utf8_lossy(request.method.as_bytes()).into_owned();
        let known = sipx_sip::auth::Credentials::new(&credentials.user, &credentials.password);
        let value = sipx_sip::auth::respond(&challenge, &known, &method, &uri, 1, &cnonce);
        Some((challenge.response_header(), value))
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
        now: Duration,
    ) {
        if *method == Method::Notify {
            return self.on_notify_failure(key);
        }
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
            (State::Established { .. }, Method::Update | Method::Invite)
                if is_client && call.refresh.is_some() =>
            {
                // Nobody there any more (RFC 4028, section 10).
                self.send_bye(id, &[], now);
                self.end(id, EndCause::Transport);
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
