//! When a room ticks: a packet waits for the next tick, so the tick should come just after the packets of the talkers.
//!
//! **The minimum wait.** A listener receives one packet per tick, which holds 20 ms without a gap. So a talker whose packets
//! arrive `w` after the tick waits at least `20 ms - w`, and finer mixing would not change that: samples that have not
//! arrived cannot be sent. Among several talkers the longest wait is at least a frame minus the largest gap between two of
//! them around the circle.
//!
//! ```text
//!   when packets are needed, weighted by talk (20 ms, around a circle)
//!   ├──▂▅▂──────────▂▇▂─────────────────┤
//!                     ▲ best tick: just after the second; the first then waits for the rest of the circle
//! ```
//!
//! **The clock holds.** A room that only ever moved its tick earlier would send more audio than real time, and every
//! listener would have to drop it. So a room moves both ways, and never further than one phase less than a frame from
//! anywhere it has been: all phases are within reach, and its media clock stays within 20 ms of real time for as long as the
//! room exists. Once its talkers are known it stays within 15 ms over any minute, because a busy machine sends some packets
//! late besides.
//!
//! **Habitual talkers decide.** Each move is jitter for every listener, whose jitter buffer is sized for the latest packets
//! of the last seconds. So the phase is chosen for the talk of the last minutes, not for who talks at this moment. If
//! participants take turns, a phase that suits each of them somewhat beats one that follows the last of them. In a small
//! room lines that have not talked yet count a little too, because each may be the next.
//!
//! **Turns.** Around that phase the tick steps to where the packets of a new talker wait least, within a window; see
//! [`turns`]. The window counts as if the room had been everywhere in it, so the clock holds.
//!
//! **A move costs.** A phase is worth moving to only if it saves more than the move costs, and the movement per minute is
//! bounded. A talker whose packets an earlier tick passes loses a frame; that waits for a pause.

use super::tick::FRAME_NS;
use turns::Turns;

mod turns;

/// Resolution of the times at which packets are needed, a quarter of a millisecond, and the number of such bins in a
/// frame.
const BIN_NS: i64 = 250_000;
const BINS: usize = FRAME_NS as usize / BIN_NS as usize;
/// A packet needed this long before the tick is still in time: the margin of the jitter buffer absorbs it.
const MARGIN_NS: i64 = 1_000_000;
/// The part of that margin that is used; the rest is left for clock drift.
const EDGE_NS: i64 = 500_000;
/// Half-life of talk, in ticks with talk: a minute.
const HALF_LIFE_TICKS: f32 = 3000.0;
/// A participant with less recent talk than this does not count.
const WEIGHT_MIN: f32 = 0.1;
/// A line that could talk counts like one that has talked for this many ticks.
const WEIGHT_OF_SILENT: f32 = 20.0;
/// and for this many more while nothing has been said, falling to none at this many ticks of talk: at first each line
/// may be the next to talk, and the first talker is no better guess than the others.
const WEIGHT_OF_SILENT_AT_FIRST: f32 = 60.0;
const TICKS_UNTIL_KNOWN: f32 = 2000.0;
/// Phases are compared after this many ticks with talk: half a second.
const TICKS_PER_LOOK: u32 = 25;
/// A step waits this long for a pause of the talkers that it passes: five seconds.
const TICKS_FOR_PAUSE: u32 = 250;
/// Waits beyond this count more, by the square of the excess, so that no talker always waits longest.
const LONG_WAIT_MS: f32 = 14.0;
const LONG_WAIT_WEIGHT: f32 = 10.0;
/// A move must save this much on average, in milliseconds,
const WORTH_MS: f32 = 0.5;
/// and this share of its length,
const WORTH_PART: f32 = 0.05;
/// and this much more for talkers that lose a frame, times their share of the talk.
const WORTH_MS_PASSING: f32 = 1.5;
/// The saving so far, in milliseconds of waiting over all ticks of talk, must reach this for each millisecond of the
/// move, because little talk is known at the start.
const SAVED_MS_PER_MS: f32 = 20.0;
/// Ticks between steps, per millisecond of the step: 4 ms in a second.
const TICKS_PER_MS_OF_STEP: f32 = 12.5;
/// Movement is limited to 10 ms a minute, so a millisecond costs this many ticks. The saved-up maximum suffices for
/// one move across the frame, and at first for two: the first move is chosen when little talk is known, and what is
/// known a minute later may require another.
const CREDIT_PER_MS: u32 = 300;
const CREDIT_MAX: u32 = 20 * CREDIT_PER_MS;
const CREDIT_AT_FIRST: u32 = 2 * CREDIT_MAX;

/// Around the phase of the room the tick may be anywhere within this, for who talks now.
const WINDOW_NS: i64 = 8_000_000;

/// After the first minute no two ticks within a minute are further apart in phase, the window included.
const SPAN_OF_MINUTE_NS: i64 = 15_000_000;
const TICKS_OF_MINUTE: u32 = 3000;

/// What is known of a talker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Talker {
    /// The participant, by its place in the room.
    pub(super) place: usize,
    /// How much earlier the next tick could be and still find its packet.
    pub(super) spare_ns: i64,
    /// With this much to spare a frame of it is removed soon, however it sounds.
    pub(super) far_too_long_ns: i64,
    /// A frame of it can be concealed unheard.
    pub(super) is_quiet: bool,
}

/// Recent talk of a participant, and the time within the frame at which its packets are needed, counted backwards
/// from the tick of shift 0. For a silent one, the time when it talked.
#[derive(Debug, Clone, Copy, Default)]
struct Talk {
    weight: f32,
    bin: u8,
    /// The time is known, though the participant may not have talked.
    is_line: bool,
}

/// Talk needed at each time of the frame: the first `count` entries of `talk` have some.
#[derive(Debug)]
struct Needed {
    talk: [Talk; BINS],
    count: usize,
    total: f32,
}

/// The cost of waiting, by the bins between a time and the tick; the last entry is a whole frame.
static COSTS: [f32; BINS + 1] = costs();

/// The earliest and the latest of some phases, in phases earlier than at first.
#[derive(Debug, Clone, Copy, Default)]
struct Extremes {
    soonest: i32,
    latest: i32,
}

/// Where the room's phase has been.
#[derive(Debug, Default)]
struct Reach {
    ever: Extremes,
    /// Since the last full minute, and in the minute before; `None` in the first minute.
    minutes: [Option<Extremes>; 2],
    ticks: u32,
}

/// Chooses the phase of a room.
#[derive(Debug)]
pub(super) struct Pace {
    /// By the participant's place in the room.
    talk: Vec<Talk>,
    /// The present phase, in phases earlier than at first.
    shift: i32,
    reach: Reach,
    /// Phases left of the present move.
    to_go: i32,
    ticks_with_talk: u32,
    rest: u32,
    ticks_waited: u32,
    /// Movement that may be spent; see [`CREDIT_PER_MS`].
    credit: u32,
    /// Steps at changes of talker. The phase of the room is `shift` without its offset.
    turns: Turns,
    /// The last advice was such a step.
    is_step: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            talk: Vec::new(),
            shift: 0,
            reach: Reach::default(),
            to_go: 0,
            ticks_with_talk: 0,
            rest: 0,
            ticks_waited: 0,
            credit: CREDIT_AT_FIRST,
            turns: Turns::new(WINDOW_NS),
            is_step: false,
        }
    }
}

impl Pace {
    /// Makes room for this many participants.
    pub(super) fn reserve(&mut self, members: usize) {
        self.talk.resize(members.max(self.talk.len()), Talk::default());
    }

    /// The participant at this place has left.
    pub(super) fn forget(&mut self, place: usize) {
        if let Some(talk) = self.talk.get_mut(place) {
            *talk = Talk::default();
        }
    }

    /// By how many phases of `phase_ns` the room should tick earlier from now on; negative: later. Once it does,
    /// report it by [`Self::note_moved`]. Phases are whole bins.
    pub(super) fn advise(&mut self, talkers: &[Talker], phase_ns: u64) -> i32 {
        let phase_bins = (phase_ns as i64 / BIN_NS).max(1);
        if self.credit < CREDIT_MAX {
            self.credit += 1;
        }
        self.rest = self.rest.saturating_sub(1);
        self.reach.note_tick(self.home());
        if !talkers.is_empty() {
            self.note(talkers, phase_bins);
        }
        let step = self.turns.advise(talkers, self.to_go.signum(), phase_ns as i64);
        self.is_step = step != 0;
        if self.is_step {
            return step;
        }
        // A move is completed, but is reconsidered while it waits for a pause.
        let is_open = self.to_go == 0 || self.ticks_waited > 0;
        if is_open && self.ticks_with_talk >= TICKS_PER_LOOK {
            self.ticks_with_talk = 0;
            self.to_go = self.best(phase_bins);
            if self.to_go == 0 {
                self.ticks_waited = 0;
            }
        }
        if self.to_go == 0 || self.rest > 0 {
            return 0;
        }
        if self.turns.offset.signum() == self.to_go.signum() {
            // The tick is there already, for who talks now.
            return self.take_over_offset();
        }
        // A later tick costs no listener a frame at once: jitter buffers remove one when it suits.
        let must_wait =
            self.to_go > 0 && talkers.iter().any(|talker| waits_for_pause(*talker, phase_ns as i64));
        if must_wait && self.ticks_waited < TICKS_FOR_PAUSE {
            self.ticks_waited += 1;
            return 0;
        }
        self.to_go.signum()
    }

    /// The room ticks this many phases of `phase_ns` earlier than before. True: because the talker has changed.
    pub(super) fn note_moved(&mut self, phases: i32, phase_ns: u64) -> bool {
        self.shift += phases;
        if std::mem::take(&mut self.is_step) {
            self.turns.note_step(phases);
            return true;
        }
        self.note_home(phases);
        let way_ms = phases.unsigned_abs() as f32 * phase_ns as f32 / 1e6;
        self.credit = self.credit.saturating_sub((way_ms * CREDIT_PER_MS as f32) as u32);
        (self.rest, self.ticks_waited) = ((way_ms * TICKS_PER_MS_OF_STEP) as u32, 0);
        false
    }

    /// The room's phase moves towards where the tick is, which stays.
    fn take_over_offset(&mut self) -> i32 {
        let phases = self.to_go.signum() * self.to_go.abs().min(self.turns.offset.abs());
        self.turns.offset -= phases;
        self.note_home(phases);
        self.ticks_waited = 0;
        0
    }

    /// The room's phase has moved by this much.
    fn note_home(&mut self, phases: i32) {
        self.reach.note(self.home());
        self.to_go -= phases;
        if self.to_go == 0 {
            self.turns.look_again();
        }
    }

    /// Records the talkers of a tick. One whose packets will soon be late (its clock is slower than ours) counts like
    /// one that waits for a whole frame: a later phase suits it.
    fn note(&mut self, talkers: &[Talker], phase_bins: i64) {
        self.ticks_with_talk += 1;
        if self.ticks_with_talk.is_multiple_of(TICKS_PER_LOOK) {
            let keep = 0.5_f32.powf(TICKS_PER_LOOK as f32 / HALF_LIFE_TICKS);
            self.talk.iter_mut().for_each(|talk| talk.weight *= keep);
        }
        for talker in talkers {
            let bin = self.bin(talker.spare_ns, phase_bins);
            if let Some(talk) = self.talk.get_mut(talker.place) {
                *talk = Talk { weight: talk.weight + 1.0, bin, is_line: talk.is_line };
            }
        }
    }

    /// The time at which the packets of a participant are needed whose next one has this much to spare.
    fn bin(&self, spare_ns: i64, phase_bins: i64) -> u8 {
        // What is held for more than a frame is removed in the next pause, so it counts like a packet a frame later.
        // What is held for a little less stays.
        let (frame_ns, tick) = (FRAME_NS as i64, i64::from(self.shift) * phase_bins);
        let stays = (frame_ns - EDGE_NS..frame_ns).contains(&spare_ns);
        let spare_ns = if stays { frame_ns - 1 } else { spare_ns + EDGE_NS };
        (tick + spare_ns.div_euclid(BIN_NS)).rem_euclid(BINS as i64) as u8
    }

    /// Records a participant that may come to talk: its next packet has this much to spare.
    pub(super) fn note_silent(&mut self, place: usize, spare_ns: i64, phase_ns: u64) {
        let bin = self.bin(spare_ns, (phase_ns as i64 / BIN_NS).max(1));
        if let Some(talk) = self.talk.get_mut(place) {
            (talk.bin, talk.is_line) = (bin, true);
        }
    }

    /// The phase without the offset for who talks now.
    fn home(&self) -> i32 {
        self.shift - self.turns.offset
    }

    fn needed(&self) -> Needed {
        let mut weights = [0.0; BINS];
        let talked: f32 = self.talk.iter().map(|talk| talk.weight).sum();
        let unknown = (1.0 - talked / TICKS_UNTIL_KNOWN).max(0.0);
        let of_silent = WEIGHT_OF_SILENT + WEIGHT_OF_SILENT_AT_FIRST * unknown;
        for talk in &self.talk {
            let weight = talk.weight + if talk.is_line { of_silent } else { 0.0 };
            if weight > WEIGHT_MIN {
                weights[usize::from(talk.bin)] += weight;
            }
        }
        let mut needed = Needed { talk: [Talk::default(); BINS], count: 0, total: 0.0 };
        for (weight, bin) in weights.into_iter().zip(0..).filter(|(weight, _)| *weight > 0.0) {
            needed.talk[needed.count] = Talk { weight, bin, is_line: false };
            needed.count += 1;
            needed.total += weight;
        }
        needed
    }

    /// The move to the phase at which talkers wait least, in phases; 0 if it is not worth it.
    fn best(&self, phase_bins: i64) -> i32 {
        let needed = self.needed();
        if needed.count == 0 {
            return 0;
        }
        let phases = (BINS as i64 / phase_bins) as i32;
        let phase_ms = (phase_bins * BIN_NS) as f32 / 1e6;
        let window = 2 * self.turns.half(phase_bins * BIN_NS);
        let in_minute = (SPAN_OF_MINUTE_NS / (phase_bins * BIN_NS)) as i32;
        let lately = self.reach.lately();
        let offset = self.turns.offset;
        let home_ms = self.cost_ms(0, phase_bins, &needed);
        // Where the tick is for who talks now it may stay, whether or not that becomes the room's phase.
        let now_ms = home_ms.min(self.cost_ms(offset, phase_bins, &needed));
        let mut best = (0.0, 0);
        for way in 1 - phases..phases {
            let to = self.home() + way;
            let is_too_far = self.reach.ever.with(to).span() + window >= phases
                || lately.is_some_and(|lately| lately.with(to).span() + window > in_minute);
            let way_ms = way.unsigned_abs() as f32 * phase_ms;
            if way == 0 || is_too_far || way_ms * CREDIT_PER_MS as f32 > self.credit as f32 {
                continue;
            }
            let worth_ms = WORTH_MS
                + WORTH_PART * way_ms
                + WORTH_MS_PASSING * self.passed(way, phase_bins, &needed) / needed.total;
            let before_ms = if way == offset { home_ms } else { now_ms };
            let saved_ms = before_ms - self.cost_ms(way, phase_bins, &needed) - worth_ms;
            let is_known = saved_ms * needed.total >= SAVED_MS_PER_MS * way_ms;
            if is_known && saved_ms > best.0 {
                best = (saved_ms, way);
            }
        }
        best.1
    }

    /// The average cost of waiting if the room ticks this many phases earlier.
    fn cost_ms(&self, way: i32, phase_bins: i64, needed: &Needed) -> f32 {
        let tick = i64::from(self.home() + way) * phase_bins;
        let costs = needed.talk().map(|talk| {
            let bins = match (i64::from(talk.bin) - tick).rem_euclid(BINS as i64) as usize {
                // It would be just in time, and any jitter would make it late.
                0 if way != 0 => BINS,
                bins => bins,
            };
            talk.weight * COSTS[bins]
        });
        costs.sum::<f32>() / needed.total
    }

    /// The talk of the talkers that lose a frame on the way.
    fn passed(&self, way: i32, phase_bins: i64, needed: &Needed) -> f32 {
        let tick = i64::from(self.shift) * phase_bins;
        let by = i64::from(way) * phase_bins;
        let is_passed = |talk: &&Talk| {
            let spare = (i64::from(talk.bin) - tick).rem_euclid(BINS as i64);
            if way > 0 { spare <= by } else { spare - by >= BINS as i64 }
        };
        needed.talk().filter(is_passed).map(|talk| talk.weight).sum()
    }
}

impl Extremes {
    fn with(self, phase: i32) -> Self {
        Self { soonest: self.soonest.max(phase), latest: self.latest.min(phase) }
    }

    fn span(self) -> i32 {
        self.soonest - self.latest
    }
}

impl Reach {
    fn note(&mut self, phase: i32) {
        self.ever = self.ever.with(phase);
        self.minutes[0] = self.minutes[0].map(|minute| minute.with(phase));
    }

    /// A tick at this phase has passed.
    fn note_tick(&mut self, phase: i32) {
        self.ticks += 1;
        if self.ticks == TICKS_OF_MINUTE {
            self.ticks = 0;
            self.minutes = [Some(Extremes { soonest: phase, latest: phase }), self.minutes[0]];
        }
    }

    /// The extremes of the last minute and a part of the one before.
    fn lately(&self) -> Option<Extremes> {
        let [minute, before] = self.minutes;
        minute.map(|minute| before.map_or(minute, |before| minute.with(before.soonest).with(before.latest)))
    }
}

impl Needed {
    fn talk(&self) -> impl Iterator<Item = &Talk> {
        self.talk[..self.count].iter()
    }
}

/// In milliseconds, with an additional cost beyond [`LONG_WAIT_MS`].
const fn costs() -> [f32; BINS + 1] {
    let mut costs = [0.0; BINS + 1];
    let mut bins = 0;
    while bins <= BINS {
        let wait_ns = bins as i64 * BIN_NS + BIN_NS / 2 + MARGIN_NS - EDGE_NS;
        let wait_ms = wait_ns as f32 / 1e6;
        let long_ms = if wait_ms > LONG_WAIT_MS { wait_ms - LONG_WAIT_MS } else { 0.0 };
        costs[bins] = wait_ms + LONG_WAIT_WEIGHT * long_ms * long_ms;
        bins += 1;
    }
    costs
}

/// A tick this much earlier comes before the packet of a loud talker, or would leave no reason to remove the surplus
/// frame that one holds.
fn waits_for_pause(talker: Talker, by_ns: i64) -> bool {
    let frame_ns = FRAME_NS as i64;
    let is_passed = (-MARGIN_NS..by_ns - EDGE_NS).contains(&talker.spare_ns);
    is_passed && !talker.is_quiet || (frame_ns..frame_ns + by_ns).contains(&talker.spare_ns)
}

#[cfg(test)]
mod tests;
