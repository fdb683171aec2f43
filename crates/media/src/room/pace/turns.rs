//! Steps of the tick at a change of talker, within a window around the phase that suits the habitual talkers.
//!
//! No phase suits all of many talkers: one whose packets arrive just after the tick waits for nearly a frame. But if they
//! take turns, only one of them matters at a time. So when the talker changes, the tick steps to where the packets of the
//! new one wait least, at most half the window earlier or later than the room's phase.
//!
//! ```text
//!             packets of A        packets of B
//!                  │                   │
//!   ───────────────▼───────────────────▼──────────────── 20 ms, around a circle
//!                            ├────┼────┤
//!                            ▲ while A talks
//!                             phase of the room
//!                                      ▲ while B talks
//! ```
//!
//! A step is jitter for the listeners, who get one packet early or late by as much. So the tick leaves the room's phase at
//! changes of talker only, and where a talker's jitter buffer has grown or shrunk by a frame, and only if that saves enough waiting; it returns whenever that saves some. A later tick makes
//! the new talker wait for more than a frame at first, and the jitter buffer removes that frame at once
//! ([`plenary_rtp::jitter::JitterBuffer::pulls_later`]). An earlier tick never passes the packets of one who talks.
//!
//! The window is 8 ms wide. In virtual time talkers spread evenly then wait some 14 ms at p99, with 4 ms 18, with 6 ms 15.5
//! and with 10 ms 12. 17 ms are the aim, and real networks and threads need a part of that.

use super::{LONG_WAIT_MS, LONG_WAIT_WEIGHT, Talker};
use crate::room::tick::FRAME_NS;

/// A pause this long ends a turn: 300 ms.
const TICKS_OF_PAUSE: u32 = 15;
/// A change of talker is followed within this time, 400 ms; later it is too late to gain much.
const TICKS_TO_FOLLOW: u32 = 20;
/// Ticks between two steps: 300 ms.
const TICKS_BETWEEN: u32 = 15;
/// A talker with this much more or less to spare than a tick ago is followed like a new one. No step is this long.
const OTHER_SCHEDULE_NS: i64 = 10_000_000;
/// With more talkers than this at once none is followed.
const TALKERS_MAX: usize = 4;
/// A step must save this much for each talker, in milliseconds, and one back to the room's phase this much.
const WORTH_MS: f32 = 2.0;
const WORTH_BACK_MS: f32 = 0.5;
/// An earlier tick leaves this much of what there was to spare, for jitter and drift.
const LEFT_NS: i64 = 250_000;
/// A tick later by this much more than it takes is certain to lead to the removal of the surplus frame.
const REMOVED_NS: i64 = 200_000;

/// One who talks or did so lately.
#[derive(Debug, Clone, Copy)]
struct Turn {
    place: usize,
    ticks_since: u32,
    spare_ns: i64,
}

/// Follows the talkers of a room.
#[derive(Debug)]
pub(super) struct Turns {
    recent: [Option<Turn>; TALKERS_MAX],
    /// By how many phases the tick is earlier than the room's phase.
    pub(super) offset: i32,
    /// Ticks within which the last change of talker is followed.
    open: u32,
    rest: u32,
    pub(super) window_ns: i64,
}

impl Turns {
    pub(super) fn new(window_ns: i64) -> Self {
        Self { recent: [None; TALKERS_MAX], offset: 0, open: 0, rest: 0, window_ns }
    }

    /// Half the window, in phases.
    pub(super) fn half(&self, phase_ns: i64) -> i32 {
        (self.window_ns / 2 / phase_ns) as i32
    }

    /// By how many phases the next tick should be earlier than planned; negative: later. `towards`: in which direction the
    /// room's phase moves meanwhile, which no step counters; 0: it stays.
    pub(super) fn advise(&mut self, talkers: &[Talker], towards: i32, phase_ns: i64) -> i32 {
        let is_changed = self.note(talkers);
        self.rest = self.rest.saturating_sub(1);
        if is_changed {
            self.open = TICKS_TO_FOLLOW;
        }
        let speaking = || talkers.iter().filter(|talker| !talker.is_quiet);
        let may_leave = self.open > 0;
        if !may_leave && self.offset == 0 || self.rest > 0 || !(1..=TALKERS_MAX).contains(&speaking().count())
        {
            return 0;
        }
        self.open = self.open.saturating_sub(1);
        let cost = |phases: i32| -> Option<f32> {
            speaking().map(|talker| cost_ms(talker, i64::from(phases) * phase_ns)).sum()
        };
        let half = self.half(phase_ns);
        let Some(now) = cost(0) else { return 0 };
        let mut best = (now, 0);
        for phases in -half - self.offset..=half - self.offset {
            let is_back = (self.offset + phases).abs() < self.offset.abs();
            if phases * towards < 0 || !is_back && !may_leave {
                continue;
            }
            let worth_ms = if is_back { WORTH_BACK_MS } else { WORTH_MS } * speaking().count() as f32;
            if let Some(cost) = cost(phases).filter(|cost| phases != 0 && cost + worth_ms < best.0) {
                best = (cost + worth_ms, phases);
            }
        }
        best.1
    }

    /// The phase of the room has moved, so another offset may suit the talkers.
    pub(super) fn look_again(&mut self) {
        self.open = TICKS_TO_FOLLOW;
    }

    /// It ticks this much earlier.
    pub(super) fn note_step(&mut self, phases: i32) {
        self.offset += phases;
        (self.open, self.rest) = (0, TICKS_BETWEEN);
    }

    /// Records who talks. True: one has begun, or has stopped while another talks, or is held longer or shorter than before
    /// because the network has become less or more even.
    fn note(&mut self, talkers: &[Talker]) -> bool {
        let mut is_changed = false;
        for turn in self.recent.iter_mut().flatten() {
            turn.ticks_since += 1;
        }
        for talker in talkers.iter().filter(|talker| !talker.is_quiet) {
            let known = self.recent.iter_mut().flatten().find(|turn| turn.place == talker.place);
            if let Some(turn) = known {
                is_changed |= (talker.spare_ns - turn.spare_ns).abs() >= OTHER_SCHEDULE_NS;
                (turn.ticks_since, turn.spare_ns) = (0, talker.spare_ns);
            } else if let Some(free) = self.recent.iter_mut().find(|turn| turn.is_none()) {
                *free = Some(Turn { place: talker.place, ticks_since: 0, spare_ns: talker.spare_ns });
                is_changed = true;
            }
        }
        for turn in &mut self.recent {
            is_changed |= turn.take_if(|turn| turn.ticks_since > TICKS_OF_PAUSE).is_some();
        }
        is_changed
    }
}

/// The cost of waiting of a talker if the tick is earlier by `by_ns`; `None`: it would pass a packet.
fn cost_ms(talker: &Talker, by_ns: i64) -> Option<f32> {
    let frame_ns = FRAME_NS as i64;
    let mut spare_ns = talker.spare_ns - by_ns;
    if by_ns > 0 && spare_ns < LEFT_NS {
        return None;
    }
    if spare_ns >= talker.far_too_long_ns + REMOVED_NS {
        spare_ns -= frame_ns;
    } else if spare_ns < 0 {
        // It will soon be late, and then wait for the next tick.
        spare_ns += frame_ns;
    }
    let wait_ms = spare_ns as f32 / 1e6;
    let long_ms = (wait_ms - LONG_WAIT_MS).max(0.0);
    Some(wait_ms + LONG_WAIT_WEIGHT * long_ms * long_ms)
}
