//! The packet index that a 16-bit sequence number stands for, and replay detection (RFC 3711, 3.3.1 and 3.3.2).

/// Tracks the 48-bit index of an SSRC's packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rollover {
    /// The highest index so far.
    highest: Option<u64>,
}

impl Rollover {
    pub(super) fn new() -> Self {
        Self { highest: None }
    }

    /// The index that a sequence number most likely stands for: the nearest to the latest one.
    pub(super) fn index_of(&self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else { return u64::from(sequence) };
        let difference = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        // Before the very first packet there is none: then it is one after a full cycle.
        highest.checked_add_signed(difference).unwrap_or(u64::from(sequence))
    }

    pub(super) fn advance(&mut self, index: u64) {
        if self.highest.is_none_or(|highest| index > highest) {
            self.highest = Some(index);
        }
    }
}

/// Size of the replay window in packets.
const WINDOW: u64 = 128;

/// Records which of the latest packets have been received.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Replay {
    highest: u64,
    /// Bit n: the packet n before the highest has been received.
    seen: u128,
}

impl Replay {
    /// It is a replay, or too old for the window to know.
    pub(super) fn has_come(&self, index: u64) -> bool {
        if self.seen == 0 || index > self.highest {
            return false;
        }
        let back = self.highest - index;
        back >= WINDOW || self.seen >> back & 1 == 1
    }

    pub(super) fn remember(&mut self, index: u64) {
        if self.seen == 0 || index > self.highest {
            let ahead = if self.seen == 0 { WINDOW } else { index - self.highest };
            self.seen = if ahead >= WINDOW { 0 } else { self.seen << ahead };
            self.seen |= 1;
            self.highest = index;
        } else if self.highest - index < WINDOW {
            self.seen |= 1 << (self.highest - index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_turns_over_and_looks_back() {
        let mut rollover = Rollover::new();
        for (sequence, index) in
            [(65_534, 65_534), (65_535, 65_535), (1, 65_537), (0, 65_536), (65_533, 65_533)]
        {
            assert_eq!(rollover.index_of(sequence), index);
            rollover.advance(index);
        }
        assert_eq!(rollover.index_of(40_000), 40_000, "nearer behind than ahead");
        assert_eq!(rollover.index_of(2), 65_538);
    }

    #[test]
    fn a_window_of_128_knows_what_came() {
        let mut replay = Replay::default();
        assert!(!replay.has_come(1000));
        replay.remember(1000);
        assert!(replay.has_come(1000) && !replay.has_come(999) && !replay.has_come(1001));
        replay.remember(1100);
        replay.remember(999);
        assert!(replay.has_come(1000) && replay.has_come(999) && !replay.has_come(998));
        replay.remember(1127);
        assert!(replay.has_come(999), "too old to tell");
        assert!(replay.has_come(1000) && !replay.has_come(1001));
        replay.remember(5000);
        assert!(replay.has_come(1127) && !replay.has_come(4999));
    }
}
