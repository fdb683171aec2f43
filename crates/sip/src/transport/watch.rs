//! What is counted of an endpoint, and what is shown of it to the tracer of calls.
//!
//! Only messages of sources that are answered count: what strangers and banned sources send leaves no trace.

use crate::ua::{CallId, EndCause, Flow, SipEvent, Transport};
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};
use tokio::sync::mpsc;

/// Methods that are told apart. All others, which anyone may invent, are `other`.
const METHODS: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "INFO",
    "UPDATE",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "REFER",
    "MESSAGE",
    "other",
];
const TRANSPORTS: usize = Transport::ALL.len();
const CLASSES: usize = 6;

/// What an endpoint has counted since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipCounts {
    /// Requests received, by method and transport; only those that there were.
    pub requests: Vec<(&'static str, Transport, u64)>,
    /// Responses sent, by the first digit of their status, 1 to 6.
    pub responses: [u64; CLASSES],
    /// Requests that were refused for what they asked for, or for their credentials.
    pub refused: u64,
    /// Messages that the tracer has missed, because it was too slow.
    pub unseen: u64,
}

/// Something to see.
#[derive(Debug)]
pub enum Seen {
    /// A message was received or sent.
    Message {
        /// When it was received or sent.
        at: SystemTime,
        /// Transport and addresses.
        flow: Flow,
        /// It was sent.
        is_sent: bool,
        /// The message. What has come by a connection is written anew from what was read.
        bytes: Bytes,
    },
    /// A call has this Call-ID from now on.
    Dialog {
        /// The call.
        call: CallId,
        /// The Call-ID header.
        sip_call_id: String,
    },
    /// Nothing more of a call is expected.
    Over {
        /// The call.
        call: CallId,
        /// It was refused, or broke off.
        has_failed: bool,
    },
}

/// Counts, and shows. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    cells: Arc<Cells>,
    seen: Option<mpsc::Sender<Seen>>,
}

#[derive(Debug, Default)]
struct Cells {
    requests: [[AtomicU64; TRANSPORTS]; METHODS.len()],
    responses: [AtomicU64; CLASSES],
    refused: AtomicU64,
    unseen: AtomicU64,
}

impl Watch {
    pub(super) fn new(seen: Option<mpsc::Sender<Seen>>) -> Self {
        Self { cells: Arc::default(), seen }
    }

    pub(super) fn counts(&self) -> SipCounts {
        let Cells { requests, responses, refused, unseen } = &*self.cells;
        let requests = METHODS.iter().zip(requests).flat_map(|(method, of_method)| {
            let counts = Transport::ALL.into_iter().zip(of_method);
            counts.map(|(transport, count)| (*method, transport, count.load(Relaxed)))
        });
        SipCounts {
            requests: requests.filter(|(_, _, count)| *count > 0).collect(),
            responses: std::array::from_fn(|class| responses[class].load(Relaxed)),
            refused: refused.load(Relaxed),
            unseen: unseen.load(Relaxed),
        }
    }

    /// There is a tracer, so messages have to be written for it.
    pub(super) fn is_watched(&self) -> bool {
        self.seen.is_some()
    }

    pub(super) fn received(&self, flow: Flow, bytes: &Bytes) {
        match Line::of(bytes) {
            Some(Line::Request(method)) => self.requested(flow, method),
            Some(Line::Response(_)) => {}
            // A keep-alive, or nothing that could be read.
            None => return,
        }
        self.show(|| Seen::Message { at: SystemTime::now(), flow, is_sent: false, bytes: bytes.clone() });
    }

    pub(super) fn requested(&self, flow: Flow, method: &[u8]) {
        let known = METHODS.iter().position(|known| known.as_bytes() == method);
        let transport = Transport::ALL.iter().position(|known| *known == flow.transport);
        if let Some(transport) = transport {
            self.cells.requests[known.unwrap_or(METHODS.len() - 1)][transport].fetch_add(1, Relaxed);
        }
    }

    pub(super) fn sent(&self, flow: Flow, bytes: &Bytes) {
        match Line::of(bytes) {
            Some(Line::Response(class)) => drop(self.cells.responses[class].fetch_add(1, Relaxed)),
            Some(Line::Request(_)) => {}
            None => return,
        }
        self.show(|| Seen::Message { at: SystemTime::now(), flow, is_sent: true, bytes: bytes.clone() });
    }

    pub(super) fn dialog(&self, call: CallId, sip_call_id: &str) {
        self.show(|| Seen::Dialog { call, sip_call_id: sip_call_id.to_owned() });
    }

    /// A request was refused for what it asked for.
    pub(super) fn refused(&self) {
        self.cells.refused.fetch_add(1, Relaxed);
    }

    /// Tells the beginning and the end of calls.
    pub(super) fn event(&self, event: &SipEvent) {
        let over = |call: &CallId, has_failed| self.show(|| Seen::Over { call: *call, has_failed });
        match event {
            SipEvent::Incoming(incoming) => self.dialog(incoming.call, &incoming.sip_call_id),
            SipEvent::Cancelled { call, .. } => over(call, false),
            // The other side is busy or declined, or the call was given up: that is no fault.
            SipEvent::Rejected { call, status, .. } => over(call, !matches!(status, 486 | 487 | 600 | 603)),
            SipEvent::Ended { call, cause } => {
                over(call, matches!(cause, EndCause::AckTimeout | EndCause::Transport));
            }
            _ => {}
        }
    }

    /// An incoming call is refused; no event follows.
    pub(super) fn rejected(&self, call: CallId, status: u16) {
        // The same call comes again with credentials.
        self.show(|| Seen::Over { call, has_failed: !matches!(status, 401 | 407) });
    }

    fn show(&self, what: impl FnOnce() -> Seen) {
        if let Some(seen) = &self.seen
            && seen.try_send(what()).is_err()
        {
            self.cells.unseen.fetch_add(1, Relaxed);
        }
    }
}

/// The first line of a message.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Request(&'a [u8]),
    /// The class of its status: 0 is 1xx.
    Response(usize),
}

impl<'a> Line<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.iter().position(|octet| b"\r\n".contains(octet))?;
        let line = &bytes[..end];
        if let Some(status) = line.strip_prefix(b"SIP/2.0 ") {
            let class = usize::from(status.first()?.wrapping_sub(b'1'));
            return (class < CLASSES).then_some(Self::Response(class));
        }
        let (method, _) = line.split_at(line.iter().position(|octet| *octet == b' ')?);
        line.ends_with(b" SIP/2.0").then_some(Self::Request(method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_what_is_counted() {
        assert_eq!(Line::of(b"INVITE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n"), Some(Line::Request(b"INVITE")));
        assert_eq!(Line::of(b"SIP/2.0 180 Ringing\r\n\r\n"), Some(Line::Response(0)));
        assert_eq!(Line::of(b"SIP/2.0 603 Decline\r\n\r\n"), Some(Line::Response(5)));
        for other in [&b"\r\n\r\n"[..], b"", b"SIP/2.0 ", b"SIP/2.0 9\r\n", b"GET / HTTP/1.1\r\n", b"garbage"]
        {
            assert_eq!(Line::of(other), None, "{other:?}");
        }
    }

    #[test]
    fn invented_methods_are_one() {
        let watch = Watch::new(None);
        let address = ([127, 0, 0, 1], 5060).into();
        let flow = Flow { transport: Transport::Ws, local: address, remote: address, is_foreign: false };
        for method in ["FOO", "BAR", "OPTIONS"] {
            watch.received(flow, &Bytes::from(format!("{method} sip:a@b SIP/2.0\r\n\r\n")));
        }
        watch.sent(flow, &Bytes::from_static(b"SIP/2.0 405 Method Not Allowed\r\n\r\n"));
        let counts = watch.counts();
        assert_eq!(counts.requests, [("OPTIONS", Transport::Ws, 1), ("other", Transport::Ws, 2)]);
        assert_eq!(counts.responses, [0, 0, 0, 1, 0, 0]);
    }
}
