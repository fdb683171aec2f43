//! Skips decoding. A packet of a line that has been silent is not decoded if it states itself that the talker is silent:
//! by its octets (Opus DTX; G.722, digital silence) or by its header (RFC 6464). The last few are kept, and decoded
//! first when speech resumes, so that the decoder's state is right and the first syllable whole.
//!
//! A level in the header is believed as long as it proves right. Now and then a packet that might be skipped is
//! decoded all the same; if several that claimed silence are loud, this stream's levels are ignored from then on.
//! Until then only that stream suffers: it is not heard.

use plenary_audio::{codec::Codec, level};
use plenary_rtp::{extension::AudioLevel, jitter};

/// Packets of Opus that are kept. Its decoder predicts each frame from the one before it.
pub(super) const OPUS_KEPT: usize = 2;
/// Packets of G.722 that are kept: the state of its decoder decays by 63 % in 32 ms (ITU-T G.722, 3.6.3), and with
/// fewer the remaining difference would be heard in the first 60 ms of a voice.
const G722_KEPT: usize = 10;
/// Octets of the longest packet skipped by its octets: those of Opus are short, and those of G.722 last 20 ms.
pub(super) const OPUS_BYTES_OF_SILENCE: usize = 48;
const G722_BYTES_OF_SILENCE: usize = 160;
/// Octets of the longest packet skipped by its header; longer ones are decoded.
const BYTES_OF_LEVELS: usize = 480;
/// One in this many packets that might be skipped is decoded: at 20 ms each, one in two seconds.
const PACKETS_BEFORE_CHECK: u32 = 100;
/// A packet this much louder than its header said, and louder than this, had a wrong level…
const MISSTATED_DB: f32 = 15.0;
const MISSTATED_DBOV: f32 = -45.0;
/// … and this many are enough.
const MISSTATED_MAX: u32 = 3;
/// The packet had no level.
const NO_LEVEL: u8 = u8::MAX;

/// Decides for one line.
#[derive(Debug)]
pub(super) struct DecodeSkip {
    codec: Codec,
    /// The line has been silent: packets below this level, in dBov, may be skipped.
    below_dbov: Option<f32>,
    /// Packets were skipped since the decoder ran.
    is_skipping: bool,
    /// The last skipped packets, in slots of equal size, and the slot of the oldest.
    kept: Box<[u8]>,
    lengths: [usize; G722_KEPT],
    oldest: usize,
    levels: Option<Box<Levels>>,
}

/// Levels from packet headers.
#[derive(Debug)]
struct Levels {
    /// Of the packets in the jitter buffer, by sequence number.
    stated: [u8; jitter::NUMBERS],
    /// The level of the previous packet, decoded or skipped.
    before: u8,
    until_check: u32,
    misstated: u32,
}

impl DecodeSkip {
    /// `seed` spreads the checks of many lines.
    pub(super) fn new(codec: Codec, has_levels: bool, seed: u32) -> Self {
        let mut skip = Self {
            codec,
            below_dbov: None,
            is_skipping: false,
            kept: Box::default(),
            lengths: [0; G722_KEPT],
            oldest: 0,
            levels: None,
        };
        skip.set_levels(has_levels, seed);
        skip
    }

    /// A new session description: whether packets have levels. What was learnt about them is forgotten.
    pub(super) fn set_levels(&mut self, has_levels: bool, seed: u32) {
        let has_levels = has_levels && self.codec.law().is_none();
        let levels = || Levels {
            stated: [NO_LEVEL; jitter::NUMBERS],
            before: NO_LEVEL,
            until_check: seed % PACKETS_BEFORE_CHECK,
            misstated: 0,
        };
        self.levels = has_levels.then(|| Box::new(levels()));
        self.forget();
        let slot = match (self.codec, has_levels) {
            (Codec::Opus | Codec::G722, true) => BYTES_OF_LEVELS,
            (Codec::Opus, false) => OPUS_BYTES_OF_SILENCE,
            (Codec::G722, false) => G722_BYTES_OF_SILENCE,
            (Codec::Pcmu | Codec::Pcma, _) => 0,
        };
        self.kept = vec![0; slot * self.count()].into();
    }

    /// The number of packets kept.
    fn count(&self) -> usize {
        match self.codec {
            Codec::Opus => OPUS_KEPT,
            Codec::Pcmu | Codec::Pcma | Codec::G722 => G722_KEPT,
        }
    }

    /// The skipped packets do not lead to what comes next.
    pub(super) fn forget(&mut self) {
        (self.lengths, self.oldest) = ([0; G722_KEPT], 0);
    }

    /// Records the level of a packet that the jitter buffer now holds.
    pub(super) fn note(&mut self, sequence: u16, level: Option<AudioLevel>) {
        if let Some(levels) = &mut self.levels {
            levels.stated[usize::from(sequence) % jitter::NUMBERS] =
                level.map_or(NO_LEVEL, |level| level.level);
        }
    }

    /// The line is silent: packets quieter than this, and empty ones, may be skipped.
    pub(super) fn may_skip(&mut self, below_dbov: f32) {
        self.below_dbov = Some(below_dbov);
    }

    /// The line is heard.
    pub(super) fn decode_all(&mut self) {
        self.below_dbov = None;
    }

    /// Packets were skipped since the decoder ran.
    pub(super) fn is_skipping(&self) -> bool {
        self.is_skipping
    }

    /// Whether a packet is skipped, with the level to assume for it. `is_silence`: whether its octets say that it is
    /// silence.
    pub(super) fn skips(
        &mut self,
        payload: &[u8],
        sequence: u16,
        is_silence: impl FnOnce(&[u8]) -> bool,
    ) -> Option<f32> {
        if payload.is_empty() && self.codec == Codec::Opus {
            // It arrived on the fast path for silence, and its octets were not kept.
            return Some(-127.0);
        }
        let below_dbov = self.below_dbov?;
        let count = self.count();
        let slot = self.kept.len() / count;
        if payload.is_empty() || payload.len() > slot {
            return None;
        }
        let stated = self.levels.as_ref().and_then(|levels| levels.stated(sequence));
        let stated = stated.filter(|stated| *stated < below_dbov);
        if !is_silence(payload)
            && (stated.is_none() || self.levels.as_mut().is_some_and(|levels| levels.is_checked_now()))
        {
            return None;
        }
        if let Some(levels) = &mut self.levels {
            levels.before = levels.stated[usize::from(sequence) % jitter::NUMBERS];
        }
        self.keep(payload);
        self.is_skipping = true;
        Some(stated.unwrap_or(-127.0))
    }

    /// Keeps a skipped packet if it fits a slot.
    pub(super) fn keep(&mut self, payload: &[u8]) {
        let (count, place) = (self.count(), self.oldest);
        let slot = self.kept.len() / count;
        self.lengths[place] = payload.len();
        self.kept[slot * place..][..payload.len()].copy_from_slice(payload);
        self.oldest = (place + 1) % count;
    }

    /// A packet is about to be decoded: the skipped packets before it, oldest first, if there are any.
    pub(super) fn take_kept(&mut self) -> Option<impl Iterator<Item = &[u8]>> {
        self.below_dbov = None;
        if !std::mem::take(&mut self.is_skipping) {
            return None;
        }
        let (count, oldest, kept) = (self.count(), std::mem::take(&mut self.oldest), &self.kept);
        let lengths = std::mem::take(&mut self.lengths);
        let packets = (0..count).map(move |place| {
            let at = (oldest + place) % count;
            &kept[kept.len() / count * at..][..lengths[at]]
        });
        Some(packets.filter(|packet| !packet.is_empty()))
    }

    /// A packet was decoded: checks the level that it stated.
    pub(super) fn check_level(&mut self, sequence: u16, decoded: &[i16]) {
        let Some(levels) = &mut self.levels else { return };
        let stated = levels.stated[usize::from(sequence) % jitter::NUMBERS];
        let before = std::mem::replace(&mut levels.before, stated);
        // The sound of a packet extends a little into the next, so two in a row must have stated silence. The number
        // for "no level" is the largest there is.
        let said = stated.min(before);
        if stated.max(before) == NO_LEVEL || levels.misstated >= MISSTATED_MAX {
            return;
        }
        let most_dbov = (MISSTATED_DB - f32::from(said)).max(MISSTATED_DBOV);
        if f32::from(said) > -MISSTATED_DBOV && level::dbov(decoded) > most_dbov {
            levels.misstated += 1;
        }
    }
}

impl Levels {
    /// The level that a packet states, in dBov, if it is believed.
    fn stated(&self, sequence: u16) -> Option<f32> {
        let stated = self.stated[usize::from(sequence) % jitter::NUMBERS];
        (stated != NO_LEVEL && self.misstated < MISSTATED_MAX).then(|| -f32::from(stated))
    }

    fn is_checked_now(&mut self) -> bool {
        if self.until_check == 0 {
            self.until_check = PACKETS_BEFORE_CHECK;
            return true;
        }
        self.until_check -= 1;
        false
    }
}
