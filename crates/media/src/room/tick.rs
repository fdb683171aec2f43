//! The time of a tick.

/// Time between two ticks.
pub(crate) const FRAME_NS: u64 = 20_000_000;

/// The time of a tick on both clocks: the monotonic one counts, the calendar's goes into RTCP reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) now_ns: u64,
    pub(crate) wall_ns: u64,
}

impl Tick {
    /// The calendar time when the monotonic clock showed `at_ns`.
    pub(super) fn wall_ns_at(self, at_ns: u64) -> u64 {
        (self.wall_ns + at_ns).saturating_sub(self.now_ns)
    }
}
