//! Callers who were permitted of late, by address: a ban that their neighbours caused does not apply to them. What admitted them may
//! prove nothing to others, such as an access key that stands in the source of a page. A scanner gains only the call that it
//! may make anyway.

use super::{caller::Caller, permitted::PERMITTED_FOR};
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// Callers of an address. Beyond that, the one with the oldest success is forgotten.
const OF_ADDRESS_MAX: usize = 64;
/// Callers of all addresses. Beyond that, the older half is forgotten.
const CALLERS_MAX: usize = 200_000;

/// The callers, with the time of the last success.
#[derive(Debug, Default)]
pub(super) struct PermittedCallers {
    of: BTreeMap<IpAddr, Vec<(Caller, Duration)>>,
    count: usize,
}

impl PermittedCallers {
    pub(super) fn includes(&self, source: IpAddr, caller: &Caller, now: Duration) -> bool {
        let mut listed = self.of.get(&source).into_iter().flatten();
        listed.any(|(known, at)| known == caller && is_recent(*at, now))
    }

    pub(super) fn add(&mut self, source: IpAddr, caller: &Caller, now: Duration) {
        if let Some((_, at)) =
            self.of.get_mut(&source).and_then(|listed| listed.iter_mut().find(|(known, _)| known == caller))
        {
            *at = now;
            return;
        }
        if self.count >= CALLERS_MAX {
            self.make_room(now);
        }
        let listed = self.of.entry(source).or_default();
        if listed.len() >= OF_ADDRESS_MAX
            && let Some(oldest) = (0..listed.len()).min_by_key(|at| listed[*at].1)
        {
            listed.swap_remove(oldest);
            self.count -= 1;
        }
        listed.push((caller.clone(), now));
        self.count += 1;
    }

    fn make_room(&mut self, now: Duration) {
        self.retain(|at| is_recent(at, now));
        if self.count >= CALLERS_MAX {
            let mut ends: Vec<Duration> = self.of.values().flatten().map(|(_, at)| *at).collect();
            let median = *ends.select_nth_unstable(CALLERS_MAX / 2).1;
            self.retain(|at| at > median);
        }
    }

    fn retain(&mut self, keeps: impl Fn(Duration) -> bool) {
        self.of.retain(|_, listed| {
            listed.retain(|(_, at)| keeps(*at));
            listed.shrink_to_fit();
            !listed.is_empty()
        });
        self.count = self.of.values().map(Vec::len).sum();
    }
}

fn is_recent(at: Duration, now: Duration) -> bool {
    now.saturating_sub(at) <= PERMITTED_FOR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(0xc000_0200 + n))
    }

    fn caller(n: u32) -> Caller {
        Caller::asking_for(&n.to_string(), "conf-Tea")
    }

    #[test]
    fn a_caller_is_listed_for_a_day_after_its_last_success_at_its_address() {
        let hour = Duration::from_secs(3600);
        let mut callers = PermittedCallers::default();
        callers.add(ip(1), &caller(1), hour);
        callers.add(ip(1), &caller(1), hour * 2);
        assert_eq!(callers.count, 1);
        assert!(callers.includes(ip(1), &caller(1), hour * 26));
        assert!(!callers.includes(ip(1), &caller(1), hour * 26 + Duration::from_millis(1)));
        assert!(!callers.includes(ip(2), &caller(1), hour * 2), "at another address");
        assert!(!callers.includes(ip(1), &caller(2), hour * 2), "a neighbour");
    }

    #[test]
    fn memory_is_bounded_and_the_latest_stay() {
        let mut callers = PermittedCallers::default();
        for n in 0..1000 {
            callers.add(ip(1), &caller(n), Duration::from_millis(u64::from(n)));
        }
        let now = Duration::from_secs(1);
        assert_eq!(callers.count, OF_ADDRESS_MAX);
        assert!((936..1000).all(|n| callers.includes(ip(1), &caller(n), now)));
        for n in 0..500_000 {
            callers.add(ip(n), &caller(n), now + Duration::from_millis(u64::from(n)));
            assert!(callers.count <= CALLERS_MAX);
        }
        assert_eq!(callers.of.values().map(Vec::len).sum::<usize>(), callers.count);
        let last = now + Duration::from_millis(499_999);
        assert!((450_000..500_000).all(|n| callers.includes(ip(n), &caller(n), last)));
        // All at one moment: then memory matters more.
        let mut callers = PermittedCallers::default();
        for n in 0..250_000 {
            callers.add(ip(n), &caller(n), now);
            assert!(callers.count <= CALLERS_MAX);
        }
        assert!(callers.includes(ip(249_999), &caller(249_999), now));
    }
}
