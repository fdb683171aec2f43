//! How busy the media threads will be with the calls that were just let in.
//!
//! Load is measured over a window in the past. A call that was answered in the middle of it is in the measurement by half, and one
//! that was answered after it not at all. The forecast adds what is missing:
//!
//! ```text
//!   calls let in
//!    12 ┤                     ╭───●  now
//!     8 ┤              ╭──────╯      missing: 12 less the 6 that the window holds on
//!     4 ┤       ╭──────╯             average, at the cost of their kind
//!       └───────┴──┬───────┬────────▶
//!                  │window │
//! ```
//!
//! - A call is held from its ACK on, for its audio flows from then. Between the 200 and the ACK all of it is missing.
//! - Windows are short, a quarter of a second, so that little is missing. Each of the last three makes a forecast, and the middle
//!   one counts: a single window in which the machine stood still says nothing.
//! - What a call costs begins with a table, by codec, encryption and noise suppression. How calls of a kind differ from it on this
//!   machine, with callers that talk as much as these do, is learned from how much busier a thread became with new calls.
//!   The median of the last few estimates counts and is bounded, so no single one can make calls look dear.
//! - What was learned is forgotten after ten seconds: who comes then may be others.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A media thread that is expected to be at work for more than this share of the time takes no more calls.
pub(crate) const BUSY_SHARE_MAX: f64 = 0.78;
/// Windows that make a forecast.
const WINDOWS: usize = 3;
/// Cost of a call over what the table says, before anything is learned: most calls listen, and those that talk pause.
const FACTOR_AT_FIRST: f64 = 0.33;
/// Bounds of what is learned. A build without optimisation needs two to three times what the table says.
const FACTOR_MIN: f64 = 0.1;
const FACTOR_MAX: f64 = 5.0;
/// Estimates that the median is taken of, beside the factor at first.
const ESTIMATES: usize = 6;
const ESTIMATES_LAST: Duration = Duration::from_secs(10);
/// Calls that came teach something once they cost so much by the table; less is lost in the noise of the measurement.
const LEARNED_FROM: f64 = 0.02;
/// They say something of each kind that is at least this part of them.
const KIND_PART_MIN: f64 = 0.25;

/// What a call is, as far as its cost depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallKind {
    pub(crate) codec: plenary_media::Codec,
    pub(crate) is_encrypted: bool,
    pub(crate) noise_suppression: bool,
}

/// Kinds that there are.
const KINDS: usize = 16;

impl CallKind {
    fn index(self) -> usize {
        let codec = match self.codec {
            plenary_media::Codec::Pcmu => 0,
            plenary_media::Codec::Pcma => 1,
            plenary_media::Codec::G722 => 2,
            plenary_media::Codec::Opus => 3,
        };
        codec << 2 | usize::from(self.is_encrypted) << 1 | usize::from(self.noise_suppression)
    }

    /// The share of a core that a participant of this kind costs who talks all the time and hears a mix of its own.
    fn share(self) -> f64 {
        let codec = match self.codec {
            plenary_media::Codec::Pcmu | plenary_media::Codec::Pcma => 0.000_6,
            plenary_media::Codec::G722 => 0.002,
            plenary_media::Codec::Opus => 0.006,
        };
        let encryption = if self.is_encrypted { 0.000_3 } else { 0.0 };
        let suppression = if self.noise_suppression { 0.005 } else { 0.0 };
        codec + encryption + suppression
    }
}

/// A call that is in.
#[derive(Debug, Clone, Copy)]
struct Admitted {
    worker: usize,
    kind: CallKind,
    /// Its audio may flow.
    has_begun: bool,
}

/// Shares by the table, of each kind.
type Shares = [f64; KINDS];

/// A measurement.
#[derive(Debug, Clone, Copy)]
struct Window {
    busy_share: f64,
    /// What its calls cost by the table, on average over the window.
    held: Shares,
}

/// What is known of a media thread.
#[derive(Debug, Default)]
struct Thread {
    /// Calls that are in, by the table.
    admitted: Shares,
    /// Those of them whose audio flows.
    flowing: Shares,
    /// The same times seconds, since the window began.
    flowed: Shares,
    until: Option<Instant>,
    windows: VecDeque<Window>,
    /// Cost over the table, and when it was found.
    estimates: [VecDeque<(Instant, f64)>; KINDS],
}

impl Thread {
    fn pass_until(&mut self, at: Instant) {
        if let Some(until) = self.until {
            let seconds = at.saturating_duration_since(until).as_secs_f64();
            self.flowed
                .iter_mut()
                .zip(self.flowing)
                .for_each(|(flowed, flowing)| *flowed += flowing * seconds);
        }
        self.until = self.until.max(Some(at));
    }

    /// Cost of calls of a kind over what the table says.
    fn factor(&self, kind: usize) -> f64 {
        let mut factors = [FACTOR_AT_FIRST; ESTIMATES + 1];
        let mut count = 1;
        for (_, factor) in &self.estimates[kind] {
            factors[count] = *factor;
            count += 1;
        }
        lower_median(&mut factors[..count])
    }

    /// The share of the time that it will be at work for the calls that are in, and one more.
    fn expected_share(&self, one_more: Option<CallKind>) -> f64 {
        let mut missing_of_none = self.admitted;
        if let Some(kind) = one_more {
            missing_of_none[kind.index()] += kind.share();
        }
        let cost = |missing: &Shares| -> f64 {
            let dear = missing.iter().enumerate().filter(|(_, share)| **share > 0.0);
            dear.map(|(kind, share)| share * self.factor(kind)).sum()
        };
        if self.windows.is_empty() {
            return cost(&missing_of_none);
        }
        let mut forecasts = [0.0; WINDOWS];
        for (forecast, window) in forecasts.iter_mut().zip(&self.windows) {
            let mut missing = missing_of_none;
            // Calls that have ended are measured until the window has passed: nothing is subtracted.
            missing.iter_mut().zip(window.held).for_each(|(share, held)| *share = (*share - held).max(0.0));
            *forecast = window.busy_share + cost(&missing);
        }
        lower_median(&mut forecasts[..self.windows.len().min(WINDOWS)])
    }

    /// It was at work for this share of the time since the last window, `seconds` long.
    fn measured(&mut self, busy_share: f64, seconds: f64, at: Instant) {
        self.pass_until(at);
        let held = std::mem::take(&mut self.flowed).map(|flowed| flowed / seconds);
        for estimates in &mut self.estimates {
            estimates.retain(|(found, _)| at.saturating_duration_since(*found) < ESTIMATES_LAST);
        }
        if let Some(before) = self.windows.front() {
            let came: Shares = std::array::from_fn(|kind| held[kind] - before.held[kind]);
            let all: f64 = came.iter().sum();
            if all >= LEARNED_FROM {
                let factor = ((busy_share - before.busy_share) / all).clamp(FACTOR_MIN, FACTOR_MAX);
                let learning = self.estimates.iter_mut().zip(came);
                for (estimates, _) in learning.filter(|(_, came)| *came >= all * KIND_PART_MIN) {
                    if estimates.len() == ESTIMATES {
                        estimates.pop_front();
                    }
                    estimates.push_back((at, factor));
                }
            }
        }
        if self.windows.len() == WINDOWS {
            self.windows.pop_front();
        }
        self.windows.push_back(Window { busy_share, held });
    }
}

/// The one in the middle, the lower one of two.
fn lower_median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// More is expected than a media thread can do: the share of the time that it would be at work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TooMuch {
    pub(crate) expected_share: f64,
}

/// The calls of all media threads, and what they will cost.
#[derive(Debug, Default)]
struct Forecast {
    threads: Vec<Thread>,
    /// The last window ended then.
    measured_at: Option<Instant>,
    calls: HashMap<u64, Admitted>,
    refused: Option<TooMuch>,
}

impl Forecast {
    fn thread(&mut self, worker: usize, at: Instant) -> &mut Thread {
        if self.threads.len() <= worker {
            self.threads.resize_with(worker + 1, Thread::default);
        }
        let thread = &mut self.threads[worker];
        thread.pass_until(at);
        thread
    }

    /// Lets a call in, unless its thread would have too much to do.
    fn admit(&mut self, call: u64, worker: usize, kind: CallKind, at: Instant) -> Result<(), TooMuch> {
        let expected_share = self.thread(worker, at).expected_share(Some(kind));
        if expected_share > BUSY_SHARE_MAX {
            let too_much = TooMuch { expected_share };
            self.refused = Some(too_much);
            return Err(too_much);
        }
        self.count(call, worker, kind, at);
        Ok(())
    }

    /// A call is in, whatever it costs.
    fn count(&mut self, call: u64, worker: usize, kind: CallKind, at: Instant) {
        self.ended(call, at);
        self.thread(worker, at).admitted[kind.index()] += kind.share();
        self.calls.insert(call, Admitted { worker, kind, has_begun: false });
    }

    /// Its audio flows from now on.
    fn began(&mut self, call: u64, at: Instant) {
        let Some(admitted) = self.calls.get_mut(&call) else { return };
        if !std::mem::replace(&mut admitted.has_begun, true) {
            let Admitted { worker, kind, .. } = *admitted;
            self.thread(worker, at).flowing[kind.index()] += kind.share();
        }
    }

    /// It has gone to another thread.
    fn moved(&mut self, call: u64, worker: usize, at: Instant) {
        let Some(Admitted { kind, has_begun, .. }) = self.calls.get(&call).copied() else { return };
        self.count(call, worker, kind, at);
        if has_begun {
            self.began(call, at);
        }
    }

    fn ended(&mut self, call: u64, at: Instant) {
        let Some(Admitted { worker, kind, has_begun }) = self.calls.remove(&call) else { return };
        let thread = self.thread(worker, at);
        let leave = |shares: &mut Shares| {
            let share = &mut shares[kind.index()];
            // What rounding leaves is no call.
            *share = (*share - kind.share()).max(0.0);
        };
        leave(&mut thread.admitted);
        if has_begun {
            leave(&mut thread.flowing);
        }
    }

    /// How busy each thread was since the last time; none at the first. Returns how busy the busiest will be.
    fn measured(&mut self, busy_shares: &[f64], at: Instant) -> f64 {
        let seconds = self.measured_at.map(|before| at.saturating_duration_since(before).as_secs_f64());
        self.measured_at = Some(at);
        for (worker, busy_share) in busy_shares.iter().enumerate() {
            let thread = self.thread(worker, at);
            match seconds {
                Some(seconds) if seconds > 0.0 => thread.measured(*busy_share, seconds, at),
                Some(_) | None => thread.flowed = Shares::default(),
            }
        }
        self.threads.iter().map(|thread| thread.expected_share(None)).fold(0.0, f64::max)
    }
}

/// The forecast, shared by admission and measurement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admissions(Arc<Mutex<Forecast>>);

impl Admissions {
    fn forecast(&self) -> MutexGuard<'_, Forecast> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in, unless its media thread would have too much to do.
    ///
    /// # Errors
    /// [`TooMuch`]: the call is not let in.
    pub(crate) fn admit(&self, call: u64, worker: usize, kind: CallKind) -> Result<(), TooMuch> {
        self.forecast().admit(call, worker, kind, Instant::now())
    }

    /// Counts a call that is in whatever it costs: one that we placed, or that takes the place of another.
    pub(crate) fn count(&self, call: u64, worker: usize, kind: CallKind) {
        self.forecast().count(call, worker, kind, Instant::now());
    }

    /// The ACK has come: audio flows.
    pub(crate) fn began(&self, call: u64) {
        self.forecast().began(call, Instant::now());
    }

    /// The call has gone to another media thread.
    pub(crate) fn moved(&self, call: u64, worker: usize) {
        self.forecast().moved(call, worker, Instant::now());
    }

    /// The call is over.
    pub(crate) fn ended(&self, call: u64) {
        self.forecast().ended(call, Instant::now());
    }

    /// How busy each media thread was from the last time until `at`. Returns the share of the time that the busiest will be at
    /// work, once the audio of all calls flows.
    pub(crate) fn measured(&self, busy_shares: &[f64], at: Instant) -> f64 {
        self.forecast().measured(busy_shares, at)
    }

    /// What was too much since this was last asked.
    pub(crate) fn take_refused(&self) -> Option<TooMuch> {
        self.forecast().refused.take()
    }
}

#[cfg(test)]
mod tests;
