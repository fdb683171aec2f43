//! The load of the media plane: counted by its workers, read by other threads.

use crate::room::FRAME_NS;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A tick that starts later than this after its time counts as late.
const LATE_NS: u64 = 2_000_000;

/// The load of the media plane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaneLoad {
    /// By worker; see [`MediaHandle::worker_of`](crate::MediaHandle::worker_of).
    pub workers: Vec<WorkerLoad>,
}

/// The load of a worker, counted from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerLoad {
    /// Calls open.
    pub calls: u64,
    /// Ticks of rooms: 50 a second for each room.
    pub ticks: u64,
    /// Ticks that started more than 2 ms after their time.
    pub ticks_late: u64,
    /// Ticks that started more than a frame, 20 ms, after their time: some telephones run out of audio by then.
    pub ticks_behind: u64,
    /// Ticks skipped because the thread did not run for more than 100 ms.
    pub ticks_skipped: u64,
    /// The longest time by which a tick started late, in microseconds.
    pub lateness_us_max: u64,
    /// Time spent in ticks, in microseconds.
    pub busy_us: u64,
}

/// A worker's load, which other threads read while it runs.
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

    /// Counts skipped ticks.
    pub(crate) fn add_skipped(&self, ticks: u64) {
        self.ticks_skipped.fetch_add(ticks, Relaxed);
    }

    /// Counts a tick of this many rooms, which started `late_ns` after its time and took `busy_ns`.
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
