//! A line that says nothing: packet after packet of digital silence in G.711, or of Opus that says so itself. In a large conference
//! these are most, and what they cost is not so much work as memory: all that is known of a line that speaks, read and
//! written each 20 ms, does not fit next to that of a thousand others.
//!
//! So while such a line goes on as it did, its packets are only compared with what was expected, and its frames counted.
//! Every [`TICKS`]th tick the line gets all that was counted at once and is looked at in full, and so it is at the first
//! packet that is another one, at the first tick that has none, and whenever somebody asks. Nothing that is heard depends
//! on it.

use super::{
    FRAME_NS,
    doze::{OPUS_BYTES_OF_SILENCE, OPUS_KEPT},
};
use plenary_audio::{codec::Codec, opus};
use std::net::SocketAddr;

/// Octets of an RTP header.
const HEADER: usize = 12;
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
    /// Packets that came, octets in them, and ticks that went by, since the line was looked at.
    received: u8,
    bytes: u32,
    heard: u8,
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
    /// The last packets of Opus, which its decoder is to hear before a voice that begins.
    last: Last,
}

/// Packets of Opus that came last; the newest is the one at `next` less one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Last {
    octets: [[u8; OPUS_BYTES_OF_SILENCE]; OPUS_KEPT],
    lengths: [u8; OPUS_KEPT],
    next: u8,
}

impl Last {
    const NONE: Self =
        Self { octets: [[0; OPUS_BYTES_OF_SILENCE]; OPUS_KEPT], lengths: [0; OPUS_KEPT], next: 0 };

    fn keep(&mut self, packet: &[u8]) {
        let place = usize::from(self.next);
        self.octets[place][..packet.len()].copy_from_slice(packet);
        self.lengths[place] = packet.len() as u8;
        self.next = ((place + 1) % OPUS_KEPT) as u8;
    }

    /// The packets, oldest first.
    pub(super) fn packets(&self) -> impl Iterator<Item = &[u8]> {
        let places = (0..OPUS_KEPT).map(|place| (usize::from(self.next) + place) % OPUS_KEPT);
        let packets = places.map(|place| &self.octets[place][..usize::from(self.lengths[place])]);
        packets.filter(|packet| !packet.is_empty())
    }
}

/// What went by in a lull.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Passed {
    pub(super) received: u32,
    pub(super) bytes: u32,
    pub(super) heard: u32,
    pub(super) last_ns: u64,
    pub(super) sent_dbov: [f32; TICKS as usize],
    pub(super) last: Last,
}

/// How a lull begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    /// Spreads lines over the ticks at which they are looked at.
    pub(super) number: usize,
    pub(super) held: usize,
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
            bytes: 0,
            heard: 0,
            codec: Codec::Pcmu,
            header: [0; HEADER],
            due_ns: 0,
            last_ns: 0,
            from,
            payload_type: 0,
            has_reports: false,
            sent_dbov: [0.0; TICKS as usize],
            last: Last::NONE,
        }
    }

    /// Begins one after a tick.
    pub(super) fn begin(&mut self, beginning: Beginning) {
        let Beginning { number, held, codec, header, from, payload_type, has_reports, now_ns } = beginning;
        let tick = now_ns / FRAME_NS + number as u64;
        *self = Self {
            left: (TICKS - 1 - tick % TICKS) as u8,
            held: held as u8,
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
        if self.left == 0 || bytes.len() < HEADER || from != self.from || self.received == RECEIVED_MAX {
            return false;
        }
        let (header, payload) = bytes.split_at(HEADER);
        let units = self.codec.clock_rate() / 50;
        if header != self.header
            || self.codec.payload_units(payload) != Some(units)
            || !self.is_silence(payload)
        {
            return false;
        }
        let [_, _, s0, s1, t0, t1, t2, t3, ..] = self.header;
        let sequence = u16::from_be_bytes([s0, s1]).wrapping_add(1);
        let timestamp = u32::from_be_bytes([t0, t1, t2, t3]).wrapping_add(units);
        self.header[2..4].copy_from_slice(&sequence.to_be_bytes());
        self.header[4..8].copy_from_slice(&timestamp.to_be_bytes());
        self.held += 1;
        self.received += 1;
        self.bytes += payload.len() as u32;
        if self.codec == Codec::Opus {
            self.last.keep(payload);
        }
        self.last_ns = arrival_ns;
        true
    }

    fn is_silence(&self, payload: &[u8]) -> bool {
        match self.codec.law() {
            Some(law) => payload.iter().all(|octet| *octet == law.silence()),
            None => {
                self.codec == Codec::Opus
                    && payload.len() <= OPUS_BYTES_OF_SILENCE
                    && opus::says_silence(payload)
            }
        }
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
        let bytes = std::mem::take(&mut self.bytes);
        Some(Passed {
            received,
            bytes,
            heard,
            last_ns: self.last_ns,
            sent_dbov: self.sent_dbov,
            last: self.last,
        })
    }
}
