//! The sender's clock: which timestamps go on from which, and when each of them is by the local clock.

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

    /// `timestamp` is now.
    pub(super) fn tie(&mut self, timestamp: i64, at_ns: i64) {
        (self.timestamp, self.at_ns) = (timestamp, at_ns);
    }

    /// When the sender's clock would show `timestamp` if it ran like ours and the packet that it was tied to had taken no
    /// time.
    pub(super) fn time_of(&self, timestamp: i64) -> i64 {
        self.at_ns + self.ns(timestamp - self.timestamp)
    }

    /// So long are `units` of the RTP clock.
    pub(super) fn ns(&self, units: i64) -> i64 {
        units * 1_000_000_000 / self.clock_rate
    }

    /// So many units of the RTP clock pass in `ns`, which is less than an hour.
    pub(super) fn units(&self, ns: i64) -> i64 {
        (i128::from(ns) * i128::from(self.clock_rate) / 1_000_000_000) as i64
    }

    /// Every timestamp is so much later than was thought.
    pub(super) fn shift(&mut self, ns: i64) {
        self.at_ns += ns;
    }

    /// Moves the tie along by whole seconds, so that the product above never overflows. Changes no result.
    pub(super) fn follow(&mut self, timestamp: i64) {
        let seconds = (timestamp - self.timestamp) / self.clock_rate;
        if seconds.abs() > 3600 {
            self.timestamp += seconds * self.clock_rate;
            self.at_ns += seconds * 1_000_000_000;
        }
    }
}

/// The timestamps of a stream without their wraps, and without the steps that a sender makes in mid-stream where
/// it goes over to another time base.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamps {
    /// The newest packet of audio: as it is counted here, and as it is on the wire.
    pub(super) newest: i64,
    wire: u32,
    /// The first number of the time base that holds, and how much later its timestamps count here than those
    /// before it would have.
    since: i64,
    step: i64,
}

impl Stamps {
    pub(super) fn new() -> Self {
        Self { newest: 0, wire: 0, since: i64::MIN, step: 0 }
    }

    /// A stream begins.
    pub(super) fn begin(&mut self, wire: u32) {
        // Far from zero, so that packets before the first one have stamps too.
        *self = Self { newest: i64::from(wire) + (1 << 40), wire, ..Self::new() };
    }

    /// Where the timestamp of packet `sequence` is, were there no other step than those that are known.
    pub(super) fn place(&self, sequence: i64, wire: u32) -> i64 {
        let here = self.newest + i64::from(wire.wrapping_sub(self.wire) as i32);
        if sequence < self.since { here - self.step } else { here }
    }

    /// From number `since` on timestamps count `step` later than [`Self::place`] said.
    pub(super) fn step(&mut self, since: i64, step: i64) {
        (self.since, self.step) = (since, step);
    }

    /// The newest packet of audio.
    pub(super) fn advance(&mut self, newest: i64, wire: u32) {
        (self.newest, self.wire) = (newest, wire);
    }

    /// On the wire, the timestamp `units` after the newest.
    pub(super) fn wire_after(&self, units: i64) -> u32 {
        self.wire.wrapping_add(units as u32)
    }
}
