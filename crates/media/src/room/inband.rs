//! Telephone keys as tones in the audio, on lines without telephone events (RFC 4733).
//!
//! ```text
//!   network ──▶ listen for tones ──▶ jitter buffer ──▶ decode ──▶ clear of tones ──▶ mix
//!                 │ where tones begin and end ───────────────────────▲
//!                 ▼ keys
//! ```
//!
//! Packets are listened to as they arrive, with a decoder of their own, so keys are detected before the jitter buffer and
//! also where the participant is muted. What the buffer still holds by the time a tone is certain is cleared of it, from
//! its first sample; a buffer that holds 40 ms hides all of a tone. Where it holds less, audio is cleared as soon as a
//! tone is suspected, so at most its first 14 ms are heard.
//!
//! Noise as loud as the line's own takes the place of a tone.

use plenary_audio::{
    cng::ComfortNoise,
    codec::{Codec, Decoder},
    dtmf::{DtmfDetector, SAMPLE_RATE_HZ, ToneEvent},
    resample::Resampler,
};
use plenary_rtp::{jitter, packet::Header};
use std::ops::Range;

/// Tones fade in and out: this much around them is cleared too, 2 ms, and 10 ms where the codec spreads them.
const EDGE: u64 = 16;
const EDGE_OPUS: u64 = 80;
/// Tones that ended not long ago. At the pace of 40 ms each, with pauses of 40, these take longer than any buffer holds.
const SPANS: usize = 16;
/// Samples that are resampled at a time.
const PIECE: usize = 2880;
/// A step of the timestamps larger than this, in seconds, is another stream.
const GAP_SECONDS_MAX: i32 = 10;
/// The line is cleared to silence where it is as quiet as this, in dBov.
const SILENT_LINE_DBOV: f32 = -78.0;

/// The tones of one line. Positions are samples at 8000 Hz.
#[derive(Debug)]
pub(super) struct InbandKeys {
    codec: Codec,
    decoder: Decoder,
    /// The longest packet.
    decoded: Box<[i16]>,
    /// To 8000 Hz, and its output.
    resampler: Option<Resampler>,
    narrow: Vec<i16>,
    detector: DtmfDetector,
    /// Samples around a tone that are cleared with it.
    edge: u64,
    /// The source, and the timestamp of its next packet.
    next: Option<(u32, u32)>,
    /// Position of the next packet.
    position: u64,
    /// Where the packets that the jitter buffer may hold begin, by sequence number.
    starts: Box<[Option<(u16, u64)>; jitter::NUMBERS]>,
    /// Tones that have ended.
    spans: [Range<u64>; SPANS],
    oldest: usize,
    noise: ComfortNoise,
    /// What was played last ended within a tone.
    is_clearing: bool,
}

impl InbandKeys {
    pub(super) fn new(codec: Codec, seed: u32) -> Self {
        let rate_hz = codec.rate().hz();
        let longest = match codec {
            Codec::Pcmu | Codec::Pcma => jitter::JitterConfig::G711.payload_bytes_max,
            Codec::G722 => 2 * jitter::JitterConfig::G711.payload_bytes_max,
            // 120 ms (RFC 6716, 2.1.4).
            Codec::Opus => 5760,
        };
        Self {
            codec,
            decoder: Decoder::new(codec),
            decoded: vec![0; longest].into(),
            resampler: (rate_hz != SAMPLE_RATE_HZ).then(|| Resampler::new(rate_hz, SAMPLE_RATE_HZ)),
            narrow: Vec::with_capacity(PIECE + 64),
            detector: DtmfDetector::new(),
            edge: if codec == Codec::Opus { EDGE_OPUS } else { EDGE },
            next: None,
            position: 0,
            starts: Box::new([None; jitter::NUMBERS]),
            spans: std::array::from_fn(|_| 0..0),
            oldest: 0,
            noise: ComfortNoise::new(rate_hz, seed),
            is_clearing: false,
        }
    }

    /// The line's own noise, in dBov.
    pub(super) fn set_noise_floor(&mut self, dbov: f32) {
        if dbov > SILENT_LINE_DBOV {
            self.noise.update(&[(-dbov).clamp(0.0, 127.0) as u8]);
        } else {
            self.noise.stop();
        }
    }

    /// A tone is going on, or may be.
    pub(super) fn is_busy(&self) -> bool {
        self.detector.held().is_some() || self.detector.suspected_since().is_some()
    }

    /// Listens to a packet of audio that arrives and lasts `units` of the RTP clock. Calls `press` for each key that is
    /// certain now.
    pub(super) fn take(&mut self, header: &Header, payload: &[u8], units: u32, mut press: impl FnMut(char)) {
        let clock = self.codec.clock_rate();
        let samples = |units: u32| (u64::from(units) * u64::from(SAMPLE_RATE_HZ) / u64::from(clock)) as u32;
        let gap = match self.next {
            Some((ssrc, next)) if ssrc == header.ssrc => header.timestamp.wrapping_sub(next) as i32,
            Some(_) | None => 0,
        };
        let is_other = gap.unsigned_abs() > clock * GAP_SECONDS_MAX as u32;
        if gap < 0 && !is_other {
            // It comes late. Its tone, if there is one, is cleared all the same.
            let back = u64::from(samples(gap.unsigned_abs()));
            return self.note(header.sequence, self.position.saturating_sub(back));
        }
        let lost = match is_other {
            // Nothing continues.
            true => SAMPLE_RATE_HZ,
            false => samples(gap.unsigned_abs()),
        };
        let (spans, oldest, edge) = (&mut self.spans, &mut self.oldest, self.edge);
        let mut report = |event: ToneEvent| match event {
            ToneEvent::Began { key, .. } => press(key),
            ToneEvent::Ended { start, end, .. } => {
                spans[*oldest] = start.saturating_sub(edge)..end + edge;
                *oldest = (*oldest + 1) % SPANS;
            }
        };
        if lost > 0 {
            self.detector.skip(lost, &mut report);
        }
        let decoded = self.decoder.decode(payload, &mut self.decoded);
        let decoded = &self.decoded[..decoded];
        match &mut self.resampler {
            None => self.detector.take(decoded, &mut report),
            Some(resampler) => {
                for piece in decoded.chunks(PIECE) {
                    self.narrow.clear();
                    resampler.run(piece, &mut self.narrow);
                    self.detector.take(&self.narrow, &mut report);
                }
            }
        }
        self.position += u64::from(lost);
        self.note(header.sequence, self.position);
        self.position += u64::from(samples(units));
        self.next = Some((header.ssrc, header.timestamp.wrapping_add(units)));
    }

    fn note(&mut self, sequence: u16, position: u64) {
        self.starts[usize::from(sequence) % jitter::NUMBERS] = Some((sequence, position));
    }

    /// Clears a packet that was decoded of tones. True: it was changed.
    pub(super) fn clear(&mut self, sequence: u16, out: &mut [i16]) -> bool {
        self.is_clearing = false;
        let known = self.starts[usize::from(sequence) % jitter::NUMBERS];
        let Some((_, start)) = known.filter(|(known, _)| *known == sequence) else { return false };
        let scale = u64::from(self.codec.rate().hz() / SAMPLE_RATE_HZ);
        let end = start + out.len() as u64 / scale;
        let held = self.detector.held().map(|(_, start)| start.saturating_sub(self.edge)..u64::MAX);
        let suspected = self.detector.suspected_since().map(|since| since..u64::MAX);
        let mut is_changed = false;
        for span in self.spans.iter().cloned().chain(held).chain(suspected) {
            let (from, to) = (span.start.max(start), span.end.min(end));
            if from < to {
                self.noise.fill(&mut out[((from - start) * scale) as usize..((to - start) * scale) as usize]);
                self.is_clearing |= to == end;
                is_changed = true;
            }
        }
        is_changed
    }

    /// Clears what was concealed after a tone, which it continues. True: it was changed.
    pub(super) fn clear_concealed(&mut self, out: &mut [i16]) -> bool {
        if self.is_clearing {
            self.noise.fill(out);
        }
        self.is_clearing
    }
}

/// A key that comes by two routes comes by the second within this time of the first.
const SAME_PRESS_NS: u64 = 150_000_000;

/// How a key arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyRoute {
    /// RFC 4733.
    Event,
    /// In the audio.
    Tone,
    /// By signalling.
    Signalling,
}

/// Merges keys that come by several routes: gateways may send events as well as tones, and telephones SIP INFO as well as
/// events.
#[derive(Debug, Default)]
pub(super) struct KeyRoutes {
    last: Option<Press>,
}

/// A press that was reported.
#[derive(Debug)]
struct Press {
    key: char,
    at_ns: u64,
    /// Whether it has come by each route.
    came: [bool; 3],
}

impl KeyRoutes {
    /// Whether a key is another press than the last one. The same route does not bring a press twice.
    pub(super) fn is_new(&mut self, key: char, route: KeyRoute, at_ns: u64) -> bool {
        if let Some(last) = &mut self.last
            && last.key == key
            && at_ns.abs_diff(last.at_ns) <= SAME_PRESS_NS
            && !last.came[route as usize]
        {
            last.came[route as usize] = true;
            return false;
        }
        let mut press = Press { key, at_ns, came: [false; 3] };
        press.came[route as usize] = true;
        self.last = Some(press);
        true
    }
}
