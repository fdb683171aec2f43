//! Requests that come in (RFC 3261, sections 8.2, 12.2.2, 13.3, 14.2, 15.1.2).

use super::{
    CallId, EndCause, IncomingCall, Replaces, SipEvent, UserAgent,
    body::{self, Body},
    calls::{Answered, Call, Reoffer, State},
    dialog::Dialog,
    message::{self, ALLOW, SUPPORTED, Side},
    refresh::{self, Skills},
};
use bytes::Bytes;
use sipx_sip::{HeaderName, Method, Request, TransactionKey, headers::Require};
use std::time::Duration;

/// For how long a refused caller is told to stay away, in seconds.
const RETRY_AFTER_OVERLOAD_S: &str = "10";
/// Of the clients in browsers that ask with OPTIONS for servers that help with ICE.
const TURN_REQUEST: &[u8] = b"X-AculabTurnRequest";
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
        if matches!(request.method, Method::Options | Method::Register | Method::Subscribe | Method::Refer) {
            if !request.uri.scheme().is_sip() && request.uri.tel_parts().is_none() {
                return self.respond_plain(key, request, 416, now);
            }
            if let Some(unsupported) = required(request) {
                let extra = [(HeaderName::Unsupported, unsupported)];
                return self.respond_with(key, request, 420, None, &extra, now);
            }
        }
        match request.method {
            Method::Invite => self.on_invite(key, request, now),
            Method::Options if self.is_draining && !asks_for_ice_servers(request) => {
                let extra = [(HeaderName::RetryAfter, RETRY_AFTER_OVERLOAD_S.to_owned())];
                self.respond_with(key, request, 503, None, &extra, now);
            }
            Method::Options => self.respond_options(key, request, now),
            Method::Register => self.on_register(key, request, now),
            Method::Subscribe => self.on_subscribe(key, request, None, now),
            Method::Refer => self.on_refer(key, request, None, now),
            Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Notify => {
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
        let offer = match body::find(headers, request.body(), body::SESSION) {
            Body::None => None,
            Body::Known { text, .. } => Some(text),
            Body::Unknown | Body::Refused => return self.refuse_body(key, request, body::SESSION, now),
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
        let agreed = match refresh::asked(request) {
            Ok(agreed) => refresh::without_reoffer(agreed, request, flow, Skills::of(headers)),
            Err(least) => {
                let extra = [(HeaderName::MinSe, least.as_secs().to_string())];
                return self.respond_with(key, request, 422, None, &extra, now);
            }
        };
        let replaces = match self.replaced(headers) {
            Ok(replaces) => replaces,
            Err(status) => return self.respond_plain(key, request, status, now),
        };
        let call = (self.next_call)();
        self.dialogs.insert((dialog.call_id.clone(), local_tag), call);
        self.invites.insert(invite, call);
        let sip_call_id = dialog.call_id.clone();
        let state = State::Incoming { key: key.clone(), request: Box::new(request.clone()) };
        let target = message::target(&request.uri);
        let mut entry = Call::new(dialog, state, target.user.clone());
        (entry.agreed, entry.skills) = (agreed, Skills::of(headers));
        self.calls.insert(call, entry);
        if let Some(transaction) = self.transactions.get_mut(key) {
            transaction.call = Some(call);
        }
        if let Some(trying) = message::response(request, 100, None, None, &self.config.product) {
            self.respond(key, trying, now);
        }
        self.event(SipEvent::Incoming(Box::new(IncomingCall {
            call,
            target,
            replaces,
            from: message::party(headers, Side::From),
            flow,
            offer,
            sip_call_id,
            authorizations: super::registration::authorizations(request),
            caller: super::registration::caller(request),
            asserted: message::asserted(headers),
            is_private: message::is_private(headers),
        })));
    }

    /// The call that this one is to take the place of (RFC 3891, section 3). `Err`: the status to refuse with.
    fn replaced(&self, headers: &sipx_sip::Headers) -> Result<Option<CallId>, u16> {
        let Some(replaces) = message::replaces(headers).map_err(|()| 400_u16)? else { return Ok(None) };
        let early_only = replaces.early_only;
        let id = self.call_named(&replaces).ok_or(481_u16)?;
        let call = self.calls.get(&id).ok_or(481_u16)?;
        match &call.state {
            State::Established { .. } | State::Answered(_) if early_only => Err(486),
            State::Established { .. } | State::Answered(_) => Ok(Some(id)),
            // Nothing of ours that is early can be taken over: it has no media.
            State::Incoming { .. } | State::Calling(_) => Err(481),
            State::Ending => Err(603),
        }
    }

    /// The call of ours whose dialog is meant.
    pub(super) fn call_named(&self, replaces: &Replaces) -> Option<CallId> {
        let id = *self.dialogs.get(&(replaces.call_id.clone(), replaces.to_tag.clone()))?;
        (self.calls.get(&id)?.dialog.remote_tag == replaces.from_tag).then_some(id)
    }

    /// Says which bodies are understood in this place, all of them unpacked.
    pub(super) fn refuse_body(
        &mut self,
        key: &TransactionKey,
        request: &Request,
        known: &[&str],
        now: Duration,
    ) {
        let extra =
            [(HeaderName::Accept, body::accept(known)), (HeaderName::AcceptEncoding, "identity".to_owned())];
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
        let reasons = message::reasons(&request.headers);
        // After a final answer CANCEL changes nothing.
        let Some(id) = call else { return };
        if let Some(Call { state: State::Incoming { key, request }, .. }) = self.calls.get(&id) {
            let (key, request) = (key.clone(), request.clone());
            self.respond_plain(&key, &request, 487, now);
            self.remove_call(id);
            self.event(SipEvent::Cancelled { call: id, reasons });
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
        if request.method == Method::Subscribe
            && let Some(id) = self.subscription_of(request)
        {
            return self.on_resubscribe(key, request, id, now);
        }
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
        call.dialog.heard(flow);
        match request.method {
            Method::Bye => self.on_bye(key, request, id, now),
            Method::Invite | Method::Update => {
                call.dialog.refresh(request, flow);
                self.on_reoffer(key, request, id, now);
            }
            Method::Info => self.on_info(key, request, id, now),
            Method::Prack => self.on_prack(key, request, id, now),
            Method::Subscribe => self.on_subscribe(key, request, Some(id), now),
            Method::Refer => self.on_refer(key, request, Some(id), now),
            Method::Notify => self.on_notify(key, request, id, now),
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
        let offer = match body::find(&request.headers, request.body(), body::SESSION) {
            Body::None => None,
            Body::Known { text, .. } => Some(text),
            Body::Unknown | Body::Refused => return self.refuse_body(key, request, body::SESSION, now),
        };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let flow = call.dialog.flow;
        if call.refresh.is_some() && offer.is_some() {
            // Both sides change the session at once (section 14.2).
            return self.respond_plain(key, request, 491, now);
        }
        let agreed = match refresh::asked(request) {
            Ok(agreed) => refresh::without_reoffer(agreed, request, flow, call.skills),
            Err(least) => {
                let extra = [(HeaderName::MinSe, least.as_secs().to_string())];
                return self.respond_with(key, request, 422, None, &extra, now);
            }
        };
        let is_up = matches!(call.state, State::Established { .. });
        if !is_up || call.reoffer.is_some() {
            let extra = [(HeaderName::RetryAfter, RETRY_AFTER_PENDING_S.to_owned())];
            return self.respond_with(key, request, 500, Some("Another change is under way"), &extra, now);
        }
        if request.method == Method::Update && offer.is_none() {
            // Only the target and the timer are refreshed.
            call.agreed = agreed;
            let tag = call.dialog.local_tag.clone();
            if let Some(mut response) =
                message::response(request, 200, None, Some(&tag), &self.config.product)
            {
                refresh::write(&mut response.headers, agreed);
                self.respond(key, response, now);
            }
            return self.start_session_timer(id, agreed, now);
        }
        call.reoffer = Some(Reoffer::Pending {
            key: key.clone(),
            request: Box::new(request.clone()),
            has_offer: offer.is_some(),
            agreed,
        });
        self.event(SipEvent::Reoffer { call: id, offer });
    }

    fn on_info(&mut self, key: &TransactionKey, request: &Request, id: CallId, now: Duration) {
        let signal = match body::find(&request.headers, request.body(), body::KEYS) {
            Body::Known { media_type: body::DTMF_RELAY, text } => text.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                name.trim().eq_ignore_ascii_case("signal").then(|| value.trim().to_owned())
            }),
            Body::Known { text, .. } => Some(text.trim().to_owned()),
            // An empty INFO asks whether we are still there.
            Body::None => None,
            Body::Unknown | Body::Refused => return self.refuse_body(key, request, body::KEYS, now),
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
            (HeaderName::Accept, body::accept(body::ALL)),
            (HeaderName::AcceptEncoding, "identity".to_owned()),
            (HeaderName::Supported, SUPPORTED.to_owned()),
            (HeaderName::AllowEvents, "conference, refer".to_owned()),
        ];
        if !asks_for_ice_servers(request) {
            return self.respond_with(key, request, 200, None, &extra, now);
        }
        let tag = self.token(8);
        let response = message::response(request, 200, None, Some(&tag), &self.config.product);
        let Some(mut response) = response else { return };
        for (name, value) in extra {
            message::push(&mut response.headers, name, value);
        }
        let client = message::party(&request.headers, Side::From).user;
        let servers = (self.config.ice_servers.0)(&client);
        message::with_body(&mut response, "application/json", servers);
        self.respond(key, response, now);
    }

    /// An ACK to a 2xx of ours.
    pub(super) fn on_ack(&mut self, request: &Request, now: Duration) {
        let Some(id) = self.call_of(request) else { return };
        let cseq = message::cseq(&request.headers);
        let answer = body::text(&request.headers, request.body(), body::SESSION);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let is_for = |answered: &Answered| cseq == Some(answered.cseq);
        match &mut call.state {
            State::Answered(answered) if is_for(answered) => {
                self.timers.clear(answered.ticket);
                let (hang_up, offered) = (answered.hang_up.take(), answered.offered);
                call.state = State::Established { ack: None };
                let agreed = call.agreed;
                self.start_session_timer(id, agreed, now);
                let Some(call) = self.calls.get_mut(&id) else { return };
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
                    let (offered, agreed) = (answered.offered, call.agreed);
                    call.reoffer = None;
                    self.start_session_timer(id, agreed, now);
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

/// Clients in browsers ask in this way for servers that help with ICE.
fn asks_for_ice_servers(request: &Request) -> bool {
    let value = message::text(&request.headers, &HeaderName::parse(&Bytes::from_static(TURN_REQUEST)));
    value.is_some_and(|value| value == "1")
}

fn allow() -> [(HeaderName, String); 1] {
    [(HeaderName::Allow, ALLOW.to_owned())]
}

/// The extensions that a request insists on and that we do not know (section 8.2.2.3).
pub(super) fn required(request: &Request) -> Option<String> {
    let tags: Vec<String> = request
        .headers
        .typed_all::<Require>()
        .filter_map(Result::ok)
        .flat_map(|require| require.0.0)
        .map(|tag| String::from_utf8_lossy(&tag).into_owned())
        .filter(|tag| !SUPPORTED.split(", ").any(|known| known.eq_ignore_ascii_case(tag)))
        .collect();
    (!tags.is_empty()).then(|| tags.join(", "))
}
