//! Reliable provisional responses (100rel, RFC 3262), for callers that require them.

use super::{Call, CallId, Calls, Due, EndCause, State, T1, Ticket};
use crate::ua::{
    body::{self, Body},
    context::{Context, Received, TRANSACTION_MAX},
    message,
};
use sipx_sip::{
    HeaderName, Request, Response,
    rel::{Numbering, Offered, RAck, Reliability, reliability},
};
use std::time::Duration;

/// A provisional response whose PRACK has not arrived.
#[derive(Debug)]
pub(super) struct Provisional {
    numbering: Numbering,
    response: Response,
    interval: Duration,
    give_up: Duration,
    pub(super) ticket: Ticket,
}

/// The caller accepts only reliable provisional responses.
pub(super) fn is_required(request: &Request) -> bool {
    matches!(reliability(Offered::in_request(request), true), Reliability::Required)
}

impl Calls {
    /// Retransmits a provisional response until its PRACK arrives.
    pub(super) fn send_reliably(&mut self, cx: &mut Context, id: CallId, mut response: Response) {
        let first = cx.random::<4>();
        let mut numbering = Numbering::starting_at(u32::from_be_bytes(first) >> 2);
        let Some(number) = numbering.allocate() else { return };
        let Some(call) = self.open.get_mut(&id) else { return };
        let State::Incoming { received } = &call.state else { return };
        // One at a time (section 3); the one in progress says the same.
        if call.provisional.is_some() {
            return;
        }
        message::push(&mut response.headers, HeaderName::Require, "100rel");
        message::push(&mut response.headers, HeaderName::RSeq, number.to_string());
        let ticket = self.timers.set(cx.now + T1, Due::RetransmitProvisional(id));
        let give_up = cx.now + TRANSACTION_MAX;
        call.provisional =
            Some(Provisional { numbering, response: response.clone(), interval: T1, give_up, ticket });
        cx.respond(&received.key, response);
    }

    pub(super) fn on_provisional_due(&mut self, cx: &mut Context, id: CallId) {
        let Some(Call { state: State::Incoming { received }, provisional: Some(waiting), .. }) =
            self.open.get_mut(&id)
        else {
            return;
        };
        if cx.now >= waiting.give_up {
            cx.respond_with(received, 500, Some("No PRACK"), &[]);
            return self.end(cx, id, EndCause::AckTimeout);
        }
        // Here the interval has no upper bound (section 3).
        waiting.interval *= 2;
        let at = (cx.now + waiting.interval).min(waiting.give_up);
        waiting.ticket = self.timers.set(at, Due::RetransmitProvisional(id));
        cx.respond(&received.key, waiting.response.clone());
    }

    pub(super) fn on_prack(&mut self, cx: &mut Context, received: &Received, id: CallId) {
        let request = &received.request;
        let Some(call) = self.open.get_mut(&id) else { return };
        let acknowledged = match request.headers.typed::<RAck>() {
            Some(Ok(ack)) => call.provisional.as_mut().is_some_and(|waiting| {
                waiting.numbering.acknowledge(&ack, call.dialog.remote_cseq_of_invite, b"INVITE")
            }),
            Some(Err(_)) | None => return cx.respond_plain(received, 400),
        };
        if !acknowledged {
            return cx.respond_plain(received, 481);
        }
        if let Some(waiting) = call.provisional.take() {
            self.timers.clear(waiting.ticket);
        }
        // Our provisional responses contain no offer, so an offer here has nothing to follow.
        match body::find(&request.headers, request.body(), body::SESSION) {
            Body::None => cx.respond_plain(received, 200),
            Body::Known { .. } => cx.respond_plain(received, 488),
            Body::Unknown | Body::Refused => cx.refuse_body(received, body::SESSION),
        }
    }
}
