//! SIP signalling: messages, transactions, dialogs, SDP offer/answer, transports.
//!
//! [`ua`] decides: bytes and time go in, bytes and events come out; it opens no socket and reads no clock.
//! [`SipEndpoint`] is the thin shell around it that owns the sockets. Parsing and the transaction state machines of
//! RFC 3261, section 17, come from a library that stays private: none of its types is public here.

#![forbid(unsafe_code)]

pub mod digest;
mod guard;
pub mod locate;
pub mod sdp;
pub mod text;
#[allow(clippy::disallowed_types, reason = "it decides nothing")]
mod transport;
pub mod ua;

pub use guard::{Ban, BanReason, Caller, GuardConfig, PERMITTED_FOR};
pub use transport::{
    BoxedStream, Duplex, Seen, SipConfig, SipCounts, SipEndpoint, SipError, SipHandle, TlsSettings,
    check_dial, check_registration, find_servers,
};
pub use ua::{
    AddrSpec, CallId, Credentials, DIALOG_KEPT_FOR, DialSpec, EndCause, Flow, IceServers, IncomingCall,
    KeyBody, NameAddr, PingOutcome, PingSpec, Reason, Redirection, ReferTo, Referred, Registration,
    RegistrationId, RegistrationSpec, ReplacedCall, Replaces, RequestId, SipEvent, Subscribing,
    SubscriptionId, Transport,
};
