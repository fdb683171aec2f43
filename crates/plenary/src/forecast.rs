//! What the calls that were just let in will cost.
//!
//! How busy a media thread is gets measured over a second, and a call needs a moment until it talks. So of those who came within
//! the last one and a half seconds the measurement knows nothing yet, or only a part. Twenty heavy callers a second would
//! be a quarter more than a thread can do by the time that it shows. Hence each call counts with what it is expected to cost from the
//! moment it is let in until the measurement holds all of it, and a call that would be too much is refused.
//!
//! What a kind of call costs begins with a table, of parties that talk. How much that is on this machine, for the callers that
//! it has, is learned: what a thread's calls cost by measurement over what they cost by the table.
//!
//! ```text
//!   a call's part that the measurement does not hold
//!   1 ┤▔▔▔▔▔▔▔╲
//!     │        ╲
//!   0 ┤         ╲▁▁▁▁
//!     0     0.5     1.5 s after it was let in
//! ```

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A media thread that is expected to be at work for more than this share of the time takes no more calls.
pub(crate) const BUSY_SHARE_MAX: f64 = 0.85;
/// A call may take so long until its audio flows in full.
const BEGINS_WITHIN: Duration = Duration::from_millis(500);
/// How long the measurement looks back.
const WINDOW: Duration = Duration::from_secs(1);
/// A thread's calls teach something once they cost so much by the table.
const KNOWN_SHARE_MIN: f64 = 0.02;
/// What calls cost over what the table says, before anything is learned. Most who come talk little, and 350 who come at once with
/// Opus must be let in by one thread: 350 of 0.6 % and a third of that are 0.7. If they all talk that shows within a second, and what
/// is learned then holds for those who come after them.
const FACTOR_AT_FIRST: f64 = 0.33;
/// Bounds of what is learned: a table that is wrong by more is not believed to be.
const FACTOR_MIN: f64 = 0.1;
const FACTOR_MAX: f64 = 10.0;
/// A measurement that says that calls cost less counts by this part, one that says more in full.
const FACTOR_FALLS: f64 = 0.25;

/// What a call is, as far as it matters for its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallKind {
    pub(crate) codec: plenary_media::Codec,
    pub(crate) is_encrypted: bool,
    pub(crate) noise_suppression: bool,
}

impl CallKind {
    /// The share of a core of a party of this kind that talks and hears a mix of its own.
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

#[derive(Debug, Clone, Copy)]
struct Admitted {
    worker: usize,
    share: f64,
    at: Instant,
}

impl Admitted {
    /// The part of its cost that a measurement made at `measured_at` does not hold.
    fn missing(&self, measured_at: Option<Instant>) -> f64 {
        let Some(measured_at) = measured_at else { return 1.0 };
        let age = measured_at.saturating_duration_since(self.at);
        let held = age.saturating_sub(BEGINS_WITHIN).as_secs_f64() / WINDOW.as_secs_f64();
        1.0 - held.min(1.0)
    }
}

/// A media thread.
#[derive(Debug, Clone, Copy)]
struct Thread {
    busy_share: f64,
    /// What calls cost here, over what the table says.
    factor: f64,
}

/// Too much is expected: the share of the time that a media thread would be at work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TooMuch {
    pub(crate) expected_share: f64,
}

/// The calls of all media threads, and what they cost.
#[derive(Debug, Default)]
pub(crate) struct Forecast {
    threads: Vec<Thread>,
    measured_at: Option<Instant>,
    calls: BTreeMap<u64, Admitted>,
    refused: Option<TooMuch>,
}

impl Forecast {
    fn thread(&self, worker: usize) -> Thread {
        self.threads.get(worker).copied().unwrap_or(Thread { busy_share: 0.0, factor: FACTOR_AT_FIRST })
    }

    /// The share of the time that a thread will be at work for the calls that it has.
    fn expected_share(&self, worker: usize) -> f64 {
        let thread = self.thread(worker);
        let calls = self.calls.values().filter(|call| call.worker == worker);
        let missing: f64 = calls.map(|call| call.share * call.missing(self.measured_at)).sum();
        thread.busy_share + missing * thread.factor
    }

    /// Lets a call in at `at`, unless its thread would have too much to do.
    fn admit(&mut self, call: u64, worker: usize, kind: CallKind, at: Instant) -> Result<(), TooMuch> {
        let expected_share = self.expected_share(worker) + kind.share() * self.thread(worker).factor;
        if expected_share > BUSY_SHARE_MAX {
            let too_much = TooMuch { expected_share };
            self.refused = Some(too_much);
            return Err(too_much);
        }
        self.count(call, worker, kind, at);
        Ok(())
    }

    /// Counts a call that is in.
    fn count(&mut self, call: u64, worker: usize, kind: CallKind, at: Instant) {
        self.calls.insert(call, Admitted { worker, share: kind.share(), at });
    }

    /// How busy each thread was in the second before `at`.
    fn measured(&mut self, busy_shares: &[f64], at: Instant) {
        self.measured_at = Some(at);
        self.threads.resize(busy_shares.len(), Thread { busy_share: 0.0, factor: FACTOR_AT_FIRST });
        for (worker, busy_share) in busy_shares.iter().enumerate() {
            let calls = self.calls.values().filter(|call| call.worker == worker);
            let held: f64 = calls.map(|call| call.share * (1.0 - call.missing(Some(at)))).sum();
            let thread = &mut self.threads[worker];
            thread.busy_share = *busy_share;
            if held >= KNOWN_SHARE_MIN {
                let factor = (busy_share / held).clamp(FACTOR_MIN, FACTOR_MAX);
                let follows = if factor > thread.factor { 1.0 } else { FACTOR_FALLS };
                thread.factor += (factor - thread.factor) * follows;
            }
        }
    }
}

/// The forecast, shared by those who let calls in and those who measure.
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

    /// Counts a call that was not asked for from outside: it is in whatever it costs.
    pub(crate) fn count(&self, call: u64, worker: usize, kind: CallKind) {
        self.forecast().count(call, worker, kind, Instant::now());
    }

    /// The call is over.
    pub(crate) fn ended(&self, call: u64) {
        self.forecast().calls.remove(&call);
    }

    /// How busy each media thread was in the second before `at`.
    pub(crate) fn measured(&self, busy_shares: &[f64], at: Instant) {
        self.forecast().measured(busy_shares, at);
    }

    /// What was too much since this was last asked.
    pub(crate) fn take_refused(&self) -> Option<TooMuch> {
        self.forecast().refused.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_media::Codec;

    const HEAVY: CallKind = CallKind { codec: Codec::Pcmu, is_encrypted: false, noise_suppression: true };
    const LOOK: Duration = Duration::from_millis(250);

    /// A media thread on a machine where calls cost `factor` times what the table says, that is measured four times a second.
    struct Machine {
        forecast: Forecast,
        factor: f64,
        now: Instant,
        /// When each call came, and what it costs there.
        calls: Vec<(Instant, f64)>,
        looked_at: Instant,
    }

    impl Machine {
        fn new(factor: f64) -> Self {
            let now = Instant::now();
            Self { forecast: Forecast::default(), factor, now, calls: Vec::new(), looked_at: now }
        }

        /// What the thread has to do once all who are in talk.
        fn load(&self) -> f64 {
            self.calls.iter().map(|(_, share)| share).sum()
        }

        /// What was measured over the last second: a call's audio flows after 0.3 s.
        fn measured(&self) -> f64 {
            let parts = self.calls.iter().map(|(came, share)| {
                let age = self.now.duration_since(*came).saturating_sub(Duration::from_millis(300));
                share * age.as_secs_f64().min(1.0)
            });
            parts.sum::<f64>().min(1.0)
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
            if self.now.duration_since(self.looked_at) >= LOOK {
                self.looked_at = self.now;
                let measured = self.measured();
                self.forecast.measured(&[0.0, measured], self.now);
            }
        }

        /// Callers come until one is refused: then the load.
        fn fill(&mut self, a_second: u32, kind: CallKind) -> f64 {
            for _ in 0..100_000 {
                self.pass(Duration::from_secs(1) / a_second);
                let number = self.calls.len() as u64;
                if self.forecast.admit(number, 1, kind, self.now).is_err() {
                    return self.load();
                }
                self.calls.push((self.now, kind.share() * self.factor));
            }
            panic!("all were let in");
        }
    }

    #[test]
    fn callers_who_all_talk_do_not_give_a_thread_more_than_it_can_do() {
        for (a_second, factor) in
            [(5, 0.5), (5, 1.0), (5, 2.0), (20, 0.5), (20, 1.0), (20, 2.0), (50, 0.5), (50, 1.0)]
        {
            let mut machine = Machine::new(factor);
            let load = machine.fill(a_second, HEAVY);
            assert!(load <= 0.95, "{a_second} a second, factor {factor}: {load}");
            assert!(load >= 0.5, "{a_second} a second, factor {factor}: {load} is not much");
        }
    }

    #[test]
    fn callers_who_cost_little_are_let_in_where_many_who_listen_are_already() {
        let light = CallKind { codec: Codec::Pcmu, is_encrypted: false, noise_suppression: false };
        let mut machine = Machine::new(0.5);
        let load = machine.fill(200, light);
        assert!((0.75..0.95).contains(&load), "{load}");
        assert!(machine.calls.len() > 2500, "{} callers", machine.calls.len());
    }

    #[test]
    fn a_meeting_that_comes_at_once_is_let_in() {
        let opus = CallKind { codec: Codec::Opus, is_encrypted: true, noise_suppression: false };
        let mut forecast = Forecast::default();
        let now = Instant::now();
        for call in 0..350 {
            forecast.admit(call, 0, opus, now + Duration::from_millis(call)).expect("it is not too much");
        }
    }

    #[test]
    fn a_call_counts_from_when_it_is_let_in_and_no_more_once_it_is_over() {
        let mut forecast = Forecast::default();
        let now = Instant::now();
        let most = (BUSY_SHARE_MAX / (HEAVY.share() * FACTOR_AT_FIRST)) as u64;
        for call in 0..most {
            forecast.admit(call, 0, HEAVY, now).unwrap();
        }
        let too_much = forecast.admit(most, 0, HEAVY, now).unwrap_err();
        assert!(too_much.expected_share > BUSY_SHARE_MAX);
        assert_eq!(forecast.refused, Some(too_much));
        forecast.admit(most, 1, HEAVY, now).expect("another thread is idle");
        forecast.calls.remove(&0);
        forecast.admit(most + 1, 0, HEAVY, now).expect("one has left");
        // Once they are measured, what was measured counts: here they say nothing.
        forecast.measured(&[0.1, 0.0], now + Duration::from_secs(2));
        assert!((forecast.expected_share(0) - 0.1).abs() < 1e-9);
    }
}
