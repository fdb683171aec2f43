//! The sender's clock: which timestamps continue which, and their local times.

/// Ties the stream's timestamps to the local clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeline {
    timestamp: i64,
    at_ns: i64,
    clock_rate: i64,
}

impl Timeline {
    pub(super) fn new(clock_rate: u32) -> Self {
        Self { timestamp: 0, at_ns: 0, clock_rate: i64::from(clock_rate) }
    }

    /// Ties `timestamp` to the local time `at_ns`.
    pub(super) fn tie(&mut self, timestamp: i64, at_ns: i64) {
        (self.timestamp, self.at_ns) = (timestamp, at_ns);
    }

    /// The local time at which the sender's clock would show `timestamp` if it ran like ours and the tied packet had
    /// taken no time.
    pub(super) fn time_of(&self, timestamp: i64) -> i64 {
        self.at_ns + self.ns(timestamp - self.timestamp)
    }

    /// Duration of `units` of the RTP clock.
    pub(super) fn ns(&self, units: i64) -> i64 {
        units * 1_000_000_000 / self.clock_rate
    }

    /// RTP clock units in `ns`, which is less than an hour.
    pub(super) fn units(&self, ns: i64) -> i64 {
        (i128::from(ns) * i128::from(self.clock_rate) / 1_000_000_000) as i64
    }

    /// Moves every timestamp to this much later.
    pub(super) fn shift(&mut self, ns: i64) {
        self.at_ns += ns;
    }

    /// Advances the tie by whole seconds, so that the product above never overflows. Changes no result.
    pub(super) fn follow(&mut self, timestamp: i64) {
        let seconds = (timestamp - self.timestamp) / self.clock_rate;
        if seconds.abs() > 3600 {
            self.timestamp += seconds * self.clock_rate;
            self.at_ns += seconds * 1_000_000_000;
        }
    }
}

/// The timestamps of a stream, extended over wraps, and without the steps that a sender makes in mid-stream when it
/// changes to another time base.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamps {
    /// The newest audio packet: its extended timestamp, and the one on the wire.
    pub(super) newest: i64,
    wire: u32,
    /// The first number of the present time base, and how much later its timestamps count here than those before it
    /// would have.
    since: i64,
    step: i64,
}

impl Stamps {
    pub(super) fn new() -> Self {
        Self { newest: 0, wire: 0, since: i64::MIN, step: 0 }
    }

    /// A stream begins.
    pub(super) fn begin(&mut self, wire: u32) {
        // Far from zero, so that packets before the first one have timestamps too.
        *self = Self { newest: i64::from(wire) + (1 << 40), wire, ..Self::new() };
    }

    /// The extended timestamp of packet `sequence`, without steps other than the known ones.
    pub(super) fn place(&self, sequence: i64, wire: u32) -> i64 {
        let here = self.newest + i64::from(wire.wrapping_sub(self.wire) as i32);
        if sequence < self.since { here - self.step } else { here }
    }

    /// From number `since` on timestamps count `step` later than [`Self::place`] said.
    pub(super) fn step(&mut self, since: i64, step: i64) {
        (self.since, self.step) = (since, step);
    }

    /// Records the newest audio packet.
    pub(super) fn advance(&mut self, newest: i64, wire: u32) {
        (self.newest, self.wire) = (newest, wire);
    }

    /// The timestamp on the wire `units` after the newest.
    pub(super) fn wire_after(&self, units: i64) -> u32 {
        self.wire.wrapping_add(units as u32)
    }
}
