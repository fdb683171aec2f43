//! The adaptive jitter buffer: packets go in as they arrive, frames come out as they are due.
//!
//! ```text
//!   network        push                    pull, every 20 ms        listener
//!   ───────▶  order by number  ──▶ cursor ──▶ Packet  ─────────────▶ decode
//!             drop late packets            ├─▶ Missing (conceal)
//!             measure the delays           └─▶ Nothing (silence)
//! ```
//!
//! **Delay.** The sender's timestamps say when each packet was created, up to a constant. Arrival minus that is the
//! packet's *delay*; playout minus that is the *schedule*. A packet is in time if its delay is below the schedule. The
//! buffer keeps the schedule just above the largest delay of the past ten seconds, leaving out one group of late
//! packets, so on a clean network a packet waits for the next pull and no longer.
//!
//! **Growing.** If the schedule is too short for the network, the consumer is asked to insert a frame ([`Tempo`]). If a
//! packet is missing when it is due, a frame is concealed. If nothing newer has arrived either, the cursor stays: should
//! the packet still arrive, it is played and the schedule has grown by a frame. Should a newer one arrive first, the
//! concealed frame stands for the lost one if the schedule is long enough for the network; if it is not, packets are
//! being reordered, and one more frame is concealed so that the schedule grows. A single late packet does not lengthen
//! the schedule for good: a consumer that stretches time plays it and catches up, for any other it is dropped.
//!
//! **Shrinking.** If the schedule has been longer than needed, a consumer that stretches time is asked to remove a frame:
//! at once if the signal is quiet ([`JitterBuffer::set_quiet`]), otherwise where that is not heard. For any other
//! consumer a whole packet is skipped. Clock drift needs no treatment of its own: it moves the delays, and growing and
//! shrinking follow. A consumer that itself changes when it pulls says so ([`JitterBuffer::pulls_sooner`],
//! [`JitterBuffer::pulls_later`]).
//!
//! **Pauses.** Consecutive sequence numbers with a gap between the timestamps are a pause of the sender (discontinuous
//! transmission), not a loss: the result is silence until the packet after the gap is due.
//!
//! **Time bases.** Arrival times decide. Timestamps that step back or jump ahead in mid-stream while the sequence numbers
//! continue (a gateway that switches sources, a talk spurt with a clock of its own) begin another time base: it is tied to
//! the old one where the packet arrived, and nothing is dropped. A packet that arrives late after everything was played,
//! as when the timestamps stood still in a pause or the path became longer, counts as being as late as any before it; if
//! the packets after it show that packets had only queued up, the old tie applies again and the lateness is recorded.
//!
//! All memory is allocated when the buffer is created. Packets of any length from one sample to several frames may be
//! mixed.

mod delay;
mod playout;
mod slots;
mod steady_silence;
mod timeline;

use crate::packet::Header;
use delay::DelayWindow;
use slots::{Slot, Slots};
use timeline::{Stamps, Timeline};

/// A packet should arrive this long before it is due, because pulls and arrivals are not exact to the microsecond.
const MARGIN_NS: i64 = 1_000_000;
/// A packet that ends a gap and arrives this much later than any before it may be the first on a longer path.
const LATE_AFTER_GAP_NS: i64 = 20_000_000;
/// Packets that had queued up arrive within this time after it.
const QUEUE_ENDS_NS: i64 = 300_000_000;
/// If a packet is this much faster than any before it on the longer path, the path had not become longer.
const QUICKER_NS: i64 = 5_000_000;
/// Sequence numbers this far ahead or behind belong to a restarted stream (RFC 3550, A.1).
const SEQUENCE_AHEAD_MAX: i16 = 3000;
const SEQUENCE_BEHIND_MAX: i16 = -100;
/// Packets further back than this are not tracked by number; the numbers of those held differ by less than this.
pub const NUMBERS: usize = 128;

/// Configuration of a jitter buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitterConfig {
    /// The RTP clock, in Hz: 8000 for G.711.
    pub clock_rate: u32,
    /// Length of a playout frame in RTP clock units: 160 for 20 ms of G.711. Concealment comes in pieces of this.
    pub frame_samples: u32,
    /// Minimum of the buffer in milliseconds, including the frame being played: 20 adds nothing to what the network
    /// requires.
    pub min_ms: u32,
    /// Maximum of the buffer in milliseconds. Slower packets are late.
    pub max_ms: u32,
    /// Slots for packets; 2 to 64. A payload takes as many as it needs; the oldest packet makes room.
    pub slots: usize,
    /// Bytes of a slot.
    pub slot_bytes: usize,
    /// Bytes of the longest payload; longer ones are refused.
    pub payload_bytes_max: usize,
}

impl JitterConfig {
    /// For G.711 and G.722: 20 to 200 ms in frames of 20 ms, packets of up to 200 ms (RFC 3551, 4.2), for which sockets have room.
    pub const G711: Self = Self {
        clock_rate: 8000,
        frame_samples: 160,
        min_ms: 20,
        max_ms: 200,
        slots: 50,
        slot_bytes: 160,
        payload_bytes_max: 1600,
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

/// Outcome of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It will be played.
    Kept,
    /// It is the first of a new stream (another SSRC, or numbers or timestamps that jumped); what was held of the old
    /// one is dropped.
    Restarted,
    /// It has been received before.
    Duplicate,
    /// Its time has passed.
    Late,
    /// Its number is far off; if the next packet continues it, the stream was restarted.
    Suspect,
    /// Its payload is longer than any slot, or empty.
    Refused,
}

/// What is due to be played.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// This packet.
    Packet {
        /// As it was pushed; empty for silence.
        payload: &'a [u8],
        /// Its sequence number.
        sequence: u16,
        /// Its length in RTP clock units.
        samples: u32,
        /// It does not continue what was played before: something was skipped, or there was a pause.
        joins: bool,
        /// What the consumer is asked to do to its timing.
        tempo: Tempo,
    },
    /// A packet is missing: conceal this much, in RTP clock units.
    Missing {
        /// A frame, or less if the next packet follows sooner.
        samples: u32,
        /// The packet right after it, if it has arrived: it may contain a copy of the lost one (forward error
        /// correction).
        next: Option<&'a [u8]>,
    },
    /// The stream has not started, or pauses.
    Nothing,
}

/// Whether the schedule should change with a packet; see [`JitterBuffer::set_follows_tempo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tempo {
    /// It is played as it is.
    Even,
    /// A frame should be removed from it and the packets after it, of which two frames are available in all.
    Faster {
        /// However it sounds; otherwise only where it is not heard.
        now: bool,
    },
    /// A frame should be inserted before it.
    Slower {
        /// However it sounds; otherwise only where it is not heard.
        now: bool,
    },
}

/// Counters since the buffer was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JitterCounters {
    /// Packets that arrived after their time.
    pub late: u64,
    /// Duplicate packets.
    pub duplicate: u64,
    /// Concealed frames.
    pub concealed: u64,
    /// RTP clock units that were concealed for packets that never arrived, or arrived too late after later ones.
    pub lost_units: u64,
    /// Packets skipped to shorten the schedule, or to make room.
    pub skipped: u64,
    /// Frames that the consumer removed to shorten the schedule.
    pub taken_out: u64,
    /// Frames that were inserted to lengthen the schedule.
    pub put_in: u64,
    /// Times a stream was restarted.
    pub restarts: u64,
}

/// State of playout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing is held; the next packet starts or resumes play-out.
    Idle,
    /// The first packet has arrived, but is not due.
    Waiting,
    /// Playing.
    Playing,
}

/// The path may have become longer: the timeline was moved by this much.
#[derive(Debug, Clone, Copy)]
struct Longer {
    by_ns: i64,
    until_ns: i64,
    /// The latest packets since then, by the moved timeline.
    latest: [i64; 3],
}

/// The buffer of one incoming stream. See the [module](self) for how it behaves.
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    config: JitterConfig,
    frame: i64,
    ssrc: Option<u32>,
    /// After a suspected restart: the sequence number that would prove it.
    suspect: Option<u16>,
    timeline: Timeline,
    stamps: Stamps,
    delays: DelayWindow,
    longer: Option<Longer>,
    mode: Mode,
    /// The next packet to play has this number or a higher one; meaningless before the first packet.
    next_sequence: i64,
    highest_sequence: i64,
    /// Which numbers up to the highest have arrived: bit n is the one n below it.
    come: u128,
    /// Arrival of the newest audio packet.
    newest_arrival_ns: i64,
    /// The timestamp that is played next; `None` before anything was played.
    cursor: Option<i64>,
    /// Concealed without moving the cursor.
    owed: i64,
    /// The next output does not continue the previous one.
    joins: bool,
    quiet: bool,
    follows_tempo: bool,
    pulls_since_start: u32,
    pulls_sooner: bool,
    pulls_too_long: u32,
    frames_too_long: u32,
    /// How long before it is heard a packet may be requested; see [`head_start_samples`].
    head_start_ns: i64,
    extra_ns: i64,
    packet_samples: i64,
    slots: Slots,
    counters: JitterCounters,
}

impl JitterBuffer {
    /// An empty buffer. Values of `config` outside their ranges are clamped.
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
        Self {
            config,
            frame: i64::from(config.frame_samples),
            ssrc: None,
            suspect: None,
            timeline: Timeline::new(config.clock_rate),
            stamps: Stamps::new(),
            delays: DelayWindow::new(),
            longer: None,
            mode: Mode::Idle,
            next_sequence: 0,
            highest_sequence: 0,
            come: 0,
            newest_arrival_ns: 0,
            cursor: None,
            owed: 0,
            joins: true,
            quiet: true,
            follows_tempo: false,
            pulls_since_start: 0,
            pulls_sooner: false,
            pulls_too_long: 0,
            frames_too_long: 0,
            head_start_ns: 0,
            extra_ns: 0,
            packet_samples: 0,
            slots: Slots::new(&config),
            counters: JitterCounters::default(),
        }
    }

    /// Takes a packet of audio that lasts `samples` units of the RTP clock and arrived at `arrival_ns`.
    pub fn push(&mut self, header: &Header, payload: &[u8], samples: u32, arrival_ns: u64) -> Pushed {
        if !self.takes(payload.len()) || samples == 0 {
            return Pushed::Refused;
        }
        self.insert(header, payload, i64::from(samples), arrival_ns)
    }

    /// Takes a packet of silence that lasts `samples`: when it is due its payload is empty.
    pub fn push_silence(&mut self, header: &Header, samples: u32, arrival_ns: u64) -> Pushed {
        if samples == 0 {
            return Pushed::Refused;
        }
        self.insert(header, &[], i64::from(samples), arrival_ns)
    }

    /// Whether another packet may have arrived by `now_ns`: the one after the last could have, had it been as fast as
    /// the fastest before it, or an earlier one is outstanding and may follow shortly.
    #[must_use]
    pub fn may_have_come(&self, now_ns: u64) -> bool {
        if self.ssrc.is_none() || self.delays.is_empty() {
            return true;
        }
        let is_one_missing = self.next_sequence + self.slots.held() as i64 <= self.highest_sequence;
        let next = self.stamps.newest + self.packet_samples;
        is_one_missing || self.timeline.time_of(next) + self.delays.earliest_ns() <= now_ns as i64
    }

    /// Whether a payload of this many octets is accepted.
    #[must_use]
    pub fn takes(&self, payload_bytes: usize) -> bool {
        (1..=self.config.payload_bytes_max).contains(&payload_bytes)
    }

    /// Records a packet that belongs to the stream's numbers but carries no audio, such as a telephone event: it is
    /// not missing, and the audio before it does not continue into the audio after it.
    pub fn push_other(&mut self, header: &Header, arrival_ns: u64) -> Pushed {
        self.insert(header, &[], 0, arrival_ns)
    }

    /// Drops everything held and starts anew with the next packet, as with another SSRC.
    pub fn reset(&mut self) {
        self.clear();
        self.ssrc = None;
        self.suspect = None;
    }

    /// Returns what is due at `play_at_ns`: the time at which its first sample is heard, so if the consumer still has
    /// audio of an earlier packet, now plus that.
    pub fn pull(&mut self, play_at_ns: u64) -> Frame<'_> {
        self.next_frame(play_at_ns as i64)
    }

    /// Says whether the last output was quiet enough that a frame may be removed or repeated unheard.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// Whether the consumer stretches time when asked to ([`Tempo`]), and reports it with [`Self::changed_tempo`]. If
    /// it does not, packets are skipped and frames concealed instead.
    pub fn set_follows_tempo(&mut self, follows: bool) {
        self.follows_tempo = follows;
    }

    /// The consumer did what it was asked to.
    pub fn changed_tempo(&mut self, tempo: Tempo) {
        match tempo {
            Tempo::Even => {}
            Tempo::Faster { .. } => {
                self.counters.taken_out += 1;
                self.rest_after_change();
            }
            Tempo::Slower { .. } => self.counters.put_in += 1,
        }
    }

    /// The consumer pulls later from now on. If that makes the schedule too long by a frame, it is removed at the next
    /// pulls and not only after it has been too long for a while.
    pub fn pulls_later(&mut self) {
        self.pulls_too_long = self.pulls_too_long.max(playout::PULLS_WHEN_LATER);
    }

    /// The consumer pulls sooner from now on. If the next packet is then not there in time and nothing is heard, a frame is
    /// inserted, which counts as such and not as concealed.
    pub fn pulls_sooner(&mut self) {
        self.pulls_sooner = true;
    }

    /// If the next packet has not arrived when it is pulled, that is only because the pull came sooner than planned.
    #[must_use]
    pub fn makes_room(&self) -> bool {
        self.pulls_sooner && self.quiet
    }

    /// The last value of [`Self::set_quiet`].
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Holds this much more than the network's jitter requires, so that the packet after a lost one has arrived when
    /// it is needed.
    pub fn set_extra_ms(&mut self, ms: u32) {
        self.extra_ns = i64::from(ms.min(1000)) * 1_000_000;
    }

    /// What the buffer aims to hold, in nanoseconds: from a fast packet's arrival to the end of its frame.
    #[must_use]
    pub fn target_ns(&self) -> u64 {
        if self.delays.is_empty() {
            return u64::from(self.config.min_ms) * 1_000_000;
        }
        (self.needed_ns() - self.delays.recent_earliest_ns() + self.frame_ns()).max(0) as u64
    }

    /// Packets held.
    #[must_use]
    pub fn packets_held(&self) -> usize {
        self.slots.held()
    }

    /// How long before its playout the next packet arrived, in nanoseconds, beyond the margin for jitter: playout
    /// could be that much earlier. `None` while nothing is played.
    #[must_use]
    pub fn spare_ns(&self, play_at_ns: u64) -> Option<i64> {
        let cursor = self.cursor.filter(|_| self.mode == Mode::Playing)?;
        Some(play_at_ns as i64 - self.timeline.time_of(cursor) - self.needed_ns())
    }

    /// The counters so far.
    #[must_use]
    pub fn counters(&self) -> JitterCounters {
        self.counters
    }

    fn frame_ns(&self) -> i64 {
        self.timeline.ns(self.frame)
    }

    /// The schedule that the network requires, within the configured limits.
    fn needed_ns(&self) -> i64 {
        self.head_start_ns + self.extra_ns + self.needed_by_delays_ns()
    }

    fn needed_by_delays_ns(&self) -> i64 {
        let depth = |ms: u32| i64::from(ms) * 1_000_000 - self.frame_ns();
        let least = self.delays.earliest_ns() + depth(self.config.min_ms);
        // A path that has become longer is not jitter.
        let most = self.delays.recent_earliest_ns() + depth(self.config.max_ms);
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
        if !self.note(sequence) {
            self.counters.duplicate += 1;
            return Pushed::Duplicate;
        }
        let mut timestamp = self.stamps.newest;
        if samples > 0 {
            timestamp = self.measure(sequence, i64::from(ahead), header.timestamp, arrival_ns);
            // A small overlap with what was played is still in order.
            let passed = self.cursor.is_some_and(|cursor| timestamp + samples / 2 < cursor);
            if sequence < self.next_sequence || passed {
                self.counters.late += 1;
                return Pushed::Late;
            }
        } else if sequence < self.next_sequence {
            return Pushed::Late;
        }
        self.store(sequence, timestamp, payload, samples, arrival_ns);
        Pushed::Kept
    }

    /// Records a number that has arrived. False if it is a duplicate.
    fn note(&mut self, sequence: i64) -> bool {
        let behind = self.highest_sequence - sequence;
        if behind < 0 {
            self.come = self.come.checked_shl(u32::try_from(-behind).unwrap_or(u32::MAX)).unwrap_or(0) | 1;
            self.highest_sequence = sequence;
            return true;
        }
        let bit = 1_u128.checked_shl(u32::try_from(behind).unwrap_or(u32::MAX)).unwrap_or(0);
        let is_new = self.come & bit == 0;
        self.come |= bit;
        is_new
    }

    /// Locates an audio packet on the stream's timeline, and records its delay. `ahead` of the highest number before
    /// it.
    fn measure(&mut self, sequence: i64, ahead: i64, wire: u32, arrival_ns: i64) -> i64 {
        let mut timestamp = self.stamps.place(sequence, wire);
        if self.delays.is_empty() {
            // Only other packets so far.
            self.timeline.tie(timestamp, arrival_ns);
        }
        let mut delay_ns = arrival_ns - self.timeline.time_of(timestamp);
        if ahead > 0 && !self.delays.is_empty() {
            if let Some(step) = self.step(ahead, timestamp, delay_ns, arrival_ns) {
                self.stamps.step(sequence - ahead + 1, step);
                timestamp += step;
            } else {
                self.follow_path(delay_ns, arrival_ns);
            }
            delay_ns = arrival_ns - self.timeline.time_of(timestamp);
        }
        // Nothing waits for a packet that was overtaken by more than the buffer may hold.
        let most_ns =
            self.delays.recent_earliest_ns().saturating_add(i64::from(self.config.max_ms) * 1_000_000);
        if ahead > 0 || delay_ns < most_ns {
            self.delays.add(delay_ns, ahead > 0);
        }
        if let Some(longer) = &mut self.longer {
            delay::insert(&mut longer.latest, delay_ns);
        }
        if ahead > 0 {
            self.stamps.advance(timestamp, wire);
            self.timeline.follow(timestamp);
            self.newest_arrival_ns = arrival_ns;
        }
        timestamp
    }

    /// The shift of a new time base that begins with this packet; `None` if the old one holds.
    fn step(&self, ahead: i64, timestamp: i64, delay_ns: i64, arrival_ns: i64) -> Option<i64> {
        let whole = self.packet_samples.max(1);
        let (gap, next) = (timestamp - self.stamps.newest, self.stamps.newest + ahead * whole);
        let steps_back = gap <= whole / 2;
        let (apart_ns, regular_ns) = (arrival_ns - self.newest_arrival_ns, ahead * self.timeline.ns(whole));
        // If packets had queued up, one directly behind another is legitimately fast.
        let leaps_ahead = gap > ahead * whole + whole / 4
            && apart_ns > regular_ns / 2
            && delay_ns < self.delays.earliest_ns() - QUICKER_NS;
        if !steps_back && !leaps_ahead {
            return None;
        }
        let is_pause = apart_ns > regular_ns * 3 / 2;
        let place = if is_pause {
            // Its delay is unknown.
            let assumed_ns = i64::midpoint(self.delays.earliest_ns(), self.delays.needed_ns());
            timestamp + self.timeline.units(delay_ns - assumed_ns)
        } else {
            next
        };
        Some(place.max(next) - timestamp)
    }

    /// Follows a path that becomes longer while nothing arrives.
    fn follow_path(&mut self, delay_ns: i64, arrival_ns: i64) {
        let has_run_out = self.mode != Mode::Playing && self.slots.held() == 0;
        if has_run_out {
            self.delays.forget_recent();
            let by_ns = delay_ns - self.delays.needed_ns();
            if by_ns > LATE_AFTER_GAP_NS {
                self.timeline.shift(by_ns);
                self.longer =
                    Some(Longer { by_ns, until_ns: arrival_ns + QUEUE_ENDS_NS, latest: [i64::MIN; 3] });
                return;
            }
        }
        let Some(longer) = self.longer else { return };
        if arrival_ns > longer.until_ns {
            self.longer = None;
        } else if delay_ns < self.delays.earliest_ns() - QUICKER_NS {
            // They had queued up, and were late.
            self.longer = None;
            self.timeline.shift(-longer.by_ns);
            for latest in longer.latest.into_iter().filter(|latest| *latest > i64::MIN) {
                self.delays.add(latest + longer.by_ns, false);
            }
        }
    }

    /// Begins a stream with this packet.
    fn restart(&mut self, header: &Header, payload: &[u8], samples: i64, arrival_ns: i64) -> Pushed {
        self.clear();
        self.ssrc = Some(header.ssrc);
        self.suspect = None;
        self.counters.restarts += 1;
        // Far from zero, so that packets before the first one have numbers too.
        let sequence = i64::from(header.sequence) + (1 << 32);
        self.highest_sequence = sequence;
        self.come = 1;
        // Packets reordered at the very start still find their place.
        self.next_sequence = sequence - 4;
        self.stamps.begin(header.timestamp);
        self.timeline.tie(self.stamps.newest, arrival_ns);
        self.newest_arrival_ns = arrival_ns;
        if samples > 0 {
            self.delays.add(0, true);
        }
        self.store(sequence, self.stamps.newest, payload, samples, arrival_ns);
        Pushed::Restarted
    }

    fn store(&mut self, sequence: i64, timestamp: i64, payload: &[u8], samples: i64, arrival_ns: i64) {
        // The window of numbers advances: what leaves it is too old to be held.
        while sequence - self.next_sequence >= NUMBERS as i64 && self.head().is_some() {
            self.skip_head();
        }
        self.next_sequence = self.next_sequence.max(sequence - NUMBERS as i64 + 1);
        while !self.slots.has_room(payload.len()) && self.head().is_some() {
            self.skip_head();
        }
        if samples > 0 && samples != self.packet_samples {
            self.packet_samples = samples;
            self.head_start_ns = self.timeline.ns(head_start_samples(samples, self.frame));
        }
        self.slots.put(Slot::new(sequence, timestamp, arrival_ns, samples), payload);
    }

    fn clear(&mut self) {
        self.delays = DelayWindow::new();
        self.longer = None;
        self.mode = Mode::Idle;
        self.cursor = None;
        self.owed = 0;
        self.joins = true;
        self.slots.clear();
    }

    /// The packet with the lowest number.
    fn head(&self) -> Option<u8> {
        if self.slots.held() == 0 {
            return None;
        }
        (self.next_sequence..=self.highest_sequence).find_map(|sequence| self.slots.of(sequence))
    }

    fn take(&mut self, index: u8) {
        self.next_sequence = self.slots.slot(index).sequence + 1;
        self.slots.take(index);
    }

    /// Skips the first packet.
    fn skip_head(&mut self) {
        let Some(index) = self.head() else { return };
        let slot = self.slots.slot(index);
        self.take(index);
        if slot.samples > 0 {
            self.counters.skipped += 1;
            self.joins = true;
            if let Some(cursor) = &mut self.cursor {
                *cursor = (*cursor).max(slot.timestamp + slot.samples);
            }
        }
    }
}

/// Packets that do not fill whole frames are requested while part of the previous one is still to be heard,
/// at most this long before their own first sample is.
///
/// ```text
///   frames of 160   |---- pull ----|---- pull ----|---- pull ----|
///   packets of 240  |---------------------|---------------------|--
///                                  ^      ^ heard here, requested there
/// ```
fn head_start_samples(packet: i64, frame: i64) -> i64 {
    let (mut common, mut rest) = (frame, packet);
    while rest != 0 {
        (common, rest) = (rest, common % rest);
    }
    frame - common
}
