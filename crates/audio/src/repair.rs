//! Decodes a stream of G.711 or G.722 with losses.
//!
//! Losses are concealed by [`plc`](crate::plc) from the audio before them and, if the next packet has arrived, from
//! the audio after them. The G.722 decoder depends on everything before, so the concealment is encoded and the
//! decoder is fed with that in place of the lost octets (the idea of ITU-T G.722, Appendix III). Without it the first
//! frames after each loss are distorted, which is heard more than the loss.

use crate::{
    g711::{self, Law},
    g722::{self, FILTERS},
    plc::Concealer,
};

/// Samples of 20 ms of G.722, the most of the following audio that is used.
const FRAME: usize = 320;
/// Octets of the longest packet of silence that is stored: 60 ms of G.722.
const STILL_OCTETS: usize = 480;
/// Samples no larger than this are silence.
const INAUDIBLE: u16 = 16;

/// Decodes one stream.
#[derive(Debug, Clone)]
pub struct Repairer {
    decoder: Decoder,
    concealer: Concealer,
}

#[derive(Debug, Clone)]
enum Decoder {
    G711(Law),
    G722(Box<g722::Decoder>, Still),
}

/// A packet of G.722 that was silence: while it is repeated, as by a muted telephone, nothing has to be decoded.
#[derive(Debug, Clone)]
struct Still {
    octets: Vec<u8>,
}

impl Repairer {
    /// For G.711, at 8000 Hz.
    #[must_use]
    pub fn g711(law: Law) -> Self {
        Self { decoder: Decoder::G711(law), concealer: Concealer::new(8000) }
    }

    /// For G.722, at 16 000 Hz.
    #[must_use]
    pub fn g722() -> Self {
        Self {
            decoder: Decoder::G722(Box::default(), Still { octets: Vec::with_capacity(STILL_OCTETS) }),
            concealer: Concealer::new(16_000),
        }
    }

    /// The next audio does not continue the previous one.
    pub fn reset(&mut self) {
        self.concealer = Concealer::new(match self.decoder {
            Decoder::G711(_) => 8000,
            Decoder::G722(..) => 16_000,
        });
    }

    /// Decodes a payload that lasts `out`. `joins`: it does not continue the previous audio, because some was
    /// removed.
    pub fn decode(&mut self, payload: &[u8], joins: bool, out: &mut [i16]) {
        match &mut self.decoder {
            Decoder::G711(law) if law.is_silence(payload) => out.fill(0),
            Decoder::G711(law) => g711::decode(*law, payload, out),
            Decoder::G722(_, still) if still.octets == payload => out.fill(0),
            Decoder::G722(decoder, still) => {
                decoder.decode(payload, out);
                still.octets.clear();
                let is_silent = out.iter().all(|sample| sample.unsigned_abs() <= INAUDIBLE);
                if is_silent && payload.len() <= STILL_OCTETS {
                    still.octets.extend_from_slice(payload);
                }
            }
        }
        if joins { self.concealer.join(out) } else { self.concealer.good(out) }
    }

    /// Accounts for `samples` of silence after silence, at nearly no cost. False, and nothing is taken: they have to
    /// be decoded.
    #[must_use]
    pub fn silence(&mut self, samples: usize) -> bool {
        matches!(self.decoder, Decoder::G711(_)) && self.concealer.silence(samples)
    }

    /// The present loudness of a G.722 stream; `None` for other codecs.
    #[must_use]
    pub fn scales(&self) -> Option<g722::Scales> {
        match &self.decoder {
            Decoder::G711(_) => None,
            Decoder::G722(decoder, _) => Some(decoder.scales()),
        }
    }

    /// Conceals `out`. `next` is the payload after it, if it has arrived.
    pub fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) {
        let mut after = [0; FRAME];
        match &mut self.decoder {
            Decoder::G711(law) => {
                let next = next.map(|next| {
                    let after = &mut after[..next.len().min(FRAME)];
                    g711::decode(*law, next, after);
                    &*after
                });
                self.concealer.conceal(out, next);
            }
            Decoder::G722(decoder, still) => {
                still.octets.clear();
                let next = next.map(|next| {
                    // A first attempt, from the audio before only, gives the decoder enough to decode what follows.
                    let (mut trial, mut concealer) = (decoder.clone(), self.concealer.clone());
                    concealer.conceal(out, None);
                    let mut ahead = [0; FILTERS];
                    concealer.go_on(&mut ahead);
                    trial.hear_instead(out, &ahead, concealer.is_steady());
                    let length = trial.decode(next, &mut after);
                    &after[..length]
                });
                self.concealer.conceal(out, next);
                let mut ahead = [0; FILTERS];
                match next {
                    Some(next) if next.len() >= FILTERS => ahead.copy_from_slice(&next[..FILTERS]),
                    Some(_) | None => self.concealer.go_on(&mut ahead),
                }
                decoder.hear_instead(out, &ahead, self.concealer.is_steady());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::{Codec, Encoder, Rate},
        level::dbov,
        opus,
    };

    /// A voice of ten harmonics whose pitch and loudness move as in speech.
    fn voice(rate: Rate, seconds: f32) -> Vec<i16> {
        let hz = rate.hz() as f32;
        let mut phase = 0.0_f32;
        (0..(hz * seconds) as usize)
            .map(|index| {
                let at = index as f32 / hz;
                phase = (phase + (130.0 + 30.0 * (at * 5.0).sin()) / hz).fract();
                let loud = 1500.0 * (1.2 + (at * 11.0).sin());
                let sum: f32 = (1..=10_u8)
                    .map(|n| (phase * f32::from(n) * std::f32::consts::TAU).sin() / f32::from(n))
                    .sum();
                (sum * loud) as i16
            })
            .collect()
    }

    fn repairer(codec: Codec) -> Repairer {
        codec.law().map_or_else(Repairer::g722, Repairer::g711)
    }

    fn payloads(codec: Codec, samples: &[i16]) -> Vec<[u8; 160]> {
        let mut encoder = Encoder::new(codec, &opus::Settings::default());
        let encode = |frame: &[i16]| {
            let mut payload = [0; 160];
            encoder.encode(frame, &mut payload);
            payload
        };
        samples.chunks_exact(codec.rate().frame()).map(encode).collect()
    }

    /// The output if every tenth packet is lost.
    fn with_losses(codec: Codec, payloads: &[[u8; 160]], is_ahead: bool) -> Vec<i16> {
        let mut repairer = repairer(codec);
        let mut heard = Vec::new();
        for (place, payload) in payloads.iter().enumerate() {
            let mut frame = vec![0; codec.rate().frame()];
            if place % 10 == 9 {
                let next = payloads.get(place + 1).filter(|_| is_ahead);
                repairer.conceal(next.map(<[u8; 160]>::as_slice), &mut frame);
            } else {
                repairer.decode(payload, false, &mut frame);
            }
            heard.extend(frame);
        }
        heard
    }

    /// How far the error is below the original, in dB.
    fn error_db(said: &[i16], heard: &[i16]) -> f32 {
        let error: Vec<i16> = said.iter().zip(heard).map(|(a, b)| a.saturating_sub(*b)).collect();
        dbov(said) - dbov(&error)
    }

    #[test]
    fn a_loss_is_made_up_better_where_the_packet_after_it_is_known() {
        for (codec, least_db) in [(Codec::Pcmu, 14.0), (Codec::Pcma, 14.0)] {
            let payloads = payloads(codec, &voice(codec.rate(), 4.0));
            let clean: Vec<i16> = {
                let mut repairer = repairer(codec);
                let decode = |payload: &[u8; 160]| {
                    let mut frame = vec![0; codec.rate().frame()];
                    repairer.decode(payload, false, &mut frame);
                    frame
                };
                payloads.iter().flat_map(decode).collect()
            };
            let behind = error_db(&clean, &with_losses(codec, &payloads, false));
            let ahead = error_db(&clean, &with_losses(codec, &payloads, true));
            assert!(ahead > behind + 2.0 && ahead > least_db, "{codec:?}: {behind} dB became {ahead} dB");
        }
    }

    #[test]
    fn after_a_loss_the_decoder_of_g722_goes_on_from_what_was_made_up() {
        let payloads = payloads(Codec::G722, &voice(Rate::Wide, 4.0));
        let mut clean = g722::Decoder::new();
        let (mut frozen, mut repaired) = (clean.clone(), Repairer::g722());
        // The frames after a loss, compared with undisturbed decoding: by a decoder that ignores the loss, and by
        // this one.
        let (mut said, mut of_frozen, mut of_ours) = (Vec::new(), Vec::new(), Vec::new());
        for (place, payload) in payloads.iter().enumerate() {
            let (mut a, mut b, mut c) = ([0; FRAME], [0; FRAME], [0; FRAME]);
            clean.decode(payload, &mut a);
            if place % 10 == 9 {
                repaired.conceal(payloads.get(place + 1).map(<[u8; 160]>::as_slice), &mut c);
                continue;
            }
            frozen.decode(payload, &mut b);
            repaired.decode(payload, false, &mut c);
            if place % 10 == 0 && place > 0 {
                said.extend(a);
                of_frozen.extend(b);
                of_ours.extend(c);
            }
        }
        let (frozen, ours) = (error_db(&said, &of_frozen), error_db(&said, &of_ours));
        assert!(ours > frozen + 0.4, "{frozen} dB with a decoder that stood still, {ours} dB with ours");
    }

    #[test]
    fn a_decoder_that_heard_the_truth_instead_goes_on_as_if_nothing_was_lost() {
        let payloads = payloads(Codec::G722, &voice(Rate::Wide, 2.0));
        let mut decoder = g722::Decoder::new();
        let frames: Vec<[i16; FRAME]> = payloads
            .iter()
            .map(|payload| {
                let mut frame = [0; FRAME];
                decoder.decode(payload, &mut frame);
                frame
            })
            .collect();
        let mut decoder = g722::Decoder::new();
        for payload in &payloads[..50] {
            decoder.decode(payload, &mut [0; FRAME]);
        }
        let (mut stands_still, mut heard) = (decoder.clone(), [0; FRAME]);
        stands_still.decode(&payloads[51], &mut heard);
        let without = error_db(&frames[51], &heard);
        let ahead = std::array::from_fn(|index| frames[51][index]);
        decoder.hear_instead(&frames[50], &ahead, true);
        decoder.decode(&payloads[51], &mut heard);
        let with = error_db(&frames[51], &heard);
        assert!(with > 12.0 && with > without + 2.5, "{with} dB, {without} dB without");
    }

    #[test]
    fn odd_lengths_and_empty_packets_are_survived() {
        for codec in [Codec::Pcmu, Codec::G722] {
            let mut repairer = repairer(codec);
            for length in [0_usize, 1, 7, 21, 22, 23, 80, 160, 480, 960] {
                repairer.conceal(Some(&vec![0x55; length]), &mut vec![0; length]);
                repairer.conceal(None, &mut vec![0; length]);
                repairer.conceal(Some(&[0x12; 160]), &mut vec![0; length]);
                repairer.decode(&vec![3; length], true, &mut vec![0; length]);
            }
            repairer.reset();
        }
    }
}
