//! The adaptive jitter buffer: packets in as they come, frames out as they are due.
//!
//! ```text
//!   network        push                    pull, every 20 ms          ear
//!   ───────▶  order by number  ──▶ cursor ──▶ Packet  ─────────────▶ decode
//!             drop what is late            ├─▶ Missing (conceal)
//!             measure the delays           └─▶ Nothing (silence)
//! ```
//!
//! **Delay.** The sender's timestamps say when each packet was made, up to a constant. Arrival minus that
//! is the packet's *delay*; play-out minus that is the *schedule*. A packet is in time when its delay is
//! below the schedule. The buffer keeps the schedule just above the delay that all but about one in a
//! hundred packets of the past five seconds had, so on a clean network a packet waits for the next pull and
//! no longer.
//!
//! **Growing.** Where a packet is missing when it is due, a frame is made up. If nothing newer is there
//! either the cursor stays: should the packet still come, it is played and the schedule has grown by a
//! frame; should the one after it come first, what was made up stands for the lost one. A single straggler
//! is left out rather than allowed to push the schedule.
//!
//! **Shrinking.** When the schedule has been longer than needed by a whole packet, one is left out: at once
//! where the consumer said that it is quiet ([`JitterBuffer::set_quiet`]), now and then otherwise. Clock
//! drift needs nothing of its own: it moves the delays, and growing and shrinking follow.
//!
//! **Pauses.** Consecutive numbers with a gap between the timestamps are a pause of the sender
//! (discontinuous transmission), not a loss: silence is given until the packet after the gap is due.
//!
//! All memory is taken when the buffer is made. Packets of any length from one sample to several frames may
//! be mixed.

mod delay;
mod lull;

use crate::packet::Header;
use delay::DelayWindow;

/// A packet should be there this long before it is due: pulls and arrivals are not measured to the last
/// microsecond.
const MARGIN_NS: i64 = 1_000_000;
/// Shrinking waits for this much more than a packet, so that it does not undo what growing did.
const HYSTERESIS_NS: i64 = 2_000_000;
/// With sound going on the schedule must have been too long for this many pulls before a packet is left out.
const PULLS_BEFORE_SHRINK: u32 = 25;
/// After a start the delays must show themselves before anything is left out.
const PULLS_AFTER_START: u32 = 10;
/// Frames made up in a row with nothing coming in before the stream counts as paused.
const CONCEAL_FRAMES_MAX: i64 = 5;
/// A gap of lost packets longer than this many frames is played as a pause.
const GAP_FRAMES_MAX: i64 = 8;
/// A packet this much quicker than any before it bears a timestamp of another epoch: no network gets faster
/// by so much.
const JUMP_EARLIER_NS: i64 = 500_000_000;
/// A packet this much slower than any before it: the timestamps jumped, or everything before it is stale.
const JUMP_LATER_NS: i64 = 2_000_000_000;
/// Numbers this far ahead or behind belong to a stream that was restarted (RFC 3550, A.1).
const SEQUENCE_AHEAD_MAX: i16 = 3000;
const SEQUENCE_BEHIND_MAX: i16 = -100;
/// Packets further back than this are not remembered by number: those that are held have numbers less than this apart.
pub const NUMBERS: usize = 128;
const NO_SLOT: u8 = u8::MAX;

/// How a jitter buffer is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitterConfig {
    /// The RTP clock, in Hz: 8000 for G.711.
    pub clock_rate: u32,
    /// The play-out clock's frame in units of the RTP clock: 160 for 20 ms of G.711. What is made up comes
    /// in pieces of this.
    pub frame_samples: u32,
    /// The least that is held, in milliseconds, the frame being played among it: 20 adds nothing to what
    /// the network asks for.
    pub min_ms: u32,
    /// The most that is held, in milliseconds. Packets slower than this are late.
    pub max_ms: u32,
    /// Slots for packets; 2 to 64. A payload takes as many as it needs; the oldest makes way.
    pub slots: usize,
    /// Bytes of a slot.
    pub slot_bytes: usize,
    /// Bytes of the longest payload; longer ones are refused.
    pub payload_bytes_max: usize,
}

impl JitterConfig {
    /// For G.711 and G.722: 20 to 200 ms in frames of 20 ms, packets of up to 60 ms.
    pub const G711: Self = Self {
        clock_rate: 8000,
        frame_samples: 160,
        min_ms: 20,
        max_ms: 200,
        slots: 50,
        slot_bytes: 160,
        payload_bytes_max: 480,
    };

    /// For Opus: 20 to 200 ms in frames of 20 ms, packets of any allowed length.
    pub const OPUS: Self = Self {
        clock_rate: 48_000,
        frame_samples: 960,
        min_ms: 20,
        max_ms: 200,
        slots: 40,
        slot_bytes: 160,
        payload_bytes_max: 1500,
    };
}

/// What became of a packet that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It will be played.
    Kept,
    /// It is the first of a new stream (another SSRC, or numbers or timestamps that jumped); what was held
    /// of the old one is dropped.
    Restarted,
    /// It is there already.
    Duplicate,
    /// Its time has passed.
    Late,
    /// Its number is far off; if the next packet follows it the stream was restarted.
    Suspect,
    /// Its payload is longer than any slot, or empty.
    Refused,
}

/// What is to be played.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// This packet.
    Packet {
        /// As it was pushed; empty where it was pushed as silence.
        payload: &'a [u8],
        /// Its number on the wire.
        sequence: u16,
        /// Its length in units of the RTP clock.
        samples: u32,
        /// It does not continue what was played before: something was left out, or there was a pause.
        joins: bool,
    },
    /// A packet is missing: this much is to be made up, in units of the RTP clock.
    Missing {
        /// A frame, or less where the next packet follows sooner.
        samples: u32,
        /// The packet that follows right after it, where that is here already: it may tell of the one before
        /// it (forward error correction).
        next: Option<&'a [u8]>,
    },
    /// The stream has not started, or pauses.
    Nothing,
}

/// What the buffer had to do; counted from its making on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JitterCounters {
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Frames that had to be made up.
    pub concealed: u64,
    /// Packets left out to bring the schedule down, or to make room.
    pub skipped: u64,
    /// Times a stream began anew.
    pub restarts: u64,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    sequence: i64,
    timestamp: i64,
    arrival_ns: i64,
    samples: i64,
    bytes: usize,
    /// The slot with the rest of the payload.
    more: u8,
}

/// How far play-out has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing is held; the next packet starts or resumes play-out.
    Idle,
    /// The first packet is there, but not due.
    Waiting,
    /// Playing.
    Playing,
}

/// Ties the stream's timestamps to the local clock.
#[derive(Debug, Clone, Copy)]
struct Timeline {
    timestamp: i64,
    at_ns: i64,
    clock_rate: i64,
}

impl Timeline {
    /// When the sender's clock would show `timestamp` if it ran like ours and the first packet had taken no
    /// time.
    fn time_of(&self, timestamp: i64) -> i64 {
        self.at_ns + (timestamp - self.timestamp) * 1_000_000_000 / self.clock_rate
    }

    /// Moves the tie along by whole seconds, so that the product above never overflows. Changes no result.
    fn follow(&mut self, timestamp: i64) {
        let seconds = (timestamp - self.timestamp) / self.clock_rate;
        if seconds.abs() > 3600 {
            self.timestamp += seconds * self.clock_rate;
            self.at_ns += seconds * 1_000_000_000;
        }
    }
}

/// Slots that hold nothing, a bit for each. The lowest is used first, so a stream without jitter stays in one slot, which
/// stays in cache.
#[derive(Debug, Clone, Copy)]
struct Free(u64);

impl Free {
    /// `slots` is 64 at the most.
    fn all(slots: usize) -> Self {
        Self(u64::MAX >> (64 - slots))
    }

    fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    fn pop(&mut self) -> Option<u8> {
        let lowest = u8::try_from(self.0.trailing_zeros()).ok().filter(|lowest| *lowest < 64)?;
        self.0 &= self.0 - 1;
        Some(lowest)
    }

    fn push(&mut self, slot: u8) {
        self.0 |= 1 << slot;
    }
}

/// The buffer of one incoming stream. See the [module](self) for how it behaves.
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    config: JitterConfig,
    frame: i64,
    ssrc: Option<u32>,
    /// Where a stream may have been restarted: the number that would prove it.
    suspect: Option<u16>,
    timeline: Timeline,
    delays: DelayWindow,
    mode: Mode,
    /// The next packet to play has this number or a higher one; meaningless before the first packet.
    next_sequence: i64,
    highest_sequence: i64,
    highest_timestamp: i64,
    /// The timestamp that is played next; `None` before anything was played.
    cursor: Option<i64>,
    /// Made up without moving the cursor.
    owed: i64,
    /// What is played next does not continue what was played before.
    joins: bool,
    quiet: bool,
    pulls_since_start: u32,
    pulls_too_long: u32,
    /// How long before it is heard a packet may be asked for; see [`head_start_samples`].
    head_start_ns: i64,
    extra_ns: i64,
    packet_samples: i64,
    slots: Box<[Slot]>,
    payloads: Box<[u8]>,
    /// A payload of several slots, put together.
    whole: Box<[u8]>,
    free: Free,
    by_number: [u8; NUMBERS],
    counters: JitterCounters,
}

impl JitterBuffer {
    /// An empty buffer. Values of `config` outside their ranges are taken as the nearest allowed ones.
    #[must_use]
    pub fn new(config: JitterConfig) -> Self {
        let slots = config.slots.clamp(2, 64);
        let min_ms = config.min_ms.min(60_000);
        let config = JitterConfig {
            slots,
            clock_rate: config.clock_rate.max(1),
            frame_samples: config.frame_samples.max(1),
            min_ms,
            max_ms: config.max_ms.clamp(min_ms, 60_000),
            slot_bytes: config.slot_bytes.max(1),
            payload_bytes_max: config.payload_bytes_max.min(slots * config.slot_bytes.max(1)),
        };
        let empty = Slot { sequence: 0, timestamp: 0, arrival_ns: 0, samples: 0, bytes: 0, more: NO_SLOT };
        Self {
            config,
            frame: i64::from(config.frame_samples),
            ssrc: None,
            suspect: None,
            timeline: Timeline { timestamp: 0, at_ns: 0, clock_rate: i64::from(config.clock_rate) },
            delays: DelayWindow::new(),
            mode: Mode::Idle,
            next_sequence: 0,
            highest_sequence: 0,
            highest_timestamp: 0,
            cursor: None,
            owed: 0,
            joins: true,
            quiet: true,
            pulls_since_start: 0,
            pulls_too_long: 0,
            head_start_ns: 0,
            extra_ns: 0,
            packet_samples: 0,
            slots: vec![empty; slots].into(),
            payloads: vec![0; slots * config.slot_bytes].into(),
            whole: vec![0; config.payload_bytes_max].into(),
            free: Free::all(slots),
            by_number: [NO_SLOT; NUMBERS],
            counters: JitterCounters::default(),
        }
    }

    /// Takes a packet of audio that lasts `samples` units of the RTP clock and arrived at `arrival_ns`.
    pub fn push(&mut self, header: &Header, payload: &[u8], samples: u32, arrival_ns: u64) -> Pushed {
        if payload.is_empty() || payload.len() > self.config.payload_bytes_max || samples == 0 {
            return Pushed::Refused;
        }
        self.insert(header, payload, i64::from(samples), arrival_ns)
    }

    /// Takes a packet that lasts `samples` and is nothing but silence: when its time comes its payload is empty.
    pub fn push_silence(&mut self, header: &Header, samples: u32, arrival_ns: u64) -> Pushed {
        if samples == 0 {
            return Pushed::Refused;
        }
        self.insert(header, &[], i64::from(samples), arrival_ns)
    }

    /// Whether the packet after the last one could have come by `now_ns`, were it as quick as the quickest before it.
    #[must_use]
    pub fn may_have_come(&self, now_ns: u64) -> bool {
        if self.ssrc.is_none() || self.delays.is_empty() {
            return true;
        }
        let next = self.highest_timestamp + self.packet_samples;
        self.timeline.time_of(next) + self.delays.earliest_ns() <= now_ns as i64
    }

    /// Takes note of a packet that belongs to the stream's numbers but carries no audio, such as a
    /// telephone event: it is not missing, and what comes before it does not flow into what comes after it.
    pub fn push_other(&mut self, header: &Header, arrival_ns: u64) -> Pushed {
        self.insert(header, &[], 0, arrival_ns)
    }

    /// Drops what is held and starts anew with the next packet, as with another SSRC.
    pub fn reset(&mut self) {
        self.clear();
        self.ssrc = None;
        self.suspect = None;
    }

    /// Gives what is to be played at `play_at_ns`: the moment the first sample is heard, so if the consumer
    /// still has audio of an earlier packet, now plus that.
    pub fn pull(&mut self, play_at_ns: u64) -> Frame<'_> {
        match self.choose(play_at_ns as i64) {
            Choice::Play(index) => {
                let slot = self.slots[usize::from(index)];
                let joins = std::mem::take(&mut self.joins);
                Frame::Packet {
                    payload: self.payload(index),
                    sequence: slot.sequence as u16,
                    samples: slot.samples as u32,
                    joins,
                }
            }
            Choice::Missing(samples, next) => {
                self.counters.concealed += 1;
                Frame::Missing { samples: samples as u32, next: next.map(|index| self.payload(index)) }
            }
            Choice::Nothing => Frame::Nothing,
        }
    }

    /// Says whether what was played last was quiet enough that a frame may be left out or repeated unheard.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// What was said of it last; see [`Self::set_quiet`].
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Holds so much more than the network's unevenness asks for, so that the packet after a lost one is here when it
    /// is needed.
    pub fn set_extra_ms(&mut self, ms: u32) {
        self.extra_ns = i64::from(ms.min(1000)) * 1_000_000;
    }

    /// What the buffer aims to hold, in nanoseconds: from a quick packet's arrival to the end of the frame
    /// it is in.
    #[must_use]
    pub fn target_ns(&self) -> u64 {
        if self.delays.is_empty() {
            return u64::from(self.config.min_ms) * 1_000_000;
        }
        (self.needed_ns() - self.delays.earliest_ns() + self.frame_ns()).max(0) as u64
    }

    /// Packets held.
    #[must_use]
    pub fn packets_held(&self) -> usize {
        self.by_number.iter().filter(|slot| **slot != NO_SLOT).count()
    }

    /// How long before it is played the next packet was here, in nanoseconds, beyond what is kept against
    /// jitter: playing could be that much sooner. `None` while nothing is played.
    #[must_use]
    pub fn spare_ns(&self, play_at_ns: u64) -> Option<i64> {
        let cursor = self.cursor.filter(|_| self.mode == Mode::Playing)?;
        Some(play_at_ns as i64 - self.timeline.time_of(cursor) - self.needed_ns())
    }

    /// What the buffer had to do so far.
    #[must_use]
    pub fn counters(&self) -> JitterCounters {
        self.counters
    }

    fn payload(&mut self, index: u8) -> &[u8] {
        let size = self.config.slot_bytes;
        let bytes = self.slots[usize::from(index)].bytes;
        let start = usize::from(index) * size;
        if bytes <= size {
            return &self.payloads[start..start + bytes];
        }
        let mut from = index;
        for part in self.whole[..bytes].chunks_mut(size) {
            let start = usize::from(from) * size;
            part.copy_from_slice(&self.payloads[start..start + part.len()]);
            from = self.slots[usize::from(from)].more;
        }
        &self.whole[..bytes]
    }

    fn frame_ns(&self) -> i64 {
        self.frame * 1_000_000_000 / i64::from(self.config.clock_rate)
    }

    /// The schedule that is wanted, within the configured limits.
    fn needed_ns(&self) -> i64 {
        self.head_start_ns + self.extra_ns + self.needed_by_delays_ns()
    }

    fn needed_by_delays_ns(&self) -> i64 {
        let depth = |ms: u32| self.delays.earliest_ns() + i64::from(ms) * 1_000_000 - self.frame_ns();
        let (least, most) = (depth(self.config.min_ms), depth(self.config.max_ms));
        (self.delays.needed_ns() + MARGIN_NS).max(least).min(most.max(least))
    }

    fn insert(&mut self, header: &Header, payload: &[u8], samples: i64, arrival_ns: u64) -> Pushed {
        let arrival_ns = arrival_ns as i64;
        if self.ssrc != Some(header.ssrc) {
            return self.restart(header, payload, samples, arrival_ns);
        }
        let ahead = header.sequence.wrapping_sub(self.highest_sequence as u16) as i16;
        if !(SEQUENCE_BEHIND_MAX..=SEQUENCE_AHEAD_MAX).contains(&ahead) {
            if self.suspect == Some(header.sequence) {
                return self.restart(header, payload, samples, arrival_ns);
            }
            self.suspect = Some(header.sequence.wrapping_add(1));
            return Pushed::Suspect;
        }
        self.suspect = None;
        let sequence = self.highest_sequence + i64::from(ahead);
        let timestamp = self.highest_timestamp
            + i64::from(header.timestamp.wrapping_sub(self.highest_timestamp as u32) as i32);

        if samples > 0 {
            let delay = arrival_ns - self.timeline.time_of(timestamp);
            let jumped = !self.delays.is_empty()
                && (delay < self.delays.earliest_ns() - JUMP_EARLIER_NS
                    || delay > self.delays.needed_ns() + JUMP_LATER_NS);
            if jumped && ahead > 0 {
                return self.restart(header, payload, samples, arrival_ns);
            }
            if jumped {
                self.counters.late += 1;
                return Pushed::Late;
            }
            if self.slot_of(sequence).is_none() {
                self.delays.add(delay);
            }
        }
        if self.slot_of(sequence).is_some() {
            self.counters.duplicate += 1;
            return Pushed::Duplicate;
        }
        let passed = samples > 0 && self.cursor.is_some_and(|cursor| timestamp < cursor);
        if sequence < self.next_sequence || passed {
            self.counters.late += 1;
            return Pushed::Late;
        }
        self.store(sequence, timestamp, payload, samples, arrival_ns);
        Pushed::Kept
    }

    /// Begins a stream with this packet.
    fn restart(&mut self, header: &Header, payload: &[u8], samples: i64, arrival_ns: i64) -> Pushed {
        self.clear();
        self.ssrc = Some(header.ssrc);
        self.suspect = None;
        self.counters.restarts += 1;
        // Far from zero, so that packets before the first one have numbers and stamps too.
        let sequence = i64::from(header.sequence) + (1 << 32);
        let timestamp = i64::from(header.timestamp) + (1 << 40);
        self.highest_sequence = sequence;
        self.highest_timestamp = timestamp;
        // Packets that overtook each other at the very start still find their place.
        self.next_sequence = sequence - 4;
        self.timeline.timestamp = timestamp;
        self.timeline.at_ns = arrival_ns;
        if samples > 0 {
            self.delays.add(0);
        }
        self.store(sequence, timestamp, payload, samples, arrival_ns);
        Pushed::Restarted
    }

    fn store(&mut self, sequence: i64, timestamp: i64, payload: &[u8], samples: i64, arrival_ns: i64) {
        // The window of numbers moves on: what falls out of it is too old to be held.
        while sequence - self.next_sequence >= NUMBERS as i64 && self.head().is_some() {
            self.skip_head();
        }
        self.next_sequence = self.next_sequence.max(sequence - NUMBERS as i64 + 1);
        let needed = payload.len().div_ceil(self.config.slot_bytes).max(1);
        while self.free.len() < needed && self.head().is_some() {
            self.skip_head();
        }
        if self.free.len() < needed {
            return;
        }
        let Some(index) = self.free.pop() else { return };
        if samples > 0 && samples != self.packet_samples {
            self.packet_samples = samples;
            let head_start = head_start_samples(samples, self.frame);
            self.head_start_ns = head_start * 1_000_000_000 / i64::from(self.config.clock_rate);
        }
        self.slots[usize::from(index)] =
            Slot { sequence, timestamp, arrival_ns, samples, bytes: payload.len(), more: NO_SLOT };
        let mut into = index;
        for (number, part) in payload.chunks(self.config.slot_bytes).enumerate() {
            if number > 0 {
                let Some(more) = self.free.pop() else { break };
                self.slots[usize::from(into)].more = more;
                into = more;
                // Nothing is looked up here.
                self.slots[usize::from(into)].sequence = i64::MIN;
                self.slots[usize::from(into)].more = NO_SLOT;
            }
            let start = usize::from(into) * self.config.slot_bytes;
            self.payloads[start..start + part.len()].copy_from_slice(part);
        }
        self.by_number[number(sequence)] = index;
        if sequence >= self.highest_sequence {
            self.highest_sequence = sequence;
            self.highest_timestamp = timestamp;
            self.timeline.follow(timestamp);
        }
    }

    fn clear(&mut self) {
        self.delays = DelayWindow::new();
        self.mode = Mode::Idle;
        self.cursor = None;
        self.owed = 0;
        self.joins = true;
        self.free = Free::all(self.slots.len());
        self.by_number = [NO_SLOT; NUMBERS];
    }

    fn slot_of(&self, sequence: i64) -> Option<u8> {
        let index = self.by_number[number(sequence)];
        (index != NO_SLOT && self.slots[usize::from(index)].sequence == sequence).then_some(index)
    }

    /// The packet with the lowest number.
    fn head(&self) -> Option<u8> {
        // Every packet held takes at least one slot.
        if self.free.len() == self.slots.len() {
            return None;
        }
        (self.next_sequence..=self.highest_sequence).find_map(|sequence| self.slot_of(sequence))
    }

    fn take(&mut self, index: u8) {
        let sequence = self.slots[usize::from(index)].sequence;
        self.by_number[number(sequence)] = NO_SLOT;
        let mut freed = index;
        while freed != NO_SLOT {
            self.free.push(freed);
            freed = self.slots[usize::from(freed)].more;
        }
        self.next_sequence = sequence + 1;
    }

    /// Leaves the first packet out.
    fn skip_head(&mut self) {
        let Some(index) = self.head() else { return };
        let slot = self.slots[usize::from(index)];
        self.take(index);
        if slot.samples > 0 {
            self.counters.skipped += 1;
            self.joins = true;
            if let Some(cursor) = &mut self.cursor {
                *cursor = (*cursor).max(slot.timestamp + slot.samples);
            }
        }
    }

    fn choose(&mut self, play_at_ns: i64) -> Choice {
        // Each turn takes a packet out or ends, so there are no more turns than slots.
        loop {
            let Some(index) = self.head() else { return self.choose_without_packets() };
            let slot = self.slots[usize::from(index)];
            if slot.samples == 0 {
                // Not audio: nothing flows past it.
                self.take(index);
                self.pause();
                continue;
            }
            if self.mode != Mode::Playing {
                if !self.is_due(&slot, play_at_ns) {
                    self.mode = Mode::Waiting;
                    return Choice::Nothing;
                }
                self.mode = Mode::Playing;
                self.cursor = Some(slot.timestamp);
                self.owed = 0;
                self.joins = true;
                self.pulls_since_start = 0;
                self.pulls_too_long = 0;
                return self.play(index, &slot);
            }

            let cursor = self.cursor.unwrap_or(slot.timestamp);
            if self.highest_timestamp - cursor > self.most_held() {
                self.skip_head();
                continue;
            }
            let lost = slot.sequence - self.next_sequence;
            let gap = slot.timestamp - cursor;
            if lost == 0 && gap > self.frame || gap > GAP_FRAMES_MAX * self.frame {
                self.pause();
                continue;
            }
            self.pulls_since_start = self.pulls_since_start.saturating_add(1);
            let schedule_ns = play_at_ns - self.timeline.time_of(cursor);
            if lost == 0 || gap <= 0 {
                return match self.adapt(schedule_ns, &slot) {
                    Adapt::Keep => self.play(index, &slot),
                    Adapt::Grow => Choice::Missing(self.frame, None),
                    Adapt::Shrink => {
                        self.skip_head();
                        self.pulls_too_long = 0;
                        continue;
                    }
                };
            }
            // Packets are missing before this one. What was made up already stands for them.
            let covered = self.owed.min(gap);
            self.owed -= covered;
            self.cursor = Some(cursor + covered);
            if gap == covered {
                return self.play(index, &slot);
            }
            // What is made up now ends where this packet begins.
            let next = (gap - covered <= self.frame).then_some(index);
            if schedule_ns < self.needed_ns() - MARGIN_NS {
                // They are late rather than lost: wait for them.
                self.owed += self.frame;
                return Choice::Missing(self.frame, next);
            }
            let samples = self.frame.min(gap - covered);
            self.cursor = Some(cursor + covered + samples);
            return Choice::Missing(samples, next);
        }
    }

    fn choose_without_packets(&mut self) -> Choice {
        if self.mode != Mode::Playing {
            return Choice::Nothing;
        }
        if self.owed >= CONCEAL_FRAMES_MAX * self.frame {
            self.pause();
            self.mode = Mode::Idle;
            return Choice::Nothing;
        }
        self.pulls_since_start = self.pulls_since_start.saturating_add(1);
        self.owed += self.frame;
        Choice::Missing(self.frame, None)
    }

    /// Play-out stops until the next packet is due by its own timestamp.
    fn pause(&mut self) {
        self.mode = Mode::Waiting;
        self.owed = 0;
        self.joins = true;
    }

    fn is_due(&self, slot: &Slot, play_at_ns: i64) -> bool {
        let scheduled = self.timeline.time_of(slot.timestamp) + self.needed_ns();
        // Whatever the stamps say, nothing waits longer than the buffer may be deep.
        let at_most = slot.arrival_ns + i64::from(self.config.max_ms) * 1_000_000;
        play_at_ns >= scheduled.min(at_most)
    }

    fn most_held(&self) -> i64 {
        i64::from(self.config.max_ms) * i64::from(self.config.clock_rate) / 1000
    }

    /// The packet is there: should the schedule change first?
    fn adapt(&mut self, schedule_ns: i64, slot: &Slot) -> Adapt {
        let packet_ns = slot.samples * 1_000_000_000 / i64::from(self.config.clock_rate);
        let spare_ns = schedule_ns - self.needed_ns();
        if self.owed > 0 {
            // It came after all, while a frame was made up for it. Played, it makes the schedule longer by
            // what is owed; if the schedule is long enough without, what was made up stands for it.
            let straggler = self.pulls_since_start > PULLS_AFTER_START
                && self.owed >= slot.samples
                && spare_ns >= packet_ns;
            self.owed = if straggler { self.owed - slot.samples } else { 0 };
            return if straggler { Adapt::Shrink } else { Adapt::Keep };
        }
        if self.quiet && spare_ns < -MARGIN_NS {
            return Adapt::Grow;
        }
        if spare_ns < packet_ns.max(self.frame_ns()) + HYSTERESIS_NS
            || self.pulls_since_start <= PULLS_AFTER_START
        {
            self.pulls_too_long = 0;
            return Adapt::Keep;
        }
        self.pulls_too_long += 1;
        // The packet after it must be there: leaving one out to make one up would help nobody.
        let more = self.slot_of(slot.sequence + 1).is_some();
        if more && (self.quiet || self.pulls_too_long > PULLS_BEFORE_SHRINK) {
            Adapt::Shrink
        } else {
            Adapt::Keep
        }
    }

    fn play(&mut self, index: u8, slot: &Slot) -> Choice {
        self.take(index);
        self.owed = 0;
        self.cursor = Some(slot.timestamp + slot.samples);
        Choice::Play(index)
    }
}

enum Choice {
    Play(u8),
    /// So much, and the slot of the packet right after it.
    Missing(i64, Option<u8>),
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adapt {
    Keep,
    Grow,
    Shrink,
}

/// Packets that do not fill whole frames are asked for while some of the one before is still to be heard,
/// at most this long before their own first sample is.
///
/// ```text
///   frames of 160   |---- pull ----|---- pull ----|---- pull ----|
///   packets of 240  |---------------------|---------------------|--
///                                  ^      ^ heard here, asked for there
/// ```
fn head_start_samples(packet: i64, frame: i64) -> i64 {
    let (mut common, mut rest) = (frame, packet);
    while rest != 0 {
        (common, rest) = (rest, common % rest);
    }
    frame - common
}

fn number(sequence: i64) -> usize {
    sequence.rem_euclid(NUMBERS as i64) as usize
}
