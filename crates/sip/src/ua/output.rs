//! What the user agent asks of the program around it.

use super::types::{CallId, Flow, PingId, PingOutcome, SipEvent};
use crate::locate::Hop;
use bytes::Bytes;

/// An output of the user agent.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// Transport and addresses.
        flow: Flow,
        /// One message.
        bytes: Bytes,
    },
    /// Find the servers of this hop and pass them to [`UserAgent::located`](super::UserAgent::located).
    Locate {
        /// The number for the answer.
        lookup: LookupId,
        /// The next hop of a request.
        hop: Hop,
    },
    /// A call that this side places has this Call-ID from now on, for the tracer of calls. That of an incoming call is in
    /// [`SipEvent::Incoming`].
    Dialog {
        /// The call.
        call: CallId,
        /// The Call-ID header.
        sip_call_id: String,
    },
    /// What came of the question whether a server answers.
    Pinged {
        /// The question.
        ping: PingId,
        /// The answer.
        outcome: PingOutcome,
    },
    /// For the program.
    Event(SipEvent),
}

/// A search for servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub(super) u64);
