//! The output of a tick of a room.

use super::{key::MemberKey, recorder::NameRecorder};
use crate::{
    MediaCallId, MediaEvent, RtcpReport,
    load::PlaneCounts,
    ports::{Channel, PortKey},
    rtcp_tap::REPORTS_PER_TICK,
};
use std::net::SocketAddr;

/// Handshake datagrams that are passed on in a tick; more is a flood.
const DTLS_MAX: usize = 1024;

/// The datagrams and events of a tick, in memory that is reused for the next.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    queued: Vec<Queued>,
    events: Vec<MediaEvent>,
    /// The room, among those that tick together, whose output is being added.
    room: usize,
    /// Handshake datagrams for the DTLS thread.
    dtls: Vec<(MediaCallId, Channel, Vec<u8>)>,
    /// Recordings that have ended.
    recordings: Vec<(MediaCallId, Box<NameRecorder>)>,
    /// RTCP reports received and sent.
    reports: Vec<RtcpReport>,
    /// What calls have counted.
    pub(crate) counts: PlaneCounts,
}

#[derive(Debug, Clone, Copy)]
struct Queued {
    route: PacketRoute,
    room: usize,
    start: usize,
    length: usize,
}

/// Sender, socket and destination of a datagram.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacketRoute {
    pub(crate) member: MemberKey,
    pub(crate) port: PortKey,
    pub(crate) channel: Channel,
    pub(crate) to: SocketAddr,
    /// All packets of the RTP socket come from there, until another session description, or until an unsettled
    /// datagram goes through it.
    pub(crate) is_settled: bool,
}

/// A datagram to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoomDatagram<'a> {
    pub(crate) route: PacketRoute,
    /// Its room, by [`Outbox::begin`].
    pub(crate) room: usize,
    pub(crate) bytes: &'a [u8],
}

/// A position to roll back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    bytes: usize,
    queued: usize,
    events: usize,
    dtls: usize,
    recordings: usize,
}

impl Outbox {
    /// What is added from now on belongs to this room.
    pub(crate) fn begin(&mut self, room: usize) -> Mark {
        self.room = room;
        Mark {
            bytes: self.bytes.len(),
            queued: self.queued.len(),
            events: self.events.len(),
            dtls: self.dtls.len(),
            recordings: self.recordings.len(),
        }
    }

    /// Discards what was added since.
    pub(crate) fn go_back(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.queued.truncate(mark.queued);
        self.events.truncate(mark.events);
        self.dtls.truncate(mark.dtls);
        self.recordings.truncate(mark.recordings);
    }

    /// Adds a datagram made of two parts, and processes it in place: `protect` may lengthen it, or leave nothing of
    /// it.
    pub(crate) fn send(
        &mut self,
        route: PacketRoute,
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
            self.queued.push(Queued { route, room: self.room, start, length });
        }
    }

    pub(crate) fn push_event(&mut self, event: MediaEvent) {
        self.events.push(event);
    }

    /// Passes on a recording that has ended.
    pub(crate) fn push_recording(&mut self, call: MediaCallId, recorder: Box<NameRecorder>) {
        self.recordings.push((call, recorder));
    }

    /// Takes the recordings.
    pub(crate) fn drain_recordings(&mut self) -> impl Iterator<Item = (MediaCallId, Box<NameRecorder>)> + '_ {
        self.recordings.drain(..)
    }

    /// Shows an RTCP report to the tracer of calls.
    pub(crate) fn show_report(&mut self, report: &RtcpReport) {
        if self.reports.len() < REPORTS_PER_TICK {
            self.reports.push(*report);
        }
    }

    /// Takes the reports.
    pub(crate) fn drain_reports(&mut self) -> impl Iterator<Item = RtcpReport> + '_ {
        self.reports.drain(..)
    }

    /// Passes on a handshake datagram.
    pub(crate) fn pass_on(&mut self, call: MediaCallId, channel: Channel, bytes: &[u8]) {
        if self.dtls.len() < DTLS_MAX {
            self.dtls.push((call, channel, bytes.to_vec()));
        }
    }

    /// Takes the handshake datagrams.
    pub(crate) fn drain_dtls(&mut self) -> impl Iterator<Item = (MediaCallId, Channel, Vec<u8>)> + '_ {
        self.dtls.drain(..)
    }

    /// Number of datagrams.
    pub(crate) fn len(&self) -> usize {
        self.queued.len()
    }

    /// The datagrams, in the order they were added.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = RoomDatagram<'_>> {
        self.queued.iter().map(|queued| RoomDatagram {
            route: queued.route,
            room: queued.room,
            bytes: &self.bytes[queued.start..queued.start + queued.length],
        })
    }

    pub(crate) fn clear_datagrams(&mut self) {
        self.bytes.clear();
        self.queued.clear();
    }

    /// Takes the events.
    pub(crate) fn drain_events(&mut self) -> impl Iterator<Item = MediaEvent> + '_ {
        self.events.drain(..)
    }
}
