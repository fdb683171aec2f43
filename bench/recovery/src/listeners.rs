//! The two receive paths, which get the same packets in virtual time.

use crate::{
    network::{CLOCK_RATE, Network, Packet, START_NS},
    score::Score,
};
use neteq::{AudioPacket, NetEq, NetEqConfig, RtpHeader, codec::AudioDecoder, neteq::SpeechType};
use plenary_audio::g711::{self, Law};
use plenary_media::{Codec, Listener, MediaConfig, Piece, StreamParams};
use std::sync::{Arc, Mutex};

const MS: u64 = 1_000_000;
const OUR_FRAME_NS: u64 = 20 * MS;
const NETEQ_FRAME_NS: u64 = 10 * MS;
/// Octets and samples of a millisecond.
const SAMPLES_PER_MS: u32 = CLOCK_RATE / 1000;

/// The payload of each packet: the part of the source that its frame is.
pub fn payload<'a>(network: &Network, speech: &'a [u8], packet: &Packet) -> &'a [u8] {
    let length = network.samples as usize;
    // The source repeats; a frame that does not fit begins anew.
    let frames = (speech.len() / length).max(1);
    &speech[packet.place % frames * length..][..length]
}

/// Plays the network through the receive path of a room. Its output is appended to `out`.
pub fn ours(network: &Network, speech: &[u8], score: &mut Score<'_>, out: &mut Vec<i16>) {
    let params = StreamParams::new(([127, 0, 0, 1], 9).into(), Codec::Pcmu, 0);
    let mut listener = Listener::new(params, &MediaConfig::default(), START_NS);
    let unit_ns = 1_000_000_000 / u64::from(CLOCK_RATE);
    network.play(
        OUR_FRAME_NS,
        &mut listener,
        |listener, packet| {
            listener.push(&packet.header(), payload(network, speech, packet), packet.arrives_ns);
        },
        |listener, now_ns| {
            let frame = listener.pull(now_ns, |piece, at_ns| match piece {
                Piece::Packet { sequence, .. } => score.play(sequence, at_ns),
                Piece::Concealed { samples } => score.conceal(at_ns, u64::from(samples) * unit_ns),
                Piece::Nothing => score.conceal(at_ns, now_ns + OUR_FRAME_NS - at_ns),
                // As with NetEq, a change of tempo is not concealment.
                Piece::PutIn { .. } | Piece::TakenOut { .. } => {}
            });
            out.extend_from_slice(frame);
        },
    );
}

/// Decodes µ-law, and records which packets it decoded.
struct Mulaw {
    /// Sequence numbers of the packets decoded since the last frame.
    decoded: Arc<Mutex<Vec<u16>>>,
}

impl AudioDecoder for Mulaw {
    fn sample_rate(&self) -> u32 {
        CLOCK_RATE
    }

    fn channels(&self) -> u8 {
        1
    }

    /// The payload follows two octets with the packet's sequence number.
    fn decode(&mut self, encoded: &[u8]) -> neteq::Result<Vec<f32>> {
        let (number, payload) = encoded.split_at(2);
        let number = u16::from_be_bytes([number[0], number[1]]);
        self.decoded.lock().expect("no thread panics with it").push(number);
        let mut samples = vec![0; payload.len()];
        g711::decode(Law::Mu, payload, &mut samples);
        Ok(samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect())
    }
}

/// Plays the network through `neteq` with its default settings, at 8 kHz. Its output is appended to `out`.
pub fn neteq(network: &Network, speech: &[u8], score: &mut Score<'_>, out: &mut Vec<i16>) {
    web_time::set_ns(START_NS);
    let config = NetEqConfig { sample_rate: CLOCK_RATE, ..NetEqConfig::default() };
    let mut neteq = NetEq::new(config).expect("8 kHz and one channel are allowed");
    let decoded = Arc::new(Mutex::new(Vec::new()));
    neteq.register_decoder(0, Box::new(Mulaw { decoded: Arc::clone(&decoded) }));
    // It compares timestamps as plain numbers, so they must not wrap; one constant added to all changes nothing else.
    let shift = network.packets.iter().min_by_key(|packet| packet.place);
    let shift = shift.map_or(0, |first| (1_u32 << 24).wrapping_sub(first.timestamp));
    let push = |neteq: &mut NetEq, packet: &Packet| {
        web_time::set_ns(packet.arrives_ns);
        let timestamp = packet.timestamp.wrapping_add(shift);
        let header = RtpHeader::new(packet.sequence, timestamp, 7, 0, packet.marker);
        let mut numbered = packet.sequence.to_be_bytes().to_vec();
        numbered.extend_from_slice(payload(network, speech, packet));
        let ms = network.samples / SAMPLES_PER_MS;
        neteq
            .insert_packet(AudioPacket::new(header, numbered, CLOCK_RATE, 1, ms))
            .expect("its errors are of its set-up");
    };
    let pull = |neteq: &mut NetEq, now_ns: u64| {
        web_time::set_ns(now_ns);
        // Decoded and not yet heard: that is heard first.
        let held = neteq.get_statistics().packets_awaiting_decode * network.samples as usize;
        let mut before = neteq.current_buffer_size_samples().saturating_sub(held) as u64;
        let frame = neteq.get_audio().expect("its errors are of its set-up");
        for sequence in decoded.lock().expect("no thread panics with it").drain(..) {
            score.play(sequence, now_ns + before * 1_000_000_000 / u64::from(CLOCK_RATE));
            before += u64::from(network.samples);
        }
        if frame.speech_type == SpeechType::Expand {
            score.conceal(now_ns, NETEQ_FRAME_NS);
        }
        out.extend(frame.samples.iter().map(|sample| (sample * 32_768.0) as i16));
    };
    network.play(NETEQ_FRAME_NS, &mut neteq, push, pull);
}
