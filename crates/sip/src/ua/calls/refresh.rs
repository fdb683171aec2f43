//! Session timers (RFC 4028): a session without a refresh ends. Requests of this side within an established dialog.

use super::{Call, CallId, Calls, Due, EndCause, Flow, Reason, State, Ticket};
use crate::ua::{
    body,
    context::{Context, Owner},
    message,
};
use sipx_sip::{
    HeaderName, Headers, Message, Method, Request, Response,
    session::{self, Accepted, Answer, MinSe, Refresher, Session, SessionExpires},
};
use std::time::Duration;

/// The shortest session interval (RFC 4028, section 4).
pub(super) const INTERVAL_MIN: Duration = Duration::from_secs(90);
/// After a refresh that collided with another change of the session: 2.1 to 4 s if the Call-ID is ours, up to 2 s if
/// it is theirs, in steps of 10 ms (RFC 3261, section 14.1).
const GLARE_OURS_MS: std::ops::Range<u64> = 2100..4000;
const GLARE_THEIRS_MS: std::ops::Range<u64> = 0..2000;

/// The other side's capabilities.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Skills {
    pub(super) update: bool,
}

impl Skills {
    pub(super) fn of(headers: &Headers) -> Self {
        Self { update: lists(headers, &HeaderName::Allow, "UPDATE") }
    }
}

/// A header with a list of tokens contains this one.
pub(super) fn lists(headers: &Headers, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).any(|header| {
        String::from_utf8_lossy(&header.value())
            .split(',')
            .any(|word| word.trim().eq_ignore_ascii_case(token))
    })
}

/// The timer of a session.
#[derive(Debug)]
pub(super) struct SessionTimer {
    session: Session,
    /// Without a refresh it ends then.
    over_at: Duration,
    ticket: Ticket,
}

impl SessionTimer {
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }
}

/// A refresh of this side without a response.
#[derive(Debug)]
pub(super) struct Refresh {
    pub(super) cseq: u32,
}

/// The session timer that an INVITE or UPDATE asks for. `Err`: too short, with the minimum.
pub(super) fn asked(request: &Request) -> Result<Option<Accepted>, Duration> {
    let headers = &request.headers;
    let supports =
        lists(headers, &HeaderName::Supported, "timer") || lists(headers, &HeaderName::Require, "timer");
    let requested = headers.typed::<SessionExpires>().and_then(Result::ok);
    let least = headers.typed::<MinSe>().and_then(Result::ok).map(|least| least.0);
    match session::answer(supports, requested, least, INTERVAL_MIN) {
        Answer::None => Ok(None),
        Answer::Accept(accepted) => Ok(Some(accepted)),
        Answer::TooBrief(least) => Err(least),
    }
}

/// A browser's client may not take an offer within a call, so it never gets one. If it does not support UPDATE, the
/// client refreshes, or none if it wants this side to (RFC 4028, section 9).
pub(super) fn without_reoffer(
    agreed: Option<Accepted>,
    request: &Request,
    flow: Flow,
    skills: Skills,
) -> Option<Accepted> {
    if skills.update || !flow.transport.is_websocket() {
        return agreed;
    }
    let asked = request.headers.typed::<SessionExpires>().and_then(Result::ok)?;
    let is_theirs = asked.refresher != Some(Refresher::Uas);
    agreed.filter(|_| is_theirs).map(|agreed| Accepted { refresher: Refresher::Uac, require: true, ..agreed })
}

/// The session timer headers of a 2xx.
pub(super) fn write(headers: &mut Headers, accepted: Option<Accepted>) {
    let Some(accepted) = accepted else { return };
    let value = SessionExpires { interval: accepted.interval, refresher: Some(accepted.refresher) };
    message::push(headers, HeaderName::SessionExpires, value.to_string());
    if accepted.require {
        message::push(headers, HeaderName::Require, "timer");
    }
}

impl Calls {
    /// Starts or restarts a session timer.
    pub(super) fn start_session_timer(&mut self, cx: &mut Context, id: CallId, accepted: Option<Accepted>) {
        let Some(call) = self.open.get_mut(&id) else { return };
        if let Some(old) = call.timer.take() {
            self.timers.clear(old.ticket);
        }
        let Some(accepted) = accepted else { return };
        let session =
            Session { interval: accepted.interval, we_refresh: accepted.refresher == Refresher::Uas };
        let over_at = cx.now + Session { we_refresh: false, ..session }.act_after();
        let ticket = self.timers.set(cx.now + session.act_after(), Due::Session(id));
        call.timer = Some(SessionTimer { session, over_at, ticket });
    }

    pub(super) fn on_session_due(&mut self, cx: &mut Context, id: CallId) {
        let Some(call) = self.open.get_mut(&id) else { return };
        let (Some(timer), State::Established { .. }) = (&mut call.timer, &call.state) else { return };
        if !timer.session.we_refresh || cx.now >= timer.over_at {
            let text = "The session was not refreshed in time".to_owned();
            let reason = Reason { protocol: "SIP".to_owned(), cause: Some(408), text: Some(text) };
            call.timer = None;
            self.send_bye(cx, id, &[reason]);
            return self.end(cx, id, EndCause::Transport);
        }
        timer.ticket = self.timers.set(timer.over_at, Due::Session(id));
        // A change of the session by the other side refreshes it anyway.
        if call.refresh.is_none() && call.reoffer.is_none() {
            self.send_refresh(cx, id);
        }
    }

    /// Asks whether the other side still knows the call (OPTIONS within the dialog); if it does not, or nothing
    /// answers, the call ends.
    pub(in crate::ua) fn probe(&mut self, cx: &mut Context, id: CallId) {
        let Some(call) = self.open.get(&id) else { return };
        if !matches!(call.state, State::Established { .. }) {
            return;
        }
        let flow = call.dialog.next_hop();
        let (contact, via) = (call.contact(cx, flow), cx.via(flow));
        let Some(call) = self.open.get_mut(&id) else { return };
        let request = call.dialog.request(Method::Options, via, contact, &cx.product);
        cx.send_request(request, flow, Owner::Call(id));
    }

    /// The outcome of a probe.
    pub(super) fn on_probed(&mut self, cx: &mut Context, id: CallId, status: u16) {
        let is_up = self.open.get(&id).is_some_and(|call| matches!(call.state, State::Established { .. }));
        // Every other response shows that the other side is there (RFC 3261, section 12.2.1.2).
        if is_up && matches!(status, 408 | 481) {
            let text = "The caller did not answer any more".to_owned();
            let reason = Reason { protocol: "SIP".to_owned(), cause: Some(408), text: Some(text) };
            self.send_bye(cx, id, &[reason]);
            self.end(cx, id, EndCause::Transport);
        }
    }

    fn send_refresh(&mut self, cx: &mut Context, id: CallId) {
        let Some(call) = self.open.get(&id) else { return };
        let Some(timer) = &call.timer else { return };
        let value =
            SessionExpires { interval: timer.session.interval, refresher: Some(Refresher::Uac) }.to_string();
        let method = if call.skills.update { Method::Update } else { Method::Invite };
        if method == Method::Invite && call.dialog.flow.transport.is_websocket() {
            // Without a refresh of this side; media and connection show the state of the call.
            if let Some(timer) = self.open.get_mut(&id).and_then(|call| call.timer.take()) {
                self.timers.clear(timer.ticket);
            }
            return;
        }
        let sdp = (method == Method::Invite).then(|| call.local_sdp.clone());
        let flow = call.dialog.next_hop();
        let (contact, via) = (call.contact(cx, flow), cx.via(flow));
        let Some(call) = self.open.get_mut(&id) else { return };
        let mut request = call.dialog.request(method, via, contact, &cx.product);
        message::push(&mut request.headers, HeaderName::Supported, "timer");
        message::push(&mut request.headers, HeaderName::SessionExpires, value);
        if let Some(sdp) = sdp {
            message::push(&mut request.headers, HeaderName::ContentType, body::SDP_TYPE);
            message::set(&mut request.headers, &HeaderName::ContentLength, sdp.len().to_string());
            request.set_body(sdp.into());
        }
        self.sign(cx, id, &mut request);
        let Some(call) = self.open.get_mut(&id) else { return };
        call.answers.begin();
        call.refresh = Some(Refresh { cseq: message::cseq(&request.headers).unwrap_or_default() });
        cx.send_request(request, flow, Owner::Call(id));
    }

    /// A response to a refresh of this side. False if it is to something else.
    pub(super) fn on_refresh_response(
        &mut self,
        cx: &mut Context,
        id: CallId,
        method: &Method,
        response: &Response,
    ) -> bool {
        let Some(call) = self.open.get_mut(&id) else { return false };
        let Some(refresh) = &call.refresh else { return false };
        if message::cseq(&response.headers) != Some(refresh.cseq) {
            return false;
        }
        let status = response.status.code();
        if status < 200 {
            return true;
        }
        call.refresh = None;
        if status < 300 {
            if *method == Method::Invite {
                let flow = call.dialog.next_hop();
                let (contact, via) = (call.contact(cx, flow), cx.via(flow));
                let cseq = message::cseq(&response.headers).unwrap_or_default();
                let ack = call.dialog.ack(cseq, via, contact, &cx.product);
                cx.send(flow, &Message::Request(ack));
            }
            let accepted = response.headers.typed::<SessionExpires>().and_then(Result::ok).map(agreed);
            self.start_session_timer(cx, id, accepted);
            return true;
        }
        match status {
            408 | 481 => {
                self.send_bye(cx, id, &[]);
                self.end(cx, id, EndCause::Transport);
            }
            405 | 501 if *method == Method::Update => {
                call.skills.update = false;
                self.send_refresh(cx, id);
            }
            // Glare, or the other side is busy: once more, a moment later.
            _ => {
                let random = cx.random::<2>();
                let is_ours = self.open.get(&id).is_some_and(|call| call.is_ours);
                let range = if is_ours { GLARE_OURS_MS } else { GLARE_THEIRS_MS };
                let steps = (range.end - range.start) / 10 + 1;
                let spread = u64::from(u16::from_be_bytes(random)) % steps * 10;
                let at = cx.now + Duration::from_millis(range.start + spread);
                if let Some(Call { timer: Some(timer), .. }) = self.open.get_mut(&id) {
                    self.timers.clear(timer.ticket);
                    timer.ticket = self.timers.set(at, Due::Session(id));
                }
            }
        }
        true
    }
}

/// The session timer in a 2xx to a request of this side. The other side responds, so what it calls the client is us.
pub(super) fn agreed(agreed: SessionExpires) -> Accepted {
    Accepted {
        interval: agreed.interval.max(INTERVAL_MIN),
        refresher: match agreed.refresher {
            Some(Refresher::Uas) => Refresher::Uac,
            Some(Refresher::Uac) | None => Refresher::Uas,
        },
        require: false,
    }
}
