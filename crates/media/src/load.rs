//! How busy the media plane is: counted by its workers, read by others.

use crate::room::FRAME_NS;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A tick that begins this much after its time counts as late.
const LATE_NS: u64 = 2_000_000;

/// How busy the media plane is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaneLoad {
    /// One for each worker.
    pub workers: Vec<WorkerLoad>,
}

/// How busy a worker is; counted from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerLoad {
    /// Calls open.
    pub calls: u64,
    /// Ticks of rooms: 50 a second for each room.
    pub ticks: u64,
    /// Ticks that began more than 2 ms after their time.
    pub ticks_late: u64,
    /// Those among them that began more than a frame, 20 ms, after their time: some phones run out of audio by then.
    pub ticks_behind: u64,
    /// Ticks left out because the thread did not run for longer than 100 ms.
    pub ticks_skipped: u64,
    /// The latest any tick began, in microseconds.
    pub lateness_us_max: u64,
    /// Time spent in ticks, in microseconds.
    pub busy_us: u64,
}

/// A worker's load, read by others while it runs.
#[derive(Debug, Default)]
pub(crate) struct LoadCells {
    calls: AtomicU64,
    ticks: AtomicU64,
    ticks_late: AtomicU64,
    ticks_behind: AtomicU64,
    ticks_skipped: AtomicU64,
    lateness_us_max: AtomicU64,
    busy_ns: AtomicU64,
}

impl LoadCells {
    pub(crate) fn read(&self) -> WorkerLoad {
        WorkerLoad {
            calls: self.calls.load(Relaxed),
            ticks: self.ticks.load(Relaxed),
            ticks_late: self.ticks_late.load(Relaxed),
            ticks_behind: self.ticks_behind.load(Relaxed),
            ticks_skipped: self.ticks_skipped.load(Relaxed),
            lateness_us_max: self.lateness_us_max.load(Relaxed),
            busy_us: self.busy_ns.load(Relaxed) / 1000,
        }
    }

    pub(crate) fn set_calls(&self, calls: usize) {
        self.calls.store(calls as u64, Relaxed);
    }

    /// Ticks that are left out.
    pub(crate) fn add_skipped(&self, ticks: u64) {
        self.ticks_skipped.fetch_add(ticks, Relaxed);
    }

    /// Ticks of so many rooms, which began `late_ns` after their time and took `busy_ns` together.
    pub(crate) fn add_ticks(&self, rooms: u64, late_ns: u64, busy_ns: u64) {
        self.ticks.fetch_add(rooms, Relaxed);
        if late_ns > LATE_NS {
            self.ticks_late.fetch_add(rooms, Relaxed);
        }
        if late_ns > FRAME_NS {
            self.ticks_behind.fetch_add(rooms, Relaxed);
        }
        self.lateness_us_max.fetch_max(late_ns / 1000, Relaxed);
        self.busy_ns.fetch_add(busy_ns, Relaxed);
    }
}
