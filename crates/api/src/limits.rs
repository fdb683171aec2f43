//! Limits on what accounts ask and what sources may guess.

use plenary_conference::AccountId;
use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How long guesses count.
const GUESSES_WITHIN: Duration = Duration::from_secs(60);
/// Sources and accounts that are followed at a time.
const FOLLOWED_MAX: usize = 100_000;

/// Limits of the web services; 0: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WebLimits {
    /// Requests of an account, per second on average over ten seconds.
    pub requests_per_second: u32,
    /// Requests of a source with wrong or no credentials, within a minute.
    pub failures_per_minute: u32,
}

/// What wrong credentials are brought to: they count for each by itself, so that a program with an old key keeps nobody from
/// signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Door {
    /// Keys, passwords, codes and links.
    Here,
    /// The provider at which people sign in.
    Provider,
}

/// What counts against the limits.
#[derive(Debug, Default)]
pub struct Counters {
    accounts: Mutex<HashMap<AccountId, (u64, Instant)>>,
    failures: Mutex<HashMap<(IpAddr, Door), (u32, Instant)>>,
    /// Answers by route and by the first digit of their status. There are as many as routes.
    answers: Mutex<BTreeMap<(String, u16), u64>>,
    /// Requests with wrong credentials.
    refused: AtomicU64,
}

/// What was answered since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebCounts {
    /// How many answers, by route (`/v1/conferences/{name}`; `none` where there is nothing) and by the first digit of their status.
    pub answers: BTreeMap<(String, u16), u64>,
    /// Requests with wrong credentials, or none where some are needed.
    pub refused: u64,
}

impl Counters {
    /// What was answered since the start.
    #[must_use]
    pub fn counts(&self) -> WebCounts {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        WebCounts { answers, refused: self.refused.load(Relaxed) }
    }

    /// A request was answered. `route`: the pattern of its path; `None`: there is nothing at it.
    pub(crate) fn answered(&self, route: Option<&str>, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((route.unwrap_or("none").to_owned(), status / 100)).or_default() += 1;
    }

    /// A request of an account. False: it asks too much.
    pub(crate) fn admit(&self, account: AccountId, limits: WebLimits, now: Instant) -> bool {
        let rate = u64::from(limits.requests_per_second);
        if rate == 0 {
            return true;
        }
        // Credit in thousandths of a request.
        let full = rate * 10_000;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut accounts, |(_, seen)| now.saturating_duration_since(*seen) > Duration::from_secs(10));
        let (credit, seen) = accounts.entry(account).or_insert((full, now));
        let earned = now.saturating_duration_since(*seen).as_micros() as u64 * rate / 1000;
        *credit = (*credit + earned).min(full);
        *seen = now;
        let is_welcome = *credit >= 1000;
        *credit -= if is_welcome { 1000 } else { 0 };
        is_welcome
    }

    /// The source has guessed too often of late.
    pub(crate) fn is_held_off(&self, source: IpAddr, door: Door, limits: WebLimits, now: Instant) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        limits.failures_per_minute > 0
            && failures.get(&(network(source), door)).is_some_and(|(count, since)| {
                *count >= limits.failures_per_minute && now.saturating_duration_since(*since) < GUESSES_WITHIN
            })
    }

    /// A request had wrong credentials. True: from now on the source is held off.
    pub(crate) fn failed(&self, source: IpAddr, door: Door, limits: WebLimits, now: Instant) -> bool {
        self.refused.fetch_add(1, Relaxed);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |(_, since): &(u32, Instant)| now.saturating_duration_since(*since) >= GUESSES_WITHIN;
        forget(&mut failures, is_old);
        let entry = failures.entry((network(source), door)).or_insert((0, now));
        if is_old(entry) {
            *entry = (0, now);
        }
        entry.0 += 1;
        entry.0 == limits.failures_per_minute
    }
}

/// Makes room where there are too many.
fn forget<K: Eq + Hash, V>(followed: &mut HashMap<K, V>, is_old: impl Fn(&V) -> bool) {
    if followed.len() >= FOLLOWED_MAX {
        followed.retain(|_, value| !is_old(value));
        if followed.len() >= FOLLOWED_MAX {
            followed.clear();
        }
    }
}

/// What one customer has: an address of IPv4, 64 bits of IPv6.
pub(crate) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX))),
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_may_burst_and_then_keeps_to_its_rate() {
        let (counters, now) = (Counters::default(), Instant::now());
        let limits = WebLimits { requests_per_second: 2, failures_per_minute: 0 };
        let admitted = |account, tries, seconds| {
            let at = now + Duration::from_secs(seconds);
            (0..tries).filter(|_| counters.admit(AccountId(account), limits, at)).count()
        };
        assert_eq!((admitted(1, 100, 0), admitted(2, 100, 0)), (20, 20), "each for itself");
        assert_eq!((admitted(1, 100, 3), admitted(1, 100, 1000)), (6, 20));
        let none = WebLimits::default();
        assert!((0..1000).all(|_| counters.admit(AccountId(3), none, now)));
    }

    #[test]
    fn who_guesses_is_held_off_for_a_minute() {
        let (counters, now) = (Counters::default(), Instant::now());
        let limits = WebLimits { requests_per_second: 0, failures_per_minute: 3 };
        let (source, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        assert!(
            !counters.failed(source, Door::Here, limits, now)
                && !counters.failed(source, Door::Here, limits, now)
        );
        assert!(!counters.is_held_off(source, Door::Here, limits, now));
        assert!(counters.failed("2001:db8::2".parse().unwrap(), Door::Here, limits, now), "the same network");
        assert!(
            counters.is_held_off(source, Door::Here, limits, now)
                && !counters.is_held_off(other, Door::Here, limits, now)
        );
        assert!(!counters.is_held_off(source, Door::Provider, limits, now), "elsewhere it has not guessed");
        let later = now + Duration::from_secs(60);
        assert!(
            !counters.is_held_off(source, Door::Here, limits, later)
                && !counters.failed(source, Door::Here, limits, later)
        );
    }
}
