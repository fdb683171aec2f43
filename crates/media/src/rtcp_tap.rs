//! RTCP reports as they are received and sent, decrypted, for the tracer of calls.
//!
//! A media thread copies them into a queue that is allocated in advance. It never waits for the reader, and wakes none as long
//! as the reader looks with [`RtcpTap::take`]. While the queue is full, reports are lost for the reader.

use crate::MediaCallId;
use std::{
    net::SocketAddr,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

/// Octets of a report that are kept; one with a block for each of three streams and a name takes fewer.
pub const RTCP_BYTES_KEPT: usize = 256;
/// Reports that a worker passes on from one tick.
pub(crate) const REPORTS_PER_TICK: usize = 64;

/// An RTCP datagram of a call.
#[derive(Debug, Clone, Copy)]
pub struct RtcpReport {
    /// The call.
    pub call: MediaCallId,
    /// It was sent; otherwise it was received.
    pub is_sent: bool,
    /// The other side's address.
    pub remote: SocketAddr,
    /// It shares the port of RTP (RFC 5761); otherwise it has the port after that.
    pub is_muxed: bool,
    /// When, in nanoseconds since 1970.
    pub wall_ns: u64,
    length: usize,
    bytes: [u8; RTCP_BYTES_KEPT],
}

impl RtcpReport {
    pub(crate) fn new(
        call: MediaCallId,
        is_sent: bool,
        remote: SocketAddr,
        is_muxed: bool,
        wall_ns: u64,
        datagram: &[u8],
    ) -> Self {
        let length = datagram.len().min(RTCP_BYTES_KEPT);
        let mut bytes = [0; RTCP_BYTES_KEPT];
        bytes[..length].copy_from_slice(&datagram[..length]);
        Self { call, is_sent, remote, is_muxed, wall_ns, length, bytes }
    }

    /// The compound packet, without encryption.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The reader's end.
#[derive(Debug)]
pub struct RtcpTap(Receiver<RtcpReport>);

impl RtcpTap {
    /// A queue for this many reports; the sender goes into [`MediaConfig::rtcp`](crate::MediaConfig::rtcp).
    #[must_use]
    pub fn new(reports: usize) -> (SyncSender<RtcpReport>, Self) {
        let (sender, receiver) = sync_channel(reports);
        (sender, Self(receiver))
    }

    /// The next report; `None`: there is none at the moment.
    #[must_use]
    pub fn take(&self) -> Option<RtcpReport> {
        self.0.try_recv().ok()
    }
}
