//! A SIP caller that speaks, listens and measures: for test calls, the demonstration and load.
//!
//! [`Caller`] is a telephone with many lines: one SIP endpoint and one media thread for all its calls. It sends RTP on an
//! absolute clock, plays received audio through a jitter buffer, and detects tones in it. [`load`] fills conferences with
//! such calls and reports what they measured.
//!
//! All calls share one UDP socket and are identified by the source address of the other side, which therefore must use a
//! port of its own for each call, as Plenary does.

#![forbid(unsafe_code)]

mod caller;
mod error;
mod hub;
pub mod load;
mod measure;
mod receive_path;
mod speech;
pub mod wav;

pub use caller::{Call, CallSpec, CallState, Caller, CallerConfig, KeyRoute, check_keys};
pub use error::CallerError;
pub use hub::{CallStats, Impairment, KeyTimes, Turn};
pub use measure::DurationQuantiles;
pub use plenary_sip::{KeyBody, sdp::Codec};
pub use speech::Speech;
