//! What is counted where it happens.

use super::text::Observations;
use plenary_conference::Timestamp;
use plenary_store::WriterCounts;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

/// Upper bounds of durations of calls, in seconds.
const CALL_SECONDS: [f64; 10] = [5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0];
/// Upper bounds of mean opinion scores. 3.1 and 3.6: many, and some, are dissatisfied (ITU-T G.107, table B.1).
const MOS: [f64; 9] = [1.5, 2.0, 2.6, 3.1, 3.6, 4.0, 4.3, 4.4, 4.5];
/// Upper bounds of the time that the engine takes to answer, in seconds.
const ANSWER_SECONDS: [f64; 9] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0];
/// Upper bounds of the time until an event is in the log, in seconds. 0.05 is what docs/events.md promises.
const EVENT_SECONDS: [f64; 10] = [0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 1.0];

/// What is counted where it happens. None of it is a media thread's.
#[derive(Debug)]
pub(crate) struct Meters {
    /// Calls that are over, by direction and outcome.
    pub(super) calls: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    pub(super) call_seconds: Observations,
    pub(super) mos_narrowband: Observations,
    pub(super) mos_wideband: Observations,
    pub(super) engine_answer_seconds: Observations,
    /// By media thread.
    pub(super) busy_shares: Mutex<Vec<f64>>,
    pub(crate) wrong_pins: AtomicU64,
    pub(super) event_log_seconds: Observations,
    pub(crate) records: Arc<WriterCounts>,
    pub(crate) events: Arc<WriterCounts>,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            calls: Mutex::default(),
            call_seconds: Observations::new(&CALL_SECONDS),
            mos_narrowband: Observations::new(&MOS),
            mos_wideband: Observations::new(&MOS),
            engine_answer_seconds: Observations::new(&ANSWER_SECONDS),
            busy_shares: Mutex::default(),
            wrong_pins: AtomicU64::new(0),
            event_log_seconds: Observations::new(&EVENT_SECONDS),
            records: Arc::default(),
            events: Arc::default(),
        }
    }
}

impl Meters {
    /// A call is over, or was never taken.
    pub(crate) fn call_ended(&self, direction: &'static str, outcome: &'static str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry((direction, outcome)).or_default() += 1;
    }

    /// An answered call has lasted so long.
    pub(crate) fn call_lasted(&self, lasted: Duration) {
        self.call_seconds.add(lasted.as_secs_f64());
    }

    /// The score of an answered call as it ended.
    pub(crate) fn call_scored(&self, mos: f64, is_wideband: bool) {
        if is_wideband { &self.mos_wideband } else { &self.mos_narrowband }.add(mos);
    }

    pub(crate) fn engine_answered(&self, within: Duration) {
        self.engine_answer_seconds.add(within.as_secs_f64());
    }

    /// Events that happened at these times are in the log.
    pub(crate) fn events_written(&self, now: Timestamp, happened: impl Iterator<Item = Timestamp>) {
        self.event_log_seconds.add_all(happened.map(|at| now.0.saturating_sub(at.0) as f64 / 1000.0));
    }

    /// The share of its time that each media thread was at work of late.
    pub(crate) fn set_busy_shares(&self, shares: &[f64]) {
        let mut busy = self.busy_shares.lock().unwrap_or_else(PoisonError::into_inner);
        busy.clear();
        busy.extend_from_slice(shares);
    }
}
