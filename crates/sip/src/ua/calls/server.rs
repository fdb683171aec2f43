//! Received requests (RFC 3261, sections 8.2, 12.2.2, 13.3, 14.2, 15.1.2).

use super::{
    Answered, Call, CallId, Calls, EndCause, Reoffer, SipEvent, State, over,
    refresh::{self, Skills},
};
use crate::ua::{
    body::{self, Body},
    context::{Context, RETRY_AFTER_OVERLOAD_S, Received},
    dialog::Dialog,
    message::{self, Side, required},
    requests::{authorizations, caller},
    types::{Flow, IncomingCall, ReplacedCall},
};
use sipx_sip::{HeaderName, Headers, Method, Request};
use std::time::Duration;

/// Retry-After for a change of the session during another change: up to ten seconds (section 14.2).
const RETRY_AFTER_PENDING_S: &str = "3";

impl Calls {
    /// Checks an INVITE outside of any dialog, and begins a call. `may_begin`: new calls are accepted.
    pub(in crate::ua) fn handle_invite(
        &mut self,
        cx: &mut Context,
        mut received: Received,
        may_begin: bool,
    ) -> Option<CallId> {
        let (request, flow) = (&received.request, received.flow);
        let headers = &request.headers;
        if !request.uri.scheme().is_sip() && request.uri.tel_parts().is_none() {
            return refuse(cx, &received, 416, None, &[]);
        }
        if let Some(unsupported) = required(request) {
            return refuse(cx, &received, 420, None, &[(HeaderName::Unsupported, unsupported)]);
        }
        let offer = match body::find(headers, request.body(), body::SESSION) {
            Body::None => None,
            Body::Known { text, .. } => Some(text),
            Body::Unknown | Body::Refused => {
                cx.refuse_body(&received, body::SESSION);
                return None;
            }
        };
        let invite = (message::call_id(headers), message::tag_of(headers, Side::From).unwrap_or_default());
        if self.invites.contains_key(&invite) {
            // The same request by another path (section 8.2.2.2).
            return refuse(cx, &received, 482, None, &[]);
        }
        if !may_begin {
            let extra = [(HeaderName::RetryAfter, RETRY_AFTER_OVERLOAD_S.to_owned())];
            return refuse(cx, &received, 503, None, &extra);
        }
        let local_tag = cx.token(8);
        let Some(dialog) = Dialog::of_server(request, &local_tag, flow) else {
            return refuse(cx, &received, 400, Some("Missing or malformed Contact header"), &[]);
        };
        let agreed = match refresh::asked(request) {
            Ok(agreed) => refresh::without_reoffer(agreed, request, flow, Skills::of(headers)),
            Err(least) => {
                let extra = [(HeaderName::MinSe, least.as_secs().to_string())];
                return refuse(cx, &received, 422, None, &extra);
            }
        };
        let replaces = match self.replaced(headers, flow, cx.now) {
            Ok(replaces) => replaces,
            Err(status) => return refuse(cx, &received, status, None, &[]),
        };
        let call = (self.next_call)();
        let sip_call_id = dialog.call_id.clone();
        self.dialogs.insert((sip_call_id.clone(), local_tag.clone()), call);
        self.invites.insert(invite, call);
        if let Some(trying) = message::response(request, 100, None, None, &cx.product) {
            cx.respond(&received.key, trying);
        }
        let target = message::target(&request.uri);
        let (contact_user, skills) = (target.user.clone(), Skills::of(headers));
        cx.event(SipEvent::Incoming(Box::new(IncomingCall {
            call,
            target,
            replaces,
            from: message::name_addr(headers, Side::From),
            flow,
            offer,
            sip_call_id,
            authorizations: authorizations(request),
            caller: caller(request),
            asserted: message::asserted(headers),
            is_private: message::is_withheld(headers),
        })));
        received.tag = Some(local_tag);
        let mut entry = Call::new(dialog, State::Incoming { received: Box::new(received) }, contact_user);
        (entry.agreed, entry.skills) = (agreed, skills);
        self.open.insert(call, entry);
        Some(call)
    }

    /// The call that this one replaces (RFC 3891, section 3). `Err`: the status to refuse with.
    fn replaced(&self, headers: &Headers, flow: Flow, now: Duration) -> Result<Option<ReplacedCall>, u16> {
        let Some(replaces) = message::replaces(headers).map_err(|()| 400_u16)? else { return Ok(None) };
        let early_only = replaces.early_only;
        let found = |call: CallId, there: Flow, is_over: bool| {
            let of = |flow: Flow| (flow.remote.ip().to_canonical(), flow.is_foreign);
            Some(ReplacedCall { call, is_same_peer: of(there) == of(flow), is_over })
        };
        // A page that is loaded again does not know whether its call is over.
        let is_page = over::is_websocket(flow) && !early_only;
        let Some(id) = self.named(&replaces) else {
            let over = self.over.find(&replaces, now).filter(|_| is_page);
            return over.map(|(call, there)| found(call, there, true)).ok_or(481);
        };
        let call = self.open.get(&id).ok_or(481_u16)?;
        let there = call.dialog.flow;
        match &call.state {
            State::Established { .. } | State::Answered(_) if early_only => Err(486),
            State::Established { .. } | State::Answered(_) => Ok(found(id, there, false)),
            // An early call of this side cannot be replaced: it has no media.
            State::Incoming { .. } | State::Calling(_) => Err(481),
            State::Ending if is_page && over::is_websocket(there) => Ok(found(id, there, true)),
            State::Ending => Err(603),
        }
    }

    /// The local tag in the dialog of a call.
    pub(in crate::ua) fn tag(&self, id: CallId) -> Option<String> {
        self.open.get(&id).map(|call| call.dialog.local_tag.clone())
    }

    /// CANCEL of a call's INVITE.
    pub(in crate::ua) fn handle_cancel(&mut self, cx: &mut Context, id: CallId, cancel: &Request) {
        // After a final answer CANCEL changes nothing.
        if let Some(Call { state: State::Incoming { received }, .. }) = self.open.get(&id) {
            cx.respond_plain(received, 487);
            self.remove(cx, id);
            cx.event(SipEvent::Cancelled { call: id, reasons: message::reasons(&cancel.headers) });
        }
    }

    /// A request within the dialog of a call. What it returns is not for the call to answer.
    pub(in crate::ua) fn handle_request(
        &mut self,
        cx: &mut Context,
        id: CallId,
        received: Received,
    ) -> Option<Received> {
        let (request, flow) = (&received.request, received.flow);
        let call = self.open.get_mut(&id)?;
        let cseq = message::cseq(&request.headers).unwrap_or_default();
        if cseq < call.dialog.remote_cseq {
            cx.respond_with(&received, 500, Some("CSeq out of order"), &[]);
            return None;
        }
        call.dialog.remote_cseq = cseq;
        call.dialog.heard(flow);
        match request.method {
            Method::Bye => self.on_bye(cx, &received, id),
            Method::Invite | Method::Update => self.on_reoffer(cx, received, id),
            Method::Info => self.on_info(cx, &received, id),
            Method::Prack => self.on_prack(cx, &received, id),
            Method::Notify => self.on_notify(cx, &received, id),
            _ => return Some(received),
        }
        None
    }

    fn on_bye(&mut self, cx: &mut Context, received: &Received, id: CallId) {
        cx.respond_plain(received, 200);
        let Some(call) = self.open.get(&id) else { return };
        if let State::Incoming { received } = &call.state {
            // A caller may hang up on an early dialog too; its INVITE still needs a response (section 15.1.2).
            cx.respond_plain(received, 487);
        }
        if let Some(Reoffer::Pending { received, .. }) = &call.reoffer {
            cx.respond_plain(received, 487);
        }
        self.end(cx, id, EndCause::ByRemote { reasons: message::reasons(&received.request.headers) });
    }

    fn on_reoffer(&mut self, cx: &mut Context, received: Received, id: CallId) {
        let request = &received.request;
        if let Some(unsupported) = required(request) {
            let extra = [(HeaderName::Unsupported, unsupported)];
            return cx.respond_with(&received, 420, None, &extra);
        }
        let offer = match body::find(&request.headers, request.body(), body::SESSION) {
            Body::None => None,
            Body::Known { text, .. } => Some(text),
            Body::Unknown | Body::Refused => return cx.refuse_body(&received, body::SESSION),
        };
        let Some(call) = self.open.get_mut(&id) else { return };
        let flow = received.flow;
        if call.refresh.is_some() && offer.is_some() {
            // Both sides change the session at once (section 14.2).
            return cx.respond_plain(&received, 491);
        }
        let agreed = match refresh::asked(request) {
            Ok(agreed) => refresh::without_reoffer(agreed, request, flow, call.skills),
            Err(least) => {
                let extra = [(HeaderName::MinSe, least.as_secs().to_string())];
                return cx.respond_with(&received, 422, None, &extra);
            }
        };
        let is_up = matches!(call.state, State::Established { .. });
        if !is_up || call.reoffer.is_some() {
            let extra = [(HeaderName::RetryAfter, RETRY_AFTER_PENDING_S.to_owned())];
            return cx.respond_with(&received, 500, Some("Another change is under way"), &extra);
        }
        if request.method == Method::Update && offer.is_none() {
            // Only the target and the timer are refreshed.
            call.agreed = agreed;
            call.dialog.refresh(request, flow);
            let tag = call.dialog.local_tag.clone();
            if let Some(mut response) = message::response(request, 200, None, Some(&tag), &cx.product) {
                refresh::write(&mut response.headers, agreed);
                cx.respond(&received.key, response);
            }
            return self.start_session_timer(cx, id, agreed);
        }
        call.reoffer =
            Some(Reoffer::Pending { received: Box::new(received), has_offer: offer.is_some(), agreed });
        cx.event(SipEvent::Reoffer { call: id, offer });
    }

    fn on_info(&mut self, cx: &mut Context, received: &Received, id: CallId) {
        let request = &received.request;
        let signal = match body::find(&request.headers, request.body(), body::KEYS) {
            Body::Known { media_type: body::DTMF_RELAY, text } => text.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                name.trim().eq_ignore_ascii_case("signal").then(|| value.trim().to_owned())
            }),
            Body::Known { text, .. } => Some(text.trim().to_owned()),
            // An empty INFO is a keep-alive.
            Body::None => None,
            Body::Unknown | Body::Refused => return cx.refuse_body(received, body::KEYS),
        };
        cx.respond_plain(received, 200);
        let key = match signal.as_deref() {
            Some("10") => Some('*'),
            Some("11") => Some('#'),
            Some(signal) => signal.chars().next().filter(|_| signal.len() == 1),
            None => None,
        };
        if let Some(key) =
            key.map(|key| key.to_ascii_uppercase()).filter(|key| "0123456789*#ABCD".contains(*key))
        {
            cx.event(SipEvent::KeyPressed { call: id, key });
        }
    }

    /// An ACK to a 2xx.
    pub(in crate::ua) fn handle_ack(&mut self, cx: &mut Context, request: &Request) {
        let Some(id) = self.of_request(request) else { return };
        let cseq = message::cseq(&request.headers);
        let answer = body::text(&request.headers, request.body(), body::SESSION);
        let Some(call) = self.open.get_mut(&id) else { return };
        let is_for = |answered: &Answered| cseq == Some(answered.cseq);
        match &mut call.state {
            State::Answered(answered) if is_for(answered) => {
                self.timers.clear(answered.ticket);
                let (hang_up, offered) = (answered.hang_up.take(), answered.offered);
                call.state = State::Established { ack: None };
                let agreed = call.agreed;
                self.start_session_timer(cx, id, agreed);
                let Some(call) = self.open.get_mut(&id) else { return };
                match hang_up {
                    Some(reasons) => self.send_bye(cx, id, &reasons),
                    None => {
                        let answer = answer.filter(|_| offered);
                        let dialog = call.dialog.to_text();
                        cx.event(SipEvent::Confirmed { call: id, answer, dialog });
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
                    self.start_session_timer(cx, id, agreed);
                    if offered {
                        cx.event(SipEvent::ReofferAnswer { call: id, answer });
                    }
                }
            }
            // A duplicate ACK, or one to a call that is ending.
            State::Answered(_) | State::Incoming { .. } | State::Calling(_) | State::Ending => {}
        }
    }
}

/// Refuses an INVITE that begins no call.
fn refuse(
    cx: &mut Context,
    invite: &Received,
    status: u16,
    reason: Option<&str>,
    extra: &[(HeaderName, String)],
) -> Option<CallId> {
    cx.respond_with(invite, status, reason, extra);
    None
}
