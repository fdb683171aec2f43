//! When a room ticks: a packet waits for the tick after it, so the tick belongs just after the packets of those who talk.
//!
//! **The clock holds.** A listener gets one packet per tick, so a room that only ever moved its tick to a sooner moment would
//! send more audio than time goes by, and every listener would have to drop it. So a room moves both ways, and never further
//! than one phase short of a frame from where it has been: all phases are within reach, and its media clock stays within 20 ms
//! of real time for as long as the room exists.
//!
//! **The usual talkers decide.** Each move lets every listener's jitter buffer adapt, so the phase is chosen for the talk of the
//! last minutes rather than for whoever talks at this moment. Where people take turns, a phase that suits each of them
//! somewhat beats one that follows the last of them.
//!
//! ```text
//!   when packets are needed, weighted by talk (20 ms, around a circle)
//!   ├──▂▅▂──────────▂▇▂─────────────────┤
//!                     ▲ best tick: just after the second; the first then waits for the rest of the circle
//! ```
//!
//! **A move costs.** Steps are one phase each half second. A phase is worth moving to only if it saves more than the way there
//! costs, and the ways of a minute are bounded. A talker whose packets a sooner tick passes loses a frame; that waits for a pause.

use super::FRAME_NS;

/// Resolution of the moments at which packets are needed, a quarter of a millisecond, and how many of them make a frame.
const BIN_NS: i64 = 250_000;
const BINS: usize = FRAME_NS as usize / BIN_NS as usize;
/// A packet that is needed so much before the tick is in time all the same: the margin of the jitter buffer absorbs it.
const MARGIN_NS: i64 = 1_000_000;
/// A packet may be held for a frame and so much more before its jitter buffer leaves one out.
const HYSTERESIS_NS: i64 = 2_000_000;
/// Talk of so many ticks with talk ago counts half: a minute.
const HALF_LIFE_TICKS: f32 = 3000.0;
/// Whoever has talked so little of late does not count.
const WEIGHT_MIN: f32 = 0.1;
/// Phases are compared after so many ticks with talk: half a second.
const TICKS_PER_LOOK: u32 = 25;
/// From one step to the next: half a second.
const TICKS_PER_STEP: u32 = 25;
/// A step waits this long for a pause of those it passes: five seconds.
const TICKS_FOR_PAUSE: u32 = 250;
/// Waiting for longer than this counts more, by the square of what is beyond: nobody should be the one who always waits longest.
const LONG_WAIT_MS: f32 = 15.0;
const LONG_WAIT_WEIGHT: f32 = 3.0;
/// A move must save so much on the average, in milliseconds,
const WORTH_MS: f32 = 1.0;
/// and so much more for each phase on the way,
const WORTH_MS_PER_PHASE: f32 = 0.1;
/// and so much more for talkers that lose a frame, times their share of the talk.
const WORTH_MS_PASSING: f32 = 1.5;
/// What would have been saved so far, in milliseconds of waiting over all ticks of talk, must be so much for each phase on the way:
/// at the start little talk is known.
const SAVED_MS_PER_PHASE: f32 = 40.;
/// A minute has five phases of movement, 10 ms; what was saved up is enough for one way across the frame.
const TICKS_PER_PHASE: u32 = 600;
const CREDIT_MAX: u32 = 10 * TICKS_PER_PHASE;

/// What is known of a talker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Talker {
    /// The party, by its place in the room.
    pub(super) place: usize,
    /// How much sooner the next tick could be and still find its packet.
    pub(super) spare_ns: i64,
    /// A frame of it can be concealed unheard.
    pub(super) is_quiet: bool,
}

/// How much a party has talked of late, and the moment of the frame at which its packets are needed, counted backwards from the
/// tick of shift 0. Of one that is silent that is where it was when it talked.
#[derive(Debug, Clone, Copy, Default)]
struct Talk {
    weight: f32,
    bin: u8,
}

/// How much talk is needed at each moment of the frame.
#[derive(Debug)]
struct Needed {
    weights: [f32; BINS],
    total: f32,
}

/// Chooses the phase of a room.
#[derive(Debug)]
pub(super) struct Pace {
    /// By the party's place in the room.
    talk: Vec<Talk>,
    /// Where the tick is, in phases sooner than at first, and the furthest it has been.
    shift: i32,
    soonest: i32,
    latest: i32,
    /// Phases to go.
    to_go: i32,
    ticks_with_talk: u32,
    rest: u32,
    ticks_waited: u32,
    /// Ticks' worth of movement that may be spent.
    credit: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            talk: Vec::new(),
            shift: 0,
            soonest: 0,
            latest: 0,
            to_go: 0,
            ticks_with_talk: 0,
            rest: 0,
            ticks_waited: 0,
            credit: CREDIT_MAX,
        }
    }
}

impl Pace {
    /// Makes room for so many parties.
    pub(super) fn reserve(&mut self, parties: usize) {
        self.talk.resize(parties.max(self.talk.len()), Talk::default());
    }

    /// The party at this place has left.
    pub(super) fn forget(&mut self, place: usize) {
        if let Some(talk) = self.talk.get_mut(place) {
            *talk = Talk::default();
        }
    }

    /// By how many phases of `phase_ns` the room should tick sooner from now on; negative: later. Once it does, say so by
    /// [`Self::note_moved`].
    pub(super) fn advise(&mut self, talkers: &[Talker], phase_ns: u64) -> i32 {
        let phase_bins = phase_ns as i64 / BIN_NS;
        self.credit = (self.credit + 1).min(CREDIT_MAX);
        self.rest = self.rest.saturating_sub(1);
        if !talkers.is_empty() {
            self.note(talkers, phase_bins);
        }
        // A way is gone to its end, but not looked at as settled while it waits for a pause.
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
        // A later tick makes nobody lose a frame at once: jitter buffers leave one out when it suits.
        let is_aloud = self.to_go > 0
            && talkers.iter().any(|talker| !talker.is_quiet && is_passed(*talker, phase_ns as i64));
        if is_aloud && self.ticks_waited < TICKS_FOR_PAUSE {
            self.ticks_waited += 1;
            return 0;
        }
        self.to_go.signum()
    }

    /// The room ticks so many phases sooner than before.
    pub(super) fn note_moved(&mut self, phases: i32) {
        self.shift += phases;
        self.soonest = self.soonest.max(self.shift);
        self.latest = self.latest.min(self.shift);
        self.to_go -= phases;
        self.credit = self.credit.saturating_sub(phases.unsigned_abs() * TICKS_PER_PHASE);
        (self.rest, self.ticks_waited) = (TICKS_PER_STEP, 0);
    }

    /// Takes note of who talks in a tick. One whose packets come to be late soon (its clock is slower than ours) counts like one
    /// that waits for a whole frame: a later phase suits it.
    fn note(&mut self, talkers: &[Talker], phase_bins: i64) {
        self.ticks_with_talk += 1;
        if self.ticks_with_talk.is_multiple_of(TICKS_PER_LOOK) {
            let keep = 0.5_f32.powf(TICKS_PER_LOOK as f32 / HALF_LIFE_TICKS);
            self.talk.iter_mut().for_each(|talk| talk.weight *= keep);
        }
        let tick = i64::from(self.shift) * phase_bins;
        for talker in talkers {
            let frame_ns = FRAME_NS as i64;
            let spare_ns = match talker.spare_ns {
                // Held for a whole frame, and for a little less after any sooner tick.
                spare_ns if (frame_ns..frame_ns + HYSTERESIS_NS).contains(&spare_ns) => frame_ns - 1,
                spare_ns => spare_ns,
            };
            let bin = (tick + spare_ns.div_euclid(BIN_NS)).rem_euclid(BINS as i64);
            if let Some(talk) = self.talk.get_mut(talker.place) {
                *talk = Talk { weight: talk.weight + 1.0, bin: bin as u8 };
            }
        }
    }

    fn needed(&self) -> Needed {
        let mut needed = Needed { weights: [0.0; BINS], total: 0.0 };
        for talk in self.talk.iter().filter(|talk| talk.weight > WEIGHT_MIN) {
            needed.weights[usize::from(talk.bin)] += talk.weight;
            needed.total += talk.weight;
        }
        needed
    }

    /// The way to the phase at which those who talk wait least, in phases; 0: it is not worth it.
    fn best(&self, phase_bins: i64) -> i32 {
        let needed = self.needed();
        let total = needed.total;
        if total == 0.0 {
            return 0;
        }
        let phases = (BINS as i64 / phase_bins.max(1)) as i32;
        let now_ms = self.cost_ms(0, phase_bins, &needed);
        let mut best = (0.0, 0);
        for way in 1 - phases..phases {
            let to = self.shift + way;
            let span = self.soonest.max(to) - self.latest.min(to);
            if way == 0 || span >= phases || way.unsigned_abs() * TICKS_PER_PHASE > self.credit {
                continue;
            }
            let worth_ms = WORTH_MS
                + WORTH_MS_PER_PHASE * way.unsigned_abs() as f32
                + WORTH_MS_PASSING * self.passed(way, phase_bins, &needed) / total;
            let saved_ms = now_ms - self.cost_ms(way, phase_bins, &needed) - worth_ms;
            let is_known = saved_ms * total >= SAVED_MS_PER_PHASE * way.unsigned_abs() as f32;
            if is_known && saved_ms > best.0 {
                best = (saved_ms, way);
            }
        }
        best.1
    }

    /// What waiting costs on the average if the room ticks so many phases sooner.
    fn cost_ms(&self, way: i32, phase_bins: i64, needed: &Needed) -> f32 {
        let tick = i64::from(self.shift + way) * phase_bins;
        let costs = needed.weights.iter().enumerate().map(|(bin, weight)| {
            let bins = match (bin as i64 - tick).rem_euclid(BINS as i64) as usize {
                // It would be just in time, and any unevenness would make it late.
                0 if way != 0 => BINS,
                bins => bins,
            };
            let wait_ms = (bins as f32 + 0.5) * (BIN_NS as f32 / 1e6);
            let long_ms = (wait_ms - LONG_WAIT_MS).max(0.0);
            weight * (wait_ms + LONG_WAIT_WEIGHT * long_ms * long_ms)
        });
        costs.sum::<f32>() / needed.total
    }

    /// How much talk is of those who lose a frame on the way.
    fn passed(&self, way: i32, phase_bins: i64, needed: &Needed) -> f32 {
        let tick = i64::from(self.shift) * phase_bins;
        let by = i64::from(way) * phase_bins;
        let is_passed = |bin: usize| {
            let spare = (bin as i64 - tick).rem_euclid(BINS as i64);
            if way > 0 { spare <= by } else { spare - by >= BINS as i64 }
        };
        needed.weights.iter().enumerate().filter(|(bin, _)| is_passed(*bin)).map(|(_, weight)| weight).sum()
    }
}

/// A tick that is so much sooner comes before the packet.
fn is_passed(talker: Talker, by_ns: i64) -> bool {
    (-MARGIN_NS..by_ns).contains(&talker.spare_ns)
}

#[cfg(test)]
mod tests;
