//! From packets in a jitter buffer to frames of 20 ms, for each codec.

use super::{FRAME_NS, Settings};
use plenary_audio::{cng::ComfortNoise, codec::Codec, g711::Law, opus, repair::Repairer};
use plenary_rtp::{
    jitter::{Frame, JitterBuffer, JitterConfig},
    packet::Header,
};

/// Octets of 20 ms of G.711.
pub(super) const G711_FRAME: usize = 160;
/// Packets of Opus that are remembered while nobody speaks, so that its decoder is warm when somebody does.
const REMEMBERED: usize = 2;
/// Octets of such a packet; longer ones wake the decoder.
const REMEMBERED_BYTES: usize = 48;
/// With more than this made up one packet more is held, with less than that no longer.
const LOSS_TO_HOLD_MORE: f32 = 0.008;
const LOSS_TO_HOLD_LESS: f32 = 0.002;
/// The smallest piece that Opus makes up, 2.5 ms.
const OPUS_PIECE: usize = 120;

/// Hears one stream.
#[derive(Debug)]
pub(super) struct Ear {
    codec: Codec,
    pub(super) jitter: JitterBuffer,
    decoder: Decoder,
    /// Decoded, not yet heard.
    waiting: Vec<i16>,
    waiting_samples: usize,
    /// The 20 ms that are heard now.
    pub(super) frame: Box<[i16]>,
    /// The frame is just this packet, not decoded.
    payload: [u8; G711_FRAME],
    payload_is_frame: bool,
    /// The frame before was made up, so the next one is blended with it.
    made_up: bool,
    /// Nothing was heard of it in the frame before.
    paused: bool,
    /// The frame is known to be all zeros, and nothing is waiting.
    is_silent: bool,
    /// The party has been silent.
    is_idle: bool,
    /// What the other side says its silence sounds like.
    noise: ComfortNoise,
}

#[derive(Debug)]
enum Decoder {
    Telephony(Box<Repairer>),
    Opus(Box<OpusDecoder>),
}

/// Decoding Opus costs, so packets that say themselves that nobody speaks in them are passed over once the party
/// has been silent.
#[derive(Debug)]
struct OpusDecoder {
    decoder: opus::Decoder,
    asleep: bool,
    remembered: [([u8; REMEMBERED_BYTES], usize); REMEMBERED],
}

impl Decoder {
    fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Telephony(Box::new(Repairer::g711(Law::Mu))),
            Codec::Pcma => Self::Telephony(Box::new(Repairer::g711(Law::A))),
            Codec::G722 => Self::Telephony(Box::new(Repairer::g722())),
            Codec::Opus => Self::Opus(Box::new(OpusDecoder {
                decoder: opus::Decoder::new(),
                asleep: false,
                remembered: [([0; REMEMBERED_BYTES], 0); REMEMBERED],
            })),
        }
    }

    /// Takes a frame of silence that follows on silence, for which nothing has to be done. False: it has to be decoded.
    fn take_silence(&mut self, samples: usize) -> bool {
        match self {
            Self::Telephony(repairer) => repairer.silence(samples),
            Self::Opus(_) => false,
        }
    }

    /// What comes next begins anew.
    fn reset(&mut self) {
        match self {
            Self::Telephony(repairer) => repairer.reset(),
            // It joins by itself, and a pause is no reason to forget the sound of a voice.
            Self::Opus(_) => {}
        }
    }

    /// Decodes a packet that lasts `out`. `joins`: it does not follow what was heard before.
    fn decode(&mut self, payload: &[u8], joins: bool, out: &mut [i16]) {
        match self {
            Self::Telephony(repairer) => repairer.decode(payload, joins, out),
            Self::Opus(opus) => opus.decode(payload, out),
        }
    }

    fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) {
        match self {
            Self::Telephony(repairer) => repairer.conceal(next, out),
            Self::Opus(opus) => opus.conceal(next, out),
        }
    }
}

impl OpusDecoder {
    fn decode(&mut self, packet: &[u8], out: &mut [i16]) {
        if self.asleep && packet.len() <= REMEMBERED_BYTES && opus::says_silence(packet) {
            self.remembered.rotate_right(1);
            let (bytes, length) = &mut self.remembered[0];
            bytes[..packet.len()].copy_from_slice(packet);
            *length = packet.len();
            return out.fill(0);
        }
        if std::mem::take(&mut self.asleep) {
            self.decoder.reset();
            for (bytes, length) in self.remembered.iter_mut().rev() {
                let packet = &bytes[..std::mem::take(length)];
                // It was silence as long as this packet or shorter.
                if !packet.is_empty() {
                    self.decoder.decode(packet, out);
                }
            }
        }
        let written = self.decoder.decode(packet, out);
        out[written..].fill(0);
    }

    fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) {
        if self.asleep {
            return out.fill(0);
        }
        let whole = out.len() / OPUS_PIECE * OPUS_PIECE;
        let written = match next {
            Some(next) => self.decoder.recover(next, &mut out[..whole]),
            None => self.decoder.conceal(&mut out[..whole]),
        };
        out[written..].fill(0);
    }
}

impl Ear {
    pub(super) fn new(codec: Codec, settings: &Settings, seed: u32) -> Self {
        let jitter = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => JitterConfig::G711,
            Codec::Opus => JitterConfig::OPUS,
        };
        let jitter =
            JitterConfig { min_ms: settings.jitter_ms_min, max_ms: settings.jitter_ms_max, ..jitter };
        let frame = codec.rate().frame();
        Self {
            codec,
            jitter: JitterBuffer::new(jitter),
            decoder: Decoder::new(codec),
            // Longer packets find their place when the first one comes.
            waiting: vec![0; 2 * frame],
            waiting_samples: 0,
            frame: vec![0; frame].into(),
            payload: [0; G711_FRAME],
            payload_is_frame: false,
            made_up: false,
            paused: true,
            is_silent: false,
            is_idle: false,
            noise: ComfortNoise::new(codec.rate().hz(), seed),
        }
    }

    /// Takes a packet of audio that lasts `units` of the RTP clock.
    pub(super) fn take(&mut self, header: &Header, payload: &[u8], units: u32, arrival_ns: u64) {
        // Most lines of a large conference are silent, and need not be kept.
        let is_silence =
            self.codec.law().is_some_and(|law| payload.iter().all(|octet| *octet == law.silence()));
        if is_silence {
            self.jitter.push_silence(header, units, arrival_ns);
        } else {
            self.jitter.push(header, payload, units, arrival_ns);
        }
    }

    /// Takes a packet of comfort noise (RFC 3389): the pause that follows sounds like this.
    pub(super) fn take_noise(&mut self, payload: &[u8]) {
        self.noise.update(payload);
    }

    /// Forgets what was said; what comes next begins anew.
    pub(super) fn hush(&mut self) {
        self.jitter.reset();
        self.decoder.reset();
        self.waiting_samples = 0;
        (self.made_up, self.paused) = (false, true);
    }

    /// The party has been silent: decoding may wait until it no longer is.
    pub(super) fn may_sleep(&mut self) {
        self.is_idle = true;
        if let Decoder::Opus(opus) = &mut self.decoder {
            opus.asleep = true;
        }
    }

    /// The frame is known to be silence.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Part of the stream, 0 to 1, is made up of late. What is missing is made up far better where the packet after it
    /// is here (Opus packets tell of the one before them, and other sounds need only be led to what comes next), so
    /// where many are lost it pays to hold one more.
    pub(super) fn expect_loss(&mut self, made_up: f32) {
        if made_up > LOSS_TO_HOLD_MORE {
            self.jitter.set_extra_ms(20);
        } else if made_up < LOSS_TO_HOLD_LESS {
            self.jitter.set_extra_ms(0);
        }
    }

    /// The frame as it came, where it came in a packet of just this frame of G.711 and was not changed.
    pub(super) fn payload(&self) -> Option<(Codec, &[u8; G711_FRAME])> {
        self.payload_is_frame.then_some((self.codec, &self.payload))
    }

    /// The frame was changed after it was decoded.
    pub(super) fn set_changed(&mut self) {
        (self.payload_is_frame, self.is_silent, self.is_idle) = (false, false, false);
    }

    /// Puts the next 20 ms into `frame`, silence where there is nothing.
    pub(super) fn listen(&mut self, now_ns: u64) {
        let length = self.frame.len();
        let samples_per_unit = (self.codec.rate().hz() / self.codec.clock_rate()) as usize;
        self.payload_is_frame = false;
        let starts_empty = self.waiting_samples == 0;
        let was_silent = std::mem::take(&mut self.is_silent) & std::mem::take(&mut self.is_idle);
        while self.waiting_samples < length {
            let held_ns = self.waiting_samples as u64 * FRAME_NS / length as u64;
            match self.jitter.pull(now_ns + held_ns) {
                Frame::Packet { payload, samples, joins, .. } => {
                    self.noise.stop();
                    let samples = samples as usize * samples_per_unit;
                    let is_untouched = !joins && !self.made_up && self.codec.law().is_some();
                    let is_just_silence =
                        starts_empty && is_untouched && payload.is_empty() && samples == length;
                    (self.made_up, self.paused) = (false, false);
                    if is_just_silence && was_silent && self.decoder.take_silence(samples) {
                        self.is_silent = true;
                        return;
                    }
                    let end = self.waiting_samples + samples;
                    if self.waiting.len() < end {
                        // The first packet of more than 20 ms: it happens once.
                        self.waiting.resize(end, 0);
                    }
                    self.decoder.decode(payload, joins, &mut self.waiting[self.waiting_samples..end]);
                    if is_just_silence && let Some(law) = self.codec.law() {
                        self.payload.fill(law.silence());
                        (self.payload_is_frame, self.is_silent) = (true, true);
                    } else if starts_empty
                        && is_untouched
                        && let Ok(payload) = <&[u8; G711_FRAME]>::try_from(payload)
                    {
                        self.payload = *payload;
                        self.payload_is_frame = true;
                    }
                    self.waiting_samples = end;
                }
                Frame::Missing { samples, next } => {
                    let samples = (samples as usize * samples_per_unit).min(length);
                    let end = self.waiting_samples + samples;
                    // What was pushed as silence has no octets.
                    let silence = self.codec.law().map(|law| [law.silence(); G711_FRAME]);
                    let next = match (next, &silence) {
                        (Some([]), Some(silence)) => Some(silence.as_slice()),
                        (next, _) => next,
                    };
                    self.decoder.conceal(next, &mut self.waiting[self.waiting_samples..end]);
                    self.waiting_samples = end;
                    self.made_up = true;
                }
                Frame::Nothing => {
                    let rest = &mut self.waiting[self.waiting_samples..length];
                    if self.noise.is_active() {
                        self.noise.fill(rest)
                    } else {
                        rest.fill(0)
                    }
                    self.waiting_samples = length;
                    if !std::mem::replace(&mut self.paused, true) {
                        // What comes next joins silence and not what was said before it.
                        self.decoder.reset();
                        self.made_up = false;
                    }
                }
            }
        }
        self.frame.copy_from_slice(&self.waiting[..length]);
        self.waiting.copy_within(length..self.waiting_samples, 0);
        self.waiting_samples -= length;
    }
}
