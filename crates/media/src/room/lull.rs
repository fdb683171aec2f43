//! A line that says nothing: packet after packet of digital silence, as from a muted telephone. In a large conference
//! these are most, and what they cost is not so much work as memory: all that is known of a line that speaks, read and
//! written each 20 ms, does not fit next to that of a thousand others.
//!
//! So while such a line goes on as it did, its packets are only compared with what was expected, and its frames counted.
//! Every [`TICKS`]th tick the line gets all that was counted at once and is looked at in full, and so it is at the first
//! packet that is another one, at the first tick that has none, and whenever somebody asks. Nothing that is heard depends
//! on it.

use super::FRAME_NS;
use plenary_audio::{codec::Codec, g711::Law};
use std::net::SocketAddr;

/// Octets of an RTP header and of 20 ms of G.711.
const HEADER: usize = 12;
const PACKET: usize = HEADER + 160;
/// A line is looked at in full once in so many ticks.
pub(super) const TICKS: u64 = 8;

/// Packets that may come in it; more is a flood.
const RECEIVED_MAX: u8 = 2 * TICKS as u8;

/// What is known of a line's silence. Everything that a packet or a tick of it needs lies together.
#[derive(Debug)]
pub(super) struct Lull {
    /// Ticks that may still go by in it; none: there is no lull.
    left: u8,
    /// Packets that have come and were not heard.
    held: u8,
    /// Packets that came and ticks that went by, since the line was looked at.
    received: u8,
    heard: u8,
    /// The octet that is silence.
    silence: u8,
    /// Of both directions.
    pub(super) codec: Codec,
    /// The packet that comes next begins like this.
    header: [u8; HEADER],
    /// The next tick.
    due_ns: u64,
    /// The last packet came no sooner.
    last_ns: u64,
    pub(super) from: SocketAddr,
    /// Payload type of what is sent.
    pub(super) payload_type: u8,
    /// RTCP comes through the same port, and of that it matters when.
    pub(super) has_reports: bool,
    /// Level of what was sent before each tick, in dBov.
    sent_dbov: [f32; TICKS as usize],
}

/// What went by in a lull.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Passed {
    pub(super) received: u32,
    pub(super) heard: u32,
    pub(super) last_ns: u64,
    pub(super) sent_dbov: [f32; TICKS as usize],
}

/// How a lull begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    /// Spreads lines over the ticks at which they are looked at.
    pub(super) number: usize,
    pub(super) held: usize,
    pub(super) law: Law,
    pub(super) codec: Codec,
    /// Of the packet that comes next.
    pub(super) header: [u8; HEADER],
    pub(super) from: SocketAddr,
    pub(super) payload_type: u8,
    pub(super) has_reports: bool,
    pub(super) now_ns: u64,
}

impl Lull {
    /// There is none.
    pub(super) fn new(from: SocketAddr) -> Self {
        Self {
            left: 0,
            held: 0,
            received: 0,
            heard: 0,
            silence: 0,
            codec: Codec::Pcmu,
            header: [0; HEADER],
            due_ns: 0,
            last_ns: 0,
            from,
            payload_type: 0,
            has_reports: false,
            sent_dbov: [0.0; TICKS as usize],
        }
    }

    /// Begins one after a tick.
    pub(super) fn begin(&mut self, beginning: Beginning) {
        let Beginning { number, held, law, codec, header, from, payload_type, has_reports, now_ns } =
            beginning;
        let tick = now_ns / FRAME_NS + number as u64;
        *self = Self {
            left: (TICKS - 1 - tick % TICKS) as u8,
            held: held as u8,
            silence: law.silence(),
            codec,
            header,
            due_ns: now_ns + FRAME_NS,
            payload_type,
            has_reports,
            ..Self::new(from)
        };
    }

    /// A packet is compared with what is expected, and no more.
    pub(super) fn is_going_on(&self) -> bool {
        self.left > 0
    }

    /// Takes a packet if it is the one that was expected. It came at `arrival_ns`, or no sooner.
    pub(super) fn takes(&mut self, from: SocketAddr, bytes: &[u8], arrival_ns: u64) -> bool {
        if self.left == 0 || bytes.len() != PACKET || from != self.from || self.received == RECEIVED_MAX {
            return false;
        }
        let (header, payload) = bytes.split_at(HEADER);
        if header != self.header || payload.iter().any(|octet| *octet != self.silence) {
            return false;
        }
        let [_, _, s0, s1, t0, t1, t2, t3, ..] = self.header;
        let sequence = u16::from_be_bytes([s0, s1]).wrapping_add(1);
        let timestamp = u32::from_be_bytes([t0, t1, t2, t3]).wrapping_add(160);
        self.header[2..4].copy_from_slice(&sequence.to_be_bytes());
        self.header[4..8].copy_from_slice(&timestamp.to_be_bytes());
        self.held += 1;
        self.received += 1;
        self.last_ns = arrival_ns;
        true
    }

    /// Lets a tick go by. False: it is not the one that was expected, or there is no packet for it.
    pub(super) fn hears(&mut self, now_ns: u64, sent_dbov: f32) -> bool {
        if self.left == 0 || self.held == 0 || self.due_ns != now_ns {
            return false;
        }
        self.sent_dbov[usize::from(self.heard)] = sent_dbov;
        self.left -= 1;
        self.held -= 1;
        self.heard += 1;
        self.due_ns += FRAME_NS;
        true
    }

    /// This tick went by in it.
    pub(super) fn has_heard(&self, now_ns: u64) -> bool {
        self.heard > 0 && self.due_ns == now_ns + FRAME_NS
    }

    /// Ends it; `None`: nothing went by.
    pub(super) fn end(&mut self) -> Option<Passed> {
        self.left = 0;
        if self.received == 0 && self.heard == 0 {
            return None;
        }
        let received = u32::from(std::mem::take(&mut self.received));
        let heard = u32::from(std::mem::take(&mut self.heard));
        Some(Passed { received, heard, last_ns: self.last_ns, sent_dbov: self.sent_dbov })
    }
}
