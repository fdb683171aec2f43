//! The receive path of one stream without a room, for benchmarks: packets in, frames of 20 ms out, and what was
//! played in each. Not part of the interface.
//!
//! The receive path itself reports what it plays; see [`super::play_log`].

use super::{
    play_log::Piece,
    settings::Settings,
    stream::{Random, Stream},
    tick::FRAME_NS,
};
use crate::{MediaConfig, StreamParams};
use plenary_rtp::packet::Header;

/// Receives one stream as a room does: jitter buffer, decoder, concealment, and what depends on the level of the
/// output.
#[derive(Debug)]
pub struct Listener {
    stream: Stream,
    /// What the last frame began with.
    log: Vec<(Piece, usize)>,
}

impl Listener {
    /// Receives a stream as negotiated, from `now_ns` on.
    #[must_use]
    pub fn new(params: StreamParams, config: &MediaConfig, now_ns: u64) -> Self {
        let stream = Stream::new(params, &Settings::of(config), &mut Random(1), now_ns);
        Self { stream, log: Vec::new() }
    }

    /// Takes an audio packet. Payloads that the codec does not have are dropped.
    pub fn push(&mut self, header: &Header, payload: &[u8], arrival_ns: u64) {
        if let Some(units) = self.stream.params.codec.payload_units(payload) {
            self.stream.incoming.path.take(header, payload, units, None, arrival_ns);
        }
    }

    /// The 20 ms from `now_ns` on; `played` is called with each piece taken for it, and when its first sample is
    /// heard, which may be in a later frame.
    pub fn pull(&mut self, now_ns: u64, mut played: impl FnMut(Piece, u64)) -> &[i16] {
        let incoming = &mut self.stream.incoming;
        self.log.clear();
        incoming.path.listen_and_log(now_ns, &mut self.log);
        let length = incoming.path.frame.len() as u64;
        for (piece, at) in self.log.drain(..) {
            played(piece, now_ns + at as u64 * FRAME_NS / length);
        }
        incoming.path.note_level(incoming.path.level_dbov());
        incoming.reckon_quality();
        &incoming.path.frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use plenary_audio::g711::{self, Law};

    const START_NS: u64 = 1_000_000_000;
    const MS: u64 = 1_000_000;
    /// Samples of a frame of 8 kHz.
    const FRAME: usize = 160;

    fn listener() -> Listener {
        let params = StreamParams::new(([127, 0, 0, 1], 9).into(), Codec::Pcmu, 0);
        Listener::new(params, &MediaConfig::default(), START_NS)
    }

    fn header(place: u16, samples: usize) -> Header {
        Header { sequence: place, timestamp: u32::from(place) * samples as u32, ssrc: 7, ..Header::default() }
    }

    /// One packet of twenty is lost.
    #[test]
    fn what_is_played_is_told_packet_by_packet() {
        let mut listener = listener();
        let mut pieces = Vec::new();
        for place in 0..20_u16 {
            let now_ns = START_NS + u64::from(place) * FRAME_NS;
            if place != 10 {
                // The loudest sample of the law, at half the rate.
                let payload: Vec<u8> =
                    (0..FRAME).map(|sample| if sample % 2 == 0 { 0x00 } else { 0x80 }).collect();
                listener.push(&header(place, FRAME), &payload, now_ns - 2_000_000);
            }
            let frame = listener.pull(now_ns, |piece, at_ns| pieces.push((piece, at_ns)));
            assert!(frame.iter().any(|sample| sample.unsigned_abs() > 8000), "packet {place} is heard");
        }
        let played = |place: u16| {
            (Piece::Packet { sequence: place, samples: 160 }, START_NS + u64::from(place) * FRAME_NS)
        };
        let mut expected: Vec<_> = (0..20).map(played).collect();
        expected[10].0 = Piece::Concealed { samples: 160 };
        assert_eq!(pieces, expected);
    }

    /// The sound of a packet: a tone of which 10 ms are five periods, louder or fainter from packet to packet.
    fn sound(place: u16, samples: usize) -> (Vec<u8>, Vec<i16>) {
        let peak = [3000.0, 4000.0, 5500.0, 7500.0, 9000.0][usize::from(place % 5)];
        let tone: Vec<i16> = (0..samples)
            .map(|index| ((index as f32 / 16.0 * std::f32::consts::TAU).sin() * peak) as i16)
            .collect();
        let (mut payload, mut decoded) = (vec![0; samples], vec![0; samples]);
        g711::encode(Law::Mu, &tone, &mut payload);
        g711::decode(Law::Mu, &payload, &mut decoded);
        (payload, decoded)
    }

    /// Of the first 150 packets each tenth is late by 90 ms, and of the rest none.
    fn assert_changes_of_tempo(ptime_ms: u64) {
        let samples = ptime_ms as usize * 8;
        let (uneven, count) = (150, 1200_u16);
        let arrives_ns = |place: u16| {
            let sent_ms = (u64::from(place) + 1) * ptime_ms;
            let late_ms = if place < uneven && place.is_multiple_of(10) { 90 } else { 0 };
            START_NS + (sent_ms + late_ms + 1) * MS
        };
        let mut order: Vec<u16> = (0..count).collect();
        order.sort_by_key(|place| arrives_ns(*place));
        let mut order = order.into_iter().peekable();
        let mut listener = listener();
        let (mut heard, mut pieces) = (Vec::new(), Vec::new());
        let ends_ns = arrives_ns(count - 1);
        for now_ns in (START_NS..ends_ns + FRAME_NS).step_by(FRAME_NS as usize) {
            while let Some(place) = order.next_if(|place| arrives_ns(*place) <= now_ns) {
                listener.push(&header(place, samples), &sound(place, samples).0, arrives_ns(place));
            }
            let frame = listener.pull(now_ns, |piece, at_ns| {
                pieces.push((piece, ((at_ns - START_NS) * 8 / MS) as usize));
            });
            heard.extend_from_slice(frame);
        }

        let (mut packets, mut taken_out, mut put_in) = (Vec::new(), Vec::new(), Vec::new());
        // By then everything late has arrived.
        let even_from = usize::from(uneven) * samples + 20 * FRAME;
        // What follows a concealment is blended with it.
        let mut is_blended = true;
        for (piece, at) in pieces {
            match piece {
                Piece::Packet { sequence, samples: length } => {
                    assert_eq!(length as usize, samples);
                    packets.push((sequence, at, std::mem::take(&mut is_blended)));
                }
                Piece::TakenOut { samples: 160 } => taken_out.push(at),
                Piece::PutIn { samples: 160 } => put_in.push(at),
                Piece::Concealed { .. } if at < even_from => is_blended = true,
                Piece::Nothing => assert_eq!(packets, [], "only before it begins"),
                _ => panic!("{piece:?} at {at}"),
            }
        }
        assert!(!put_in.is_empty() && taken_out.len() >= 2, "{put_in:?}, {taken_out:?}");
        let later: Vec<u16> =
            packets.iter().filter(|(_, at, _)| *at >= even_from).map(|(place, ..)| *place).collect();
        assert_eq!(later, (count - later.len() as u16..count).collect::<Vec<_>>(), "each is played");

        let mut compared = 0;
        for (place, at, _) in packets.iter().filter(|(.., is_blended)| !is_blended) {
            let is_in = |from: &usize| *from < at + samples && *at < from + FRAME;
            if let Some(is) = heard.get(*at..at + samples)
                && !taken_out.iter().any(is_in)
            {
                assert_eq!(is, sound(*place, samples).1, "packet {place} of {ptime_ms} ms from {at} on");
                compared += 1;
            }
        }
        assert!(compared > usize::from(count) * 9 / 10, "{compared} of {count}");
        for from in taken_out.iter().filter(|_| samples == FRAME) {
            // Both packets begin with the frame, which fades from one to the other.
            let both: Vec<u16> =
                packets.iter().filter(|(_, at, _)| at == from).map(|(place, ..)| *place).collect();
            let [first, second] = both[..] else { panic!("{both:?} at {from}") };
            let (first, second) = (sound(first, FRAME).1, sound(second, FRAME).1);
            for (index, is) in heard[*from..][..FRAME].iter().enumerate() {
                let later = (index + 1) as f32 / (FRAME + 1) as f32;
                let right = f32::from(first[index]) * (1.0 - later) + f32::from(second[index]) * later;
                assert!(
                    (f32::from(*is) - right).abs() < 60.0,
                    "{is} instead of {right}, {index} after {from}"
                );
            }
        }
    }

    #[test]
    fn what_changes_the_tempo_is_told_and_every_packet_begins_where_it_is_heard() {
        for ptime_ms in [20, 60] {
            assert_changes_of_tempo(ptime_ms);
        }
    }
}
