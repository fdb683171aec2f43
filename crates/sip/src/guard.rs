//! Holds off those who ask too much or guess: limits by source, and silence for a while towards those who overdo it.

use ipnet::IpNet;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// Sources that are followed at a time. When there are more, those that did nothing for longest are forgotten.
const SOURCES_MAX: usize = 100_000;
/// Names that tools for attacking SIP give themselves, in small letters.
const SCANNERS: [&str; 8] = [
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sundayddr",
    "sip-scan",
    "sipcli",
    "vaxasip",
    "iwar",
];

/// Limits for each source. An IPv6 source is the network of its first 64 bits, which one customer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardConfig {
    /// Networks without limits: trunks and proxies.
    pub exempt: Vec<IpNet>,
    /// Requests outside of calls (INVITE, REGISTER, OPTIONS, …) per second, on average over ten seconds.
    pub requests_per_second: u32,
    /// Refused or unreadable requests…
    pub failures_max: u32,
    /// … within this time lead to a ban.
    pub failures_within: Duration,
    /// How long nothing of a banned source is answered.
    pub ban: Duration,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            exempt: Vec::new(),
            requests_per_second: 20,
            failures_max: 10,
            failures_within: Duration::from_secs(60),
            ban: Duration::from_secs(600),
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Welcome,
    /// Too many; it is told to come later.
    TooMany,
    /// Banned; silence.
    Ignored,
}

#[derive(Debug, Clone, Copy, Default)]
struct Source {
    /// Requests that it has to its credit, in thousandths, and as of when.
    credit: u64,
    seen: Duration,
    failures: u32,
    failing_since: Duration,
    banned_until: Option<Duration>,
}

/// Follows sources.
#[derive(Debug)]
pub(crate) struct Guard {
    config: GuardConfig,
    sources: HashMap<IpAddr, Source>,
}

impl Guard {
    pub(crate) fn new(config: GuardConfig) -> Self {
        Self { config, sources: HashMap::new() }
    }

    /// Other limits from now on; what is known of the sources stays.
    pub(crate) fn set_config(&mut self, config: GuardConfig) {
        self.config = config;
    }

    fn key(&self, source: IpAddr) -> Option<IpAddr> {
        let source = source.to_canonical();
        if self.config.exempt.iter().any(|net| net.contains(&source)) {
            return None;
        }
        Some(match source {
            IpAddr::V4(_) => source,
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX))),
        })
    }

    /// Nothing of it is answered at the moment.
    pub(crate) fn is_banned(&self, source: IpAddr, now: Duration) -> bool {
        if self.sources.is_empty() {
            return false;
        }
        let source = self.key(source).and_then(|key| self.sources.get(&key));
        source.and_then(|source| source.banned_until).is_some_and(|until| now < until)
    }

    fn of(&mut self, key: IpAddr, now: Duration) -> &mut Source {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&key) {
            let idle = |source: &Source| source.banned_until.is_none_or(|until| until <= now);
            let mut seen: Vec<Duration> = self.sources.values().map(|source| source.seen).collect();
            let median = *seen.select_nth_unstable(SOURCES_MAX / 2).1;
            self.sources.retain(|_, source| !idle(source) || source.seen > median);
            // All of them banned: then a ban more or less does not matter, memory does.
            if self.sources.len() >= SOURCES_MAX {
                self.sources.clear();
            }
        }
        let full = u64::from(self.config.requests_per_second) * 10_000;
        self.sources.entry(key).or_insert(Source { credit: full, seen: now, ..Source::default() })
    }

    /// A request outside of any call came.
    pub(crate) fn admit(&mut self, source: IpAddr, now: Duration) -> Admission {
        let Some(key) = self.key(source) else { return Admission::Welcome };
        let rate = u64::from(self.config.requests_per_second);
        let source = self.of(key, now);
        if source.banned_until.is_some_and(|until| now < until) {
            return Admission::Ignored;
        }
        let earned = now.saturating_sub(source.seen).as_millis() as u64 * rate;
        source.credit = source.credit.saturating_add(earned).min(rate * 10_000);
        source.seen = now;
        if source.credit < 1000 {
            return Admission::TooMany;
        }
        source.credit -= 1000;
        Admission::Welcome
    }

    /// A request of it was refused, for it may not, or cannot be read. `Some`: it is banned from now on, for so long.
    pub(crate) fn failed(&mut self, source: IpAddr, now: Duration) -> Option<Duration> {
        let key = self.key(source)?;
        let (within, most, ban) = (self.config.failures_within, self.config.failures_max, self.config.ban);
        let source = self.of(key, now);
        source.seen = now;
        if now.saturating_sub(source.failing_since) > within {
            (source.failures, source.failing_since) = (0, now);
        }
        source.failures += 1;
        if source.failures < most || source.banned_until.is_some_and(|until| now < until) {
            return None;
        }
        (source.failures, source.banned_until) = (0, Some(now + ban));
        Some(ban)
    }

    /// It has shown that it may: earlier failures were mistakes.
    pub(crate) fn succeeded(&mut self, source: IpAddr) {
        if let Some(source) = self.key(source).and_then(|key| self.sources.get_mut(&key)) {
            source.failures = 0;
        }
    }
}

/// A tool for attacks, by its own word.
pub(crate) fn is_scanner(user_agent: &str) -> bool {
    let name = user_agent.to_ascii_lowercase();
    SCANNERS.iter().any(|scanner| name.contains(scanner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(GuardConfig {
            exempt: vec!["10.0.0.0/8".parse().unwrap()],
            requests_per_second: 2,
            ..GuardConfig::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_may_burst_and_then_keeps_to_its_rate() {
        let mut guard = guard();
        let mut admitted = |source: &str, tries: usize, at: u64| {
            let at = Duration::from_secs(at);
            (0..tries).filter(|_| guard.admit(ip(source), at) == Admission::Welcome).count()
        };
        assert_eq!(admitted("192.0.2.1", 100, 0), 20);
        assert_eq!(admitted("192.0.2.1", 100, 3), 6);
        assert_eq!(admitted("192.0.2.2", 100, 3), 20, "each source for itself");
        assert_eq!(admitted("192.0.2.1", 100, 3600), 20, "never more than the burst");
        assert_eq!(admitted("10.1.2.3", 1000, 0), 1000, "a trunk has no limit");
        assert_eq!(admitted("2001:db8::1", 20, 0), 20);
        assert_eq!(admitted("2001:db8::2", 20, 0), 0, "the same network of IPv6");
        assert_eq!(admitted("2001:db8:0:1::1", 20, 0), 20);
    }

    #[test]
    fn who_fails_too_often_gets_silence_for_a_while() {
        let mut guard = guard();
        let source = ip("192.0.2.1");
        for second in 0..9 {
            assert_eq!(guard.failed(source, Duration::from_secs(second)), None);
        }
        assert_eq!(guard.failed(source, Duration::from_secs(9)), Some(Duration::from_secs(600)));
        assert!(guard.is_banned(source, Duration::from_secs(10)));
        assert_eq!(guard.admit(source, Duration::from_secs(10)), Admission::Ignored);
        assert!(!guard.is_banned(ip("192.0.2.2"), Duration::from_secs(10)));
        assert!(!guard.is_banned(source, Duration::from_secs(610)));
        assert_eq!(guard.admit(source, Duration::from_secs(610)), Admission::Welcome);
    }

    #[test]
    fn mistakes_now_and_then_and_those_before_a_success_do_not_count() {
        let mut guard = guard();
        let source = ip("192.0.2.1");
        for minute in 0..100 {
            assert_eq!(guard.failed(source, Duration::from_secs(minute * 61)), None);
        }
        let at = Duration::from_secs(7000);
        for _ in 0..5 {
            for _ in 0..9 {
                assert_eq!(guard.failed(source, at), None);
            }
            guard.succeeded(source);
        }
        assert_eq!((0..1000).filter_map(|_| guard.failed(ip("10.0.0.1"), at)).count(), 0);
    }

    #[test]
    fn memory_is_bounded_however_many_sources_come() {
        let mut guard = guard();
        for n in 0..250_000_u32 {
            let source = IpAddr::V4(std::net::Ipv4Addr::from(0xc000_0000 + n));
            guard.admit(source, Duration::from_millis(u64::from(n)));
        }
        assert!(guard.sources.len() <= SOURCES_MAX);
    }
}
