//! How late packets come, compared with each other.

/// Packets in a bucket and buckets in the window: the past 256 packets, five seconds of 20 ms packets.
const BUCKET_PACKETS: u32 = 32;
const BUCKETS: usize = 8;
/// In this many packets one may come later than [`DelayWindow::needed_ns`] says.
const PACKETS_PER_OUTLIER: u32 = 96;
/// The quickest of this many packets, and of up to as many before them, says how long the path is now.
const RECENT_PACKETS: u32 = 16;
/// Outliers that are remembered, and so can be passed over.
const RANKS: usize = 3;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// The latest arrivals, latest first.
    latest: [i64; RANKS],
    earliest: i64,
}

const EMPTY: Bucket = Bucket { latest: [i64::MIN; RANKS], earliest: i64::MAX };

/// The delays of the last few hundred packets, relative to an arbitrary zero that stays the same: arrival
/// minus the moment the sender's own clock gives to the packet. Network jitter widens their range, clock
/// drift moves it slowly.
#[derive(Debug, Clone)]
pub(super) struct DelayWindow {
    /// The bucket that is being filled, and the others together: what every packet looks at lies together.
    filling: Bucket,
    others: Bucket,
    in_current: u32,
    packets: u32,
    needed: i64,
    earliest: i64,
    /// The quickest of the last packets, and of those before them.
    recent: [i64; 2],
    in_recent: u32,
    buckets: [Bucket; BUCKETS],
    current: usize,
}

impl DelayWindow {
    pub(super) fn new() -> Self {
        Self {
            filling: EMPTY,
            others: EMPTY,
            in_current: 0,
            packets: 0,
            needed: i64::MIN,
            earliest: i64::MAX,
            recent: [i64::MAX; 2],
            in_recent: 0,
            buckets: [EMPTY; BUCKETS],
            current: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets == 0
    }

    pub(super) fn add(&mut self, delay_ns: i64) {
        if self.in_current == BUCKET_PACKETS {
            self.begin_bucket();
        }
        self.in_current += 1;
        self.packets = (self.packets + 1).min(BUCKET_PACKETS * BUCKETS as u32);
        self.filling.earliest = self.filling.earliest.min(delay_ns);
        insert(&mut self.filling.latest, delay_ns);

        if self.in_recent == RECENT_PACKETS {
            (self.recent, self.in_recent) = ([i64::MAX, self.recent[0]], 0);
        }
        self.in_recent += 1;
        self.recent[0] = self.recent[0].min(delay_ns);

        self.earliest = self.filling.earliest.min(self.others.earliest);
        let mut latest = self.others.latest;
        insert_all(&mut latest, &self.filling.latest);
        let rank = (self.packets / PACKETS_PER_OUTLIER) as usize;
        self.needed = latest[rank.min(RANKS - 1)];
    }

    /// The oldest bucket is forgotten and filled anew.
    fn begin_bucket(&mut self) {
        self.buckets[self.current] = std::mem::replace(&mut self.filling, EMPTY);
        self.current = (self.current + 1) % BUCKETS;
        self.buckets[self.current] = EMPTY;
        self.in_current = 0;
        self.others = EMPTY;
        for bucket in &self.buckets {
            self.others.earliest = self.others.earliest.min(bucket.earliest);
            insert_all(&mut self.others.latest, &bucket.latest);
        }
    }

    /// A packet that is to be heard in time, like all but about one in a hundred before it, may be this late.
    pub(super) fn needed_ns(&self) -> i64 {
        self.needed
    }

    /// The delay of the quickest of the last packets, 16 to 32 of them.
    pub(super) fn recent_earliest_ns(&self) -> i64 {
        self.recent[0].min(self.recent[1])
    }

    /// How long the path is now is measured anew.
    pub(super) fn forget_recent(&mut self) {
        (self.recent, self.in_recent) = ([i64::MAX; 2], 0);
    }

    /// The quickest packet's delay.
    pub(super) fn earliest_ns(&self) -> i64 {
        self.earliest
    }
}

/// Keeps `latest` sorted, latest first. False: `delay` is not among them.
pub(super) fn insert(latest: &mut [i64; RANKS], delay: i64) -> bool {
    let Some(place) = latest.iter().position(|&other| delay > other) else { return false };
    latest[place..].rotate_right(1);
    latest[place] = delay;
    true
}

/// Keeps the latest of both in `latest`.
fn insert_all(latest: &mut [i64; RANKS], others: &[i64; RANKS]) {
    for &delay in others {
        if !insert(latest, delay) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packets_count_in_full_and_later_single_stragglers_do_not() {
        let mut window = DelayWindow::new();
        window.add(5);
        assert_eq!(window.needed_ns(), 5);
        for _ in 0..250 {
            window.add(1);
        }
        window.add(900);
        window.add(800);
        assert_eq!(window.needed_ns(), 5, "two in 250 are stragglers");
        window.add(700);
        assert_eq!(window.needed_ns(), 700, "three are the network");
    }

    #[test]
    fn old_delays_are_forgotten() {
        let mut window = DelayWindow::new();
        for _ in 0..10 {
            window.add(100);
            window.add(-100);
        }
        for _ in 0..BUCKET_PACKETS * BUCKETS as u32 {
            window.add(3);
        }
        assert_eq!((window.needed_ns(), window.earliest_ns()), (3, 3));
    }
}
