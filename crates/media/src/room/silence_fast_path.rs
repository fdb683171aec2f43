//! The fast path for silence: a line that sends packet after packet of digital silence in G.711, or of Opus DTX. In a
//! large conference most lines do, and they cost memory rather than computation: the whole state of a line, read and
//! written every 20 ms, does not fit the cache next to that of a thousand others.
//!
//! So while such a line continues unchanged, its packets are only compared with the expected ones, and its frames
//! counted. Every [`TICKS`]th tick the line gets all that was counted and a full pass, and so it does at the first
//! packet that differs, at the first tick without a packet, and whenever statistics are requested. Nothing that is
//! heard depends on it.

use super::{
    decode_skip::{OPUS_BYTES_OF_SILENCE, OPUS_KEPT},
    tick::FRAME_NS,
};
use plenary_audio::{codec::Codec, opus};
use std::net::SocketAddr;

/// Octets of an RTP header.
const HEADER: usize = 12;
/// Ticks between full passes.
pub(super) const TICKS: u64 = 8;

/// Packets between full passes; more is a flood.
const RECEIVED_MAX: u8 = 2 * TICKS as u8;

/// The state of the fast path. Everything that a packet or a tick of it needs is adjacent.
#[derive(Debug)]
pub(super) struct SilenceFastPath {
    /// Ticks left on the fast path; zero: the line is not on it.
    left: u8,
    /// Packets that arrived and were not played.
    held: u8,
    /// Packets that arrived, octets in them, and ticks that passed, since the last full pass.
    received: u8,
    bytes: u32,
    ticks: u8,
    /// Of both directions.
    pub(super) codec: Codec,
    /// The header expected of the next packet.
    header: [u8; HEADER],
    /// The next tick.
    due_ns: u64,
    /// Lower bound of the last packet's arrival.
    last_ns: u64,
    pub(super) from: SocketAddr,
    /// Payload type of what is sent.
    pub(super) payload_type: u8,
    /// RTCP uses the same port, and its arrival time matters.
    pub(super) has_reports: bool,
    /// Level of what was sent before each tick, in dBov.
    sent_dbov: [f32; TICKS as usize],
    /// The last packets of Opus, which its decoder needs before speech that begins.
    last: LastPackets,
}

/// The latest packets of Opus; the newest is the one before `next`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LastPackets {
    octets: [[u8; OPUS_BYTES_OF_SILENCE]; OPUS_KEPT],
    lengths: [u8; OPUS_KEPT],
    next: u8,
}

impl LastPackets {
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

/// What passed on the fast path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Passed {
    pub(super) received: u32,
    pub(super) bytes: u32,
    pub(super) ticks: u32,
    pub(super) last_ns: u64,
    pub(super) sent_dbov: [f32; TICKS as usize],
    pub(super) last: LastPackets,
}

/// The state with which the fast path begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct FastPathEntry {
    /// Spreads lines over the ticks of their full passes.
    pub(super) number: usize,
    pub(super) held: usize,
    pub(super) codec: Codec,
    /// Of the next packet.
    pub(super) header: [u8; HEADER],
    pub(super) from: SocketAddr,
    pub(super) payload_type: u8,
    pub(super) has_reports: bool,
    pub(super) now_ns: u64,
}

impl SilenceFastPath {
    /// Not on the fast path.
    pub(super) fn new(from: SocketAddr) -> Self {
        Self {
            left: 0,
            held: 0,
            received: 0,
            bytes: 0,
            ticks: 0,
            codec: Codec::Pcmu,
            header: [0; HEADER],
            due_ns: 0,
            last_ns: 0,
            from,
            payload_type: 0,
            has_reports: false,
            sent_dbov: [0.0; TICKS as usize],
            last: LastPackets::NONE,
        }
    }

    /// Begins after a tick.
    pub(super) fn enter(&mut self, entry: FastPathEntry) {
        let FastPathEntry { number, held, codec, header, from, payload_type, has_reports, now_ns } = entry;
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

    /// The next packet is only compared with the expected one.
    pub(super) fn is_on(&self) -> bool {
        self.left > 0
    }

    /// Takes a packet if it is the expected one. It arrived at `arrival_ns`, or later.
    pub(super) fn takes_packet(&mut self, from: SocketAddr, bytes: &[u8], arrival_ns: u64) -> bool {
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

    /// Counts a tick. False if it is not the expected one, or there is no packet for it.
    pub(super) fn takes_tick(&mut self, now_ns: u64, sent_dbov: f32) -> bool {
        if self.left == 0 || self.held == 0 || self.due_ns != now_ns {
            return false;
        }
        self.sent_dbov[usize::from(self.ticks)] = sent_dbov;
        self.left -= 1;
        self.held -= 1;
        self.ticks += 1;
        self.due_ns += FRAME_NS;
        true
    }

    /// This tick was counted.
    pub(super) fn has_taken_tick(&self, now_ns: u64) -> bool {
        self.ticks > 0 && self.due_ns == now_ns + FRAME_NS
    }

    /// Ends it; `None` if nothing passed.
    pub(super) fn leave(&mut self) -> Option<Passed> {
        self.left = 0;
        if self.received == 0 && self.ticks == 0 {
            return None;
        }
        let received = u32::from(std::mem::take(&mut self.received));
        let ticks = u32::from(std::mem::take(&mut self.ticks));
        let bytes = std::mem::take(&mut self.bytes);
        Some(Passed {
            received,
            bytes,
            ticks,
            last_ns: self.last_ns,
            sent_dbov: self.sent_dbov,
            last: self.last,
        })
    }
}
