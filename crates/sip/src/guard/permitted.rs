//! Addresses where a known caller was permitted of late: more callers than those that fail are behind them.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// For so long the neighbours of a caller who was permitted cannot have the address banned. A telephone registers at least every
/// hour; offices close at night.
pub const PERMITTED_FOR: Duration = Duration::from_secs(24 * 3600);
/// After so long a further success is written down again. What a restart forgets of [`PERMITTED_FOR`] is at most this.
const NOTED_AGAIN: Duration = Duration::from_secs(6 * 3600);
/// Addresses tracked at a time. Beyond that, those with the oldest successes are forgotten.
const ADDRESSES_MAX: usize = 100_000;

/// The addresses.
#[derive(Debug, Default)]
pub(super) struct Permitted {
    of: BTreeMap<IpAddr, Known>,
}

/// An address with a known caller.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    until: Duration,
    /// The same by what is written down.
    noted_until: Duration,
}

impl Permitted {
    pub(super) fn includes(&self, source: IpAddr, now: Duration) -> bool {
        self.of.get(&source).is_some_and(|known| now <= known.until)
    }

    /// A caller there was permitted. True: it is to be written down.
    pub(super) fn add(&mut self, source: IpAddr, now: Duration) -> bool {
        let until = now + PERMITTED_FOR;
        let known = self.entry(source, now);
        known.until = until;
        let is_news = until.saturating_sub(known.noted_until) >= NOTED_AGAIN;
        if is_news {
            known.noted_until = until;
        }
        is_news
    }

    /// A caller there was permitted so long ago, as it was written down.
    pub(super) fn remember(&mut self, source: IpAddr, ago: Duration, now: Duration) {
        let Some(left) = PERMITTED_FOR.checked_sub(ago) else { return };
        let until = now + left;
        let known = self.entry(source, now);
        known.until = known.until.max(until);
        known.noted_until = known.noted_until.max(until);
    }

    fn entry(&mut self, source: IpAddr, now: Duration) -> &mut Known {
        if self.of.len() >= ADDRESSES_MAX && !self.of.contains_key(&source) {
            self.of.retain(|_, known| now <= known.until);
            if self.of.len() >= ADDRESSES_MAX {
                let mut ends: Vec<Duration> = self.of.values().map(|known| known.until).collect();
                let median = *ends.select_nth_unstable(ADDRESSES_MAX / 2).1;
                self.of.retain(|_, known| known.until > median);
            }
        }
        self.of.entry(source).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const START: Duration = Duration::from_secs(1);

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(0xc000_0200 + n))
    }

    #[test]
    fn an_address_is_known_for_a_day_and_its_successes_are_written_down_every_six_hours() {
        let mut permitted = Permitted::default();
        let noted: Vec<u32> = (0..24).filter(|hour| permitted.add(ip(1), START + HOUR * *hour)).collect();
        assert_eq!(noted, [0, 6, 12, 18]);
        let last = START + HOUR * 23;
        assert!(permitted.includes(ip(1), last + PERMITTED_FOR) && !permitted.includes(ip(2), last));
        assert!(!permitted.includes(ip(1), last + PERMITTED_FOR + Duration::from_millis(1)));
    }

    #[test]
    fn what_was_written_down_counts_after_a_restart_for_what_is_left_of_the_day() {
        let mut permitted = Permitted::default();
        permitted.remember(ip(1), HOUR * 20, START);
        permitted.remember(ip(2), PERMITTED_FOR + HOUR, START);
        assert!(permitted.includes(ip(1), START + HOUR * 4) && !permitted.includes(ip(1), START + HOUR * 5));
        assert!(!permitted.includes(ip(2), START), "that is too long ago");
        // A success of 20 hours ago is on record, so this one is news; one within six hours would not be.
        assert!(permitted.add(ip(1), START));
        permitted.remember(ip(3), HOUR * 5, START);
        assert!(!permitted.add(ip(3), START) && permitted.includes(ip(3), START + PERMITTED_FOR));
        assert!(permitted.add(ip(3), START + HOUR));
        // What is read late takes nothing back.
        permitted.remember(ip(3), HOUR * 20, START + HOUR);
        assert!(permitted.includes(ip(3), START + HOUR + PERMITTED_FOR));
    }

    #[test]
    fn memory_is_bounded_and_the_latest_stay() {
        let mut permitted = Permitted::default();
        for n in 0..250_000 {
            permitted.add(ip(n), Duration::from_millis(u64::from(n)));
            assert!(permitted.of.len() <= ADDRESSES_MAX);
        }
        let now = Duration::from_millis(249_999);
        assert!((225_000..250_000).all(|n| permitted.includes(ip(n), now)));
    }
}
