//! Surplus dialogs: a call answered by two telephones, or by one whose call was cancelled. Each is acknowledged
//! and ended at once (RFC 3261, section 13.2.2.4), and retransmissions of its 2xx are acknowledged as long as they
//! may come.

use super::{
    Flow, Reason,
    context::{Context, Owner, TRANSACTION_MAX},
    dialog::Dialog,
    message::{self, Side, copy_authorization, reason_header},
    timers::Timers,
};
use sipx_sip::{HeaderName, Message, Method, Request, Response};
use std::{collections::BTreeMap, time::Duration};

/// Such dialogs at a time. Beyond that their ACKs are not repeated; BYE is sent all the same.
const SURPLUS_MAX: usize = 10_000;

/// Call-ID, local tag, remote tag.
type SurplusKey = (String, String, String);

/// The ACK to be sent again.
#[derive(Debug)]
struct SurplusDialog {
    ack: Request,
    flow: Flow,
}

#[derive(Debug, Default)]
pub(super) struct SurplusDialogs {
    dialogs: BTreeMap<SurplusKey, SurplusDialog>,
    timers: Timers<SurplusKey>,
}

fn key_of(response: &Response) -> SurplusKey {
    let tag = |side| message::tag_of(&response.headers, side).unwrap_or_default();
    (message::call_id(&response.headers), tag(Side::From), tag(Side::To))
}

impl SurplusDialogs {
    pub(super) fn is_idle(&self) -> bool {
        self.dialogs.is_empty()
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Drops one whose time is over.
    pub(super) fn handle_timeout(&mut self, cx: &Context) {
        if let Some((_, key)) = self.timers.pop_due(cx.now) {
            self.dialogs.remove(&key);
        }
    }

    /// A 2xx of a dialog that was ended before gets its ACK once more. False if it belongs elsewhere.
    pub(super) fn handle_answer(&self, cx: &mut Context, response: &Response) -> bool {
        if self.dialogs.is_empty() {
            return false;
        }
        let Some(surplus) = self.dialogs.get(&key_of(response)) else { return false };
        cx.send(surplus.flow, &Message::Request(surplus.ack.clone()));
        true
    }

    /// Acknowledges a 2xx and ends its dialog.
    pub(super) fn end(
        &mut self,
        cx: &mut Context,
        invite: &Request,
        answer: &Response,
        flow: Flow,
        reason: &str,
    ) {
        let Some(mut dialog) = Dialog::of_client(invite, answer, flow) else { return };
        let next_hop = dialog.next_hop();
        let cseq = message::cseq(&invite.headers).unwrap_or(1);
        let via = cx.via(next_hop);
        let mut ack = dialog.ack(cseq, via, String::new(), &cx.product);
        ack.headers.remove_all(&HeaderName::Contact);
        copy_authorization(invite, &mut ack);
        cx.send(next_hop, &Message::Request(ack.clone()));
        let via = cx.via(next_hop);
        let mut bye = dialog.request(Method::Bye, via, String::new(), &cx.product);
        bye.headers.remove_all(&HeaderName::Contact);
        let reason = Reason { protocol: "SIP".to_owned(), cause: Some(200), text: Some(reason.to_owned()) };
        for (name, value) in reason_header(&[reason]) {
            message::push(&mut bye.headers, name, value);
        }
        cx.send_request(bye, next_hop, Owner::Nobody);
        if self.dialogs.len() < SURPLUS_MAX {
            let key = key_of(answer);
            self.timers.set(cx.now + TRANSACTION_MAX, key.clone());
            self.dialogs.insert(key, SurplusDialog { ack, flow: next_hop });
        }
    }
}
