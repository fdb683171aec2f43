//! Looking into calls: the SIP messages and RTCP reports of each, kept for a while.
//!
//! - [`redact()`] cuts credentials, keys and digits out of a SIP message. Everything below holds redacted messages only.
//! - [`Ladders`] keeps the last messages of each call, within bounds of time and memory.
//! - [`Ladder::to_json`] is for storing one.
//! - [`pcap`] writes them as a packet capture, [`hep`] as HEP3 for a capture server, [`rtcp`] reads reports.
//!
//! The crate decides: time comes in as an argument, and it opens no socket.

#![forbid(unsafe_code)]

pub mod hep;
mod ladder;
pub mod pcap;
mod redact;
pub mod rtcp;
mod stored;

pub use ladder::{Kind, Ladder, Ladders, Limits, Message};
pub use redact::redact;
