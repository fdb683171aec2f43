//! Dialogs that nobody wants: a call that was taken by two telephones, or by one that was told to stop ringing. Each is
//! acknowledged and ended at once (RFC 3261, section 13.2.2.4), and its 2xx is acknowledged again as long as it may come.

use super::{
    Flow, Reason, T1, UserAgent,
    calls::reason_header,
    dialog::Dialog,
    message::{self, Side},
    timers::Due,
};
use sipx_sip::{HeaderName, Message, Method, Request, Response};
use std::time::Duration;

/// Such dialogs at a time. Beyond that their ACKs are not repeated; BYE is sent all the same.
const BURIED_MAX: usize = 10_000;

/// Call-ID, our tag, their tag.
pub(super) type BuriedKey = (String, String, String);

/// What is sent again.
#[derive(Debug)]
pub(super) struct Buried {
    ack: Request,
    flow: Flow,
}

fn key_of(response: &Response) -> BuriedKey {
    let tag = |side| message::tag_of(&response.headers, side).unwrap_or_default();
    (message::call_id(&response.headers), tag(Side::From), tag(Side::To))
}

impl UserAgent {
    /// A 2xx of a dialog that was buried before gets its ACK once more. False: it is another one's.
    pub(super) fn is_buried(&mut self, response: &Response) -> bool {
        if self.buried.is_empty() {
            return false;
        }
        let Some(buried) = self.buried.get(&key_of(response)) else { return false };
        let (flow, ack) = (buried.flow, buried.ack.clone());
        self.send(flow, &Message::Request(ack));
        true
    }

    /// Acknowledges a 2xx and ends its dialog.
    pub(super) fn bury(
        &mut self,
        invite: &Request,
        answer: &Response,
        flow: Flow,
        reason: &str,
        now: Duration,
    ) {
        let Some(mut dialog) = Dialog::of_client(invite, answer, flow) else { return };
        let next_hop = dialog.next_hop();
        let cseq = message::cseq(&invite.headers).unwrap_or(1);
        let via = self.via(next_hop);
        let mut ack = dialog.ack(cseq, via, String::new(), &self.config.product);
        ack.headers.remove_all(&HeaderName::Contact);
        copy_authorization(invite, &mut ack);
        self.send(next_hop, &Message::Request(ack.clone()));
        let via = self.via(next_hop);
        let mut bye = dialog.request(Method::Bye, via, String::new(), &self.config.product);
        bye.headers.remove_all(&HeaderName::Contact);
        let reason = Reason { protocol: "SIP".to_owned(), cause: Some(200), text: Some(reason.to_owned()) };
        for (name, value) in reason_header(&[reason]) {
            message::push(&mut bye.headers, name, value);
        }
        self.send_request_of(bye, next_hop, None, now);
        if self.buried.len() < BURIED_MAX {
            let key = key_of(answer);
            self.timers.set(now + 64 * T1, Due::Buried(key.clone()));
            self.buried.insert(key, Buried { ack, flow: next_hop });
        }
    }
}

/// An ACK to a 2xx brings what the INVITE brought (section 22.1).
pub(super) fn copy_authorization(invite: &Request, ack: &mut Request) {
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        for header in invite.headers.get_all(&name) {
            ack.headers.push(header.clone());
        }
    }
}
