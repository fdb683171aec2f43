//! When there is more to do than can be done: new calls are refused early, so that participants hear nothing
//! of it.
//!
//! Four times a second it is looked at how the last second went: how much of their time the media threads were at work, how
//! many of their ticks came a frame late, and how long the engine took to answer. Crossing a limit refuses at once; only when all
//! has been well below for two seconds are there new calls again, or each would tip it over anew. The queue of signalling
//! is watched by the endpoint itself (`plenary_sip::SipConfig::max_events`). Calls that no measurement holds yet count with what
//! they are expected to cost ([`crate::forecast`]): one that would be too much is refused at once, and so are those after it. Where
//! the next measurements do not bear the forecast out, calls are taken again at once.

use crate::{
    engine::EngineHandle,
    forecast::{Admissions, BUSY_SHARE_MAX},
    metrics::meters::Meters,
};
use plenary_media::{MediaHandle, PlaneLoad, WorkerLoad};
use plenary_sip::SipHandle;
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tracing::{info, trace, warn};

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Looks that make up a second.
const WINDOW: usize = 4;
/// Calm: well below [`BUSY_SHARE_MAX`], from which on a media thread is about to be late.
const BUSY_SHARE_CALM: f64 = 0.70;
/// The share of ticks that were a frame late or more, or left out. One stall of the machine does not make half of them late.
const LATE_SHARE_MAX: f64 = 0.50;
const LATE_SHARE_CALM: f64 = 0.10;
/// Fewer ticks than these in a second, those of half a room, say nothing.
const TICKS_MIN: u64 = 25;
/// How long the engine may take to answer a question.
const ANSWER_MAX: Duration = Duration::from_millis(500);
const ANSWER_CALM: Duration = Duration::from_millis(100);
/// How long it has to be calm.
const CALM_FOR: Duration = Duration::from_secs(2);

/// How things are at a moment.
#[derive(Debug, Clone)]
struct Look {
    at: Instant,
    media: PlaneLoad,
    answered_within: Duration,
}

/// What is expected of the calls that are in.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    /// A call was refused since the last look, for with it there would have been too much to do.
    is_refusing: bool,
    /// How busy the busiest media thread will be.
    busy_share: f64,
}

/// How busy each media thread was between two looks.
fn busy_shares(before: &Look, now: &Look) -> Vec<f64> {
    let elapsed_us = now.at.duration_since(before.at).as_micros().max(1) as f64;
    let workers = before.media.workers.iter().zip(&now.media.workers);
    workers.map(|(before, now)| now.busy_us.saturating_sub(before.busy_us) as f64 / elapsed_us).collect()
}

/// How the last second went: the worst of all workers.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Second {
    busy_share: f64,
    late_share: f64,
    answered_within: Duration,
}

impl Second {
    fn between(before: &Look, now: &Look, answered_within: Duration) -> Self {
        let elapsed_us = now.at.duration_since(before.at).as_micros().max(1) as f64;
        let mut second = Self { busy_share: 0.0, late_share: 0.0, answered_within };
        for (before, now) in before.media.workers.iter().zip(&now.media.workers) {
            let since = |count: fn(&WorkerLoad) -> u64| count(now).saturating_sub(count(before));
            second.busy_share = second.busy_share.max(since(|load| load.busy_us) as f64 / elapsed_us);
            let skipped = since(|load| load.ticks_skipped);
            let ticks = since(|load| load.ticks) + skipped;
            if ticks >= TICKS_MIN {
                let late = since(|load| load.ticks_behind) + skipped;
                second.late_share = second.late_share.max(late as f64 / ticks as f64);
            }
        }
        second
    }

    fn is_too_much(&self) -> bool {
        self.busy_share > BUSY_SHARE_MAX
            || self.late_share > LATE_SHARE_MAX
            || self.answered_within > ANSWER_MAX
    }

    fn is_calm(&self) -> bool {
        self.busy_share < BUSY_SHARE_CALM
            && self.late_share < LATE_SHARE_CALM
            && self.answered_within < ANSWER_CALM
    }
}

/// Judges the looks, one after the other.
#[derive(Debug, Default)]
struct Judge {
    looks: VecDeque<Look>,
    is_overloaded: bool,
    /// Nothing but the forecast says so.
    is_only_expected: bool,
    calm_since: Option<Instant>,
}

impl Judge {
    /// How the last second was, once there has been one.
    fn look(&mut self, look: Look, expected: Expected) -> Option<Second> {
        let at = look.at;
        if expected.is_refusing {
            self.is_only_expected |= !self.is_overloaded;
            (self.is_overloaded, self.calm_since) = (true, None);
        }
        self.looks.push_back(look);
        if self.looks.len() <= WINDOW {
            return None;
        }
        let before = self.looks.pop_front()?;
        let slowest = self.looks.iter().map(|look| look.answered_within).max().unwrap_or_default();
        let second = Second::between(&before, self.looks.back()?, slowest);
        if second.is_too_much() {
            (self.is_overloaded, self.calm_since) = (true, None);
            self.is_only_expected = false;
        } else if !second.is_calm() {
            // The forecast is borne out, if it was one.
            (self.is_only_expected, self.calm_since) = (false, None);
        } else if expected.is_refusing {
            self.calm_since = None;
        } else if self.is_only_expected && expected.busy_share < BUSY_SHARE_CALM {
            // The calls cost less than was expected.
            (self.is_overloaded, self.is_only_expected) = (false, false);
        } else if at.duration_since(*self.calm_since.get_or_insert(at)) >= CALM_FOR {
            (self.is_overloaded, self.is_only_expected) = (false, false);
        }
        Some(second)
    }
}

/// Watches until the engine has ended.
pub(crate) async fn watch(
    engine: EngineHandle,
    media: MediaHandle,
    sip: SipHandle,
    admissions: Admissions,
    is_overloaded: Arc<AtomicBool>,
    meters: Arc<Meters>,
) {
    let mut judge = Judge::default();
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = engine.ended() => return,
            _ = every.tick() => {}
        }
        let asked = Instant::now();
        // No answer for so long is as bad as it gets.
        let _ = engine.is_alive(2 * ANSWER_MAX).await;
        let look = Look { at: Instant::now(), media: media.load(), answered_within: asked.elapsed() };
        meters.engine_answered(look.answered_within);
        let was = judge.is_overloaded;
        let busy_shares = judge.looks.back().map(|before| busy_shares(before, &look)).unwrap_or_default();
        meters.set_busy_shares(&busy_shares);
        let busy_share = admissions.measured(&busy_shares, look.at);
        let refused = admissions.take_refused();
        trace!(?busy_shares, expected_share = busy_share, "media threads");
        let second = judge.look(look, Expected { is_refusing: refused.is_some(), busy_share });
        let (busy_share, late_share, answered_within) = match second {
            Some(Second { busy_share, late_share, answered_within, .. }) => {
                (busy_share, late_share, answered_within)
            }
            None if was != judge.is_overloaded => (0.0, 0.0, Duration::ZERO),
            None => continue,
        };
        match (was, judge.is_overloaded) {
            (false, true) => {
                let expected_share = refused.map(|refused| refused.expected_share);
                warn!(
                    expected_share,
                    busy_share,
                    late_share,
                    ?answered_within,
                    "overloaded: new calls are refused with 503"
                );
                sip.set_busy(true);
                is_overloaded.store(true, Relaxed);
            }
            (true, false) => {
                info!(busy_share, late_share, ?answered_within, "no longer overloaded: new calls are taken");
                sip.set_busy(false);
                is_overloaded.store(false, Relaxed);
            }
            (true, true) | (false, false) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `seconds` of so much work in each, with 50 ticks of which so many are late, and the engine as slow as this.
    struct Plane {
        judge: Judge,
        now: Instant,
        load: WorkerLoad,
        expected: Expected,
    }

    impl Plane {
        fn new() -> Self {
            Self {
                judge: Judge::default(),
                now: Instant::now(),
                load: WorkerLoad::default(),
                expected: Expected::default(),
            }
        }

        fn run(&mut self, seconds: f64, busy_percent: u64, late_percent: u64, answer_ms: u64) -> bool {
            for _ in 0..(seconds * 4.0) as usize {
                self.now += LOOK_EVERY;
                self.load.busy_us += busy_percent * 2500;
                self.load.ticks += 100;
                self.load.ticks_behind += late_percent;
                self.judge.look(
                    Look {
                        at: self.now,
                        media: PlaneLoad { workers: vec![WorkerLoad::default(), self.load] },
                        answered_within: Duration::from_millis(answer_ms),
                    },
                    self.expected,
                );
                self.expected.is_refusing = false;
            }
            self.judge.is_overloaded
        }
    }

    #[test]
    fn each_of_the_three_measures_refuses_within_a_second_and_calm_for_two_lets_in_again() {
        for (busy, late, answer) in [(95, 0, 1), (10, 80, 1), (10, 0, 700)] {
            let mut plane = Plane::new();
            assert!(!plane.run(5.0, 60, 5, 20), "a busy day");
            assert!(plane.run(1.0, busy, late, answer));
            assert!(plane.run(2.0, 10, 0, 1), "not at once: the window has to be calm, and for two seconds");
            assert!(!plane.run(2.0, 10, 0, 1));
        }
    }

    #[test]
    fn between_the_limits_it_stays_as_it_is() {
        let mut plane = Plane::new();
        assert!(!plane.run(10.0, 74, 30, 300), "not yet");
        assert!(plane.run(1.0, 95, 30, 300));
        assert!(plane.run(10.0, 74, 5, 1), "still");
    }

    #[test]
    fn a_call_that_would_be_too_much_refuses_those_after_it_until_it_is_calm() {
        let mut plane = Plane::new();
        assert!(!plane.run(3.0, 60, 0, 1));
        plane.expected = Expected { is_refusing: true, busy_share: 0.8 };
        assert!(plane.run(0.25, 65, 0, 1));
        assert!(plane.run(5.0, 80, 0, 1), "it is as busy as was expected");
        plane.expected.busy_share = 0.6;
        assert!(plane.run(2.25, 50, 0, 1), "a window of a second, and calm for two");
        assert!(!plane.run(0.5, 50, 0, 1));
    }

    #[test]
    fn a_forecast_that_was_wrong_refuses_until_the_next_look_only() {
        let mut plane = Plane::new();
        plane.run(3.0, 30, 0, 1);
        plane.expected = Expected { is_refusing: true, busy_share: 0.9 };
        assert!(plane.run(0.25, 30, 0, 1));
        assert!(plane.run(0.25, 30, 0, 1), "the calls of before are not held by it yet");
        plane.expected.busy_share = 0.35;
        assert!(!plane.run(0.25, 30, 0, 1));
        // What was measured is lifted by what is measured.
        plane.run(1.0, 95, 0, 1);
        plane.expected = Expected { is_refusing: true, busy_share: 0.3 };
        assert!(plane.run(2.0, 30, 0, 1));
    }

    #[test]
    fn one_stall_of_the_machine_is_no_overload() {
        let mut plane = Plane::new();
        plane.run(3.0, 20, 0, 1);
        plane.load.ticks_skipped += 20;
        assert!(!plane.run(3.0, 20, 10, 300));
    }
}
