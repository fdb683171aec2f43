//! The load of the media plane: counted by its workers, read by other threads.

use crate::room::tick::FRAME_NS;
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

/// Upper bounds of the buckets of [`PlaneCounts::lateness`], in microseconds.
pub const LATENESS_BOUNDS_US: [u64; 8] = [500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];
/// Upper bounds of the buckets of [`PlaneCounts::jitter`], in microseconds.
pub const JITTER_BOUNDS_US: [u64; 8] = [1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000];
const BOUNDS: usize = 8;

/// What all workers have counted since their start. Packets, losses and jitter of a call are added each time a report of
/// it is due (every five seconds by default), and when it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaneCounts {
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Packets that were expected and never came.
    pub packets_lost: u64,
    /// Frames of 20 ms that were concealed.
    pub frames_concealed: u64,
    /// By how much ticks started late.
    pub lateness: Distribution,
    /// Interarrival jitter of calls, once for each report.
    pub jitter: Distribution,
}

/// Counted values of microseconds, by upper bounds that are known elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Distribution {
    /// How many were up to each bound and above the one before; the last ones are above all bounds.
    pub buckets: [u64; BOUNDS + 1],
    /// Their sum, in microseconds.
    pub sum_us: u64,
}

impl Distribution {
    pub(crate) fn add(&mut self, bounds: &[u64; BOUNDS], value_us: u64) {
        self.buckets[bucket(bounds, value_us)] += 1;
        self.sum_us += value_us;
    }

    fn join(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(ours, theirs)| *ours += theirs);
        self.sum_us += other.sum_us;
    }
}

fn bucket(bounds: &[u64; BOUNDS], value_us: u64) -> usize {
    bounds.iter().position(|bound| value_us <= *bound).unwrap_or(BOUNDS)
}

impl PlaneCounts {
    pub(crate) fn join(&mut self, other: &Self) {
        self.packets_received += other.packets_received;
        self.packets_sent += other.packets_sent;
        self.packets_lost += other.packets_lost;
        self.frames_concealed += other.frames_concealed;
        self.lateness.join(&other.lateness);
        self.jitter.join(&other.jitter);
    }
}

/// A [`Distribution`] that other threads read while it grows.
#[derive(Debug, Default)]
struct DistributionCells {
    buckets: [AtomicU64; BOUNDS + 1],
    sum_us: AtomicU64,
}

impl DistributionCells {
    fn add(&self, other: &Distribution) {
        for (cell, count) in self.buckets.iter().zip(other.buckets).filter(|(_, count)| *count > 0) {
            cell.fetch_add(count, Relaxed);
        }
        self.sum_us.fetch_add(other.sum_us, Relaxed);
    }

    fn read(&self) -> Distribution {
        Distribution {
            buckets: std::array::from_fn(|index| self.buckets[index].load(Relaxed)),
            sum_us: self.sum_us.load(Relaxed),
        }
    }
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
    packets_received: AtomicU64,
    packets_sent: AtomicU64,
    packets_lost: AtomicU64,
    frames_concealed: AtomicU64,
    lateness: DistributionCells,
    jitter: DistributionCells,
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

    pub(crate) fn counts(&self) -> PlaneCounts {
        PlaneCounts {
            packets_received: self.packets_received.load(Relaxed),
            packets_sent: self.packets_sent.load(Relaxed),
            packets_lost: self.packets_lost.load(Relaxed),
            frames_concealed: self.frames_concealed.load(Relaxed),
            lateness: self.lateness.read(),
            jitter: self.jitter.read(),
        }
    }

    /// Adds what calls have counted since the last time.
    pub(crate) fn add_counts(&self, counts: &PlaneCounts) {
        self.packets_received.fetch_add(counts.packets_received, Relaxed);
        self.packets_sent.fetch_add(counts.packets_sent, Relaxed);
        self.packets_lost.fetch_add(counts.packets_lost, Relaxed);
        self.frames_concealed.fetch_add(counts.frames_concealed, Relaxed);
        self.jitter.add(&counts.jitter);
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
        let late_us = late_ns / 1000;
        self.lateness.buckets[bucket(&LATENESS_BOUNDS_US, late_us)].fetch_add(rooms, Relaxed);
        self.lateness.sum_us.fetch_add(late_us * rooms, Relaxed);
        self.lateness_us_max.fetch_max(late_us, Relaxed);
        self.busy_ns.fetch_add(busy_ns, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_counted_by_how_late_they_started() {
        let cells = LoadCells::default();
        cells.add_ticks(3, 500_000, 1000);
        cells.add_ticks(1, 500_999, 1000);
        cells.add_ticks(2, 501_000, 1000);
        cells.add_ticks(1, 2_000_000_000, 1000);
        let lateness = cells.counts().lateness;
        assert_eq!(lateness.buckets, [4, 2, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(lateness.sum_us, 4 * 500 + 2 * 501 + 2_000_000);
        assert_eq!(lateness.buckets.iter().sum::<u64>(), cells.read().ticks);
    }
}
