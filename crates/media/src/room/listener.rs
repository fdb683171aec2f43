//! The receive path of one stream without a room, for benchmarks: packets in, frames of 20 ms out, and what was played
//! in each. Not part of the interface.

use super::{
    FRAME_NS, Settings,
    party::QUIET_DBOV,
    stream::{Random, Stream},
};
use crate::{MediaConfig, StreamParams};
use plenary_rtp::{jitter::Frame, packet::Header};

/// A piece of what is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The packet with this number, of so many units of the RTP clock.
    Packet {
        /// Its number on the wire.
        sequence: u16,
        /// Its length.
        samples: u32,
    },
    /// So many units are concealed.
    Concealed {
        /// Its length.
        samples: u32,
    },
    /// The stream has not begun, or pauses, until the end of the frame.
    Nothing,
}

/// Hears one stream as a room does: jitter buffer, decoder, concealment, and what follows from the level of what is heard.
#[derive(Debug)]
pub struct Listener {
    stream: Stream,
    /// Decoded and not yet heard, in units of the RTP clock.
    waiting: u32,
    /// A frame in units of the RTP clock.
    frame: u32,
}

impl Listener {
    /// Hears a stream as it was agreed on, from `now_ns` on.
    #[must_use]
    pub fn new(params: StreamParams, config: &MediaConfig, now_ns: u64) -> Self {
        let frame = params.codec.clock_rate() / 50;
        let stream = Stream::new(params, &Settings::of(config), &mut Random(1), now_ns);
        Self { stream, waiting: 0, frame }
    }

    /// Takes a packet of audio. Payloads that are no audio of the codec are dropped.
    pub fn push(&mut self, header: &Header, payload: &[u8], arrival_ns: u64) {
        if let Some(units) = self.stream.params.codec.payload_units(payload) {
            self.stream.incoming.ear.take(header, payload, units, None, arrival_ns);
        }
    }

    /// The 20 ms that are heard from `now_ns` on; `played` is told each piece that was taken for it, and when it is heard.
    pub fn pull(&mut self, now_ns: u64, mut played: impl FnMut(Piece, u64)) -> &[i16] {
        // A copy of the buffer gives what the buffer is about to give.
        let mut buffer = self.stream.incoming.ear.jitter.clone();
        while self.waiting < self.frame {
            let at_ns = now_ns + u64::from(self.waiting) * FRAME_NS / u64::from(self.frame);
            let (piece, samples) = match buffer.pull(at_ns) {
                Frame::Packet { sequence, samples, .. } => (Piece::Packet { sequence, samples }, samples),
                Frame::Missing { samples, .. } => (Piece::Concealed { samples }, samples),
                Frame::Nothing => (Piece::Nothing, self.frame - self.waiting),
            };
            self.waiting += samples;
            played(piece, at_ns);
        }
        self.waiting -= self.frame;
        let incoming = &mut self.stream.incoming;
        incoming.ear.listen(now_ns);
        let level_dbov = incoming.ear.level_dbov();
        incoming.ear.jitter.set_quiet(level_dbov < QUIET_DBOV);
        incoming.reckon_quality();
        &incoming.ear.frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codec, Protection};

    /// One packet of twenty is lost.
    #[test]
    fn what_is_played_is_told_packet_by_packet() {
        let params = StreamParams {
            remote_rtp: ([127, 0, 0, 1], 9).into(),
            remote_rtcp: None,
            rtcp_mux: false,
            codec: Codec::Pcmu,
            opus_bitrate_max: None,
            send_payload_type: 0,
            receive_payload_type: 0,
            dtmf_payload_type: None,
            level_id: None,
            ptime_ms: 20,
            send: true,
            receive: true,
            protection: Protection::None,
            ice: None,
        };
        let start_ns = 1_000_000_000_u64;
        let mut listener = Listener::new(params, &MediaConfig::default(), start_ns);
        let mut pieces = Vec::new();
        for place in 0..20_u16 {
            let now_ns = start_ns + u64::from(place) * FRAME_NS;
            if place != 10 {
                let header = Header {
                    sequence: place,
                    timestamp: u32::from(place) * 160,
                    ssrc: 7,
                    ..Header::default()
                };
                // The loudest sample of the law, at half the rate.
                let payload: Vec<u8> =
                    (0..160).map(|sample| if sample % 2 == 0 { 0x00 } else { 0x80 }).collect();
                listener.push(&header, &payload, now_ns - 2_000_000);
            }
            let frame = listener.pull(now_ns, |piece, at_ns| pieces.push((piece, at_ns)));
            assert!(frame.iter().any(|sample| sample.unsigned_abs() > 8000), "packet {place} is heard");
        }
        let played = |place: u16| {
            (Piece::Packet { sequence: place, samples: 160 }, start_ns + u64::from(place) * FRAME_NS)
        };
        let mut expected: Vec<_> = (0..20).map(played).collect();
        expected[10].0 = Piece::Concealed { samples: 160 };
        assert_eq!(pieces, expected);
    }
}
