//! What a tick of a room gives out.

use super::PartyKey;
use crate::{
    MediaCallId, MediaEvent,
    ports::{Channel, PortKey},
};
use std::net::SocketAddr;

/// Datagrams of handshakes that are passed on in a tick; more than that is a flood.
const DTLS_MAX: usize = 1024;

/// The datagrams and events of a tick, in memory that is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    letters: Vec<Letter>,
    events: Vec<MediaEvent>,
    /// Whose are those that are added now, of the rooms that tick together.
    room: usize,
    /// Datagrams of handshakes, for whoever does those.
    dtls: Vec<(MediaCallId, Channel, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy)]
struct Letter {
    way: Way,
    room: usize,
    start: usize,
    length: usize,
}

/// From whom a datagram is, through which socket, and where to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) party: PartyKey,
    pub(crate) port: PortKey,
    pub(crate) channel: Channel,
    pub(crate) to: SocketAddr,
    /// All that comes through the RTP socket is from there, until another stream is agreed on, or a datagram goes through
    /// it that is not settled.
    pub(crate) is_settled: bool,
}

/// A datagram to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) way: Way,
    /// The room that it is of, by [`Outbox::begin`].
    pub(crate) room: usize,
    pub(crate) bytes: &'a [u8],
}

/// A moment to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    bytes: usize,
    letters: usize,
    events: usize,
    dtls: usize,
}

impl Outbox {
    /// What is added from now on is of this one of the rooms that tick together.
    pub(crate) fn begin(&mut self, room: usize) -> Mark {
        self.room = room;
        Mark {
            bytes: self.bytes.len(),
            letters: self.letters.len(),
            events: self.events.len(),
            dtls: self.dtls.len(),
        }
    }

    /// Throws away what was added since.
    pub(crate) fn go_back(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.letters.truncate(mark.letters);
        self.events.truncate(mark.events);
        self.dtls.truncate(mark.dtls);
    }

    /// Adds a datagram made of two parts, with something done to it where it lies: `protect` may make it longer, or
    /// leave nothing of it.
    pub(crate) fn send(
        &mut self,
        way: Way,
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
            self.letters.push(Letter { way, room: self.room, start, length });
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

    /// How many datagrams there are.
    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    /// The datagrams, in the order they were added.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = Outgoing<'_>> {
        self.letters.iter().map(|letter| Outgoing {
            way: letter.way,
            room: letter.room,
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
