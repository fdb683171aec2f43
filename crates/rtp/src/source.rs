//! A sent stream: its sequence numbers and timestamps (RFC 3550, 5.1).

use crate::packet::Header;

/// Numbers and stamps the packets of a stream. The clock continues while nothing is sent, so that a receiver plays a
/// pause at its true length.
#[derive(Debug, Clone)]
pub struct Source {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// The next packet follows a pause.
    marker: bool,
    packets: u64,
    bytes: u64,
}

impl Source {
    /// A stream that begins at `sequence` and `timestamp`. All three should be random (RFC 3550, 5.1).
    #[must_use]
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self { ssrc, sequence, timestamp, marker: true, packets: 0, bytes: 0 }
    }

    /// This stream follows another of the same call, and continues its packet and byte counts.
    #[must_use]
    pub fn counting_on(mut self, before: &Self) -> Self {
        (self.packets, self.bytes) = (before.packets, before.bytes);
        self
    }

    /// The header of the next packet, with `payload_bytes` of audio that last `samples` units of the stream's clock.
    /// The first packet of the stream, and the first after a pause, has the marker.
    pub fn next_header(&mut self, payload_type: u8, samples: u32, payload_bytes: usize) -> Header {
        let header = Header {
            marker: std::mem::take(&mut self.marker),
            payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(samples);
        self.packets += 1;
        self.bytes += payload_bytes as u64;
        header
    }

    /// The header of a packet that takes no time of its own: a telephone event, whose packets all carry the time of
    /// its beginning (RFC 4733, 2.2.2).
    pub fn event_header(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload_bytes: usize,
    ) -> Header {
        let mut header = self.next_header(payload_type, 0, payload_bytes);
        (header.marker, header.timestamp) = (marker, timestamp);
        header
    }

    /// Advances the clock without a packet; the next one has the marker.
    pub fn pause(&mut self, samples: u32) {
        self.timestamp = self.timestamp.wrapping_add(samples);
        self.marker = true;
    }

    /// Advances the clock without an audio packet, and without the marker on the next: something else is sent
    /// meanwhile.
    pub fn skip(&mut self, samples: u32) {
        self.timestamp = self.timestamp.wrapping_add(samples);
    }

    /// The SSRC.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp of the next packet: the stream's clock now.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Packets sent.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes of payload sent.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_stamps_run_on_and_wrap() {
        let mut source = Source::new(7, u16::MAX, u32::MAX - 100);
        let first = source.next_header(0, 160, 160);
        assert_eq!((first.marker, first.sequence, first.timestamp), (true, u16::MAX, u32::MAX - 100));
        let second = source.next_header(0, 160, 160);
        assert_eq!((second.marker, second.sequence, second.timestamp), (false, 0, 59));
        assert_eq!((source.packets(), source.bytes()), (2, 320));
    }

    #[test]
    fn the_clock_runs_on_through_a_pause_and_the_next_packet_is_marked() {
        let mut source = Source::new(7, 10, 1000);
        source.next_header(0, 160, 160);
        source.pause(160);
        source.pause(160);
        let next = source.next_header(0, 160, 160);
        assert_eq!((next.marker, next.sequence, next.timestamp), (true, 11, 1480));
    }

    #[test]
    fn packets_of_an_event_bear_its_beginning() {
        let mut source = Source::new(7, 10, 1000);
        for sequence in 10..13 {
            let header = source.event_header(101, sequence == 10, 1000, 4);
            assert_eq!((header.marker, header.sequence, header.timestamp), (sequence == 10, sequence, 1000));
            source.skip(160);
        }
        assert_eq!(source.next_header(0, 160, 160).timestamp, 1480);
    }
}
