//! When the packets of a tick leave.
//!
//! Each listener's packets should arrive 20 ms apart. Those of a large room leave in groups, and what precedes a
//! group never takes quite the same time: the network brought more, or another process had the processor. So a group
//! that is ready earlier than usual waits until its usual time. That costs listeners no more than they lose anyway in
//! the longest ticks, because their jitter buffers follow the latest packets.

/// Datagrams per group.
pub(crate) const GROUP: usize = 192;
/// A group never waits for longer than this.
const HOLD_NS_MAX: u64 = 2_000_000;
/// Shorter waits are not worth a wake-up.
const HOLD_NS_MIN: u64 = 150_000;
/// The usual time moves towards a later one by a sixteenth, and towards an earlier one by a part of 512, so most
/// ticks keep it.
const GROWS: u64 = 16;
const SHRINKS: u64 = 512;

/// The usual time of each group of a phase, in nanoseconds after the tick was due.
#[derive(Debug, Default)]
pub(crate) struct Departures {
    usual_ns: Vec<u64>,
}

impl Departures {
    /// Prepares for a tick of this many datagrams. False if they are too few to be held.
    pub(crate) fn begin(&mut self, datagrams: usize) -> bool {
        if datagrams <= GROUP {
            self.usual_ns.clear();
            return false;
        }
        true
    }

    /// How long a group waits that is ready this long after the tick was due.
    pub(crate) fn hold_ns(&mut self, group: usize, ready_ns: u64) -> u64 {
        let Some(usual_ns) = self.usual_ns.get_mut(group) else {
            self.usual_ns.push(ready_ns);
            return 0;
        };
        if ready_ns >= *usual_ns {
            // A stall is not usual.
            *usual_ns += (ready_ns - *usual_ns).min(HOLD_NS_MAX) / GROWS;
            return 0;
        }
        let early_ns = *usual_ns - ready_ns;
        *usual_ns -= early_ns / SHRINKS;
        match early_ns.min(HOLD_NS_MAX) {
            hold_ns if hold_ns >= HOLD_NS_MIN => hold_ns,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u64 = 1000;

    /// The departure times of a group, by when it was ready.
    fn leaves(departures: &mut Departures, ready_ns: impl Iterator<Item = u64>) -> Vec<u64> {
        ready_ns.map(|ready_ns| ready_ns + departures.hold_ns(0, ready_ns)).collect()
    }

    #[test]
    fn an_uneven_group_leaves_evenly() {
        // Between 1 and 2.5 ms.
        let ready = |count: u64| (0..count).map(|tick| (1000 + tick * 7919 % 1500) * US);
        let mut departures = Departures::default();
        assert!(departures.begin(GROUP + 1));
        leaves(&mut departures, ready(500));
        let times = leaves(&mut departures, ready(1000));
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(most - least < 400 * US, "{least} to {most}");
        assert!(*most < 2500 * US, "no group waits longer than the latest was ready: {most}");
    }

    #[test]
    fn a_stall_is_forgotten_soon_and_no_group_waits_long() {
        let mut departures = Departures::default();
        leaves(&mut departures, std::iter::repeat_n(1000 * US, 100));
        let times = leaves(&mut departures, [500_000 * US, 1000 * US].into_iter());
        assert_eq!(times[0], 500_000 * US);
        assert!(times[1] <= 1000 * US + HOLD_NS_MAX / GROWS, "{times:?}");
    }

    #[test]
    fn small_rooms_leave_when_they_are_ready() {
        let mut departures = Departures::default();
        departures.begin(GROUP + 1);
        leaves(&mut departures, [5000 * US].into_iter());
        assert!(!departures.begin(GROUP));
        assert_eq!(leaves(&mut departures, [1000 * US].into_iter()), [1000 * US]);
    }
}
