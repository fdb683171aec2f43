//! Sent REFERs (RFC 3515): the other side of a call is asked to call an address, and reports the progress.

use super::{Call, CallId, Calls, Due, SipEvent, State, Ticket};
use crate::{
    text,
    ua::{
        body::{self, Body},
        context::{Context, Owner, Received},
        message,
        types::ReferTo,
    },
};
use sipx_sip::{Address, HeaderName, Method, Response, Uri};
use std::time::Duration;

/// Time for the other side to report the final status.
const OUTCOME_MAX: Duration = Duration::from_secs(240);

/// A sent REFER without a final status.
#[derive(Debug)]
pub(super) struct Referring {
    pub(super) cseq: u32,
    pub(super) ticket: Ticket,
    /// The last reported status.
    last: u16,
}

impl Calls {
    /// Asks the other side of a call to call an address. `ReferralProgress` reports the outcome; the call continues
    /// until it is hung up.
    pub(in crate::ua) fn refer(&mut self, cx: &mut Context, id: CallId, to: &ReferTo) {
        let Some(call) = self.open.get(&id) else { return };
        let is_up = matches!(call.state, State::Established { .. });
        if !is_up || call.referring.is_some() {
            return self.tell_referral(cx, id, if is_up { 491 } else { 481 }, None, true);
        }
        let target = match to {
            ReferTo::Uri { uri, replaces } => Some((text::uri(uri), replaces.clone())),
            ReferTo::Call(other) => self.open.get(other).and_then(|other| {
                let is_up = matches!(other.state, State::Established { .. });
                is_up.then(|| (message::uri_text(other.dialog.target()), Some(other.dialog.replaces())))
            }),
        };
        let Some((uri, replaces)) = target else { return self.tell_referral(cx, id, 481, None, true) };
        let Ok(parsed) = Uri::parse(uri.clone().into()) else {
            return self.tell_referral(cx, id, 400, Some("Not a URI"), true);
        };
        let refer_to = match replaces {
            None => format!("<{uri}>"),
            Some(replaces) => {
                let begin = if parsed.has_headers() { '&' } else { '?' };
                format!("<{uri}{begin}Replaces={}>", text::uri_header(&replaces.to_string()))
            }
        };
        let referred_by = Address::parse(call.dialog.local().as_bytes(), "From").ok();
        let flow = call.dialog.next_hop();
        let (contact, via) = (call.contact(cx, flow), cx.via(flow));
        let Some(call) = self.open.get_mut(&id) else { return };
        let mut request = call.dialog.request(Method::Refer, via, contact, &cx.product);
        message::push(&mut request.headers, HeaderName::ReferTo, refer_to);
        if let Some(by) = referred_by {
            let by = format!("<{}>", message::uri_text(&by.uri));
            message::push(&mut request.headers, HeaderName::ReferredBy, by);
        }
        let ticket = self.timers.set(cx.now + OUTCOME_MAX, Due::Referral(id));
        let cseq = message::cseq(&request.headers).unwrap_or_default();
        call.referring = Some(Referring { cseq, ticket, last: 100 });
        call.answers.begin();
        self.sign(cx, id, &mut request);
        cx.send_request(request, flow, Owner::Call(id));
    }

    pub(super) fn on_refer_response(&mut self, cx: &mut Context, id: CallId, response: &Response) {
        let Some(Call { referring: Some(referring), .. }) = self.open.get(&id) else { return };
        let status = response.status.code();
        if message::cseq(&response.headers) == Some(referring.cseq) && status >= 300 {
            let phrase = String::from_utf8_lossy(&response.reason).into_owned();
            self.end_referral(cx, id, status, Some(&phrase));
        }
    }

    pub(super) fn on_refer_failure(&mut self, cx: &mut Context, id: CallId, status: u16) {
        self.end_referral(cx, id, status, None);
    }

    pub(super) fn on_referral_due(&mut self, cx: &mut Context, id: CallId) {
        self.end_referral(cx, id, 408, None);
    }

    /// The other side reports the progress of its call (section 2.4.4).
    pub(super) fn on_notify(&mut self, cx: &mut Context, received: &Received, id: CallId) {
        let request = &received.request;
        let event = message::text(&request.headers, &HeaderName::Event).unwrap_or_default();
        let mut event = event.split(';').map(str::trim);
        if !event.next().unwrap_or_default().eq_ignore_ascii_case("refer") {
            let extra = [(HeaderName::AllowEvents, "conference, refer".to_owned())];
            return cx.respond_with(received, 489, None, &extra);
        }
        let which = event.find_map(|part| part.strip_prefix("id=")?.parse::<u32>().ok());
        let Some(Call { referring: Some(referring), .. }) = self.open.get_mut(&id) else {
            return cx.respond_plain(received, 481);
        };
        if which.is_some_and(|which| which != referring.cseq) {
            return cx.respond_plain(received, 481);
        }
        let body = match body::find(&request.headers, request.body(), body::SIPFRAG) {
            Body::Known { text: body, .. } => body,
            Body::None => String::new(),
            // Some omit the content type.
            Body::Unknown if request.headers.get(&HeaderName::ContentType).is_none() => {
                String::from_utf8_lossy(request.body()).into_owned()
            }
            Body::Unknown | Body::Refused => return cx.refuse_body(received, body::SIPFRAG),
        };
        let Some(Call { referring: Some(referring), .. }) = self.open.get_mut(&id) else { return };
        let reported = status_line(&body);
        if let Some((status, _)) = &reported {
            referring.last = *status;
        }
        let last = referring.last;
        cx.respond_plain(received, 200);
        let state = message::text(&request.headers, &HeaderName::SubscriptionState).unwrap_or_default();
        let is_over = state.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("terminated");
        match reported {
            Some((status, phrase)) if status >= 200 || is_over => {
                self.end_referral(cx, id, status, Some(&phrase));
            }
            Some((status, phrase)) => self.tell_referral(cx, id, status, Some(&phrase), false),
            None if is_over => self.end_referral(cx, id, last, None),
            None => {}
        }
    }

    fn end_referral(&mut self, cx: &mut Context, id: CallId, status: u16, phrase: Option<&str>) {
        let Some(referring) = self.open.get_mut(&id).and_then(|call| call.referring.take()) else { return };
        self.timers.clear(referring.ticket);
        self.tell_referral(cx, id, status, phrase, true);
    }

    fn tell_referral(
        &mut self,
        cx: &mut Context,
        call: CallId,
        status: u16,
        phrase: Option<&str>,
        is_final: bool,
    ) {
        let phrase = phrase.unwrap_or_else(|| message::phrase(status)).to_owned();
        cx.event(SipEvent::ReferralProgress { call, status, phrase, is_final });
    }
}

/// The status line that a `message/sipfrag` begins with (RFC 3420).
fn status_line(body: &str) -> Option<(u16, String)> {
    let mut parts = body.lines().next()?.trim().splitn(3, ' ');
    if !parts.next()?.eq_ignore_ascii_case("SIP/2.0") {
        return None;
    }
    let status = parts.next()?.parse().ok().filter(|status| (100..700).contains(status))?;
    Some((status, text::line(parts.next().unwrap_or_default()).chars().take(200).collect()))
}
