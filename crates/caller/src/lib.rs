//! A SIP caller that speaks, listens and measures: test calls, the demonstration, load.
//!
//! [`Caller`] is a telephone with many lines: one SIP endpoint and one media thread for all its calls. It sends
//! RTP on an absolute clock, plays what comes through a jitter buffer, and can say which tones it hears.
//! [`load`] fills conferences with such calls and reports what came back.
//!
//! All calls share one UDP socket and are told apart by the address the other side sends from, so the other side
//! must use a port of its own for each call, as Plenary does.

#![forbid(unsafe_code)]

mod caller;
mod ear;
mod error;
mod hub;
pub mod load;
mod measure;
mod speech;
pub mod wav;

pub use caller::{Call, CallSpec, CallState, Caller, CallerConfig, check_keys};
pub use error::CallerError;
pub use hub::{CallStats, Impairment, Turn};
pub use measure::DurationQuantiles;
pub use plenary_sip::sdp::Codec;
pub use speech::Speech;
