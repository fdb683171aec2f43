//! What a tick of a room gives out.

use super::PartyKey;
use crate::{MediaCallId, MediaEvent, ports::Channel};
use std::net::SocketAddr;

/// Datagrams of handshakes that are passed on in a tick; more than that is a flood.
const DTLS_MAX: usize = 1024;

/// The datagrams and events of a tick, in memory that is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    letters: Vec<Letter>,
    events: Vec<MediaEvent>,
    /// Datagrams of handshakes, for whoever does those.
    dtls: Vec<(MediaCallId, Channel, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy)]
struct Letter {
    party: PartyKey,
    channel: Channel,
    to: SocketAddr,
    start: usize,
    length: usize,
}

/// A datagram to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) party: PartyKey,
    pub(crate) channel: Channel,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: &'a [u8],
}

impl Outbox {
    /// Adds a datagram made of two parts, with something done to it where it lies: `protect` may make it longer, or
    /// leave nothing of it.
    pub(crate) fn send(
        &mut self,
        party: PartyKey,
        channel: Channel,
        to: SocketAddr,
        front: &[u8],
        back: &[u8],
        protect: impl FnOnce(&mut Vec<u8>, usize),
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(front);
        self.bytes.extend_from_slice(back);
        protect(&mut self.bytes, start);
        let length = self.bytes.len() - start;
        if length > 0 {
            self.letters.push(Letter { party, channel, to, start, length });
        }
    }

    pub(crate) fn tell(&mut self, event: MediaEvent) {
        self.events.push(event);
    }

    /// Passes a datagram of a handshake on.
    pub(crate) fn pass_on(&mut self, call: MediaCallId, channel: Channel, bytes: &[u8]) {
        if self.dtls.len() < DTLS_MAX {
            self.dtls.push((call, channel, bytes.to_vec()));
        }
    }

    /// Takes those datagrams out.
    pub(crate) fn drain_dtls(&mut self) -> impl Iterator<Item = (MediaCallId, Channel, Vec<u8>)> + '_ {
        self.dtls.drain(..)
    }

    /// The datagrams, in the order they were added.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = Outgoing<'_>> {
        self.letters.iter().map(|letter| Outgoing {
            party: letter.party,
            channel: letter.channel,
            to: letter.to,
            bytes: &self.bytes[letter.start..letter.start + letter.length],
        })
    }

    pub(crate) fn clear_datagrams(&mut self) {
        self.bytes.clear();
        self.letters.clear();
    }

    /// Takes the events out.
    pub(crate) fn drain_events(&mut self) -> impl Iterator<Item = MediaEvent> + '_ {
        self.events.drain(..)
    }
}
