//! Playout: what is due next, and whether the schedule has to grow or may shrink.

use super::{Frame, JitterBuffer, MARGIN_NS, Mode, Tempo, slots::Slot};

/// Shrinking needs this much more than a packet, so that it does not undo growing: half the range of the delays,
/// within these bounds. If packets arrive evenly the minimum suffices, and none is held for a frame longer than
/// necessary.
const HYSTERESIS_NS_MIN: i64 = 300_000;
const HYSTERESIS_NS_MAX: i64 = 2_000_000;
/// Packets whose delays differ by no more than this arrive evenly.
const EVEN_NS_MAX: i64 = MARGIN_NS;
/// While sound continues, the schedule must have been too long for this many pulls before a packet is skipped; if it
/// is too long by several packets, for a fraction of that, and for the minimum at least.
const PULLS_BEFORE_SHRINK: u32 = 25;
const PULLS_BEFORE_SHRINK_MIN: u32 = 5;
/// The same until the consumer is asked to remove a frame, and until it has to: the one frame that a late packet has cost, and
/// the first of several, which wait for a pause of the voice.
const PULLS_BEFORE_FASTER: u32 = 10;
const PULLS_BEFORE_FASTER_NOW: u32 = 12;
const PULLS_BEFORE_FASTER_NOW_OF_SEVERAL: u32 = 60;
/// The same without any hysteresis: where sound never pauses, a frame of delay would be kept for as long as it lasts.
const PULLS_BEFORE_FASTER_ANYHOW: u32 = 50;
/// What [`JitterBuffer::pulls_later`] counts as: if the schedule is too long at the next pull, the consumer has to.
pub(super) const PULLS_WHEN_LATER: u32 = PULLS_BEFORE_FASTER_ANYHOW;
/// Pulls between two removed frames: if the schedule is too long by several frames, and otherwise.
const PULLS_BETWEEN_FASTER: u32 = 8;
const PULLS_BETWEEN_FASTER_MIN: u32 = 5;
/// While sound continues, the schedule may be too short by this part of a frame: few packets are that late.
const SHORT_PARTS: i64 = 4;
/// After a start the delays have to be measured before anything is skipped.
pub(super) const PULLS_AFTER_START: u32 = 10;
/// Frames concealed in a row without any arrival before the stream counts as paused.
const CONCEAL_FRAMES_MAX: i64 = 5;
/// A gap of lost packets longer than this many frames is played as a pause.
const GAP_FRAMES_MAX: i64 = 8;

enum Choice {
    Play(u8, Tempo),
    /// Units to conceal, and the slot of the packet right after them.
    Missing(i64, Option<u8>),
    /// Units to insert where nothing is heard, because the pull came sooner than planned.
    PutIn(i64),
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adapt {
    Keep(Tempo),
    Grow,
    Shrink,
}

const KEEP: Adapt = Adapt::Keep(Tempo::Even);

impl JitterBuffer {
    pub(super) fn next_frame(&mut self, play_at_ns: i64) -> Frame<'_> {
        match self.choose(play_at_ns) {
            Choice::Play(index, tempo) => {
                let slot = self.slots.slot(index);
                let joins = std::mem::take(&mut self.joins);
                Frame::Packet {
                    payload: self.slots.payload(index),
                    sequence: slot.sequence as u16,
                    samples: slot.samples as u32,
                    joins,
                    tempo,
                }
            }
            Choice::Missing(samples, next) => {
                self.counters.concealed += 1;
                Frame::Missing { samples: samples as u32, next: next.map(|index| self.slots.payload(index)) }
            }
            Choice::PutIn(samples) => {
                self.counters.put_in += 1;
                Frame::Missing { samples: samples as u32, next: None }
            }
            Choice::Nothing => Frame::Nothing,
        }
    }

    fn choose(&mut self, play_at_ns: i64) -> Choice {
        let makes_room = self.makes_room();
        self.pulls_sooner = false;
        // Each iteration removes a packet or ends, so there are no more iterations than slots.
        loop {
            let Some(index) = self.head() else { return self.choose_without_packets(makes_room) };
            let slot = self.slots.slot(index);
            if slot.samples == 0 {
                // Not audio: nothing continues past it.
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
                return self.play(index, &slot, Tempo::Even);
            }

            let cursor = self.cursor.unwrap_or(slot.timestamp);
            if self.stamps.newest - cursor > self.most_held() {
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
                    Adapt::Keep(tempo) => self.play(index, &slot, tempo),
                    Adapt::Grow => Choice::Missing(self.frame, None),
                    Adapt::Shrink => {
                        self.skip_head();
                        self.pulls_too_long = 0;
                        continue;
                    }
                };
            }
            // Packets are missing before this one. What was concealed already stands for them, unless the schedule
            // would then be too short: then they may be late rather than lost, and one more frame is spent on
            // waiting.
            let covered = self.owed.min(gap);
            let is_short = schedule_ns - self.timeline.ns(covered) < self.needed_ns() - MARGIN_NS;
            if is_short && self.owed < gap + self.frame {
                self.owed += self.frame;
                return Choice::Missing(self.frame, None);
            }
            self.owed -= covered;
            self.cursor = Some(cursor + covered);
            self.counters.lost_units += covered as u64;
            if gap == covered {
                return self.play(index, &slot, Tempo::Even);
            }
            // The concealment ends where this packet begins.
            let next = (gap - covered <= self.frame).then_some(index);
            let samples = self.frame.min(gap - covered);
            self.cursor = Some(cursor + covered + samples);
            self.counters.lost_units += samples as u64;
            return Choice::Missing(samples, next);
        }
    }

    fn choose_without_packets(&mut self, makes_room: bool) -> Choice {
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
        if makes_room { Choice::PutIn(self.frame) } else { Choice::Missing(self.frame, None) }
    }

    /// Stops playout until the next packet is due by its own timestamp.
    fn pause(&mut self) {
        self.mode = Mode::Waiting;
        self.owed = 0;
        self.joins = true;
    }

    fn is_due(&self, slot: &Slot, play_at_ns: i64) -> bool {
        let scheduled = self.timeline.time_of(slot.timestamp) + self.needed_ns();
        // Whatever the timestamps say, nothing waits longer than the buffer may hold.
        let at_most = slot.arrival_ns + i64::from(self.config.max_ms) * 1_000_000;
        play_at_ns >= scheduled.min(at_most)
    }

    /// Upper bound of RTP clock units from the cursor to the newest packet.
    fn most_held(&self) -> i64 {
        let most = i64::from(self.config.max_ms) * i64::from(self.config.clock_rate) / 1000;
        // At times two packets are held, however long they are.
        most.max(self.packet_samples)
    }

    /// The packet has arrived: should the schedule change first?
    fn adapt(&mut self, schedule_ns: i64, slot: &Slot) -> Adapt {
        let packet_ns = self.timeline.ns(slot.samples);
        let more = self.slots.of(slot.sequence + 1).is_some();
        let spare_ns = schedule_ns - self.needed_ns();
        if self.owed > 0 {
            // It arrived after a frame was concealed for it. Playing it lengthens the schedule by what is owed; if
            // the schedule is long enough without, and the packet after it was not as late, the concealment stands
            // for it. A consumer that stretches time plays it all the same, and catches up.
            let straggler = !self.follows_tempo
                && self.pulls_since_start > PULLS_AFTER_START
                && self.owed >= slot.samples
                && spare_ns >= packet_ns
                && more;
            self.owed = if straggler { self.owed - slot.samples } else { 0 };
            return if straggler { Adapt::Shrink } else { KEEP };
        }
        let frame_ns = self.frame_ns();
        if self.follows_tempo {
            let allowed_ns = if self.quiet { MARGIN_NS } else { frame_ns / SHORT_PARTS };
            if spare_ns < -allowed_ns {
                return Adapt::Keep(Tempo::Slower { now: self.quiet });
            }
        } else if self.quiet && spare_ns < -MARGIN_NS {
            return Adapt::Grow;
        }
        let whole_ns = packet_ns.max(frame_ns);
        let least_ns = if self.follows_tempo { self.too_long_ns() } else { whole_ns };
        let is_far_too_long = spare_ns >= least_ns + self.hysteresis_ns();
        // A schedule permanently too long by a frame, as after the consumer begins to pull a little later, is a frame
        // of delay for nothing: it is removed where that is not heard.
        let is_too_long = is_far_too_long || (self.quiet || self.follows_tempo) && spare_ns >= least_ns;
        if !is_too_long || self.pulls_since_start <= PULLS_AFTER_START {
            self.pulls_too_long = 0;
            return KEEP;
        }
        self.pulls_too_long += 1;
        if !is_far_too_long && self.pulls_too_long <= PULLS_BEFORE_SHRINK {
            return KEEP;
        }
        self.frames_too_long = u32::try_from(spare_ns / frame_ns).unwrap_or(u32::MAX);
        if self.quiet && self.follows_tempo {
            return if self.has_two_frames(slot) { Adapt::Keep(Tempo::Faster { now: true }) } else { KEEP };
        }
        if self.quiet {
            // The packet after it must have arrived: skipping one to conceal another would not help.
            return if more && spare_ns >= whole_ns { Adapt::Shrink } else { KEEP };
        }
        if self.follows_tempo {
            if self.pulls_too_long <= PULLS_BEFORE_FASTER || !self.has_two_frames(slot) {
                return KEEP;
            }
            let before_now = match (self.frames_too_long, is_far_too_long) {
                (2.., _) => PULLS_BEFORE_FASTER_NOW_OF_SEVERAL,
                (_, true) => PULLS_BEFORE_FASTER_NOW,
                (_, false) => PULLS_BEFORE_FASTER_ANYHOW,
            };
            let now = self.pulls_too_long > before_now;
            return Adapt::Keep(Tempo::Faster { now });
        }
        let too_long = u32::try_from(spare_ns / whole_ns).unwrap_or(u32::MAX);
        let pulls = (PULLS_BEFORE_SHRINK / too_long.max(1)).max(PULLS_BEFORE_SHRINK_MIN);
        if more && self.pulls_too_long > pulls { Adapt::Shrink } else { KEEP }
    }

    /// A schedule with this much to spare is too long by a frame for a consumer that stretches time.
    fn too_long_ns(&self) -> i64 {
        self.frame_ns() - self.spared_margin_ns()
    }

    /// With this much to spare ([`Self::spare_ns`]) a consumer that stretches time is asked to remove a frame however it sounds.
    #[must_use]
    pub fn far_too_long_ns(&self) -> i64 {
        self.too_long_ns() + self.hysteresis_ns()
    }

    /// The part of the margin that packets may use before a frame is held instead. If they arrive evenly it is half of it:
    /// one that arrives half a millisecond before the pull need not wait for the next.
    fn spared_margin_ns(&self) -> i64 {
        if self.range_ns() <= EVEN_NS_MAX { MARGIN_NS / 2 } else { 0 }
    }

    /// From the fastest recent packet to the latest that has to be in time.
    fn range_ns(&self) -> i64 {
        self.delays.needed_ns().saturating_sub(self.delays.recent_earliest_ns())
    }

    /// How much longer than a packet the schedule may be before one is skipped.
    pub(super) fn hysteresis_ns(&self) -> i64 {
        (HYSTERESIS_NS_MIN.saturating_add(self.range_ns() / 2)).clamp(HYSTERESIS_NS_MIN, HYSTERESIS_NS_MAX)
    }

    /// The packet and those right after it last two frames or more.
    fn has_two_frames(&self, first: &Slot) -> bool {
        let (mut end, mut sequence) = (first.timestamp + first.samples, first.sequence);
        while end - first.timestamp < 2 * self.frame {
            sequence += 1;
            let Some(index) = self.slots.of(sequence) else { return false };
            let next = self.slots.slot(index);
            if next.timestamp != end || next.samples == 0 {
                return false;
            }
            end += next.samples;
        }
        true
    }

    /// A frame was removed: for a while no further one needs to be.
    pub(super) fn rest_after_change(&mut self) {
        let rest = if self.frames_too_long > 2 { PULLS_BETWEEN_FASTER_MIN } else { PULLS_BETWEEN_FASTER };
        self.pulls_too_long = PULLS_BEFORE_FASTER - rest;
    }

    fn play(&mut self, index: u8, slot: &Slot, tempo: Tempo) -> Choice {
        self.take(index);
        self.owed = 0;
        self.cursor = Some(slot.timestamp + slot.samples);
        Choice::Play(index, tempo)
    }

    /// Plays the packet at the head, as a pull would; see [`Self::pass_silence`]. False: there is none.
    pub(super) fn play_head(&mut self) -> bool {
        let Some(index) = self.head() else { return false };
        let slot = self.slots.slot(index);
        self.pulls_since_start = self.pulls_since_start.saturating_add(1);
        self.play(index, &slot, Tempo::Even);
        true
    }
}
