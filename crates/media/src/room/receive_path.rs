//! The receive path: from packets in a jitter buffer to frames of 20 ms, for each codec.

use super::{
    decode_skip::DecodeSkip,
    inband::InbandKeys,
    play_log::{Piece, PlayLog},
    settings::Settings,
    tick::FRAME_NS,
};
use plenary_audio::{cng::ComfortNoise, codec::Codec, g711::Law, g722, level, opus, repair::Repairer, tempo};
use plenary_rtp::{
    extension::AudioLevel,
    jitter::{Frame, JitterBuffer, JitterConfig, Pushed, Tempo},
    packet::Header,
};

/// Octets of 20 ms of G.711.
pub(super) const G711_FRAME: usize = 160;
/// Above this loss one more packet is held, below the second value no longer.
const LOSS_TO_HOLD_MORE: f32 = 0.008;
const LOSS_TO_HOLD_LESS: f32 = 0.002;
/// Below this level a frame may be removed or repeated unnoticed.
const QUIET_DBOV: f32 = -48.0;
/// The smallest piece that Opus conceals, 2.5 ms.
const OPUS_PIECE: usize = 120;

/// Receives one stream.
#[derive(Debug)]
pub(super) struct ReceivePath {
    codec: Codec,
    pub(super) jitter: JitterBuffer,
    decoder: Decoder,
    skip: DecodeSkip,
    /// Keys as tones, on lines where they are looked for.
    pub(super) inband: Option<Box<InbandKeys>>,
    /// For G.722: the state that the decoder would have had it decoded the skipped packets.
    scales: Option<g722::Scales>,
    /// Decoded, not yet played.
    waiting: Vec<i16>,
    waiting_samples: usize,
    /// The present 20 ms.
    pub(super) frame: Box<[i16]>,
    /// The previous 20 ms, as they were decoded; meaningless if they were not.
    previous: Box<[i16]>,
    is_previous_known: bool,
    /// A frame that is being inserted.
    inserted: Box<[i16]>,
    /// The payload, if the frame is exactly this packet and was not decoded.
    payload: [u8; G711_FRAME],
    payload_is_frame: bool,
    /// The previous frame was concealed, so the next one is blended with it.
    was_concealed: bool,
    /// The last packet announced a pause: the sender may omit what follows.
    may_pause: bool,
    /// Frames that were omitted that way.
    frames_not_sent: u64,
    /// The previous frame was a pause.
    paused: bool,
    /// The frame is known to be all zeros, and nothing is waiting.
    is_silent: bool,
    /// The participant has been silent.
    is_idle: bool,
    /// The waiting samples and the frame were skipped and are all zeros: their stated level, in dBov.
    stated_dbov: Option<f32>,
    frame_stated_dbov: Option<f32>,
    /// The other side's comfort noise.
    noise: ComfortNoise,
}

#[derive(Debug)]
enum Decoder {
    Telephony(Box<Repairer>),
    Opus(Box<opus::Decoder>),
}

impl Decoder {
    fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Telephony(Box::new(Repairer::g711(Law::Mu))),
            Codec::Pcma => Self::Telephony(Box::new(Repairer::g711(Law::A))),
            Codec::G722 => Self::Telephony(Box::new(Repairer::g722())),
            Codec::Opus => Self::Opus(Box::new(opus::Decoder::new())),
        }
    }

    /// Loudness of a G.722 stream by its octets.
    fn scales(&self) -> Option<g722::Scales> {
        match self {
            Self::Telephony(repairer) => repairer.scales(),
            Self::Opus(_) => None,
        }
    }

    /// Accounts for a frame of silence after silence, for which nothing has to be done. False if it has to be
    /// decoded.
    fn take_silence(&mut self, samples: usize) -> bool {
        match self {
            Self::Telephony(repairer) => repairer.silence(samples),
            Self::Opus(_) => false,
        }
    }

    /// The next packet starts afresh.
    fn reset(&mut self) {
        match self {
            Self::Telephony(repairer) => repairer.reset(),
            // It blends by itself, and a pause is no reason to forget the sound of a voice.
            Self::Opus(_) => {}
        }
    }

    /// Decodes a packet that lasts `out`. `joins`: it does not continue the previous audio.
    fn decode(&mut self, payload: &[u8], joins: bool, out: &mut [i16]) {
        match self {
            Self::Telephony(repairer) => repairer.decode(payload, joins, out),
            Self::Opus(decoder) => {
                let written = decoder.decode(payload, out);
                out[written..].fill(0);
            }
        }
    }

    /// Decodes the packets skipped before a packet, for their effect on the decoder. Into `out`, which is not played.
    fn warm<'a>(&mut self, skipped: impl Iterator<Item = &'a [u8]>, out: &mut [i16]) {
        match self {
            Self::Telephony(repairer) => {
                for (place, packet) in skipped.enumerate() {
                    // It was as long as this packet or shorter.
                    if let Some(out) = out.get_mut(..2 * packet.len()) {
                        repairer.decode(packet, place == 0, out);
                    }
                }
            }
            Self::Opus(decoder) => {
                decoder.reset();
                // Packets longer than this one are refused.
                for packet in skipped {
                    decoder.decode(packet, out);
                }
            }
        }
    }

    fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) {
        match self {
            Self::Telephony(repairer) => repairer.conceal(next, out),
            Self::Opus(decoder) => {
                let whole = out.len() / OPUS_PIECE * OPUS_PIECE;
                let written = match next {
                    Some(next) => decoder.recover(next, &mut out[..whole]),
                    None => decoder.conceal(&mut out[..whole]),
                };
                out[written..].fill(0);
            }
        }
    }
}

impl ReceivePath {
    /// `has_levels`: packets carry their level.
    pub(super) fn new(codec: Codec, has_levels: bool, settings: &Settings, seed: u32) -> Self {
        let jitter = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => JitterConfig::G711,
            Codec::Opus => JitterConfig::OPUS,
        };
        let jitter =
            JitterConfig { min_ms: settings.jitter_ms_min, max_ms: settings.jitter_ms_max, ..jitter };
        let frame = codec.rate().frame();
        let decoder = Decoder::new(codec);
        let mut jitter = JitterBuffer::new(jitter);
        jitter.set_follows_tempo(true);
        Self {
            codec,
            jitter,
            scales: decoder.scales(),
            decoder,
            skip: DecodeSkip::new(codec, has_levels, seed),
            inband: None,
            // Longer packets get their space when the first one arrives.
            waiting: vec![0; 3 * frame],
            waiting_samples: 0,
            frame: vec![0; frame].into(),
            previous: vec![0; frame].into(),
            is_previous_known: false,
            inserted: vec![0; frame].into(),
            payload: [0; G711_FRAME],
            payload_is_frame: false,
            was_concealed: false,
            may_pause: false,
            frames_not_sent: 0,
            paused: true,
            is_silent: false,
            is_idle: false,
            stated_dbov: None,
            frame_stated_dbov: None,
            noise: ComfortNoise::new(codec.rate().hz(), seed),
        }
    }

    /// A new session description: whether packets carry their level.
    pub(super) fn set_levels(&mut self, has_levels: bool, seed: u32) {
        self.skip.set_levels(has_levels, seed);
    }

    /// Takes an audio packet that lasts `units` of the RTP clock, with its stated level.
    pub(super) fn take(
        &mut self,
        header: &Header,
        payload: &[u8],
        units: u32,
        level: Option<AudioLevel>,
        arrival_ns: u64,
    ) {
        // Most lines of a large conference are silent, and need not be stored.
        let is_silence =
            self.codec.law().is_some_and(|law| payload.iter().all(|octet| *octet == law.silence()));
        if is_silence {
            self.jitter.push_silence(header, units, arrival_ns);
        } else {
            match self.jitter.push(header, payload, units, arrival_ns) {
                Pushed::Kept | Pushed::Restarted => self.skip.note(header.sequence, level),
                Pushed::Duplicate | Pushed::Late | Pushed::Suspect | Pushed::Refused => {}
            }
        }
    }

    /// Takes a packet of comfort noise (RFC 3389) for the pause that follows.
    pub(super) fn take_noise(&mut self, payload: &[u8]) {
        self.noise.update(payload);
    }

    /// Discards what is held; the next packet starts afresh.
    pub(super) fn hush(&mut self) {
        self.jitter.reset();
        self.decoder.reset();
        self.skip.forget();
        self.waiting_samples = 0;
        (self.was_concealed, self.paused) = (false, true);
    }

    /// The participant has been silent: decoding may be skipped below this level, in dBov.
    pub(super) fn may_skip(&mut self, below_dbov: f32) {
        self.is_idle = true;
        self.skip.may_skip(below_dbov);
    }

    /// The participant is heard: everything is decoded.
    pub(super) fn decode_all(&mut self) {
        self.skip.decode_all();
    }

    /// The last packets were skipped.
    #[cfg(test)]
    pub(super) fn is_skipping(&self) -> bool {
        self.skip.is_skipping()
    }

    /// Level of the frame in dBov; the stated one if it was not decoded.
    pub(super) fn level_dbov(&self) -> f32 {
        match self.frame_stated_dbov {
            _ if self.is_silent => -127.0,
            Some(stated) => stated,
            None => level::dbov(&self.frame),
        }
    }

    /// Reports to the jitter buffer whether the frame, of this level, may be removed or repeated.
    pub(super) fn note_level(&mut self, level_dbov: f32) {
        self.jitter.set_quiet(level_dbov < QUIET_DBOV);
    }

    /// The frame was silence after silence by its octets, for which nothing had to be done: G.711, or Opus.
    pub(super) fn was_skipped(&self) -> bool {
        let is_silence = match self.codec {
            Codec::Pcmu | Codec::Pcma => self.is_silent && self.is_idle,
            Codec::Opus => self.frame_stated_dbov == Some(-127.0) && self.skip.is_skipping(),
            Codec::G722 => false,
        };
        is_silence && self.waiting_samples == 0
    }

    /// On the fast path for silence ([`JitterBuffer::steady_silence`]): this many packets arrived, and this many were played.
    /// `last`: the latest of Opus.
    pub(super) fn pass_silence<'a>(
        &mut self,
        received: u32,
        heard: u32,
        last: impl Iterator<Item = &'a [u8]>,
    ) {
        self.jitter.pass_silence(received, heard);
        last.for_each(|packet| self.skip.keep(packet));
        if self.codec.law().is_some() {
            let is_taken = self.decoder.take_silence(heard as usize * self.frame.len());
            debug_assert!(is_taken, "silence follows on silence");
        }
    }

    /// How much earlier the next tick could be and still find its packet; see [`JitterBuffer::spare_ns`]. The rest of
    /// a longer packet is played first.
    pub(super) fn spare_ns(&self, next_tick_ns: u64) -> Option<i64> {
        let held_ns = self.waiting_samples as u64 * FRAME_NS / self.frame.len() as u64;
        self.jitter.spare_ns(next_tick_ns + held_ns)
    }

    /// Frames that were concealed because they were lost or late. Frames omitted by Opus DTX do not count: the packet
    /// before them said so.
    pub(super) fn frames_concealed(&self) -> u64 {
        self.jitter.counters().concealed.saturating_sub(self.frames_not_sent)
    }

    /// Frames that were lost: later ones arrived. An end with nothing after it may be a pause.
    pub(super) fn frames_lost(&self) -> u64 {
        let frame = u64::from(self.codec.clock_rate() / 50);
        self.jitter.counters().lost_units / frame
    }

    /// The recent loss of the stream, 0 to 1. A loss is concealed far better if the packet after it has arrived (Opus
    /// packets contain a copy of the one before, and other codecs need only be led to what follows), so with many
    /// losses it pays to hold one more.
    pub(super) fn expect_loss(&mut self, lost: f32) {
        if lost > LOSS_TO_HOLD_MORE {
            self.jitter.set_extra_ms(20);
        } else if lost < LOSS_TO_HOLD_LESS {
            self.jitter.set_extra_ms(0);
        }
    }

    /// The payload, if the frame came in a packet of exactly one frame of G.711 and was not changed.
    pub(super) fn payload(&self) -> Option<(Codec, &[u8; G711_FRAME])> {
        self.payload_is_frame.then_some((self.codec, &self.payload))
    }

    /// The frame was changed after decoding.
    pub(super) fn set_changed(&mut self) {
        (self.payload_is_frame, self.is_silent, self.is_idle) = (false, false, false);
        self.frame_stated_dbov = None;
    }

    /// Puts the next 20 ms into `frame`, silence if there is nothing.
    pub(super) fn listen(&mut self, now_ns: u64) {
        self.listen_and_log(now_ns, &mut ());
    }

    /// [`Self::listen`], and notes in `log` what is played. A room's log is `()`, for which nothing is compiled in.
    pub(super) fn listen_and_log(&mut self, now_ns: u64, log: &mut impl PlayLog) {
        let length = self.frame.len();
        let samples_per_unit = (self.codec.rate().hz() / self.codec.clock_rate()) as usize;
        self.payload_is_frame = false;
        let starts_empty = self.waiting_samples == 0;
        let was_silent = std::mem::take(&mut self.is_silent) & std::mem::take(&mut self.is_idle);
        let was_skipped = self.frame_stated_dbov.take().is_some();
        let is_previous_known = std::mem::take(&mut self.is_previous_known);
        // Two frames are merged into one.
        let mut faster = None;
        while self.waiting_samples < if faster.is_some() { 2 * length } else { length } {
            let held_ns = self.waiting_samples as u64 * FRAME_NS / length as u64;
            let makes_room = self.jitter.makes_room();
            match self.jitter.pull(now_ns + held_ns) {
                Frame::Packet { payload, samples, joins, sequence, tempo } => {
                    let piece = Piece::Packet { sequence, samples };
                    self.noise.stop();
                    self.may_pause = self.codec == Codec::Opus && opus::says_silence(payload);
                    let samples = samples as usize * samples_per_unit;
                    let is_untouched = !joins && !self.was_concealed && self.codec.law().is_some();
                    let is_alone = starts_empty && tempo == Tempo::Even && faster.is_none();
                    let is_just_silence = is_alone && is_untouched && payload.is_empty() && samples == length;
                    (self.was_concealed, self.paused) = (false, false);
                    if is_just_silence && was_silent && self.decoder.take_silence(samples) {
                        self.is_silent = true;
                        log.note(piece, 0);
                        return;
                    }
                    let end = self.waiting_samples + samples;
                    if self.waiting.len() < end {
                        // The first packet of more than 20 ms, which happens once.
                        self.waiting.resize(end, 0);
                    }
                    let out = &mut self.waiting[self.waiting_samples..end];
                    let scales = &mut self.scales;
                    let is_silence = |payload: &[u8]| match scales {
                        Some(scales) => scales.follow_silence(payload),
                        None => opus::says_silence(payload),
                    };
                    if let Some(level_dbov) = self.skip.skips(payload, sequence, is_silence) {
                        if is_alone && samples == length {
                            if !was_skipped {
                                self.frame.fill(0);
                            }
                            self.frame_stated_dbov = Some(level_dbov);
                            log.note(piece, 0);
                            return;
                        }
                        log.note(piece, self.waiting_samples);
                        out.fill(0);
                        let other =
                            if self.waiting_samples == 0 { Some(level_dbov) } else { self.stated_dbov };
                        self.stated_dbov = other.map(|other| other.max(level_dbov));
                        self.waiting_samples = end;
                        continue;
                    }
                    if let Some(skipped) = self.skip.take_kept() {
                        self.decoder.warm(skipped, out);
                    }
                    self.stated_dbov = None;
                    self.decoder.decode(payload, joins, out);
                    self.scales = self.decoder.scales();
                    self.skip.check_level(sequence, out);
                    if is_just_silence && let Some(law) = self.codec.law() {
                        self.payload.fill(law.silence());
                        (self.payload_is_frame, self.is_silent) = (true, true);
                    } else if is_alone
                        && is_untouched
                        && let Ok(payload) = <&[u8; G711_FRAME]>::try_from(payload)
                    {
                        self.payload = *payload;
                        self.payload_is_frame = true;
                    }
                    if let Some(inband) = &mut self.inband
                        && inband.clear(sequence, out)
                    {
                        (self.payload_is_frame, self.is_silent) = (false, false);
                    }
                    let mut begins = self.waiting_samples;
                    self.waiting_samples = end;
                    match tempo {
                        Tempo::Even => {}
                        Tempo::Faster { .. } => faster = faster.or(Some(tempo)),
                        Tempo::Slower { now } => {
                            let is_possible = begins == 0 && is_previous_known && samples >= length;
                            if is_possible && self.put_in(now, tempo) {
                                log.note(Piece::PutIn { samples: (length / samples_per_unit) as u32 }, 0);
                                begins = length;
                            }
                        }
                    }
                    log.note(piece, begins);
                }
                Frame::Missing { samples, next } => {
                    let samples = (samples as usize * samples_per_unit).min(length);
                    let units = (samples / samples_per_unit) as u32;
                    log.note(Piece::Concealed { samples: units }, self.waiting_samples);
                    let end = self.waiting_samples + samples;
                    if self.may_pause && next.is_none() && !makes_room {
                        self.frames_not_sent += 1;
                    }
                    // Packets pushed as silence have no octets.
                    let silence = self.codec.law().map(|law| [law.silence(); G711_FRAME]);
                    let next = match (next, &silence) {
                        (Some([]), Some(silence)) => Some(silence.as_slice()),
                        (next, _) => next,
                    };
                    if self.waiting.len() < end {
                        self.waiting.resize(end, 0);
                    }
                    let out = &mut self.waiting[self.waiting_samples..end];
                    match self.skip.is_skipping() {
                        true => out.fill(0),
                        false => self.decoder.conceal(next, out),
                    }
                    if let Some(inband) = &mut self.inband {
                        inband.clear_concealed(out);
                    }
                    self.waiting_samples = end;
                    (self.was_concealed, self.stated_dbov) = (true, None);
                }
                Frame::Nothing => {
                    if self.waiting_samples >= length {
                        break;
                    }
                    log.note(Piece::Nothing, self.waiting_samples);
                    let rest = &mut self.waiting[self.waiting_samples..length];
                    if self.noise.is_active() {
                        self.noise.fill(rest)
                    } else {
                        rest.fill(0)
                    }
                    (self.waiting_samples, self.stated_dbov) = (length, None);
                    if !std::mem::replace(&mut self.paused, true) {
                        // What comes next joins silence and not the audio before it.
                        self.decoder.reset();
                        self.was_concealed = false;
                    }
                }
            }
        }
        if let Some(tempo @ Tempo::Faster { now }) = faster
            && self.waiting_samples >= 2 * length
            && tempo::faster(&mut self.waiting[..2 * length], now)
        {
            self.waiting.copy_within(2 * length..self.waiting_samples, length);
            self.waiting_samples -= length;
            self.jitter.changed_tempo(tempo);
            // The second frame is played with the first, so what began in it begins a frame earlier.
            log.merge(length);
            log.note(Piece::TakenOut { samples: (length / samples_per_unit) as u32 }, 0);
        }
        self.frame_stated_dbov = self.stated_dbov;
        self.frame.copy_from_slice(&self.waiting[..length]);
        self.previous.copy_from_slice(&self.waiting[..length]);
        self.is_previous_known = true;
        self.waiting.copy_within(length..self.waiting_samples, 0);
        self.waiting_samples -= length;
    }

    /// Inserts a frame between what was played last and what is waiting, which is a frame or more. False: it would be
    /// heard, and nothing was done.
    fn put_in(&mut self, now: bool, tempo: Tempo) -> bool {
        let length = self.frame.len();
        if !tempo::slower(&self.previous, &self.waiting[..length], &mut self.inserted, now) {
            return false;
        }
        let end = self.waiting_samples + length;
        if self.waiting.len() < end {
            self.waiting.resize(end, 0);
        }
        self.waiting.copy_within(..self.waiting_samples, length);
        self.waiting[..length].copy_from_slice(&self.inserted);
        self.waiting_samples = end;
        self.payload_is_frame = false;
        self.jitter.changed_tempo(tempo);
        true
    }
}
