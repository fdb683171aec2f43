//! Requests that come in (RFC 3261, sections 8.2, 12.2.2, 13.3, 14.2, 15.1.2).

use super::{
    CallId, EndCause, IncomingCall, SipEvent, UserAgent,
    calls::{Answered, Call, Reoffer, State},
    dialog::Dialog,
    message::{self, ALLOW, Body, SDP_TYPE, Side},
};
use sipx_sip::{HeaderName, Method, Request, TransactionKey, headers::Require};
use std::time::Duration;

/// For how long a refused caller is told to stay away, in seconds.
const RETRY_AFTER_OVERLOAD_S: &str = "10";
/// And one who changes a session while another change is under way: up to ten seconds (section 14.2).
const RETRY_AFTER_PENDING_S: &str = "3";

impl UserAgent {
    pub(super) fn on_request(&mut self, key: &TransactionKey, request: &Request, now: Duration) {
        let is_in_dialog = message::tag_of(&request.headers, Side::To).is_some();
        if request.method == Method::Cancel {
            return self.on_cancel(key, request, now);
        }
        if is_in_dialog {
            return self.on_request_in_dialog(key, request, now);
        }
        match request.method {
            Method::Invite => self.on_invite(key, request, now),
            Method::Options if self.is_draining => {
                let extra = [(HeaderName::RetryAfter, RETRY_AFTER_OVERLOAD_S.to_owned())];
                self.respond_with(key, request, 503, None, &extra, now);
            }
            Method::Options => self.respond_options(key, request, now),
            Method::Register => self.on_register(key, request, now),
            Method::Bye | Method::Info | Method::Update | Method::Prack => {
                self.respond_plain(key, request, 481, now);
            }
            Method::Other(_) => self.respond_with(key, request, 501, None, &allow(), now),
            _ => self.respond_with(key, request, 405, None, &allow(), now),
        }
    }

    fn on_invite(&mut self, key: &TransactionKey, request: &Request, now: Duration) {
        let headers = &request.headers;
        if !request.uri.scheme().is_sip() && request.uri.tel_parts().is_none() {
            return self.respond_plain(key, request, 416, now);
        }
        if let Some(unsupported) = required(request) {
            let extra = [(HeaderName::Unsupported, unsupported)];
            return self.respond_with(key, request, 420, None, &extra, now);
        }
        let offer = match message::body(headers, request.body()) {
            Body::None => None,
            Body::Sdp(sdp) => Some(sdp),
            Body::Other => return self.refuse_body(key, request, now),
        };
        let invite = (message::call_id(headers), message::tag_of(headers, Side::From).unwrap_or_default());
        if self.invites.contains_key(&invite) {
            // The same request on another way (section 8.2.2.2).
            return self.respond_plain(key, request, 482, now);
        }
        if self.is_overloaded || self.is_draining {
            let extra = [(HeaderName::RetryAfter, RETRY_AFTER_OVERLOAD_S.to_owned())];
            return self.respond_with(key, request, 503, None, &extra, now);
        }
        let Some(flow) = self.transactions.get(key).map(|transaction| transaction.flow) else { return };
        let local_tag = self.token(8);
        let Some(dialog) = Dialog::of_server(request, &local_tag, flow) else {
            return self.respond_with(
                key,
                request,
                400,
                Some("Missing or malformed Contact header"),
                &[],
                now,
            );
        };
        let call = (self.next_call)();
        self.dialogs.insert((dialog.call_id.clone(), local_tag), call);
        self.invites.insert(invite, call);
        let sip_call_id = dialog.call_id.clone();
        let state = State::Incoming { key: key.clone(), request: Box::new(request.clone()) };
        self.calls.insert(call, Call { dialog, state, reoffer: None });
        if let Some(transaction) = self.transactions.get_mut(key) {
            transaction.call = Some(call);
        }
        if let Some(trying) = message::response(request, 100, None, None, &self.config.product) {
            self.respond(key, trying, now);
        }
        self.event(SipEvent::Incoming(Box::new(IncomingCall {
            call,
            target: message::target(&request.uri),
            from: message::party(headers, Side::From),
            flow,
            offer,
            sip_call_id,
            authorization: super::registration::authorization(request),
            asserted: message::asserted(headers),
        })));
    }

    fn refuse_body(&mut self, key: &TransactionKey, request: &Request, now: Duration) {
        let extra =
            [(HeaderName::Accept, SDP_TYPE.to_owned()), (HeaderName::AcceptEncoding, "identity".to_owned())];
        self.respond_with(key, request, 415, None, &extra, now);
    }

    fn on_cancel(&mut self, key: &TransactionKey, request: &Request, now: Duration) {
        let invite = TransactionKey::for_cancelled_invite(request);
        let Some(call) = invite.and_then(|invite| self.transactions.get(&invite)).map(|found| found.call)
        else {
            return self.respond_plain(key, request, 481, now);
        };
        if let Some(transaction) = self.transactions.get_mut(key) {
            // For the tag: the answer to CANCEL carries the one of the INVITE's answers (section 9.2).
            transaction.call = call;
        }
        self.respond_plain(key, request, 200, now);
        // After a final answer CANCEL changes nothing.
        let Some(id) = call else { return };
        if let Some(Call { state: State::Incoming { key, request }, .. }) = self.calls.get(&id) {
            let (key, request) = (key.clone(), request.clone());
            self.respond_plain(&key, &request, 487, now);
            self.remove_call(id);
            self.event(SipEvent::Cancelled { call: id });
        }
    }

    /// The call of a request with a To tag.
    fn call_of(&self, request: &Request) -> Option<CallId> {
        let headers = &request.headers;
        let local_tag = message::tag_of(headers, Side::To)?;
        let id = *self.dialogs.get(&(message::call_id(headers), local_tag))?;
        let remote_tag = message::tag_of(headers, Side::From).unwrap_or_default();
        let call = self.calls.get(&id)?;
        (call.dialog.remote_tag == remote_tag).then_some(id)
    }

    fn on_request_in_dialog(&mut self, key: &TransactionKey, request: &Request, now: Duration) {
        let Some(id) = self.call_of(request) else {
            return self.respond_plain(key, request, 481, now);
        };
        let flow = self.transactions.get_mut(key).map(|transaction| {
            transaction.call = Some(id);
            transaction.flow
        });
        let (Some(call), Some(flow)) = (self.calls.get_mut(&id), flow) else { return };
        let cseq = message::cseq(&request.headers).unwrap_or_default();
        if cseq < call.dialog.remote_cseq {
            return self.respond_with(key, request, 500, Some("CSeq out of order"), &[], now);
        }
        call.dialog.remote_cseq = cseq;
        match request.method {
            Method::Bye => self.on_bye(key, request, id, now),
            Method::Invite | Method::Update => {
                call.dialog.refresh(request, flow);
                self.on_reoffer(key, request, id, now);
            }
            Method::Info => self.on_info(key, request, id, now),
            Method::Options => self.respond_options(key, request, now),
            Method::Other(_) => self.respond_with(key, request, 501, None, &allow(), now),
            _ => self.respond_with(key, request, 405, None, &allow(), now),
        }
    }

    fn on_bye(&mut self, key: &TransactionKey, request: &Request, id: CallId, now: Duration) {
        self.respond_plain(key, request, 200, now);
        let Some(call) = self.calls.get(&id) else { return };
        match &call.state {
            State::Incoming { key, request } => {
                // A caller may hang up on an early dialog too; its INVITE still wants an answer (section 15.1.2).
                let (key, request) = (key.clone(), request.clone());
                self.respond_plain(&key, &request, 487, now);
            }
            State::Answered(_) | State::Calling(_) | State::Established { .. } | State::Ending => {}
        }
        if let Some(Call { reoffer: Some(Reoffer::Pending { key, request, .. }), .. }) = self.calls.get(&id) {
            let (key, request) = (key.clone(), request.clone());
            self.respond_plain(&key, &request, 487, now);
        }
        self.end(id, EndCause::ByRemote { reasons: message::reasons(&request.headers) });
    }

    fn on_reoffer(&mut self, key: &TransactionKey, request: &Request, id: CallId, now: Duration) {
        if let Some(unsupported) = required(request) {
            let extra = [(HeaderName::Unsupported, unsupported)];
            return self.respond_with(key, request, 420, None, &extra, now);
        }
        let offer = match message::body(&request.headers, request.body()) {
            Body::None => None,
            Body::Sdp(sdp) => Some(sdp),
            Body::Other => return self.refuse_body(key, request, now),
        };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let is_up = matches!(call.state, State::Established { .. });
        if !is_up || call.reoffer.is_some() {
            let extra = [(HeaderName::RetryAfter, RETRY_AFTER_PENDING_S.to_owned())];
            return self.respond_with(key, request, 500, Some("Another change is under way"), &extra, now);
        }
        if request.method == Method::Update && offer.is_none() {
            // Only the target is refreshed, which has happened.
            return self.respond_plain(key, request, 200, now);
        }
        call.reoffer = Some(Reoffer::Pending {
            key: key.clone(),
            request: Box::new(request.clone()),
            has_offer: offer.is_some(),
        });
        self.event(SipEvent::Reoffer { call: id, offer });
    }

    fn on_info(&mut self, key: &TransactionKey, request: &Request, id: CallId, now: Duration) {
        let content_type = message::text(&request.headers, &HeaderName::ContentType).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let signal = match content_type.as_str() {
            "application/dtmf-relay" => body.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                name.trim().eq_ignore_ascii_case("signal").then(|| value.trim().to_owned())
            }),
            "application/dtmf" => Some(body.trim().to_owned()),
            // An empty INFO asks whether we are still there.
            "" if request.body().is_empty() => None,
            _ => return self.refuse_body(key, request, now),
        };
        self.respond_plain(key, request, 200, now);
        let key = match signal.as_deref() {
            Some("10") => Some('*'),
            Some("11") => Some('#'),
            Some(signal) => signal.chars().next().filter(|_| signal.len() == 1),
            None => None,
        };
        if let Some(key) =
            key.map(|key| key.to_ascii_uppercase()).filter(|key| "0123456789*#ABCD".contains(*key))
        {
            self.event(SipEvent::KeyPressed { call: id, key });
        }
    }

    fn respond_options(&mut self, key: &TransactionKey, request: &Request, now: Duration) {
        let extra = [
            (HeaderName::Allow, ALLOW.to_owned()),
            (HeaderName::Accept, format!("{SDP_TYPE}, application/dtmf-relay, application/dtmf")),
            (HeaderName::AcceptEncoding, "identity".to_owned()),
            (HeaderName::Supported, String::new()),
        ];
        self.respond_with(key, request, 200, None, &extra, now);
    }

    /// An ACK to a 2xx of ours.
    pub(super) fn on_ack(&mut self, request: &Request, now: Duration) {
        let Some(id) = self.call_of(request) else { return };
        let cseq = message::cseq(&request.headers);
        let answer = message::sdp(&request.headers, request.body());
        let Some(call) = self.calls.get_mut(&id) else { return };
        let is_for = |answered: &Answered| cseq == Some(answered.cseq);
        match &mut call.state {
            State::Answered(answered) if is_for(answered) => {
                self.timers.clear(answered.ticket);
                let (hang_up, offered) = (answered.hang_up.take(), answered.offered);
                call.state = State::Established { ack: None };
                match hang_up {
                    Some(reasons) => self.send_bye(id, &reasons, now),
                    None => {
                        let answer = answer.filter(|_| offered);
                        let dialog = call.dialog.to_text();
                        self.event(SipEvent::Confirmed { call: id, answer, dialog });
                    }
                }
            }
            State::Established { .. } => {
                if let Some(Reoffer::Answered(answered)) = &call.reoffer
                    && is_for(answered)
                {
                    self.timers.clear(answered.ticket);
                    let offered = answered.offered;
                    call.reoffer = None;
                    if offered {
                        self.event(SipEvent::ReofferAnswer { call: id, answer });
                    }
                }
            }
            // An ACK that comes again, or to a call that is ending.
            State::Answered(_) | State::Incoming { .. } | State::Calling(_) | State::Ending => {}
        }
    }
}

fn allow() -> [(HeaderName, String); 1] {
    [(HeaderName::Allow, ALLOW.to_owned())]
}

/// The extensions a request insists on: we support none, so all of them come back in Unsupported (section 8.2.2.3).
fn required(request: &Request) -> Option<String> {
    let tags: Vec<String> = request
        .headers
        .typed_all::<Require>()
        .filter_map(Result::ok)
        .flat_map(|require| require.0.0)
        .map(|tag| String::from_utf8_lossy(&tag).into_owned())
        .collect();
    (!tags.is_empty()).then(|| tags.join(", "))
}
