//! Provisional answers that are acknowledged (100rel, RFC 3262), for callers who insist on them.

use super::{
    CallId, EndCause, T1, UserAgent,
    body::{self, Body},
    calls::{Call, State},
    message,
    timers::{Due, Ticket},
};
use sipx_sip::{
    HeaderName, Request, Response, TransactionKey,
    rel::{Numbering, Offered, RAck, Reliability, reliability},
};
use std::time::Duration;

/// A provisional answer whose PRACK has not come.
#[derive(Debug)]
pub(super) struct Provisional {
    numbering: Numbering,
    response: Response,
    interval: Duration,
    give_up: Duration,
    pub(super) ticket: Ticket,
}

/// The caller takes no provisional answer that it cannot acknowledge.
pub(super) fn is_required(request: &Request) -> bool {
    matches!(reliability(Offered::in_request(request), true), Reliability::Required)
}

impl UserAgent {
    /// Sends a provisional answer again and again until its PRACK comes.
    pub(super) fn send_reliably(
        &mut self,
        id: CallId,
        key: &TransactionKey,
        mut response: Response,
        now: Duration,
    ) {
        let mut first = [0; 4];
        (self.random)(&mut first);
        let mut numbering = Numbering::starting_at(u32::from_be_bytes(first) >> 2);
        let Some(number) = numbering.allocate() else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        // One at a time (section 3); the one that is on its way says the same.
        if call.provisional.is_some() {
            return;
        }
        message::push(&mut response.headers, HeaderName::Require, "100rel");
        message::push(&mut response.headers, HeaderName::RSeq, number.to_string());
        let ticket = self.timers.set(now + T1, Due::RetransmitProvisional(id));
        let give_up = now + 64 * T1;
        call.provisional =
            Some(Provisional { numbering, response: response.clone(), interval: T1, give_up, ticket });
        self.respond(key, response, now);
    }

    pub(super) fn on_provisional_due(&mut self, id: CallId, now: Duration) {
        let Some(Call { state: State::Incoming { key, request }, provisional: Some(waiting), .. }) =
            self.calls.get_mut(&id)
        else {
            return;
        };
        let (key, request) = (key.clone(), request.clone());
        if now >= waiting.give_up {
            self.respond_with(&key, &request, 500, Some("No PRACK"), &[], now);
            return self.end(id, EndCause::AckTimeout);
        }
        // Here the interval has no upper bound (section 3).
        waiting.interval *= 2;
        let at = (now + waiting.interval).min(waiting.give_up);
        waiting.ticket = self.timers.set(at, Due::RetransmitProvisional(id));
        let response = waiting.response.clone();
        self.respond(&key, response, now);
    }

    pub(super) fn on_prack(&mut self, key: &TransactionKey, request: &Request, id: CallId, now: Duration) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let acknowledged = match request.headers.typed::<RAck>() {
            Some(Ok(ack)) => call.provisional.as_mut().is_some_and(|waiting| {
                waiting.numbering.acknowledge(&ack, call.dialog.remote_cseq_of_invite, b"INVITE")
            }),
            Some(Err(_)) | None => return self.respond_plain(key, request, 400, now),
        };
        if !acknowledged {
            return self.respond_plain(key, request, 481, now);
        }
        if let Some(waiting) = call.provisional.take() {
            self.timers.clear(waiting.ticket);
        }
        // Our provisional answers hold no offer, so there is nothing that an offer here could follow.
        match body::find(&request.headers, request.body(), body::SESSION) {
            Body::None => self.respond_plain(key, request, 200, now),
            Body::Known { .. } => self.respond_plain(key, request, 488, now),
            Body::Unknown | Body::Refused => self.refuse_body(key, request, body::SESSION, now),
        }
    }
}
