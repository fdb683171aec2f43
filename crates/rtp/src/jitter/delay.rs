//! Packet delays, relative to each other.

/// Packets per bucket; the buckets cover ten seconds of 20 ms packets.
const BUCKET_PACKETS: u32 = 32;
const BUCKETS: usize = 16;
/// Packets that are late together stay in one bucket, up to this size.
const BUCKET_PACKETS_MAX: u32 = 128;
/// With this many buckets the latest packets of one of them may exceed [`DelayWindow::needed_ns`].
const BUCKETS_FOR_OUTLIER: u32 = 8;
/// Many streams begin unevenly: callers join all at once, a telephone has other things to do. What was late among the first
/// two seconds of packets and not since then is forgotten after five, and not when it leaves the window.
const PACKETS_OF_START: u32 = 100;
const PACKETS_UNTIL_START_IS_FORGOTTEN: u32 = 256;
/// The fastest of this many packets, and of up to as many before them, is the present length of the path.
const RECENT_PACKETS: u32 = 16;
/// If all recent packets are faster by this much than any before them, the path has become shorter.
const SHORTER_NS: i64 = 10_000_000;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    latest: i64,
    earliest: i64,
}

const EMPTY: Bucket = Bucket { latest: i64::MIN, earliest: i64::MAX };

/// The delays of the last few hundred packets, relative to a constant arbitrary zero: arrival minus the time that the
/// sender's clock gives the packet. Network jitter widens their range, clock drift moves it slowly.
///
/// Packets are late in groups: if a path stalls, everything held back is late at once. So the window counts how often
/// that happens, not how many packets it makes late.
#[derive(Debug, Clone)]
pub(super) struct DelayWindow {
    /// The bucket being filled, and the others together. What every packet reads is adjacent.
    filling: Bucket,
    /// The latest of the others, and the latest of those in another bucket than that.
    latest: [i64; 2],
    others_earliest: i64,
    in_filling: u32,
    /// A packet in the current bucket was later than needed, and those after it are not.
    was_late: bool,
    filled: u32,
    /// Packets so far, up to the number after which the start is forgotten, and the bucket in which it ended.
    packets: u32,
    start_ends: usize,
    needed: i64,
    earliest: i64,
    /// The fastest of the last packets, and of those before them.
    recent: [i64; 2],
    /// The latest of the last packets.
    recent_latest: i64,
    /// The fastest of all before the last packets, and of all before as many more.
    earliest_before: [i64; 2],
    in_recent: u32,
    buckets: [Bucket; BUCKETS],
    current: usize,
}

impl DelayWindow {
    pub(super) fn new() -> Self {
        Self {
            filling: EMPTY,
            latest: [i64::MIN; 2],
            others_earliest: i64::MAX,
            in_filling: 0,
            was_late: false,
            filled: 0,
            packets: 0,
            start_ends: 0,
            needed: i64::MIN,
            earliest: i64::MAX,
            recent: [i64::MAX; 2],
            recent_latest: i64::MIN,
            earliest_before: [i64::MAX; 2],
            in_recent: 0,
            buckets: [EMPTY; BUCKETS],
            current: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_filling == 0
    }

    /// `is_newest`: no later packet has arrived yet. Others say nothing about the present path.
    pub(super) fn add(&mut self, delay_ns: i64, is_newest: bool) {
        // Packets that are late together are in one bucket.
        let ends = delay_ns <= self.latest[1] || self.filled < 2 || self.in_filling >= BUCKET_PACKETS_MAX;
        let is_late_again = self.was_late && delay_ns > self.needed;
        if is_late_again || self.in_filling >= BUCKET_PACKETS && ends {
            self.begin_bucket();
        }
        self.in_filling += 1;
        self.filling.earliest = self.filling.earliest.min(delay_ns);
        self.filling.latest = self.filling.latest.max(delay_ns);
        self.was_late = self.filling.latest > self.needed && delay_ns <= self.needed;

        if self.packets < PACKETS_UNTIL_START_IS_FORGOTTEN {
            self.count_start();
        }
        if is_newest {
            self.add_recent(delay_ns);
        }
        self.earliest = self.filling.earliest.min(self.others_earliest);
        let mut latest = self.latest;
        insert(&mut latest, self.filling.latest);
        // If no packet is fast any more, the path has become longer.
        self.needed = latest[usize::from(self.filled >= BUCKETS_FOR_OUTLIER)].max(self.recent_earliest_ns());
    }

    fn add_recent(&mut self, delay_ns: i64) {
        if self.in_recent == RECENT_PACKETS {
            self.follow_shorter_path();
            (self.recent, self.in_recent) = ([i64::MAX, self.recent[0]], 0);
            self.recent_latest = i64::MIN;
            self.earliest_before = [self.earliest, self.earliest_before[0]];
        }
        self.recent_latest = self.recent_latest.max(delay_ns);
        self.in_recent += 1;
        self.recent[0] = self.recent[0].min(delay_ns);
    }

    /// Counts a packet of the first seconds, and at their end forgets what was late at the very start.
    fn count_start(&mut self) {
        self.packets += 1;
        if self.packets == PACKETS_OF_START {
            self.start_ends = self.current;
        }
        // With more buckets than these the first ones are in use again.
        if self.packets == PACKETS_UNTIL_START_IS_FORGOTTEN && self.filled < BUCKETS as u32 {
            self.buckets[..self.start_ends].iter_mut().for_each(|bucket| bucket.latest = i64::MIN);
            self.count_others();
        }
    }

    /// Drops the oldest bucket and fills it anew.
    fn begin_bucket(&mut self) {
        self.buckets[self.current] = std::mem::replace(&mut self.filling, EMPTY);
        self.current = (self.current + 1) % BUCKETS;
        self.buckets[self.current] = EMPTY;
        (self.in_filling, self.was_late) = (0, false);
        self.filled = (self.filled + 1).min(BUCKETS as u32);
        self.count_others();
    }

    fn count_others(&mut self) {
        (self.latest, self.others_earliest) = ([i64::MIN; 2], i64::MAX);
        for bucket in &self.buckets {
            self.others_earliest = self.others_earliest.min(bucket.earliest);
            insert(&mut self.latest, bucket.latest);
        }
    }

    /// The delay of the latest packet that has to be played in time. One group that was late once is excluded.
    pub(super) fn needed_ns(&self) -> i64 {
        self.needed
    }

    /// The delay of the fastest of the last 16 to 32 packets.
    pub(super) fn recent_earliest_ns(&self) -> i64 {
        let recent = self.recent[0].min(self.recent[1]);
        if recent == i64::MAX { self.earliest } else { recent }
    }

    /// Starts measuring the present length of the path anew.
    pub(super) fn forget_recent(&mut self) {
        (self.recent, self.in_recent) = ([i64::MAX; 2], 0);
        self.recent_latest = i64::MIN;
        self.earliest_before = [self.earliest, self.earliest_before[0]];
    }

    /// If all recent packets are faster than any before, the path has become shorter. The spread of delays stays as
    /// it was.
    fn follow_shorter_path(&mut self) {
        let before_ns = self.earliest_before[1];
        if before_ns == i64::MAX || self.recent_latest >= before_ns - SHORTER_NS {
            return;
        }
        let shorter_ns = before_ns - self.recent[0];
        for bucket in &mut self.buckets {
            for delay in [&mut bucket.latest, &mut bucket.earliest] {
                if (before_ns..i64::MAX).contains(delay) {
                    *delay -= shorter_ns;
                }
            }
        }
        self.filling = Bucket { latest: self.recent_latest, earliest: self.recent[0] };
        self.count_others();
    }

    /// The fastest packet's delay.
    pub(super) fn earliest_ns(&self) -> i64 {
        self.earliest
    }
}

/// Keeps `latest` sorted, latest first.
pub(super) fn insert<const RANKS: usize>(latest: &mut [i64; RANKS], delay: i64) {
    let Some(place) = latest.iter().position(|&other| delay > other) else { return };
    latest[place..].rotate_right(1);
    latest[place] = delay;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packets_count_in_full_and_later_what_is_late_once_does_not() {
        let mut window = DelayWindow::new();
        window.add(5, true);
        assert_eq!(window.needed_ns(), 5);
        for packet in 1..300 {
            window.add(if packet == 150 { 5 } else { 1 }, true);
        }
        for late in [900, 800, 700, 600] {
            window.add(late, true);
        }
        assert_eq!(window.needed_ns(), 5, "late once");
        for _ in 0..100 {
            window.add(1, true);
        }
        window.add(650, true);
        assert_eq!(window.needed_ns(), 650, "late twice is the network");
    }

    #[test]
    fn what_is_late_together_counts_once_wherever_it_begins() {
        for before in 300..300 + 2 * BUCKET_PACKETS {
            let mut window = DelayWindow::new();
            for _ in 0..before {
                window.add(1, true);
            }
            for late in (1..20).rev() {
                window.add(100 * late, true);
            }
            for _ in 0..64 {
                window.add(1, true);
            }
            assert_eq!(window.needed_ns(), 1, "after {before}");
        }
    }

    #[test]
    fn a_path_that_becomes_shorter_is_followed_within_48_packets_and_keeps_its_jitter() {
        const MS: i64 = 1_000_000;
        let mut window = DelayWindow::new();
        let jitter = |packet: i64| packet * 7 % 20 * MS;
        for packet in 0..407 {
            window.add(300 * MS + jitter(packet), true);
        }
        assert_eq!((window.earliest_ns(), window.needed_ns()), (300 * MS, 319 * MS));
        for packet in 0..48 {
            window.add(jitter(packet), true);
        }
        assert_eq!((window.earliest_ns(), window.needed_ns()), (0, 19 * MS));
    }

    #[test]
    fn what_was_late_at_the_very_start_only_is_forgotten_after_five_seconds() {
        for (late_until, needed_after_six_seconds) in [(90, 1), (200, 17)] {
            let mut window = DelayWindow::new();
            let delay = |packet: u32| if packet < late_until && packet % 7 == 6 { 17 } else { 1 };
            (0..250).for_each(|packet| window.add(delay(packet), true));
            assert_eq!(window.needed_ns(), 17, "late until {late_until}");
            (250..300).for_each(|packet| window.add(delay(packet), true));
            assert_eq!(window.needed_ns(), needed_after_six_seconds, "late until {late_until}");
            // What is late later counts as ever.
            window.add(15, true);
            (0..40).for_each(|_| window.add(1, true));
            window.add(15, true);
            assert!(window.needed_ns() >= 15);
        }
    }

    #[test]
    fn old_delays_are_forgotten() {
        let mut window = DelayWindow::new();
        for _ in 0..10 {
            window.add(100, true);
            window.add(-100, true);
        }
        for _ in 0..BUCKET_PACKETS * (BUCKETS as u32 + 2) {
            window.add(3, true);
        }
        assert_eq!((window.needed_ns(), window.earliest_ns()), (3, 3));
    }
}
